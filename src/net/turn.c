/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Taking a free turn and giving one up that nobody waits for are a compare-and-swap each; the queue
 * and the bit that tells of it change under the lock. */
#include "net/turn.h"
#include "base/mem.h"

#define OTHERS_WAIT ((uintptr_t)1)

struct turn_waiter {
    struct turn_waiter *next;
    struct task *task;
};

static uintptr_t of(struct task *t)
{
    return (uintptr_t)t;
}

/* With the lock: puts `t` into the queue, unless it is there or the turn has become free. */
static enum turn_result enter(struct turn *turn, struct task *t, struct turn_waiter *fresh)
{
    uintptr_t seen = atomic_load_explicit(&turn->holder, memory_order_relaxed);

    do {
        if (seen == 0) {
            /* acquire: pairs with the release in turn_leave */
            if (atomic_compare_exchange_strong_explicit(&turn->holder, &seen, of(t),
                                                        memory_order_acquire, memory_order_relaxed))
                return TURN_MINE;
            continue;
        }
        if ((seen & ~OTHERS_WAIT) == of(t))
            return TURN_MINE;
    } while (!(seen & OTHERS_WAIT) &&
             !atomic_compare_exchange_strong_explicit(&turn->holder, &seen, seen | OTHERS_WAIT,
                                                      memory_order_relaxed, memory_order_relaxed));
    fresh->task = t;
    fresh->next = NULL;
    if (!turn->first)
        turn->last = &turn->first;
    *turn->last = fresh;
    turn->last = &fresh->next;
    return TURN_WAIT;
}

static bool is_queued(const struct turn *turn, const struct task *t)
{
    for (const struct turn_waiter *waiter = turn->first; waiter; waiter = waiter->next)
        if (waiter->task == t)
            return true;
    return false;
}

enum turn_result turn_take(struct turn *turn, struct task *t)
{
    uintptr_t seen = 0;
    struct turn_waiter *fresh;
    enum turn_result r;
    bool queued;

    /* acquire: pairs with the release in turn_leave */
    if (LIKELY(atomic_compare_exchange_strong_explicit(
            &turn->holder, &seen, of(t), memory_order_acquire, memory_order_acquire)) ||
        (seen & ~OTHERS_WAIT) == of(t))
        return TURN_MINE;
    spinlock_lock(&turn->lock);
    queued = is_queued(turn, t);
    spinlock_unlock(&turn->lock);
    if (queued)
        /* Meanwhile it may have been handed over: then the wake has been sent too. */
        return TURN_WAIT;
    seen = atomic_load_explicit(&turn->holder, memory_order_acquire);
    if ((seen & ~OTHERS_WAIT) == of(t))
        return TURN_MINE; /* handed over between the two looks */
    fresh = mem_try(struct turn_waiter);
    if (!fresh)
        return TURN_NO_MEMORY;
    spinlock_lock(&turn->lock);
    r = enter(turn, t, fresh);
    spinlock_unlock(&turn->lock);
    if (r != TURN_WAIT)
        mem_free(fresh);
    return r;
}

/* With the lock: takes out the waiter of `t`, or the first if t is NULL. */
static struct turn_waiter *take_out(struct turn *turn, const struct task *t)
{
    for (struct turn_waiter **at = &turn->first; *at; at = &(*at)->next) {
        struct turn_waiter *waiter = *at;

        if (t && waiter->task != t)
            continue;
        *at = waiter->next;
        if (!waiter->next)
            turn->last = at;
        return waiter;
    }
    return NULL;
}

void turn_leave(struct turn *turn, struct task *t, struct scheduler *s, struct worker *w)
{
    uintptr_t seen = of(t);
    struct task *next = NULL;
    struct turn_waiter *gone;

    /* release: the next holder sees what this one did */
    if (LIKELY(atomic_compare_exchange_strong_explicit(
            &turn->holder, &seen, 0, memory_order_release, memory_order_relaxed)) ||
        seen == 0)
        return;
    spinlock_lock(&turn->lock);
    seen = atomic_load_explicit(&turn->holder, memory_order_relaxed);
    if ((seen & ~OTHERS_WAIT) == of(t)) {
        gone = take_out(turn, NULL);
        if (gone)
            next = gone->task;
        /* Nobody else changes it: the bit is set, and it is under the lock, or `t` holds it. */
        atomic_store_explicit(&turn->holder, next ? of(next) | (turn->first ? OTHERS_WAIT : 0) : 0,
                              memory_order_release);
    } else {
        gone = take_out(turn, t);
        if (gone && !turn->first) /* the holder alone may clear itself, so only the bit is ours */
            atomic_fetch_and_explicit(&turn->holder, ~OTHERS_WAIT, memory_order_relaxed);
    }
    spinlock_unlock(&turn->lock);
    mem_free(gone);
    if (next)
        task_wake(s, w, next);
}
