/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Instructions that are typed by their context: control, variables, references. */
#include "wasm/validator.h"

static const uint8_t all_types[] = {VALTYPE_I32,  VALTYPE_I64,     VALTYPE_F32,      VALTYPE_F64,
                                    VALTYPE_V128, VALTYPE_FUNCREF, VALTYPE_EXTERNREF};

/* A list of one value type that lives for ever. */
static const uint8_t *single(uint8_t type)
{
    return (const uint8_t *)memchr(all_types, type, sizeof(all_types));
}

/* What a branch to the label takes (spec 3.3.8: label types). */
static const uint8_t *branch_types(const struct label *l, uint32_t *count)
{
    *count = l->opcode == OP_LOOP ? l->param_count : l->result_count;
    return l->opcode == OP_LOOP ? l->params : l->results;
}

bool label_open(struct validator *v, uint8_t opcode, uint32_t type_index,
                const struct functype *type)
{
    struct label l = {.opcode = opcode, .type = type_index};

    l.height = (uint32_t)(v->sp - v->stack);
    l.results = type->results;
    l.result_count = type->result_count;
    if (v->labels.count) { /* the function's own label has no parameters: they are locals */
        l.params = type->params;
        l.param_count = type->param_count;
    }
    if (v->labels.count == LABELS_MAX)
        return check_fail(v, ERR_LIMIT, "more than %u nested blocks", LABELS_MAX);
    if (!vec_push(&v->labels, l))
        return check_fail(v, ERR_NO_MEMORY, "out of memory");
    if (v->labels.count > v->label_max)
        v->label_max = (uint32_t)v->labels.count;
    v->base = v->sp;
    return push_many(v, l.params, l.param_count);
}

static bool open_block(struct validator *v, const struct instr *in)
{
    struct functype inline_type = {0};
    const struct functype *type = &inline_type;
    uint32_t type_index = NO_STAMP;

    if (in->block_type >= 0) {
        if (in->block_type >= v->m->type_count)
            return check_fail(v, ERR_INVALID, "unknown type %llu",
                              (unsigned long long)in->block_type);
        type_index = (uint32_t)in->block_type;
        type = &v->m->types[type_index];
        if (v->type_uses_v128[type_index])
            note_v128(v);
    } else if (in->block_type != BLOCK_TYPE_EMPTY) {
        uint8_t result = block_valtype(in->block_type);

        if (!result)
            return check_fail(v, ERR_MALFORMED, "malformed block type");
        if (result == VALTYPE_V128)
            note_v128(v);
        inline_type.results = single(result);
        inline_type.result_count = 1;
    }
    if (in->opcode == OP_IF && !pop(v, VALTYPE_I32, NULL))
        return false;
    return count_list(v, 2 * type->param_count) && pop_many(v, type->params, type->param_count) &&
           label_open(v, (uint8_t)in->opcode, type_index, type);
}

/* The values at the end of a block: its results and nothing else. */
static bool finish_block(struct validator *v, const struct label *l)
{
    if (!count_list(v, 2 * l->result_count) || !pop_many(v, l->results, l->result_count))
        return false;
    return v->sp == v->base ||
           check_fail(v, ERR_INVALID, "type mismatch: %zu values remain at the end of a block",
                      (size_t)(v->sp - v->base));
}

static bool else_(struct validator *v)
{
    struct label *l = innermost(v);

    if (l->opcode != OP_IF)
        return check_fail(v, ERR_MALFORMED, "else without if");
    if (!finish_block(v, l))
        return false;
    l->opcode = OP_ELSE;
    l->is_unreachable = false;
    return count_list(v, l->param_count) && push_many(v, l->params, l->param_count);
}

static bool end(struct validator *v)
{
    struct label l = *innermost(v);

    if (!finish_block(v, &l))
        return false;
    if (l.opcode == OP_IF &&
        !slice_equal(slice_make(l.params, l.param_count), slice_make(l.results, l.result_count)))
        return check_fail(v, ERR_INVALID,
                          "type mismatch: an if without else must leave what it takes");
    v->labels.count--;
    if (v->labels.count)
        v->base = v->stack + innermost(v)->height;
    return push_many(v, l.results, l.result_count);
}

/* Spec 3.3.8: whatever follows may find any operands. */
static void set_unreachable(struct validator *v)
{
    v->sp = v->base;
    innermost(v)->is_unreachable = true;
}

static const struct label *find_label(struct validator *v, uint32_t depth)
{
    if (depth >= v->labels.count) {
        check_fail(v, ERR_INVALID, "unknown label %u", depth);
        return NULL;
    }
    return &v->labels.items[v->labels.count - 1 - depth];
}

/* Types of a branch to a label are checked and stay where they are. A list of many types is checked
 * once in a br_table, however many targets share it: `stamp` tells. */
static bool check_target(struct validator *v, const struct label *l, uint32_t arity)
{
    uint8_t *sp = v->sp;
    uint32_t count;
    const uint8_t *types = branch_types(l, &count);

    if (count != arity)
        return check_fail(v, ERR_INVALID, "type mismatch: targets take %u and %u values", arity,
                          count);
    if (!count_list(v, count))
        return false; /* a compiler moves them for each label */
    if (l->type != NO_STAMP) {
        uint32_t *stamp = l->opcode == OP_LOOP ? &v->param_stamps[l->type] //
                                               : &v->result_stamps[l->type];

        if (*stamp == v->stamp)
            return true;
        *stamp = v->stamp;
    }
    if (!pop_many(v, types, count))
        return false;
    v->sp = sp; /* values are only read */
    return true;
}

static bool br_table(struct validator *v, const struct instr *in)
{
    const struct label *l;
    struct reader targets;
    uint32_t arity;

    if (in->target_count > BR_TABLE_TARGETS_MAX)
        return check_fail(v, ERR_LIMIT, "br_table of %u targets, at most %u", in->target_count,
                          BR_TABLE_TARGETS_MAX);
    if (!pop(v, VALTYPE_I32, NULL))
        return false;
    v->stamp++;
    reader_init(&targets, slice_make(in->targets, (size_t)(v->r.pos - in->targets)));
    l = find_label(v, reader_leb_u32(&targets));
    if (!l)
        return false;
    (void)branch_types(l, &arity);
    if (!check_target(v, l, arity))
        return false;
    for (uint32_t i = 0; i < in->target_count; i++) {
        l = find_label(v, reader_leb_u32(&targets));
        if (!l || !check_target(v, l, arity))
            return false;
    }
    set_unreachable(v);
    return true;
}

static bool branch(struct validator *v, const struct instr *in)
{
    const struct label *l;
    const uint8_t *types;
    uint32_t count;

    if (in->opcode == OP_BR_IF && !pop(v, VALTYPE_I32, NULL))
        return false;
    l = find_label(v, in->index);
    if (!l)
        return false;
    types = branch_types(l, &count);
    if (!count_list(v, 2 * count) || !pop_many(v, types, count))
        return false;
    if (in->opcode == OP_BR_IF)
        return push_many(v, types, count);
    set_unreachable(v);
    return true;
}

static bool call(struct validator *v, uint32_t type_index)
{
    const struct functype *t = &v->m->types[type_index];

    if (v->type_uses_v128[type_index])
        note_v128(v);
    return count_list(v, t->param_count + t->result_count) &&
           pop_many(v, t->params, t->param_count) && push_many(v, t->results, t->result_count);
}

static bool call_indirect(struct validator *v, const struct instr *in)
{
    if (in->index2 >= v->m->table_count)
        return check_fail(v, ERR_INVALID, "unknown table %u", in->index2);
    if (v->m->tables[in->index2].type != VALTYPE_FUNCREF)
        return check_fail(v, ERR_INVALID, "type mismatch: call_indirect needs a table of funcref");
    if (in->index >= v->m->type_count)
        return check_fail(v, ERR_INVALID, "unknown type %u", in->index);
    return pop(v, VALTYPE_I32, NULL) && call(v, in->index);
}

bool check_control(struct validator *v, const struct instr *in)
{
    switch (in->opcode) {
    case OP_UNREACHABLE:
        set_unreachable(v);
        return true;
    case OP_BLOCK:
    case OP_LOOP:
    case OP_IF:
        return open_block(v, in);
    case OP_ELSE:
        return else_(v);
    case OP_END:
        return end(v);
    case OP_BR:
    case OP_BR_IF:
        return branch(v, in);
    case OP_BR_TABLE:
        return br_table(v, in);
    case OP_RETURN:
        if (!count_list(v, v->type->result_count) ||
            !pop_many(v, v->type->results, v->type->result_count))
            return false;
        set_unreachable(v);
        return true;
    case OP_CALL:
        if (in->index >= v->m->function_count)
            return check_fail(v, ERR_INVALID, "unknown function %u", in->index);
        return call(v, v->m->functions[in->index].type);
    case OP_CALL_INDIRECT:
        return call_indirect(v, in);
    default:
        UNREACHABLE();
    }
}

/* Without a type, operands must be numbers or vectors (spec 3.3.2.1). */
static bool select_untyped(struct validator *v)
{
    uint8_t a, b;

    if (!pop(v, VALTYPE_I32, NULL) || !pop(v, UNKNOWN, &b) || !pop(v, b, &a))
        return false;
    if (a == UNKNOWN)
        a = b;
    if (valtype_is_ref(a))
        return check_fail(v, ERR_INVALID, "type mismatch: select without a type, on references");
    return push(v, a);
}

static bool select_typed(struct validator *v, uint8_t type)
{
    if (!type)
        return check_fail(v, ERR_INVALID, "invalid result arity");
    if (!valtype_is_known(type))
        return check_fail(v, ERR_MALFORMED, "malformed value type 0x%02x", type);
    if (type == VALTYPE_V128)
        note_v128(v);
    return pop(v, VALTYPE_I32, NULL) && pop(v, type, NULL) && pop(v, type, NULL) && push(v, type);
}

static bool local(struct validator *v, const struct instr *in)
{
    uint8_t type = local_type(v, in->index);

    if (!type)
        return check_fail(v, ERR_INVALID, "unknown local %u", in->index);
    switch (in->opcode) {
    case OP_LOCAL_GET:
        return push(v, type);
    case OP_LOCAL_SET:
        return pop(v, type, NULL);
    default:
        return pop(v, type, NULL) && push(v, type);
    }
}

static bool global(struct validator *v, const struct instr *in)
{
    const struct global_decl *g;

    if (in->index >= v->m->global_count)
        return check_fail(v, ERR_INVALID, "unknown global %u", in->index);
    g = &v->m->globals[in->index];
    if (g->type == VALTYPE_V128)
        note_v128(v);
    if (in->opcode == OP_GLOBAL_GET)
        return push(v, g->type);
    if (!g->is_mutable)
        return check_fail(v, ERR_INVALID, "global is immutable");
    return pop(v, g->type, NULL);
}

static bool table(struct validator *v, const struct instr *in)
{
    uint8_t type;

    if (in->index >= v->m->table_count)
        return check_fail(v, ERR_INVALID, "unknown table %u", in->index);
    type = v->m->tables[in->index].type;
    switch (in->opcode) {
    case OP_TABLE_GET:
        return pop(v, VALTYPE_I32, NULL) && push(v, type);
    case OP_TABLE_SET:
        return pop(v, type, NULL) && pop(v, VALTYPE_I32, NULL);
    case OP_TABLE_GROW:
        return pop(v, VALTYPE_I32, NULL) && pop(v, type, NULL) && push(v, VALTYPE_I32);
    case OP_TABLE_FILL:
        return pop(v, VALTYPE_I32, NULL) && pop(v, type, NULL) && pop(v, VALTYPE_I32, NULL);
    default:
        UNREACHABLE();
    }
}

static bool reference(struct validator *v, const struct instr *in)
{
    uint8_t type;

    switch (in->opcode) {
    case OP_REF_NULL:
        if (!valtype_is_ref((uint8_t)in->index))
            return check_fail(v, ERR_MALFORMED, "malformed reference type 0x%02x", in->index);
        return push(v, (uint8_t)in->index);
    case OP_REF_IS_NULL:
        if (!pop(v, UNKNOWN, &type))
            return false;
        if (type != UNKNOWN && !valtype_is_ref(type))
            return check_fail(v, ERR_INVALID, "type mismatch: expected a reference, found %s",
                              valtype_name(type));
        return push(v, VALTYPE_I32);
    case OP_REF_FUNC:
        if (in->index >= v->m->function_count)
            return check_fail(v, ERR_INVALID, "unknown function %u", in->index);
        if (!(v->m->declared_functions[in->index / 8] >> in->index % 8 & 1))
            return check_fail(v, ERR_INVALID, "undeclared function reference %u", in->index);
        return push(v, VALTYPE_FUNCREF);
    default:
        UNREACHABLE();
    }
}

bool check_variable(struct validator *v, const struct instr *in)
{
    switch (in->opcode) {
    case OP_DROP:
        return pop(v, UNKNOWN, NULL);
    case OP_SELECT:
        return select_untyped(v);
    case OP_SELECT_T:
        return select_typed(v, (uint8_t)in->index);
    case OP_LOCAL_GET:
    case OP_LOCAL_SET:
    case OP_LOCAL_TEE:
        return local(v, in);
    case OP_GLOBAL_GET:
    case OP_GLOBAL_SET:
        return global(v, in);
    case OP_TABLE_GET:
    case OP_TABLE_SET:
    case OP_TABLE_GROW:
    case OP_TABLE_FILL:
        return table(v, in);
    default:
        return reference(v, in);
    }
}
