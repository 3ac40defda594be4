/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Blocks, branches and the code behind them that is never reached. Labels are a vector, so nesting
 * costs no C stack; forward jumps to a label are chained through their own displacements. */
#include "baseline/internal.h"

static struct label *label_at(struct fn *f, uint32_t depth)
{
    return &f->labels.items[f->labels.count - 1 - depth];
}

static void block_type(struct fn *f, struct label *l)
{
    static const uint8_t types[] = {VALTYPE_I32, VALTYPE_I64,     VALTYPE_F32,
                                    VALTYPE_F64, VALTYPE_FUNCREF, VALTYPE_EXTERNREF};
    int64_t type = read_s64(f);

    if (type >= 0) {
        const struct functype *t = &f->module->types[type];

        l->param_count = t->param_count;
        l->result_count = t->result_count;
        l->params = t->params;
        l->results = t->results;
        return;
    }
    if (type == BLOCK_TYPE_EMPTY)
        return;
    for (unsigned i = 0; i < sizeof(types); i++)
        if (types[i] == (type & 0x7f)) {
            l->results = &types[i];
            l->result_count = 1;
        }
}

static bool label_push(struct fn *f, const struct label *l)
{
    if (vec_push(&f->labels, *l))
        return true;
    f->failed = true;
    return false;
}

void label_open_function(struct fn *f)
{
    struct label l = {
        .kind = LABEL_FUNCTION, .result_count = f->type->result_count, .results = f->type->results};

    (void)label_push(f, &l);
}

/* ---- block, loop, if ---- */

void emit_block(struct fn *f, uint32_t op)
{
    struct label l = {.kind = op == OP_LOOP ? LABEL_LOOP : op == OP_IF ? LABEL_IF : LABEL_BLOCK};
    enum cond c = COND_E;

    block_type(f, &l);
    if (op == OP_IF) {
        l.has_else = f->ifs.items[f->next_if++];
        c = pop_condition(f);
    }
    f->flags_live = op == OP_IF;
    stack_flush(f);
    /* A parameter may be a constant still; inside it is where a branch would put it. */
    for (uint32_t i = f->height - l.param_count; i < f->height; i++) {
        struct value *v = &f->stack[i];

        masm_reserve(&f->m, MASM_ROOM);
        if (v->kind == VAL_CONST) {
            int32_t slot = fn_stack_slot(f, i);

            if ((int64_t)v->bits == (int32_t)v->bits) {
                masm_store_imm(&f->m, 8, fn_slot(f, slot), (int32_t)v->bits);
            } else {
                fn_float_const(f, true, FSCRATCH, v->bits);
                masm_store(&f->m, true, fn_slot(f, slot), FSCRATCH);
            }
            v->kind = VAL_SLOT;
            v->slot = slot;
        }
    }
    masm_reserve(&f->m, MASM_ROOM);
    l.height = f->height - l.param_count;
    l.check_mark = f->check_ordinal;
    fn_barrier(f);
    if (op == OP_IF) {
        state_save(f, &l.else_state);
        if (!l.has_else && l.result_count == 0) {
            l.target = l.else_state;
            l.has_target = true;
        }
        c = cond_invert(c);
        if (c == COND_FEQ) { /* false branch taken if equal */
            uint32_t over = masm_jcc_short(&f->m, COND_P);

            l.else_fixups = masm_jcc(&f->m, COND_E);
            masm_patch_short(&f->m, over);
        } else if (c == COND_FNE) {
            uint32_t first = masm_jcc(&f->m, COND_P);

            l.else_fixups = masm_jcc(&f->m, COND_NE);
            masm_set32(&f->m, l.else_fixups, first);
        } else {
            l.else_fixups = masm_jcc(&f->m, c);
        }
        f->flags_live = false;
        fuel_close(f);
    } else if (op == OP_LOOP) {
        l.loop = f->next_loop++;
        fuel_close(f);
        loop_open(f, &l);
        masm_align(&f->m, 16);
        l.pos = masm_pos(&f->m);
    }
    if (!label_push(f, &l))
        return;
    if (op == OP_LOOP) {
        loop_set_homes(f, true);
        fuel_open(f, true);
    }
}

/* Everything that jumps forward to the label arrives here. */
static void bind_fixups(struct fn *f, uint32_t at)
{
    uint32_t here = masm_pos(&f->m);

    while (at && !f->m.failed) {
        uint32_t next = masm_get32(&f->m, at);

        masm_patch_rel(&f->m, at, here);
        at = next;
    }
}

static void bind_label(struct fn *f, struct label *l)
{
    uint32_t here = masm_pos(&f->m);

    bind_fixups(f, l->fixups);
    l->fixups = 0;
    for (uint32_t i = l->table_fixups; i; i = f->table_fixups.items[i - 1].next) {
        struct table_fixup t = f->table_fixups.items[i - 1];

        if (!f->m.failed)
            masm_set32(&f->m, t.at, here - t.table);
    }
    l->table_fixups = 0;
}

/* A jump whose place is not known yet joins the chain. */
static void chain(struct fn *f, uint32_t *head, uint32_t at)
{
    masm_set32(&f->m, at, *head);
    *head = at;
}

static void jump(struct fn *f, struct label *l)
{
    if (l->kind == LABEL_LOOP)
        masm_jmp_to(&f->m, l->pos);
    else if (l->kind == LABEL_FUNCTION)
        chain(f, &f->epilogue_fixups, masm_jmp(&f->m));
    else
        chain(f, &l->fixups, masm_jmp(&f->m));
}

static void jump_if_one(struct fn *f, struct label *l, enum cond c)
{
    if (l->kind == LABEL_LOOP)
        masm_jcc_to(&f->m, c, l->pos);
    else if (l->kind == LABEL_FUNCTION)
        chain(f, &f->epilogue_fixups, masm_jcc(&f->m, c));
    else
        chain(f, &l->fixups, masm_jcc(&f->m, c));
}

static void jump_if(struct fn *f, struct label *l, enum cond c)
{
    if (c == COND_FEQ) {
        uint32_t over = masm_jcc_short(&f->m, COND_P);

        jump_if_one(f, l, COND_E);
        masm_patch_short(&f->m, over);
    } else if (c == COND_FNE) {
        jump_if_one(f, l, COND_P);
        jump_if_one(f, l, COND_NE);
    } else {
        jump_if_one(f, l, c);
    }
}

/* The stack as the label's end leaves it. */
static void push_results(struct fn *f, const struct label *l)
{
    stack_drop_to(f, l->height);
    if (l->result_count == 1 && l->kind != LABEL_LOOP) {
        reg r = type_is_float(l->results[0]) ? XMM(0) : RAX;

        ASSERT(!(f->used & BIT(r)));
        f->used |= BIT(r);
        stack_push_reg(f, l->results[0], r);
        return;
    }
    for (uint32_t i = 0; i < l->result_count; i++)
        stack_push_slot(f, l->results[i], fn_stack_slot(f, l->height + i));
}

static void push_params(struct fn *f, const struct label *l)
{
    stack_drop_to(f, l->height);
    for (uint32_t i = 0; i < l->param_count; i++)
        stack_push_slot(f, l->params[i], fn_stack_slot(f, l->height + i));
}

void emit_else(struct fn *f)
{
    struct label *l = label_at(f, 0);

    fuel_close(f);
    fn_barrier(f);
    if (!f->unreachable) {
        merge_target(f, l);
        merge_emit(f, l);
        jump(f, l);
    }
    f->unreachable = false;
    l->kind = LABEL_ELSE;
    push_params(f, l);
    state_restore(f, &l->else_state);
    fn_checks_drop(f, l->check_mark);
    bind_fixups(f, l->else_fixups);
    l->else_fixups = 0;
}

void emit_end(struct fn *f)
{
    struct label *l = label_at(f, 0);

    fuel_close(f);
    if (l->kind == LABEL_FUNCTION) {
        if (!f->unreachable)
            emit_results(f);
        f->labels.count--;
        return;
    }
    if (l->kind == LABEL_LOOP) {
        loop_close(f); /* what falls out of it goes on as it is */
        f->labels.count--;
        if (f->unreachable)
            emit_unreachable_code(f);
        return;
    }
    if (l->kind == LABEL_IF && l->else_fixups && (l->result_count || l->has_else || l->param_count))
        emit_else(f); /* an empty one: its values are the parameters */
    fn_barrier(f);
    if (l->kind == LABEL_IF) {
        l->is_reached = true;
        if (!f->unreachable)
            merge_emit(f, l);
        bind_fixups(f, l->else_fixups);
    } else {
        if (!l->is_reached) {
            f->labels.count--; /* nobody branches here */
            if (f->unreachable)
                emit_unreachable_code(f);
            return;
        }
        if (!f->unreachable)
            merge_emit(f, l);
    }
    f->unreachable = false;
    stack_drop_to(f, l->height);
    bind_label(f, l);
    state_restore(f, &l->target);
    push_results(f, l);
    fn_checks_drop(f, l->check_mark);
    f->labels.count--;
}

/* ---- branches ---- */

void emit_unreachable_code(struct fn *f)
{
    uint32_t depth = 0;

    f->unreachable = true;
    fuel_close(f);
    fn_barrier(f);
    stack_drop_to(f, label_at(f, 0)->height);
    for (;;) {
        uint8_t op = *f->ip;

        if (depth == 0 && (op == OP_END || op == OP_ELSE))
            return;
        f->ip++;
        switch (op) {
        case OP_BLOCK:
        case OP_LOOP:
        case OP_IF:
            depth++;
            (void)read_s64(f);
            f->next_loop += op == OP_LOOP;
            f->next_if += op == OP_IF;
            break;
        case OP_END:
            depth--;
            break;
        case OP_BR_TABLE:
            for (uint32_t n = read_u32(f) + 1; n; n--)
                (void)read_u32(f);
            break;
        case OP_CALL_INDIRECT:
        case OP_SELECT_T:
            (void)read_u32(f);
            (void)read_u32(f);
            break;
        case OP_F32_CONST:
            f->ip += 4;
            break;
        case OP_F64_CONST:
            f->ip += 8;
            break;
        case OP_BR:
        case OP_BR_IF:
        case OP_CALL:
        case OP_LOCAL_GET:
        case OP_LOCAL_SET:
        case OP_LOCAL_TEE:
        case OP_GLOBAL_GET:
        case OP_GLOBAL_SET:
        case OP_TABLE_GET:
        case OP_TABLE_SET:
        case OP_MEMORY_SIZE:
        case OP_MEMORY_GROW:
        case OP_I32_CONST:
        case OP_I64_CONST:
        case OP_REF_NULL:
        case OP_REF_FUNC:
            (void)read_s64(f);
            break;
        case 0xfc:
            switch (read_u32(f) + 0xfc00) {
            case OP_MEMORY_INIT:
            case OP_MEMORY_COPY:
            case OP_TABLE_INIT:
            case OP_TABLE_COPY:
                (void)read_s64(f);
                (void)read_s64(f);
                break;
            case OP_DATA_DROP:
            case OP_ELEM_DROP:
            case OP_MEMORY_FILL:
            case OP_TABLE_GROW:
            case OP_TABLE_SIZE:
            case OP_TABLE_FILL:
                (void)read_s64(f);
                break;
            default:
                break;
            }
            break;
        default:
            if (op >= OP_I32_LOAD && op <= OP_I64_STORE32) {
                (void)read_s64(f);
                (void)read_s64(f);
            }
            break;
        }
    }
}

void emit_br(struct fn *f, uint32_t depth)
{
    struct label *l = label_at(f, depth);

    fuel_close(f);
    merge_target(f, l);
    merge_emit(f, l);
    if (l->kind == LABEL_FUNCTION && f->labels.count == 1 && *f->ip == OP_END)
        f->falls_out = true; /* the epilogue is next */
    else
        jump(f, l);
    emit_unreachable_code(f);
}

void emit_br_if(struct fn *f, uint32_t depth)
{
    struct label *l = label_at(f, depth);
    enum cond c = pop_condition(f);

    f->flags_live = true;
    merge_target(f, l);
    if (merge_is_empty(f, l)) {
        jump_if(f, l, c);
    } else {
        uint32_t skip[2], n = 0;

        c = cond_invert(c);
        if (c == COND_FEQ) {
            uint32_t over = masm_jcc_short(&f->m, COND_P);

            skip[n++] = masm_jcc(&f->m, COND_E);
            masm_patch_short(&f->m, over);
        } else if (c == COND_FNE) {
            skip[n++] = masm_jcc(&f->m, COND_P);
            skip[n++] = masm_jcc(&f->m, COND_NE);
        } else {
            skip[n++] = masm_jcc(&f->m, c);
        }
        merge_emit(f, l);
        jump(f, l);
        while (n && !f->m.failed)
            masm_patch_rel(&f->m, skip[--n], masm_pos(&f->m));
    }
    f->flags_live = false;
    fuel_close(f);
    fn_barrier(f);
}

void emit_br_table(struct fn *f)
{
    uint32_t count = read_u32(f), serial = ++f->trampoline_serial, table, at;
    struct value v = stack_pop(f);
    reg index = value_own(f, &v), tmp = reg_alloc(f, GPR_ALL);

    fuel_close(f);
    /* An index that is too large becomes the default's, without a branch to mispredict past. */
    masm_mov_imm(&f->m, tmp, count);
    masm_alu(&f->m, ALU_CMP, false, index, tmp);
    masm_cmov(&f->m, COND_A, false, index, tmp);
    at = masm_lea_literal(&f->m, SCRATCH);
    masm_load_narrow(&f->m, true, 4, true, tmp, mem_indexed(SCRATCH, index, 2, 0));
    masm_alu(&f->m, ALU_ADD, true, tmp, SCRATCH);
    masm_jmp_reg(&f->m, tmp);
    reg_free(f, tmp);
    value_done(f, &v);
    masm_reserve(&f->m, MASM_ROOM + ((size_t)count + 1) * 4);
    if (f->m.failed)
        return;
    masm_fill_trap(&f->m, 4);
    table = masm_pos(&f->m);
    if (!f->m.failed)
        masm_patch_rel(&f->m, at, table);
    f->m.p += ((size_t)count + 1) * 4;
    for (uint32_t i = 0; i <= count; i++) {
        struct label *l = label_at(f, read_u32(f));
        uint32_t entry = table + i * 4;

        if (l->trampoline_serial == serial && l->trampoline != 0) {
            if (!f->m.failed)
                masm_set32(&f->m, entry, l->trampoline - table);
            continue;
        }
        if (l->trampoline_serial != serial) {
            masm_reserve(&f->m, MASM_ROOM);
            merge_target(f, l);
            l->trampoline_serial = serial;
            l->trampoline = 0;
            if (!merge_is_empty(f, l) || l->kind == LABEL_FUNCTION) {
                l->trampoline = masm_pos(&f->m);
                merge_emit(f, l);
                jump(f, l);
                masm_set32(&f->m, entry, l->trampoline - table);
                continue;
            }
        }
        if (l->kind == LABEL_LOOP) {
            if (!f->m.failed)
                masm_set32(&f->m, entry, l->pos - table);
            continue;
        }
        if (!vec_push(&f->table_fixups, (struct table_fixup){entry, table, l->table_fixups})) {
            f->failed = true;
            break;
        }
        l->table_fixups = (uint32_t)f->table_fixups.count;
    }
    emit_unreachable_code(f);
}
