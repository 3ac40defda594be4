/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Linear memory beyond its first place. The memory of a process begins in its slot and moves alone,
 * only in memory.grow. A `struct memory` is one that several instances share (store.h). */
#ifndef VM_MEMORY_H
#define VM_MEMORY_H

#include "base/vec.h"
#include "vm/instance.h"
#include "vm/region.h"

struct memory {
    uint8_t *base;
    uint64_t length; /* bytes */
    uint64_t max;    /* bytes */
    uint32_t min_pages,
        max_pages; /* as declared, for import matching; max_pages: UINT32_MAX if none */
    enum region region;
    uint64_t opened;
    VEC(struct instance *) users; /* told when it moves */
};

/* A memory of its own; NULL: no memory. `max_pages` UINT32_MAX: none declared. */
struct memory *memory_new(uint32_t min_pages, uint32_t max_pages) MUST_USE;
void memory_free(struct memory *m);

/* The instance uses the memory from now on. */
bool memory_attach(struct memory *m, struct instance *i) MUST_USE;

/* Grows the instance's memory by so many pages; the old size in pages, or UINT32_MAX: refused. The
 * memory may have moved. */
uint32_t memory_grow(struct instance *i, uint64_t pages);

/* Gives back a memory that has left its slot. */
void memory_release(struct instance *i);

/* Copies the pages of `from` that are present; `to` is zero. */
void memory_copy_present(uint8_t *to, const uint8_t *from, uint64_t size);

#endif
