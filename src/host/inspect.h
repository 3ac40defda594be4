/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What can be told about a guest that lives: where it is and what it waits for, in words. */
#ifndef HOST_INSPECT_H
#define HOST_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process;

struct guest_view {
    const char *wait;   /* what kind of thing it waits for, one word; static; NULL: nothing */
    char details[160];  /* more about that; may be empty */
    char function[240]; /* its innermost functions, "a < b < c"; empty: not known */
    const void *memory; /* its linear memory, for vmem_present; it may be somebody else's by then */
    uint64_t memory_size;
};

/* A look_fn (proc/look.h): fills a struct guest_view, which is zero. */
void guest_look(const struct process *p, bool at_rest, void *out);

#endif
