/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Deadlines. Each worker has a timer wheel (wheel.h); a timer is in the wheel of the worker that
 * armed it last.
 *
 * Setting a deadline is made for waits that mostly end before it: a later one only stores the
 * value, and the timer stays armed for the earlier time; when that comes the worker looks at the
 * deadline and arms it again, or fires it. Only an earlier deadline touches the wheel.
 *
 * One party at a time owns a timer and may call these functions (for a task's own deadline: the
 * task). */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include "plat/clock.h"
#include "sched/task.h"

#define TIMER_NO_WHEEL UINT32_MAX

/* `fire` is called on a worker, after the deadline, by at most the wheel's granularity of 66 us
 * plus one slice too late, never too early; the timer is not armed any more then, so fire may set
 * it again, or free it. Where the timer's storage may already serve a new owner by then (a task's),
 * fire must be harmless: a call that has begun is not stopped by timer_cancel. */
void timer_init(struct timer *t, void (*fire)(struct timer *t, struct worker *w));

/* Wants it to fire at `deadline_ns` (scheduler_now_ns's clock) instead of whatever was set before;
 * DEADLINE_NEVER: not at all, though a look at that time may still cost the worker a moment. No
 * allocation. `w`: the calling worker, or NULL on other threads. */
void timer_set(struct scheduler *s, struct worker *w, struct timer *t, uint64_t deadline_ns);

/* Forgets the deadline as timer_set(DEADLINE_NEVER) does, in a few instructions. */
static inline void timer_clear(struct timer *t)
{
    atomic_store_explicit(&t->deadline_ns, DEADLINE_NEVER, memory_order_relaxed);
}

/* Takes it out of the wheel, so that its storage may be freed. True: it was armed with a deadline
 * and will not fire. False: it had none, or has fired, or is being fired by another worker at this
 * moment; who needs to know which lets fire tell him. */
bool timer_cancel(struct scheduler *s, struct timer *t);

/* Whether the deadline (not DEADLINE_NEVER) has passed. */
static inline bool timer_expired(const struct timer *t, uint64_t now_ns)
{
    return atomic_load_explicit(&t->deadline_ns, memory_order_relaxed) <= now_ns;
}

#endif
