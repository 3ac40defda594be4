/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/table.h"
#include "base/mem.h"
#include "vm/program_internal.h"

#include <string.h>

struct table *table_new(uint8_t type, uint64_t length, uint64_t max)
{
    struct table *t = mem_try(struct table);

    if (!t)
        return NULL;
    t->elements = mem_try_array(uint64_t, (size_t)length + 1);
    if (!t->elements) {
        mem_free(t);
        return NULL;
    }
    t->length = length;
    t->max = max;
    t->type = type;
    t->references = 1;
    return t;
}

void table_unref(struct table *t)
{
    if (!t || --t->references)
        return;
    mem_free(t->elements);
    mem_free(t);
}

struct table *table_own(struct instance *i, uint32_t index)
{
    struct table *t = i->tables[index], *copy;

    if (!t->is_shared)
        return t;
    if (!instance_slot(i)->owns_tables) {
        uint32_t count = i->program->table_count;
        struct table **tables = mem_try_array(struct table *, count);

        if (!tables)
            return NULL;
        memcpy(tables, i->tables, count * sizeof(*tables));
        i->tables = tables;
        instance_slot(i)->owns_tables = true;
    }
    copy = table_new(t->type, t->length, t->max);
    if (!copy)
        return NULL;
    memcpy(copy->elements, t->elements, (size_t)t->length * sizeof(uint64_t));
    i->tables[index] = copy;
    return copy;
}

uint32_t table_grow(struct instance *i, uint32_t index, uint64_t ref, uint64_t count)
{
    struct table *t = i->tables[index];
    uint64_t length = t->length + count, limit = instance_slot(i)->table_max;
    uint64_t *elements;

    if (length > t->max || length > limit)
        return UINT32_MAX;
    if (count == 0)
        return (uint32_t)t->length;
    t = table_own(i, index);
    if (!t)
        return UINT32_MAX;
    elements = mem_try_realloc(t->elements, (size_t)length, sizeof(uint64_t));
    if (!elements)
        return UINT32_MAX;
    for (uint64_t e = t->length; e < length; e++)
        elements[e] = ref;
    t->elements = elements;
    t->length = length;
    return (uint32_t)(length - count);
}

void tables_release(struct instance *i)
{
    for (uint32_t t = 0; t < i->program->table_count; t++)
        if (!i->tables[t]->is_shared)
            table_unref(i->tables[t]);
    mem_free(i->tables);
    instance_slot(i)->owns_tables = false;
}
