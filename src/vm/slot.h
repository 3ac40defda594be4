/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Slots: where instances live. A slot is a block of a region:
 *
 *     low                      hot (page-aligned)                              low + stride
 *     | native stack, grows down ...top | struct slot | fiber | extra | instance, globals | memory
 * ... |
 *
 * The stack's top, everything that generated code reaches through its instance register and, by
 * choice of the program's phase, the busiest bytes of linear memory share the hot page. A slot
 * remembers which of its pages are present. When its instance ends, those are zeroed (or get their
 * part of the program's image back), and the slot is *pending* until it is proved that no other
 * page came to be present: by the fault counter of the thread, for up to 64 slots at once, else by
 * asking the kernel which pages there are. In lazy slots (region.h) pages of the image are absent
 * until they are touched. Nothing leaves *pending* unverified, so reuse never
 * shows one instance what another one wrote.
 *
 * A slot cache belongs to one worker thread; only the functions that say so take locks. */
#ifndef VM_SLOT_H
#define VM_SLOT_H

#include "vm/instance.h"
#include "vm/region.h"
#include "vm/usual.h"

struct program;
struct slot_cache;

#define SLOT_STACK_AREA 1536u /* bytes of the hot page that the native stack begins in */
#define SLOT_WINDOW                                                                                \
    512u /* pages from `low` that `present` covers; others are absent in free slots */

struct slot {
    struct slot *next; /* among the free or the pending */
    uint8_t *low;
    uint64_t present[SLOT_WINDOW / 64]; /* bit per page from low: it holds memory of this slot */
    uint64_t image; /* id of the program whose image is in place; 0: memory is zero */
    const struct slot_layout *layout; /* of `image`, while an instance lives */
    uint64_t faults;     /* the cache's count of checks that saw faults, at birth of the instance */
    uint64_t scan_size;  /* pending: bytes from hot that the instance could write to */
    uint64_t opened;     /* bytes from low that are usable (strict overcommit) */
    uint64_t memory_max; /* bytes: limit of this instance's memory */
    uint64_t memory_capacity; /* bytes that memory_length may grow to where the memory is */
    uint8_t *moved;           /* linear memory, if it has left the slot */
    uint64_t moved_opened;
    uint64_t committed; /* bytes that growing added to the accounting */
    uint32_t table_max;
    uint32_t memory_offset; /* of the linear memory from hot */
    uint32_t worker;        /* that alone ran it */
    uint32_t hot;           /* offset of the hot page from low */
    uint32_t row_end;       /* lazy: page from low behind the last zero page that came */
    uint8_t region;
    uint8_t moved_region;
    bool owns_tables; /* instance->tables is its own array */
    bool is_foreign;  /* pages may be present that nobody has counted: scan */
    uint8_t row;      /* lazy: so many of them came in a row */
    bool is_sample;   /* lazy: its touches tell what is usual in its program */
};

/* The layout that all slots of a program have. Offsets are from the hot page. */
struct slot_layout {
    uint64_t image_id;
    enum region region;
    uint32_t fiber, extra, instance, end; /* of each part; end: of the globals */
    uint32_t memory_offset;
    /* Pages that begin as something else than zero: page numbers from the hot page, ascending, and
     * their contents. Of the pages before the memory begins only the memory's part counts. */
    uint32_t page_count;
    const uint32_t *pages;
    const uint8_t *contents; /* page_count * VMEM_PAGE */
    struct usual *usual;     /* of lazy ones */
};

/* Where fiber and embedder's area are in the hot page, of whatever program. */
#define SLOT_ALIGN(n, to) (((n) + (to) - 1) & ~(size_t)((to) - 1))
#define SLOT_FIBER        SLOT_ALIGN(SLOT_STACK_AREA + sizeof(struct slot), 64)
#define SLOT_EXTRA        SLOT_ALIGN(SLOT_FIBER + sizeof(struct fiber), 16)

struct slot_cache *slot_cache_new(uint32_t worker);
void slot_cache_free(struct slot_cache *c);

/* A slot with the image in place and memory otherwise zero, its header filled in (low, hot,
 * present, image, region, memory_offset, worker); other parts up to layout->end hold garbage.
 * `memory_size` is the first length of the memory. NULL: refused. */
struct slot *slot_take(struct slot_cache *c, const struct slot_layout *l, uint64_t memory_size);

/* Wipes and keeps it for later. `memory_size`: how far the instance's memory reached within the
 * slot. */
void slot_give(struct slot_cache *c, struct slot *s, const struct slot_layout *l,
               uint64_t memory_size);

/* Empties the slot's own memory of `memory_size` bytes, which has been copied elsewhere. */
void slot_abandon_memory(struct slot *s, uint64_t memory_size);

/* Of an instance in a lazy slot: makes the rest of the image present. */
void slot_complete(struct slot *s);

/* See vm_make_lazy. */
void slots_make_lazy(void);
bool slots_are_lazy(void);

static inline uint8_t *slot_hot(const struct slot *s)
{
    return s->low + s->hot;
}

static inline struct slot *slot_at_hot(uint8_t *hot)
{
    return (struct slot *)(void *)(hot + SLOT_STACK_AREA);
}

/* Counts of the whole program. Any thread. */
uint64_t slots_live(void);
uint64_t slots_retained(void);

#endif
