/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tables: shared by all instances of a program until one changes its own. */
#ifndef VM_TABLE_H
#define VM_TABLE_H

#include "base/assert.h"
#include "vm/instance.h"

/* A table with one reference, all elements null; NULL: no memory. */
struct table *table_new(uint8_t type, uint64_t length, uint64_t max) MUST_USE;
void table_unref(struct table *t);

/* Table `index` of the instance, its own from now on; NULL: no memory. */
struct table *table_own(struct instance *i, uint32_t index) MUST_USE;

/* Grows it by `count` elements set to `ref`; the old length, or UINT32_MAX: refused. */
uint32_t table_grow(struct instance *i, uint32_t index, uint64_t ref, uint64_t count);

/* Gives back the instance's own array of tables. */
void tables_release(struct instance *i);

#endif
