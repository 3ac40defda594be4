/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of this layer share with each other only. */
#ifndef PROC_INTERNAL_H
#define PROC_INTERNAL_H

#include "proc/environment.h"

/* Ends a process that will not run any more, without telling anybody. Scheduler stopped. */
void process_drop(struct process *p);

/* Frees the control blocks kept for later environments. */
void spare_blocks_free(struct actors *a);

/* Frees all send timers of an environment. */
void send_timers_drop(struct environment *e);

/* look.c: a SIGNAL_LOOK has come, with the number of the search and the place in it. */
void process_looked_at(struct process *p, uint64_t ticket, uint64_t index, bool at_rest);

#endif
