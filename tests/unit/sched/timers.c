/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/random.h"
#include "plat/thread.h"
#include "sched/internal.h"
#include "support.h"

static uint64_t wheel_time; /* set before wheel_advance */

TEST(the_wheel_expires_each_timer_once_and_never_early)
{
    enum { COUNT = 3000 };
    static struct timer timers[COUNT];
    static struct wheel w;
    struct prng p = {1};
    uint64_t last = 0;
    uint32_t expired = 0, removed = 0;

    wheel_time = 5 * NS_PER_SEC;
    wheel_init(&w, wheel_time);
    for (uint32_t i = 0; i < COUNT; i++) {
        timer_init(&timers[i], NULL);
        timers[i].armed_ns = wheel_time + (prng_next(&p) >> (1 + prng_below(&p, 50)));
        wheel_add(&w, &timers[i]);
    }
    for (uint32_t i = 0; i < COUNT; i += 10) {
        wheel_remove(&w, &timers[i]);
        removed++;
    }
    for (;;) {
        uint64_t next = wheel_next_ns(&w);
        struct timer *t;

        if (next == UINT64_MAX)
            break;
        CHECK(next == 0 || next >= wheel_time);
        if (next > wheel_time)
            wheel_time = next;
        wheel_advance(&w, wheel_time);
        while ((t = wheel_pop(&w))) {
            CHECK(t->armed_ns <= wheel_time);
            CHECK(wheel_time - t->armed_ns <= 1u << WHEEL_TICK_SHIFT);
            CHECK(t->armed_ns >> WHEEL_TICK_SHIFT >= last >> WHEEL_TICK_SHIFT ||
                  last - t->armed_ns < 65536);
            last = t->armed_ns;
            expired++;
        }
    }
    CHECK(expired + removed == COUNT);
}

TEST(the_wheel_takes_jumps_over_many_slots)
{
    static struct wheel w;
    struct timer a, b, c;

    wheel_init(&w, 0);
    timer_init(&a, NULL);
    timer_init(&b, NULL);
    timer_init(&c, NULL);
    a.armed_ns = 3600 * NS_PER_SEC;
    b.armed_ns = 3600 * NS_PER_SEC; /* the same tick: in the order of arming */
    c.armed_ns = UINT64_MAX - 1;
    wheel_add(&w, &c);
    wheel_add(&w, &a);
    wheel_add(&w, &b);
    wheel_advance(&w, 3599 * NS_PER_SEC);
    CHECK(wheel_pop(&w) == NULL);
    wheel_advance(&w, 7200 * NS_PER_SEC);
    CHECK(wheel_pop(&w) == &a);
    CHECK(wheel_pop(&w) == &b);
    CHECK(wheel_pop(&w) == NULL);
    wheel_remove(&w, &c);
    CHECK(wheel_next_ns(&w) == UINT64_MAX);
}

/* ---- Through a scheduler ---- */

struct sleeper {
    struct task task; /* first */
    struct scheduler *scheduler;
    struct timer timer;
    uint64_t delays[4]; /* one after the other */
    uint32_t step, runs;
    uint64_t woken_ns[4];
    atomic_uint *left;
};

static void sleeper_fire(struct timer *t, struct worker *w)
{
    struct sleeper *s = CONTAINER_OF(t, struct sleeper, timer);

    task_wake(w->scheduler, w, &s->task);
}

static enum task_result sleeper_run(struct task *t, struct worker *w)
{
    struct sleeper *s = (struct sleeper *)t;
    uint64_t now = scheduler_now_ns(s->scheduler);

    if (s->runs++ > 0) {
        if (!timer_expired(&s->timer, now))
            return TASK_PARK;
        s->woken_ns[s->step++] = now;
    }
    if (s->step == 4 || s->delays[s->step] == 0)
        return TASK_DONE;
    timer_set(s->scheduler, w, &s->timer, now + s->delays[s->step]);
    return TASK_PARK;
}

static void sleeper_done(struct task *t, struct worker *w)
{
    struct sleeper *s = (struct sleeper *)t;

    (void)w;
    if (s->left && atomic_fetch_sub(s->left, 1) == 1)
        scheduler_stop(s->scheduler);
}

static const struct task_class sleeper_class = {sleeper_run, sleeper_done, NULL};

TEST(virtual_time_jumps_from_deadline_to_deadline)
{
    struct scheduler *s = make_seeded(3);
    struct sleeper a = {.scheduler = s,
                        .delays = {NS_PER_SEC, 3600 * NS_PER_SEC, 1, 5 * NS_PER_MS}};
    uint64_t real = clock_monotonic_ns(), sum = 0;

    task_init(&a.task, &sleeper_class);
    timer_init(&a.timer, sleeper_fire);
    task_start(s, NULL, &a.task);
    CHECK(scheduler_run(s, NULL));
    CHECK(a.step == 4);
    for (int i = 0; i < 4; i++) {
        sum += a.delays[i];
        CHECK(a.woken_ns[i] >= sum);
        sum = a.woken_ns[i];
    }
    CHECK(sum < 3601 * NS_PER_SEC + 10 * NS_PER_MS);
    CHECK(clock_monotonic_ns() - real < 2 * NS_PER_SEC);
    scheduler_free(s);
}

/* The deadline moves back and forth; only the last value counts. */
struct mover {
    struct task task; /* first */
    struct timer timer;
    uint32_t runs, fired;
    uint64_t fired_ns;
    bool cancelled;
};

static void mover_fire(struct timer *t, struct worker *w)
{
    struct mover *m = CONTAINER_OF(t, struct mover, timer);

    m->fired++;
    m->fired_ns = scheduler_now_ns(w->scheduler);
}

static enum task_result mover_run(struct task *t, struct worker *w)
{
    struct mover *m = (struct mover *)t;
    struct scheduler *s = w->scheduler;

    timer_set(s, w, &m->timer, 100 * NS_PER_MS);
    if (!EXPECT(m->timer.armed_ns == 100 * NS_PER_MS))
        return TASK_DONE;
    timer_set(s, w, &m->timer, 500 * NS_PER_MS); /* later: stays armed for the earlier time */
    EXPECT(m->timer.armed_ns == 100 * NS_PER_MS);
    timer_clear(&m->timer);
    timer_set(s, w, &m->timer, 50 * NS_PER_MS); /* earlier: armed again */
    EXPECT(m->timer.armed_ns == 50 * NS_PER_MS);
    timer_set(s, w, &m->timer, 300 * NS_PER_MS);
    if (m->cancelled) {
        EXPECT(timer_cancel(s, &m->timer));
        EXPECT(!timer_cancel(s, &m->timer));
    }
    return TASK_DONE;
}

static void mover_done(struct task *t, struct worker *w)
{
    (void)t;
    (void)w;
}

static const struct task_class mover_class = {mover_run, mover_done, NULL};

TEST(a_later_deadline_is_only_stored_and_an_earlier_one_armed)
{
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct scheduler *s = make_seeded(3);
        struct mover m = {.cancelled = cancelled};

        task_init(&m.task, &mover_class);
        timer_init(&m.timer, mover_fire);
        task_start(s, NULL, &m.task);
        CHECK(scheduler_run(s, NULL));
        if (cancelled) {
            CHECK(m.fired == 0);
        } else {
            CHECK(m.fired == 1);
            CHECK(m.fired_ns >= 300 * NS_PER_MS && m.fired_ns < 301 * NS_PER_MS);
        }
        scheduler_free(s);
    }
}

static enum task_result forgetful_run(struct task *t, struct worker *w)
{
    struct mover *m = (struct mover *)t;

    timer_set(w->scheduler, w, &m->timer, 3600 * NS_PER_SEC);
    timer_clear(&m->timer);
    return TASK_PARK;
}

static const struct task_class forgetful_class = {forgetful_run, mover_done, NULL};

TEST(time_does_not_jump_to_a_deadline_that_was_cleared)
{
    struct scheduler *s = make_seeded(1);
    struct sleeper a = {.scheduler = s, .delays = {NS_PER_SEC}};
    struct mover m = {0};

    task_init(&a.task, &sleeper_class);
    timer_init(&a.timer, sleeper_fire);
    task_init(&m.task, &forgetful_class);
    timer_init(&m.timer, mover_fire);
    task_start(s, NULL, &a.task);
    task_start(s, NULL, &m.task);
    CHECK(scheduler_run(s, NULL));
    CHECK(a.step == 1 && m.fired == 0);
    CHECK(scheduler_now_ns(s) >= NS_PER_SEC && scheduler_now_ns(s) < 2 * NS_PER_SEC);
    scheduler_free(s);
}

TEST(real_sleeps_on_several_workers_end_after_their_deadline)
{
    enum { COUNT = 200 };
    static struct sleeper all[COUNT];
    struct scheduler *s = make_workers(2);
    atomic_uint left = COUNT;
    uint64_t start = clock_monotonic_ns();

    for (uint32_t i = 0; i < COUNT; i++) {
        all[i] = (struct sleeper){.scheduler = s, .left = &left};
        for (uint32_t k = 0; k < 4; k++)
            all[i].delays[k] = (1 + (i * 7 + k * 3) % 11) * NS_PER_MS;
        task_init(&all[i].task, &sleeper_class);
        timer_init(&all[i].timer, sleeper_fire);
        task_start(s, NULL, &all[i].task);
    }
    CHECK(scheduler_run(s, NULL));
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK(all[i].step == 4);
    CHECK(clock_monotonic_ns() - start < 5 * NS_PER_SEC);
    scheduler_free(s);
}

/* ---- Timers that move between workers ---- */

struct wanderer {
    struct task task; /* first */
    struct scheduler *scheduler;
    struct wanderer *peer;
    struct timer timer;
    struct prng prng;
    uint32_t runs;
    atomic_uint *left;
};

static void wanderer_fire(struct timer *t, struct worker *w)
{
    task_wake(w->scheduler, w, &CONTAINER_OF(t, struct wanderer, timer)->task);
}

/* Sets a deadline, wakes another, clears, cancels: whatever it does, its own timer is what wakes it
 * at the latest, so a lost timer would hang the run. */
static enum task_result wanderer_run(struct task *t, struct worker *w)
{
    struct wanderer *k = (struct wanderer *)t;
    uint64_t now = scheduler_now_ns(k->scheduler), delay = prng_below(&k->prng, 400 * NS_PER_US);

    if (++k->runs == 400) {
        timer_cancel(k->scheduler, &k->timer);
        return TASK_DONE;
    }
    switch (prng_below(&k->prng, 4)) {
    case 0:
        timer_clear(&k->timer);
        break;
    case 1:
        timer_cancel(k->scheduler, &k->timer);
        break;
    case 2:
        task_wake(k->scheduler, w, &k->peer->task);
        break;
    default:
        timer_set(k->scheduler, w, &k->timer, now + NS_PER_SEC);
        break;
    }
    timer_set(k->scheduler, w, &k->timer, now + delay);
    return prng_below(&k->prng, 3) ? TASK_PARK : TASK_YIELD;
}

static void wanderer_done(struct task *t, struct worker *w)
{
    struct wanderer *k = (struct wanderer *)t;

    (void)w;
    if (atomic_fetch_sub(k->left, 1) == 1)
        scheduler_stop(k->scheduler);
}

static const struct task_class wanderer_class = {wanderer_run, wanderer_done, NULL};

TEST(no_timer_is_lost_when_tasks_move_between_workers)
{
    enum { COUNT = 100 };
    static struct wanderer all[COUNT];
    struct scheduler *s = make_workers(3);
    struct scheduler_stats stats;
    atomic_uint left = COUNT;

    for (uint32_t i = 0; i < COUNT; i++) {
        all[i] = (struct wanderer){.scheduler = s, .left = &left, .prng = {i}};
        all[i].peer = &all[(i * 37 + 11) % COUNT];
        task_init(&all[i].task, &wanderer_class);
        timer_init(&all[i].timer, wanderer_fire);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        task_start(s, NULL, &all[i].task);
    CHECK(scheduler_run(s, NULL));
    scheduler_stats(s, &stats);
    CHECK(atomic_load(&left) == 0);
    CHECK(stats.timers_fired > 100);
    scheduler_free(s);
}

/* ---- A wheel that fires while the owner cancels ---- */

struct contested {
    struct timer timer;
    atomic_uint fired;
};

struct firing {
    struct scheduler *scheduler;
    atomic_bool over;
};

static void contested_fire(struct timer *t, struct worker *w)
{
    (void)w;
    atomic_fetch_add(&CONTAINER_OF(t, struct contested, timer)->fired, 1);
}

static void firing_main(void *arg)
{
    struct firing *f = arg;

    while (!atomic_load(&f->over))
        core_run_timers(&f->scheduler->cores[0], clock_monotonic_ns());
    core_run_timers(&f->scheduler->cores[0], clock_monotonic_ns() + NS_PER_SEC);
}

TEST(a_timer_either_fires_or_its_cancel_says_that_it_was_prevented)
{
    enum { COUNT = 20000 };
    struct contested *all = mem_new_array(struct contested, COUNT);
    bool *prevented = mem_new_array(bool, COUNT);
    struct scheduler *s = make_workers(1);
    struct firing f = {.scheduler = s};
    struct thread thread;

    CHECK(thread_create(&thread, "firing", firing_main, &f, NULL));
    for (uint32_t i = 0; i < COUNT; i++) {
        timer_init(&all[i].timer, contested_fire);
        timer_set(s, NULL, &all[i].timer, clock_monotonic_ns());
        for (uint32_t k = 0; k < i % 64; k++)
            cpu_relax();
        prevented[i] = timer_cancel(s, &all[i].timer);
    }
    atomic_store(&f.over, true);
    thread_join(&thread);
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK(atomic_load(&all[i].fired) + prevented[i] == 1);
    scheduler_free(s);
    mem_free(prevented);
    mem_free(all);
}

/* ---- Whoever computes without end is stopped when others have something to do ---- */

/* Ticks of CPU time do not come in these tests: only the scheduler's extra ones end a slice. */
static struct scheduler *make_without_periodic_tick(void)
{
    struct scheduler_options options = {.worker_count = 1, .tick_period_ns = 3600 * NS_PER_SEC};
    struct scheduler *s = NULL;

    EXPECT(scheduler_new(&options, &s, NULL));
    return s;
}

struct looper {
    struct task task; /* first */
    uint32_t slices;
    atomic_bool is_looping;
};

static enum task_result looper_run(struct task *t, struct worker *w)
{
    struct looper *l = (struct looper *)t;
    uint64_t begin = clock_monotonic_ns();

    if (l->slices++ == 0) { /* as if a tick of CPU time had come */
        while (clock_monotonic_ns() - begin < 2 * SLICE_LEAST_NS)
            cpu_relax();
        return TASK_USED_UP;
    }
    atomic_store(&l->is_looping, true);
    while (!w->tick && !scheduler_stopping(w->scheduler))
        cpu_relax();
    return TASK_USED_UP;
}

static const struct task_class looper_class = {looper_run, mover_done, NULL};

TEST(a_deadline_ends_the_slice_of_who_computes)
{
    struct scheduler *s = make_without_periodic_tick();
    atomic_uint left = 1;
    struct sleeper a = {.scheduler = s,
                        .delays = {3 * NS_PER_MS, NS_PER_MS, NS_PER_US, 2 * NS_PER_MS},
                        .left = &left};
    struct looper loopers[3] = {0};

    for (uint32_t i = 0; i < ARRAY_COUNT(loopers); i++) {
        task_init(&loopers[i].task, &looper_class);
        task_start(s, NULL, &loopers[i].task);
    }
    task_init(&a.task, &sleeper_class);
    timer_init(&a.timer, sleeper_fire);
    task_start(s, NULL, &a.task);
    run_and_free(s);
    CHECK(a.step == 4);
}

static enum task_result stopper_run(struct task *t, struct worker *w)
{
    struct looper *l = (struct looper *)t;

    if (l->slices++ < 3)
        return TASK_PARK;
    scheduler_stop(w->scheduler);
    return TASK_DONE;
}

static const struct task_class stopper_class = {stopper_run, mover_done, NULL};

struct outsider {
    struct scheduler *scheduler;
    struct looper *looper;
    struct task *woken;
};

static void outsider_main(void *arg)
{
    struct outsider *o = arg;

    while (!atomic_load(&o->looper->is_looping))
        cpu_relax();
    while (!scheduler_stopping(o->scheduler))
        task_wake(o->scheduler, NULL, o->woken);
}

TEST(a_wake_from_outside_ends_the_slice_of_who_computes)
{
    struct scheduler *s = make_without_periodic_tick();
    struct looper looper = {0}, stopper = {0};
    struct outsider o = {s, &looper, &stopper.task};
    struct thread thread;

    task_init(&stopper.task, &stopper_class);
    task_start(s, NULL, &stopper.task);
    task_init(&looper.task, &looper_class);
    task_start(s, NULL, &looper.task);
    CHECK(thread_create(&thread, "outsider", outsider_main, &o, NULL));
    EXPECT(scheduler_run(s, NULL));
    thread_join(&thread);
    scheduler_free(s);
    CHECK(stopper.slices == 4);
}

/* ---- Timers of a worker that does not get to them are fired by another ---- */

struct hostage {
    struct task task; /* first */
    struct timer timer;
    uint32_t slices;
    atomic_bool is_free;
};

static void hostage_fire(struct timer *t, struct worker *w)
{
    (void)w;
    atomic_store(&CONTAINER_OF(t, struct hostage, timer)->is_free, true);
}

/* Does not return before its timer has fired. */
static enum task_result hostage_run(struct task *t, struct worker *w)
{
    struct hostage *h = (struct hostage *)t;
    uint64_t begin = clock_monotonic_ns();

    if (h->slices++ < 4) { /* so that its worker counts as busy */
        while (clock_monotonic_ns() - begin < NS_PER_MS)
            cpu_relax();
        return TASK_YIELD;
    }
    for (int i = 0; i < 20; i++) {
        atomic_store(&h->is_free, false);
        timer_set(w->scheduler, w, &h->timer, clock_monotonic_ns() + NS_PER_MS);
        while (!atomic_load(&h->is_free))
            cpu_relax();
    }
    scheduler_stop(w->scheduler);
    return TASK_DONE;
}

static const struct task_class hostage_class = {hostage_run, mover_done, NULL};

TEST(an_idle_worker_fires_the_timers_of_one_in_a_long_slice)
{
    struct scheduler *s = make_workers(2);
    struct hostage h = {0};

    if (thread_barrier_all()) { /* else the system has no such thing */
        task_init(&h.task, &hostage_class);
        timer_init(&h.timer, hostage_fire);
        task_start(s, NULL, &h.task);
        EXPECT(scheduler_run(s, NULL));
        CHECK(h.slices == 5);
    }
    scheduler_free(s);
}

/* Tasks whose deadlines move, on workers that fire each other's timers as soon as they can. */
struct prey {
    struct task task; /* first */
    struct timer timer;
    struct prng prng;
    uint32_t sleeps;
    atomic_uint *left;
};

static void prey_fire(struct timer *t, struct worker *w)
{
    task_wake(w->scheduler, w, &CONTAINER_OF(t, struct prey, timer)->task);
}

static enum task_result prey_run(struct task *t, struct worker *w)
{
    struct prey *p = (struct prey *)t;
    uint64_t now = clock_monotonic_ns(), busy = prng_below(&p->prng, 400 * NS_PER_US);

    if (timer_expired(&p->timer, now) && p->sleeps-- == 0) {
        if (atomic_fetch_sub(p->left, 1) == 1)
            scheduler_stop(w->scheduler);
        return TASK_DONE;
    }
    while (clock_monotonic_ns() - now < busy)
        cpu_relax();
    /* First late, then earlier, then later again. */
    timer_set(w->scheduler, w, &p->timer, now + 5 * NS_PER_MS);
    timer_set(w->scheduler, w, &p->timer, now + prng_below(&p->prng, NS_PER_MS));
    timer_set(w->scheduler, w, &p->timer, now + prng_below(&p->prng, NS_PER_MS));
    return TASK_PARK;
}

static const struct task_class prey_class = {prey_run, mover_done, NULL};

TEST(no_timer_is_lost_when_workers_fire_those_of_others)
{
    struct scheduler *s = make_workers(4);
    struct prey prey[12] = {0};
    atomic_uint left = ARRAY_COUNT(prey);

    for (uint32_t i = 0; i < ARRAY_COUNT(prey); i++) {
        prey[i].prng.state = i;
        prey[i].sleeps = 300;
        prey[i].left = &left;
        task_init(&prey[i].task, &prey_class);
        timer_init(&prey[i].timer, prey_fire);
        task_start(s, NULL, &prey[i].task);
    }
    EXPECT(scheduler_run(s, NULL));
    CHECK(atomic_load(&left) == 0);
    for (uint32_t i = 0; i < ARRAY_COUNT(prey); i++)
        timer_cancel(s, &prey[i].timer);
    scheduler_free(s);
}

/* A worker falls asleep with a timer that is due by the time it wakes, for a task from outside. */
struct latecomer {
    struct task task; /* first */
    struct timer timer;
    uint64_t deadline_ns; /* 0: not set yet */
    bool was_started, has_fired, came_first;
};

static void latecomer_fire(struct timer *t, struct worker *w)
{
    (void)w;
    CONTAINER_OF(t, struct latecomer, timer)->has_fired = true;
}

static enum task_result latecomer_run(struct task *t, struct worker *w)
{
    struct latecomer *l = (struct latecomer *)t;

    if (l->deadline_ns == 0) {
        l->deadline_ns = clock_monotonic_ns() + 20 * NS_PER_MS;
        timer_set(w->scheduler, w, &l->timer, l->deadline_ns);
        return TASK_PARK;
    }
    l->came_first = !l->has_fired;
    scheduler_stop(w->scheduler);
    return TASK_DONE;
}

static void oversleep(struct worker *w)
{
    struct latecomer *l = scheduler_context(w->scheduler);

    if (l->deadline_ns == 0 || l->was_started)
        return;
    while (clock_monotonic_ns() < l->deadline_ns + NS_PER_MS)
        cpu_relax();
    l->was_started = true;
    task_wake(w->scheduler, NULL, &l->task);
}

static const struct task_class latecomer_class = {latecomer_run, mover_done, NULL};

TEST(what_is_due_after_a_sleep_is_fired_before_tasks_run)
{
    struct latecomer l = {0};
    struct scheduler_options options = {.worker_count = 1,
                                        .hooks = {.context = &l, .before_sleep = oversleep}};
    struct scheduler *s = NULL;

    EXPECT(scheduler_new(&options, &s, NULL));
    task_init(&l.task, &latecomer_class);
    timer_init(&l.timer, latecomer_fire);
    task_start(s, NULL, &l.task);
    run_and_free(s);
    CHECK(l.was_started && l.has_fired && !l.came_first);
}

/* ---- Who is taken for one that uses slices up ---- */

struct hurried {
    struct task task; /* first */
    uint32_t slices;
};

/* Always in a hurry, and a tick hits every tenth slice. */
static enum task_result hurried_run(struct task *t, struct worker *w)
{
    struct hurried *h = (struct hurried *)t;

    if (h->slices++ < 20000)
        return h->slices % 10 == 0 ? TASK_USED_UP : TASK_YIELD;
    scheduler_stop(w->scheduler);
    return TASK_DONE;
}

static const struct task_class hurried_class = {hurried_run, mover_done, NULL};

/* Whether the worker counts as busy after milliseconds of that. */
static bool is_busy_after_hurry(struct looper *one_more)
{
    struct scheduler *s = make_without_periodic_tick();
    struct hurried h[3] = {0};
    bool is_busy;

    for (uint32_t i = 0; i < ARRAY_COUNT(h); i++) {
        task_init(&h[i].task, &hurried_class);
        task_start(s, NULL, &h[i].task);
    }
    if (one_more) {
        task_init(&one_more->task, &looper_class);
        task_start(s, NULL, &one_more->task);
    }
    EXPECT(scheduler_run(s, NULL));
    EXPECT(s->cores[0].stats.used_up >= 2000);
    is_busy = atomic_load(&s->cores[0].is_busy);
    scheduler_free(s);
    return is_busy;
}

TEST(short_slices_that_a_tick_hits_do_not_make_a_worker_busy)
{
    struct looper l = {0};
    int attempts = 0;

    /* A slice in which the system takes the processor away for long is no short one. */
    while (is_busy_after_hurry(NULL))
        CHECK(++attempts < 100);
    CHECK(is_busy_after_hurry(&l));
}
