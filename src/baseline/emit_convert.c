/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Conversions between integers and floats. The processor's truncation gives the least integer for
 * everything that does not fit, so that result is looked at twice. */
#include "baseline/internal.h"

#define F32_2_63       UINT64_C(0x5f000000)
#define F64_2_63       UINT64_C(0x43e0000000000000)
#define F32_MINUS_2_63 UINT64_C(0xdf000000)
#define F64_MINUS_2_63 UINT64_C(0xc3e0000000000000)

static void compare_literal(struct fn *f, bool w, reg x, uint64_t bits)
{
    fn_literal_at(f, masm_float_compare_literal(&f->m, w, x), fn_literal(f, bits));
}

/* x - 2^63 in the float scratch register. */
static void minus_2_63(struct fn *f, bool w, reg x)
{
    masm_mov(&f->m, w, FSCRATCH, x);
    fn_literal_at(f, masm_float_literal(&f->m, FOP_SUB, w, FSCRATCH),
                  fn_literal(f, w ? F64_2_63 : F32_2_63));
}

/* To 32 bits by way of 64: what does not come back unchanged did not fit. */
static void trunc32(struct fn *f, bool w, bool is_signed, bool saturate, reg dst, reg x)
{
    uint32_t fits, done, done2 = 0;

    masm_float_to_int(&f->m, w, true, dst, x);
    if (is_signed)
        masm_sign_extend(&f->m, true, 4, SCRATCH, dst);
    else
        masm_mov(&f->m, false, SCRATCH, dst);
    masm_alu(&f->m, ALU_CMP, true, SCRATCH, dst);
    fits = masm_jcc_short(&f->m, COND_E);
    if (!saturate) {
        masm_float_compare(&f->m, w, x, x);
        fn_trap_if(f, COND_P, TRAP_INVALID_CONVERSION);
        fn_trap(f, TRAP_INTEGER_OVERFLOW);
        masm_patch_short(&f->m, fits);
        if (is_signed)
            masm_mov(&f->m, false, dst, dst);
        return;
    }
    if (is_signed) {
        masm_zero(&f->m, dst);
        masm_float_compare(&f->m, w, x, x);
        done = masm_jcc_short(&f->m, COND_P);
        masm_mov_imm(&f->m, dst, 0x80000000);
        masm_zero(&f->m, FSCRATCH);
        masm_float_compare(&f->m, w, x, FSCRATCH);
        done2 = masm_jcc_short(&f->m, COND_BE);
        masm_mov_imm(&f->m, dst, 0x7fffffff);
        masm_patch_short(&f->m, done2);
    } else {
        masm_zero(&f->m, dst);
        masm_zero(&f->m, FSCRATCH);
        masm_float_compare(&f->m, w, x, FSCRATCH);
        done = masm_jcc_short(&f->m, COND_BE); /* or NaN */
        masm_mov_imm(&f->m, dst, UINT32_MAX);
    }
    masm_patch_short(&f->m, done);
    masm_patch_short(&f->m, fits);
    if (is_signed)
        masm_mov(&f->m, false, dst, dst);
}

static void trunc64_signed(struct fn *f, bool w, bool saturate, reg dst, reg x)
{
    uint32_t fits, done, done2;

    masm_float_to_int(&f->m, w, true, dst, x);
    masm_alu_imm(&f->m, ALU_CMP, true, dst, 1);
    fits = masm_jcc_short(&f->m, COND_NO);
    if (!saturate) { /* the least integer, or out of range */
        compare_literal(f, w, x, w ? F64_MINUS_2_63 : F32_MINUS_2_63);
        fn_trap_if(f, COND_P, TRAP_INVALID_CONVERSION);
        fn_trap_if(f, COND_NE, TRAP_INTEGER_OVERFLOW);
        masm_patch_short(&f->m, fits);
        return;
    }
    masm_zero(&f->m, FSCRATCH);
    masm_float_compare(&f->m, w, x, FSCRATCH);
    done = masm_jcc_short(&f->m, COND_P);
    masm_mov_imm(&f->m, SCRATCH, UINT64_C(0x7fffffffffffffff));
    masm_cmov(&f->m, COND_A, true, dst, SCRATCH);
    done2 = masm_jmp_short(&f->m);
    masm_patch_short(&f->m, done);
    masm_zero(&f->m, dst);
    masm_patch_short(&f->m, done2);
    masm_patch_short(&f->m, fits);
}

static void trunc64_unsigned(struct fn *f, bool w, bool saturate, reg dst, reg x)
{
    uint32_t big, done, low = 0, fits = 0;

    if (saturate) {
        masm_zero(&f->m, dst);
        masm_zero(&f->m, FSCRATCH);
        masm_float_compare(&f->m, w, x, FSCRATCH);
        low = masm_jcc_short(&f->m, COND_BE); /* or NaN */
    }
    compare_literal(f, w, x, w ? F64_2_63 : F32_2_63);
    if (!saturate)
        fn_trap_if(f, COND_P, TRAP_INVALID_CONVERSION);
    big = masm_jcc_short(&f->m, COND_AE);
    masm_float_to_int(&f->m, w, true, dst, x);
    if (!saturate) {
        masm_test(&f->m, true, dst, dst);
        fn_trap_if(f, COND_S, TRAP_INTEGER_OVERFLOW);
    }
    done = masm_jmp_short(&f->m);
    masm_patch_short(&f->m, big);
    minus_2_63(f, w, x);
    masm_float_to_int(&f->m, w, true, dst, FSCRATCH);
    masm_test(&f->m, true, dst, dst);
    if (saturate) {
        fits = masm_jcc_short(&f->m, COND_NS);
        masm_mov_imm(&f->m, dst, UINT64_C(0x7fffffffffffffff));
        masm_patch_short(&f->m, fits);
    } else {
        fn_trap_if(f, COND_S, TRAP_INTEGER_OVERFLOW);
    }
    masm_btc63(&f->m, dst);
    if (saturate)
        masm_patch_short(&f->m, low);
    masm_patch_short(&f->m, done);
}

static void truncate_float(struct fn *f, uint8_t from, uint8_t to, bool is_signed, bool saturate)
{
    struct value v = stack_pop(f);
    reg x = value_use(f, &v), dst = value_dest(f, to, NULL, 0);
    bool w = from == VALTYPE_F64;

    if (!saturate)
        fn_barrier(f);
    if (to == VALTYPE_I32)
        trunc32(f, w, is_signed, saturate, dst, x);
    else if (is_signed)
        trunc64_signed(f, w, saturate, dst, x);
    else
        trunc64_unsigned(f, w, saturate, dst, x);
    value_done(f, &v);
    stack_push_reg(f, to, dst);
}

static void convert(struct fn *f, uint8_t from, uint8_t to, bool is_signed)
{
    struct value v = stack_pop(f);
    reg r = value_use(f, &v), dst = value_dest(f, to, NULL, 0);
    bool w = to == VALTYPE_F64;

    masm_zero(&f->m, dst); /* the instruction keeps the upper half: no false dependence */
    if (from == VALTYPE_I32) {
        masm_int_to_float(&f->m, w, !is_signed, dst, r);
    } else if (is_signed) {
        masm_int_to_float(&f->m, w, true, dst, r);
    } else {
        uint32_t negative, done, even;

        masm_test(&f->m, true, r, r);
        negative = masm_jcc_short(&f->m, COND_S);
        masm_int_to_float(&f->m, w, true, dst, r);
        done = masm_jmp_short(&f->m);
        masm_patch_short(&f->m, negative); /* half of it, rounded to odd, twice */
        masm_mov(&f->m, true, SCRATCH, r);
        masm_shift_imm(&f->m, SHIFT_SHR, true, SCRATCH, 1);
        even = masm_jcc_short(&f->m, COND_AE);
        masm_alu_imm(&f->m, ALU_OR, true, SCRATCH, 1);
        masm_patch_short(&f->m, even);
        masm_int_to_float(&f->m, w, true, dst, SCRATCH);
        masm_float(&f->m, FOP_ADD, w, dst, dst);
        masm_patch_short(&f->m, done);
    }
    value_done(f, &v);
    stack_push_reg(f, to, dst);
}

static void resize(struct fn *f, uint8_t to)
{
    struct value v = stack_pop(f);
    reg r = value_use(f, &v), dst = value_dest(f, to, &v, 0);

    masm_float_resize(&f->m, to == VALTYPE_F64, dst, r);
    value_done(f, &v);
    stack_push_reg(f, to, dst);
}

static void reinterpret(struct fn *f, uint8_t to)
{
    struct value v = stack_pop(f);
    bool w = type_is_wide(to);
    reg r, dst;

    if (v.kind == VAL_CONST) {
        stack_push_const(f, to, v.bits);
        return;
    }
    r = value_use(f, &v);
    dst = value_dest(f, to, NULL, 0);
    if (IS_XMM(dst))
        masm_gpr_to_xmm(&f->m, w, dst, r);
    else
        masm_xmm_to_gpr(&f->m, w, dst, r);
    value_done(f, &v);
    stack_push_reg(f, to, dst);
}

/* i32.wrap_i64, i64.extend_i32_s, i64.extend_i32_u */
static void resize_int(struct fn *f, uint32_t op)
{
    struct value v = stack_pop(f);
    uint8_t to = op == OP_I32_WRAP_I64 ? VALTYPE_I32 : VALTYPE_I64;
    reg r, dst;

    if (v.kind == VAL_CONST) {
        stack_push_const(f, to,
                         op == OP_I64_EXTEND_I32_S ? (uint64_t)(int64_t)(int32_t)v.bits
                                                   : (uint32_t)v.bits);
        return;
    }
    if (op == OP_I64_EXTEND_I32_U && v.kind == VAL_REG) {
        stack_push_reg(f, to, v.reg); /* it is extended already */
        return;
    }
    r = value_use(f, &v);
    dst = value_dest(f, to, &v, 0);
    if (op == OP_I64_EXTEND_I32_S)
        masm_sign_extend(&f->m, true, 4, dst, r);
    else
        masm_mov(&f->m, false, dst, r);
    value_done(f, &v);
    stack_push_reg(f, to, dst);
}

void emit_convert(struct fn *f, uint32_t op)
{
    switch (op) {
    case OP_I32_WRAP_I64:
    case OP_I64_EXTEND_I32_S:
    case OP_I64_EXTEND_I32_U:
        resize_int(f, op);
        break;
    case OP_I32_TRUNC_F32_S:
    case OP_I32_TRUNC_F32_U:
    case OP_I32_TRUNC_F64_S:
    case OP_I32_TRUNC_F64_U:
        truncate_float(f, op >= OP_I32_TRUNC_F64_S ? VALTYPE_F64 : VALTYPE_F32, VALTYPE_I32,
                       !((op - OP_I32_TRUNC_F32_S) & 1), false);
        break;
    case OP_I64_TRUNC_F32_S:
    case OP_I64_TRUNC_F32_U:
    case OP_I64_TRUNC_F64_S:
    case OP_I64_TRUNC_F64_U:
        truncate_float(f, op >= OP_I64_TRUNC_F64_S ? VALTYPE_F64 : VALTYPE_F32, VALTYPE_I64,
                       !((op - OP_I64_TRUNC_F32_S) & 1), false);
        break;
    case OP_I32_TRUNC_SAT_F32_S:
    case OP_I32_TRUNC_SAT_F32_U:
    case OP_I32_TRUNC_SAT_F64_S:
    case OP_I32_TRUNC_SAT_F64_U:
    case OP_I64_TRUNC_SAT_F32_S:
    case OP_I64_TRUNC_SAT_F32_U:
    case OP_I64_TRUNC_SAT_F64_S:
    case OP_I64_TRUNC_SAT_F64_U:
        truncate_float(f, op & 2 ? VALTYPE_F64 : VALTYPE_F32, op & 4 ? VALTYPE_I64 : VALTYPE_I32,
                       !(op & 1), true);
        break;
    case OP_F32_CONVERT_I32_S:
    case OP_F32_CONVERT_I32_U:
        convert(f, VALTYPE_I32, VALTYPE_F32, op == OP_F32_CONVERT_I32_S);
        break;
    case OP_F32_CONVERT_I64_S:
    case OP_F32_CONVERT_I64_U:
        convert(f, VALTYPE_I64, VALTYPE_F32, op == OP_F32_CONVERT_I64_S);
        break;
    case OP_F64_CONVERT_I32_S:
    case OP_F64_CONVERT_I32_U:
        convert(f, VALTYPE_I32, VALTYPE_F64, op == OP_F64_CONVERT_I32_S);
        break;
    case OP_F64_CONVERT_I64_S:
    case OP_F64_CONVERT_I64_U:
        convert(f, VALTYPE_I64, VALTYPE_F64, op == OP_F64_CONVERT_I64_S);
        break;
    case OP_F32_DEMOTE_F64:
        resize(f, VALTYPE_F32);
        break;
    case OP_F64_PROMOTE_F32:
        resize(f, VALTYPE_F64);
        break;
    case OP_I32_REINTERPRET_F32:
        reinterpret(f, VALTYPE_I32);
        break;
    case OP_I64_REINTERPRET_F64:
        reinterpret(f, VALTYPE_I64);
        break;
    case OP_F32_REINTERPRET_I32:
        reinterpret(f, VALTYPE_F32);
        break;
    case OP_F64_REINTERPRET_I64:
        reinterpret(f, VALTYPE_F64);
        break;
    default:
        UNREACHABLE();
    }
}
