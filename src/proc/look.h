/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Looking at processes while they run, for people who want to know what goes on.
 *
 * A parked process is data: it is claimed for a moment (task_claim) and read where it is, without
 * waking it. One that runs or waits for a core is asked by a signal, which it answers where it
 * handles its signals next; until then only what its control block says is known. What is told may
 * be a moment old. Nothing here stops or slows a worker. */
#ifndef PROC_LOOK_H
#define PROC_LOOK_H

#include "plat/thread.h"
#include "proc/environment.h"

#define LOOK_BATCH 256u /* control blocks that are looked at in one go */

enum process_activity {
    PROCESS_RUNNING,
    PROCESS_READY, /* waits for a core */
    PROCESS_WAITING,
};

/* What the control block says. */
struct process_view {
    uint64_t id;
    enum process_activity activity;
    uint64_t queue_count, queue_size; /* of the mailbox: messages, and what they weigh */
    uint32_t link_count, monitor_count;
    uint64_t cpu_ns; /* see process_cpu_ns */
};

/* Reads what the body says into `out`, the caller's. The process is held still, its wait may be
 * read; `at_rest` false: it is inside a host function, so what the body keeps about where its code
 * is does not hold. Any thread. */
typedef void look_fn(const struct process *p, bool at_rest, void *out);

struct look {
    struct environment *environment;
    look_fn *body;
    void *rows; /* LOOK_BATCH of row_size bytes, the caller's: each begins with zeroes */
    size_t row_size;
    uint64_t wait_ns; /* how long all batches together may still wait for answers */

    /* The batch. */
    size_t count;
    struct process_view views[LOOK_BATCH];
    bool has_body[LOOK_BATCH]; /* the row has been filled in */

    uint32_t next; /* control block */
    size_t asked;  /* under the environment's look_lock: answers that have not come */
    struct condition answered;
};

/* Begins to look at all processes of an environment, which stays; one look at a time. Not on a
 * worker. */
void look_begin(struct look *l, struct environment *e, look_fn *body, void *rows, size_t row_size,
                uint64_t wait_ns);

/* The next batch, in the order of their numbers; false: that was all. */
bool look_next(struct look *l) MUST_USE;

/* The same for a single process; false: there is none. */
bool look_one(struct look *l, uint64_t process_id) MUST_USE;

void look_end(struct look *l);

#endif
