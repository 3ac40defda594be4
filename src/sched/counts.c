/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/counts.h"
#include "base/mem.h"

#define LINE_CELLS 8u /* cells of a cache line */

void counts_init(struct counts *c, uint32_t worker_count, uint32_t kinds)
{
    c->worker_count = worker_count;
    c->stride = kinds + LINE_CELLS;
    c->cells = mem_new_array(_Atomic uint64_t, ((size_t)worker_count + 1) * c->stride);
}

void counts_deinit(struct counts *c)
{
    mem_free(c->cells);
    *c = (struct counts){0};
}

uint64_t counts_sum(const struct counts *c, uint32_t kind)
{
    uint64_t sum = 0;

    for (size_t row = 0; row <= c->worker_count; row++)
        sum += atomic_load_explicit(&c->cells[row * c->stride + kind], memory_order_relaxed);
    return sum;
}
