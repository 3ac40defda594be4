/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/task.h"
#include "sched/internal.h"

void task_init(struct task *t, const struct task_class *class_)
{
    /* Relaxed: the storage may still be looked at by late wakes and prefetches. */
    __atomic_store_n(&t->class_, class_, __ATOMIC_RELAXED);
    t->next = NULL;
    t->worker = 0;
    atomic_store_explicit(&t->state, TASK_NEW, memory_order_relaxed);
}

static void push(struct scheduler *s, struct worker *w, struct task *t, bool is_woken)
{
    if (w)
        core_push(core_of(w), t, is_woken);
    else
        scheduler_push(s, t);
}

void task_start(struct scheduler *s, struct worker *w, struct task *t)
{
    ASSERT(atomic_load_explicit(&t->state, memory_order_relaxed) == TASK_NEW);
    if (w)
        t->worker = w->index;
    atomic_store_explicit(&t->state, TASK_QUEUED, memory_order_release);
    push(s, w, t, false);
}

void task_wake(struct scheduler *s, struct worker *w, struct task *t)
{
    uint32_t seen = atomic_load_explicit(&t->state, memory_order_relaxed), next;

    /* Even where the state stays as it is we write it: the run that follows reads the state by an
     * exchange too, so it sees what the caller wrote before, whichever of the two came first. */
    do {
        if (seen == TASK_NEW || seen == TASK_DEAD)
            return;
        next = seen == TASK_RUNNING ? TASK_RUNNING_WOKEN : seen == TASK_PARKED ? TASK_QUEUED : seen;
    } while (!atomic_compare_exchange_weak_explicit(&t->state, &seen, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (seen == TASK_PARKED) {
        if (w)
            COUNT(core_of(w)->stats.wakes, 1);
        push(s, w, t, true);
    }
}

bool task_claim(struct task *t)
{
    uint32_t expected = TASK_PARKED;

    /* acquire: pairs with the release of the worker that parked it */
    return atomic_compare_exchange_strong_explicit(&t->state, &expected, TASK_RUNNING,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

void task_release(struct scheduler *s, struct task *t)
{
    uint32_t expected = TASK_RUNNING;

    if (atomic_compare_exchange_strong_explicit(&t->state, &expected, TASK_PARKED,
                                                memory_order_acq_rel, memory_order_acquire))
        return;
    ASSERT(expected == TASK_RUNNING_WOKEN);
    atomic_exchange_explicit(&t->state, TASK_QUEUED, memory_order_acq_rel);
    scheduler_push(s, t);
}
