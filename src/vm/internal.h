/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the vm shares only with itself. */
#ifndef VM_INTERNAL_H
#define VM_INTERNAL_H

#include "vm/code.h"
#include "vm/instance.h"
#include "vm/outcome.h"
#include "wasm/module.h"
#include <stdbool.h>

/* Whether the signal handler may stop the guest at `pc`. Signal-safe. */
bool code_is_preemptible(const void *pc);

/* The published code that holds `pc`, or NULL. */
const struct code *code_at(const void *pc);

/* Whether tests want every stack move that could happen: vm_set_move_stacks. */
extern bool vm_move_stacks;

/* The stub by which C enters functions of that type, from the code of `i`'s program; NULL: none.
 * The type is stored in `*type`. */
const void *instance_enter_stub(const struct instance *i, const struct function *f,
                                const struct functype **type);

/* Points the instance at the fiber's stack: fiber, stack_limit. */
void fiber_bind(struct fiber *f, struct instance *i);

/* Between activations on a guest's stack: see activation.c. */
struct marker {
    uint32_t previous;    /* the next outer marker, as fiber->marker */
    uint32_t guest_sp;    /* of the suspended host call, as a distance from stack_top */
    const void *guest_ip; /* where it is called again; NULL: outermost, nothing is suspended */
    struct instance *instance;
    const struct functype *type;
    bool catches;
    uint64_t state_size;
    uint8_t state[]; /* of the embedder */
};

static inline struct marker *marker_at(const struct fiber *f, uint32_t offset)
{
    return (struct marker *)(void *)(f->stack_top - offset);
}

/* Where the activation record of that marker begins: the frames of the activation end there. */
static inline const uint8_t *marker_record(const struct marker *m)
{
    uint32_t words =
        m->type->param_count > m->type->result_count ? m->type->param_count : m->type->result_count;

    return (const uint8_t *)m - (words + 1) * sizeof(uint64_t);
}

#endif
