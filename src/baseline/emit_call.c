/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Calls, tables and everything that the runtime's C functions do for the guest (builtins). No
 * register survives a call, so locals go to their slots first; arguments that do not fit in
 * registers are pushed, and the callee pops them. */
#include "baseline/internal.h"

enum callee { CALLEE_FUNCTION, CALLEE_IMPORT, CALLEE_REFERENCE, CALLEE_STUB };

static void push_argument(struct fn *f, const struct value *v)
{
    struct move m = value_to_move(f, v, SCRATCH);

    if (m.src != NOREG && !IS_XMM(m.src)) {
        masm_push(&f->m, m.src);
    } else if (m.src != NOREG) {
        masm_lea(&f->m, true, RSP, mem_at(RSP, -8));
        masm_store(&f->m, true, mem_at(RSP, 0), m.src);
    } else if (m.slot >= 0) {
        masm_push_mem(&f->m, fn_slot(f, m.slot));
    } else if (m.slot != SLOT_NONE) {
        fn_load_slot(f, true, SCRATCH, m.slot);
        masm_push(&f->m, SCRATCH);
    } else if ((int64_t)m.bits == (int32_t)m.bits) {
        masm_push_imm(&f->m, (int32_t)m.bits);
    } else {
        masm_mov_imm(&f->m, SCRATCH, m.bits);
        masm_push(&f->m, SCRATCH);
    }
    f->push_bytes += 8;
}

/* Calls with the top `count` values as arguments; `rax` holds the function of CALLEE_REFERENCE. */
static void call(struct fn *f, enum callee kind, uint32_t target, uint32_t count)
{
    const struct value *args;
    struct move moves[INT_ARGS + FLOAT_ARGS];
    uint32_t ints = 0, floats = 0;
    unsigned move_count = 0;

    fuel_close(f);
    fn_barrier(f);
    masm_reserve(&f->m, MASM_ROOM + (size_t)count * 32);
    stack_save_below(f, f->height - count);
    for (uint32_t i = 0; i < count; i++)
        (void)stack_pop(f); /* the values stay readable behind the stack's top */
    args = &f->stack[f->height];
    f->pinned = 0; /* nothing is evicted from here on, and dead arguments need no slot */
    for (uint32_t left = f->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (f->reg_local[r] != NONE)
            local_spill(f, r);
    }
    for (uint32_t i = 0; i < count; i++)
        if (type_is_float(args[i].type) ? floats++ < FLOAT_ARGS : ints++ < INT_ARGS)
            continue;
    for (uint32_t i = count; i-- > 0;) { /* the last is pushed first */
        bool is_float = type_is_float(args[i].type);
        uint32_t place = is_float ? --floats : --ints;

        if (place >= (is_float ? FLOAT_ARGS : INT_ARGS))
            push_argument(f, &args[i]);
        else
            moves[move_count++] =
                value_to_move(f, &args[i], is_float ? XMM(place) : int_args[place]);
    }
    moves_emit(f, moves, move_count);
    if (f->push_bytes > f->push_max)
        f->push_max = f->push_bytes;
    f->push_bytes = 0;
    switch (kind) {
    case CALLEE_FUNCTION:
        fn_reloc(f, masm_call(&f->m), target);
        break;
    case CALLEE_STUB:
        fn_reloc(f, masm_call(&f->m), RELOC_STUB | target);
        break;
    case CALLEE_IMPORT:
        masm_load(&f->m, true, RAX, mem_at(INSTANCE, INSTANCE_FUNCTIONS));
        if (target)
            masm_alu_imm(&f->m, ALU_ADD, true, RAX, (int32_t)(target * FUNCTION_SIZE));
        masm_call_mem(&f->m, mem_at(RAX, FUNCTION_ENTRY));
        break;
    case CALLEE_REFERENCE:
        masm_call_mem(&f->m, mem_at(RAX, FUNCTION_ENTRY));
        break;
    }
    fn_site(f);
    for (uint32_t left = f->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (f->reg_local[r] != NONE)
            local_unbind(f, r);
    }
    f->used = 0;
    f->memory_valid = false;
}

static void push_call_results(struct fn *f, const struct functype *t)
{
    static const uint8_t places[2][2] = {{RAX, XMM(0)}, {RDX, XMM(1)}};

    masm_reserve(&f->m, MASM_ROOM + (size_t)t->result_count * 32);
    if (t->result_count > 2)
        masm_load(&f->m, true, SCRATCH, mem_at(INSTANCE, INSTANCE_RESULTS));
    for (uint32_t i = 0; i < t->result_count; i++) {
        if (i < 2) {
            reg r = places[i][type_is_float(t->results[i])];

            f->used |= BIT(r);
            stack_push_reg(f, t->results[i], r);
        } else {
            int32_t slot = fn_stack_slot(f, f->height);

            masm_load(&f->m, true, FSCRATCH, mem_at(SCRATCH, (int32_t)(i - 2) * 8));
            masm_store(&f->m, true, fn_slot(f, slot), FSCRATCH);
            stack_push_slot(f, t->results[i], slot);
        }
    }
}

void emit_call(struct fn *f, uint32_t function)
{
    const struct functype *t = &f->module->types[f->module->functions[function].type];

    call(f, function < f->module->imported_functions ? CALLEE_IMPORT : CALLEE_FUNCTION, function,
         t->param_count);
    push_call_results(f, t);
}

/* The element `v` of the table, in `dst`, which is not the register of `v`. Traps with `kind`
 * outside the table; there the index is 0 for speculation. */
static void table_element(struct fn *f, uint32_t table, reg index, reg dst, enum trap kind)
{
    masm_load(&f->m, true, SCRATCH, mem_at(INSTANCE, INSTANCE_TABLES));
    masm_load(&f->m, true, SCRATCH, mem_at(SCRATCH, (int32_t)(table * 8)));
    masm_alu_mem(&f->m, ALU_CMP, true, index, mem_at(SCRATCH, TABLE_LENGTH));
    fn_trap_if(f, COND_AE, kind);
    masm_alu(&f->m, ALU_SBB, true, dst, dst); /* all ones: the carry says "below" */
    masm_alu(&f->m, ALU_AND, true, dst, index);
    masm_load(&f->m, true, SCRATCH, mem_at(SCRATCH, TABLE_ELEMENTS));
    masm_load(&f->m, true, dst, mem_indexed(SCRATCH, dst, 3, 0));
}

void emit_call_indirect(struct fn *f, uint32_t type, uint32_t table)
{
    const struct functype *t = &f->module->types[type];
    struct value v = stack_pop(f);
    reg index;

    if (v.kind == VAL_REG && v.reg == RAX) {
        reg other = reg_alloc(f, GPR_ALL);

        masm_mov(&f->m, false, other, RAX);
        v.reg = other;
    } else {
        reg_want(f, RAX);
    }
    index = value_use(f, &v);
    table_element(f, table, index, RAX, TRAP_UNDEFINED_ELEMENT);
    masm_test(&f->m, true, RAX, RAX);
    fn_trap_if(f, COND_E, TRAP_UNINITIALIZED_ELEMENT);
    masm_alu_mem_imm(&f->m, ALU_CMP, false, mem_at(RAX, FUNCTION_TYPE_ID),
                     (int32_t)f->type_ids[type]);
    fn_trap_if(f, COND_NE, TRAP_INDIRECT_CALL_TYPE_MISMATCH);
    value_done(f, &v);
    call(f, CALLEE_REFERENCE, 0, t->param_count);
    push_call_results(f, t);
}

void emit_builtin(struct fn *f, enum builtin b, unsigned operands, const uint32_t *extra,
                  unsigned extra_count, uint8_t result)
{
    for (unsigned i = 0; i < extra_count; i++)
        stack_push_const(f, VALTYPE_I64, extra[i]);
    call(f, CALLEE_STUB, f->stubs->builtin[b], operands + extra_count);
    if (result) {
        f->used |= BIT(RAX);
        stack_push_reg(f, result, RAX);
    }
}

void emit_reference(struct fn *f, uint32_t op)
{
    switch (op) {
    case OP_TABLE_GET: {
        uint32_t table = read_u32(f);
        struct value v = stack_pop(f);
        reg index = value_use(f, &v), dst = reg_alloc(f, GPR_ALL);

        fn_barrier(f);
        table_element(f, table, index, dst, TRAP_TABLE_OUT_OF_BOUNDS);
        value_done(f, &v);
        stack_push_reg(f, f->module->tables[table].type, dst);
        break;
    }
    case OP_TABLE_SET: {
        uint32_t table = read_u32(f);

        emit_builtin(f, BUILTIN_TABLE_SET, 2, &table, 1, 0);
        break;
    }
    case OP_REF_NULL:
        stack_push_const(f, (uint8_t)read_u32(f), 0);
        break;
    case OP_REF_IS_NULL: {
        struct value v = stack_pop(f);
        reg r = value_use(f, &v);

        masm_test(&f->m, true, r, r);
        value_done(f, &v);
        emit_flags(f, COND_E);
        break;
    }
    default: {
        uint32_t index = read_u32(f);
        reg dst = value_dest(f, VALTYPE_FUNCREF, NULL, 0);

        masm_load(&f->m, true, dst, mem_at(INSTANCE, INSTANCE_FUNCTIONS));
        if (index)
            masm_alu_imm(&f->m, ALU_ADD, true, dst, (int32_t)(index * FUNCTION_SIZE));
        stack_push_reg(f, VALTYPE_FUNCREF, dst);
        break;
    }
    }
}

void emit_misc(struct fn *f)
{
    uint32_t op = read_u32(f) + 0xfc00, extra[2];

    switch (op) {
    case OP_MEMORY_INIT:
        extra[0] = read_u32(f);
        (void)read_u32(f);
        emit_builtin(f, BUILTIN_MEMORY_INIT, 3, extra, 1, 0);
        break;
    case OP_DATA_DROP:
        extra[0] = read_u32(f);
        emit_builtin(f, BUILTIN_DATA_DROP, 0, extra, 1, 0);
        break;
    case OP_MEMORY_COPY:
        (void)read_u32(f);
        (void)read_u32(f);
        emit_builtin(f, BUILTIN_MEMORY_COPY, 3, NULL, 0, 0);
        break;
    case OP_MEMORY_FILL:
        (void)read_u32(f);
        emit_builtin(f, BUILTIN_MEMORY_FILL, 3, NULL, 0, 0);
        break;
    case OP_TABLE_INIT:
        extra[0] = read_u32(f);
        extra[1] = read_u32(f);
        emit_builtin(f, BUILTIN_TABLE_INIT, 3, extra, 2, 0);
        break;
    case OP_ELEM_DROP:
        extra[0] = read_u32(f);
        emit_builtin(f, BUILTIN_ELEM_DROP, 0, extra, 1, 0);
        break;
    case OP_TABLE_COPY:
        extra[0] = read_u32(f);
        extra[1] = read_u32(f);
        emit_builtin(f, BUILTIN_TABLE_COPY, 3, extra, 2, 0);
        break;
    case OP_TABLE_GROW:
        extra[0] = read_u32(f);
        emit_builtin(f, BUILTIN_TABLE_GROW, 2, extra, 1, VALTYPE_I32);
        break;
    case OP_TABLE_FILL:
        extra[0] = read_u32(f);
        emit_builtin(f, BUILTIN_TABLE_FILL, 3, extra, 1, 0);
        break;
    case OP_TABLE_SIZE: {
        uint32_t table = read_u32(f);
        reg dst = value_dest(f, VALTYPE_I32, NULL, 0);

        masm_load(&f->m, true, dst, mem_at(INSTANCE, INSTANCE_TABLES));
        masm_load(&f->m, true, dst, mem_at(dst, (int32_t)(table * 8)));
        masm_load(&f->m, true, dst, mem_at(dst, TABLE_LENGTH));
        stack_push_reg(f, VALTYPE_I32, dst);
        break;
    }
    default:
        emit_convert(f, op);
        break;
    }
}
