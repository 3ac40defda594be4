/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/stack.h"
#include "vm/internal.h"
#include "vm/resume.h"

#include <string.h>

#define COLOURS 1024u /* bytes that the tops of equal blocks differ by, at most */
#define STEP    4096u

/* The stress mode copies a live part beyond this size only at every so many safe points: a
 * recursion down to the end of a 4 MiB stack would else copy gigabytes. */
#define STRESS_LIVE_MAX 16384u
#define STRESS_INTERVAL 509u

static uint64_t size_of(const struct fiber *f)
{
    return (uint64_t)(f->stack_top - f->stack_low);
}

/* Copies what is live to the top of `block` and lets the fiber use that. */
static void settle(struct fiber *f, uint8_t *block, enum region r)
{
    size_t live = (size_t)(f->stack_top - (uint8_t *)f->guest_sp);
    /* Tops that all lie at the same place of a page would share few cache sets. */
    size_t colour = (((uintptr_t)block >> 16) & 15) * 64;
    uint8_t *top = block + region_stride(r) - colour;

    memcpy(top - live, f->guest_sp, live);
    stack_release(f);
    f->stack_low = block;
    f->stack_top = top;
    f->stack_region = (uint8_t)r;
    f->guest_sp = top - live;
    fiber_bind(f, f->instance);
}

static bool move(struct fiber *f, uint64_t wanted)
{
    for (enum region r = REGION_STACK_FIRST; r <= REGION_STACK_LAST; r++) {
        uint64_t stride = region_stride(r);
        uint8_t *block;
        bool dirty;

        if (stride < wanted + COLOURS || stride > f->stack_max)
            continue;
        block = region_take(r, stride, &dirty);
        if (!block)
            return false;
        settle(f, block, r);
        return true;
    }
    return false;
}

bool stack_grow(struct fiber *f, uint64_t room)
{
    uint64_t live = (uint64_t)(f->stack_top - (uint8_t *)f->guest_sp);
    uint64_t wanted = live + room;

    if (room > f->stack_max || f->preempted)
        return false;
    if (wanted < size_of(f) + STEP)
        wanted = size_of(f) + STEP; /* the next size */
    return move(f, wanted);
}

void stack_move(struct fiber *f, uint64_t room)
{
    uint64_t live = (uint64_t)(f->stack_top - (uint8_t *)f->guest_sp);
    uint64_t size = live + room;
    static _Thread_local uint32_t passed;
    bool moved;

    if (f->preempted || (live > STRESS_LIVE_MAX && ++passed % STRESS_INTERVAL != 0))
        return;
    if (f->stack_region < REGION_COUNT && size < region_stride(f->stack_region) - COLOURS)
        size = region_stride(f->stack_region) - COLOURS;
    moved = move(f, size);
    (void)moved; /* without a second block it stays */
}

void stack_release(struct fiber *f)
{
    if (f->stack_region < REGION_COUNT) {
        uint64_t stride = region_stride(f->stack_region);
        uint8_t *block = f->stack_low;

        region_give(f->stack_region, block, false, stride);
    }
    f->stack_region = REGION_COUNT;
}

uint8_t *fiber_grow_stack(struct fiber *f, struct instance *i, uint64_t wanted)
{
    uint64_t room = (uint64_t)((uint8_t *)f->guest_sp + SAVED_SIZE - f->stack_low);

    f->instance = i;
    if (room >= wanted + STACK_RESERVE) { /* only the stress mode comes here with enough room */
        stack_move(f, wanted + 2 * STACK_RESERVE);
        return f->guest_sp;
    }
    if (stack_grow(f, wanted + 2 * STACK_RESERVE))
        return f->guest_sp;
    f->trap_at_entry = true;
    return NULL;
}
