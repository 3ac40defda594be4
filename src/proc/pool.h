/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Nodes of one size, numbered, in one stretch of address space: what signals, messages and links
 * are made of. Each worker takes and gives back nodes through a cache of its own, without atomics;
 * whole batches move between caches and a shared list. A node's storage is never unmapped nor used
 * for anything else, so a late reader of a freed node reads a node. */
#ifndef PROC_POOL_H
#define PROC_POOL_H

#include "base/error.h"
#include "plat/thread.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_BATCH 64u /* nodes that move at a time */

/* A free node. Numbers start at 1. */
struct pool_free {
    struct pool_free *next;       /* in the same list */
    struct pool_free *next_batch; /* in the shared list, of a batch's first node */
};

/* One worker's nodes. */
struct pool_cache {
    struct pool_free *first; /* used first; `count` of them */
    struct pool_free *full;  /* a complete batch in reserve, or NULL */
    uint32_t count;          /* < POOL_BATCH */
    uint32_t luck;          /* see signal.c: a generator of its own, so that runs can be replayed */
    _Atomic uint64_t taken; /* nodes taken through this cache so far; its owner writes */
    _Atomic uint64_t given; /* nodes given back through it */
} __attribute__((aligned(64)));

struct pool {
    uint8_t *base; /* node 1 is at base + node_size */
    size_t node_size;
    size_t link_offset; /* of the struct pool_free in a free node; the rest is left as it was */
    size_t reserved;    /* bytes of the stretch */
    struct pool_cache *caches; /* one per worker, and one under `lock` for all other threads */
    uint32_t worker_count;
    struct spinlock outside; /* guards the cache of the other threads */
    struct spinlock lock;
    struct pool_free *batches; /* shared: complete batches */
    _Atomic uint32_t fresh;    /* nodes from this number on were never used; changed under `lock` */
    uint32_t end;              /* numbers are below */
    uint32_t reserve;          /* the last so many nodes are for pool_take_reserved */
    bool opens; /* the stretch is reserved only: pieces are opened as they are needed */
    size_t opened;
    uint64_t charged; /* bytes of nodes that are counted by mem_charge */
};

/* Reserves room for about `count_max` nodes (fewer if the system does not give so much address
 * space). `node_size` is a multiple of 8, and has room for a struct pool_free at `link_offset`.
 * Fails with ERR_NO_MEMORY. */
bool pool_init(struct pool *p, size_t node_size, size_t link_offset, uint32_t count_max,
               uint32_t reserve, uint32_t worker_count, struct error *err) MUST_USE;
void pool_deinit(struct pool *p);

/* A node with undefined contents; NULL: all are in use, or there is no memory. `worker` is the
 * index of the calling worker, or POOL_OUTSIDE on other threads. */
void *pool_take(struct pool *p, uint32_t worker) MUST_USE;
void *pool_take_reserved(struct pool *p, uint32_t worker) MUST_USE; /* from the reserve as well */
void pool_give(struct pool *p, uint32_t worker, void *node);

#define POOL_OUTSIDE UINT32_MAX

static inline void *pool_at(const struct pool *p, uint32_t number)
{
    return p->base + (size_t)number * p->node_size;
}

static inline uint32_t pool_number(const struct pool *p, const void *node)
{
    return (uint32_t)((size_t)((const uint8_t *)node - p->base) / p->node_size);
}

/* Numbers of nodes that were ever used are below this. Any thread. */
static inline uint32_t pool_fresh(const struct pool *p)
{
    /* acquire: pairs with the release in carve, the nodes below are usable memory */
    return atomic_load_explicit(&p->fresh, memory_order_acquire);
}

/* Forgets all nodes, used or not: they are zero and fresh again. Nobody else uses the pool. */
void pool_reset(struct pool *p);

/* Nodes taken so far. A snapshot. Any thread. */
uint64_t pool_taken(const struct pool *p);

/* Nodes taken and not given back. Exact only while nobody takes or gives. Any thread. */
uint64_t pool_live(const struct pool *p);

#endif
