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

#endif
