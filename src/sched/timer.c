/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/timer.h"
#include "sched/internal.h"

void timer_init(struct timer *t, void (*fire)(struct timer *t, struct worker *w))
{
    t->link.next = t->link.prev = NULL;
    atomic_store_explicit(&t->deadline_ns, DEADLINE_NEVER, memory_order_relaxed);
    t->armed_ns = DEADLINE_NEVER;
    t->fire = fire;
    atomic_store_explicit(&t->wheel, TIMER_NO_WHEEL, memory_order_relaxed);
}

/* Takes it out of whatever wheel it is in; false: none. */
static bool disarm(struct scheduler *s, struct timer *t)
{
    /* acquire: pairs with the release of a worker that has disarmed it to fire it */
    uint32_t index = atomic_load_explicit(&t->wheel, memory_order_acquire);
    struct core *c;
    bool was_armed = false;

    if (index == TIMER_NO_WHEEL)
        return false;
    c = &s->cores[index];
    spinlock_lock(&c->wheel_lock);
    if (atomic_load_explicit(&t->wheel, memory_order_relaxed) == index) {
        wheel_remove(&c->wheel, t);
        t->armed_ns = DEADLINE_NEVER;
        atomic_store_explicit(&t->wheel, TIMER_NO_WHEEL, memory_order_relaxed);
        was_armed = true;
    }
    spinlock_unlock(&c->wheel_lock);
    return was_armed;
}

void timer_set(struct scheduler *s, struct worker *w, struct timer *t, uint64_t deadline_ns)
{
    struct core *c = w ? core_of(w) : &s->cores[0];

    atomic_store_explicit(&t->deadline_ns, deadline_ns, memory_order_relaxed);
    if (deadline_ns == DEADLINE_NEVER)
        return;
    /* In our own wheel nobody fires it meanwhile; in another's, the lock in disarm() makes sure
     * that the other worker either sees the new deadline or does not have the timer any more. */
    if (w && atomic_load_explicit(&t->wheel, memory_order_acquire) == w->index &&
        t->armed_ns <= deadline_ns)
        return;
    disarm(s, t);
    spinlock_lock(&c->wheel_lock);
    t->armed_ns = deadline_ns;
    atomic_store_explicit(&t->wheel, c->pub.index, memory_order_relaxed);
    wheel_add(&c->wheel, t);
    if (deadline_ns < atomic_load_explicit(&c->earliest_ns, memory_order_relaxed))
        atomic_store_explicit(&c->earliest_ns, deadline_ns, memory_order_relaxed);
    spinlock_unlock(&c->wheel_lock);
    if (!w)
        poller_wake(&c->poller);
}

bool timer_cancel(struct scheduler *s, struct timer *t)
{
    /* Out of the wheel first: a wheel that popped it while its deadline is already forgotten would
     * drop it without firing, and then nobody would have ended it. */
    bool was_armed = disarm(s, t);
    uint64_t deadline =
        atomic_exchange_explicit(&t->deadline_ns, DEADLINE_NEVER, memory_order_relaxed);

    return was_armed && deadline != DEADLINE_NEVER;
}

/* Arms a timer that has been taken out for `deadline`, or (DEADLINE_NEVER) leaves it to its owner.
 */
static void rearm(struct core *c, struct timer *t, uint64_t deadline) REQUIRES(c->wheel_lock)
{
    if (deadline != DEADLINE_NEVER) {
        t->armed_ns = deadline;
        wheel_add(&c->wheel, t);
        return;
    }
    t->armed_ns = DEADLINE_NEVER;
    /* release: pairs with the acquire of the owner, who may arm it again at once */
    atomic_store_explicit(&t->wheel, TIMER_NO_WHEEL, memory_order_release);
}

uint64_t core_next_deadline(struct core *c)
{
    struct timer *t;
    uint64_t next;

    spinlock_lock(&c->wheel_lock);
    while ((t = wheel_first(&c->wheel))) {
        uint64_t deadline = atomic_load_explicit(&t->deadline_ns, memory_order_relaxed);

        if (deadline <= t->armed_ns)
            break;
        wheel_remove(&c->wheel, t);
        rearm(c, t, deadline);
    }
    next = wheel_next_ns(&c->wheel);
    atomic_store_explicit(&c->earliest_ns, next, memory_order_relaxed);
    spinlock_unlock(&c->wheel_lock);
    return next;
}

void core_run_timers(struct core *c, uint64_t now_ns)
{
    struct timer *t;

    spinlock_lock(&c->wheel_lock);
    wheel_advance(&c->wheel, now_ns);
    while ((t = wheel_pop(&c->wheel))) {
        uint64_t deadline = atomic_load_explicit(&t->deadline_ns, memory_order_relaxed);
        void (*fire)(struct timer *, struct worker *) = t->fire;

        if (deadline > now_ns) { /* it was moved or cleared while armed */
            rearm(c, t, deadline);
            continue;
        }
        rearm(c, t, DEADLINE_NEVER);
        spinlock_unlock(&c->wheel_lock);
        COUNT(c->stats.timers_fired, 1);
        fire(t, &c->pub);
        spinlock_lock(&c->wheel_lock);
    }
    spinlock_unlock(&c->wheel_lock);
}
