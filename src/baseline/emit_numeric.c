/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Integer instructions, comparisons and select. An i32 in a register always has a clear upper half.
 */
#include "baseline/internal.h"

static bool next_is(const struct fn *f, uint8_t op)
{
    return *f->ip == op;
}

/* Takes the next instruction, which the current one does the work of. */
static void absorb(struct fn *f)
{
    f->ip++;
    if (f->options->metered)
        f->fuel_cost++;
}

/* ---- conditions ---- */

void emit_flags(struct fn *f, enum cond c)
{
    reg r;

    switch (*f->ip) {
    case OP_BR_IF:
    case OP_IF:
    case OP_I32_EQZ:
    case OP_SELECT:
    case OP_SELECT_T:
        stack_push(f, (struct value){.kind = VAL_FLAGS, .type = VALTYPE_I32, .cond = (uint8_t)c});
        return;
    default:
        break;
    }
    f->flags_live = true;
    r = value_dest(f, VALTYPE_I32, NULL, 0);
    f->flags_live = false;
    if (c == COND_FEQ || c == COND_FNE) {
        masm_setcc(&f->m, c == COND_FEQ ? COND_NP : COND_P, SCRATCH);
        masm_setcc(&f->m, c == COND_FEQ ? COND_E : COND_NE, r);
        masm_alu(&f->m, c == COND_FEQ ? ALU_AND : ALU_OR, false, r, SCRATCH);
    } else {
        masm_setcc(&f->m, c, r);
    }
    stack_push_reg(f, VALTYPE_I32, r);
}

enum cond pop_condition(struct fn *f)
{
    struct value v = stack_pop(f);
    reg r;

    if (v.kind == VAL_FLAGS)
        return (enum cond)v.cond;
    r = value_use(f, &v);
    masm_test(&f->m, type_is_wide(v.type), r, r);
    value_done(f, &v);
    return COND_NE;
}

static enum cond cond_swap(enum cond c)
{
    switch (c) {
    case COND_B:
        return COND_A;
    case COND_A:
        return COND_B;
    case COND_BE:
        return COND_AE;
    case COND_AE:
        return COND_BE;
    case COND_L:
        return COND_G;
    case COND_G:
        return COND_L;
    case COND_LE:
        return COND_GE;
    case COND_GE:
        return COND_LE;
    default:
        return c;
    }
}

static void compare(struct fn *f, bool w, enum cond c)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    int32_t imm;
    reg ra;

    if (a.kind == VAL_CONST && b.kind != VAL_CONST) {
        struct value t = a;

        a = b;
        b = t;
        c = cond_swap(c);
    }
    ra = value_use(f, &a);
    if (value_imm(&b, &imm)) {
        if (imm == 0)
            masm_test(&f->m, w, ra, ra);
        else
            masm_alu_imm(&f->m, ALU_CMP, w, ra, imm);
    } else if (b.kind == VAL_SLOT) {
        masm_alu_mem(&f->m, ALU_CMP, w, ra, fn_slot(f, b.slot));
    } else {
        masm_alu(&f->m, ALU_CMP, w, ra, value_use(f, &b));
    }
    value_done(f, &a);
    value_done(f, &b);
    emit_flags(f, c);
}

static void eqz(struct fn *f, bool w)
{
    struct value v = stack_pop(f);
    reg r;

    if (v.kind == VAL_FLAGS) {
        emit_flags(f, cond_invert((enum cond)v.cond));
        return;
    }
    r = value_use(f, &v);
    masm_test(&f->m, w, r, r);
    value_done(f, &v);
    emit_flags(f, COND_E);
}

void emit_drop(struct fn *f)
{
    struct value v = stack_pop(f);

    value_done(f, &v);
}

static void select_float(struct fn *f, enum cond c, reg dst, reg ra)
{
    uint32_t skip, other = 0;

    if (c == COND_FEQ) {
        other = masm_jcc_short(&f->m, COND_P);
        skip = masm_jcc_short(&f->m, COND_NE);
        masm_mov(&f->m, true, dst, ra);
        masm_patch_short(&f->m, other);
        masm_patch_short(&f->m, skip);
    } else if (c == COND_FNE) {
        other = masm_jcc_short(&f->m, COND_P);
        skip = masm_jcc_short(&f->m, COND_E);
        masm_patch_short(&f->m, other);
        masm_mov(&f->m, true, dst, ra);
        masm_patch_short(&f->m, skip);
    } else {
        skip = masm_jcc_short(&f->m, cond_invert(c));
        masm_mov(&f->m, true, dst, ra);
        masm_patch_short(&f->m, skip);
    }
}

/* c ? a : b */
void emit_select(struct fn *f)
{
    enum cond c = pop_condition(f);
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(a.type);
    reg ra, rb, dst;

    f->flags_live = true;
    if (c == COND_FEQ &&
        !type_is_float(a.type)) { /* one move suffices for none of equal, ordered */
        struct value t = a;

        a = b;
        b = t;
        c = COND_FNE;
    }
    ra = value_use(f, &a);
    rb = value_use(f, &b);
    dst = value_dest(f, a.type, &b, ra != rb ? BIT(ra) : 0);
    if (dst != rb)
        masm_mov(&f->m, w, dst, rb);
    if (ra == rb) {
        /* both the same */
    } else if (type_is_float(a.type)) {
        select_float(f, c, dst, ra);
    } else if (c == COND_FNE) {
        masm_cmov(&f->m, COND_NE, w, dst, ra);
        masm_cmov(&f->m, COND_P, w, dst, ra);
    } else {
        masm_cmov(&f->m, c, w, dst, ra);
    }
    f->flags_live = false;
    value_done(f, &a);
    value_done(f, &b);
    stack_push_reg(f, a.type, dst);
}

/* ---- add, sub, and, or, xor ---- */

static uint64_t fold(enum alu op, uint64_t a, uint64_t b)
{
    switch (op) {
    case ALU_ADD:
        return a + b;
    case ALU_SUB:
        return a - b;
    case ALU_AND:
        return a & b;
    case ALU_OR:
        return a | b;
    default:
        return a ^ b;
    }
}

/* a & b of which only the zeroness is asked. */
static bool emit_test(struct fn *f, uint8_t type, struct value *a, struct value *b)
{
    bool w = type_is_wide(type), zero = next_is(f, w ? OP_I64_EQZ : OP_I32_EQZ);
    int32_t imm;
    reg ra;

    if (!zero && (w || (!next_is(f, OP_BR_IF) && !next_is(f, OP_IF))))
        return false;
    ra = value_use(f, a);
    if (value_imm(b, &imm))
        masm_test_imm(&f->m, w, ra, imm);
    else
        masm_test(&f->m, w, ra, value_use(f, b));
    value_done(f, a);
    value_done(f, b);
    if (zero)
        absorb(f);
    emit_flags(f, zero ? COND_E : COND_NE);
    return true;
}

void emit_alu_imm(struct fn *f, uint8_t type, enum alu op, struct value *a, int32_t imm)
{
    bool w = type_is_wide(type);
    reg ra, dst;

    if (imm == 0 && op != ALU_AND) {
        stack_push(f, *a);
        return;
    }
    ra = value_use(f, a);
    dst = value_dest(f, type, a, 0);
    if (dst != ra && op == ALU_ADD) {
        masm_lea(&f->m, w, dst, mem_at(ra, imm));
    } else if (dst != ra && op == ALU_SUB && imm != INT32_MIN) {
        masm_lea(&f->m, w, dst, mem_at(ra, -imm));
    } else {
        if (dst != ra)
            masm_mov(&f->m, w, dst, ra);
        masm_alu_imm(&f->m, op, w, dst, imm);
    }
    value_done(f, a);
    stack_push_reg(f, type, dst);
}

static void alu(struct fn *f, uint8_t type, enum alu op)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(type), commutes = op != ALU_SUB;
    reg ra, rb, dst;
    int32_t imm;

    if (a.kind == VAL_CONST && b.kind == VAL_CONST) {
        stack_push_const(f, type, type_truncate(type, fold(op, a.bits, b.bits)));
        return;
    }
    if (commutes && (a.kind == VAL_CONST || (a.kind != VAL_REG && b.kind == VAL_REG))) {
        struct value t = a;

        a = b;
        b = t;
    }
    if (op == ALU_AND && emit_test(f, type, &a, &b))
        return;
    if (value_imm(&b, &imm)) {
        emit_alu_imm(f, type, op, &a, imm);
        return;
    }
    ra = value_use(f, &a);
    if (b.kind == VAL_SLOT) {
        dst = value_dest(f, type, &a, 0);
        if (dst != ra)
            masm_mov(&f->m, w, dst, ra);
        masm_alu_mem(&f->m, op, w, dst, fn_slot(f, b.slot));
        value_done(f, &a);
        stack_push_reg(f, type, dst);
        return;
    }
    rb = value_use(f, &b);
    dst = value_dest(f, type, &a, !commutes && ra != rb ? BIT(rb) : 0);
    if (dst == ra) {
        masm_alu(&f->m, op, w, dst, rb);
    } else if (dst == rb) {
        masm_alu(&f->m, op, w, dst, ra);
    } else if (op == ALU_ADD) {
        masm_lea(&f->m, w, dst, mem_indexed(ra, rb, 0, 0));
    } else {
        masm_mov(&f->m, w, dst, ra);
        masm_alu(&f->m, op, w, dst, rb);
    }
    value_done(f, &a);
    value_done(f, &b);
    stack_push_reg(f, type, dst);
}

/* ---- shifts ---- */

/* (a << count) + c in one instruction. */
static void shift_add(struct fn *f, uint8_t type, struct value *a, unsigned count)
{
    struct value c = stack_pop(f);
    reg ra = value_use(f, a), rc = value_use(f, &c), dst;

    absorb(f);
    dst = value_dest(f, type, a, 0);
    masm_lea(&f->m, type_is_wide(type), dst, mem_indexed(rc, ra, count, 0));
    value_done(f, a);
    value_done(f, &c);
    stack_push_reg(f, type, dst);
}

static uint64_t fold_shift(enum shift op, bool w, uint64_t a, unsigned n)
{
    unsigned bits = w ? 64 : 32;

    n &= bits - 1;
    switch (op) {
    case SHIFT_SHL:
        return a << n;
    case SHIFT_SHR:
        return a >> n;
    case SHIFT_SAR:
        return w ? (uint64_t)((int64_t)a >> n) : (uint64_t)(uint32_t)((int32_t)a >> n);
    case SHIFT_ROL:
        return n ? a << n | a >> (bits - n) : a;
    default:
        return n ? a >> n | a << (bits - n) : a;
    }
}

void emit_shift_imm(struct fn *f, uint8_t type, enum shift op, struct value *a, unsigned count)
{
    bool w = type_is_wide(type);
    reg ra, dst;

    if (count == 0) {
        stack_push(f, *a);
        return;
    }
    if (op == SHIFT_SHL && count <= 3 && next_is(f, w ? OP_I64_ADD : OP_I32_ADD) &&
        f->stack[f->height - 1].kind != VAL_CONST) {
        shift_add(f, type, a, count);
        return;
    }
    ra = value_use(f, a);
    dst = value_dest(f, type, a, 0);
    if (dst != ra)
        masm_mov(&f->m, w, dst, ra);
    masm_shift_imm(&f->m, op, w, dst, count);
    value_done(f, a);
    stack_push_reg(f, type, dst);
}

static void shift(struct fn *f, uint8_t type, enum shift op)
{
    struct value b = stack_pop(f), a = stack_pop(f);
    bool w = type_is_wide(type);
    reg ra, dst;

    if (b.kind == VAL_CONST) {
        unsigned count = (unsigned)b.bits & (w ? 63 : 31);

        if (a.kind == VAL_CONST)
            stack_push_const(f, type, type_truncate(type, fold_shift(op, w, a.bits, count)));
        else
            emit_shift_imm(f, type, op, &a, count);
        return;
    }
    if (b.kind != VAL_REG || b.reg != RCX) {
        if (a.kind == VAL_REG && a.reg == RCX) {
            reg other = reg_alloc(f, GPR_ALL);

            masm_mov(&f->m, w, other, RCX);
            reg_free(f, RCX);
            a.reg = other;
        }
        reg_want(f, RCX);
        value_move(f, &b, RCX);
    }
    ra = value_use(f, &a);
    dst = value_dest(f, type, &a, BIT(RCX));
    if (dst != ra)
        masm_mov(&f->m, w, dst, ra);
    masm_shift_cl(&f->m, op, w, dst);
    reg_free(f, RCX);
    value_done(f, &a);
    stack_push_reg(f, type, dst);
}

/* ---- one operand ---- */

static void count_zeros(struct fn *f, uint8_t type, bool leading)
{
    struct value v = stack_pop(f);
    bool w = type_is_wide(type);
    int32_t top = w ? 63 : 31;
    reg r = value_use(f, &v), dst;

    if (leading)
        masm_bsr(&f->m, w, SCRATCH, r);
    else
        masm_bsf(&f->m, w, SCRATCH, r);
    f->flags_live = true;
    dst = value_dest(f, type, &v, 0);
    f->flags_live = false;
    /* Of zero there is no first bit: the count is the width. */
    masm_mov_imm(&f->m, dst, (uint64_t)(leading ? 2 * top + 1 : top + 1));
    masm_cmov(&f->m, COND_NE, w, dst, SCRATCH);
    if (leading)
        masm_alu_imm(&f->m, ALU_XOR, w, dst, top);
    value_done(f, &v);
    stack_push_reg(f, type, dst);
}

static void unary(struct fn *f, uint8_t type, unsigned extend)
{
    struct value v = stack_pop(f);
    bool w = type_is_wide(type);
    reg r = value_use(f, &v), dst = value_dest(f, type, &v, 0);

    if (extend)
        masm_sign_extend(&f->m, w, extend, dst, r);
    else
        masm_popcnt(&f->m, w, dst, r);
    value_done(f, &v);
    stack_push_reg(f, type, dst);
}

void emit_integer(struct fn *f, uint32_t op)
{
    static const uint8_t conditions[10] = {COND_E, COND_NE, COND_L,  COND_B,  COND_G,
                                           COND_A, COND_LE, COND_BE, COND_GE, COND_AE};

    if (op == OP_I32_EQZ || op == OP_I64_EQZ) {
        eqz(f, op == OP_I64_EQZ);
    } else if (op <= OP_I32_GE_U) {
        compare(f, false, (enum cond)conditions[op - OP_I32_EQ]);
    } else if (op <= OP_I64_GE_U) {
        compare(f, true, (enum cond)conditions[op - OP_I64_EQ]);
    } else if (op >= OP_I32_EXTEND8_S) {
        static const uint8_t sizes[] = {1, 2, 1, 2, 4};

        unary(f, op <= OP_I32_EXTEND16_S ? VALTYPE_I32 : VALTYPE_I64, sizes[op - OP_I32_EXTEND8_S]);
    } else {
        uint8_t type = op >= OP_I64_CLZ ? VALTYPE_I64 : VALTYPE_I32;

        if (type == VALTYPE_I64)
            op -= OP_I64_CLZ - OP_I32_CLZ;
        switch (op) {
        case OP_I32_CLZ:
            count_zeros(f, type, true);
            break;
        case OP_I32_CTZ:
            count_zeros(f, type, false);
            break;
        case OP_I32_POPCNT:
            unary(f, type, 0);
            break;
        case OP_I32_ADD:
            alu(f, type, ALU_ADD);
            break;
        case OP_I32_SUB:
            alu(f, type, ALU_SUB);
            break;
        case OP_I32_MUL:
            emit_multiply(f, type);
            break;
        case OP_I32_DIV_S:
        case OP_I32_DIV_U:
        case OP_I32_REM_S:
        case OP_I32_REM_U:
            emit_divide(f, type, op == OP_I32_DIV_S || op == OP_I32_REM_S, op >= OP_I32_REM_S);
            break;
        case OP_I32_AND:
            alu(f, type, ALU_AND);
            break;
        case OP_I32_OR:
            alu(f, type, ALU_OR);
            break;
        case OP_I32_XOR:
            alu(f, type, ALU_XOR);
            break;
        case OP_I32_SHL:
            shift(f, type, SHIFT_SHL);
            break;
        case OP_I32_SHR_S:
            shift(f, type, SHIFT_SAR);
            break;
        case OP_I32_SHR_U:
            shift(f, type, SHIFT_SHR);
            break;
        case OP_I32_ROTL:
            shift(f, type, SHIFT_ROL);
            break;
        case OP_I32_ROTR:
            shift(f, type, SHIFT_ROR);
            break;
        default:
            UNREACHABLE();
        }
    }
}
