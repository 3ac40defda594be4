/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A hierarchical timer wheel: eight levels of 64 slots, each level 64 times as coarse as the one
 * below.
 *
 * Time is cut into ticks of 65,536 ns; eight digits of six bits are all ticks of a 64-bit clock. A
 * timer sits at the level of the highest digit in which its tick differs from `elapsed`, so
 * whatever is in a level is earlier than what is in those above. When time reaches a slot of level
 * 0 its timers expire; one of a higher level, they move down. Timers of one tick expire in the
 * order of arming.
 *
 * Locked by the caller. */
#ifndef SCHED_WHEEL_H
#define SCHED_WHEEL_H

#include "base/list.h"
#include "sched/task.h"
#include <stdint.h>

#define WHEEL_LEVELS     8
#define WHEEL_SLOT_BITS  6
#define WHEEL_SLOTS      (1u << WHEEL_SLOT_BITS)
#define WHEEL_TICK_SHIFT 16

struct wheel {
    uint64_t elapsed;            /* ticks; all before and at it have expired */
    uint64_t used[WHEEL_LEVELS]; /* bit per slot; set whenever it is not empty, and maybe longer */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    struct list expired; /* in order; taken by wheel_pop */
};

void wheel_init(struct wheel *w, uint64_t now_ns);

/* Arms `t`, which is not in a wheel, for `t->armed_ns`. */
void wheel_add(struct wheel *w, struct timer *t);
void wheel_remove(struct wheel *w, struct timer *t);

/* No timer expires before this; UINT64_MAX: there is none. May be earlier than the first one. */
uint64_t wheel_next_ns(struct wheel *w);

/* One of the timers that expire first (of those in the first slot in use), or NULL. */
struct timer *wheel_first(struct wheel *w);

/* Moves time on to `now_ns`; what expires is then given by wheel_pop, NULL at the end. */
void wheel_advance(struct wheel *w, uint64_t now_ns);
struct timer *wheel_pop(struct wheel *w);

#endif
