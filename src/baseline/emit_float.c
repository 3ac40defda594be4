/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Float arithmetic and comparisons. NaNs come out as the processor makes them, which the
 * specification allows; sign operations touch the sign bit only. */
#include "baseline/internal.h"

static void literal_op(struct fn *f, enum flogic op, reg dst, uint32_t literal)
{
    fn_literal_at(f, masm_float_logic_literal(&f->m, op, dst), literal);
}

static void binary(struct fn *f, uint8_t type, enum fop op)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(type), commutes = op == FOP_ADD || op == FOP_MUL;
    reg ra, rb, dst;

    if (commutes && (a.kind == VAL_CONST || (a.kind != VAL_REG && b.kind == VAL_REG))) {
        struct value t = a;

        a = b;
        b = t;
    }
    ra = value_use(f, &a);
    if (b.kind == VAL_CONST) {
        dst = value_dest(f, type, &a, 0);
        if (dst != ra)
            masm_mov(&f->m, w, dst, ra);
        fn_literal_at(f, masm_float_literal(&f->m, op, w, dst), fn_literal(f, b.bits));
    } else if (b.kind == VAL_SLOT) {
        dst = value_dest(f, type, &a, 0);
        if (dst != ra)
            masm_mov(&f->m, w, dst, ra);
        masm_float_mem(&f->m, op, w, dst, fn_slot(f, b.slot));
    } else {
        rb = value_use(f, &b);
        dst = value_dest(f, type, &a, !commutes && ra != rb ? BIT(rb) : 0);
        if (dst == rb && dst != ra) {
            masm_float(&f->m, op, w, dst, ra);
        } else {
            if (dst != ra)
                masm_mov(&f->m, w, dst, ra);
            masm_float(&f->m, op, w, dst, rb);
        }
    }
    value_done(f, &a);
    value_done(f, &b);
    stack_push_reg(f, type, dst);
}

/* Zeros are ordered by sign, and a NaN wins (spec 4.3.3): the instruction does neither. */
static void min_max(struct fn *f, uint8_t type, bool max)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(type);
    reg ra = value_use(f, &a), rb = value_use(f, &b);
    reg dst = value_dest(f, type, &a, ra != rb ? BIT(rb) : 0);
    uint32_t nan, equal, done, done2;

    if (dst != ra)
        masm_mov(&f->m, w, dst, ra);
    masm_float_compare(&f->m, w, dst, rb);
    nan = masm_jcc_short(&f->m, COND_P);
    equal = masm_jcc_short(&f->m, COND_E);
    masm_float(&f->m, max ? FOP_MAX : FOP_MIN, w, dst, rb);
    done = masm_jmp_short(&f->m);
    masm_patch_short(&f->m, equal);
    masm_float_logic(&f->m, max ? FLOGIC_AND : FLOGIC_OR, dst, rb);
    done2 = masm_jmp_short(&f->m);
    masm_patch_short(&f->m, nan);
    masm_float(&f->m, FOP_ADD, w, dst, rb); /* quiets it */
    masm_patch_short(&f->m, done);
    masm_patch_short(&f->m, done2);
    value_done(f, &a);
    value_done(f, &b);
    stack_push_reg(f, type, dst);
}

static void copysign_(struct fn *f, uint8_t type)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(type);
    reg ra = value_use(f, &a), rb = value_use(f, &b), dst;

    masm_mov(&f->m, w, FSCRATCH, rb);
    literal_op(f, FLOGIC_AND, FSCRATCH, w ? LITERAL_SIGN64 : LITERAL_SIGN32);
    dst = value_dest(f, type, &a, 0);
    if (dst != ra)
        masm_mov(&f->m, w, dst, ra);
    literal_op(f, FLOGIC_AND, dst, w ? LITERAL_ABS64 : LITERAL_ABS32);
    masm_float_logic(&f->m, FLOGIC_OR, dst, FSCRATCH);
    value_done(f, &a);
    value_done(f, &b);
    stack_push_reg(f, type, dst);
}

static void unary(struct fn *f, uint8_t type, uint32_t op)
{
    struct value v = stack_pop(f);
    bool w = type_is_wide(type);
    reg r = value_use(f, &v), dst = value_dest(f, type, &v, 0);

    switch (op) {
    case OP_F32_ABS:
    case OP_F32_NEG:
        if (dst != r)
            masm_mov(&f->m, w, dst, r);
        if (op == OP_F32_ABS)
            literal_op(f, FLOGIC_AND, dst, w ? LITERAL_ABS64 : LITERAL_ABS32);
        else
            literal_op(f, FLOGIC_XOR, dst, w ? LITERAL_SIGN64 : LITERAL_SIGN32);
        break;
    case OP_F32_CEIL:
        masm_round(&f->m, w, 2, dst, r);
        break;
    case OP_F32_FLOOR:
        masm_round(&f->m, w, 1, dst, r);
        break;
    case OP_F32_TRUNC:
        masm_round(&f->m, w, 3, dst, r);
        break;
    case OP_F32_NEAREST:
        masm_round(&f->m, w, 0, dst, r);
        break;
    default:
        masm_float(&f->m, FOP_SQRT, w, dst, r);
        break;
    }
    value_done(f, &v);
    stack_push_reg(f, type, dst);
}

/* Less-than is greater-than of the swapped operands, whose flags tell "unordered" apart. */
static void compare(struct fn *f, bool w, uint32_t op)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    enum cond c;
    reg ra;

    if (op == OP_F32_LT || op == OP_F32_LE) {
        struct value t = a;

        a = b;
        b = t;
    }
    c = op == OP_F32_EQ   ? COND_FEQ
        : op == OP_F32_NE ? COND_FNE
                          : (op == OP_F32_LT || op == OP_F32_GT ? COND_A : COND_AE);
    ra = value_use(f, &a);
    if (b.kind == VAL_CONST)
        fn_literal_at(f, masm_float_compare_literal(&f->m, w, ra), fn_literal(f, b.bits));
    else
        masm_float_compare(&f->m, w, ra, value_use(f, &b));
    value_done(f, &a);
    value_done(f, &b);
    emit_flags(f, c);
}

void emit_float(struct fn *f, uint32_t op)
{
    uint8_t type = VALTYPE_F32;

    if (op >= OP_F32_EQ && op <= OP_F64_GE) {
        bool w = op >= OP_F64_EQ;

        compare(f, w, w ? op - (OP_F64_EQ - OP_F32_EQ) : op);
        return;
    }
    if (op >= OP_F64_ABS) {
        type = VALTYPE_F64;
        op -= OP_F64_ABS - OP_F32_ABS;
    }
    switch (op) {
    case OP_F32_ADD:
        binary(f, type, FOP_ADD);
        break;
    case OP_F32_SUB:
        binary(f, type, FOP_SUB);
        break;
    case OP_F32_MUL:
        binary(f, type, FOP_MUL);
        break;
    case OP_F32_DIV:
        binary(f, type, FOP_DIV);
        break;
    case OP_F32_MIN:
    case OP_F32_MAX:
        min_max(f, type, op == OP_F32_MAX);
        break;
    case OP_F32_COPYSIGN:
        copysign_(f, type);
        break;
    default:
        unary(f, type, op);
        break;
    }
}
