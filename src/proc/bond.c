/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/bond.h"
#include "base/mem.h"

#define SCAN_MAX  8 /* with more bonds than this there is an index */
#define SLOTS_MIN 32

/* Chains of bonds by (process id, kind). */
struct bond_index {
    size_t slot_count; /* a power of two */
    struct bond *slots[];
};

static struct bond **slot(struct bond_index *ix, uint64_t kind, uint64_t process_id)
{
    uint64_t h = (process_id * BOND_KIND_COUNT + kind) * 0x9e3779b97f4a7c15ull;

    return &ix->slots[(size_t)(h ^ (h >> 32)) & (ix->slot_count - 1)];
}

/* Builds an index for twice the present number of bonds. */
static void build_index(struct bonds *b)
{
    size_t slot_count = SLOTS_MIN;
    struct bond_index *ix;

    while (slot_count < (size_t)b->count * 2)
        slot_count *= 2;
    mem_free(b->index);
    ix = mem_alloc(1, sizeof(*ix) + slot_count * sizeof(ix->slots[0]));
    ix->slot_count = slot_count;
    for (struct bond *bond = b->first; bond; bond = bond->next) {
        struct bond **at = slot(ix, bond->kind, bond->process_id);

        bond->next_hashed = *at;
        *at = bond;
    }
    b->index = ix;
}

struct bond *bonds_find(const struct bonds *b, enum bond_kind kind, uint64_t process_id)
{
    struct bond *bond;

    if (b->index) {
        bond = *slot(b->index, kind, process_id);
        while (bond && (bond->process_id != process_id || bond->kind != kind))
            bond = bond->next_hashed;
        return bond;
    }
    bond = b->first;
    while (bond && (bond->process_id != process_id || bond->kind != kind))
        bond = bond->next;
    return bond;
}

void bonds_set(struct bonds *b, struct actors *a, enum bond_kind kind, uint64_t process_id,
               int64_t tag)
{
    struct bond *bond = bonds_find(b, kind, process_id);
    uint32_t worker;

    if (bond) {
        bond->tag = tag;
        return;
    }
    worker = actors_worker(a);
    bond = pool_take_reserved(&a->bonds, worker);
    ASSERT(bond); /* as many bonds as messages can exist, which is more than memory holds */
    *bond = (struct bond){NULL, b->last, NULL, process_id, tag, kind};
    if (b->last)
        b->last->next = bond;
    else
        b->first = bond;
    b->last = bond;
    b->count++;
    b->link_count += kind == BOND_LINK;
    if (kind == BOND_LINK)
        counts_add(&a->counts, worker, COUNT_LINKS_MADE, 1);
    if (b->index && b->count <= b->index->slot_count) {
        struct bond **at = slot(b->index, kind, process_id);

        bond->next_hashed = *at;
        *at = bond;
    } else if (b->count > SCAN_MAX) {
        build_index(b);
    }
}

bool bonds_remove(struct bonds *b, struct actors *a, enum bond_kind kind, uint64_t process_id)
{
    struct bond *bond = bonds_find(b, kind, process_id);
    uint32_t worker;

    if (!bond)
        return false;
    worker = actors_worker(a);
    if (b->index) {
        struct bond **at = slot(b->index, kind, process_id);

        while (*at != bond)
            at = &(*at)->next_hashed;
        *at = bond->next_hashed;
    }
    if (bond->prev)
        bond->prev->next = bond->next;
    else
        b->first = bond->next;
    if (bond->next)
        bond->next->prev = bond->prev;
    else
        b->last = bond->prev;
    b->count--;
    b->link_count -= kind == BOND_LINK;
    if (kind == BOND_LINK)
        counts_add(&a->counts, worker, COUNT_LINKS_ENDED, 1);
    pool_give(&a->bonds, worker, bond);
    if (b->count == 0) {
        mem_free(b->index);
        b->index = NULL;
    }
    return true;
}

void bonds_drop_first(struct bonds *b, struct actors *a)
{
    struct bond *first = b->first;
    uint32_t worker = actors_worker(a);

    mem_free(b->index);
    b->index = NULL;
    b->first = first->next;
    if (b->first)
        b->first->prev = NULL;
    else
        b->last = NULL;
    b->count--;
    b->link_count -= first->kind == BOND_LINK;
    if (first->kind == BOND_LINK)
        counts_add(&a->counts, worker, COUNT_LINKS_ENDED, 1);
    pool_give(&a->bonds, worker, first);
}

void bonds_deinit(struct bonds *b, struct actors *a)
{
    struct bond *next;
    uint32_t worker;

    if (!b->first)
        return;
    worker = actors_worker(a);
    if (b->link_count > 0)
        counts_add(&a->counts, worker, COUNT_LINKS_ENDED, b->link_count);
    for (struct bond *bond = b->first; bond; bond = next) {
        next = bond->next;
        pool_give(&a->bonds, worker, bond);
    }
    mem_free(b->index);
    *b = (struct bonds){0};
}
