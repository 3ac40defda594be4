/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a host function says when it returns: two machine words, returned in two registers.
 *
 * A host function never jumps and is never suspended. One that must wait returns `park` and is
 * called again, with the same arguments, when its process wakes: the stub that called it keeps the
 * arguments on the guest's stack. */
#ifndef VM_OUTCOME_H
#define VM_OUTCOME_H

#include "vm/trap.h"
#include <stdint.h>

enum outcome_kind {
    OUTCOME_DONE =
        0, /* value: the result (i32 zero-extended; f32/f64 as bits; ignored if there is none) */
    OUTCOME_TRAP = 1,  /* value: enum trap */
    OUTCOME_YIELD = 2, /* a bounded piece of a long operation is done: call again soon */
    OUTCOME_PARK = 3,  /* call again when woken */
    OUTCOME_CALL = 4,  /* run the guest function in fiber->call, then call again with its result */
    OUTCOME_EXIT = 5,  /* end the whole guest; value: an exit status (proc_exit) */
};

struct outcome {
    uint64_t value; /* rax */
    uint64_t kind;  /* rdx: enum outcome_kind */
};

static inline struct outcome done(uint64_t value)
{
    return (struct outcome){value, OUTCOME_DONE};
}

static inline struct outcome trap(enum trap kind)
{
    return (struct outcome){kind, OUTCOME_TRAP};
}

#endif
