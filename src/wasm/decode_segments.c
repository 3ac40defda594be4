/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Constant expressions, and the segments that start with one. */
#include "wasm/decode.h"

/* Names the one instruction of an expression, if it has a short form. */
static bool short_form(const struct instr *in, struct constexpr_ *out)
{
    switch (in->opcode) {
    case OP_I32_CONST:
        out->bits = (uint32_t)in->value;
        break;
    case OP_I64_CONST:
    case OP_F32_CONST:
    case OP_F64_CONST:
        out->bits = in->value;
        break;
    case OP_GLOBAL_GET:
        out->kind = CONSTEXPR_GLOBAL_GET;
        out->index = in->index;
        break;
    case OP_REF_NULL:
        out->kind = CONSTEXPR_REF_NULL;
        out->index = in->index;
        break;
    case OP_REF_FUNC:
        out->kind = CONSTEXPR_REF_FUNC;
        out->index = in->index;
        break;
    case OP_V128_CONST:
        out->kind = CONSTEXPR_V128;
        out->code = slice_make(in->bytes, 16);
        break;
    default:
        return false;
    }
    return true;
}

bool decode_constexpr(struct decoder *d, struct constexpr_ *out)
{
    const uint8_t *begin = d->r.pos;
    struct instr first = {0}, in;
    size_t depth = 0, count = 0;

    for (;;) {
        const uint8_t *at = d->r.pos;

        if (!instr_next(&d->r, &in)) {
            if (!reader_ok(&d->r))
                return decode_fail_read(d);
            return decode_fail(d, ERR_MALFORMED, at, "illegal opcode 0x%x", in.opcode);
        }
        if (in.opcode == OP_END) {
            if (depth-- == 0)
                break;
        } else if (in.opcode == OP_BLOCK || in.opcode == OP_LOOP || in.opcode == OP_IF) {
            depth++;
        }
        if (count++ == 0)
            first = in;
    }
    *out = (struct constexpr_){.kind = CONSTEXPR_VALUE};
    out->code = slice_make(begin, (size_t)(d->r.pos - begin));
    if (count != 1 || !short_form(&first, out))
        out->kind = CONSTEXPR_CODE;
    return true;
}

/* The elements of a segment, as function indices or as expressions. */
static bool items(struct decoder *d, struct elem_segment *s, bool are_expressions)
{
    struct constexpr_ *list;

    if (!decode_count(d, "elements", MODULE_ELEMENTS_MAX - d->element_total,
                      are_expressions ? 2 : 1, &s->count))
        return false;
    d->element_total += s->count;
    list = arena_array(d->arena, struct constexpr_, s->count);
    if (!list)
        return decode_no_memory(d);
    s->items = list;
    for (uint32_t i = 0; i < s->count; i++) {
        if (are_expressions) {
            if (!decode_constexpr(d, &list[i]))
                return false;
        } else {
            list[i].kind = CONSTEXPR_REF_FUNC;
            list[i].index = reader_leb_u32(&d->r);
        }
        if (!reader_ok(&d->r))
            return decode_fail_read(d);
    }
    return true;
}

/* Spec 5.5.12: bit 0: not active, bit 1: explicit table or declarative, bit 2: expressions. */
static bool element(struct decoder *d, struct elem_segment *s)
{
    const uint8_t *at = d->r.pos;
    uint32_t flags = reader_leb_u32(&d->r);
    bool has_kind = flags & 3;

    if (reader_ok(&d->r) && flags > 7)
        return decode_fail(d, ERR_MALFORMED, at, "malformed elements segment kind %u", flags);
    if (flags & 1) {
        s->mode = flags & 2 ? SEGMENT_DECLARATIVE : SEGMENT_PASSIVE;
    } else {
        s->mode = SEGMENT_ACTIVE;
        if (flags & 2)
            s->table = reader_leb_u32(&d->r);
        if (!reader_ok(&d->r))
            return decode_fail_read(d);
        if (!decode_constexpr(d, &s->offset))
            return false;
    }
    s->type = VALTYPE_FUNCREF;
    if (has_kind && (flags & 4)) {
        if (!decode_reftype(d, &s->type))
            return false;
    } else if (has_kind) {
        at = d->r.pos;
        if (reader_u8(&d->r) != 0 && reader_ok(&d->r))
            return decode_fail(d, ERR_MALFORMED, at, "malformed element kind");
    }
    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    return items(d, s, flags & 4);
}

bool decode_elements(struct decoder *d)
{
    struct elem_segment *segments;
    uint32_t count;

    if (!decode_count(d, "element segments", MODULE_SEGMENTS_MAX, 2, &count))
        return false;
    segments = arena_array(d->arena, struct elem_segment, count);
    if (!segments)
        return decode_no_memory(d);
    d->m->elems = segments;
    d->m->elem_count = count;
    d->item = "segment";
    for (d->item_index = 0; d->item_index < count; d->item_index++) {
        if (!element(d, &segments[d->item_index]))
            return false;
    }
    return true;
}

static bool data(struct decoder *d, struct data_segment *s)
{
    const uint8_t *at = d->r.pos;
    uint32_t flags = reader_leb_u32(&d->r);

    if (reader_ok(&d->r) && flags > 2)
        return decode_fail(d, ERR_MALFORMED, at, "malformed data segment kind %u", flags);
    if (flags == 2)
        s->memory = reader_leb_u32(&d->r);
    if (!reader_ok(&d->r))
        return decode_fail_read(d);
    s->mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
    if (s->mode == SEGMENT_ACTIVE && !decode_constexpr(d, &s->offset))
        return false;
    s->bytes = reader_slice(&d->r, reader_leb_u32(&d->r));
    return reader_ok(&d->r) || decode_fail_read(d);
}

bool decode_data(struct decoder *d)
{
    struct data_segment *segments;
    uint32_t count;

    if (!decode_count(d, "data segments", MODULE_SEGMENTS_MAX, 2, &count))
        return false;
    segments = arena_array(d->arena, struct data_segment, count);
    if (!segments)
        return decode_no_memory(d);
    d->m->datas = segments;
    d->m->data_count = count;
    d->item = "segment";
    for (d->item_index = 0; d->item_index < count; d->item_index++) {
        if (!data(d, &segments[d->item_index]))
            return false;
    }
    return true;
}

/* A name map's entries, if they are in order and well-formed. */
static bool function_names(struct decoder *d, struct slice bytes)
{
    struct name_entry *names;
    struct reader r;
    uint32_t count;

    reader_init(&r, bytes);
    count = reader_leb_u32(&r);
    if (!reader_ok(&r) || count > reader_left(&r) / 2)
        return false;
    names = arena_array(d->arena, struct name_entry, count);
    if (!names)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        names[i].index = reader_leb_u32(&r);
        names[i].name = reader_slice(&r, reader_leb_u32(&r));
        if (!reader_ok(&r) || !slice_is_utf8(names[i].name) ||
            (i && names[i].index <= names[i - 1].index))
            return false;
    }
    d->m->function_names = names;
    d->m->function_name_count = count;
    return true;
}

void decode_names(struct decoder *d, struct slice bytes)
{
    struct module *m = d->m;
    struct reader r;
    int last = -1;

    reader_init(&r, bytes);
    while (reader_left(&r)) {
        uint8_t id = reader_u8(&r);
        struct slice content = reader_slice(&r, reader_leb_u32(&r));

        if (!reader_ok(&r) || id <= last)
            goto ignore;
        last = id;
        if (id == 0) {
            struct reader name;

            reader_init(&name, content);
            m->module_name = reader_slice(&name, reader_leb_u32(&name));
            if (!reader_ok(&name) || !slice_is_utf8(m->module_name))
                goto ignore;
        } else if (id == 1 && !function_names(d, content)) {
            goto ignore;
        }
    }
    return;
ignore:
    m->module_name = (struct slice){NULL, 0};
    m->function_names = NULL;
    m->function_name_count = 0;
}
