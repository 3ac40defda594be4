/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Messages that nobody will read: those left in the mailbox of a process that has ended. There may
 * be millions, so they are freed piece by piece, by a task per worker that takes its turn among the
 * processes. */
#ifndef PROC_GRAVE_H
#define PROC_GRAVE_H

#include "plat/thread.h"
#include "sched/task.h"
#include <stdbool.h>
#include <stddef.h>

struct actors;
struct mailbox;

#define GRAVE_COUNT_MIN 512u /* fewer messages are freed on the spot */
#define GRAVE_BATCH     16u  /* messages that are freed in one slice */

struct grave {
    struct task task; /* parked, or at work */
    struct actors *actors;
    struct spinlock lock;
    struct message *first; /* linked by next */
    bool is_started;       /* the task was */
};

void grave_init(struct grave *g, struct actors *a);

/* Empties the mailbox: frees its messages, or has them freed soon. `w`: the calling worker; NULL:
 * the scheduler has stopped. */
void grave_bury(struct actors *a, struct worker *w, struct mailbox *mb);

/* Frees what is left, now. Any thread. */
void graves_empty(struct actors *a);

#endif
