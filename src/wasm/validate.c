/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Modules without their bodies (spec 3.4), and constant expressions (spec 3.3.10). */
#include "wasm/validate.h"
#include "base/vec.h"
#include "wasm/internal.h"
#include <stdio.h>

/* What is being checked, for errors: "global 3". */
struct place {
    const struct module *m;
    struct error *err;
    const char *what;
    uint32_t index;
    VEC(uint8_t) stack; /* of constant expressions */
};

static bool fail_at(struct place *p, enum error_code code, const char *text)
{
    return fail(p->err, code, "%s, in %s %u", text, p->what, p->index);
}

static bool unknown(struct place *p, const char *kind, uint32_t index)
{
    return fail(p->err, ERR_INVALID, "unknown %s %u, in %s %u", kind, index, p->what, p->index);
}

static bool type_mismatch(struct place *p, uint8_t expected, uint8_t found)
{
    return fail(p->err, ERR_INVALID, "type mismatch: expected %s, found %s, in %s %u",
                valtype_name(expected), valtype_name(found), p->what, p->index);
}

static void declare_function(const struct module *m, uint32_t index)
{
    m->declared_functions[index / 8] |= (uint8_t)(1u << index % 8);
}

/* The type of an imported constant global, the only ones that constants may use. */
static bool constant_global(struct place *p, uint32_t index, uint8_t *type)
{
    const struct module *m = p->m;

    if (index >= m->imported_globals)
        return unknown(p, "global", index);
    if (m->globals[index].is_mutable)
        return fail_at(p, ERR_INVALID, "constant expression required: the global is mutable");
    *type = m->globals[index].type;
    return true;
}

/* One instruction of a longer expression: what it takes from and leaves on the stack. */
static bool constant_step(struct place *p, const struct instr *in)
{
    uint8_t type = 0;

    switch (in->opcode) {
    case OP_I32_ADD:
    case OP_I32_SUB:
    case OP_I32_MUL:
    case OP_I64_ADD:
    case OP_I64_SUB:
    case OP_I64_MUL:
        type = op_info(in->opcode)->signature[0] == 'i' ? VALTYPE_I32 : VALTYPE_I64;
        if (p->stack.count < 2)
            return fail_at(p, ERR_INVALID, "type mismatch: operands are missing");
        for (int i = 0; i < 2; i++) {
            if (p->stack.items[--p->stack.count] != type)
                return type_mismatch(p, type, p->stack.items[p->stack.count]);
        }
        break;
    case OP_I32_CONST:
        type = VALTYPE_I32;
        break;
    case OP_I64_CONST:
        type = VALTYPE_I64;
        break;
    case OP_F32_CONST:
        type = VALTYPE_F32;
        break;
    case OP_F64_CONST:
        type = VALTYPE_F64;
        break;
    case OP_V128_CONST:
        type = VALTYPE_V128;
        break;
    case OP_REF_NULL:
        if (!valtype_is_ref((uint8_t)in->index))
            return fail_at(p, ERR_MALFORMED, "malformed reference type");
        type = (uint8_t)in->index;
        break;
    case OP_REF_FUNC:
        if (in->index >= p->m->function_count)
            return unknown(p, "function", in->index);
        declare_function(p->m, in->index);
        type = VALTYPE_FUNCREF;
        break;
    case OP_GLOBAL_GET:
        if (!constant_global(p, in->index, &type))
            return false;
        break;
    default:
        return fail(p->err, ERR_INVALID,
                    "constant expression required: %s is not constant, in %s %u",
                    opcode_name(in->opcode), p->what, p->index);
    }
    if (p->stack.count >= CONSTANT_DEPTH_MAX)
        return fail(p->err, ERR_LIMIT,
                    "constant expression of more than %u values at once, in %s %u",
                    CONSTANT_DEPTH_MAX, p->what, p->index);
    return vec_push(&p->stack, type) || fail_at(p, ERR_NO_MEMORY, "out of memory");
}

/* An expression of several instructions. */
static bool constant_code(struct place *p, struct slice code, uint8_t expected)
{
    struct reader r;
    struct instr in;

    p->stack.count = 0;
    reader_init(&r, code);
    for (;;) {
        ASSERT(instr_next(&r, &in)); /* the decoder has walked it */
        if (in.opcode == OP_END)
            break;
        if (!constant_step(p, &in))
            return false;
    }
    if (p->stack.count != 1)
        return fail(p->err, ERR_INVALID, "type mismatch: one value expected, found %zu, in %s %u",
                    p->stack.count, p->what, p->index);
    if (p->stack.items[0] != expected)
        return type_mismatch(p, expected, p->stack.items[0]);
    return true;
}

static bool constant(struct place *p, const struct constexpr_ *c, uint8_t expected)
{
    uint8_t type = 0;

    switch (c->kind) {
    case CONSTEXPR_REF_FUNC: /* of element segments: has no code */
        if (c->index >= p->m->function_count)
            return unknown(p, "function", c->index);
        declare_function(p->m, c->index);
        type = VALTYPE_FUNCREF;
        break;
    case CONSTEXPR_GLOBAL_GET:
        if (!constant_global(p, c->index, &type))
            return false;
        break;
    case CONSTEXPR_V128:
        type = VALTYPE_V128;
        break;
    case CONSTEXPR_VALUE:
    case CONSTEXPR_REF_NULL:
    case CONSTEXPR_CODE:
        return constant_code(p, c->code, expected);
    }
    return type == expected || type_mismatch(p, expected, type);
}

static bool check_limits(struct place *p, const struct limits *l, uint32_t max, const char *too_big)
{
    if (l->min > max || (l->has_max && l->max > max))
        return fail_at(p, ERR_INVALID, too_big);
    if (l->has_max && l->min > l->max)
        return fail_at(p, ERR_INVALID, "size minimum must not be greater than maximum");
    return true;
}

static bool check_definitions(struct place *p)
{
    const struct module *m = p->m;

    p->what = "function";
    for (p->index = 0; p->index < m->function_count; p->index++) {
        if (m->functions[p->index].type >= m->type_count)
            return unknown(p, "type", m->functions[p->index].type);
    }
    p->what = "table";
    for (p->index = 0; p->index < m->table_count; p->index++) {
        if (!check_limits(p, &m->tables[p->index].limits, UINT32_MAX, ""))
            return false;
    }
    p->what = "memory";
    for (p->index = 0; p->index < m->memory_count; p->index++) {
        if (p->index >= MODULE_MEMORIES_MAX)
            return fail_at(p, ERR_INVALID, "multiple memories");
        if (!check_limits(p, &m->memories[p->index].limits, MEMORY_PAGES_MAX,
                          "memory size must be at most 65536 pages (4GiB)"))
            return false;
    }
    p->what = "global";
    for (p->index = m->imported_globals; p->index < m->global_count; p->index++) {
        if (!constant(p, &m->globals[p->index].init, m->globals[p->index].type))
            return false;
    }
    return true;
}

static bool check_exports(struct place *p)
{
    static const char *const kinds[] = {"function", "table", "memory", "global"};
    const struct module *m = p->m;
    const uint32_t counts[] = {m->function_count, m->table_count, m->memory_count, m->global_count};

    p->what = "export";
    for (p->index = 0; p->index < m->export_count; p->index++) {
        const struct export_ *e = &m->exports[p->index];

        if (e->index >= counts[e->kind])
            return unknown(p, kinds[e->kind], e->index);
        if (e->kind == EXTERN_FUNC)
            declare_function(m, e->index);
    }
    for (uint32_t i = 1; i < m->export_count; i++) {
        if (slice_equal(m->exports_by_name[i - 1]->name, m->exports_by_name[i]->name)) {
            char text[NAME_TEXT_MAX];

            return fail(p->err, ERR_INVALID, "duplicate export name \"%s\"",
                        name_text(m->exports_by_name[i]->name, text, sizeof(text)));
        }
    }
    if (m->has_start) {
        const struct functype *t;

        p->what = "start function";
        p->index = m->start;
        if (m->start >= m->function_count)
            return unknown(p, "function", m->start);
        t = module_function_type(m, m->start);
        if (t->param_count || t->result_count)
            return fail_at(p, ERR_INVALID, "start function must have no parameters and no results");
    }
    return true;
}

static bool check_segments(struct place *p)
{
    const struct module *m = p->m;

    p->what = "element segment";
    for (p->index = 0; p->index < m->elem_count; p->index++) {
        const struct elem_segment *s = &m->elems[p->index];

        for (uint32_t i = 0; i < s->count; i++) {
            if (!constant(p, &s->items[i], s->type))
                return false;
        }
        if (s->mode != SEGMENT_ACTIVE)
            continue;
        if (s->table >= m->table_count)
            return unknown(p, "table", s->table);
        if (m->tables[s->table].type != s->type)
            return type_mismatch(p, m->tables[s->table].type, s->type);
        if (!constant(p, &s->offset, VALTYPE_I32))
            return false;
    }
    p->what = "data segment";
    for (p->index = 0; p->index < m->data_count; p->index++) {
        const struct data_segment *s = &m->datas[p->index];

        if (s->mode != SEGMENT_ACTIVE)
            continue;
        if (s->memory >= m->memory_count)
            return unknown(p, "memory", s->memory);
        if (!constant(p, &s->offset, VALTYPE_I32))
            return false;
    }
    return true;
}

bool module_validate_declarations(struct module *m, struct error *err)
{
    struct place p = {.m = m, .err = err};
    bool ok;

    m->declared_functions =
        arena_array((struct arena *)m->arena, uint8_t, (size_t)m->function_count / 8 + 1);
    if (!m->declared_functions)
        return fail(err, ERR_NO_MEMORY, "out of memory");
    m->list_values_max = LIST_VALUES_FREE;
    for (uint32_t i = 0; i < m->body_count; i++)
        m->list_values_max += (uint64_t)LIST_VALUES_PER_BYTE * m->bodies[i].code.size;
    atomic_init(&m->list_values, 0);
    ok = check_definitions(&p) && check_exports(&p) && check_segments(&p);
    vec_deinit(&p.stack);
    return ok;
}

bool module_validate(struct module *m, struct error *err)
{
    struct validator *v;
    bool ok = true;

    if (!module_validate_declarations(m, err))
        return false;
    if (!m->body_count)
        return true;
    v = validator_new(m);
    if (!v)
        return fail(err, ERR_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < m->body_count && ok; i++)
        ok = validator_check_body(v, i, err);
    validator_free(v);
    return ok;
}
