/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Loads, stores and globals.
 *
 * Every access is checked: address + offset + size against the length in r13, in 64 bits. A check
 * off a local is remembered: later accesses off the same value of the local need none if they end
 * no farther, and in the same straight-line run (fn_barrier) a farther one widens the earlier check
 * by patching its displacement. With the option `exact` checks are shared but not widened. */
#include "baseline/internal.h"

#define MEMORY_DISP_MAX UINT64_C(0x7fffffff)

static struct check *find_check(struct fn *f, uint32_t local)
{
    for (unsigned i = 0; i < CHECKS; i++)
        if (f->checks[i].local == local)
            return &f->checks[i];
    return NULL;
}

static void emit_check(struct fn *f, const struct value *v, reg base, uint64_t end)
{
    struct check *c = NULL;
    uint32_t patch = 0;

    if (v->kind == VAL_LOCAL) {
        c = find_check(f, v->local);
        if (c && c->version == f->locals[v->local].version) {
            if (c->end >= end)
                return;
            if (c->patch && c->epoch == f->epoch && end <= MEMORY_DISP_MAX) {
                masm_set32(&f->m, c->patch, (uint32_t)end);
                c->end = end;
                return;
            }
        }
        if (!c)
            c = &f->checks[f->check_next++ % CHECKS];
    }
    if (end <= MEMORY_DISP_MAX) {
        struct mem a = mem_at(base, (int32_t)end);

        a.wide = c != NULL && !f->options->exact;
        masm_lea(&f->m, true, SCRATCH, a);
        if (a.wide)
            patch = masm_pos(&f->m) - 4;
    } else {
        masm_mov_imm(&f->m, SCRATCH, end);
        masm_alu(&f->m, ALU_ADD, true, SCRATCH, base);
    }
    masm_alu(&f->m, ALU_CMP, true, SCRATCH, MEM_LENGTH);
    fn_trap_if(f, COND_A, TRAP_MEMORY_OUT_OF_BOUNDS);
    if (c)
        *c = (struct check){v->local, f->locals[v->local].version, end, patch,
                            f->epoch, f->check_ordinal++};
}

/* Checks the access of `size` bytes at v + offset and returns its operand, which may use SCRATCH.
 */
static struct mem address(struct fn *f, struct value *v, uint32_t offset, unsigned size)
{
    uint64_t end = (uint64_t)offset + size;
    reg base;

    fn_memory_registers(f);
    if (v->kind == VAL_CONST) {
        uint64_t at = (uint64_t)(uint32_t)v->bits + offset;
        uint64_t min = (uint64_t)f->module->memories[0].limits.min * MEMORY_PAGE_SIZE;

        if (at + size > min) {
            masm_mov_imm(&f->m, SCRATCH, at + size);
            masm_alu(&f->m, ALU_CMP, true, SCRATCH, MEM_LENGTH);
            fn_trap_if(f, COND_A, TRAP_MEMORY_OUT_OF_BOUNDS);
        }
        if (at <= MEMORY_DISP_MAX)
            return mem_at(MEM_BASE, (int32_t)at);
        masm_mov_imm(&f->m, SCRATCH, at);
        return mem_indexed(MEM_BASE, SCRATCH, 0, 0);
    }
    base = value_use(f, v);
    emit_check(f, v, base, end);
    if (offset <= MEMORY_DISP_MAX)
        return mem_indexed(MEM_BASE, base, 0, (int32_t)offset);
    masm_mov_imm(&f->m, SCRATCH, offset);
    masm_alu(&f->m, ALU_ADD, true, SCRATCH, base);
    return mem_indexed(MEM_BASE, SCRATCH, 0, 0);
}

void emit_load(struct fn *f, uint32_t op)
{
    static const struct {
        uint8_t type, size, is_signed;
    } rows[] = {{VALTYPE_I32, 4, 0}, {VALTYPE_I64, 8, 0}, {VALTYPE_F32, 4, 0}, {VALTYPE_F64, 8, 0},
                {VALTYPE_I32, 1, 1}, {VALTYPE_I32, 1, 0}, {VALTYPE_I32, 2, 1}, {VALTYPE_I32, 2, 0},
                {VALTYPE_I64, 1, 1}, {VALTYPE_I64, 1, 0}, {VALTYPE_I64, 2, 1}, {VALTYPE_I64, 2, 0},
                {VALTYPE_I64, 4, 1}, {VALTYPE_I64, 4, 0}};
    uint8_t type = rows[op - OP_I32_LOAD].type;
    unsigned size = rows[op - OP_I32_LOAD].size;
    bool w = type_is_wide(type);
    uint32_t offset;
    struct value v;
    struct mem a;
    reg dst;

    (void)read_u32(f); /* the alignment is a hint */
    offset = read_u32(f);
    v = stack_pop(f);
    a = address(f, &v, offset, size);
    dst = value_dest(f, type, &v, 0);
    if (size == (w ? 8 : 4))
        masm_load(&f->m, w, dst, a);
    else
        masm_load_narrow(&f->m, w, size, rows[op - OP_I32_LOAD].is_signed, dst, a);
    value_done(f, &v);
    stack_push_reg(f, type, dst);
}

void emit_store(struct fn *f, uint32_t op)
{
    static const uint8_t sizes[] = {4, 8, 4, 8, 1, 2, 1, 2, 4};
    unsigned size = sizes[op - OP_I32_STORE];
    uint32_t offset;
    struct value v, base;
    struct mem a;
    reg r = NOREG;

    (void)read_u32(f);
    offset = read_u32(f);
    v = stack_pop(f);
    base = stack_pop(f);
    if (v.kind != VAL_CONST || (size == 8 && (int64_t)v.bits != (int32_t)v.bits))
        r = value_use(f, &v);
    a = address(f, &base, offset, size);
    if (r == NOREG)
        masm_store_imm(&f->m, size, a, (int32_t)v.bits);
    else if (size < 4)
        masm_store_narrow(&f->m, size, a, r);
    else
        masm_store(&f->m, size == 8, a, r);
    value_done(f, &v);
    value_done(f, &base);
}

void emit_memory_size(struct fn *f)
{
    reg dst = value_dest(f, VALTYPE_I32, NULL, 0);

    masm_load(&f->m, true, dst, mem_at(INSTANCE, INSTANCE_MEMORY_LENGTH));
    masm_shift_imm(&f->m, SHIFT_SHR, true, dst, 16);
    stack_push_reg(f, VALTYPE_I32, dst);
}

/* The cell of a global; may use SCRATCH. */
static struct mem global_cell(struct fn *f, uint32_t index)
{
    uint32_t imported = f->module->imported_globals;

    if (index >= imported)
        return mem_at(INSTANCE, (int32_t)(INSTANCE_GLOBALS + (index - imported) * 8));
    masm_load(&f->m, true, SCRATCH, mem_at(INSTANCE, INSTANCE_IMPORTED_GLOBALS));
    masm_load(&f->m, true, SCRATCH, mem_at(SCRATCH, (int32_t)(index * 8)));
    return mem_at(SCRATCH, 0);
}

void emit_global_get(struct fn *f, uint32_t index)
{
    const struct global_decl *g = &f->module->globals[index];
    struct mem cell;
    reg dst;

    if (!g->is_mutable && index >= f->module->imported_globals && g->init.kind == CONSTEXPR_VALUE) {
        stack_push_const(f, g->type, g->init.bits);
        return;
    }
    dst = value_dest(f, g->type, NULL, 0);
    cell = global_cell(f, index);
    masm_load(&f->m, type_is_wide(g->type), dst, cell);
    stack_push_reg(f, g->type, dst);
}

void emit_global_set(struct fn *f, uint32_t index)
{
    struct value v = stack_pop(f);
    bool w = type_is_wide(v.type);
    struct mem cell;
    reg r;

    fn_barrier(f);
    if (v.kind == VAL_CONST && (!w || (int64_t)v.bits == (int32_t)v.bits)) {
        cell = global_cell(f, index);
        masm_store_imm(&f->m, w ? 8 : 4, cell, (int32_t)v.bits);
        return;
    }
    r = value_use(f, &v);
    cell = global_cell(f, index);
    masm_store(&f->m, w, cell, r);
    value_done(f, &v);
}
