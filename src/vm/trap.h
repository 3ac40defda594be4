/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Why guest code stopped for good (spec 4: traps; plus those of this runtime). */
#ifndef VM_TRAP_H
#define VM_TRAP_H

#include <stdint.h>

/* TRAP(NAME, words): the words are the specification's where it has some (the official suite
 * compares prefixes). */
#define TRAPS(TRAP)                                                                                \
    TRAP(NONE, "no trap")                                                                          \
    TRAP(UNREACHABLE, "unreachable")                                                               \
    TRAP(MEMORY_OUT_OF_BOUNDS, "out of bounds memory access")                                      \
    TRAP(TABLE_OUT_OF_BOUNDS, "out of bounds table access")                                        \
    TRAP(UNDEFINED_ELEMENT, "undefined element")                                                   \
    TRAP(UNINITIALIZED_ELEMENT, "uninitialized element")                                           \
    TRAP(INDIRECT_CALL_TYPE_MISMATCH, "indirect call type mismatch")                               \
    TRAP(INTEGER_DIVIDE_BY_ZERO, "integer divide by zero")                                         \
    TRAP(INTEGER_OVERFLOW, "integer overflow")                                                     \
    TRAP(INVALID_CONVERSION, "invalid conversion to integer")                                      \
    TRAP(STACK_EXHAUSTED, "call stack exhausted")                                                  \
    TRAP(OUT_OF_FUEL, "all fuel consumed by WebAssembly")                                          \
    TRAP(HOST, "a host function failed") /* the words are in fiber->trap_text */

enum trap {
#define TRAP(name, words) TRAP_##name,
    TRAPS(TRAP)
#undef TRAP
        TRAP_COUNT
};

const char *trap_words(enum trap kind);

#endif
