# LUNATIC_STATIC: programs that need nothing of the machine but its kernel (`make dist`). The archive of each
# library is linked instead of the shared object, whoever looks it up and however.
option(LUNATIC_STATIC "link the C library and all others into the programs" OFF)

if(LUNATIC_STATIC)
    set(CMAKE_FIND_LIBRARY_SUFFIXES ".a")
    set(OPENSSL_USE_STATIC_LIBS TRUE)
    # Position-independent, so that addresses are as hard to guess as in any other program.
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    add_compile_definitions(LUNATIC_STATIC)
    add_link_options(-static-pie)
    # Which archives were used, for their licences.
    add_link_options("-Wl,-Map=${CMAKE_BINARY_DIR}/$<TARGET_PROPERTY:NAME>.map")
    # What archives of libraries want besides; not in those that pkg-config names to shared programs.
    set(CMAKE_C_STANDARD_LIBRARIES "${CMAKE_C_STANDARD_LIBRARIES} -lm")
    set(CMAKE_CXX_STANDARD_LIBRARIES "${CMAKE_CXX_STANDARD_LIBRARIES} -lm")
endif()
