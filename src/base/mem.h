/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Heap memory. `mem_new` is for sizes that we choose: it aborts when memory is gone. `mem_try` is
 * for sizes that a guest, a file or a peer chooses: the caller has checked a named limit and
 * reports a NULL. Every `mem_try` can be made to fail on demand, so that a torture run walks each
 * such path. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed storage for one or `count` objects of `type`; aborts when there is no memory. Any thread.
 */
#define mem_new(type)              ((type *)mem_alloc(1, sizeof(type)))
#define mem_new_array(type, count) ((type *)mem_alloc((count), sizeof(type)))

/* The same, but NULL when there is no memory or the size overflows. */
#define mem_try(type)              ((type *)mem_try_alloc(1, sizeof(type)))
#define mem_try_array(type, count) ((type *)mem_try_alloc((count), sizeof(type)))

void *mem_alloc(size_t count, size_t size) MUST_USE;
void *mem_try_alloc(size_t count, size_t size) MUST_USE;

/* Resizes `ptr` (may be NULL) to count * size bytes; the part that is new is not zeroed. NULL when
 * it cannot, and then `ptr` is untouched. */
void *mem_try_realloc(void *ptr, size_t count, size_t size) MUST_USE;

/* Frees what the functions above returned; NULL is harmless. */
void mem_free(void *ptr);

/* Makes the `n`th call of a mem_try function from now on (1: the next) fail, once; 0 turns it off.
 * Tests only; the count is one for the whole program. */
void mem_fail_after(size_t n);

/* Whether that call has not come yet. */
bool mem_fail_is_due(void);

/* How many allocations the calling thread has made so far, for tests that bound them. */
size_t mem_allocation_count(void);

/* Memory that guests make us keep, counted by whoever knows what the machine has: `take` says
 * whether there is so much left. Without that everything is granted. Startup only. */
void mem_set_charge(bool (*take)(uint64_t bytes), void (*give)(uint64_t bytes));

/* Counts bytes that are about to be allocated, or have been freed. Any thread. */
bool mem_charge(uint64_t bytes) MUST_USE;
void mem_uncharge(uint64_t bytes);

#endif
