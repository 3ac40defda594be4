/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/tag_index.h"
#include "base/mem.h"

#define SLOTS_MIN 32

static size_t home(const struct tag_index *ix, int64_t tag)
{
    uint64_t h = ((uint64_t)tag ^ ix->seed) * 0x9e3779b97f4a7c15ull;

    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull;
    return (size_t)(h ^ (h >> 32)) & (ix->slot_count - 1);
}

struct tag_index *tag_index_new(void)
{
    struct tag_index *ix = mem_try(struct tag_index);

    if (!ix)
        return NULL;
    ix->slots = mem_try_array(struct tag_queue, SLOTS_MIN);
    if (!ix->slots) {
        mem_free(ix);
        return NULL;
    }
    ix->slot_count = SLOTS_MIN;
    ix->seed = (uint64_t)(uintptr_t)ix * 0xff51afd7ed558ccdull; /* guests see no addresses */
    return ix;
}

void tag_index_free(struct tag_index *ix)
{
    if (ix)
        mem_free(ix->slots);
    mem_free(ix);
}

/* The slot of `tag`, or the free one where it would be. */
static struct tag_queue *probe(struct tag_index *ix, int64_t tag)
{
    size_t i = home(ix, tag);

    ix->steps++;
    while (ix->slots[i].tag != 0 && ix->slots[i].tag != tag) {
        i = (i + 1) & (ix->slot_count - 1);
        ix->steps++;
    }
    return &ix->slots[i];
}

static bool grow(struct tag_index *ix)
{
    struct tag_index bigger = *ix;

    bigger.slot_count *= 2;
    bigger.slots = mem_try_array(struct tag_queue, bigger.slot_count);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < ix->slot_count; i++) {
        if (ix->slots[i].tag != 0)
            *probe(&bigger, ix->slots[i].tag) = ix->slots[i];
    }
    mem_free(ix->slots);
    *ix = bigger;
    return true;
}

bool tag_index_add(struct tag_index *ix, struct message *m)
{
    struct tag_queue *q = probe(ix, m->tag);

    if (q->tag == 0) {
        if (ix->count >= ix->slot_count - ix->slot_count / 4) {
            if (!grow(ix))
                return false;
            q = probe(ix, m->tag);
        }
        *q = (struct tag_queue){m->tag, m, m};
        ix->count++;
    } else {
        q->last->next_same = m;
        q->last = m;
    }
    m->next_same = NULL;
    return true;
}

struct tag_queue *tag_index_find(struct tag_index *ix, int64_t tag)
{
    struct tag_queue *q;

    if (tag == 0)
        return NULL;
    q = probe(ix, tag);
    return q->tag == tag ? q : NULL;
}

/* Frees slot `i` and moves later ones back, so that every probe still ends at the right place. */
static void vacate(struct tag_index *ix, size_t i)
{
    size_t mask = ix->slot_count - 1;

    for (size_t j = (i + 1) & mask; ix->slots[j].tag != 0; j = (j + 1) & mask) {
        if (((j - home(ix, ix->slots[j].tag)) & mask) >= ((j - i) & mask)) {
            ix->slots[i] = ix->slots[j];
            i = j;
        }
    }
    ix->slots[i] = (struct tag_queue){0};
    ix->count--;
}

void tag_index_remove(struct tag_index *ix, struct message *m, struct message *before)
{
    struct tag_queue *q = tag_index_find(ix, m->tag);

    ASSERT(q && (before ? before->next_same == m : q->first == m));
    if (before)
        before->next_same = m->next_same;
    else
        q->first = m->next_same;
    if (q->last == m)
        q->last = before;
    m->next_same = NULL;
    if (!q->first)
        vacate(ix, (size_t)(q - ix->slots));
}
