/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/memory.h"
#include "base/mem.h"
#include "plat/vmem.h"
#include "vm/program_internal.h"

#include <string.h>

#define GROWTH_ROOM                                                                                \
    4u /* a memory that moves gets room for so many times its size, if that costs nothing */

void memory_copy_present(uint8_t *to, const uint8_t *from, uint64_t size)
{
    uint64_t words[SLOT_WINDOW / 64];
    const uint8_t *end = from + size;
    uintptr_t first = (uintptr_t)from & ~(uintptr_t)(VMEM_PAGE - 1);

    for (uintptr_t chunk = first; chunk < (uintptr_t)end; chunk += SLOT_WINDOW * VMEM_PAGE) {
        size_t pages = ((uintptr_t)end - chunk + VMEM_PAGE - 1) / VMEM_PAGE;

        if (pages > SLOT_WINDOW)
            pages = SLOT_WINDOW;
        if (!vmem_present((const void *)chunk, pages, words))
            memset(words, 0xff, sizeof(words));
        for (size_t p = 0; p < pages; p++) {
            uintptr_t begin = chunk + p * VMEM_PAGE, stop = begin + VMEM_PAGE;

            if (!(words[p / 64] >> (p % 64) & 1))
                continue;
            if (begin < (uintptr_t)from)
                begin = (uintptr_t)from;
            if (stop > (uintptr_t)end)
                stop = (uintptr_t)end;
            memcpy(to + (begin - (uintptr_t)from), (const void *)begin, stop - begin);
        }
    }
}

struct memory *memory_new(uint32_t min_pages, uint32_t max_pages)
{
    struct memory *m = mem_try(struct memory);
    uint64_t size = (uint64_t)min_pages * MEMORY_PAGE_SIZE;

    if (!m)
        return NULL;
    m->min_pages = min_pages;
    m->max_pages = max_pages;
    m->length = size;
    m->max =
        (uint64_t)(max_pages < MEMORY_PAGES_MAX ? max_pages : MEMORY_PAGES_MAX) * MEMORY_PAGE_SIZE;
    m->region = region_for(size);
    m->opened = size;
    m->base = m->region == REGION_COUNT ? NULL : region_take(m->region, size, NULL);
    if (!m->base) {
        mem_free(m);
        return NULL;
    }
    return m;
}

void memory_free(struct memory *m)
{
    if (!m)
        return;
    region_give(m->region, m->base, false, m->length);
    vec_deinit(&m->users);
    mem_free(m);
}

bool memory_attach(struct memory *m, struct instance *i)
{
    if (!vec_push(&m->users, i))
        return false;
    i->memory = m;
    i->memory_base = m->base;
    i->memory_length = m->length;
    return true;
}

static uint32_t shared_grow(struct memory *m, uint64_t pages)
{
    uint64_t length = m->length + pages * MEMORY_PAGE_SIZE;
    uint32_t before = (uint32_t)(m->length / MEMORY_PAGE_SIZE);

    if (length > m->max)
        return UINT32_MAX;
    if (length > region_stride(m->region)) {
        enum region r = region_for(length);
        uint8_t *base = r == REGION_COUNT ? NULL : region_take(r, length, NULL);

        if (!base)
            return UINT32_MAX;
        memory_copy_present(base, m->base, m->length);
        region_give(m->region, m->base, false, m->length);
        m->base = base;
        m->region = r;
        m->opened = length;
    } else if (length > m->opened) {
        if (!region_extend(m->region, m->base, m->opened, length))
            return UINT32_MAX;
        m->opened = length;
    }
    m->length = length;
    for (size_t u = 0; u < m->users.count; u++) {
        m->users.items[u]->memory_base = m->base;
        m->users.items[u]->memory_length = length;
    }
    return before;
}

/* Out of the slot, or out of the block it has moved to, into one with room for `length` bytes. */
static bool move(struct instance *i, struct slot *s, uint64_t length)
{
    uint64_t wanted = length;
    enum region r;
    uint8_t *base;

    if (wanted < s->memory_max / GROWTH_ROOM && wanted < (1u << 30))
        wanted *= GROWTH_ROOM;
    r = region_for(wanted);
    if (r == REGION_COUNT)
        r = region_for(length);
    base = r == REGION_COUNT ? NULL : region_take(r, length, NULL);
    if (!base)
        return false;
    if (!s->moved)
        slot_complete(s);
    memory_copy_present(base, i->memory_base, i->memory_length);
    if (s->moved)
        region_give(s->moved_region, s->moved, false, i->memory_length);
    else
        slot_abandon_memory(s, i->memory_length);
    s->moved = base;
    s->moved_region = (uint8_t)r;
    s->moved_opened = length;
    s->memory_capacity = region_stride(r);
    i->memory_base = base;
    if (s->region == i->program->layout.region || s->region == i->program->lazy.region)
        atomic_fetch_add_explicit(&i->program->moves, 1, memory_order_relaxed);
    return true;
}

/* Strict overcommit: makes the new part usable where the memory is. */
static bool extend(struct instance *i, struct slot *s, uint64_t length)
{
    uint64_t *opened = s->moved ? &s->moved_opened : &s->opened;
    uint8_t *block = s->moved ? s->moved : s->low;
    uint64_t wanted = (uint64_t)(i->memory_base - block) + length;

    if (wanted <= *opened)
        return true;
    if (!region_extend(s->moved ? s->moved_region : s->region, block, *opened, wanted))
        return false;
    *opened = wanted;
    return true;
}

uint32_t memory_grow(struct instance *i, uint64_t pages)
{
    struct slot *s;
    uint64_t length;
    uint32_t before = (uint32_t)(i->memory_length / MEMORY_PAGE_SIZE);

    if (pages > MEMORY_PAGES_MAX)
        return UINT32_MAX;
    if (i->memory)
        return shared_grow(i->memory, pages);
    s = instance_slot(i);
    length = i->memory_length + pages * MEMORY_PAGE_SIZE;
    if (length > s->memory_max)
        return UINT32_MAX;
    if (pages == 0)
        return before;
    if (!region_commit(pages * MEMORY_PAGE_SIZE))
        return UINT32_MAX;
    s->committed += pages * MEMORY_PAGE_SIZE;
    if (!(length > s->memory_capacity ? move(i, s, length) : extend(i, s, length))) {
        s->committed -= pages * MEMORY_PAGE_SIZE;
        region_uncommit(pages * MEMORY_PAGE_SIZE);
        return UINT32_MAX;
    }
    i->memory_length = length;
    return before;
}

void memory_release(struct instance *i)
{
    struct slot *s = instance_slot(i);

    region_give(s->moved_region, s->moved, false, i->memory_length);
    s->moved = NULL;
}
