/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Address space in blocks of a few sizes, cut from huge arenas: what slots, moved memories and
 * moved stacks lie in. However many blocks there are, they are a handful of mappings of the kernel.
 *
 * Arenas are mapped in chunks when first needed; where address space is plentiful, the first chunks
 * of all are one mapping of 20 TB, made at once. Where the kernel wants every byte promised (strict
 * overcommit), chunks are only reserved, and blocks are opened: small ones 64 at a time, large ones
 * as far as they are used. Any thread. */
#ifndef VM_REGION_H
#define VM_REGION_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* REGION(NAME, stride, low): `low` is the native stack's share when the block is a slot. */
#define REGIONS(REGION)                                                                            \
    REGION(96K, 96ull << 10, 20u << 10)                                                            \
    REGION(160K, 160ull << 10, 24u << 10)                                                          \
    REGION(320K, 320ull << 10, 32u << 10)                                                          \
    REGION(1216K, 1216ull << 10, 48u << 10)                                                        \
    REGION(4M, 4ull << 20, 768u << 10)                                                             \
    REGION(16M, 16ull << 20, 768u << 10)                                                           \
    REGION(64M, 64ull << 20, 768u << 10)                                                           \
    REGION(256M, 256ull << 20, 768u << 10)                                                         \
    REGION(1G, 1ull << 30, 768u << 10)                                                             \
    REGION(4G, (4ull << 30) + (2ull << 20), 768u << 10)                                            \
    REGION(STACK_64K, 64ull << 10, 0)                                                              \
    REGION(STACK_512K, 512ull << 10, 0)                                                            \
    REGION(STACK_4M, 4ull << 20, 0)                                                                \
    REGION(STACK_16M, 16ull << 20, 0)                                                              \
    REGION(LAZY, 1216ull << 10, 48u << 10)                                                         \
    REGION(LAZY_64M, 64ull << 20, 48u << 10)

enum region {
#define REGION(name, stride, low) REGION_##name,
    REGIONS(REGION)
#undef REGION
        REGION_COUNT
};
#define REGION_MEMORY_LAST REGION_4G
#define REGION_STACK_FIRST REGION_STACK_64K
#define REGION_STACK_LAST  REGION_STACK_16M

uint64_t region_stride(enum region r);
uint32_t region_low(enum region r);

/* Reserves what arenas begin with where address space is plentiful; else, and by who does not call
 * it, that is done when it is first needed. Any thread. */
void region_start(void);

/* The region for a memory (or slot) of `size` bytes; REGION_COUNT: none is large enough. Where
 * address space is plentiful, sizes that cost the same page tables are rounded up to one that grows
 * in place. */
enum region region_for(uint64_t size);

/* A block of which the first `size` bytes (at least) are usable; NULL: refused. Its contents are
 * zero, unless `dirty` is not NULL: then a block with anybody's leftovers may be given (stacks),
 * and *dirty says so. */
uint8_t *region_take(enum region r, uint64_t size, bool *dirty) MUST_USE;

/* Makes the first `size` bytes of a block usable, `before` of which are already. False: refused. */
bool region_extend(enum region r, uint8_t *block, uint64_t before, uint64_t size) MUST_USE;

/* Takes a block back. `is_zero`: all of it reads as zero; else its first `used` bytes are
 * discarded, or kept for a taker who does not mind. */
void region_give(enum region r, uint8_t *block, bool is_zero, uint64_t used);

/* Whether the machine has memory for `bytes` more. Counts what slots commit against the limit of
 * the machine or the cgroup, and asks the kernel now and then. */
bool region_commit(uint64_t bytes) MUST_USE;
void region_uncommit(uint64_t bytes);
uint64_t region_commit_limit(void);
uint64_t region_committed(void); /* bytes counted at this moment */

/* Blocks of lazy regions have no page until it is touched: then `missing` is called with the page,
 * the block it is in and its region (see vmem.h). False: this host has no such thing, and the
 * region gives no blocks. Startup only. */
typedef bool region_missing_fn(uint8_t *page, uint8_t *block, enum region r);
bool region_lazy_start(region_missing_fn *missing) MUST_USE;
bool region_is_lazy(enum region r);

/* Whether address space costs nothing here. */
bool region_is_plentiful(void);

/* Whether the kernel wants every byte promised. */
bool region_is_strict(void);

/* Pretends that so many bytes of address space are all there are (0: as it is), or that memory must
 * be promised, for tests. Before the first region_take. */
void region_set_limits(uint64_t address_space, bool strict);

#endif
