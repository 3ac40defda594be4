/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Encodes x86-64 instructions: SSE4.1 and POPCNT at most (Intel SDM volume 2). */
#include "base/mem.h"
#include "baseline/masm.h"

#define MASM_FIRST 65536u

bool masm_reserve_slow(struct masm *m, size_t room)
{
    size_t used = (size_t)(m->p - m->start), size = (size_t)(m->end - m->start);
    size_t want = size ? size * 2 : MASM_FIRST;
    uint8_t *bytes;

    ASSERT(used <= size);
    while (want - used < room)
        want *= 2;
    if (m->limit && used + room > m->limit) {
        m->too_large = m->failed = true;
        m->p = m->start;
        return false;
    }
    bytes = (uint8_t *)mem_try_realloc(m->start, want, 1);
    if (!bytes) {
        m->failed = true;
        m->p = m->start;
        return false;
    }
    m->start = bytes;
    m->p = bytes + used;
    m->end = bytes + want;
    return true;
}

static inline void u8(struct masm *m, unsigned b)
{
    *m->p++ = (uint8_t)b;
}

void masm_u32(struct masm *m, uint32_t value)
{
    memcpy(m->p, &value, 4);
    m->p += 4;
}

void masm_u64(struct masm *m, uint64_t value)
{
    memcpy(m->p, &value, 8);
    m->p += 8;
}

/* Opcodes are written as they are read in the manual: 0x0f58, 0x0f3a0a. */
static inline void opcode_bytes(struct masm *m, uint32_t opc)
{
    if (opc > 0xffff)
        u8(m, opc >> 16);
    if (opc > 0xff)
        u8(m, opc >> 8 & 0xff);
    u8(m, opc & 0xff);
}

/* prefix, REX, opcode, ModRM with two registers. `byte`: an operand is an 8-bit register. */
static void rr(struct masm *m, unsigned prefix, bool w, uint32_t opc, reg r, reg rm, bool byte)
{
    unsigned rex = (w ? 8u : 0u) | (r & 8u) >> 1 | (rm & 8u) >> 3;

    if (prefix)
        u8(m, prefix);
    if (rex || (byte && ((r & 15) >= 4 || (rm & 15) >= 4)))
        u8(m, 0x40 | rex);
    opcode_bytes(m, opc);
    u8(m, 0xc0u | (r & 7u) << 3 | (rm & 7u));
}

static void modrm_mem(struct masm *m, unsigned r, struct mem a)
{
    unsigned mod, field = (r & 7u) << 3;

    if (!a.wide && a.disp == 0 && (a.base & 7) != RBP)
        mod = 0;
    else if (!a.wide && a.disp >= -128 && a.disp <= 127)
        mod = 1;
    else
        mod = 2;
    if (a.index != NOREG) {
        u8(m, mod << 6 | field | 4);
        u8(m, (unsigned)a.shift << 6 | (a.index & 7u) << 3 | (a.base & 7u));
    } else if ((a.base & 7) == RSP) {
        u8(m, mod << 6 | field | 4);
        u8(m, 0x24);
    } else {
        u8(m, mod << 6 | field | (a.base & 7u));
    }
    if (mod == 1)
        u8(m, (uint8_t)a.disp);
    else if (mod == 2)
        masm_u32(m, (uint32_t)a.disp);
}

static void rm(struct masm *m, unsigned prefix, bool w, uint32_t opc, reg r, struct mem a,
               bool byte)
{
    unsigned rex = (w ? 8u : 0u) | (r & 8u) >> 1 | (a.base & 8u) >> 3;

    if (a.index != NOREG)
        rex |= (a.index & 8u) >> 2;
    if (prefix)
        u8(m, prefix);
    if (rex || (byte && (r & 15) >= 4))
        u8(m, 0x40 | rex);
    opcode_bytes(m, opc);
    modrm_mem(m, r, a);
}

/* The same, relative to the instruction pointer; `after`: bytes of the instruction behind. */
static uint32_t r_rip(struct masm *m, unsigned prefix, bool w, uint32_t opc, reg r)
{
    unsigned rex = (w ? 8u : 0u) | (r & 8u) >> 1;

    if (prefix)
        u8(m, prefix);
    if (rex)
        u8(m, 0x40 | rex);
    opcode_bytes(m, opc);
    u8(m, (r & 7u) << 3 | 5);
    masm_u32(m, 0);
    return masm_pos(m) - 4;
}

static inline unsigned scalar(bool w)
{
    return w ? 0xf2 : 0xf3;
}

void masm_mov(struct masm *m, bool w, reg dst, reg src)
{
    if (IS_XMM(dst))
        rr(m, 0, false, 0x0f28, dst, src, false); /* movaps: no dependence on the old value */
    else
        rr(m, 0, w, 0x8b, dst, src, false);
}

void masm_mov_imm(struct masm *m, reg dst, uint64_t bits)
{
    if (bits <= UINT32_MAX) {
        if (dst >= 8)
            u8(m, 0x41);
        u8(m, 0xb8 | (dst & 7u));
        masm_u32(m, (uint32_t)bits);
    } else if ((int64_t)bits == (int32_t)bits) {
        rr(m, 0, true, 0xc7, 0, dst, false);
        masm_u32(m, (uint32_t)bits);
    } else {
        u8(m, 0x48 | (dst >= 8));
        u8(m, 0xb8 | (dst & 7u));
        masm_u64(m, bits);
    }
}

void masm_zero(struct masm *m, reg dst)
{
    if (IS_XMM(dst))
        rr(m, 0, false, 0x0f57, dst, dst, false);
    else
        rr(m, 0, false, 0x31, dst, dst, false);
}

void masm_xchg(struct masm *m, reg a, reg b)
{
    rr(m, 0, true, 0x87, a, b, false);
}

void masm_gpr_to_xmm(struct masm *m, bool w, reg dst, reg src)
{
    rr(m, 0x66, w, 0x0f6e, dst, src, false);
}

void masm_xmm_to_gpr(struct masm *m, bool w, reg dst, reg src)
{
    rr(m, 0x66, w, 0x0f7e, src, dst, false);
}

void masm_load(struct masm *m, bool w, reg dst, struct mem from)
{
    if (IS_XMM(dst))
        rm(m, scalar(w), false, 0x0f10, dst, from, false);
    else
        rm(m, 0, w, 0x8b, dst, from, false);
}

void masm_store(struct masm *m, bool w, struct mem to, reg src)
{
    if (IS_XMM(src))
        rm(m, scalar(w), false, 0x0f11, src, to, false);
    else
        rm(m, 0, w, 0x89, src, to, false);
}

void masm_load_narrow(struct masm *m, bool w, unsigned size, bool is_signed, reg dst,
                      struct mem from)
{
    if (size == 4) {
        if (is_signed)
            rm(m, 0, true, 0x63, dst, from, false);
        else
            rm(m, 0, false, 0x8b, dst, from, false);
        return;
    }
    rm(m, 0, w && is_signed, 0x0f00u | (is_signed ? 0xbe : 0xb6) | (size == 2), dst, from, false);
}

void masm_store_narrow(struct masm *m, unsigned size, struct mem to, reg src)
{
    if (size == 1)
        rm(m, 0, false, 0x88, src, to, true);
    else
        rm(m, size == 2 ? 0x66 : 0, false, 0x89, src, to, false);
}

void masm_store_imm(struct masm *m, unsigned size, struct mem to, int32_t value)
{
    if (size == 1) {
        rm(m, 0, false, 0xc6, 0, to, false);
        u8(m, (uint8_t)value);
        return;
    }
    rm(m, size == 2 ? 0x66 : 0, size == 8, 0xc7, 0, to, false);
    if (size == 2) {
        u8(m, (uint8_t)value);
        u8(m, (uint32_t)value >> 8 & 0xff);
    } else {
        masm_u32(m, (uint32_t)value);
    }
}

void masm_lea(struct masm *m, bool w, reg dst, struct mem from)
{
    rm(m, 0, w, 0x8d, dst, from, false);
}

void masm_push(struct masm *m, reg r)
{
    if (r >= 8)
        u8(m, 0x41);
    u8(m, 0x50 | (r & 7u));
}

void masm_push_mem(struct masm *m, struct mem from)
{
    rm(m, 0, false, 0xff, 6, from, false);
}

void masm_push_imm(struct masm *m, int32_t value)
{
    u8(m, 0x68);
    masm_u32(m, (uint32_t)value);
}

void masm_pop(struct masm *m, reg r)
{
    if (r >= 8)
        u8(m, 0x41);
    u8(m, 0x58 | (r & 7u));
}

void masm_alu(struct masm *m, enum alu op, bool w, reg dst, reg src)
{
    rr(m, 0, w, (uint32_t)op << 3 | 3, dst, src, false);
}

void masm_alu_imm(struct masm *m, enum alu op, bool w, reg dst, int32_t value)
{
    if (value >= -128 && value <= 127) {
        rr(m, 0, w, 0x83, (reg)op, dst, false);
        u8(m, (uint8_t)value);
    } else {
        rr(m, 0, w, 0x81, (reg)op, dst, false);
        masm_u32(m, (uint32_t)value);
    }
}

void masm_alu_mem(struct masm *m, enum alu op, bool w, reg dst, struct mem src)
{
    rm(m, 0, w, (uint32_t)op << 3 | 3, dst, src, false);
}

void masm_alu_mem_imm(struct masm *m, enum alu op, bool w, struct mem dst, int32_t value)
{
    bool small = !dst.wide && value >= -128 && value <= 127;

    rm(m, 0, w, small ? 0x83 : 0x81, (reg)op, dst, false);
    if (small)
        u8(m, (uint8_t)value);
    else
        masm_u32(m, (uint32_t)value);
}

void masm_test(struct masm *m, bool w, reg a, reg b)
{
    rr(m, 0, w, 0x85, a, b, false);
}

void masm_test_imm(struct masm *m, bool w, reg a, int32_t value)
{
    if (value >= 0 && value <= 127) { /* the upper bits cannot be set, nor the sign */
        rr(m, 0, false, 0xf6, 0, a, true);
        u8(m, (uint8_t)value);
    } else {
        rr(m, 0, w, 0xf7, 0, a, false);
        masm_u32(m, (uint32_t)value);
    }
}

void masm_mul(struct masm *m, bool w, reg dst, reg src)
{
    rr(m, 0, w, 0x0faf, dst, src, false);
}

void masm_mul_imm(struct masm *m, bool w, reg dst, reg src, int32_t value)
{
    bool small = value >= -128 && value <= 127;

    rr(m, 0, w, small ? 0x6b : 0x69, dst, src, false);
    if (small)
        u8(m, (uint8_t)value);
    else
        masm_u32(m, (uint32_t)value);
}

void masm_mul_wide(struct masm *m, bool w, reg src)
{
    rr(m, 0, w, 0xf7, 4, src, false);
}

void masm_shift_imm(struct masm *m, enum shift op, bool w, reg dst, unsigned count)
{
    if (count == 1) {
        rr(m, 0, w, 0xd1, (reg)op, dst, false);
        return;
    }
    rr(m, 0, w, 0xc1, (reg)op, dst, false);
    u8(m, count);
}

void masm_shift_cl(struct masm *m, enum shift op, bool w, reg dst)
{
    rr(m, 0, w, 0xd3, (reg)op, dst, false);
}

void masm_neg(struct masm *m, bool w, reg dst)
{
    rr(m, 0, w, 0xf7, 3, dst, false);
}

void masm_cdq(struct masm *m, bool w)
{
    if (w)
        u8(m, 0x48);
    u8(m, 0x99);
}

void masm_div(struct masm *m, bool w, bool is_signed, reg divisor)
{
    rr(m, 0, w, 0xf7, is_signed ? 7 : 6, divisor, false);
}

void masm_sign_extend(struct masm *m, bool w, unsigned size, reg dst, reg src)
{
    if (size == 4)
        rr(m, 0, true, 0x63, dst, src, false);
    else
        rr(m, 0, w, size == 1 ? 0x0fbe : 0x0fbf, dst, src, size == 1);
}

void masm_bsf(struct masm *m, bool w, reg dst, reg src)
{
    rr(m, 0, w, 0x0fbc, dst, src, false);
}

void masm_bsr(struct masm *m, bool w, reg dst, reg src)
{
    rr(m, 0, w, 0x0fbd, dst, src, false);
}

void masm_popcnt(struct masm *m, bool w, reg dst, reg src)
{
    rr(m, 0xf3, w, 0x0fb8, dst, src, false);
}

void masm_btc63(struct masm *m, reg dst)
{
    rr(m, 0, true, 0x0fba, 7, dst, false);
    u8(m, 63);
}

void masm_setcc(struct masm *m, enum cond c, reg dst)
{
    rr(m, 0, false, 0x0f90u | (uint32_t)c, 0, dst, true);
    rr(m, 0, false, 0x0fb6, dst, dst, true);
}

void masm_cmov(struct masm *m, enum cond c, bool w, reg dst, reg src)
{
    rr(m, 0, w, 0x0f40u | (uint32_t)c, dst, src, false);
}

void masm_float(struct masm *m, enum fop op, bool w, reg dst, reg src)
{
    rr(m, scalar(w), false, 0x0f00u | (uint32_t)op, dst, src, false);
}

void masm_float_mem(struct masm *m, enum fop op, bool w, reg dst, struct mem src)
{
    rm(m, scalar(w), false, 0x0f00u | (uint32_t)op, dst, src, false);
}

void masm_float_logic(struct masm *m, enum flogic op, reg dst, reg src)
{
    rr(m, 0, false, 0x0f00u | (uint32_t)op, dst, src, false);
}

void masm_float_compare(struct masm *m, bool w, reg a, reg b)
{
    rr(m, w ? 0x66 : 0, false, 0x0f2e, a, b, false);
}

void masm_round(struct masm *m, bool w, unsigned mode, reg dst, reg src)
{
    rr(m, 0x66, false, w ? 0x0f3a0b : 0x0f3a0a, dst, src, false);
    u8(m, mode | 8); /* no inexact exception */
}

void masm_float_resize(struct masm *m, bool to_f64, reg dst, reg src)
{
    rr(m, to_f64 ? 0xf3 : 0xf2, false, 0x0f5a, dst, src, false);
}

void masm_int_to_float(struct masm *m, bool w_float, bool w_int, reg dst, reg src)
{
    rr(m, scalar(w_float), w_int, 0x0f2a, dst, src, false);
}

void masm_float_to_int(struct masm *m, bool w_float, bool w_int, reg dst, reg src)
{
    rr(m, scalar(w_float), w_int, 0x0f2c, dst, src, false);
}

uint32_t masm_load_literal(struct masm *m, bool w, reg dst)
{
    return r_rip(m, scalar(w), false, 0x0f10, dst);
}

uint32_t masm_float_literal(struct masm *m, enum fop op, bool w, reg dst)
{
    return r_rip(m, scalar(w), false, 0x0f00u | (uint32_t)op, dst);
}

uint32_t masm_float_logic_literal(struct masm *m, enum flogic op, reg dst)
{
    return r_rip(m, 0, false, 0x0f00u | (uint32_t)op, dst);
}

uint32_t masm_float_compare_literal(struct masm *m, bool w, reg a)
{
    return r_rip(m, w ? 0x66 : 0, false, 0x0f2e, a);
}

uint32_t masm_lea_literal(struct masm *m, reg dst)
{
    return r_rip(m, 0, true, 0x8d, dst);
}

uint32_t masm_jmp(struct masm *m)
{
    u8(m, 0xe9);
    masm_u32(m, 0);
    return masm_pos(m) - 4;
}

uint32_t masm_jcc(struct masm *m, enum cond c)
{
    u8(m, 0x0f);
    u8(m, 0x80 | (unsigned)c);
    masm_u32(m, 0);
    return masm_pos(m) - 4;
}

void masm_jmp_to(struct masm *m, uint32_t target)
{
    int64_t distance = (int64_t)target - (int64_t)(masm_pos(m) + 2);

    if (distance >= -128 && distance <= 0) {
        u8(m, 0xeb);
        u8(m, (uint8_t)distance);
    } else {
        masm_patch_rel(m, masm_jmp(m), target);
    }
}

void masm_jcc_to(struct masm *m, enum cond c, uint32_t target)
{
    int64_t distance = (int64_t)target - (int64_t)(masm_pos(m) + 2);

    if (distance >= -128 && distance <= 0) {
        u8(m, 0x70 | (unsigned)c);
        u8(m, (uint8_t)distance);
    } else {
        masm_patch_rel(m, masm_jcc(m, c), target);
    }
}

uint32_t masm_jcc_short(struct masm *m, enum cond c)
{
    u8(m, 0x70 | (unsigned)c);
    u8(m, 0);
    return masm_pos(m) - 1;
}

uint32_t masm_jmp_short(struct masm *m)
{
    u8(m, 0xeb);
    u8(m, 0);
    return masm_pos(m) - 1;
}

void masm_patch_short(struct masm *m, uint32_t at)
{
    uint32_t distance = masm_pos(m) - (at + 1);

    ASSERT(distance <= 127 || m->failed);
    m->start[at] = (uint8_t)distance;
}

void masm_jmp_reg(struct masm *m, reg r)
{
    rr(m, 0, false, 0xff, 4, r, false);
}

void masm_jmp_mem(struct masm *m, struct mem to)
{
    rm(m, 0, false, 0xff, 4, to, false);
}

uint32_t masm_jmp_literal(struct masm *m)
{
    return r_rip(m, 0, false, 0xff, 4);
}

uint32_t masm_call(struct masm *m)
{
    u8(m, 0xe8);
    masm_u32(m, 0);
    return masm_pos(m) - 4;
}

void masm_call_mem(struct masm *m, struct mem to)
{
    rm(m, 0, false, 0xff, 2, to, false);
}

void masm_ret(struct masm *m, uint32_t pop_bytes)
{
    if (pop_bytes == 0) {
        u8(m, 0xc3);
        return;
    }
    ASSERT(pop_bytes < 65536);
    u8(m, 0xc2);
    u8(m, pop_bytes & 0xff);
    u8(m, pop_bytes >> 8);
}

void masm_fill_words(struct masm *m)
{
    u8(m, 0xf3);
    u8(m, 0x48);
    u8(m, 0xab);
}

void masm_align(struct masm *m, unsigned alignment)
{
    static const uint8_t nops[9][9] = {
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    unsigned left = (unsigned)(-masm_pos(m)) & (alignment - 1);

    while (left) {
        unsigned n = left < 9 ? left : 9;

        memcpy(m->p, nops[n - 1], n);
        m->p += n;
        left -= n;
    }
}

void masm_fill_trap(struct masm *m, unsigned alignment)
{
    while (masm_pos(m) & (alignment - 1))
        u8(m, 0xcc);
}
