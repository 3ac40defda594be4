/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the tests of sched/ share: making schedulers that cannot fail. */
#ifndef TEST_SCHED_SUPPORT_H
#define TEST_SCHED_SUPPORT_H

#include "base/mem.h"
#include "sched/io.h"
#include "sched/offload.h"
#include "sched/scheduler.h"
#include "sched/timer.h"
#include "tests/harness/harness.h"

static inline struct scheduler *make_seeded(uint64_t seed)
{
    struct scheduler_options options = {
        .deterministic = true, .virtual_clock = true, .stop_when_stuck = true, .seed = seed};
    struct scheduler *s = NULL;

    EXPECT(scheduler_new(&options, &s, NULL));
    return s;
}

static inline struct scheduler *make_workers(uint32_t count)
{
    struct scheduler_options options = {.worker_count = count};
    struct scheduler *s = NULL;

    EXPECT(scheduler_new(&options, &s, NULL));
    return s;
}

static inline void run_and_free(struct scheduler *s)
{
    struct error err = {0};

    EXPECT(scheduler_run(s, &err));
    scheduler_free(s);
}

/* Answers with what it is asked, when it is woken: by task_wake, or by its timer. */
struct echo {
    struct task task; /* first */
    struct timer timer;
    _Atomic uint32_t asked, answered;
};

static inline enum task_result echo_run(struct task *t, struct worker *w)
{
    struct echo *e = (struct echo *)t;

    (void)w;
    atomic_store_explicit(&e->answered, atomic_load_explicit(&e->asked, memory_order_acquire),
                          memory_order_release);
    return TASK_PARK;
}

static inline void echo_fire(struct timer *t, struct worker *w)
{
    task_wake(w->scheduler, w, &CONTAINER_OF(t, struct echo, timer)->task);
}

static inline void echo_init(struct echo *e)
{
    static const struct task_class class_ = {.run = echo_run};

    task_init(&e->task, &class_);
    timer_init(&e->timer, echo_fire);
    atomic_init(&e->asked, 0);
    atomic_init(&e->answered, 0);
}

#endif
