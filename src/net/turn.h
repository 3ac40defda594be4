/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whose turn it is to use one direction of a stream: first come, first served.
 *
 * A turn is held across waits, by a task. Nothing is allocated unless tasks queue up. */
#ifndef NET_TURN_H
#define NET_TURN_H

#include "plat/thread.h"
#include "sched/task.h"

struct turn_waiter;

/* All-zero is free. */
struct turn {
    _Atomic uintptr_t holder;  /* 0, or the task; its lowest bit: others wait */
    struct turn_waiter *first; /* under lock */
    struct turn_waiter **last; /* under lock */
    struct spinlock lock;
};

enum turn_result { TURN_MINE, TURN_WAIT, TURN_NO_MEMORY };

/* Whether `t` has the turn; if not, it is in the queue afterwards and will be woken when its turn
 * comes. To be called again by the same task as often as it likes. Owning task only. */
enum turn_result turn_take(struct turn *turn, struct task *t) MUST_USE;

/* `t` gives up its turn, or its place in the queue; harmless if it has neither. Wakes the next.
 * Any thread, while `t` does not run elsewhere. */
void turn_leave(struct turn *turn, struct task *t, struct scheduler *s, struct worker *w);

/* Whether `t` has the turn. For the task itself, or whoever ends it. */
static inline bool turn_is_held_by(const struct turn *turn, const struct task *t)
{
    return (atomic_load_explicit(&turn->holder, memory_order_acquire) & ~(uintptr_t)1) ==
           (uintptr_t)t;
}

#endif
