/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Workers that go to sleep while something comes from outside: every moment of the three steps is
 * hit by waking after a pause of random length. A wake that is lost hangs the driver until its
 * limit. */
#include "plat/clock.h"
#include "plat/random.h"
#include "plat/thread.h"
#include "support.h"

#define ROUNDS 3000

struct driver {
    struct scheduler *scheduler;
    struct echo *echoes;
    uint32_t count;
    bool by_timer;
    bool failed;
};

static void pause_for(uint64_t ns)
{
    uint64_t until = clock_monotonic_ns() + ns;

    while (clock_monotonic_ns() < until)
        cpu_relax();
}

static void drive(void *arg)
{
    struct driver *d = arg;
    struct prng p = {99};

    for (uint32_t round = 1; round <= ROUNDS && !d->failed; round++) {
        struct echo *e = &d->echoes[prng_below(&p, d->count)];
        uint64_t until = clock_monotonic_ns() + 20 * NS_PER_SEC;

        atomic_store_explicit(&e->asked, round, memory_order_release);
        if (d->by_timer)
            timer_set(d->scheduler, NULL, &e->timer,
                      clock_monotonic_ns() + prng_below(&p, 100 * NS_PER_US));
        else
            task_wake(d->scheduler, NULL, &e->task);
        while (atomic_load_explicit(&e->answered, memory_order_acquire) != round && !d->failed) {
            thread_yield();
            d->failed = clock_monotonic_ns() > until;
        }
        pause_for(prng_below(&p, 80 * NS_PER_US));
    }
    scheduler_stop(d->scheduler);
}

static void ask_from_outside(uint32_t workers, bool by_timer)
{
    struct scheduler *s = make_workers(workers);
    struct echo echoes[3];
    struct driver d = {s, echoes, 3, by_timer, false};
    struct thread driver;

    for (uint32_t i = 0; i < 3; i++) {
        echo_init(&echoes[i]);
        task_start(s, NULL, &echoes[i].task);
    }
    CHECK(thread_create(&driver, "driver", drive, &d, NULL));
    EXPECT(scheduler_run(s, NULL));
    thread_join(&driver);
    scheduler_free(s);
    CHECK(!d.failed);
}

TEST(a_wake_from_outside_reaches_a_worker_that_goes_to_sleep)
{
    ask_from_outside(1, false);
    ask_from_outside(3, false);
}

TEST(a_timer_set_from_outside_fires_on_a_worker_that_goes_to_sleep)
{
    ask_from_outside(1, true);
}
