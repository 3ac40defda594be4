/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of this layer share with each other only. */
#ifndef PROC_INTERNAL_H
#define PROC_INTERNAL_H

#include "proc/environment.h"

/* Ends a process that will not run any more, without telling anybody, or brings its end to an end.
 * Scheduler stopped. */
void process_drop(struct process *p);

/* Frees the control blocks kept for later environments. */
void spare_blocks_free(struct actors *a);

/* A process or a timer of an environment that is ending is gone: tells those who wait for that,
 * once until they have looked again. */
void actors_tell_waiters(struct actors *a);
static inline void actors_ended(struct actors *a)
{
    /* acquire-release: pairs with the exchange in environment_wait_empty */
    if (!atomic_load_explicit(&a->nobody_waits, memory_order_relaxed) &&
        !atomic_exchange_explicit(&a->nobody_waits, true, memory_order_acq_rel))
        actors_tell_waiters(a);
}

/* Cancels all send timers of an environment that has no processes any more, and is ending; those
 * that fire at this moment end by themselves. Any thread. */
void send_timers_cancel(struct environment *e);

/* Frees all send timers of an environment. */
void send_timers_drop(struct environment *e);

/* look.c: a SIGNAL_LOOK has come, with the number of the search and the place in it. */
void process_looked_at(struct process *p, uint64_t ticket, uint64_t index, bool at_rest);

#endif
