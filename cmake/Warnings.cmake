# Warnings of every C file of ours; errors where LUNATIC_WERROR is on (continuous integration).
option(LUNATIC_WERROR "treat compiler warnings as errors" OFF)

add_library(lunatic_warnings INTERFACE)
target_compile_options(lunatic_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wcast-qual -Wvla -Wundef -Wformat=2>)
if(LUNATIC_WERROR)
    target_compile_options(lunatic_warnings INTERFACE $<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    target_compile_options(lunatic_warnings INTERFACE $<$<COMPILE_LANGUAGE:C>:-Wthread-safety>)
endif()
