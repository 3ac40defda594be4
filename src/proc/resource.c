/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/resource.h"
#include "base/mem.h"
#include "proc/process.h"

/* Ids only grow, so a table is an array in the order of ids; what was taken out leaves a hole until
 * half of the array is holes. */
struct entry {
    uint64_t id;
    struct resource *object; /* NULL: a hole */
};

/* A table beyond its first entries counts against the machine's memory: each entry as much as most
 * objects take at most (an error with its words). What is larger counts for itself. */
#define ENTRIES_FREE 64u
#define ENTRY_CHARGE 512u

static uint64_t charge_of(size_t capacity)
{
    return capacity > ENTRIES_FREE ? (uint64_t)capacity * ENTRY_CHARGE : 0;
}

struct table {
    struct entry *entries;
    size_t count, capacity;
    size_t live; /* entries that are no holes */
    uint64_t next_id;
    uint64_t expire_at; /* resource_expire looks when there are so many */
};

struct resources {
    uint64_t live;                  /* in all tables */
    size_t swept_kind, swept_count; /* how far resources_sweep has come: tables, entries of one */
    struct table tables[RESOURCE_KIND_COUNT];
};

/* Another worker may read the pointer, to prefetch. */
static struct resources *set_tables(struct process *p, struct resources *all)
{
    __atomic_store_n(&p->resources, all, __ATOMIC_RELAXED);
    return all;
}

static struct table *table_of(const struct process *p, enum resource_kind kind)
{
    return p->resources ? &p->resources->tables[kind] : NULL;
}

static bool grow(struct table *t)
{
    size_t capacity = t->capacity ? t->capacity * 2 : 4;
    uint64_t charge = charge_of(capacity) - charge_of(t->capacity);
    struct entry *entries;

    if (charge != 0 && !mem_charge(charge))
        return false;
    entries = mem_try_realloc(t->entries, capacity, sizeof(*entries));
    if (!entries) {
        mem_uncharge(charge);
        return false;
    }
    t->entries = entries;
    t->capacity = capacity;
    return true;
}

bool resource_add(struct process *p, struct resource *r, uint64_t *id)
{
    struct table *t;

    if (!p->resources && !set_tables(p, mem_try(struct resources)))
        return false;
    if (p->resources->live >= p->config->resource_count_max)
        return false;
    t = table_of(p, (enum resource_kind)r->kind);
    if (t->count == t->capacity && !grow(t))
        return false;
    *id = t->next_id++;
    t->entries[t->count++] = (struct entry){*id, r};
    t->live++;
    p->resources->live++;
    return true;
}

/* The first entry whose id is at least `id`; t->count: none. */
static size_t lower_bound(const struct table *t, uint64_t id)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->entries[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *find(const struct table *t, uint64_t id)
{
    size_t i;

    if (!t || t->live == 0)
        return NULL;
    i = lower_bound(t, id);
    return i < t->count && t->entries[i].id == id && t->entries[i].object ? &t->entries[i] : NULL;
}

struct resource *resource_get(const struct process *p, enum resource_kind kind, uint64_t id)
{
    struct entry *e = find(table_of(p, kind), id);

    return e ? e->object : NULL;
}

static void close_holes(struct table *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++) {
        if (t->entries[i].object)
            t->entries[kept++] = t->entries[i];
    }
    t->count = kept;
}

bool resource_replace(struct process *p, enum resource_kind kind, uint64_t id, struct resource *r)
{
    struct entry *e = find(table_of(p, kind), id);

    if (!e)
        return false;
    resource_unref(e->object);
    e->object = r;
    return true;
}

struct resource *resource_take(struct process *p, enum resource_kind kind, uint64_t id)
{
    struct table *t = table_of(p, kind);
    struct entry *e = find(t, id);
    struct resource *r;

    if (!e)
        return NULL;
    r = e->object;
    e->object = NULL;
    t->live--;
    p->resources->live--;
    if (t->live * 2 <= t->count)
        close_holes(t);
    return r;
}

uint64_t resource_count(const struct process *p, enum resource_kind kind)
{
    const struct table *t = table_of(p, kind);

    return t ? t->live : 0;
}

struct resource *resource_next(const struct process *p, enum resource_kind kind, uint64_t *id)
{
    const struct table *t = table_of(p, kind);

    if (!t)
        return NULL;
    for (size_t i = lower_bound(t, *id); i < t->count; i++) {
        if (t->entries[i].object) {
            *id = t->entries[i].id;
            return t->entries[i].object;
        }
    }
    return NULL;
}

#define EXPIRE_MIN 64

void resource_expire(struct process *p, enum resource_kind kind, uint64_t count_max,
                     bool (*is_over)(const struct resource *r))
{
    struct table *t = table_of(p, kind);

    if (!t || (t->live < count_max && t->live < (t->expire_at ? t->expire_at : EXPIRE_MIN)))
        return;
    for (size_t i = 0; i < t->count; i++) {
        struct resource *r = t->entries[i].object;

        if (r && is_over(r)) {
            t->entries[i].object = NULL;
            t->live--;
            p->resources->live--;
            resource_unref(r);
        }
    }
    close_holes(t);
    t->expire_at = t->live * 2 > EXPIRE_MIN ? t->live * 2 : EXPIRE_MIN;
}

bool resources_sweep(struct process *p, size_t count)
{
    struct resources *all = p->resources;

    if (!all)
        return true;
    for (; all->swept_kind < RESOURCE_KIND_COUNT; all->swept_kind++) {
        struct table *t = &all->tables[all->swept_kind];

        for (; all->swept_count < t->count; all->swept_count++) {
            struct resource *r = t->entries[all->swept_count].object;

            if (r && count-- == 0)
                return false;
            resource_unref(r);
        }
        mem_free(t->entries);
        mem_uncharge(charge_of(t->capacity));
        t->entries = NULL;
        t->capacity = 0;
        all->swept_count = 0;
    }
    set_tables(p, NULL);
    mem_free(all);
    return true;
}
