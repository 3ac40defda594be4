/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/mem.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static atomic_size_t fail_countdown; /* 0: off; else the number of mem_try calls until one fails */
static _Thread_local size_t allocations;

void mem_fail_after(size_t n)
{
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}

bool mem_fail_is_due(void)
{
    size_t n = atomic_load_explicit(&fail_countdown, memory_order_relaxed);

    return n != 0 && n <= SIZE_MAX / 2; /* when it has passed 0, it counts on */
}

size_t mem_allocation_count(void)
{
    return allocations;
}

static bool must_fail(void)
{
    if (LIKELY(atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0))
        return false;
    return atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) == 1;
}

void *mem_try_alloc(size_t count, size_t size)
{
    if (UNLIKELY(must_fail()))
        return NULL;
    allocations++;
    return calloc(count ? count : 1, size ? size : 1);
}

void *mem_alloc(size_t count, size_t size)
{
    void *ptr;

    allocations++;
    ptr = calloc(count ? count : 1, size ? size : 1);
    ASSERT(ptr && "out of memory");
    return ptr;
}

void *mem_try_realloc(void *ptr, size_t count, size_t size)
{
    size_t bytes;

    if (UNLIKELY(must_fail()) || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    allocations++;
    return realloc(ptr, bytes ? bytes : 1);
}

void mem_free(void *ptr)
{
    free(ptr);
}

/* What the machine has is one for the whole program, and so is who counts it. */
static bool (*_Atomic charge_take)(uint64_t);
static void (*_Atomic charge_give)(uint64_t);

void mem_set_charge(bool (*take)(uint64_t bytes), void (*give)(uint64_t bytes))
{
    atomic_store(&charge_take, take);
    atomic_store(&charge_give, give);
}

bool mem_charge(uint64_t bytes)
{
    bool (*take)(uint64_t) = atomic_load_explicit(&charge_take, memory_order_relaxed);

    return !take || take(bytes);
}

void mem_uncharge(uint64_t bytes)
{
    void (*give)(uint64_t) = atomic_load_explicit(&charge_give, memory_order_relaxed);

    if (give)
        give(bytes);
}
