/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/timer.h"
#include "sched/internal.h"

/* A worker that is in a long slice, or that the system does not run, fires nothing: another one may
 * do it in its place. Its thread looks at timers of its own wheel without the lock (in timer_set),
 * so the visitor first says that it is there, has all threads pass a barrier, and only then takes
 * the lock: a deadline stored before the barrier it sees, and whoever stores one later sees that
 * there is a visitor, and takes the lock too. */

void timer_init(struct timer *t, void (*fire)(struct timer *t, struct worker *w))
{
    t->link.next = t->link.prev = NULL;
    atomic_store_explicit(&t->deadline_ns, DEADLINE_NEVER, memory_order_relaxed);
    t->armed_ns = DEADLINE_NEVER;
    t->fire = fire;
    atomic_store_explicit(&t->wheel, TIMER_NO_WHEEL, memory_order_relaxed);
}

/* Its owner may be reading it without the lock. */
static void set_armed(struct timer *t, uint64_t ns)
{
    __atomic_store_n(&t->armed_ns, ns, __ATOMIC_RELAXED);
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
        set_armed(t, DEADLINE_NEVER);
        atomic_store_explicit(&t->wheel, TIMER_NO_WHEEL, memory_order_relaxed);
        was_armed = true;
    }
    spinlock_unlock(&c->wheel_lock);
    return was_armed;
}

/* Sees to it that the loop looks at the wheel when the deadline comes. */
static void look_by(struct core *c, uint64_t deadline_ns)
{
    uint64_t delay_ns = deadline_ns > c->look_ns ? deadline_ns - c->look_ns : 0, cycles;

    if (delay_ns > LOOK_TIME_NS)
        return;
    delay_ns += 1u << WHEEL_TICK_SHIFT; /* the wheel rounds up */
    cycles = c->looked_cycles + delay_ns * c->cycles_per_ms / NS_PER_MS;
    if ((int64_t)(cycles - c->look_cycles) < 0)
        c->look_cycles = cycles;
}

void timer_set(struct scheduler *s, struct worker *w, struct timer *t, uint64_t deadline_ns)
{
    struct core *c = w ? core_of(w) : &s->cores[0];

    atomic_store_explicit(&t->deadline_ns, deadline_ns, memory_order_relaxed);
    if (deadline_ns == DEADLINE_NEVER)
        return;
    /* In our own wheel nobody fires it meanwhile, unless there is a visitor; in another's, the lock
     * in disarm() makes sure that the other worker either sees the new deadline or does not have
     * the timer any more. The fence keeps the compiler from looking for visitors first; acquire:
     * pairs with the release when a visitor goes. */
    atomic_signal_fence(memory_order_seq_cst);
    if (w && LIKELY(!atomic_load_explicit(&c->is_visited, memory_order_acquire)) &&
        atomic_load_explicit(&t->wheel, memory_order_acquire) == w->index &&
        __atomic_load_n(&t->armed_ns, __ATOMIC_RELAXED) <= deadline_ns)
        return;
    disarm(s, t);
    spinlock_lock(&c->wheel_lock);
    set_armed(t, deadline_ns);
    atomic_store_explicit(&t->wheel, c->pub.index, memory_order_relaxed);
    wheel_add(&c->wheel, t);
    if (deadline_ns < atomic_load_explicit(&c->earliest_ns, memory_order_relaxed))
        atomic_store_explicit(&c->earliest_ns, deadline_ns, memory_order_relaxed);
    spinlock_unlock(&c->wheel_lock);
    if (!w)
        poller_wake(&c->poller);
    else
        look_by(c, deadline_ns);
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
        set_armed(t, deadline);
        wheel_add(&c->wheel, t);
        return;
    }
    set_armed(t, DEADLINE_NEVER);
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

/* Fires on `c` what is due in the wheel of `of`, or some of it, if it is much. */
static void run_timers(struct core *c, struct core *of, uint64_t now_ns)
{
    struct timer *t;

    spinlock_lock(&of->wheel_lock);
    wheel_advance(&of->wheel, now_ns);
    for (uint32_t i = 0; i < FIRE_BATCH && (t = wheel_pop(&of->wheel)); i++) {
        uint64_t deadline = atomic_load_explicit(&t->deadline_ns, memory_order_relaxed);
        void (*fire)(struct timer *, struct worker *) = t->fire;

        /* Another thread may have turned the wheel further than to our `now`. */
        if (now_ns < of->wheel.elapsed << WHEEL_TICK_SHIFT)
            now_ns = of->wheel.elapsed << WHEEL_TICK_SHIFT;
        if (deadline > now_ns) { /* it was moved or cleared while armed */
            rearm(of, t, deadline);
            continue;
        }
        rearm(of, t, DEADLINE_NEVER);
        spinlock_unlock(&of->wheel_lock);
        COUNT(c->stats.timers_fired, 1);
        fire(t, &c->pub);
        spinlock_lock(&of->wheel_lock);
    }
    if (atomic_load_explicit(&of->earliest_ns, memory_order_relaxed) <= now_ns)
        atomic_store_explicit(&of->earliest_ns, wheel_next_ns(&of->wheel), memory_order_relaxed);
    spinlock_unlock(&of->wheel_lock);
}

void core_run_timers(struct core *c, uint64_t now_ns)
{
    run_timers(c, c, now_ns);
}

bool core_fire_late(struct core *c, struct core *of, uint64_t now_ns)
{
    /* acquire: pairs with the release of the last visitor */
    if (atomic_exchange_explicit(&of->is_visited, true, memory_order_acquire))
        return false;
    if (!thread_barrier_all()) {
        atomic_store_explicit(&of->is_visited, false, memory_order_release);
        return false;
    }
    run_timers(c, of, now_ns);
    /* release: pairs with the acquire in timer_set */
    atomic_store_explicit(&of->is_visited, false, memory_order_release);
    return true;
}
