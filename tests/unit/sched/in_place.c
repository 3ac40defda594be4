/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* Waits on the worker itself. Whoever would be kept waiting by one is what the wait itself waits
 * for, so that a worker that nobody looks after hangs until the limit. */
#include "sched/in_place.h"
#include "plat/clock.h"
#include "plat/cpu.h"
#include "plat/random.h"
#include "plat/thread.h"
#include "support.h"
#include <fcntl.h>
#include <unistd.h>

#define LIMIT_NS (20 * NS_PER_SEC)
#define SHORT_NS (100 * NS_PER_US)

static void ended(struct task *t, struct worker *w)
{
    (void)t;
    scheduler_stop(w->scheduler);
}

/* ---- Refusals ---- */

static uint64_t expected_ns;

static enum task_result refused(struct task *t, struct worker *w)
{
    (void)t;
    EXPECT(!in_place_begin(w, expected_ns));
    return TASK_DONE;
}

static void expect_refusal(struct scheduler *s, uint64_t ns)
{
    static const struct task_class refused_class = {.run = refused, .done = ended};
    struct scheduler_stats stats;
    struct task t;

    expected_ns = ns;
    task_init(&t, &refused_class);
    task_start(s, NULL, &t);
    EXPECT(scheduler_run(s, NULL));
    scheduler_stats(s, &stats);
    EXPECT(stats.in_place == 0);
    scheduler_free(s);
}

TEST(a_worker_without_another_hands_waits_over)
{
    expect_refusal(make_workers(1), 0);
    expect_refusal(make_seeded(1), 0);
}

TEST(long_waits_and_those_of_unknown_length_are_handed_over)
{
    expect_refusal(make_workers(2), IN_PLACE_MAX_NS + 1);
    expect_refusal(make_workers(2), UINT64_MAX);
}

/* ---- A wait that takes long ---- */

/* Waits, on its worker, until two others of that worker have run. */
struct waiter {
    struct task task, reader, sleeper;
    struct timer timer;
    struct io io;
    atomic_bool reader_ran, sleeper_ran;
};

static enum task_result reader_run(struct task *t, struct worker *w)
{
    struct waiter *a = CONTAINER_OF(t, struct waiter, reader);

    (void)w;
    atomic_store(&a->reader_ran, true);
    return TASK_PARK;
}

static enum task_result sleeper_run(struct task *t, struct worker *w)
{
    struct waiter *a = CONTAINER_OF(t, struct waiter, sleeper);

    (void)w;
    atomic_store(&a->sleeper_ran, true);
    return TASK_PARK;
}

static void timer_fire(struct timer *t, struct worker *w)
{
    task_wake(w->scheduler, w, &CONTAINER_OF(t, struct waiter, timer)->sleeper);
}

static bool begin_at_last(struct worker *w)
{
    uint64_t until = clock_monotonic_ns() + LIMIT_NS;

    while (!in_place_begin(w, SHORT_NS)) {
        if (clock_monotonic_ns() > until)
            return false;
        thread_yield();
    }
    return true;
}

/* So it begins, its worker having nothing else: they are not in a queue. */
static void park(struct task *t, const struct task_class *class_)
{
    task_init(t, class_);
    atomic_store(&t->state, TASK_PARKED);
}

static void release(struct io *io)
{
    (void)io;
}

static enum task_result wait_for_both(struct task *t, struct worker *w)
{
    struct waiter *a = (struct waiter *)t;
    int ends[2];
    uint64_t until;

    if (!EXPECT(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0))
        return TASK_DONE;
    a->io.fd = ends[0];
    a->io.release = release;
    EXPECT(io_open_tried(&a->io, w->scheduler, w, NULL));
    EXPECT(io_wait(&a->io, IO_READ, &a->reader) == IO_WAITING);
    if (EXPECT(begin_at_last(w))) /* there is another worker now */
        in_place_end(w);
    timer_set(w->scheduler, w, &a->timer, clock_monotonic_ns() + 50 * NS_PER_MS);
    if (EXPECT(begin_at_last(w))) {
        until = clock_monotonic_ns() + LIMIT_NS;
        EXPECT(!atomic_load(&a->reader_ran));
        EXPECT(write(ends[1], "!", 1) == 1);
        while (!(atomic_load(&a->reader_ran) && atomic_load(&a->sleeper_ran)) &&
               clock_monotonic_ns() < until)
            thread_yield();
        EXPECT(atomic_load(&a->reader_ran));
        EXPECT(atomic_load(&a->sleeper_ran));
        in_place_end(w);
    }
    timer_cancel(w->scheduler, &a->timer);
    io_close(&a->io, w->scheduler, w);
    close(ends[1]);
    return TASK_DONE;
}

TEST(another_worker_looks_after_the_timers_and_descriptors_of_one_that_waits)
{
    static const struct task_class waiter_class = {.run = wait_for_both, .done = ended};
    static const struct task_class reader_class = {.run = reader_run};
    static const struct task_class sleeper_class = {.run = sleeper_run};
    struct scheduler *s = make_workers(2);
    struct waiter *a = mem_new(struct waiter);
    struct scheduler_stats stats;

    park(&a->reader, &reader_class);
    park(&a->sleeper, &sleeper_class);
    timer_init(&a->timer, timer_fire);
    task_init(&a->task, &waiter_class);
    task_start(s, NULL, &a->task);
    EXPECT(scheduler_run(s, NULL));
    scheduler_stats(s, &stats);
    EXPECT(stats.in_place == 2);
    scheduler_free(s);
    mem_free(a);
}

/* ---- Time ---- */

static uint64_t counted_ns;

static enum task_result wait_and_count(struct task *t, struct worker *w)
{
    uint64_t begin, until;

    (void)t;
    if (!EXPECT(begin_at_last(w)))
        return TASK_DONE;
    in_place_end(w);
    begin = scheduler_slice_begin(w);
    if (EXPECT(begin_at_last(w))) {
        until = clock_monotonic_ns() + 20 * NS_PER_MS;
        while (clock_monotonic_ns() < until) /* CPU time, but the disk's as far as anybody knows */
            cpu_relax();
        in_place_end(w);
    }
    counted_ns = scheduler_slice_ns(w, begin);
    return TASK_DONE;
}

TEST(time_in_a_wait_is_not_time_that_the_task_has_used)
{
    static const struct task_class class_ = {.run = wait_and_count, .done = ended};
    struct scheduler *s = make_workers(2);
    struct task t;

    counted_ns = UINT64_MAX;
    task_init(&t, &class_);
    task_start(s, NULL, &t);
    run_and_free(s);
    CHECK(counted_ns < 20 * NS_PER_MS);
}

/* ---- All at once ---- */

#define ROUNDS   2000
#define BLOCKERS 4

struct blocker {
    struct task task;
    struct prng prng;
};

struct stress {
    struct scheduler *scheduler;
    struct blocker blockers[BLOCKERS];
    struct echo echo;
    bool failed;
};

static enum task_result block(struct task *t, struct worker *w)
{
    struct blocker *b = (struct blocker *)t;
    uint64_t length = prng_below(&b->prng, 16) == 0 ? 3 * NS_PER_MS : 100 * NS_PER_US;

    if (in_place_begin(w, SHORT_NS)) {
        uint64_t until = clock_monotonic_ns() + prng_below(&b->prng, length);

        while (clock_monotonic_ns() < until)
            thread_yield();
        in_place_end(w);
    }
    task_wake(w->scheduler, w, t);
    return TASK_PARK;
}

static void ask(void *arg)
{
    struct stress *all = arg;
    struct echo *e = &all->echo;
    struct prng p = {7};

    for (uint32_t round = 1; round <= ROUNDS && !all->failed; round++) {
        uint64_t until = clock_monotonic_ns() + LIMIT_NS;

        atomic_store_explicit(&e->asked, round, memory_order_release);
        if (round % 2)
            timer_set(all->scheduler, NULL, &e->timer,
                      clock_monotonic_ns() + prng_below(&p, SHORT_NS));
        else
            task_wake(all->scheduler, NULL, &e->task);
        while (atomic_load_explicit(&e->answered, memory_order_acquire) != round && !all->failed) {
            thread_yield();
            all->failed = clock_monotonic_ns() > until;
        }
    }
    scheduler_stop(all->scheduler);
}

TEST(workers_that_wait_in_turn_lose_no_wake_and_no_timer)
{
    static const struct task_class blocker_class = {.run = block};
    struct stress *all = mem_new(struct stress);
    struct thread driver;
    bool failed;

    all->scheduler = make_workers(3);
    for (uint32_t i = 0; i < BLOCKERS; i++) {
        all->blockers[i].prng.state = i;
        task_init(&all->blockers[i].task, &blocker_class);
        task_start(all->scheduler, NULL, &all->blockers[i].task);
    }
    echo_init(&all->echo);
    task_start(all->scheduler, NULL, &all->echo.task);
    CHECK(thread_create(&driver, "driver", ask, all, NULL));
    EXPECT(scheduler_run(all->scheduler, NULL));
    thread_join(&driver);
    failed = all->failed;
    scheduler_free(all->scheduler);
    mem_free(all);
    CHECK(!failed);
}
