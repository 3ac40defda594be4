/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The scheduler: one worker thread per core, a run queue each, and a global queue for what comes
 * from outside.
 *
 * Ordinary runs steal work between workers and are preempted by a tick. Deterministic runs have one
 * worker, choose the next task by a seeded generator, run blocking jobs in place, and may have a
 * virtual clock that jumps to the next deadline when there is nothing to run: the same seed gives
 * the same run. */
#ifndef SCHED_SCHEDULER_H
#define SCHED_SCHEDULER_H

#include "base/error.h"
#include "plat/signal.h"
#include "sched/task.h"
#include <stddef.h>
#include <stdint.h>

#define WORKERS_MAX 1024

/* A worker as tasks and upper layers see it. */
struct worker {
    struct scheduler *scheduler;
    uint32_t index;         /* < the scheduler's worker count */
    volatile uint32_t tick; /* set by the tick, cleared before every run of a task */
    void *context;          /* the upper layer's: set by the hook worker_start */
    struct task *current;   /* the task that runs now, or NULL */
    uint64_t used_up_ns;    /* when the last slice that was used up ended; 0: none was */
};

/* What the scheduler needs from above. Each may be NULL. */
struct scheduler_hooks {
    void *context; /* see scheduler_context */
    /* The tick, in signal context on w's thread; `ucontext` may be changed. False: it has not dealt
     * with the tick, so w->tick gets set. */
    bool (*tick)(struct worker *w, void *ucontext);
    /* On the worker's thread, before its first task and after its last. A start that returns false
     * with `err` filled ends the scheduler with that error. */
    bool (*worker_start)(struct worker *w, struct error *err);
    void (*worker_stop)(struct worker *w);
    /* Before the worker sleeps for want of work (not before every look at the poller). */
    void (*before_sleep)(struct worker *w);
};

struct scheduler_options {
    uint32_t worker_count; /* 0: one per core that we may use; deterministic: always 1 */
    bool deterministic;
    bool virtual_clock;   /* needs `deterministic` */
    bool stop_when_stuck; /* needs `virtual_clock`: stop when nothing is left to run or to wait for
                             but descriptors */
    uint64_t seed;
    uint64_t virtual_start_ns;   /* what the virtual clock shows first */
    uint64_t virtual_slice_ns;   /* by how much each run of a task moves it (0: not at all) */
    enum tick_clock tick;        /* TICK_OFF: all code is metered (implied by `deterministic`) */
    uint64_t tick_period_ns;     /* 0: TICK_PERIOD_NS */
    uint32_t offload_thread_max; /* 0: OFFLOAD_THREADS_MAX */
    struct scheduler_hooks hooks;
};

/* Makes a scheduler; no thread runs yet, but tasks may be started and woken. `*out` is the
 * caller's. Fails with ERR_OS. Startup only. */
bool scheduler_new(const struct scheduler_options *options, struct scheduler **out,
                   struct error *err) MUST_USE;

/* Runs tasks on threads of its own until somebody calls scheduler_stop, and returns when every
 * worker has ended. Tasks that are left are not run any more; their storage is the caller's. False:
 * a worker could not start. To be called once, by a thread that is no worker. */
bool scheduler_run(struct scheduler *s, struct error *err) MUST_USE;

/* Makes scheduler_run return soon: each worker ends after the run it is in. Any thread; also before
 * scheduler_run, which then returns at once. */
void scheduler_stop(struct scheduler *s);
bool scheduler_stopping(const struct scheduler *s);

/* Frees it; waits for jobs that run on helper threads, discards those that wait. NULL is harmless.
 * Not while scheduler_run runs. */
void scheduler_free(struct scheduler *s);

uint32_t scheduler_worker_count(const struct scheduler *s);
void *scheduler_context(const struct scheduler *s);
bool scheduler_is_deterministic(const struct scheduler *s);
/* Which clock makes the ticks (TICK_OFF: none). */
enum tick_clock scheduler_tick_clock(const struct scheduler *s);

/* Now, by the monotonic clock or the virtual one. What deadlines are compared with. Any thread. */
uint64_t scheduler_now_ns(const struct scheduler *s);
/* The virtual clock's wall time is the time since its start plus `realtime at 2020-01-01`;
 * otherwise the machine's. Any thread. */
uint64_t scheduler_realtime_ns(const struct scheduler *s);

/* To measure what a run uses, in a few ns: _begin before it, and what that gave to _ns after it. By
 * the cycle counter; where that says much, not more than the CPU time of the thread, so that time
 * in which others had the core does not count, nor that between in_place_begin and _end. In
 * deterministic runs a constant, since there the same seed must give the same. The calling worker
 * only. */
uint64_t scheduler_slice_begin(struct worker *w);
uint64_t scheduler_slice_ns(struct worker *w, uint64_t begin);

/* Whether several others are ready on this worker and slices have been short, so that a task that
 * yields will soon go on: for what is done faster for many in a row. False in deterministic runs.
 * The calling worker only. */
bool scheduler_has_batch(const struct worker *w);

/* The seeded generator of a deterministic run, else the kernel's randomness. Workers only. */
void scheduler_random(struct worker *w, void *data, size_t size);

/* What the workers have done so far, added up. While they run, each number is a moment old. */
struct scheduler_stats {
    uint64_t runs;    /* calls of run() */
    uint64_t wakes;   /* that queued a task */
    uint64_t stolen;  /* tasks taken from another worker */
    uint64_t sleeps;  /* of workers */
    uint64_t ticks;   /* delivered to workers */
    uint64_t used_up; /* slices ended by a tick */
    uint64_t timers_fired;
    uint64_t in_place; /* waits for the disk on a worker */
    uint64_t io_events;
    uint64_t idle_ns; /* that workers have slept until now; while they run it may seem to go back by
                         as long as the reading took */
};
void scheduler_stats(const struct scheduler *s, struct scheduler_stats *out);

/* What is there at this moment, roughly. */
struct scheduler_load {
    uint32_t worker_count;   /* that have a thread, */
    uint32_t sleeping_count; /* and of them: sleep for want of work */
    uint64_t ready_count;    /* tasks that wait for a worker */
    uint64_t io_count;       /* descriptors registered with the pollers */
    uint64_t jobs;           /* that helper threads have run so far */
    uint32_t job_count;      /* that are being run */
    uint64_t queued_count;   /* that wait for a helper thread */
    uint32_t helper_count;   /* helper threads */
};
/* Takes the scheduler's locks for a moment. Any thread. */
void scheduler_load(struct scheduler *s, struct scheduler_load *out);

#endif
