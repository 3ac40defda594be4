/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How many processes there may be at a time under a configuration and all that descends from it.
 *
 * A budget lies under the one of whoever made the configuration, and every process counts in all
 * budgets from its own upwards; so children cannot have more than their parents by being many. */
#ifndef PROC_BUDGET_H
#define PROC_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
    _Atomic uint32_t references;
    struct budget *above; /* one reference; NULL: none */
    uint64_t count_max;
    _Atomic uint64_t count; /* <= count_max */
};

/* One reference, the caller's; makes one of `above`, which may be NULL. NULL: no memory. */
struct budget *budget_new(struct budget *above, uint64_t count_max);
struct budget *budget_ref(struct budget *b); /* NULL is harmless, as everywhere here */
void budget_unref(struct budget *b);

/* Counts a process in. False: one of the budgets is used up, and nothing has changed; that one's
 * `count_max` is in *limit. Any thread. */
bool budget_take(struct budget *b, uint64_t *limit);
void budget_give(struct budget *b);

#endif
