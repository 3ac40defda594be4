/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Modules as data: their memory, look-ups, and texts about them. */
#include "wasm/module.h"
#include "base/mem.h"
#include "wasm/internal.h"
#include <stdio.h>

#define ARENA_CHUNK_SIZE ((size_t)16 << 10)

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    struct arena_chunk *c = a->chunks;
    size_t need, chunk_size;

    if (__builtin_mul_overflow(count, size, &need) || need > SIZE_MAX / 2)
        return NULL;
    need = (need + alignof(max_align_t)) & ~(alignof(max_align_t) - 1); /* never 0 */
    if (c && need <= c->size - c->used) {
        c->used += need;
        return c->data + c->used - need;
    }
    chunk_size = need > ARENA_CHUNK_SIZE / 4 ? need : ARENA_CHUNK_SIZE;
    c = (struct arena_chunk *)mem_try_alloc(1, sizeof(*c) + chunk_size);
    if (!c)
        return NULL;
    c->size = chunk_size;
    c->used = need;
    if (a->chunks && chunk_size == need) { /* full: keep the one with room in front */
        c->next = a->chunks->next;
        a->chunks->next = c;
    } else {
        c->next = a->chunks;
        a->chunks = c;
    }
    return c->data;
}

void arena_deinit(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;

        a->chunks = c->next;
        mem_free(c);
    }
    bytes_deinit(&a->bytes);
}

size_t module_memory(const struct module *m)
{
    const struct arena *a = (const struct arena *)m->arena;
    size_t size = sizeof(*m) + a->bytes.capacity;

    for (const struct arena_chunk *c = a->chunks; c; c = c->next)
        size += sizeof(*c) + c->size;
    return size;
}

void module_free(struct module *m)
{
    if (!m)
        return;
    if (m->arena) {
        arena_deinit((struct arena *)m->arena);
        mem_free(m->arena);
    }
    mem_free(m);
}

struct slice module_function_name(const struct module *m, uint32_t function)
{
    size_t low = 0, high = m->function_name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->function_names[middle].index < function)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < m->function_name_count && m->function_names[low].index == function)
        return m->function_names[low].name;
    for (uint32_t i = 0; i < m->export_count; i++) {
        if (m->exports[i].kind == EXTERN_FUNC && m->exports[i].index == function)
            return m->exports[i].name;
    }
    return (struct slice){NULL, 0};
}

/* Orders names by their bytes. */
static int compare_names(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;

    return order ? order : (a.size > b.size) - (a.size < b.size);
}

const struct export_ *module_export(const struct module *m, struct slice name, enum externkind kind)
{
    size_t low = 0, high = m->export_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct export_ *e = m->exports_by_name[middle];
        int order = compare_names(e->name, name);

        if (order == 0)
            return e->kind == kind ? e : NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool functype_equal(const struct functype *a, const struct functype *b)
{
    return slice_equal(slice_make(a->params, a->param_count),
                       slice_make(b->params, b->param_count)) &&
           slice_equal(slice_make(a->results, a->result_count),
                       slice_make(b->results, b->result_count));
}

const char *valtype_name(uint8_t type)
{
    switch (type) {
    case VALTYPE_I32:
        return "i32";
    case VALTYPE_I64:
        return "i64";
    case VALTYPE_F32:
        return "f32";
    case VALTYPE_F64:
        return "f64";
    case VALTYPE_V128:
        return "v128";
    case VALTYPE_FUNCREF:
        return "funcref";
    case VALTYPE_EXTERNREF:
        return "externref";
    default:
        return "?";
    }
}

/* Appends to a terminated text of `size` bytes, cut if too long. */
static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);

    if (size)
        snprintf(text + used, size - used, "%s", more);
}

static void append_types(char *text, size_t size, const uint8_t *types, uint32_t count)
{
    append(text, size, "(");
    for (uint32_t i = 0; i < count && strlen(text) + 1 < size; i++) {
        append(text, size, i ? ", " : "");
        append(text, size, valtype_name(types[i]));
    }
    append(text, size, ")");
}

const char *functype_text(const struct functype *t, char *text, size_t size)
{
    if (!size)
        return "";
    text[0] = 0;
    append_types(text, size, t->params, t->param_count);
    append(text, size, " -> ");
    append_types(text, size, t->results, t->result_count);
    return text;
}

/* Length of the well-formed UTF-8 sequence at the start of `s` (not empty) and its code point; 0 if
 * there is none. */
static size_t utf8_sequence(struct slice s, uint32_t *code_point)
{
    size_t size = s.data[0] < 0x80 ? 1 : s.data[0] < 0xe0 ? 2 : s.data[0] < 0xf0 ? 3 : 4;
    uint32_t value;

    if (size > s.size || !slice_is_utf8(slice_make(s.data, size)))
        return 0;
    value = size == 1 ? s.data[0] : s.data[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++)
        value = value << 6 | (s.data[i] & 0x3f);
    *code_point = value;
    return size;
}

/* Whether a terminal may do something else than draw it: controls, and marks that turn text around.
 */
static bool is_unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0xfeff ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || (c >= 0xe0000 && c <= 0xe0fff) ||
           (c >= 0xfff0 && c <= 0xfffb);
}

const char *name_text(struct slice name, char *text, size_t size)
{
    size_t used = 0;

    if (!size)
        return "";
    while (name.size) {
        uint32_t c = 0;
        size_t step = utf8_sequence(name, &c);
        char piece[16];
        size_t piece_size;

        if (step == 0)
            snprintf(piece, sizeof(piece), "\\x%02x", name.data[0]);
        else if (c == '"' || c == '\\')
            snprintf(piece, sizeof(piece), "\\%c", (char)c);
        else if (is_unprintable(c))
            snprintf(piece, sizeof(piece), "\\u{%x}", c);
        else
            snprintf(piece, sizeof(piece), "%.*s", (int)step, (const char *)name.data);
        if (step == 1 && c == 0)
            snprintf(piece, sizeof(piece), "\\u{0}");
        piece_size = strlen(piece);
        if (used + piece_size + 4 > size) { /* room for the dots and the terminator */
            for (int dots = 0; dots < 3 && used + 1 < size; dots++)
                text[used++] = '.';
            break;
        }
        memcpy(text + used, piece, piece_size);
        used += piece_size;
        name.data += step ? step : 1;
        name.size -= step ? step : 1;
    }
    text[used] = 0;
    return text;
}
