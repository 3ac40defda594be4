/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the scheduler alone costs: two C tasks that wake each other, many in a ring, spawn and exit,
 * and the same with more workers. Usage: bench_sched [rounds] */
#include "base/mem.h"
#include "plat/clock.h"
#include "sched/scheduler.h"
#include "sched/timer.h"
#include <stdio.h>
#include <stdlib.h>

struct player {
    struct task task; /* first */
    struct player *peer;
    uint64_t left;
    struct timer timer;
    bool uses_timer;
};

static enum task_result play(struct task *t, struct worker *w)
{
    struct player *p = (struct player *)t;

    if (p->left-- == 0) {
        scheduler_stop(w->scheduler);
        return TASK_DONE;
    }
    if (p->uses_timer)
        timer_set(w->scheduler, w, &p->timer, clock_monotonic_ns() + 5 * NS_PER_SEC);
    task_wake(w->scheduler, w, &p->peer->task);
    return TASK_PARK;
}

static void ignore_done(struct task *t, struct worker *w)
{
    (void)t;
    (void)w;
}

static void ignore_fire(struct timer *t, struct worker *w)
{
    (void)t;
    (void)w;
}

static const struct task_class player_class = {play, ignore_done, NULL};

static void report(const char *what, uint32_t workers, uint64_t ns, uint64_t count,
                   struct scheduler *s)
{
    struct scheduler_stats stats;

    scheduler_stats(s, &stats);
    printf("%-44s %2u worker%s %8.1f ns (stolen %llu, sleeps %llu)\n", what, workers,
           workers == 1 ? ": " : "s:", (double)ns / (double)count, (unsigned long long)stats.stolen,
           (unsigned long long)stats.sleeps);
}

static struct scheduler *make(uint32_t workers)
{
    struct scheduler_options options = {.worker_count = workers};
    struct scheduler *s;

    if (!scheduler_new(&options, &s, NULL))
        exit(1);
    return s;
}

static void ring(const char *what, uint32_t workers, uint32_t count, uint32_t tokens,
                 uint64_t rounds, bool uses_timer)
{
    struct scheduler *s = make(workers);
    struct player *all = mem_new_array(struct player, count);
    struct scheduler_stats stats;
    uint64_t start;

    for (uint32_t i = 0; i < count; i++) {
        task_init(&all[i].task, &player_class);
        timer_init(&all[i].timer, ignore_fire);
        all[i].uses_timer = uses_timer;
        all[i].peer = &all[(i + 1) % count];
        all[i].left = rounds / count;
    }
    for (uint32_t i = 0; i < tokens; i++)
        task_start(s, NULL, &all[(uint64_t)i * count / tokens].task);
    for (uint32_t i = 0; i < count; i++) /* the others wait to be woken */
        if (atomic_load(&all[i].task.state) == TASK_NEW)
            atomic_store(&all[i].task.state, TASK_PARKED);
    start = clock_monotonic_ns();
    if (!scheduler_run(s, NULL))
        exit(1);
    start = clock_monotonic_ns() - start;
    scheduler_stats(s, &stats);
    report(what, workers, start, stats.runs, s);
    scheduler_free(s);
    mem_free(all);
}

struct parent {
    struct task task; /* first */
    uint64_t left;
};

struct child {
    struct task task; /* first */
    struct parent *parent;
};

static enum task_result child_run(struct task *t, struct worker *w)
{
    task_wake(w->scheduler, w, &((struct child *)t)->parent->task);
    return TASK_DONE;
}

static struct child only_child;

static const struct task_class child_class = {child_run, ignore_done, NULL};

static enum task_result parent_run(struct task *t, struct worker *w)
{
    struct parent *p = (struct parent *)t;

    if (p->left-- == 0) {
        scheduler_stop(w->scheduler);
        return TASK_DONE;
    }
    only_child.parent = p;
    task_init(&only_child.task, &child_class);
    task_start(w->scheduler, w, &only_child.task);
    return TASK_PARK;
}

static const struct task_class parent_class = {parent_run, ignore_done, NULL};

static void spawn(uint32_t workers, uint64_t rounds)
{
    struct scheduler *s = make(workers);
    struct parent p = {.left = rounds};
    uint64_t start;

    task_init(&p.task, &parent_class);
    task_start(s, NULL, &p.task);
    start = clock_monotonic_ns();
    if (!scheduler_run(s, NULL))
        exit(1);
    report("start a task, run it, be woken by it", workers, clock_monotonic_ns() - start, rounds,
           s);
    scheduler_free(s);
}

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000000;

    for (uint32_t workers = 1; workers <= 2; workers++) {
        ring("wake and switch, one pair", workers, 2, 1, rounds, false);
        ring("the same, a deadline set each time", workers, 2, 1, rounds / 2, true);
        ring("wake and switch, 1,000 in a ring, 100 tokens", workers, 1000, 100, rounds, false);
        ring("wake and switch, 1,000,000 in a ring", workers, 1000000, 1000, rounds, false);
        spawn(workers, rounds / 2);
    }
    return 0;
}
