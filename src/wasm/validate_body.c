/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Function bodies: the loop over instructions, and those that are typed by their row. */
#include "base/mem.h"
#include "wasm/validator.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool check_fail(struct validator *v, enum error_code code, const char *what, ...)
{
    char text[256], name[NAME_TEXT_MAX];
    struct slice found = module_function_name(v->m, v->function);
    size_t offset = v->body->offset + (size_t)(v->at - v->body->code.data);
    va_list args;

    va_start(args, what);
    vsnprintf(text, sizeof(text), what, args);
    va_end(args);
    if (found.size)
        return fail(v->err, code, "%s, in function %u (\"%s\"), at offset 0x%zx", text, v->function,
                    name_text(found, name, sizeof(name)), offset);
    return fail(v->err, code, "%s, in function %u, at offset 0x%zx", text, v->function, offset);
}

void note_v128(struct validator *v)
{
    if (v->body->uses_v128)
        return;
    v->body->uses_v128 = true;
    v->body->v128_offset = v->body->offset + (uint32_t)(v->at - v->body->code.data);
}

/* ---- rows ---- */

static uint8_t signature_type(char c)
{
    switch (c) {
    case 'i':
        return VALTYPE_I32;
    case 'I':
        return VALTYPE_I64;
    case 'f':
        return VALTYPE_F32;
    case 'F':
        return VALTYPE_F64;
    case 'V':
        return VALTYPE_V128;
    default:
        UNREACHABLE();
    }
}

static uint8_t log2_of(unsigned long n)
{
    uint8_t log = 0;

    while (n > 1) {
        n /= 2;
        log++;
    }
    return log;
}

/* The access size of "i64.load32_u", "v128.load8x8_s", "f64.store"..., as an exponent. */
static uint8_t natural_align(const char *text)
{
    const char *digits = strstr(text, ".load");
    char *rest;
    unsigned long bits;

    digits = digits ? digits + 5 : strstr(text, ".store") + 6;
    bits = strtoul(digits, &rest, 10);
    if (bits == 0) /* the whole type */
        bits = strtoul(text + 1, NULL, 10);
    else if (*rest == 'x') /* lanes of a 64-bit access */
        bits = 64;
    return log2_of(bits / 8);
}

static void row_init(struct row *row, const struct op_info *info, uint32_t slot)
{
    const char *results = strchr(info->signature, ':');
    uint8_t pattern[4] = {0}, mask[4] = {0};

    row->immediate = info->immediate;
    row->leaves = slot >= OP_SLOT(OP_MEMORY_INIT) && slot < OP_SLOT(0xfd00);
    row->leaves |= slot == OP_MEMORY_GROW || slot == OP_CALL || slot == OP_CALL_INDIRECT ||
                   slot == OP_TABLE_SET;
    if (info->immediate == IMM_MEMARG || info->immediate == IMM_MEMARG_LANE)
        row->align = natural_align(info->text);
    if (info->immediate == IMM_MEMARG_LANE)
        row->lanes = (uint8_t)(16u >> row->align);
    if (info->immediate == IMM_LANE) /* "i8x16.extract_lane_s" */
        row->lanes = (uint8_t)strtoul(strchr(info->text, 'x') + 1, NULL, 10);
    if (!results)
        return; /* "*" */
    row->is_plain = true;
    row->pops = (uint8_t)(results - info->signature);
    for (int i = 0; i < row->pops; i++) {
        row->types[i] = signature_type(info->signature[i]);
        pattern[4 - row->pops + i] = row->types[i];
        mask[4 - row->pops + i] = 0xff;
    }
    if (results[1]) {
        row->pushes = 1;
        row->result = signature_type(results[1]);
    }
    memcpy(&row->pattern, pattern, 4);
    memcpy(&row->mask, mask, 4);
}

/* ---- operand stack ---- */

static bool mismatch(struct validator *v, uint8_t expected, uint8_t found)
{
    return check_fail(v, ERR_INVALID, "type mismatch: expected %s, found %s",
                      valtype_name(expected), valtype_name(found));
}

static bool too_few(struct validator *v, size_t expected, size_t found)
{
    return check_fail(v, ERR_INVALID, "type mismatch: expected %zu values, found %zu", expected,
                      found);
}

bool pop(struct validator *v, uint8_t expected, uint8_t *actual)
{
    uint8_t found = UNKNOWN;

    if (v->sp > v->base)
        found = *--v->sp;
    else if (!innermost(v)->is_unreachable)
        return too_few(v, 1, 0);
    if (actual)
        *actual = found;
    return found == expected || expected == UNKNOWN || found == UNKNOWN ||
           mismatch(v, expected, found);
}

/* Whether the values at `found` may stand where `types` are wanted; NULL, or the first that may
 * not. Eight at a time, because hostile modules check lists of a thousand again and again. */
static const uint8_t *first_mismatch(const uint8_t *found, const uint8_t *types, size_t count)
{
    const uint64_t low7 = 0x7f7f7f7f7f7f7f7full; /* value types are below 0x80 */
    size_t i = 0;

    for (; i + 8 <= count; i += 8) {
        uint64_t a, b;

        memcpy(&a, found + i, 8);
        memcpy(&b, types + i, 8);
        if (((a ^ b) + low7) & (a + low7) & ~low7) /* differs, and is not UNKNOWN */
            break;
    }
    for (; i < count; i++) {
        if (found[i] != types[i] && found[i] != UNKNOWN)
            return found + i;
    }
    return NULL;
}

/* Checks the values on top against a list, without taking them. */
static bool check_many(struct validator *v, const uint8_t *types, uint32_t count)
{
    size_t there = (size_t)(v->sp - v->base);
    const uint8_t *found = v->sp - count, *wrong;

    if (there < count) {
        if (!innermost(v)->is_unreachable)
            return too_few(v, count, there);
        types += count - there;
        count = (uint32_t)there;
        found = v->base;
    }
    wrong = first_mismatch(found, types, count);
    return !wrong || mismatch(v, types[wrong - found], *wrong);
}

bool count_list(struct validator *v, uint32_t count)
{
    v->list_values += count;
    return v->list_values <= v->list_values_max ||
           check_fail(v, ERR_LIMIT,
                      "calls, blocks and branches of the module move more than %llu values",
                      (unsigned long long)v->m->list_values_max);
}

bool pop_many(struct validator *v, const uint8_t *types, uint32_t count)
{
    if (!check_many(v, types, count))
        return false;
    v->sp = (size_t)(v->sp - v->base) < count ? v->base : v->sp - count;
    return true;
}

static bool note_high(struct validator *v)
{
    if (v->sp <= v->high)
        return true;
    v->high = v->sp;
    return v->sp <= v->stack_end ||
           check_fail(v, ERR_LIMIT, "more than %u values on the stack", OPERANDS_MAX);
}

bool push_many(struct validator *v, const uint8_t *types, uint32_t count)
{
    if (count)
        memcpy(v->sp, types, count); /* there is room for one list above stack_end */
    v->sp += count;
    return note_high(v);
}

bool push(struct validator *v, uint8_t type)
{
    *v->sp++ = type;
    return note_high(v);
}

/* A row's operands in unreachable code, or wrong ones. */
static bool pop_row(struct validator *v, const struct row *row)
{
    return pop_many(v, row->types, row->pops);
}

/* ---- locals ---- */

static bool locals_init(struct validator *v)
{
    const struct body *b = v->body;
    const struct functype *t = v->type;
    /* Not all are spelled out where that would cost much more than reading the body. */
    size_t wanted = t->param_count + 64 + 8 * b->code.size;
    size_t known = t->param_count;

    if (wanted > b->local_count)
        wanted = b->local_count;
    if (wanted > v->locals_capacity) {
        mem_free(v->locals);
        v->locals = mem_try_array(uint8_t, FUNCTION_LOCALS_MAX);
        v->locals_capacity = v->locals ? FUNCTION_LOCALS_MAX : 0;
        if (!v->locals)
            return check_fail(v, ERR_NO_MEMORY, "out of memory");
    }
    if (known)
        memcpy(v->locals, t->params, known);
    for (uint32_t g = 0; g < b->group_count && known < wanted; g++) {
        size_t count = b->groups[g].count;

        if (count > wanted - known)
            count = wanted - known;
        memset(v->locals + known, b->groups[g].type, count);
        known += count;
    }
    v->locals_known = (uint32_t)known;
    v->group_starts.count = 0;
    if (known < b->local_count) {
        uint32_t start = t->param_count;

        if (!vec_reserve(&v->group_starts, b->group_count))
            return check_fail(v, ERR_NO_MEMORY, "out of memory");
        for (uint32_t g = 0; g < b->group_count; g++) {
            v->group_starts.items[g] = start;
            start += b->groups[g].count;
        }
        v->group_starts.count = b->group_count;
    }
    for (uint32_t g = 0; g < b->group_count; g++) {
        if (b->groups[g].type == VALTYPE_V128 && b->groups[g].count)
            note_v128(v);
    }
    return true;
}

uint8_t local_type(struct validator *v, uint32_t index)
{
    size_t low = 0, high = v->group_starts.count;

    if (index < v->locals_known)
        return v->locals[index];
    if (index >= v->body->local_count)
        return 0;
    while (high - low > 1) { /* the last group that starts at or before it */
        size_t middle = low + (high - low) / 2;

        if (v->group_starts.items[middle] <= index)
            low = middle;
        else
            high = middle;
    }
    return v->body->groups[low].type;
}

/* ---- instructions ---- */

static bool check_memarg(struct validator *v, const struct row *row, const struct instr *in)
{
    if (in->mem.align >= 32)
        return check_fail(v, ERR_MALFORMED, "malformed memop flags 0x%x", in->mem.align);
    if (!v->m->memory_count)
        return check_fail(v, ERR_INVALID, "unknown memory 0");
    if (in->mem.align > row->align)
        return check_fail(v, ERR_INVALID, "alignment must not be larger than natural");
    if (row->immediate == IMM_MEMARG_LANE && in->mem.lane >= row->lanes)
        return check_fail(v, ERR_INVALID, "invalid lane index %u", in->mem.lane);
    return true;
}

/* The index first: where there are no segments at all, tools leave the section out. */
static bool check_data(struct validator *v, uint32_t index)
{
    if (index >= v->m->data_count)
        return check_fail(v, ERR_INVALID, "unknown data segment %u", index);
    return v->m->has_data_count || check_fail(v, ERR_MALFORMED, "data count section required");
}

static bool check_elem(struct validator *v, uint32_t index)
{
    return index < v->m->elem_count || check_fail(v, ERR_INVALID, "unknown elem segment %u", index);
}

static bool check_table(struct validator *v, uint32_t index)
{
    return index < v->m->table_count || check_fail(v, ERR_INVALID, "unknown table %u", index);
}

static bool check_memory(struct validator *v, uint32_t index)
{
    if (index)
        return check_fail(v, ERR_MALFORMED, "zero byte expected");
    return v->m->memory_count || check_fail(v, ERR_INVALID, "unknown memory 0");
}

static bool check_table_types(struct validator *v, uint8_t to, uint8_t from)
{
    return to == from || mismatch(v, to, from);
}

/* Immediates of instructions that are typed by their row. */
static bool check_immediate(struct validator *v, const struct row *row, const struct instr *in)
{
    const struct module *m = v->m;

    switch ((enum immediate)row->immediate) {
    case IMM_MEMARG:
    case IMM_MEMARG_LANE:
        return check_memarg(v, row, in);
    case IMM_MEMORY:
        return check_memory(v, in->index);
    case IMM_DATA_MEMORY:
        return check_memory(v, in->index2) && check_data(v, in->index);
    case IMM_DATA:
        return check_data(v, in->index);
    case IMM_MEMORY_MEMORY:
        return check_memory(v, in->index) && check_memory(v, in->index2);
    case IMM_ELEM_TABLE:
        return check_table(v, in->index2) && check_elem(v, in->index) &&
               check_table_types(v, m->tables[in->index2].type, m->elems[in->index].type);
    case IMM_ELEM:
        return check_elem(v, in->index);
    case IMM_TABLE:
        return check_table(v, in->index);
    case IMM_TABLE_TABLE:
        return check_table(v, in->index) && check_table(v, in->index2) &&
               check_table_types(v, m->tables[in->index].type, m->tables[in->index2].type);
    case IMM_LANE:
        return in->index < row->lanes ||
               check_fail(v, ERR_INVALID, "invalid lane index %u", in->index);
    case IMM_LANES:
        for (int i = 0; i < 16; i++) {
            if (in->bytes[i] >= 32)
                return check_fail(v, ERR_INVALID, "invalid lane index %u", in->bytes[i]);
        }
        return true;
    default:
        return true;
    }
}

/* Any instruction, at its own pace. v->at and v->r are at it. */
static bool check_instruction(struct validator *v)
{
    struct instr in;
    const struct row *row;

    if (!instr_next(&v->r, &in)) {
        if (!reader_ok(&v->r)) {
            v->at = v->r.error_pos;
            return check_fail(v, ERR_MALFORMED, "%s", reader_error_text(v->r.error));
        }
        return check_fail(v, ERR_MALFORMED, "illegal opcode 0x%x", in.opcode);
    }
    row = &v->rows[op_info(in.opcode) - op_infos];
    v->body->has_calls |= row->leaves;
    if (in.opcode >= 0xfd00)
        note_v128(v);
    if (row->is_plain) {
        if (!check_immediate(v, row, &in) || !pop_row(v, row))
            return false;
        return row->pushes == 0 || push(v, row->result);
    }
    if (in.opcode <= OP_CALL_INDIRECT)
        return check_control(v, &in);
    return check_variable(v, &in);
}

/* The hot loop: instructions that are typed by their row and have no immediate, local variables and
 * small numbers are checked here; check_instruction sees the rest. */
static bool check_code(struct validator *v)
{
    const uint8_t *pos = v->r.pos, *end = v->r.end;
    const uint8_t *locals = v->locals;
    uint32_t small_locals = v->locals_known < 0x80 ? v->locals_known : 0x80;
    uint8_t *sp = v->sp, *high = v->high;
    struct row *rows = v->rows;

    while (LIKELY(end - pos >= 4)) {
        uint8_t op = *pos, next = pos[1];
        const struct row *row;
        uint32_t top;

        switch (op) {
        case OP_LOCAL_GET:
            if (UNLIKELY(next >= small_locals))
                goto slow;
            *sp++ = locals[next];
            pos += 2;
            goto pushed;
        case OP_LOCAL_SET:
            if (UNLIKELY(next >= small_locals || sp == v->base || sp[-1] != locals[next]))
                goto slow;
            sp--;
            pos += 2;
            continue;
        case OP_LOCAL_TEE:
            if (UNLIKELY(next >= small_locals || sp == v->base || sp[-1] != locals[next]))
                goto slow;
            pos += 2;
            continue;
        case OP_I32_CONST:
        case OP_I64_CONST: /* one or two bytes; up to 32 bits fit in both */
            if (next & 0x80) {
                if (UNLIKELY(pos[2] & 0x80))
                    goto slow;
                pos++;
            }
            *sp++ = op == OP_I32_CONST ? VALTYPE_I32 : VALTYPE_I64;
            pos += 2;
            goto pushed;
        default:
            row = &rows[op];
            if (UNLIKELY(!row->is_plain))
                goto slow;
            memcpy(&top, sp - 4, 4);
            if (UNLIKELY(((top ^ row->pattern) & row->mask) || sp - v->base < row->pops))
                goto slow;
            if (row->immediate == IMM_MEMARG) {
                /* An exponent below 0x80, an offset of one or two bytes. */
                if (UNLIKELY(next > row->align || !v->m->memory_count))
                    goto slow;
                if (pos[2] & 0x80) {
                    if (UNLIKELY(pos[3] & 0x80))
                        goto slow;
                    pos++;
                }
                pos += 2;
            } else if (UNLIKELY(row->immediate != IMM_NONE)) {
                goto slow;
            }
            pos++;
            sp -= row->pops;
            *sp = row->result;
            sp += row->pushes;
            goto pushed;
        }
    pushed:
        if (LIKELY(sp <= high))
            continue;
        high = sp;
        if (LIKELY(sp <= v->stack_end))
            continue;
        v->at = pos;
        return check_fail(v, ERR_LIMIT, "more than %u values on the stack", OPERANDS_MAX);
    slow:
        v->sp = sp;
        v->high = high;
        v->at = v->r.pos = pos;
        if (!check_instruction(v))
            return false;
        sp = v->sp;
        high = v->high;
        pos = v->r.pos;
        if (UNLIKELY(v->labels.count == 0))
            goto ended;
    }
    v->sp = sp;
    v->high = high;
    v->r.pos = pos;
    while (v->labels.count) {
        v->at = v->r.pos;
        if (!check_instruction(v))
            return false;
    }
    pos = v->r.pos;
ended:
    v->at = pos;
    return pos == end || check_fail(v, ERR_MALFORMED, "%zu bytes after the end of the function",
                                    (size_t)(end - pos));
}

bool validator_check_body(struct validator *v, uint32_t index, struct error *err)
{
    struct module *m = v->m;
    struct body *b = &m->bodies[index];
    uint32_t type_index = m->functions[m->imported_functions + index].type;
    const struct functype *t = &m->types[type_index];
    bool ok;

    v->err = err;
    v->body = b;
    v->function = m->imported_functions + index;
    v->type = t;
    v->at = b->code.data;
    v->sp = v->base = v->high = v->stack;
    v->labels.count = 0;
    v->label_max = 0;
    v->list_values = 0;
    v->list_values_max = atomic_load_explicit(&m->list_values, memory_order_relaxed);
    v->list_values_max =
        v->list_values_max < m->list_values_max ? m->list_values_max - v->list_values_max : 0;
    b->has_calls = b->uses_v128 = false;
    b->v128_offset = 0;
    reader_init(&v->r, b->code);
    if (!locals_init(v))
        return false;
    if (v->type_uses_v128[type_index])
        note_v128(v);
    ok = count_list(v, t->param_count) && label_open(v, OP_BLOCK, type_index, t) && check_code(v);
    b->stack_max = (uint32_t)(v->high - v->stack);
    b->label_max = v->label_max;
    /* Others may have checked bodies meanwhile: whoever adds last sees the sum. */
    v->list_values +=
        atomic_fetch_add_explicit(&m->list_values, v->list_values, memory_order_relaxed);
    v->list_values_max = m->list_values_max;
    return ok && count_list(v, 0);
}

struct validator *validator_new(struct module *m)
{
    const size_t stack_size = STACK_PADDING + OPERANDS_MAX + FUNCTION_PARAMS_MAX + 8;
    struct validator *v = mem_try(struct validator);
    uint8_t *stack = mem_try_array(uint8_t, stack_size);

    if (!v || !stack)
        goto fail;
    v->m = m;
    v->type_uses_v128 = mem_try_array(uint8_t, (size_t)m->type_count + 1);
    v->param_stamps = mem_try_array(uint32_t, (size_t)m->type_count + 1);
    v->result_stamps = mem_try_array(uint32_t, (size_t)m->type_count + 1);
    if (!v->type_uses_v128 || !v->param_stamps || !v->result_stamps)
        goto fail;
    v->stack = stack + STACK_PADDING;
    v->stack_end = v->stack + OPERANDS_MAX;
    for (uint32_t i = 0; i < OP_SLOT_COUNT; i++) {
        if (op_infos[i].text)
            row_init(&v->rows[i], &op_infos[i], i);
    }
    for (uint32_t i = 0; i < m->type_count; i++) {
        const struct functype *t = &m->types[i];

        v->type_uses_v128[i] =
            (t->param_count && memchr(t->params, VALTYPE_V128, t->param_count)) ||
            (t->result_count && memchr(t->results, VALTYPE_V128, t->result_count));
    }
    return v;
fail:
    if (v && !v->stack)
        mem_free(stack);
    else if (!v)
        mem_free(stack);
    validator_free(v);
    return NULL;
}

void validator_free(struct validator *v)
{
    if (!v)
        return;
    if (v->stack)
        mem_free(v->stack - STACK_PADDING);
    mem_free(v->type_uses_v128);
    mem_free(v->param_stamps);
    mem_free(v->result_stamps);
    mem_free(v->locals);
    vec_deinit(&v->group_starts);
    vec_deinit(&v->labels);
    mem_free(v);
}
