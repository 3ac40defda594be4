/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A quick pass over a body before it is compiled: which locals each loop uses and how often, which
 * locals are read before they are set, and where each is used last. Its cost is linear in the body:
 * a loop notes at most LOOP_USES_MAX locals. */
#include "baseline/internal.h"

#define LOOP_USES_MAX 64
#define WEIGHT_MAX    (1u << 24)

struct scan {
    struct fn *f;
    uint32_t blocks;    /* opened so far: their ids */
    uint32_t loop;      /* innermost open loop, NONE outside */
    uint32_t loop_base; /* of its entries in open_uses */
};

static void note_use(struct scan *s, uint32_t index, uint32_t weight, bool written)
{
    struct fn *f = s->f;
    struct local *l = fn_local(f, index);
    struct loop_use *use;

    if (l->loop != s->loop) {
        if (f->open_uses.count - s->loop_base >= LOOP_USES_MAX) {
            f->loops.items[s->loop].is_cut = true;
            return;
        }
        l->loop = s->loop;
        l->loop_entry = (uint32_t)f->open_uses.count;
        if (!vec_push(&f->open_uses, (struct loop_use){.local = index})) {
            f->failed = true;
            return;
        }
    }
    use = &f->open_uses.items[l->loop_entry];
    weight += use->weight;
    use->weight = (weight > WEIGHT_MAX ? WEIGHT_MAX : weight) & 0x7fffffff;
    use->is_written |= written;
}

static bool block_is_open(const struct fn *f, uint32_t id)
{
    size_t low = 0, high = f->scan_blocks.count;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (f->scan_blocks.items[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < f->scan_blocks.count && f->scan_blocks.items[low] == id;
}

static void need_zero(struct fn *f, struct local *l, uint32_t index)
{
    if (l->flags & LOCAL_NEEDS_ZERO || index < f->type->param_count)
        return;
    l->flags |= LOCAL_NEEDS_ZERO;
    l->first_set = 0;
    if (!vec_push(&f->zero_locals, index))
        f->failed = true;
}

static void note_local(struct scan *s, uint32_t index, bool get, uint32_t pos)
{
    struct fn *f = s->f;
    struct local *l = fn_local(f, index);

    if (!(l->flags & LOCAL_SEEN)) {
        l->flags |= LOCAL_SEEN;
        if (get || index < f->type->param_count) {
            need_zero(f, l, index);
        } else {
            l->first_set = pos;
            l->block = f->scan_blocks.items[f->scan_blocks.count - 1];
        }
    } else if (l->first_set && l->block != f->scan_blocks.items[f->scan_blocks.count - 1] &&
               !block_is_open(f, l->block)) {
        need_zero(f, l, index);
    }
    l->last_use = pos;
    if (s->loop != NONE)
        note_use(s, index, 1, !get);
}

/* Ends the innermost loop: its list is final, and counts for the loop around it. */
static void close_loop(struct scan *s)
{
    struct fn *f = s->f;
    uint32_t ended = s->loop, base = s->loop_base, count = (uint32_t)f->open_uses.count - base;
    struct loop *l = &f->loops.items[ended];

    l->first_use = (uint32_t)f->uses.count;
    l->use_count = count;
    if (!vec_reserve(&f->uses, count)) {
        f->failed = true;
        l->use_count = count = 0;
    } else if (count) {
        memcpy(f->uses.items + f->uses.count, f->open_uses.items + base,
               count * sizeof(*f->uses.items));
        f->uses.count += count;
    }
    f->open_uses.count = base;
    f->scan_loops.count -= 2;
    if (f->scan_loops.count == 0) {
        s->loop = NONE;
        s->loop_base = 0;
        return;
    }
    s->loop = f->scan_loops.items[f->scan_loops.count - 2];
    s->loop_base = f->scan_loops.items[f->scan_loops.count - 1];
    f->loops.items[s->loop].has_calls |= l->has_calls;
    f->loops.items[s->loop].uses_memory |= l->uses_memory;
    f->loops.items[s->loop].is_cut |= l->is_cut;
    for (uint32_t i = s->loop_base; i < base; i++) {
        struct local *x = &f->locals[f->open_uses.items[i].local];

        x->loop = s->loop;
        x->loop_entry = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct loop_use use = f->uses.items[l->first_use + i];

        note_use(s, use.local, (uint32_t)use.weight * 8, use.is_written);
    }
}

static void note_call(struct scan *s)
{
    s->f->has_calls = true;
    if (s->loop != NONE)
        s->f->loops.items[s->loop].has_calls = true;
}

static void note_memory(struct scan *s)
{
    if (s->loop != NONE)
        s->f->loops.items[s->loop].uses_memory = true;
}

static bool open_block(struct scan *s)
{
    return vec_push(&s->f->scan_blocks, ++s->blocks);
}

static void skip_leb(struct fn *f)
{
    while (*f->ip++ & 0x80)
        ;
}

static void scan_misc(struct scan *s)
{
    struct fn *f = s->f;
    uint32_t op = read_u32(f);

    switch (op + 0xfc00) {
    case OP_MEMORY_INIT:
    case OP_MEMORY_COPY:
    case OP_TABLE_INIT:
    case OP_TABLE_COPY:
        skip_leb(f);
        skip_leb(f);
        note_call(s);
        break;
    case OP_DATA_DROP:
    case OP_ELEM_DROP:
    case OP_MEMORY_FILL:
    case OP_TABLE_GROW:
    case OP_TABLE_FILL:
        skip_leb(f);
        note_call(s);
        break;
    case OP_TABLE_SIZE:
        skip_leb(f);
        break;
    default: /* saturating truncations */
        break;
    }
}

bool fn_scan(struct fn *f)
{
    struct scan s = {.f = f, .loop = NONE};
    const uint8_t *end = f->code + f->body->code.size;

    f->loops.count = f->uses.count = f->open_uses.count = f->scan_blocks.count = 0;
    f->scan_loops.count = f->ifs.count = f->zero_locals.count = 0;
    f->scan_ifs.count = 0;
    f->has_calls = false;
    f->ip = f->code;
    if (!open_block(&s) || !vec_push(&f->scan_ifs, 0))
        return false;
    while (f->ip < end) {
        uint32_t pos = (uint32_t)(f->ip - f->code);
        uint8_t op = *f->ip++;

        switch (op) {
        case OP_LOCAL_GET:
        case OP_LOCAL_SET:
        case OP_LOCAL_TEE:
            note_local(&s, read_u32(f), op == OP_LOCAL_GET, pos);
            break;
        case OP_BLOCK:
        case OP_LOOP:
        case OP_IF: {
            uint32_t mark = 0;

            skip_leb(f);
            if (op == OP_LOOP) {
                mark = NONE;
                s.loop = (uint32_t)f->loops.count;
                s.loop_base = (uint32_t)f->open_uses.count;
                if (!vec_push(&f->loops, (struct loop){0}) || !vec_push(&f->scan_loops, s.loop) ||
                    !vec_push(&f->scan_loops, s.loop_base))
                    return false;
            } else if (op == OP_IF) {
                if (!vec_push(&f->ifs, 0))
                    return false;
                mark = (uint32_t)f->ifs.count;
            }
            if (!open_block(&s) || !vec_push(&f->scan_ifs, mark))
                return false;
            break;
        }
        case OP_ELSE:
            f->ifs.items[f->scan_ifs.items[f->scan_ifs.count - 1] - 1] = 1;
            f->scan_blocks.items[f->scan_blocks.count - 1] = ++s.blocks;
            break;
        case OP_END:
            f->scan_blocks.count--;
            if (f->scan_ifs.items[--f->scan_ifs.count] == NONE)
                close_loop(&s);
            break;
        case OP_CALL:
            skip_leb(f);
            note_call(&s);
            break;
        case OP_CALL_INDIRECT:
            skip_leb(f);
            skip_leb(f);
            note_call(&s);
            break;
        case OP_BR_TABLE:
            for (uint32_t n = read_u32(f) + 1; n; n--)
                skip_leb(f);
            break;
        case OP_SELECT_T:
            skip_leb(f); /* exactly one type */
            skip_leb(f);
            break;
        case OP_MEMORY_GROW:
        case OP_TABLE_SET:
            skip_leb(f);
            note_call(&s);
            break;
        case OP_F32_CONST:
            f->ip += 4;
            break;
        case OP_F64_CONST:
            f->ip += 8;
            break;
        case 0xfc:
            scan_misc(&s);
            break;
        case OP_BR:
        case OP_BR_IF:
        case OP_GLOBAL_GET:
        case OP_GLOBAL_SET:
        case OP_TABLE_GET:
        case OP_MEMORY_SIZE:
        case OP_I32_CONST:
        case OP_I64_CONST:
        case OP_REF_NULL:
        case OP_REF_FUNC:
            skip_leb(f);
            break;
        default:
            if (op >= OP_I32_LOAD && op <= OP_I64_STORE32) {
                skip_leb(f);
                skip_leb(f);
                note_memory(&s);
            }
            break;
        }
    }
    return !f->failed;
}
