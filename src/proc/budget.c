/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/budget.h"
#include "base/mem.h"

struct budget *budget_new(struct budget *above, uint64_t count_max)
{
    struct budget *b = mem_try(struct budget);

    if (!b)
        return NULL;
    atomic_init(&b->references, 1);
    b->above = budget_ref(above);
    b->count_max = count_max;
    return b;
}

struct budget *budget_ref(struct budget *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
    return b;
}

void budget_unref(struct budget *b)
{
    while (b) {
        struct budget *above = b->above;

        /* acquire-release: whoever frees has seen all uses */
        if (atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
            return;
        ASSERT(atomic_load_explicit(&b->count, memory_order_relaxed) == 0);
        mem_free(b);
        b = above;
    }
}

static bool take_one(struct budget *b)
{
    uint64_t count = atomic_load_explicit(&b->count, memory_order_relaxed);

    do {
        if (count >= b->count_max)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&b->count, &count, count + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool budget_take(struct budget *b, uint64_t *limit)
{
    for (struct budget *at = b; at; at = at->above) {
        if (take_one(at))
            continue;
        *limit = at->count_max;
        for (; b != at; b = b->above)
            atomic_fetch_sub_explicit(&b->count, 1, memory_order_relaxed);
        return false;
    }
    return true;
}

void budget_give(struct budget *b)
{
    for (; b; b = b->above)
        atomic_fetch_sub_explicit(&b->count, 1, memory_order_relaxed);
}
