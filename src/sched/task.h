/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tasks: what the scheduler runs. A task is a `run` function that the worker calls again and again;
 * what it says decides what comes next. The scheduler knows neither stacks nor wasm.
 *
 * Life: task_init, task_start (once), then run() on some worker, never on two at a time, until it
 * returns TASK_DONE; then `done()` is called on that worker, after which the scheduler no longer
 * knows the task. The storage is the caller's. Storage of tasks that others may still wake must
 * never be unmapped or used for something else than a task: wakes are only hints and may come late.
 */
#ifndef SCHED_TASK_H
#define SCHED_TASK_H

#include "base/assert.h"
#include "base/list.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct scheduler;
struct worker;
struct task;

enum task_result {
    TASK_YIELD,   /* it could go on: run it again, after the others that were woken */
    TASK_USED_UP, /* the same, but its slice is used up (a tick stopped it): to the queue of the
                     used-up */
    TASK_PARK,    /* run it again when task_wake is called (a wake during this run counts) */
    TASK_DONE,    /* never again */
};

/* Besides what the run queues do, only task_wake changes the state: RUNNING to RUNNING_WOKEN,
 * PARKED to QUEUED. */
enum task_state { TASK_NEW, TASK_QUEUED, TASK_RUNNING, TASK_RUNNING_WOKEN, TASK_PARKED, TASK_DEAD };

/* How far from its run a task is, for `prefetch`. */
enum task_distance { TASK_NEXT, TASK_NEXT_BUT_ONE };

/* What every kind of task has in common, constant and shared. */
struct task_class {
    enum task_result (*run)(struct task *t, struct worker *w);
    void (*done)(struct task *t,
                 struct worker *w); /* after TASK_DONE; may reuse the storage for a new task */
    /* Hint: runs next, or next but one, if it was ready by then; may be NULL. Another worker may
     * have taken the task meanwhile, and it may even have ended: compute addresses from constant
     * fields, read nothing that changes. A class that has this keeps the storage of its tasks, with
     * the same class in it, for as long as the scheduler lives; others may free theirs when they
     * have ended. */
    void (*prefetch)(struct task *t, enum task_distance distance);
};

/* A node of the timer wheel: one per task for its deadline, separate ones for other uses. timer.h
 * says what one does with it. */
struct timer {
    struct list link; /* in its slot of the wheel; next == NULL: not armed */
    _Atomic uint64_t
        deadline_ns;   /* when the holder wants it to fire: monotonic clock; UINT64_MAX: never */
    uint64_t armed_ns; /* when the wheel will look at it, <= deadline_ns */
    void (*fire)(struct timer *t, struct worker *w); /* on the wheel's worker, wheel unlocked */
    _Atomic uint32_t wheel; /* index of the worker whose wheel holds it; TIMER_NO_WHEEL: none */
    uint32_t generation;    /* free for the owner's use */
};

struct task {
    const struct task_class *class_;
    struct task *next;      /* in a run queue */
    _Atomic uint32_t state; /* enum task_state */
    uint32_t worker;        /* index of the worker that ran it last */
};

void task_init(struct task *t, const struct task_class *class_);

/* Queues a new task: on `w`'s own queue if the caller is that worker, else (w NULL) on the global
 * queue. */
void task_start(struct scheduler *s, struct worker *w, struct task *t);

/* Hints that what the task waits for may have come. Harmless in every state. `w`: the calling
 * worker, or NULL on other threads. Whatever the caller wrote before is visible to the run that
 * follows. Any thread. Never waits. */
void task_wake(struct scheduler *s, struct worker *w, struct task *t);

/* For who wants to look at a parked task without waking it. True: it was parked, everything that
 * belongs to its owner is now the caller's to read, as if it ran, until task_release a moment
 * later; wakes meanwhile are not lost. False: it is not parked. Any thread that is no worker. */
bool task_claim(struct task *t) MUST_USE;
void task_release(struct scheduler *s, struct task *t);

/* The worker that the calling thread is, or NULL. */
struct worker *worker_current(void);

#endif
