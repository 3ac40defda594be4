/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Running, waking, parking, stopping; on one seeded worker and on several. */
#include "plat/clock.h"
#include "plat/thread.h"
#include "sched/internal.h"
#include "support.h"
#include <stdio.h>

struct counter {
    struct task task; /* first */
    struct scheduler *scheduler;
    struct counter *peer;
    atomic_uint *left; /* the last one to end stops the scheduler */
    uint32_t value, goal;
    _Atomic uint32_t inbox; /* messages */
    uint32_t runs;
};

static void counter_done(struct task *t, struct worker *w)
{
    struct counter *c = (struct counter *)t;

    (void)w;
    if (atomic_fetch_sub(c->left, 1) == 1)
        scheduler_stop(c->scheduler);
}

static enum task_result count_run(struct task *t, struct worker *w)
{
    struct counter *c = (struct counter *)t;

    (void)w;
    return ++c->value < c->goal ? TASK_YIELD : TASK_DONE;
}

static const struct task_class count_class = {count_run, counter_done, NULL};

static void start_counters(struct scheduler *s, struct counter *all, uint32_t count, uint32_t goal,
                           atomic_uint *left, const struct task_class *class_)
{
    atomic_store(left, count);
    for (uint32_t i = 0; i < count; i++) {
        task_init(&all[i].task, class_);
        all[i].scheduler = s;
        all[i].left = left;
        all[i].goal = goal;
        all[i].peer = &all[(i + 1) % count];
    }
    for (uint32_t i = 0; i < count; i++)
        task_start(s, NULL, &all[i].task);
}

TEST(every_task_runs_until_it_is_done)
{
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        static struct counter all[1000];
        struct scheduler *s = make_workers(workers);
        atomic_uint left;

        memset(all, 0, sizeof(all));
        start_counters(s, all, 1000, 50, &left, &count_class);
        run_and_free(s);
        CHECK(atomic_load(&left) == 0);
        for (uint32_t i = 0; i < 1000; i++)
            CHECK(all[i].value == 50);
    }
}

/* Passes messages around a ring: takes those in the inbox, gives each to the peer. */
static enum task_result pass_run(struct task *t, struct worker *w)
{
    struct counter *c = (struct counter *)t;
    uint32_t got = atomic_exchange_explicit(&c->inbox, 0, memory_order_acquire);

    c->runs++;
    c->value += got;
    if (got > 0) {
        atomic_fetch_add_explicit(&c->peer->inbox, got, memory_order_release);
        task_wake(c->scheduler, w, &c->peer->task);
    }
    return c->value < c->goal ? TASK_PARK : TASK_DONE;
}

static const struct task_class pass_class = {pass_run, counter_done, NULL};

/* A lost wake-up would leave the messages lying and hang the run. */
static void pass_around(struct scheduler *s, uint32_t count, uint32_t messages, uint32_t goal)
{
    struct counter *all = mem_new_array(struct counter, count);
    atomic_uint left;

    atomic_store(&all[0].inbox, messages);
    start_counters(s, all, count, goal, &left, &pass_class);
    EXPECT(scheduler_run(s, NULL));
    EXPECT(atomic_load(&left) == 0);
    scheduler_free(s);
    mem_free(all);
}

TEST(no_wake_is_lost_between_two_tasks_on_one_worker)
{
    pass_around(make_workers(1), 2, 1, 20000);
}

TEST(no_wake_is_lost_among_many_tasks_on_several_workers)
{
    pass_around(make_workers(2), 2, 2, 20000);
    pass_around(make_workers(4), 64, 40, 2000);
    pass_around(make_workers(3), 1000, 500, 100);
}

TEST(no_wake_is_lost_under_any_of_many_seeds)
{
    for (uint64_t seed = 0; seed < 100; seed++)
        pass_around(make_seeded(seed), 7, 3, 20);
}

/* ---- Each pair of steps of wake and park ---- */

enum wake_when { WAKE_QUEUED, WAKE_RUNNING, WAKE_RUNNING_TWICE, WAKE_PARKED, WAKE_DEAD };

struct woken {
    struct task task; /* first */
    struct scheduler *scheduler;
    enum wake_when when;
    uint32_t runs;
    uint32_t state_seen;
};

static enum task_result woken_run(struct task *t, struct worker *w)
{
    struct woken *k = (struct woken *)t;

    if (k->runs++ > 0)
        return TASK_DONE;
    if (k->when == WAKE_RUNNING || k->when == WAKE_RUNNING_TWICE)
        task_wake(k->scheduler, w, t);
    if (k->when == WAKE_RUNNING_TWICE)
        task_wake(k->scheduler, w, t);
    k->state_seen = atomic_load(&t->state);
    return k->when == WAKE_DEAD ? TASK_DONE : TASK_PARK;
}

static void woken_done(struct task *t, struct worker *w)
{
    struct woken *k = (struct woken *)t;

    task_wake(k->scheduler, w, t); /* late wakes are harmless */
}

static const struct task_class woken_class = {woken_run, woken_done, NULL};

static uint32_t runs_when(enum wake_when when, uint32_t *state_seen)
{
    struct woken k = {.when = when};

    k.scheduler = make_seeded(1);
    task_init(&k.task, &woken_class);
    task_wake(k.scheduler, NULL, &k.task); /* new: nothing */
    task_start(k.scheduler, NULL, &k.task);
    if (when == WAKE_QUEUED)
        task_wake(k.scheduler, NULL, &k.task);
    run_and_free(k.scheduler);
    *state_seen = k.state_seen;
    return k.runs;
}

TEST(a_wake_of_a_queued_task_is_the_run_that_follows)
{
    uint32_t seen;

    CHECK(runs_when(WAKE_QUEUED, &seen) == 1);
    CHECK(seen == TASK_RUNNING);
}

TEST(a_wake_of_a_running_task_runs_it_once_more)
{
    uint32_t seen;

    CHECK(runs_when(WAKE_RUNNING, &seen) == 2);
    CHECK(seen == TASK_RUNNING_WOKEN);
    CHECK(runs_when(WAKE_RUNNING_TWICE, &seen) == 2);
}

TEST(a_parked_task_stays_parked_and_a_dead_one_dead)
{
    uint32_t seen;

    CHECK(runs_when(WAKE_PARKED, &seen) == 1);
    CHECK(runs_when(WAKE_DEAD, &seen) == 1);
}

/* ---- Order ---- */

struct order {
    struct task task; /* first */
    uint8_t *trace;
    uint32_t *length;
    uint8_t name;
    uint32_t runs;
};

static enum task_result order_run(struct task *t, struct worker *w)
{
    struct order *o = (struct order *)t;

    (void)w;
    o->trace[(*o->length)++] = o->name;
    return ++o->runs < 4 ? TASK_YIELD : TASK_DONE;
}

static void nothing_done(struct task *t, struct worker *w)
{
    (void)t;
    (void)w;
}

static const struct task_class order_class = {order_run, nothing_done, NULL};

static void trace_of_seed(uint64_t seed, uint8_t trace[20])
{
    struct scheduler *s = make_seeded(seed);
    struct order all[5];
    uint32_t length = 0;

    memset(all, 0, sizeof(all));
    for (uint8_t i = 0; i < 5; i++) {
        all[i].trace = trace;
        all[i].length = &length;
        all[i].name = i;
        task_init(&all[i].task, &order_class);
        task_start(s, NULL, &all[i].task);
    }
    run_and_free(s);
    EXPECT(length == 20);
}

TEST(a_seed_decides_the_order)
{
    uint8_t first[20], again[20], other[20];
    int different = 0;

    trace_of_seed(7, first);
    trace_of_seed(7, again);
    CHECK(memcmp(first, again, sizeof(first)) == 0);
    for (uint64_t seed = 8; seed < 16; seed++) {
        trace_of_seed(seed, other);
        different += memcmp(first, other, sizeof(first)) != 0;
    }
    CHECK(different >= 7);
}

/* ---- Fairness, ticks ---- */

struct busy {
    struct task task; /* first */
    struct scheduler *scheduler;
    uint64_t spun;
    bool on_tick;
    uint64_t until;
};

static enum task_result busy_run(struct task *t, struct worker *w)
{
    struct busy *b = (struct busy *)t;

    while (!w->tick) {
        b->spun++;
        if (clock_monotonic_ns() > b->until) {
            scheduler_stop(b->scheduler);
            return TASK_DONE;
        }
    }
    b->on_tick = true;
    return TASK_USED_UP;
}

static const struct task_class busy_class = {busy_run, nothing_done, NULL};

static enum task_result forever_run(struct task *t, struct worker *w)
{
    struct counter *c = (struct counter *)t;

    c->runs++;
    atomic_fetch_add_explicit(&c->peer->inbox, 1, memory_order_release);
    task_wake(c->scheduler, w, &c->peer->task);
    return TASK_PARK;
}

static const struct task_class forever_class = {forever_run, nothing_done, NULL};

static void share_with_pair(enum tick_clock tick)
{
    struct scheduler_options options = {.worker_count = 1, .tick = tick};
    struct scheduler *s = NULL;
    struct busy b = {0};
    struct counter pair[2];
    struct scheduler_stats stats;

    memset(pair, 0, sizeof(pair));
    CHECK(scheduler_new(&options, &s, NULL));
    b.scheduler = s;
    b.until = clock_monotonic_ns() + 200 * NS_PER_MS;
    task_init(&b.task, &busy_class);
    for (int i = 0; i < 2; i++) {
        pair[i].scheduler = s;
        pair[i].peer = &pair[1 - i];
        task_init(&pair[i].task, &forever_class);
        task_start(s, NULL, &pair[i].task);
    }
    task_start(s, NULL, &b.task);
    CHECK(scheduler_run(s, NULL));
    scheduler_stats(s, &stats);
    CHECK(b.on_tick);
    CHECK(stats.ticks >= 5);
    CHECK(stats.used_up >= 5);
    CHECK(pair[0].runs > 10 && pair[1].runs > 10); /* the busy one does not starve the pair, */
    CHECK(b.spun > 1000);                          /* nor they the busy one */
    scheduler_free(s);
}

TEST(a_tick_stops_a_busy_task_and_both_kinds_go_on)
{
    share_with_pair(TICK_AUTO);
}

TEST(a_monotonic_timer_ticks_too)
{
    share_with_pair(TICK_MONOTONIC);
}

TEST(a_monitor_thread_ticks_too)
{
    share_with_pair(TICK_MONITOR);
}

/* ---- Stealing ---- */

struct crowd {
    struct task task; /* first */
    struct scheduler *scheduler;
    atomic_uint *left;
    atomic_uint *seen_workers; /* bit per worker */
    struct crowd *children;
    uint32_t child_count;
};

static void spin(uint64_t ns)
{
    uint64_t until = clock_monotonic_ns() + ns;

    while (clock_monotonic_ns() < until)
        cpu_relax();
}

static enum task_result crowd_run(struct task *t, struct worker *w)
{
    struct crowd *c = (struct crowd *)t;

    atomic_fetch_or(c->seen_workers, 1u << w->index);
    for (uint32_t i = 0; i < c->child_count; i++)
        task_start(c->scheduler, w, &c->children[i].task);
    if (c->child_count == 0) {
        spin(200 * NS_PER_US);
    } else { /* until another worker has come to help */
        uint64_t until = clock_monotonic_ns() + 10 * NS_PER_SEC;

        while (atomic_load(c->seen_workers) == 1u << w->index && clock_monotonic_ns() < until)
            cpu_relax();
    }
    return TASK_DONE;
}

static void crowd_done(struct task *t, struct worker *w)
{
    struct crowd *c = (struct crowd *)t;

    (void)w;
    if (atomic_fetch_sub(c->left, 1) == 1)
        scheduler_stop(c->scheduler);
}

static const struct task_class crowd_class = {crowd_run, crowd_done, NULL};

/* All children start on one worker's queue: more than the ring holds, so the overflow is used too.
 */
TEST(idle_workers_steal_what_one_has_too_much)
{
    enum { CHILDREN = 600 };
    static struct crowd children[CHILDREN];
    struct scheduler *s = make_workers(2);
    struct scheduler_stats stats;
    atomic_uint left = CHILDREN + 1, seen = 0;
    struct crowd parent = {{0}, s, &left, &seen, children, CHILDREN};

    for (uint32_t i = 0; i < CHILDREN; i++) {
        children[i] = (struct crowd){{0}, s, &left, &seen, NULL, 0};
        task_init(&children[i].task, &crowd_class);
    }
    task_init(&parent.task, &crowd_class);
    task_start(s, NULL, &parent.task);
    CHECK(scheduler_run(s, NULL));
    scheduler_stats(s, &stats);
    CHECK(atomic_load(&left) == 0);
    CHECK(atomic_load(&seen) == 3);
    CHECK(stats.stolen > 10);
    scheduler_free(s);
}

/* One task is queued behind a long one: it gets to the other core before the long one ends. */
TEST(a_single_task_behind_a_long_one_is_stolen)
{
    struct scheduler *s = make_workers(2);
    struct scheduler_stats stats;
    atomic_uint left = 3, seen = 0;
    struct crowd children[2];
    struct crowd parent = {{0}, s, &left, &seen, children, 2};

    for (uint32_t i = 0; i < 2; i++) {
        children[i] = (struct crowd){{0}, s, &left, &seen, NULL, 0};
        task_init(&children[i].task, &crowd_class);
    }
    task_init(&parent.task, &crowd_class);
    task_start(s, NULL, &parent.task);
    CHECK(scheduler_run(s, NULL));
    scheduler_stats(s, &stats);
    CHECK(stats.stolen >= 1);
    CHECK(atomic_load(&seen) == 3);
    scheduler_free(s);
}

/* ---- Stop, hooks ---- */

static void stop_main(void *arg)
{
    spin(2 * NS_PER_MS);
    scheduler_stop(arg);
}

TEST(another_thread_stops_sleeping_and_busy_workers)
{
    for (int round = 0; round < 20; round++) {
        struct scheduler *s = make_workers(2);
        struct counter pair[2];
        struct thread stopper;

        memset(pair, 0, sizeof(pair));
        for (int i = 0; i < 2; i++) {
            pair[i].scheduler = s;
            pair[i].peer = &pair[1 - i];
            task_init(&pair[i].task, &forever_class);
        }
        if (round % 2) /* else everybody sleeps */
            task_start(s, NULL, &pair[0].task);
        CHECK(thread_create(&stopper, "stopper", stop_main, s, NULL));
        CHECK(scheduler_run(s, NULL));
        thread_join(&stopper);
        scheduler_free(s);
    }
}

TEST(a_stop_before_the_run_ends_it_at_once)
{
    struct scheduler *s = make_workers(2);

    scheduler_stop(s);
    run_and_free(s);
}

static atomic_uint hooks_started, hooks_stopped, hooks_slept;

static bool on_start(struct worker *w, struct error *err)
{
    if (scheduler_context(w->scheduler))
        return fail(err, ERR_LIMIT, "no worker today");
    EXPECT(worker_current() == w);
    atomic_fetch_add(&hooks_started, 1);
    return true;
}

static void on_stop(struct worker *w)
{
    (void)w;
    atomic_fetch_add(&hooks_stopped, 1);
}

static void on_sleep(struct worker *w)
{
    (void)w;
    atomic_fetch_add(&hooks_slept, 1);
}

/* Stops once a worker has slept. */
static void stop_after_sleep(void *arg)
{
    uint64_t until = clock_monotonic_ns() + 10 * NS_PER_SEC;

    while (atomic_load(&hooks_slept) == 0 && clock_monotonic_ns() < until)
        thread_yield();
    scheduler_stop(arg);
}

TEST(hooks_are_called_on_the_worker)
{
    struct scheduler_options options = {.worker_count = 1,
                                        .hooks = {NULL, NULL, on_start, on_stop, on_sleep}};
    struct scheduler *s = NULL;
    struct thread stopper;

    CHECK(scheduler_new(&options, &s, NULL));
    CHECK(thread_create(&stopper, "stopper", stop_after_sleep, s, NULL));
    CHECK(scheduler_run(s, NULL));
    thread_join(&stopper);
    CHECK(atomic_load(&hooks_started) == 1 && atomic_load(&hooks_stopped) == 1);
    CHECK(atomic_load(&hooks_slept) >= 1);
    CHECK(worker_current() == NULL);
    scheduler_free(s);
}

TEST(a_worker_that_cannot_start_ends_the_run_with_its_words)
{
    struct scheduler_options options = {.worker_count = 1,
                                        .hooks = {.context = &options, .worker_start = on_start}};
    struct scheduler *s = NULL;
    struct error err = {0};

    CHECK(scheduler_new(&options, &s, NULL));
    CHECK(!scheduler_run(s, &err));
    CHECK_TEXT(err.text, "no worker today");
    scheduler_free(s);
}

/* ---- Costs ---- */

static size_t allocations_first, allocations_last;

static enum task_result frugal_run(struct task *t, struct worker *w)
{
    struct counter *c = (struct counter *)t;

    if (c->runs++ == 100)
        allocations_first = mem_allocation_count();
    if (c->runs == 10000) {
        allocations_last = mem_allocation_count();
        scheduler_stop(c->scheduler);
        return TASK_DONE;
    }
    task_wake(c->scheduler, w, &c->peer->task);
    return TASK_PARK;
}

static const struct task_class frugal_class = {frugal_run, nothing_done, NULL};

TEST(waking_and_switching_allocates_nothing)
{
    struct scheduler *s = make_workers(1);
    struct counter pair[2];

    memset(pair, 0, sizeof(pair));
    allocations_first = allocations_last = 0;
    for (int i = 0; i < 2; i++) {
        pair[i].scheduler = s;
        pair[i].peer = &pair[1 - i];
        task_init(&pair[i].task, &frugal_class);
    }
    for (int i = 0; i < 2; i++)
        task_start(s, NULL, &pair[i].task);
    run_and_free(s);
    CHECK(pair[0].runs > 9000 && pair[1].runs > 9000);
    CHECK(allocations_first > 0 && allocations_first == allocations_last);
}

static enum task_result never_run(struct task *t, struct worker *w)
{
    (void)t, (void)w;
    return TASK_DONE;
}

/* Who is woken by a task runs next; who is woken by the poller or a timer waits for its turn. */
TEST(only_what_a_task_wakes_comes_before_the_others)
{
    static const struct task_class class_ = {never_run, NULL, NULL};
    struct scheduler *s = make_workers(1);
    struct core *c = &s->cores[0];
    struct task waits, reported, woken, running;

    task_init(&waits, &class_);
    task_init(&reported, &class_);
    task_init(&woken, &class_);
    core_push(c, &waits, false);
    core_push(c, &reported, true);
    c->pub.current = &running;
    core_push(c, &woken, true);
    c->pub.current = NULL;
    CHECK(core_pick(c) == &woken);
    CHECK(core_pick(c) == &waits);
    CHECK(core_pick(c) == &reported);
    CHECK(core_pick(c) == NULL);
    scheduler_free(s);
}

/* ---- Batches ---- */

#define MEMBERS 32u

/* All run on one worker, one after another. */
struct batch {
    struct task starter, members[MEMBERS];
    uint32_t left; /* that have not run */
    uint32_t said; /* how many were told that they are of a batch */
};

static struct batch *batch;

static enum task_result member_run(struct task *t, struct worker *w)
{
    (void)t;
    batch->left--;
    if (scheduler_has_batch(w))
        EXPECT(++batch->said > 0 && batch->left > 0);
    return TASK_DONE;
}

static void member_done(struct task *t, struct worker *w)
{
    (void)t;
    if (batch->left == 0)
        scheduler_stop(w->scheduler);
}

/* Starts the others on its worker: then they are in its queue. */
static enum task_result starter_run(struct task *t, struct worker *w)
{
    (void)t;
    for (uint32_t i = 0; i < MEMBERS; i++)
        task_start(w->scheduler, w, &batch->members[i]);
    return TASK_PARK;
}

/* How many were told. */
static uint32_t run_batch(struct scheduler *s)
{
    static const struct task_class starter_class = {starter_run, NULL, NULL};
    static const struct task_class member_class = {member_run, member_done, NULL};
    uint32_t said;

    batch = mem_new(struct batch);
    batch->left = MEMBERS;
    task_init(&batch->starter, &starter_class);
    for (uint32_t i = 0; i < MEMBERS; i++)
        task_init(&batch->members[i], &member_class);
    task_start(s, NULL, &batch->starter);
    run_and_free(s);
    EXPECT(batch->left == 0);
    said = batch->said;
    mem_free(batch);
    return said;
}

TEST(a_task_with_others_behind_it_is_one_of_a_batch)
{
    uint32_t said = 0;

    /* A worker that the system does not run for a while takes its slices for long, and says no. */
    for (int i = 0; i < 100 && said == 0; i++)
        said = run_batch(make_workers(1));
    CHECK(said > 0);
    CHECK(said < MEMBERS);
}

TEST(there_are_no_batches_in_seeded_runs)
{
    CHECK(run_batch(make_seeded(3)) == 0);
}
