/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/region.h"
#include "base/vec.h"
#include "plat/thread.h"
#include "plat/vmem.h"

#include <stdatomic.h>

#define OPEN_BATCH     64u          /* small blocks opened at a time under strict overcommit */
#define OPEN_BATCH_MAX (512u << 10) /* stride of what counts as small */
#define ARENA_SIZE     (1ull << 40) /* of a chunk where address space is plentiful */
#define ARENA_64M_SIZE (8ull << 40) /* the same for these sizes, whose blocks are large */
#define ARENA_4G_SIZE  (4ull << 40)
#define DIRTY_MAX      (8u << 20)  /* bytes of stacks kept with their leftovers, per region */
#define HEADROOM_MAX   (4u << 20)  /* of a limited address space is left to malloc */
#define COMMIT_CHECK   (16u << 20) /* bytes committed between two questions to the kernel */

static const struct {
    uint64_t stride;
    uint32_t low;
} shapes[REGION_COUNT] = {
#define REGION(name, stride, low) {stride, low},
    REGIONS(REGION)
#undef REGION
};

struct arena {
    struct mutex lock;
    uint8_t *next, *end;      /* blocks of the current chunk that were never given out */
    uint8_t *opened;          /* strict: blocks below it are open, if they are small */
    bool has_share;           /* the first chunk, where address space is plentiful, was given */
    VEC(uint8_t *) zero;      /* free blocks that read as zero; strict: small ones are open */
    VEC(uint8_t *) leftovers; /* free blocks with leftovers */
};

static struct arena arenas[REGION_COUNT];

static struct {
    struct mutex lock;
    atomic_bool is_known;
    bool is_strict;
    uint64_t address_space;
    uint64_t forced_address_space;
    bool forced_strict;
    uint64_t memory;
    _Atomic int64_t committed; /* bytes, estimated */
    _Atomic int64_t allowed;   /* `committed` may grow to this until it is asked again */
} host;

void region_set_limits(uint64_t address_space, bool strict)
{
    host.forced_address_space = address_space;
    host.forced_strict = strict;
    atomic_store(&host.is_known, false);
}

static void host_probe(void)
{
    /* acquire: pairs with the release below */
    if (LIKELY(atomic_load_explicit(&host.is_known, memory_order_acquire)))
        return;
    mutex_lock(&host.lock);
    if (!atomic_load_explicit(&host.is_known, memory_order_relaxed)) {
        struct vmem_limits limits;

        vmem_limits_get(&limits);
        host.is_strict = limits.is_strict || host.forced_strict;
        host.address_space =
            host.forced_address_space ? host.forced_address_space : limits.address_space;
        host.memory = limits.memory;
        atomic_store_explicit(&host.is_known, true, memory_order_release);
    }
    mutex_unlock(&host.lock);
}

uint64_t region_stride(enum region r)
{
    return shapes[r].stride;
}

uint32_t region_low(enum region r)
{
    return shapes[r].low;
}

bool region_is_strict(void)
{
    host_probe();
    return host.is_strict;
}

bool region_is_plentiful(void)
{
    host_probe();
    return host.address_space > (1ull << 44) && !host.is_strict;
}

enum region region_for(uint64_t size)
{
    enum region r = REGION_96K;

    host_probe();
    while (r <= REGION_MEMORY_LAST && shapes[r].stride < size)
        r++;
    if (r > REGION_MEMORY_LAST)
        return REGION_COUNT;
    if (region_is_plentiful()) {
        if (r == REGION_4M || r == REGION_16M)
            r = REGION_64M;
        else if (r == REGION_256M || r == REGION_1G)
            r = REGION_4G;
    }
    return r;
}

#define LAZY_CHUNKS_MAX 64u

static struct {
    struct mutex lock;
    _Atomic(region_missing_fn *) missing; /* NULL: there are no lazy blocks */
    struct {
        uint8_t *begin, *end;
        enum region region;
    } chunks[LAZY_CHUNKS_MAX]; /* written under the lock, read by the signal's handler */
    _Atomic uint32_t count;
    atomic_bool is_over; /* no chunk can be added */
} lazy;

/* Signal context. */
static bool lazy_missing(uint8_t *page)
{
    /* acquire: pairs with the release of lazy_add */
    uint32_t count = atomic_load_explicit(&lazy.count, memory_order_acquire);
    region_missing_fn *missing = atomic_load_explicit(&lazy.missing, memory_order_relaxed);

    for (uint32_t n = 0; n < count; n++)
        if (page >= lazy.chunks[n].begin && page < lazy.chunks[n].end) {
            uint64_t at = (uint64_t)(page - lazy.chunks[n].begin);
            enum region r = lazy.chunks[n].region;

            return missing(page, page - at % shapes[r].stride, r);
        }
    return false;
}

bool region_lazy_start(region_missing_fn *missing)
{
    bool ok;

    host_probe();
    mutex_lock(&lazy.lock);
    ok = atomic_load(&lazy.missing) != NULL;
    if (!ok && region_is_plentiful() && vmem_lazy_start(lazy_missing)) {
        atomic_store(&lazy.missing, missing);
        ok = true;
    }
    mutex_unlock(&lazy.lock);
    return ok;
}

bool region_is_lazy(enum region r)
{
    return r == REGION_LAZY || r == REGION_LAZY_64M;
}

/* Two arenas may want a place at the same time. */
static bool lazy_add(enum region r, uint8_t *at, size_t size)
{
    uint32_t n;
    bool ok;

    mutex_lock(&lazy.lock);
    n = atomic_load_explicit(&lazy.count, memory_order_relaxed);
    ok = n < LAZY_CHUNKS_MAX && vmem_lazy_register(at, size);
    if (ok) {
        lazy.chunks[n].begin = at;
        lazy.chunks[n].end = at + size;
        lazy.chunks[n].region = r;
        atomic_store_explicit(&lazy.count, n + 1, memory_order_release);
    }
    mutex_unlock(&lazy.lock);
    return ok;
}

/* Where address space is plentiful, one mapping has the first chunks of all arenas, which are made
 * at once: so the number of mappings does not tell what runs. Sizes that region_for never gives
 * there have no share. */
static struct {
    struct mutex lock;
    uint8_t *base;
    bool is_tried;
} plenty;

static uint64_t plenty_share(enum region r)
{
    if (region_is_lazy(r) || r == REGION_4M || r == REGION_16M || r == REGION_256M ||
        r == REGION_1G)
        return 0;
    return r == REGION_64M ? ARENA_64M_SIZE : r == REGION_4G ? ARENA_4G_SIZE : ARENA_SIZE;
}

void region_start(void)
{
    uint64_t total = 0;

    host_probe();
    if (!region_is_plentiful())
        return;
    for (enum region r = 0; r < REGION_COUNT; r++)
        total += plenty_share(r);
    mutex_lock(&plenty.lock);
    if (!plenty.is_tried)
        plenty.base = vmem_map(total, 2u << 20);
    plenty.is_tried = true;
    mutex_unlock(&plenty.lock);
}

static bool plenty_cut(struct arena *a, enum region r)
{
    uint64_t share = plenty_share(r);
    uint8_t *at;

    if (a->has_share || !share || !region_is_plentiful())
        return false;
    region_start();
    a->has_share = true;
    if (!plenty.base)
        return false;
    at = plenty.base;
    for (enum region before = 0; before < r; before++)
        at += plenty_share(before);
    a->next = a->opened = at;
    a->end = at + share / shapes[r].stride * shapes[r].stride;
    return true;
}

static bool is_small(enum region r)
{
    return shapes[r].stride <= OPEN_BATCH_MAX;
}

/* Maps a chunk. Where address space is limited the last of it is left: whoever is told that there
 * is no memory for another process needs some to say so. */
static uint8_t *chunk_map(size_t size, size_t align)
{
    size_t headroom = 0;
    uint8_t *at;

    if (host.is_strict)
        return vmem_reserve(size, align);
    if (!region_is_plentiful()) {
        headroom = HEADROOM_MAX;
        if (headroom > host.address_space / 32)
            headroom = (size_t)(host.address_space / 32) / VMEM_PAGE * VMEM_PAGE;
    }
    at = vmem_map(size + headroom, align);
    if (at && headroom)
        vmem_unmap(at + size, headroom);
    return at;
}

/* A new chunk: as much as the host lets us have, within reason. */
static bool arena_extend(struct arena *a, enum region r)
{
    uint64_t stride = shapes[r].stride, count = OPEN_BATCH;

    if (plenty_cut(a, r))
        return true;
    if (region_is_plentiful())
        count = (r == REGION_LAZY_64M ? ARENA_64M_SIZE : ARENA_SIZE) / stride;
    else if (stride * count > host.address_space / 32)
        count = host.address_space / 32 / stride;
    if (count == 0)
        count = 1;
    if (region_is_lazy(r) && (!atomic_load_explicit(&lazy.missing, memory_order_relaxed) ||
                              atomic_load_explicit(&lazy.is_over, memory_order_relaxed)))
        return false;
    for (; count; count /= 2) {
        size_t size = (size_t)(count * stride);
        size_t align = stride >= (2u << 20) ? 2u << 20 : VMEM_PAGE;
        uint8_t *at = chunk_map(size, align);

        if (at && region_is_lazy(r) && !lazy_add(r, at, size)) {
            vmem_unmap(at, size);
            atomic_store_explicit(&lazy.is_over, true, memory_order_relaxed);
            return false;
        }
        if (at) {
            a->next = a->opened = at;
            a->end = at + size;
            return true;
        }
    }
    return false;
}

/* A block that nobody ever had. */
static uint8_t *arena_cut(struct arena *a, enum region r)
{
    uint64_t stride = shapes[r].stride;
    uint8_t *block;

    if (a->next == a->end && !arena_extend(a, r))
        return NULL;
    block = a->next;
    if (host.is_strict && is_small(r) && block == a->opened) {
        uint64_t batch = OPEN_BATCH * stride, left = (uint64_t)(a->end - block);

        if (batch > left)
            batch = left;
        if (!vmem_open(block, (size_t)batch)) {
            batch = stride;
            if (!vmem_open(block, (size_t)batch))
                return NULL;
        }
        a->opened = block + batch;
    }
    a->next += stride;
    return block;
}

uint8_t *region_take(enum region r, uint64_t size, bool *dirty)
{
    struct arena *a = &arenas[r];
    uint8_t *block = NULL;
    bool has_leftovers = false;

    host_probe();
    mutex_lock(&a->lock);
    if (dirty && a->leftovers.count) {
        block = a->leftovers.items[--a->leftovers.count];
        has_leftovers = true;
    } else if (a->zero.count) {
        block = a->zero.items[--a->zero.count];
    } else {
        block = arena_cut(a, r);
    }
    mutex_unlock(&a->lock);
    if (block && !has_leftovers && !region_extend(r, block, 0, size)) {
        mutex_lock(&a->lock);
        if (!vec_push(&a->zero, block))
            block = NULL; /* lost; there is no memory anyway */
        mutex_unlock(&a->lock);
        block = NULL;
    }
    if (dirty)
        *dirty = has_leftovers;
    return block;
}

bool region_extend(enum region r, uint8_t *block, uint64_t before, uint64_t size)
{
    if (!host.is_strict || is_small(r))
        return true;
    before = (before + VMEM_PAGE - 1) & ~(uint64_t)(VMEM_PAGE - 1);
    size = (size + VMEM_PAGE - 1) & ~(uint64_t)(VMEM_PAGE - 1);
    return size <= before || vmem_open(block + before, (size_t)(size - before));
}

void region_give(enum region r, uint8_t *block, bool is_zero, uint64_t used)
{
    struct arena *a = &arenas[r];
    bool keep = false;

    used = (used + VMEM_PAGE - 1) & ~(uint64_t)(VMEM_PAGE - 1);
    if (!is_zero && r >= REGION_STACK_FIRST && r <= REGION_STACK_LAST) {
        mutex_lock(&a->lock);
        keep = (a->leftovers.count + 1) * shapes[r].stride <= DIRTY_MAX &&
               vec_push(&a->leftovers, block);
        mutex_unlock(&a->lock);
        if (keep)
            return;
    }
    if (host.is_strict && !is_small(r))
        vmem_close(block, (size_t)shapes[r].stride);
    else if (!is_zero && used)
        vmem_discard(&(struct vmem_range){block, (size_t)used}, 1);
    mutex_lock(&a->lock);
    keep = vec_push(&a->zero, block);
    mutex_unlock(&a->lock);
    (void)keep; /* without memory for the list the address space is lost, nothing else */
}

uint64_t region_commit_limit(void)
{
    host_probe();
    return host.memory;
}

uint64_t region_committed(void)
{
    int64_t bytes = atomic_load_explicit(&host.committed, memory_order_relaxed);

    return bytes > 0 ? (uint64_t)bytes : 0;
}

bool region_commit(uint64_t bytes)
{
    int64_t now, allowed;

    host_probe();
    now = atomic_fetch_add_explicit(&host.committed, (int64_t)bytes, memory_order_relaxed) +
          (int64_t)bytes;
    allowed = atomic_load_explicit(&host.allowed, memory_order_relaxed);
    if (LIKELY(now <= allowed))
        return true;
    /* What the kernel has left now, less a reserve for everything else. */
    {
        uint64_t available = vmem_available();
        uint64_t reserve = host.memory / 32 < (256u << 20) ? host.memory / 32 : 256u << 20;

        if (available < reserve + bytes) {
            atomic_fetch_sub_explicit(&host.committed, (int64_t)bytes, memory_order_relaxed);
            return false;
        }
        available -= reserve + bytes;
        allowed = now + (int64_t)(available / 8 < COMMIT_CHECK ? available / 8 : COMMIT_CHECK);
        atomic_store_explicit(&host.allowed, allowed, memory_order_relaxed);
    }
    return true;
}

void region_uncommit(uint64_t bytes)
{
    atomic_fetch_sub_explicit(&host.committed, (int64_t)bytes, memory_order_relaxed);
}
