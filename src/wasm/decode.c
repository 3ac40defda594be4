/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Binary modules to struct module (spec 5). Bodies stay bytes: the validator walks them. */
#include "wasm/decode.h"
#include "base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WASM_MAGIC         0x6d736100u
#define WASM_VERSION       1u
#define SECTION_DATA_COUNT 12
#define SECTION_ID_MAX     12

bool decode_fail(struct decoder *d, enum error_code code, const uint8_t *at, const char *what, ...)
{
    char text[256], place[96];
    va_list args;

    va_start(args, what);
    vsnprintf(text, sizeof(text), what, args);
    va_end(args);
    place[0] = 0;
    if (d->section && d->item)
        snprintf(place, sizeof(place), ", in %s %u of the %s section", d->item, d->item_index,
                 d->section);
    else if (d->section)
        snprintf(place, sizeof(place), ", in the %s section", d->section);
    return fail(d->err, code, "%s%s, at offset 0x%zx", text, place, (size_t)(at - d->r.start));
}

bool decode_fail_read(struct decoder *d)
{
    return decode_fail(d, ERR_MALFORMED, d->r.error_pos, "%s", reader_error_text(d->r.error));
}

bool decode_no_memory(struct decoder *d)
{
    return decode_fail(d, ERR_NO_MEMORY, d->r.pos, "out of memory");
}

bool decode_count(struct decoder *d, const char *what, uint32_t max, uint32_t item_size_min,
                  uint32_t *out)
{
    const uint8_t *at = d->r.pos;
    uint32_t count = reader_leb_u32(&d->r);

    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (count > reader_left(&d->r) / item_size_min)
        return decode_fail(d, ERR_MALFORMED, at, "unexpected end: %u %s do not fit in the section",
                           count, what);
    if (count > max)
        return decode_fail(d, ERR_LIMIT, at, "%u %s, at most %u", count, what, max);
    *out = count;
    return true;
}

static bool name(struct decoder *d, struct slice *out)
{
    const uint8_t *at = d->r.pos;
    uint32_t size = reader_leb_u32(&d->r);

    *out = reader_slice(&d->r, size);
    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (size > NAME_SIZE_MAX)
        return decode_fail(d, ERR_LIMIT, at, "name of %u bytes, at most %u", size, NAME_SIZE_MAX);
    if (!slice_is_utf8(*out))
        return decode_fail(d, ERR_MALFORMED, at, "malformed UTF-8 encoding");
    return true;
}

static bool valtype(struct decoder *d, uint8_t *out)
{
    const uint8_t *at = d->r.pos;

    *out = reader_u8(&d->r);
    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (!valtype_is_known(*out))
        return decode_fail(d, ERR_MALFORMED, at, "malformed value type 0x%02x", *out);
    return true;
}

bool decode_reftype(struct decoder *d, uint8_t *out)
{
    const uint8_t *at = d->r.pos;

    *out = reader_u8(&d->r);
    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (!valtype_is_ref(*out))
        return decode_fail(d, ERR_MALFORMED, at, "malformed reference type 0x%02x", *out);
    return true;
}

/* Spec 5.3.5: value types are their own encoding, so the list is borrowed from the bytes. */
static bool result_type(struct decoder *d, const char *what, uint32_t max, const uint8_t **types,
                        uint32_t *count)
{
    if (!decode_count(d, what, max, 1, count))
        return false;
    *types = d->r.pos;
    for (uint32_t i = 0; i < *count; i++) {
        uint8_t type;

        if (!valtype(d, &type))
            return false;
    }
    return true;
}

static bool functype(struct decoder *d, struct functype *t)
{
    const uint8_t *at = d->r.pos;
    uint8_t form = reader_u8(&d->r);

    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (form != 0x60)
        return decode_fail(d, ERR_MALFORMED, at, "malformed type 0x%02x", form);
    return result_type(d, "parameters", FUNCTION_PARAMS_MAX, &t->params, &t->param_count) &&
           result_type(d, "results", FUNCTION_RESULTS_MAX, &t->results, &t->result_count);
}

static bool types(struct decoder *d)
{
    struct functype *list;
    uint32_t count;

    if (!decode_count(d, "types", MODULE_TYPES_MAX, 3, &count))
        return false;
    list = arena_array(d->arena, struct functype, count);
    if (!list)
        return decode_no_memory(d);
    d->m->types = list;
    d->m->type_count = count;
    d->item = "type";
    for (d->item_index = 0; d->item_index < count; d->item_index++) {
        if (!functype(d, &list[d->item_index]))
            return false;
    }
    return true;
}

static bool limits(struct decoder *d, struct limits *out)
{
    const uint8_t *at = d->r.pos;
    uint8_t flags = reader_u8(&d->r);

    if (reader_ok(&d->r) && flags > 1)
        return decode_fail(d, ERR_MALFORMED, at, "malformed limits flags 0x%02x", flags);
    out->min = reader_leb_u32(&d->r);
    out->has_max = flags;
    if (flags)
        out->max = reader_leb_u32(&d->r);
    return reader_ok(&d->r) || decode_fail_read(d);
}

static bool function(struct decoder *d)
{
    struct function_decl f = {reader_leb_u32(&d->r)};

    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    return vec_push(&d->functions, f) || decode_no_memory(d);
}

static bool table(struct decoder *d)
{
    struct table_decl t = {0};

    if (!decode_reftype(d, &t.type) || !limits(d, &t.limits))
        return false;
    return vec_push(&d->tables, t) || decode_no_memory(d);
}

static bool memory(struct decoder *d)
{
    struct memory_decl mem = {0};

    if (!limits(d, &mem.limits))
        return false;
    return vec_push(&d->memories, mem) || decode_no_memory(d);
}

static bool global_type(struct decoder *d, struct global_decl *g)
{
    const uint8_t *at;
    uint8_t is_mutable;

    if (!valtype(d, &g->type))
        return false;
    at = d->r.pos;
    is_mutable = reader_u8(&d->r);
    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (is_mutable > 1)
        return decode_fail(d, ERR_MALFORMED, at, "malformed mutability 0x%02x", is_mutable);
    g->is_mutable = is_mutable;
    return true;
}

static bool global(struct decoder *d)
{
    struct global_decl g = {0};

    if (!global_type(d, &g) || !decode_constexpr(d, &g.init))
        return false;
    return vec_push(&d->globals, g) || decode_no_memory(d);
}

static bool import(struct decoder *d, struct import *im)
{
    struct module *m = d->m;
    struct global_decl g = {0};
    const uint8_t *at;
    uint8_t kind;

    if (!name(d, &im->module) || !name(d, &im->name))
        return false;
    at = d->r.pos;
    kind = reader_u8(&d->r);
    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    im->kind = (enum externkind)kind;
    switch (kind) {
    case EXTERN_FUNC:
        im->index = m->imported_functions++;
        return function(d);
    case EXTERN_TABLE:
        im->index = m->imported_tables++;
        return table(d);
    case EXTERN_MEMORY:
        im->index = m->imported_memories++;
        return memory(d);
    case EXTERN_GLOBAL:
        im->index = m->imported_globals++;
        return global_type(d, &g) && (vec_push(&d->globals, g) || decode_no_memory(d));
    default:
        return decode_fail(d, ERR_MALFORMED, at, "malformed import kind 0x%02x", kind);
    }
}

static bool imports(struct decoder *d)
{
    struct import *list;
    uint32_t count;

    if (!decode_count(d, "imports", MODULE_IMPORTS_MAX, 4, &count))
        return false;
    list = arena_array(d->arena, struct import, count);
    if (!list)
        return decode_no_memory(d);
    d->m->imports = list;
    d->m->import_count = count;
    d->item = "import";
    for (d->item_index = 0; d->item_index < count; d->item_index++) {
        if (!import(d, &list[d->item_index]))
            return false;
    }
    return true;
}

/* Sections that are a vector of one kind of definition. */
static bool definitions(struct decoder *d, const char *plural, const char *singular, uint32_t max,
                        uint32_t item_size_min, bool (*one)(struct decoder *d))
{
    uint32_t count;

    if (!decode_count(d, plural, max, item_size_min, &count))
        return false;
    d->item = singular;
    for (d->item_index = 0; d->item_index < count; d->item_index++) {
        if (!one(d))
            return false;
    }
    return true;
}

static int compare_exports(const void *a, const void *b)
{
    const struct export_ *x = *(const struct export_ *const *)a;
    const struct export_ *y = *(const struct export_ *const *)b;
    size_t common = x->name.size < y->name.size ? x->name.size : y->name.size;
    int order = common ? memcmp(x->name.data, y->name.data, common) : 0;

    return order ? order : (x->name.size > y->name.size) - (x->name.size < y->name.size);
}

static bool exports(struct decoder *d)
{
    const struct export_ **by_name;
    struct export_ *list;
    uint32_t count;

    if (!decode_count(d, "exports", MODULE_EXPORTS_MAX, 3, &count))
        return false;
    list = arena_array(d->arena, struct export_, count);
    by_name = arena_array(d->arena, const struct export_ *, count);
    if (!list || !by_name)
        return decode_no_memory(d);
    d->m->exports = list;
    d->m->exports_by_name = by_name;
    d->m->export_count = count;
    d->item = "export";
    for (d->item_index = 0; d->item_index < count; d->item_index++) {
        struct export_ *e = &list[d->item_index];
        const uint8_t *at;
        uint8_t kind;

        if (!name(d, &e->name))
            return false;
        at = d->r.pos;
        kind = reader_u8(&d->r);
        e->index = reader_leb_u32(&d->r);
        if (!reader_ok(&d->r))
            return decode_fail_read(d);
        if (kind > EXTERN_GLOBAL)
            return decode_fail(d, ERR_MALFORMED, at, "malformed export kind 0x%02x", kind);
        e->kind = (enum externkind)kind;
        by_name[d->item_index] = e;
    }
    qsort(by_name, count, sizeof(*by_name),
          compare_exports); /* <= size * log2(count) comparisons */
    return true;
}

static bool start(struct decoder *d)
{
    d->m->has_start = true;
    d->m->start = reader_leb_u32(&d->r);
    return reader_ok(&d->r) || decode_fail_read(d);
}

static bool data_count(struct decoder *d)
{
    d->m->has_data_count = true;
    d->m->data_count_section = reader_leb_u32(&d->r);
    return reader_ok(&d->r) || decode_fail_read(d);
}

/* Declared locals; r is over the body. */
static bool locals(struct decoder *d, struct body *b, struct reader *r, uint32_t param_count)
{
    const uint8_t *at = r->pos;
    uint32_t count = reader_leb_u32(r);
    uint64_t total = 0;
    struct local_group *groups;

    if (reader_ok(r) && count > reader_left(r) / 2)
        return decode_fail(d, ERR_MALFORMED, at, "unexpected end of the locals");
    groups = arena_array(d->arena, struct local_group, reader_ok(r) ? count : 0);
    if (!groups)
        return decode_no_memory(d);
    for (uint32_t i = 0; i < count && reader_ok(r); i++) {
        at = r->pos;
        groups[i].count = reader_leb_u32(r);
        groups[i].type = reader_u8(r);
        if (reader_ok(r) && !valtype_is_known(groups[i].type))
            return decode_fail(d, ERR_MALFORMED, at, "malformed value type 0x%02x", groups[i].type);
        total += groups[i].count;
        if (total > UINT32_MAX)
            return decode_fail(d, ERR_MALFORMED, at, "too many locals");
    }
    if (!reader_ok(r)) {
        d->r.error = r->error;
        d->r.error_pos = r->error_pos;
        return decode_fail_read(d);
    }
    if (total + param_count > FUNCTION_LOCALS_MAX)
        return decode_fail(d, ERR_LIMIT, at, "%llu locals and parameters, at most %u",
                           (unsigned long long)total + param_count, FUNCTION_LOCALS_MAX);
    b->groups = groups;
    b->group_count = count;
    b->local_count = (uint32_t)total + param_count;
    return true;
}

static bool body(struct decoder *d, struct body *b, uint32_t type)
{
    const uint8_t *at = d->r.pos;
    struct slice entry = reader_slice(&d->r, reader_leb_u32(&d->r));
    uint32_t param_count = type < d->m->type_count ? d->m->types[type].param_count : 0;
    struct reader r;

    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (entry.size > FUNCTION_SIZE_MAX)
        return decode_fail(d, ERR_LIMIT, at, "body of %zu bytes, at most %u", entry.size,
                           FUNCTION_SIZE_MAX);
    reader_init(&r, entry);
    if (!locals(d, b, &r, param_count))
        return false;
    b->code = slice_make(r.pos, reader_left(&r));
    b->offset = (uint32_t)(r.pos - d->r.start);
    return true;
}

static bool bodies(struct decoder *d)
{
    struct module *m = d->m;
    const uint8_t *at = d->r.pos;
    uint32_t defined = (uint32_t)d->functions.count - m->imported_functions;
    uint32_t count;

    if (!decode_count(d, "functions", MODULE_FUNCTIONS_MAX, 3, &count))
        return false;
    if (count != defined)
        return decode_fail(d, ERR_MALFORMED, at,
                           "function and code section have inconsistent lengths: %u and %u",
                           defined, count);
    m->bodies = arena_array(d->arena, struct body, count);
    if (!m->bodies)
        return decode_no_memory(d);
    m->body_count = count;
    d->item = "body";
    for (d->item_index = 0; d->item_index < count; d->item_index++) {
        uint32_t type = d->functions.items[m->imported_functions + d->item_index].type;

        if (!body(d, &m->bodies[d->item_index], type))
            return false;
    }
    return true;
}

static bool custom(struct decoder *d)
{
    struct custom_section c;

    if (!name(d, &c.name))
        return false;
    if (d->customs.count == MODULE_CUSTOMS_MAX)
        return decode_fail(d, ERR_LIMIT, d->r.pos, "more than %u custom sections",
                           MODULE_CUSTOMS_MAX);
    c.bytes = reader_slice(&d->r, reader_left(&d->r));
    return vec_push(&d->customs, c) || decode_no_memory(d);
}

static bool section_content(struct decoder *d, uint8_t id)
{
    switch (id) {
    case 0:
        return custom(d);
    case 1:
        return types(d);
    case 2:
        return imports(d);
    case 3:
        return definitions(d, "functions", "function", MODULE_FUNCTIONS_MAX, 1, function);
    case 4:
        return definitions(d, "tables", "table", MODULE_TABLES_MAX, 3, table);
    case 5:
        return definitions(d, "memories", "memory", MODULE_GLOBALS_MAX, 2, memory);
    case 6:
        return definitions(d, "globals", "global", MODULE_GLOBALS_MAX, 3, global);
    case 7:
        return exports(d);
    case 8:
        return start(d);
    case 9:
        return decode_elements(d);
    case 10:
        return bodies(d);
    case 11:
        return decode_data(d);
    case SECTION_DATA_COUNT:
        return data_count(d);
    default:
        UNREACHABLE();
    }
}

static const char *const section_names[] = {"custom", "type",   "import",    "function", "table",
                                            "memory", "global", "export",    "start",    "element",
                                            "code",   "data",   "data count"};

/* Where a section stands in the order of spec 5.5.2; custom ones may be anywhere. */
static int section_rank(uint8_t id)
{
    if (id == SECTION_DATA_COUNT)
        return 2 * 9 + 1;
    return 2 * id;
}

static bool section(struct decoder *d, int *last_rank)
{
    const uint8_t *file_end = d->r.end, *at = d->r.pos;
    uint8_t id = reader_u8(&d->r);
    uint32_t size = reader_leb_u32(&d->r);

    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    if (id > SECTION_ID_MAX)
        return decode_fail(d, ERR_MALFORMED, at, "malformed section id %u", id);
    d->section = section_names[id];
    if (size > reader_left(&d->r))
        return decode_fail(d, ERR_MALFORMED, at,
                           "length out of bounds: section of %u bytes, %zu left", size,
                           reader_left(&d->r));
    if (id != 0 && section_rank(id) <= *last_rank)
        return decode_fail(d, ERR_MALFORMED, at, "unexpected content after last section");
    if (id != 0)
        *last_rank = section_rank(id);
    d->r.end = d->r.pos + size;
    if (!section_content(d, id))
        return false;
    d->item = NULL;
    if (d->r.pos != d->r.end)
        return decode_fail(d, ERR_MALFORMED, d->r.pos, "section size mismatch: %zu bytes too many",
                           reader_left(&d->r));
    d->r.end = file_end;
    d->section = NULL;
    return true;
}

/* Moves a vector into the arena. */
static bool keep(struct decoder *d, const void *items, size_t count, size_t item_size,
                 const void **out, uint32_t *out_count)
{
    void *copy = arena_alloc(d->arena, count, item_size);

    if (!copy)
        return decode_no_memory(d);
    if (count)
        memcpy(copy, items, count * item_size);
    *out = copy;
    *out_count = (uint32_t)count;
    return true;
}

#define KEEP(d, vec, out, out_count)                                                               \
    keep((d), (d)->vec.items, (d)->vec.count, sizeof(*(d)->vec.items), (const void **)(out),       \
         (out_count))

static bool finish(struct decoder *d)
{
    struct module *m = d->m;
    const uint8_t *at = d->r.pos;

    if (d->functions.count > MODULE_FUNCTIONS_MAX)
        return decode_fail(d, ERR_LIMIT, at, "%zu functions, at most %u", d->functions.count,
                           MODULE_FUNCTIONS_MAX);
    if (d->tables.count > MODULE_TABLES_MAX)
        return decode_fail(d, ERR_LIMIT, at, "%zu tables, at most %u", d->tables.count,
                           MODULE_TABLES_MAX);
    if (d->globals.count > MODULE_GLOBALS_MAX)
        return decode_fail(d, ERR_LIMIT, at, "%zu globals, at most %u", d->globals.count,
                           MODULE_GLOBALS_MAX);
    if (!KEEP(d, functions, &m->functions, &m->function_count) ||
        !KEEP(d, tables, &m->tables, &m->table_count) ||
        !KEEP(d, memories, &m->memories, &m->memory_count) ||
        !KEEP(d, globals, &m->globals, &m->global_count) ||
        !KEEP(d, customs, &m->customs, &m->custom_count))
        return false;
    if (m->imported_functions + m->body_count != m->function_count)
        return decode_fail(d, ERR_MALFORMED, at,
                           "function and code section have inconsistent lengths: %u and %u",
                           m->function_count - m->imported_functions, m->body_count);
    if (m->has_data_count && m->data_count_section != m->data_count)
        return decode_fail(d, ERR_MALFORMED, at,
                           "data count and data section have inconsistent lengths: %u and %u",
                           m->data_count_section, m->data_count);
    for (uint32_t i = 0; i < m->custom_count; i++) {
        if (slice_equal(m->customs[i].name, slice_text("name"))) {
            decode_names(d, m->customs[i].bytes);
            break;
        }
    }
    return true;
}

static bool all(struct decoder *d)
{
    int last_rank = 0;
    uint32_t magic, version;

    if (d->m->bytes.size > MODULE_SIZE_MAX)
        return fail(d->err, ERR_LIMIT, "module of %zu bytes, at most %u", d->m->bytes.size,
                    MODULE_SIZE_MAX);
    magic = reader_u32_le(&d->r);
    if (!reader_ok(&d->r) || magic != WASM_MAGIC)
        return decode_fail(d, ERR_MALFORMED, d->r.start, "magic header not detected");
    version = reader_u32_le(&d->r);
    if (!reader_ok(&d->r) || version != WASM_VERSION)
        return decode_fail(d, ERR_MALFORMED, d->r.start + 4, "unknown binary version");
    while (reader_left(&d->r)) {
        if (!section(d, &last_rank))
            return false;
    }
    return finish(d);
}

bool module_decode(struct bytes *bytes, struct module **out, struct error *err)
{
    struct decoder d = {.err = err};
    bool ok = false;

    d.m = mem_try(struct module);
    d.arena = mem_try(struct arena);
    if (!d.m || !d.arena) {
        mem_free(d.m);
        mem_free(d.arena);
        bytes_deinit(bytes);
        return fail(err, ERR_NO_MEMORY, "out of memory");
    }
    d.arena->bytes = *bytes;
    *bytes = (struct bytes){0};
    d.m->arena = d.arena;
    d.m->bytes = slice_make(d.arena->bytes.data, d.arena->bytes.size);
    if (!d.m->bytes.data)
        d.m->bytes = slice_text(""); /* no bytes at all are as malformed as any */
    reader_init(&d.r, d.m->bytes);
    ok = all(&d);
    vec_deinit(&d.functions);
    vec_deinit(&d.tables);
    vec_deinit(&d.memories);
    vec_deinit(&d.globals);
    vec_deinit(&d.customs);
    if (ok)
        *out = d.m;
    else
        module_free(d.m);
    return ok;
}
