/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/wheel.h"

static uint64_t tick_of(uint64_t ns)
{
    uint64_t tick = ns >> WHEEL_TICK_SHIFT;

    /* Rounded up: not before the deadline. The last tick of the clock cannot be. */
    return tick +
           ((ns & ((1u << WHEEL_TICK_SHIFT) - 1)) != 0 && tick < UINT64_MAX >> WHEEL_TICK_SHIFT);
}

void wheel_init(struct wheel *w, uint64_t now_ns)
{
    w->elapsed = now_ns >> WHEEL_TICK_SHIFT;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        w->used[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
    }
    list_init(&w->expired);
}

void wheel_add(struct wheel *w, struct timer *t)
{
    uint64_t tick = tick_of(t->armed_ns);
    unsigned level, slot;

    if (tick <= w->elapsed) {
        list_push_back(&w->expired, &t->link);
        return;
    }
    level = (63u - (unsigned)__builtin_clzll(tick ^ w->elapsed)) / WHEEL_SLOT_BITS;
    slot = (unsigned)(tick >> (level * WHEEL_SLOT_BITS)) & (WHEEL_SLOTS - 1);
    list_push_back(&w->slots[level][slot], &t->link);
    w->used[level] |= 1ull << slot;
}

void wheel_remove(struct wheel *w, struct timer *t)
{
    (void)w; /* an empty slot's bit is cleared when time or a search comes by */
    list_remove(&t->link);
    t->link.next = NULL;
}

/* The first slot in use and the tick at which it begins; false: none. */
static bool find_next(struct wheel *w, unsigned *level_out, unsigned *slot_out, uint64_t *tick_out)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        unsigned shift = level * WHEEL_SLOT_BITS;

        while (w->used[level]) {
            unsigned slot = (unsigned)__builtin_ctzll(w->used[level]);

            if (list_empty(&w->slots[level][slot])) {
                w->used[level] &= w->used[level] - 1;
                continue;
            }
            *level_out = level;
            *slot_out = slot;
            *tick_out = (w->elapsed >> shift >> WHEEL_SLOT_BITS << WHEEL_SLOT_BITS | slot) << shift;
            return true;
        }
    }
    return false;
}

uint64_t wheel_next_ns(struct wheel *w)
{
    unsigned level, slot;
    uint64_t tick;

    if (!list_empty(&w->expired))
        return 0;
    return find_next(w, &level, &slot, &tick) ? tick << WHEEL_TICK_SHIFT : UINT64_MAX;
}

struct timer *wheel_first(struct wheel *w)
{
    unsigned level, slot;
    uint64_t tick;

    if (!list_empty(&w->expired))
        return CONTAINER_OF(w->expired.next, struct timer, link);
    if (!find_next(w, &level, &slot, &tick))
        return NULL;
    return CONTAINER_OF(w->slots[level][slot].next, struct timer, link);
}

void wheel_advance(struct wheel *w, uint64_t now_ns)
{
    uint64_t now = now_ns >> WHEEL_TICK_SHIFT, tick;
    unsigned level, slot;

    while (find_next(w, &level, &slot, &tick) && tick <= now) {
        struct list *head = &w->slots[level][slot], *node;

        w->elapsed = tick;
        while ((node = list_pop_front(head)))
            wheel_add(w, CONTAINER_OF(node, struct timer, link)); /* a lower level, or expired */
        w->used[level] &= ~(1ull << slot);
    }
    if (w->elapsed < now)
        w->elapsed = now;
}

struct timer *wheel_pop(struct wheel *w)
{
    struct list *node = list_pop_front(&w->expired);

    if (!node)
        return NULL;
    node->next = NULL;
    return CONTAINER_OF(node, struct timer, link);
}
