/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One reserved stretch of address space holds the machine code of all modules, so that the
 * preemption handler tells guest code from everything else with a subtraction and one byte. */
#include "vm/code.h"
#include "base/mem.h"
#include "plat/thread.h"
#include "plat/vmem.h"
#include "vm/internal.h"
#include "wasm/module.h"

#include <stdatomic.h>
#include <string.h>

#define ARENA_SIZE_MAX (1ull << 30)
#define ARENA_SIZE_MIN (16ull << 20)
#define ARENA_PAGES    (ARENA_SIZE_MAX / CODE_PAGE)

enum page_kind { PAGE_FREE, PAGE_STUBS, PAGE_FUNCTIONS };

/* Global because signals are: the handler has nothing but the program counter. */
static struct {
    struct mutex lock;
    _Atomic(uint8_t *) base; /* NULL until the first publication */
    uint32_t page_count;
    uint32_t first_free; /* no free page lies before it */
    uint8_t kinds[ARENA_PAGES];
    struct code *owners[ARENA_PAGES]; /* of each page; changes under the lock */
} arena = {.lock = MUTEX_INITIALIZER};

static bool arena_open(void)
{
    struct vmem_limits limits;
    uint64_t size = ARENA_SIZE_MAX;

    if (atomic_load_explicit(&arena.base, memory_order_relaxed))
        return true;
    vmem_limits_get(&limits);
    while (size > ARENA_SIZE_MIN && size > limits.address_space / 16)
        size /= 2;
    for (; size >= ARENA_SIZE_MIN; size /= 2) {
        uint8_t *at = vmem_reserve(size, CODE_PAGE);

        if (at) {
            arena.page_count = (uint32_t)(size / CODE_PAGE);
            atomic_store_explicit(&arena.base, at, memory_order_release);
            return true;
        }
    }
    return false;
}

/* First fit. page_count: nothing is free. */
static uint32_t pages_find(uint32_t wanted)
{
    uint32_t run = 0;

    for (uint32_t p = arena.first_free; p < arena.page_count; p++) {
        run = arena.kinds[p] == PAGE_FREE ? run + 1 : 0;
        if (run == wanted)
            return p + 1 - wanted;
    }
    return arena.page_count;
}

bool code_publish(struct code *c, struct error *err)
{
    uint32_t pages = (uint32_t)((c->size + CODE_PAGE - 1) / CODE_PAGE);
    uint32_t first;
    uint8_t *at;
    bool ok = false;

    ASSERT(c->bytes && !c->base && c->stubs_size % CODE_PAGE == 0);
    if (c->size > ARENA_SIZE_MAX)
        return fail(err, ERR_LIMIT, "machine code of %zu bytes, at most %llu", c->size,
                    ARENA_SIZE_MAX);
    if (pages == 0)
        pages = 1;
    mutex_lock(&arena.lock);
    if (!arena_open()) {
        fail(err, ERR_NO_MEMORY, "no address space for machine code");
        goto out;
    }
    first = pages_find(pages);
    if (first == arena.page_count) {
        fail(err, ERR_LIMIT, "no room for %zu bytes of machine code", c->size);
        goto out;
    }
    at = atomic_load_explicit(&arena.base, memory_order_relaxed) + (size_t)first * CODE_PAGE;
    if (!vmem_code_publish(at, c->bytes, c->size)) {
        fail(err, ERR_NO_MEMORY, "cannot map %zu bytes of machine code", c->size);
        goto out;
    }
    for (uint32_t p = 0; p < pages; p++) {
        arena.kinds[first + p] =
            (size_t)p * CODE_PAGE < c->stubs_size ? PAGE_STUBS : PAGE_FUNCTIONS;
        arena.owners[first + p] = c;
    }
    if (first == arena.first_free)
        arena.first_free = first + pages;
    mem_free(c->bytes);
    c->bytes = NULL;
    c->base = at;
    ok = true;
out:
    mutex_unlock(&arena.lock);
    return ok;
}

static void unpublish(struct code *c)
{
    uint8_t *base = atomic_load_explicit(&arena.base, memory_order_relaxed);
    uint32_t first = (uint32_t)((size_t)(c->base - base) / CODE_PAGE);
    uint32_t pages = (uint32_t)((c->size + CODE_PAGE - 1) / CODE_PAGE);

    if (pages == 0)
        pages = 1;
    mutex_lock(&arena.lock);
    vmem_code_discard(base + (size_t)first * CODE_PAGE, c->size ? c->size : 1);
    memset(arena.kinds + first, PAGE_FREE, pages);
    memset(arena.owners + first, 0, pages * sizeof(arena.owners[0]));
    if (first < arena.first_free)
        arena.first_free = first;
    mutex_unlock(&arena.lock);
}

size_t code_memory(const struct code *c)
{
    return sizeof(*c) + c->size + c->range_count * sizeof(c->ranges[0]) +
           c->site_count * sizeof(c->sites[0]) + c->entry_count * sizeof(c->entries[0]) +
           c->type_count * sizeof(c->thunks[0]);
}

void code_free(struct code *c)
{
    if (!c)
        return;
    if (c->base)
        unpublish(c);
    mem_free(c->bytes);
    mem_free(c->ranges);
    mem_free(c->sites);
    mem_free(c->entries);
    mem_free(c->thunks);
    mem_free(c);
}

static size_t page_of(const void *pc)
{
    uint8_t *base = atomic_load_explicit(&arena.base, memory_order_acquire);

    return base ? ((uintptr_t)pc - (uintptr_t)base) / CODE_PAGE : SIZE_MAX;
}

bool code_is_preemptible(const void *pc)
{
    size_t page = page_of(pc);

    return page < arena.page_count && arena.kinds[page] == PAGE_FUNCTIONS;
}

const struct code *code_at(const void *pc)
{
    size_t page = page_of(pc);

    return page < arena.page_count ? arena.owners[page] : NULL;
}

const struct code_range *code_range_at(const struct code *c, const void *pc)
{
    uint32_t low = 0, high = c->range_count, offset;

    if ((uintptr_t)pc < (uintptr_t)c->base || (uintptr_t)pc - (uintptr_t)c->base >= c->size)
        return NULL;
    offset = (uint32_t)((uintptr_t)pc - (uintptr_t)c->base);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct code_range *r = &c->ranges[middle];

        if (offset < r->begin)
            high = middle;
        else if (offset >= r->end)
            low = middle + 1;
        else
            return r;
    }
    return NULL;
}

const struct code_site *code_site_at(const struct code *c, const void *pc)
{
    uint32_t low = 0, high = c->site_count, offset;

    if ((uintptr_t)pc < (uintptr_t)c->base || (uintptr_t)pc - (uintptr_t)c->base > c->size)
        return NULL;
    offset = (uint32_t)((uintptr_t)pc - (uintptr_t)c->base);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (offset < c->sites[middle].pc)
            high = middle;
        else if (offset > c->sites[middle].pc)
            low = middle + 1;
        else
            return &c->sites[middle];
    }
    return NULL;
}

/* Canonical types: an append-only hash set. Ids are never given back, so equal types of all modules
 * ever loaded agree; therefore there may be so many and no more. */
struct type_entry {
    uint32_t hash, id;
    struct type_entry *next;
    uint32_t param_count, result_count;
    uint8_t types[]; /* parameters, then results */
};

static struct {
    struct mutex lock;
    struct type_entry **buckets;
    uint32_t bucket_count, count;
    size_t size; /* of all entries */
} types = {.lock = MUTEX_INITIALIZER};

static bool types_grow(void)
{
    uint32_t count = types.bucket_count ? types.bucket_count * 2 : 64;
    struct type_entry **buckets = mem_try_array(struct type_entry *, count);

    if (!buckets)
        return types.bucket_count > 0; /* chains get longer */
    for (uint32_t b = 0; b < types.bucket_count; b++) {
        while (types.buckets[b]) {
            struct type_entry *e = types.buckets[b];

            types.buckets[b] = e->next;
            e->next = buckets[e->hash & (count - 1)];
            buckets[e->hash & (count - 1)] = e;
        }
    }
    mem_free(types.buckets);
    types.buckets = buckets;
    types.bucket_count = count;
    return true;
}

uint32_t type_intern(const struct functype *t)
{
    uint32_t hash = 2166136261u, id = 0;
    size_t size = sizeof(struct type_entry) + t->param_count + t->result_count;
    struct type_entry *e;

    for (uint32_t i = 0; i < t->param_count; i++)
        hash = (hash ^ t->params[i]) * 16777619u;
    hash = (hash ^ 0xff) * 16777619u;
    for (uint32_t i = 0; i < t->result_count; i++)
        hash = (hash ^ t->results[i]) * 16777619u;
    hash ^= hash >> 15;
    mutex_lock(&types.lock);
    if (types.count >= types.bucket_count && !types_grow())
        goto out;
    for (e = types.buckets[hash & (types.bucket_count - 1)]; e; e = e->next) {
        if (e->hash == hash && e->param_count == t->param_count &&
            e->result_count == t->result_count &&
            (t->param_count == 0 || memcmp(e->types, t->params, t->param_count) == 0) &&
            (t->result_count == 0 ||
             memcmp(e->types + t->param_count, t->results, t->result_count) == 0)) {
            id = e->id;
            goto out;
        }
    }
    if (size > TYPES_SIZE_MAX - types.size || !(e = mem_try_alloc(1, size)))
        goto out;
    types.size += size;
    *e = (struct type_entry){.hash = hash,
                             .id = ++types.count,
                             .param_count = t->param_count,
                             .result_count = t->result_count};
    if (t->param_count)
        memcpy(e->types, t->params, t->param_count);
    if (t->result_count)
        memcpy(e->types + t->param_count, t->results, t->result_count);
    e->next = types.buckets[hash & (types.bucket_count - 1)];
    types.buckets[hash & (types.bucket_count - 1)] = e;
    id = e->id;
out:
    mutex_unlock(&types.lock);
    return id;
}
