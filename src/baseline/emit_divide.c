/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Integer products, quotients and remainders. Constants become shifts and products where they can.
 */
#include "baseline/internal.h"

void emit_multiply(struct fn *f, uint8_t type)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(type);
    reg ra, rb, dst;
    int32_t imm;

    if (a.kind == VAL_CONST && b.kind == VAL_CONST) {
        stack_push_const(f, type, type_truncate(type, a.bits * b.bits));
        return;
    }
    if (a.kind == VAL_CONST || (a.kind != VAL_REG && b.kind == VAL_REG)) {
        struct value t = a;

        a = b;
        b = t;
    }
    if (b.kind == VAL_CONST && b.bits && (b.bits & (b.bits - 1)) == 0) {
        emit_shift_imm(f, type, SHIFT_SHL, &a, (unsigned)__builtin_ctzll(b.bits));
        return;
    }
    ra = value_use(f, &a);
    if (value_imm(&b, &imm)) {
        dst = value_dest(f, type, &a, 0);
        if (imm == 3 || imm == 5 || imm == 9)
            masm_lea(&f->m, w, dst, mem_indexed(ra, ra, imm == 3 ? 1 : imm == 5 ? 2 : 3, 0));
        else
            masm_mul_imm(&f->m, w, dst, ra, imm);
    } else {
        rb = value_use(f, &b);
        dst = value_dest(f, type, &a, 0);
        if (dst == rb) {
            masm_mul(&f->m, w, dst, ra);
        } else {
            if (dst != ra)
                masm_mov(&f->m, w, dst, ra);
            masm_mul(&f->m, w, dst, rb);
        }
    }
    value_done(f, &a);
    value_done(f, &b);
    stack_push_reg(f, type, dst);
}

/* By a power of two, unsigned: a shift or a mask. */
static bool divide_shift(struct fn *f, uint8_t type, bool rem, struct value *a, uint64_t by)
{
    int32_t imm;
    struct value mask = {.kind = VAL_CONST, .type = type, .bits = by - 1};

    if (!by || (by & (by - 1)))
        return false;
    if (!rem) {
        emit_shift_imm(f, type, SHIFT_SHR, a, (unsigned)__builtin_ctzll(by));
        return true;
    }
    if (by == 1 || !value_imm(&mask, &imm))
        return false;
    emit_alu_imm(f, type, ALU_AND, a, imm);
    return true;
}

/* By a power of two, signed: 2^k - 1 is added to negative dividends first. */
static bool divide_shift_signed(struct fn *f, uint8_t type, bool rem, struct value *a, uint64_t by)
{
    bool w = type_is_wide(type);
    unsigned k, bits = w ? 64 : 32;
    reg ra, t;

    if (!by || (by & (by - 1)) || by >> (bits - 2) || by == 1)
        return false;
    k = (unsigned)__builtin_ctzll(by);
    ra = value_use(f, a);
    t = reg_alloc(f, GPR_ALL);
    masm_mov(&f->m, w, t, ra);
    if (k > 1)
        masm_shift_imm(&f->m, SHIFT_SAR, w, t, bits - 1);
    masm_shift_imm(&f->m, SHIFT_SHR, w, t, bits - k);
    masm_alu(&f->m, ALU_ADD, w, t, ra);
    if (!rem) {
        masm_shift_imm(&f->m, SHIFT_SAR, w, t, k);
        value_done(f, a);
        stack_push_reg(f, type, t);
        return true;
    }
    masm_shift_imm(&f->m, SHIFT_SAR, w, t, k);
    masm_shift_imm(&f->m, SHIFT_SHL, w, t, k);
    masm_neg(&f->m, w, t);
    masm_alu(&f->m, ALU_ADD, w, t, ra);
    value_done(f, a);
    stack_push_reg(f, type, t);
    return true;
}

/* By another constant, unsigned 32-bit: a product with 2^(32+s) / by, rounded up (Granlund and
 * Montgomery); the extra bit of the factor is avoided by halving even dividends' divisors first. */
static bool divide_multiply(struct fn *f, bool rem, struct value *a, uint32_t by)
{
    unsigned log, s;
    uint64_t factor = 0;
    reg ra, t;

    if (by < 3)
        return false;
    log = 32 - (unsigned)__builtin_clz(by - 1);
    /* The smallest s with factor < 2^32 and a small enough error, if there is one. */
    for (s = 0; s < log + 1; s++) {
        unsigned __int128 power = (unsigned __int128)1 << (32 + s);
        uint64_t up = (uint64_t)((power + by - 1) / by);

        if (up >> 32)
            return false;
        if ((uint64_t)((unsigned __int128)up * by - power) <= UINT64_C(1) << s) {
            factor = up;
            break;
        }
    }
    if (!factor)
        return false;
    ra = value_use(f, a);
    t = reg_alloc(f, GPR_ALL);
    masm_mov_imm(&f->m, t, factor);
    masm_mul(&f->m, true, t, ra);
    masm_shift_imm(&f->m, SHIFT_SHR, true, t, 32 + s);
    if (rem) {
        masm_mul_imm(&f->m, false, t, t, (int32_t)by);
        masm_neg(&f->m, false, t);
        masm_alu(&f->m, ALU_ADD, false, t, ra);
    }
    value_done(f, a);
    stack_push_reg(f, VALTYPE_I32, t);
    return true;
}

void emit_divide(struct fn *f, uint8_t type, bool is_signed, bool rem)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(type), is_const = b.kind == VAL_CONST && b.bits != 0;
    bool minus_one = is_const && b.bits == type_truncate(type, ~UINT64_C(0));
    uint32_t done = 0, ok = 0;
    reg rb;

    if (is_const && a.kind != VAL_CONST) {
        if (is_signed ? divide_shift_signed(f, type, rem, &a, b.bits)
                      : divide_shift(f, type, rem, &a, b.bits) ||
                            (!w && divide_multiply(f, rem, &a, (uint32_t)b.bits)))
            return;
    }
    fn_barrier(f);
    if (b.kind == VAL_REG && (b.reg == RAX || b.reg == RDX)) {
        reg other = reg_alloc(f, GPR_ALL & ~(BIT(RAX) | BIT(RDX)));

        masm_mov(&f->m, w, other, b.reg);
        reg_free(f, b.reg);
        b.reg = other;
    }
    if (a.kind != VAL_REG || a.reg != RAX) {
        reg_want(f, RAX);
        value_move(f, &a, RAX);
    }
    reg_want(f, RDX);
    rb = value_use(f, &b);
    if (!is_const) {
        masm_test(&f->m, w, rb, rb);
        fn_trap_if(f, COND_E, TRAP_INTEGER_DIVIDE_BY_ZERO);
    }
    if (is_signed && (!is_const || minus_one)) {
        masm_alu_imm(&f->m, ALU_CMP, w, rb, -1);
        ok = masm_jcc_short(&f->m, COND_NE);
        if (rem) {
            masm_zero(&f->m, RDX);
            done = masm_jmp_short(&f->m);
        } else {
            masm_alu_imm(&f->m, ALU_CMP, w, RAX, 1); /* overflows for the least number only */
            fn_trap_if(f, COND_O, TRAP_INTEGER_OVERFLOW);
        }
        masm_patch_short(&f->m, ok);
    }
    if (is_signed) {
        masm_cdq(&f->m, w);
        masm_div(&f->m, w, true, rb);
    } else {
        masm_zero(&f->m, RDX);
        masm_div(&f->m, w, false, rb);
    }
    if (done)
        masm_patch_short(&f->m, done);
    value_done(f, &b);
    reg_free(f, rem ? RAX : RDX);
    stack_push_reg(f, type, rem ? RDX : RAX);
}
