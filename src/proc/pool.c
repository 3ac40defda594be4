/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/pool.h"
#include "base/mem.h"
#include "plat/vmem.h"
#include <stdlib.h>
#include <string.h>

#define OPEN_PIECE                                                                                 \
    ((size_t)1 << 20) /* bytes that are opened at a time where the system is strict */

bool pool_init(struct pool *p, size_t node_size, size_t link_offset, uint32_t count_max,
               uint32_t reserve, uint32_t worker_count, struct error *err)
{
    size_t size = (size_t)count_max * node_size;
    struct vmem_limits limits;
    bool opens = false;
    void *base = NULL;

    ASSERT(node_size >= link_offset + sizeof(struct pool_free) && node_size % 8 == 0 &&
           count_max > POOL_BATCH);
    /* Whoever limits our address space leaves room for fewer nodes, not for none, and for others
     * than us. */
    vmem_limits_get(&limits);
    while (size > limits.address_space / 16 && size >= 2 * OPEN_PIECE)
        size /= 2;
    do {
        size = (size + OPEN_PIECE - 1) & ~(OPEN_PIECE - 1);
        base = vmem_map(size, VMEM_PAGE);
        if (!base) {
            base = vmem_reserve(size, VMEM_PAGE);
            opens = base != NULL;
        }
        size = base ? size : size / 2;
    } while (!base && size >= OPEN_PIECE);
    if (!base)
        return fail(err, ERR_NO_MEMORY, "no address space for %u nodes of %zu bytes", count_max,
                    node_size);
    *p = (struct pool){0};
    p->base = base;
    p->node_size = node_size;
    p->link_offset = link_offset;
    p->reserved = size;
    p->worker_count = worker_count;
    p->opens = opens;
    p->end = count_max;
    if (size / node_size < count_max)
        p->end = (uint32_t)(size / node_size);
    p->reserve = reserve < p->end / 4 ? reserve : p->end / 4;
    atomic_init(&p->fresh, 1);
    p->caches = aligned_alloc(64, sizeof(*p->caches) * (worker_count + 1));
    if (!p->caches) {
        vmem_unmap(base, size);
        return fail(err, ERR_NO_MEMORY, "no memory for caches of nodes");
    }
    memset(p->caches, 0, sizeof(*p->caches) * (worker_count + 1));
    for (uint32_t i = 0; i <= worker_count; i++)
        p->caches[i].luck = i + 1;
    return true;
}

void pool_deinit(struct pool *p)
{
    mem_uncharge(p->charged);
    if (p->base)
        vmem_unmap(p->base, p->reserved);
    free(p->caches);
    *p = (struct pool){0};
}

static struct pool_free *link_of(const struct pool *p, void *node)
{
    return (struct pool_free *)(void *)((uint8_t *)node + p->link_offset);
}

/* Makes the nodes below `number` usable. */
static bool open_up_to(struct pool *p, uint32_t number)
{
    size_t need = (size_t)number * p->node_size;
    size_t size;

    if (!p->opens || need <= p->opened)
        return true;
    size = (need - p->opened + OPEN_PIECE - 1) & ~(OPEN_PIECE - 1);
    if (size > p->reserved - p->opened)
        size = p->reserved - p->opened;
    if (!vmem_open(p->base + p->opened, size))
        return false;
    p->opened += size;
    return true;
}

/* A batch of nodes that were never used; NULL: there are no more below `end`. */
static struct pool_free *carve(struct pool *p, uint32_t end, uint32_t *count)
{
    uint32_t fresh = atomic_load_explicit(&p->fresh, memory_order_relaxed);
    uint32_t n = fresh < end ? end - fresh : 0;
    struct pool_free *first = NULL;

    if (n > POOL_BATCH)
        n = POOL_BATCH;
    if (n == 0)
        return NULL;
    /* The last ones, which are for what must not fail, are not refused for want of memory. */
    if (mem_charge(n * p->node_size))
        p->charged += n * p->node_size;
    else if (end < p->end)
        return NULL;
    if (!open_up_to(p, fresh + n))
        return NULL;
    for (uint32_t i = n; i-- > 0;) {
        struct pool_free *node = link_of(p, pool_at(p, fresh + i));

        node->next = first;
        first = node;
    }
    /* release: pairs with the acquire in pool_fresh */
    atomic_store_explicit(&p->fresh, fresh + n, memory_order_release);
    *count = n;
    return first;
}

static bool refill(struct pool *p, struct pool_cache *c, uint32_t end)
{
    uint32_t count = POOL_BATCH;
    struct pool_free *batch;

    if (c->full) {
        batch = c->full;
        c->full = NULL;
    } else {
        spinlock_lock(&p->lock);
        batch = p->batches;
        if (batch)
            p->batches = batch->next_batch;
        else
            batch = carve(p, end, &count);
        spinlock_unlock(&p->lock);
    }
    if (!batch)
        return false;
    c->first = batch;
    c->count = count;
    return true;
}

static void bump(_Atomic uint64_t *counter)
{
    /* Only one thread at a time writes it; readers want no more than some recent value. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void *take(struct pool *p, struct pool_cache *c, uint32_t end)
{
    struct pool_free *node;

    if (UNLIKELY(!c->first) && !refill(p, c, end))
        return NULL;
    node = c->first;
    c->first = node->next;
    c->count--;
    bump(&c->taken);
    return (uint8_t *)node - p->link_offset;
}

/* The last thing that touches the pool is the count: whoever sees all nodes given back may free it.
 */
static void count_given(struct pool_cache *c)
{
    uint64_t given = atomic_load_explicit(&c->given, memory_order_relaxed);

    /* release: pairs with the acquire in `sum` */
    atomic_store_explicit(&c->given, given + 1, memory_order_release);
}

static void give(struct pool *p, struct pool_cache *c, struct pool_free *node)
{
    node->next = c->first;
    c->first = node;
    if (UNLIKELY(++c->count == POOL_BATCH)) {
        if (c->full) {
            spinlock_lock(&p->lock);
            c->full->next_batch = p->batches;
            p->batches = c->full;
            spinlock_unlock(&p->lock);
        }
        c->full = c->first;
        c->first = NULL;
        c->count = 0;
    }
    count_given(c);
}

static void *take_below(struct pool *p, uint32_t worker, uint32_t end)
{
    void *node;

    if (LIKELY(worker < p->worker_count))
        return take(p, &p->caches[worker], end);
    spinlock_lock(&p->outside);
    node = take(p, &p->caches[p->worker_count], end);
    spinlock_unlock(&p->outside);
    return node;
}

void *pool_take(struct pool *p, uint32_t worker)
{
    return take_below(p, worker, p->end - p->reserve);
}

void *pool_take_reserved(struct pool *p, uint32_t worker)
{
    return take_below(p, worker, p->end);
}

void pool_give(struct pool *p, uint32_t worker, void *node)
{
    if (LIKELY(worker < p->worker_count)) {
        give(p, &p->caches[worker], link_of(p, node));
        return;
    }
    spinlock_lock(&p->outside);
    give(p, &p->caches[p->worker_count], link_of(p, node));
    spinlock_unlock(&p->outside);
}

static uint64_t sum(const struct pool *p, bool given)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i <= p->worker_count; i++)
        total += atomic_load_explicit(given ? &p->caches[i].given : &p->caches[i].taken,
                                      memory_order_acquire);
    return total;
}

uint64_t pool_taken(const struct pool *p)
{
    return sum(p, false);
}

uint64_t pool_live(const struct pool *p)
{
    uint64_t given = sum(p, true); /* first, so that the difference is never negative */

    return sum(p, false) - given;
}

void pool_reset(struct pool *p)
{
    struct vmem_range used = {p->base, (size_t)pool_fresh(p) * p->node_size};

    used.size = (used.size + VMEM_PAGE - 1) & ~((size_t)VMEM_PAGE - 1);
    if (!vmem_discard(&used, 1))
        memset(used.at, 0, used.size);
    for (uint32_t i = 0; i <= p->worker_count; i++) {
        struct pool_cache *c = &p->caches[i];

        *c = (struct pool_cache){.luck = i + 1};
    }
    mem_uncharge(p->charged);
    p->charged = 0;
    p->batches = NULL;
    atomic_store_explicit(&p->fresh, 1, memory_order_release);
}
