# LUNATIC_SANITIZE: a list for -fsanitize=, "address,undefined" or "thread"; empty in releases.
set(LUNATIC_SANITIZE "" CACHE STRING "sanitizers to build with, comma-separated")

if(LUNATIC_SANITIZE)
    add_compile_options(-fsanitize=${LUNATIC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${LUNATIC_SANITIZE})
endif()
