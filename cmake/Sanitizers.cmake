# LUNATIC_SANITIZE: a list for -fsanitize=, "address,undefined" or "thread"; empty in releases.
set(LUNATIC_SANITIZE "" CACHE STRING "sanitizers to build with, comma-separated")

if(LUNATIC_SANITIZE)
    add_compile_options(-fsanitize=${LUNATIC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    # Calls into generated code cannot carry the type words that this check looks for.
    if(CMAKE_C_COMPILER_ID MATCHES "Clang")
        add_compile_options(-fno-sanitize=function)
    endif()
    add_link_options(-fsanitize=${LUNATIC_SANITIZE})
endif()
