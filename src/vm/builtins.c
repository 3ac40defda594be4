/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Instructions that are calls into C. Long ones work piece by piece and yield when the tick has
 * come; instance->progress says how far they are, and they are called again. */
#include "base/mem.h"
#include "vm/convention.h"
#include "vm/internal.h"
#include "vm/memory.h"
#include "vm/program_internal.h"
#include "vm/stack.h"
#include "vm/table.h"

#include <string.h>

#define PIECE (256u << 10) /* bytes between two looks at the tick */

static bool tick_has_come(const struct instance *i)
{
    return *i->fiber->tick != 0;
}

static struct outcome yield_at(struct instance *i, uint64_t progress)
{
    i->progress = progress;
    return (struct outcome){0, OUTCOME_YIELD};
}

/* Ends an operation: the next one begins at the beginning. */
static struct outcome finish(struct instance *i)
{
    i->progress = 0;
    return done(0);
}

static struct outcome do_memory_grow(struct instance *i, uint64_t pages, uint64_t b, uint64_t c,
                                     uint64_t d, uint64_t e)
{
    (void)b, (void)c, (void)d, (void)e;
    if (vm_move_stacks)
        stack_move(i->fiber, 2 * STACK_RESERVE);
    return done(memory_grow(i, (uint32_t)pages));
}

static struct outcome do_memory_fill(struct instance *i, uint64_t dest, uint64_t value,
                                     uint64_t count, uint64_t d, uint64_t e)
{
    uint64_t at = i->progress;

    (void)d, (void)e;
    if (dest + count > i->memory_length)
        return trap(TRAP_MEMORY_OUT_OF_BOUNDS);
    ASSERT(at <= count); /* else the piece would lie outside what was checked */
    while (count - at > PIECE) {
        memset(i->memory_base + dest + at, (int)(uint8_t)value, PIECE);
        at += PIECE;
        if (tick_has_come(i))
            return yield_at(i, at);
    }
    memset(i->memory_base + dest + at, (int)(uint8_t)value, (size_t)(count - at));
    return finish(i);
}

static struct outcome do_memory_copy(struct instance *i, uint64_t dest, uint64_t source,
                                     uint64_t count, uint64_t d, uint64_t e)
{
    uint64_t at = i->progress;
    uint8_t *base = i->memory_base;

    (void)d, (void)e;
    if (dest + count > i->memory_length || source + count > i->memory_length)
        return trap(TRAP_MEMORY_OUT_OF_BOUNDS);
    if (dest == source)
        return finish(i);
    ASSERT(at <= count);
    while (at < count) {
        uint64_t n = count - at < PIECE ? count - at : PIECE;

        if (dest < source) /* pieces in the direction that overwrites nothing unread */
            memmove(base + dest + at, base + source + at, (size_t)n);
        else
            memmove(base + dest + count - at - n, base + source + count - at - n, (size_t)n);
        at += n;
        if (at < count && tick_has_come(i))
            return yield_at(i, at);
    }
    return finish(i);
}

/* Active segments count as dropped once the instance is made (spec 4.5.4); so do declarative ones.
 */
static bool data_is_dropped(const struct instance *i, uint32_t segment)
{
    return i->program->module->datas[segment].mode != SEGMENT_PASSIVE ||
           (i->dropped && (i->dropped[segment / 8] >> (segment % 8) & 1));
}

static bool elem_is_dropped(const struct instance *i, uint32_t segment)
{
    const struct module *m = i->program->module;
    uint32_t bit = m->data_count + segment;

    return m->elems[segment].mode != SEGMENT_PASSIVE ||
           (i->dropped && (i->dropped[bit / 8] >> (bit % 8) & 1));
}

static struct outcome drop(struct instance *i, uint32_t bit)
{
    const struct module *m = i->program->module;

    if (!i->dropped)
        i->dropped = mem_try_alloc((m->data_count + m->elem_count) / 8 + 1, 1);
    if (!i->dropped) {
        i->fiber->trap_text = "no memory";
        return trap(TRAP_HOST);
    }
    i->dropped[bit / 8] |= (uint8_t)(1u << (bit % 8));
    return done(0);
}

static struct outcome do_memory_init(struct instance *i, uint64_t dest, uint64_t source,
                                     uint64_t count, uint64_t segment, uint64_t e)
{
    struct slice bytes = i->program->module->datas[segment].bytes;
    uint64_t at = i->progress;

    (void)e;
    if (data_is_dropped(i, (uint32_t)segment))
        bytes.size = 0;
    if (source + count > bytes.size || dest + count > i->memory_length)
        return trap(TRAP_MEMORY_OUT_OF_BOUNDS);
    ASSERT(at <= count); /* else the piece would lie outside what was checked */
    while (count - at > PIECE) {
        memcpy(i->memory_base + dest + at, bytes.data + source + at, PIECE);
        at += PIECE;
        if (tick_has_come(i))
            return yield_at(i, at);
    }
    if (count - at)
        memcpy(i->memory_base + dest + at, bytes.data + source + at, (size_t)(count - at));
    return finish(i);
}

static struct outcome do_data_drop(struct instance *i, uint64_t segment, uint64_t b, uint64_t c,
                                   uint64_t d, uint64_t e)
{
    (void)b, (void)c, (void)d, (void)e;
    return data_is_dropped(i, (uint32_t)segment) ? done(0) : drop(i, (uint32_t)segment);
}

static struct outcome do_elem_drop(struct instance *i, uint64_t segment, uint64_t b, uint64_t c,
                                   uint64_t d, uint64_t e)
{
    (void)b, (void)c, (void)d, (void)e;
    return elem_is_dropped(i, (uint32_t)segment)
               ? done(0)
               : drop(i, i->program->module->data_count + (uint32_t)segment);
}

static struct outcome do_table_get(struct instance *i, uint64_t index, uint64_t table, uint64_t c,
                                   uint64_t d, uint64_t e)
{
    const struct table *t = i->tables[table];

    (void)c, (void)d, (void)e;
    if (index >= t->length)
        return trap(TRAP_TABLE_OUT_OF_BOUNDS);
    return done(t->elements[index]);
}

/* The instance's own table, or NULL with the words of the trap. */
static struct table *own(struct instance *i, uint64_t table)
{
    struct table *t = table_own(i, (uint32_t)table);

    if (!t)
        i->fiber->trap_text = "no memory for a table";
    return t;
}

static struct outcome do_table_set(struct instance *i, uint64_t index, uint64_t ref, uint64_t table,
                                   uint64_t d, uint64_t e)
{
    struct table *t = i->tables[table];

    (void)d, (void)e;
    if (index >= t->length)
        return trap(TRAP_TABLE_OUT_OF_BOUNDS);
    t = own(i, table);
    if (!t)
        return trap(TRAP_HOST);
    t->elements[index] = ref;
    return done(0);
}

static struct outcome do_table_grow(struct instance *i, uint64_t ref, uint64_t count,
                                    uint64_t table, uint64_t d, uint64_t e)
{
    (void)d, (void)e;
    return done(table_grow(i, (uint32_t)table, ref, (uint32_t)count));
}

static struct outcome do_table_fill(struct instance *i, uint64_t index, uint64_t ref,
                                    uint64_t count, uint64_t table, uint64_t e)
{
    struct table *t = i->tables[table];

    (void)e;
    if (index + count > t->length)
        return trap(TRAP_TABLE_OUT_OF_BOUNDS);
    if (count == 0)
        return done(0);
    t = own(i, table);
    if (!t)
        return trap(TRAP_HOST);
    for (uint64_t n = 0; n < count; n++)
        t->elements[index + n] = ref;
    return done(0);
}

static struct outcome do_table_copy(struct instance *i, uint64_t dest, uint64_t source,
                                    uint64_t count, uint64_t dest_table, uint64_t source_table)
{
    const struct table *from = i->tables[source_table];
    struct table *to = i->tables[dest_table];

    if (source + count > from->length || dest + count > to->length)
        return trap(TRAP_TABLE_OUT_OF_BOUNDS);
    if (count == 0)
        return done(0);
    to = own(i, dest_table);
    if (!to)
        return trap(TRAP_HOST);
    from = i->tables[source_table]; /* it may have been the same */
    memmove(to->elements + dest, from->elements + source, (size_t)count * sizeof(uint64_t));
    return done(0);
}

static struct outcome do_table_init(struct instance *i, uint64_t dest, uint64_t source,
                                    uint64_t count, uint64_t segment, uint64_t table)
{
    const struct module *m = i->program->module;
    const struct elem_segment *s = &m->elems[segment];
    uint64_t size = elem_is_dropped(i, (uint32_t)segment) ? 0 : s->count;
    struct table *t = i->tables[table];

    if (source + count > size || dest + count > t->length)
        return trap(TRAP_TABLE_OUT_OF_BOUNDS);
    if (count == 0)
        return done(0);
    t = own(i, table);
    if (!t)
        return trap(TRAP_HOST);
    for (uint64_t n = 0; n < count; n++)
        t->elements[dest + n] = instance_constant(i, &s->items[source + n]);
    return done(0);
}

builtin_fn *const vm_builtins[BUILTIN_COUNT] = {
    [BUILTIN_MEMORY_GROW] = do_memory_grow, [BUILTIN_MEMORY_FILL] = do_memory_fill,
    [BUILTIN_MEMORY_COPY] = do_memory_copy, [BUILTIN_MEMORY_INIT] = do_memory_init,
    [BUILTIN_DATA_DROP] = do_data_drop,     [BUILTIN_ELEM_DROP] = do_elem_drop,
    [BUILTIN_TABLE_GET] = do_table_get,     [BUILTIN_TABLE_SET] = do_table_set,
    [BUILTIN_TABLE_GROW] = do_table_grow,   [BUILTIN_TABLE_FILL] = do_table_fill,
    [BUILTIN_TABLE_COPY] = do_table_copy,   [BUILTIN_TABLE_INIT] = do_table_init,
};
