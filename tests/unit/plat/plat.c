/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/clock.h"
#include "plat/cpu.h"
#include "plat/poller.h"
#include "plat/random.h"
#include "plat/signal.h"
#include "plat/thread.h"
#include "tests/harness/harness.h"
#include <fcntl.h>
#include <unistd.h>

TEST(quotas_are_rounded_up_to_cores)
{
    CHECK(cpu_quota_parse("200000 100000\n") == 2);
    CHECK(cpu_quota_parse("150000 100000\n") == 2);
    CHECK(cpu_quota_parse("50000 100000\n") == 1);
    CHECK(cpu_quota_parse("max 100000\n") == 0);
    CHECK(cpu_quota_parse("-1 100000\n") == 0);
    CHECK(cpu_quota_parse("") == 0);
    CHECK(cpu_count() >= 1);
}

TEST(clocks_do_not_go_back)
{
    uint64_t a = clock_monotonic_ns(), b = clock_monotonic_ns();

    CHECK(b >= a);
    CHECK(clock_realtime_ns() > 1600000000ull * NS_PER_SEC);
    CHECK(clock_tick_ns() >= NS_PER_MS && clock_tick_ns() <= 10 * NS_PER_MS);
    CHECK(deadline_after(5, 6) == 11);
    CHECK(deadline_after(UINT64_MAX - 1, 6) == DEADLINE_NEVER);
}

TEST(the_generator_follows_from_its_seed_and_stays_in_its_range)
{
    struct prng a = {42}, b = {42};
    uint64_t first[2] = {0}, second[2] = {0};

    for (int i = 0; i < 1000; i++) {
        uint64_t value = prng_below(&a, 10);

        CHECK(value < 10);
        CHECK(value == prng_below(&b, 10));
    }
    random_bytes(first, sizeof(first));
    random_bytes(second, sizeof(second));
    CHECK(memcmp(first, second, sizeof(first)) != 0);
}

TEST(a_poller_reports_each_change_once)
{
    struct poller p;
    struct poller_event events[8];
    int fds[2];
    char byte = 1;

    CHECK(poller_open(&p, NULL));
    CHECK(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK(poller_add(&p, fds[0], &byte, NULL));
    CHECK(poller_wait(&p, 0, events, 8) == 0);
    CHECK(write(fds[1], &byte, 1) == 1);
    CHECK(poller_wait(&p, UINT64_MAX, events, 8) == 1);
    CHECK(events[0].data == &byte && events[0].ready == POLLER_READ);
    CHECK(poller_wait(&p, 0, events, 8) == 0);
    CHECK(write(fds[1], &byte, 1) == 1);
    poller_remove(&p, fds[0]);
    CHECK(poller_wait(&p, 0, events, 8) == 0);
    close(fds[0]);
    close(fds[1]);
    poller_close(&p);
}

static void wake_main(void *arg)
{
    usleep(2000);
    poller_wake(arg);
}

TEST(a_wake_ends_a_wait_and_one_that_comes_before_it)
{
    struct poller p;
    struct poller_event events[1];
    struct thread t;
    uint64_t start;

    CHECK(poller_open(&p, NULL));
    poller_wake(&p);
    CHECK(poller_wait(&p, UINT64_MAX, events, 1) == 0);
    start = clock_monotonic_ns();
    CHECK(poller_wait(&p, 3 * NS_PER_MS, events, 1) == 0);
    CHECK(clock_monotonic_ns() - start >= 3 * NS_PER_MS);
    CHECK(thread_create(&t, "waker", wake_main, &p, NULL));
    CHECK(poller_wait(&p, UINT64_MAX, events, 1) == 0);
    thread_join(&t);
    poller_close(&p);
}

struct ticking {
    enum tick_clock clock;
    volatile uint32_t count;
    uint32_t counted_paused;
};

static void count_tick(void *data, void *ucontext)
{
    struct ticking *t = data;

    (void)ucontext;
    t->count = t->count + 1;
}

static void tick_main(void *arg)
{
    struct ticking *t = arg;
    struct signal_stack stack;
    struct tick tick;
    uint64_t until;
    uint32_t before;

    EXPECT(thread_signals_init(&stack, NULL));
    EXPECT(tick_start(&tick, t->clock, TICK_PERIOD_NS, t, NULL));
    until = clock_thread_cpu_ns() + 100 * NS_PER_MS;
    while (clock_thread_cpu_ns() < until ||
           (t->count < 5 && clock_thread_cpu_ns() < until + 20 * NS_PER_SEC)) /* a busy machine */
        ;
    tick_pause(&tick);
    usleep(1000); /* what was on its way */
    before = t->count;
    usleep(20000);
    t->counted_paused = t->count - before;
    tick_resume(&tick);
    before = t->count;
    tick_poke(&tick);
    for (int i = 0; i < 1000 && t->count == before; i++)
        usleep(1000); /* sanitizers deliver it at a system call */
    EXPECT(t->count > before);
    tick_stop(&tick);
    thread_signals_deinit(&stack);
}

TEST(each_tick_clock_ticks_a_running_thread_and_rests_when_paused)
{
    static const enum tick_clock clocks[] = {TICK_CPU_TIME, TICK_MONOTONIC, TICK_MONITOR};

    CHECK(tick_install(count_tick, NULL));
    for (size_t i = 0; i < ARRAY_COUNT(clocks); i++) {
        struct ticking t = {clocks[i], 0, 0};
        struct thread thread;

        CHECK(thread_create(&thread, "ticking", tick_main, &t, NULL));
        thread_join(&thread);
        CHECK(t.count >= 5);
        CHECK(t.counted_paused == 0);
    }
}

static void hold_main(void *arg)
{
    struct spinlock *l = arg;

    for (int i = 0; i < 10000; i++) {
        spinlock_lock(l);
        spinlock_unlock(l);
    }
}

TEST(spinlocks_and_conditions_work_across_threads)
{
    static struct spinlock l;
    struct mutex m;
    struct condition c;
    struct thread a, b;

    CHECK(thread_create(&a, "a", hold_main, &l, NULL));
    CHECK(thread_create(&b, "b", hold_main, &l, NULL));
    thread_join(&a);
    thread_join(&b);
    if (spinlock_try_lock(&l))
        spinlock_unlock(&l);
    else
        (void)EXPECT(false && "free after both have ended");
    mutex_init(&m);
    condition_init(&c);
    mutex_lock(&m);
    EXPECT(!condition_wait_for(&c, &m, NS_PER_MS));
    mutex_unlock(&m);
    condition_deinit(&c);
    mutex_deinit(&m);
}
