/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Numbers that only grow, for metrics. Each worker adds to cells of its own, without a locked
 * instruction; all other threads share one row of cells. A sum is as old as the reading of it. */
#ifndef SCHED_COUNTS_H
#define SCHED_COUNTS_H

#include "base/assert.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct counts {
    _Atomic uint64_t *cells; /* a row per worker, and the last one for the others */
    uint32_t worker_count;
    uint32_t stride; /* cells from one row to the next: no two rows share a cache line */
};

/* Numbers 0 to `kinds` - 1. Startup only. */
void counts_init(struct counts *c, uint32_t worker_count, uint32_t kinds);
void counts_deinit(struct counts *c);

/* The row of a worker, for counts_add_to: one look-up for several additions. */
static inline _Atomic uint64_t *counts_row(const struct counts *c, uint32_t worker)
{
    return &c->cells[(size_t)worker * c->stride];
}

/* Adds `n` to number `kind` of the calling worker's row. */
static inline void counts_add_to(_Atomic uint64_t *row, uint32_t kind, uint64_t n)
{
    atomic_store_explicit(&row[kind], atomic_load_explicit(&row[kind], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Adds `n` to number `kind`. `worker` is the index of the calling worker, anything that is none on
 * other threads. */
static inline void counts_add(const struct counts *c, uint32_t worker, uint32_t kind, uint64_t n)
{
    if (LIKELY(worker < c->worker_count)) {
        counts_add_to(counts_row(c, worker), kind, n);
    } else {
        atomic_fetch_add_explicit(&c->cells[(size_t)c->worker_count * c->stride + kind], n,
                                  memory_order_relaxed);
    }
}

/* What has been added to number `kind` so far. Any thread. */
uint64_t counts_sum(const struct counts *c, uint32_t kind);

/* The classes of a histogram: class i has the values up to `first` times 4 to the power i, where
 * `first` is 1 << `first_bits`, and the last one (class_count - 1) all that are greater. */
static inline uint32_t counts_class(uint64_t value, uint32_t first_bits, uint32_t class_count)
{
    uint32_t bits = value <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(value - 1); /* rounded up */
    uint32_t i = bits <= first_bits ? 0 : (bits - first_bits + 1) / 2;

    return i < class_count ? i : class_count - 1;
}

#endif
