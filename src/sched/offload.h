/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Blocking calls on helper threads: files, name resolution, compilation.
 *
 * A job's storage is the submitter's and holds copies of all it needs: no pointer into guest
 * memory. The task that waits parks until offload_finished; a task that dies detaches its job.
 * Deterministic runs execute jobs at once, in offload_submit. */
#ifndef SCHED_OFFLOAD_H
#define SCHED_OFFLOAD_H

#include "base/list.h"
#include "sched/task.h"
#include <stdatomic.h>

#define OFFLOAD_THREADS_MAX 64 /* helper threads at most, unless the options say otherwise */
#define OFFLOAD_IDLE_NS     5000000000ull /* an idle helper ends after this time */

enum offload_state { OFFLOAD_QUEUED, OFFLOAD_RUNNING, OFFLOAD_FINISHED, OFFLOAD_DETACHED };

struct offload_job {
    struct list link;                     /* in the queue */
    void (*run)(struct offload_job *job); /* on a helper thread; may block */
    void (*discard)(
        struct offload_job *job); /* frees the job and its result (or input, if it never ran) */
    struct task *waiter;          /* woken when it is finished; may be NULL */
    _Atomic uint32_t state;       /* enum offload_state */
};

/* Queues the job. Its `run`, `discard` and `waiter` are set. Workers, and any other thread (w
 * NULL). Never waits and never fails; jobs beyond the number of threads wait their turn. */
void offload_submit(struct scheduler *s, struct worker *w, struct offload_job *job);

/* The same for a job that nobody waits for and that must be done in any case: `discard` is called
 * when it has run. */
void offload_submit_alone(struct scheduler *s, struct worker *w, struct offload_job *job);

/* Whether run() has ended; then the job is the submitter's again. Any thread. */
static inline bool offload_finished(const struct offload_job *job)
{
    /* acquire: pairs with the release after run() */
    return atomic_load_explicit(&job->state, memory_order_acquire) == OFFLOAD_FINISHED;
}

/* Whether anybody still waits for it: for a `run` that waits for something that may never come. */
static inline bool offload_is_wanted(const struct offload_job *job)
{
    return atomic_load_explicit(&job->state, memory_order_relaxed) != OFFLOAD_DETACHED;
}

/* The submitter wants it no longer: `discard` is called, here and now if the job has not begun or
 * has finished, else on the helper thread when it ends. Never waits. */
void offload_detach(struct scheduler *s, struct offload_job *job);

#endif
