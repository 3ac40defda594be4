/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The macro assembler: machine instructions into a growing buffer, one function call each.
 *
 * Registers are small numbers in one space: 0 to 15 general, 16 to 31 floating point. Which of them
 * have a fixed role (vm/convention.h) is told below for each architecture; the emitters use these
 * names only. Widths: `w` 0 is 32 bits (and clears the upper half of a general register), 1 is 64.
 * Nothing here allocates registers; that is regcache.c. */
#ifndef BASELINE_MASM_H
#define BASELINE_MASM_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t reg;

#define NOREG     ((reg)255)
#define REG_COUNT 32
#define XMM(n)    ((reg)(16 + (n)))
#define IS_XMM(r) ((r) >= 16)
#define BIT(r)    (UINT32_C(1) << (r))

enum {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    SCRATCH = R11,      /* free between two wasm instructions; never allocated */
    FSCRATCH = 16 + 15, /* the same for floats */
    MEM_LENGTH = R13,
    MEM_BASE = R14,
    INSTANCE = R15,
};

/* Conditions, as the instruction set numbers them; a condition and its inverse differ in bit 0. */
enum cond {
    COND_O,
    COND_NO,
    COND_B,
    COND_AE,
    COND_E,
    COND_NE,
    COND_BE,
    COND_A,
    COND_S,
    COND_NS,
    COND_P,
    COND_NP,
    COND_L,
    COND_GE,
    COND_LE,
    COND_G,
    COND_FEQ,
    COND_FNE, /* floats: equal and ordered; its inverse. Two jumps or moves each */
};

static inline enum cond cond_invert(enum cond c)
{
    return (enum cond)(c ^ 1);
}

/* A place in memory: base + (index << shift) + disp. */
struct mem {
    reg base, index; /* index: NOREG if there is none */
    uint8_t shift;   /* 0 to 3 */
    bool wide;       /* encode disp in 4 bytes whatever its value, so that it can be patched */
    int32_t disp;
};

static inline struct mem mem_at(reg base, int32_t disp)
{
    return (struct mem){base, NOREG, 0, false, disp};
}

static inline struct mem mem_indexed(reg base, reg index, unsigned shift, int32_t disp)
{
    return (struct mem){base, index, (uint8_t)shift, false, disp};
}

/* The buffer. Room is ensured ahead by masm_reserve; when memory is gone `failed` is set and the
 * buffer is written from its start again, so emitters need not look until the function is done. */
struct masm {
    uint8_t *start, *p, *end;
    size_t limit; /* of bytes; more fail */
    bool failed, too_large;
};

#define MASM_ROOM 8192u /* ensured before each wasm instruction */

bool masm_reserve_slow(struct masm *m, size_t room);

static inline void masm_reserve(struct masm *m, size_t room)
{
    if (UNLIKELY(m->end - m->p < (ptrdiff_t)room)) /* signed: `slow` finds out what overran */
        (void)masm_reserve_slow(m, room);
}

static inline uint32_t masm_pos(const struct masm *m)
{
    return (uint32_t)(m->p - m->start);
}

/* Moves and constants. masm_mov_imm keeps the flags, masm_zero does not. */
void masm_mov(struct masm *m, bool w, reg dst, reg src); /* same class */
void masm_mov_imm(struct masm *m, reg dst, uint64_t bits);
void masm_zero(struct masm *m, reg dst);
void masm_xchg(struct masm *m, reg a, reg b);
void masm_gpr_to_xmm(struct masm *m, bool w, reg dst, reg src);
void masm_xmm_to_gpr(struct masm *m, bool w, reg dst, reg src);

/* Memory. Loads and stores of a whole register of `w` width, by the register's class. */
void masm_load(struct masm *m, bool w, reg dst, struct mem from);
void masm_store(struct masm *m, bool w, struct mem to, reg src);
/* Narrow ones: size 1 or 2 (or 4 signed, to 64 bits). */
void masm_load_narrow(struct masm *m, bool w, unsigned size, bool is_signed, reg dst,
                      struct mem from);
void masm_store_narrow(struct masm *m, unsigned size, struct mem to, reg src);
void masm_store_imm(struct masm *m, unsigned size, struct mem to, int32_t value);
void masm_lea(struct masm *m, bool w, reg dst, struct mem from);
void masm_push(struct masm *m, reg r);
void masm_push_mem(struct masm *m, struct mem from);
void masm_push_imm(struct masm *m, int32_t value);
void masm_pop(struct masm *m, reg r);

/* Integers. */
enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
void masm_alu(struct masm *m, enum alu op, bool w, reg dst, reg src);
void masm_alu_imm(struct masm *m, enum alu op, bool w, reg dst, int32_t value);
void masm_alu_mem(struct masm *m, enum alu op, bool w, reg dst, struct mem src);
void masm_alu_mem_imm(struct masm *m, enum alu op, bool w, struct mem dst, int32_t value);
void masm_test(struct masm *m, bool w, reg a, reg b);
void masm_test_imm(struct masm *m, bool w, reg a, int32_t value);
void masm_mul(struct masm *m, bool w, reg dst, reg src);
void masm_mul_imm(struct masm *m, bool w, reg dst, reg src, int32_t value);
void masm_mul_wide(struct masm *m, bool w, reg src); /* rdx:rax = rax * src, unsigned */
enum shift { SHIFT_ROL = 0, SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };
void masm_shift_imm(struct masm *m, enum shift op, bool w, reg dst, unsigned count);
void masm_shift_cl(struct masm *m, enum shift op, bool w, reg dst);
void masm_neg(struct masm *m, bool w, reg dst);
void masm_cdq(struct masm *m, bool w);
void masm_div(struct masm *m, bool w, bool is_signed, reg divisor);
void masm_sign_extend(struct masm *m, bool w, unsigned size, reg dst, reg src);
void masm_bsf(struct masm *m, bool w, reg dst, reg src);
void masm_bsr(struct masm *m, bool w, reg dst, reg src);
void masm_popcnt(struct masm *m, bool w, reg dst, reg src);
void masm_btc63(struct masm *m, reg dst);
void masm_setcc(struct masm *m, enum cond c, reg dst); /* 0 or 1, whole register; not FEQ/FNE */
void masm_cmov(struct masm *m, enum cond c, bool w, reg dst, reg src); /* not FEQ/FNE */

/* Floats: `w` 0 is f32, 1 is f64. */
enum fop {
    FOP_SQRT = 0x51,
    FOP_ADD = 0x58,
    FOP_MUL = 0x59,
    FOP_SUB = 0x5c,
    FOP_MIN = 0x5d,
    FOP_DIV = 0x5e,
    FOP_MAX = 0x5f
};
enum flogic { FLOGIC_AND = 0x54, FLOGIC_ANDN = 0x55, FLOGIC_OR = 0x56, FLOGIC_XOR = 0x57 };
void masm_float(struct masm *m, enum fop op, bool w, reg dst, reg src);
void masm_float_mem(struct masm *m, enum fop op, bool w, reg dst, struct mem src);
void masm_float_logic(struct masm *m, enum flogic op, reg dst, reg src);
void masm_float_compare(struct masm *m, bool w, reg a, reg b); /* ucomis: flags B, E, P */
void masm_round(struct masm *m, bool w, unsigned mode, reg dst,
                reg src); /* 0 near 1 down 2 up 3 cut */
void masm_float_resize(struct masm *m, bool to_f64, reg dst, reg src);
void masm_int_to_float(struct masm *m, bool w_float, bool w_int, reg dst, reg src);
void masm_float_to_int(struct masm *m, bool w_float, bool w_int, reg dst, reg src); /* truncates */

/* The same with a literal at a place not known yet: these return the position of the 4 bytes that
 * masm_patch_rel fills in. */
uint32_t masm_load_literal(struct masm *m, bool w, reg dst);
uint32_t masm_float_literal(struct masm *m, enum fop op, bool w, reg dst);
uint32_t masm_float_logic_literal(struct masm *m, enum flogic op, reg dst); /* 16 bytes, aligned */
uint32_t masm_float_compare_literal(struct masm *m, bool w, reg a);
uint32_t masm_lea_literal(struct masm *m, reg dst);

/* Control. Those that return a position leave 4 bytes there for masm_patch_rel. */
uint32_t masm_jmp(struct masm *m);
uint32_t masm_jcc(struct masm *m, enum cond c); /* not FEQ/FNE */
void masm_jmp_to(struct masm *m, uint32_t target);
void masm_jcc_to(struct masm *m, enum cond c, uint32_t target);
uint32_t masm_jcc_short(struct masm *m, enum cond c); /* position of 1 byte, masm_patch_short */
uint32_t masm_jmp_short(struct masm *m);
void masm_patch_short(struct masm *m, uint32_t at); /* to here; at most 127 bytes */
void masm_jmp_reg(struct masm *m, reg r);
void masm_jmp_mem(struct masm *m, struct mem to);
uint32_t masm_jmp_literal(struct masm *m);
uint32_t masm_call(struct masm *m);
void masm_call_mem(struct masm *m, struct mem to);
void masm_ret(struct masm *m, uint32_t pop_bytes);       /* < 65536 */
void masm_fill_words(struct masm *m);                    /* rcx words of rax from rdi upwards */
void masm_align(struct masm *m, unsigned alignment);     /* with no-ops */
void masm_fill_trap(struct masm *m, unsigned alignment); /* with breakpoints */
void masm_u32(struct masm *m, uint32_t value);
void masm_u64(struct masm *m, uint64_t value);

static inline uint32_t masm_get32(const struct masm *m, uint32_t at)
{
    uint32_t v;

    memcpy(&v, m->start + at, 4);
    return v;
}

static inline void masm_set32(struct masm *m, uint32_t at, uint32_t value)
{
    memcpy(m->start + at, &value, 4);
}

/* Makes the 4 bytes at `at`, the last of their instruction, reach `target`. */
static inline void masm_patch_rel(struct masm *m, uint32_t at, uint32_t target)
{
    masm_set32(m, at, target - (at + 4));
}

#endif
