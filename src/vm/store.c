/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/store.h"
#include "base/mem.h"
#include "base/vec.h"
#include "vm/activation.h"
#include "vm/backtrace.h"
#include "vm/code.h"
#include "vm/internal.h"
#include "vm/link.h"
#include "vm/memory.h"
#include "vm/program_internal.h"
#include "vm/table.h"
#include "vm/worker.h"

#include <stdlib.h>
#include <string.h>

#define STORE_WORKER 0xffffffffu

struct definition {
    char *module_name, *name;
    struct store_extern value;
    struct functype *type; /* owned copy, of host functions */
};

struct store {
    struct vm_worker worker;
    uint64_t fuel;
    struct bytes backtrace;
    VEC(struct definition) definitions;
    VEC(struct instance *) instances;
    VEC(struct memory *) memories;
    VEC(struct table *) tables;
    VEC(void *) heap; /* everything else that lives until store_free */
};

/* Memory of the store's own, freed with it. Aborts without memory: stores are for tests and
 * embedders' setup, whose sizes are ours or the module's, which is bounded. */
static void *keep(struct store *s, size_t count, size_t size)
{
    void *p = mem_alloc(count ? count : 1, size);

    if (!vec_push(&s->heap, p))
        abort();
    return p;
}

static char *copy_text(struct store *s, const void *data, size_t size)
{
    char *text = keep(s, size + 1, 1);

    if (size)
        memcpy(text, data, size);
    return text;
}

struct store *store_new(void)
{
    struct store *s = mem_new(struct store);

    vm_worker_init(&s->worker, STORE_WORKER);
    s->fuel = UINT64_MAX;
    return s;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    for (size_t n = 0; n < s->instances.count; n++) {
        struct program *p = s->instances.items[n]->program;
        struct code *code = p->code;

        instance_free(s->instances.items[n], &s->worker);
        program_unref(p);
        code_free(code);
    }
    for (size_t n = 0; n < s->memories.count; n++)
        memory_free(s->memories.items[n]);
    for (size_t n = 0; n < s->tables.count; n++)
        table_unref(s->tables.items[n]);
    for (size_t n = 0; n < s->heap.count; n++)
        mem_free(s->heap.items[n]);
    vec_deinit(&s->heap);
    vec_deinit(&s->instances);
    vec_deinit(&s->memories);
    vec_deinit(&s->tables);
    vec_deinit(&s->definitions);
    bytes_deinit(&s->backtrace);
    vm_worker_deinit(&s->worker);
    mem_free(s);
}

static void define(struct store *s, struct slice module_name, struct slice name,
                   const struct store_extern *value)
{
    struct definition d = {.value = *value};

    for (size_t n = 0; n < s->definitions.count; n++) {
        struct definition *old = &s->definitions.items[n];

        if (slice_equal(slice_text(old->module_name), module_name) &&
            slice_equal(slice_text(old->name), name)) {
            old->value = *value;
            return;
        }
    }
    d.module_name = copy_text(s, module_name.data, module_name.size);
    d.name = copy_text(s, name.data, name.size);
    if (!vec_push(&s->definitions, d))
        abort();
}

void store_define(struct store *s, const char *module_name, const char *name,
                  const struct store_extern *value)
{
    define(s, slice_text(module_name), slice_text(name), value);
}

void store_define_function(struct store *s, const char *module_name, const char *name,
                           const struct functype *type, const void *target)
{
    struct functype *copy = keep(s, 1, sizeof(*copy));
    struct store_extern value = {.kind = EXTERN_FUNC, .function_type = copy, .target = target};

    copy->param_count = type->param_count;
    copy->result_count = type->result_count;
    copy->params = (const uint8_t *)copy_text(s, type->params, type->param_count);
    copy->results = (const uint8_t *)copy_text(s, type->results, type->result_count);
    store_define(s, module_name, name, &value);
}

void store_define_global(struct store *s, const char *module_name, const char *name, uint8_t type,
                         bool is_mutable, uint64_t bits)
{
    struct store_extern value = {
        .kind = EXTERN_GLOBAL, .global_type = type, .is_mutable = is_mutable};

    value.global = keep(s, 1, sizeof(uint64_t));
    *value.global = bits;
    store_define(s, module_name, name, &value);
}

void store_define_table(struct store *s, const char *module_name, const char *name, uint8_t type,
                        uint32_t min, uint32_t max)
{
    struct store_extern value = {.kind = EXTERN_TABLE, .table = table_new(type, min, max)};

    if (!value.table || !vec_push(&s->tables, value.table))
        abort();
    store_define(s, module_name, name, &value);
}

void store_define_memory(struct store *s, const char *module_name, const char *name, uint32_t min,
                         uint32_t max)
{
    struct store_extern value = {.kind = EXTERN_MEMORY, .memory = memory_new(min, max)};

    if (!value.memory || !vec_push(&s->memories, value.memory))
        abort();
    store_define(s, module_name, name, &value);
}

static const struct definition *lookup(const struct store *s, const struct import *import)
{
    for (size_t n = 0; n < s->definitions.count; n++) {
        const struct definition *d = &s->definitions.items[n];

        if (slice_equal(slice_text(d->module_name), import->module) &&
            slice_equal(slice_text(d->name), import->name))
            return d;
    }
    return NULL;
}

/* Limits match if what is provided is at least as large and at most as growable (spec 4.5.3.1). */
static bool limits_match(uint64_t length, uint64_t max, const struct limits *wanted)
{
    return length >= wanted->min && (!wanted->has_max || max <= wanted->max);
}

static bool extern_matches(const struct module *m, const struct import *import,
                           const struct store_extern *e)
{
    if (e->kind != import->kind)
        return false;
    switch (import->kind) {
    case EXTERN_FUNC:
        return functype_equal(module_function_type(m, import->index), e->function_type);
    case EXTERN_TABLE:
        return e->table->type == m->tables[import->index].type &&
               limits_match(e->table->length, e->table->max, &m->tables[import->index].limits);
    case EXTERN_MEMORY:
        return limits_match(e->memory->length / MEMORY_PAGE_SIZE, e->memory->max_pages,
                            &m->memories[import->index].limits);
    case EXTERN_GLOBAL:
        return e->global_type == m->globals[import->index].type &&
               e->is_mutable == m->globals[import->index].is_mutable;
    }
    return false;
}

/* What an instance needs besides its slot, all owned by the store. */
struct parts {
    struct function *functions;
    struct table **tables;
    uint64_t **imported_globals;
    struct memory *memory;
};

static bool resolve(struct store *s, const struct module *m, const struct code *code,
                    struct parts *parts, struct error *err)
{
    struct bytes text = {.size_max = 1024};

    for (uint32_t n = 0; n < m->import_count; n++) {
        const struct import *import = &m->imports[n];
        const struct definition *d = lookup(s, import);
        const struct store_extern *e = d ? &d->value : NULL;

        if (!e || !extern_matches(m, import, e)) {
            bool ok = link_print_import(&text, m, import);

            fail(err, ERR_UNLINKABLE, "%s: %.*s", e ? "incompatible import type" : "unknown import",
                 ok ? (int)text.size : 0, text.data ? (const char *)text.data : "");
            bytes_deinit(&text);
            return false;
        }
        switch (import->kind) {
        case EXTERN_FUNC:
            if (e->function) {
                parts->functions[import->index] = *e->function;
            } else {
                const struct code_thunks *t = &code->thunks[m->functions[import->index].type];

                parts->functions[import->index] = (struct function){
                    .entry = code->base + t->host,
                    .type_id = t->type_id,
                    .index = import->index,
                    .target = e->target,
                };
            }
            break;
        case EXTERN_TABLE:
            parts->tables[import->index] = e->table;
            break;
        case EXTERN_MEMORY:
            parts->memory = e->memory;
            break;
        case EXTERN_GLOBAL:
            parts->imported_globals[import->index] = e->global;
            break;
        }
    }
    return true;
}

/* Element segments, then data segments, in their order; what precedes a trap stays (spec 4.5.4). */
static enum trap segments_apply(struct instance *i, uint64_t *const *globals)
{
    const struct module *m = i->program->module;

    for (uint32_t e = 0; e < m->elem_count; e++) {
        const struct elem_segment *seg = &m->elems[e];
        struct table *t;
        uint64_t at;

        if (seg->mode != SEGMENT_ACTIVE)
            continue;
        t = i->tables[seg->table];
        at = (uint32_t)constexpr_eval(&seg->offset, globals, i->functions);
        if (at + seg->count > t->length)
            return TRAP_TABLE_OUT_OF_BOUNDS;
        for (uint32_t n = 0; n < seg->count; n++)
            t->elements[at + n] = constexpr_eval(&seg->items[n], globals, i->functions);
    }
    for (uint32_t d = 0; d < m->data_count; d++) {
        const struct data_segment *seg = &m->datas[d];
        uint64_t at;

        if (seg->mode != SEGMENT_ACTIVE)
            continue;
        at = (uint32_t)constexpr_eval(&seg->offset, globals, i->functions);
        if (at + seg->bytes.size > i->memory_length)
            return TRAP_MEMORY_OUT_OF_BOUNDS;
        if (seg->bytes.size)
            memcpy(i->memory_base + at, seg->bytes.data, seg->bytes.size);
    }
    return TRAP_NONE;
}

/* Takes `code` in every case; what has been given to the store cannot be taken back (its functions
 * may be in tables of others), so a failed instance lives on, unreachable by name. */
bool store_instantiate(struct store *s, const struct module *m, struct code *code,
                       struct instance **out, enum trap *trap, struct error *err)
{
    struct parts parts = {0};
    struct program *p = NULL;
    struct instance *i;
    struct instance_limits limits = {0};
    enum instance_failure why;
    uint64_t **globals;
    enum trap trapped = TRAP_NONE;

    *trap = TRAP_NONE;
    if (!code->base && !code_publish(code, err)) {
        code_free(code);
        return false;
    }
    parts.functions = keep(s, m->function_count, sizeof(*parts.functions));
    parts.tables = keep(s, m->table_count, sizeof(*parts.tables));
    parts.imported_globals = keep(s, m->imported_globals, sizeof(*parts.imported_globals));
    globals = keep(s, m->global_count, sizeof(*globals));
    if (!resolve(s, m, code, &parts, err)) {
        code_free(code);
        return false;
    }
    p = program_alloc(m, code, 0);
    if (p) {
        p->is_linked = true;
        p->has_memory = false; /* it has an object of its own, that others may import */
    }
    if (!p || !program_layout(p, NULL, 0, err)) {
        program_free(p);
        code_free(code);
        return fail(err, ERR_NO_MEMORY, "no memory for a module instance");
    }
    i = instance_new(p, &s->worker, &limits, &why);
    if (!i || !vec_push(&s->instances, i)) {
        program_free(p);
        code_free(code);
        return fail(err, ERR_NO_MEMORY, "no memory for a module instance");
    }
    for (uint32_t f = m->imported_functions; f < m->function_count; f++) {
        const struct code_thunks *t = &code->thunks[m->functions[f].type];

        parts.functions[f] = (struct function){
            .entry = code->base + t->cross,
            .type_id = t->type_id,
            .index = f,
            .target = code->base + code->entries[f - m->imported_functions],
            .instance = i,
        };
    }
    i->functions = parts.functions;
    i->tables = parts.tables;
    i->imported_globals = parts.imported_globals;
    for (uint32_t t = m->imported_tables; t < m->table_count; t++) {
        const struct limits *l = &m->tables[t].limits;

        if (l->min > TABLE_ELEMENTS_MAX)
            return fail(err, ERR_LIMIT, "table of %u elements, at most %u", l->min,
                        TABLE_ELEMENTS_MAX);
        parts.tables[t] = table_new(m->tables[t].type, l->min, l->has_max ? l->max : UINT32_MAX);
        if (!parts.tables[t] || !vec_push(&s->tables, parts.tables[t]))
            return fail(err, ERR_NO_MEMORY, "no memory for a table of %u elements", l->min);
    }
    if (m->memory_count > m->imported_memories) {
        const struct limits *l = &m->memories[0].limits;

        parts.memory = memory_new(l->min, l->has_max ? l->max : UINT32_MAX);
        if (!parts.memory || !vec_push(&s->memories, parts.memory))
            return fail(err, ERR_NO_MEMORY, "no memory of %u pages", l->min);
    }
    if (parts.memory && !memory_attach(parts.memory, i))
        return fail(err, ERR_NO_MEMORY, "no memory for a module instance");
    for (uint32_t g = 0; g < m->global_count; g++) {
        if (g < m->imported_globals) {
            globals[g] = i->imported_globals[g];
        } else {
            globals[g] = &i->globals[g - m->imported_globals];
            *globals[g] = constexpr_eval(&m->globals[g].init, globals, i->functions);
        }
    }
    trapped = segments_apply(i, globals);
    if (trapped == TRAP_NONE && m->has_start) {
        struct store_extern start = {.kind = EXTERN_FUNC,
                                     .function = &i->functions[m->start],
                                     .function_type = module_function_type(m, m->start)};

        trapped = store_invoke(s, i, &start, NULL, NULL);
    }
    if (trapped != TRAP_NONE) {
        *trap = trapped;
        return fail(err, ERR_TRAP, "%s", trap_words(trapped));
    }
    *out = i;
    return true;
}

static struct store_extern export_of(struct instance *i, const struct export_ *e)
{
    const struct module *m = i->program->module;
    struct store_extern value = {.kind = e->kind};

    switch (e->kind) {
    case EXTERN_FUNC:
        value.function = &i->functions[e->index];
        value.function_type = module_function_type(m, e->index);
        break;
    case EXTERN_TABLE:
        value.table = i->tables[e->index];
        break;
    case EXTERN_MEMORY:
        value.memory = i->memory;
        break;
    case EXTERN_GLOBAL:
        value.global = e->index < m->imported_globals ? i->imported_globals[e->index]
                                                      : &i->globals[e->index - m->imported_globals];
        value.global_type = m->globals[e->index].type;
        value.is_mutable = m->globals[e->index].is_mutable;
        break;
    }
    return value;
}

void store_register(struct store *s, const char *module_name, struct instance *i)
{
    const struct module *m = i->program->module;

    for (uint32_t n = 0; n < m->export_count; n++) {
        struct store_extern value = export_of(i, &m->exports[n]);

        define(s, slice_text(module_name), m->exports[n].name, &value);
    }
}

bool store_export(struct store *s, struct instance *i, struct slice name, struct store_extern *out)
{
    const struct module *m = i->program->module;

    (void)s;
    for (enum externkind kind = EXTERN_FUNC; kind <= EXTERN_GLOBAL; kind++) {
        const struct export_ *e = module_export(m, name, kind);

        if (e) {
            *out = export_of(i, e);
            return true;
        }
    }
    return false;
}

void store_set_fuel(struct store *s, uint64_t fuel)
{
    s->fuel = fuel;
}

const char *store_backtrace(struct store *s)
{
    return s->backtrace.data ? (const char *)s->backtrace.data : "";
}

#define FUEL_AT_A_TIME (1ll << 40)

/* Runs until the activation on top of `depth` others has ended. */
static enum trap run(struct store *s, struct fiber *f, uint64_t *results, size_t room)
{
    bool ok;

    for (;;) {
        switch (vm_run(&s->worker, f)) {
        case STOP_RETURNED:
            if (!fiber_return(f, results, room))
                return TRAP_NONE;
            break;
        case STOP_TRAPPED:
            s->backtrace.size = 0;
            ok = backtrace_print(f, &s->backtrace) && bytes_append_u8(&s->backtrace, 0);
            (void)ok;
            if (!fiber_catch(f, NULL, NULL))
                return (enum trap)f->trap_kind;
            break;
        case STOP_OUTCOME:
            if (f->outcome.kind == OUTCOME_CALL) {
                if (!fiber_call(f, NULL, NULL))
                    return (enum trap)f->trap_kind;
            } else if (f->outcome.kind != OUTCOME_YIELD) {
                return TRAP_HOST;
            }
            break;
        case STOP_FUEL:
            if (s->fuel != UINT64_MAX)
                return TRAP_OUT_OF_FUEL;
            f->instance->fuel += FUEL_AT_A_TIME;
            break;
        case STOP_PREEMPTED:
        case STOP_TICK:
            break;
        }
    }
}

enum trap store_invoke(struct store *s, struct instance *i, const struct store_extern *function,
                       const uint64_t *args, uint64_t *results)
{
    struct fiber *f =
        (struct fiber *)(void *)(slot_hot(instance_slot(i)) + i->program->layout.fiber);
    const struct functype *type = function->function_type;
    enum trap trap;

    f->instance = i;
    f->worker = s->worker.index;
    i->fuel = s->fuel == UINT64_MAX ? FUEL_AT_A_TIME : (int64_t)s->fuel;
    trap = fiber_activate(f, function->function, args, type->param_count, false);
    if (trap == TRAP_NONE)
        trap = run(s, f, results, type->result_count);
    if (trap != TRAP_NONE) { /* what is left on the stack is nobody's */
        f->guest_sp = f->stack_top;
        f->marker = 0;
        f->activation_depth = 0;
        f->trap_pc = NULL;
        f->trap_at_entry = false;
        f->instance = i;
    }
    return trap;
}
