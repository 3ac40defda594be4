/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Encodings, as llvm-mc's disassembler reads them: the text beside each. */
#include "baseline/masm.h"
#include "tests/harness/harness.h"
#include <stdio.h>

static bool encodes(const struct masm *m, const char *text, const char *hex)
{
    char actual[64] = "";

    for (const uint8_t *p = m->start; p < m->p; p++)
        snprintf(actual + (p - m->start) * 2, 3, "%02x", *p);
    if (strcmp(actual, hex) == 0)
        return true;
    printf("%s: %s, not %s\n", text, actual, hex);
    return false;
}

#define ENCODES(text, hex, call)                                                                   \
    do {                                                                                           \
        m->p = m->start;                                                                           \
        call;                                                                                      \
        CHECK(encodes(m, text, hex));                                                              \
    } while (0)

TEST(masm_encodes_every_form_of_instruction)
{
    uint8_t room[64];
    struct masm masm = {.start = room, .p = room, .end = room + sizeof(room)}, *m = &masm;

    ENCODES("movl %r12d, %eax", "418bc4", masm_mov(m, false, RAX, R12));
    ENCODES("movq %rdi, %r8", "4c8bc7", masm_mov(m, true, R8, RDI));
    ENCODES("movaps %xmm12, %xmm3", "410f28dc", masm_mov(m, true, XMM(3), XMM(12)));
    ENCODES("movl $7, %edx", "ba07000000", masm_mov_imm(m, RDX, 7));
    ENCODES("movq $-1, %r10", "49c7c2ffffffff", masm_mov_imm(m, R10, UINT64_C(0xffffffffffffffff)));
    ENCODES("movabsq $1311768467463790320, %r9", "49b9f0debc9a78563412",
            masm_mov_imm(m, R9, UINT64_C(0x123456789abcdef0)));
    ENCODES("xorl %ebp, %ebp", "31ed", masm_zero(m, RBP));
    ENCODES("xorps %xmm9, %xmm9", "450f57c9", masm_zero(m, XMM(9)));
    ENCODES("xchgq %r9, %rax", "4987c1", masm_xchg(m, RAX, R9));
    ENCODES("movq %r11, %xmm1", "66490f6ecb", masm_gpr_to_xmm(m, true, XMM(1), R11));
    ENCODES("movd %eax, %xmm8", "66440f6ec0", masm_gpr_to_xmm(m, false, XMM(8), RAX));
    ENCODES("movq %xmm10, %r12", "664d0f7ed4", masm_xmm_to_gpr(m, true, R12, XMM(10)));
    ENCODES("movq 8(%rsp), %rax", "488b442408", masm_load(m, true, RAX, mem_at(RSP, 8)));
    ENCODES("movl (%r13), %r9d", "458b4d00", masm_load(m, false, R9, mem_at(R13, 0)));
    ENCODES("movq (%r12), %rbx", "498b1c24", masm_load(m, true, RBX, mem_at(R12, 0)));
    ENCODES("movq (%rbp), %rbx", "488b5d00", masm_load(m, true, RBX, mem_at(RBP, 0)));
    ENCODES("movl 4096(%r14,%rdi), %ecx", "418b8c3e00100000",
            masm_load(m, false, RCX, mem_indexed(R14, RDI, 0, 4096)));
    ENCODES("movl (%r13,%r12,8), %ecx", "438b4ce500",
            masm_load(m, false, RCX, mem_indexed(R13, R12, 3, 0)));
    ENCODES("movsd -1(%r14,%r8), %xmm2", "f2430f105406ff",
            masm_load(m, true, XMM(2), mem_indexed(R14, R8, 0, -1)));
    ENCODES("movss (%rsp), %xmm15", "f3440f103c24", masm_load(m, false, XMM(15), mem_at(RSP, 0)));
    ENCODES("movq %r15, 128(%rsp)", "4c89bc2480000000", masm_store(m, true, mem_at(RSP, 128), R15));
    ENCODES("movss %xmm7, (%r14,%rsi)", "f3410f113c36",
            masm_store(m, false, mem_indexed(R14, RSI, 0, 0), XMM(7)));
    ENCODES("movzbl 1(%r14), %esi", "410fb67601",
            masm_load_narrow(m, false, 1, false, RSI, mem_at(R14, 1)));
    ENCODES("movsbq 1(%rdi), %r8", "4c0fbe4701",
            masm_load_narrow(m, true, 1, true, R8, mem_at(RDI, 1)));
    ENCODES("movswl 1(%rdi), %eax", "0fbf4701",
            masm_load_narrow(m, false, 2, true, RAX, mem_at(RDI, 1)));
    ENCODES("movzwl 1(%rdi), %eax", "0fb74701",
            masm_load_narrow(m, true, 2, false, RAX, mem_at(RDI, 1)));
    ENCODES("movslq 1(%rdi), %rax", "48634701",
            masm_load_narrow(m, true, 4, true, RAX, mem_at(RDI, 1)));
    ENCODES("movb %sil, (%r14)", "418836", masm_store_narrow(m, 1, mem_at(R14, 0), RSI));
    ENCODES("movb %al, (%r14)", "418806", masm_store_narrow(m, 1, mem_at(R14, 0), RAX));
    ENCODES("movw %r9w, (%r14)", "6645890e", masm_store_narrow(m, 2, mem_at(R14, 0), R9));
    ENCODES("movb $-1, 2(%r14)", "41c64602ff", masm_store_imm(m, 1, mem_at(R14, 2), -1));
    ENCODES("movw $258, 2(%rdi)", "66c747020201", masm_store_imm(m, 2, mem_at(RDI, 2), 258));
    ENCODES("movl $258, 2(%rdi)", "c7470202010000", masm_store_imm(m, 4, mem_at(RDI, 2), 258));
    ENCODES("movq $-2, 16(%rsp)", "48c7442410feffffff", masm_store_imm(m, 8, mem_at(RSP, 16), -2));
    ENCODES("leal (%rcx,%rdx,4), %eax", "8d0491",
            masm_lea(m, false, RAX, mem_indexed(RCX, RDX, 2, 0)));
    ENCODES("leaq 12(%rdi), %r11", "4c8d9f0c000000",
            masm_lea(m, true, R11, (struct mem){RDI, NOREG, 0, true, 12}));
    ENCODES("pushq %r15", "4157", masm_push(m, R15));
    ENCODES("pushq 24(%rsp)", "ff742418", masm_push_mem(m, mem_at(RSP, 24)));
    ENCODES("pushq $-3", "68fdffffff", masm_push_imm(m, -3));
    ENCODES("popq %r15", "415f", masm_pop(m, R15));
    ENCODES("addl %r8d, %eax", "4103c0", masm_alu(m, ALU_ADD, false, RAX, R8));
    ENCODES("sbbq %r9, %r9", "4d1bc9", masm_alu(m, ALU_SBB, true, R9, R9));
    ENCODES("cmpq %r13, %r11", "4d3bdd", masm_alu(m, ALU_CMP, true, R11, R13));
    ENCODES("andq $127, %rbx", "4883e37f", masm_alu_imm(m, ALU_AND, true, RBX, 127));
    ENCODES("xorl $128, %r10d", "4181f280000000", masm_alu_imm(m, ALU_XOR, false, R10, 128));
    ENCODES("cmpq 16(%r15), %rsp", "493b6710",
            masm_alu_mem(m, ALU_CMP, true, RSP, mem_at(R15, 16)));
    ENCODES("cmpl $70000, 8(%rax)", "81780870110100",
            masm_alu_mem_imm(m, ALU_CMP, false, mem_at(RAX, 8), 70000));
    ENCODES("testq %r8, %rax", "4c85c0", masm_test(m, true, R8, RAX));
    ENCODES("testb $4, %sil", "40f6c604", masm_test_imm(m, false, RSI, 4));
    ENCODES("testq $-4, %r8", "49f7c0fcffffff", masm_test_imm(m, true, R8, -4));
    ENCODES("imulq %r9, %rax", "490fafc1", masm_mul(m, true, RAX, R9));
    ENCODES("imull $10, %r9d, %eax", "416bc10a", masm_mul_imm(m, false, RAX, R9, 10));
    ENCODES("imulq $1000, %rax, %r9", "4c69c8e8030000", masm_mul_imm(m, true, R9, RAX, 1000));
    ENCODES("sarq $63, %r12", "49c1fc3f", masm_shift_imm(m, SHIFT_SAR, true, R12, 63));
    ENCODES("shll %edx", "d1e2", masm_shift_imm(m, SHIFT_SHL, false, RDX, 1));
    ENCODES("rolq %cl, %rbp", "48d3c5", masm_shift_cl(m, SHIFT_ROL, true, RBP));
    ENCODES("negl %r8d", "41f7d8", masm_neg(m, false, R8));
    ENCODES("cltd", "99", masm_cdq(m, false));
    ENCODES("cqto", "4899", masm_cdq(m, true));
    ENCODES("idivq %rsi", "48f7fe", masm_div(m, true, true, RSI));
    ENCODES("divl %r10d", "41f7f2", masm_div(m, false, false, R10));
    ENCODES("movsbl %dil, %eax", "400fbec7", masm_sign_extend(m, false, 1, RAX, RDI));
    ENCODES("movswq %r8w, %rax", "490fbfc0", masm_sign_extend(m, true, 2, RAX, R8));
    ENCODES("movslq %eax, %r8", "4c63c0", masm_sign_extend(m, true, 4, R8, RAX));
    ENCODES("bsfq %rdx, %r11", "4c0fbcda", masm_bsf(m, true, R11, RDX));
    ENCODES("bsrl %r8d, %r11d", "450fbdd8", masm_bsr(m, false, R11, R8));
    ENCODES("popcntq %r9, %rax", "f3490fb8c1", masm_popcnt(m, true, RAX, R9));
    ENCODES("btcq $63, %r9", "490fbaf93f", masm_btc63(m, R9));
    ENCODES("cmoval %r8d, %edi", "410f47f8", masm_cmov(m, COND_A, false, RDI, R8));
    ENCODES("addsd %xmm9, %xmm1", "f2410f58c9", masm_float(m, FOP_ADD, true, XMM(1), XMM(9)));
    ENCODES("sqrtss %xmm1, %xmm9", "f3440f51c9", masm_float(m, FOP_SQRT, false, XMM(9), XMM(1)));
    ENCODES("mulsd 8(%rsp), %xmm9", "f2440f594c2408",
            masm_float_mem(m, FOP_MUL, true, XMM(9), mem_at(RSP, 8)));
    ENCODES("xorps %xmm14, %xmm4", "410f57e6", masm_float_logic(m, FLOGIC_XOR, XMM(4), XMM(14)));
    ENCODES("ucomisd %xmm14, %xmm4", "66410f2ee6", masm_float_compare(m, true, XMM(4), XMM(14)));
    ENCODES("ucomiss %xmm0, %xmm4", "0f2ee0", masm_float_compare(m, false, XMM(4), XMM(0)));
    ENCODES("roundsd $11, %xmm2, %xmm8", "66440f3a0bc20b", masm_round(m, true, 3, XMM(8), XMM(2)));
    ENCODES("roundss $8, %xmm2, %xmm0", "660f3a0ac208", masm_round(m, false, 0, XMM(0), XMM(2)));
    ENCODES("cvtss2sd %xmm9, %xmm0", "f3410f5ac1", masm_float_resize(m, true, XMM(0), XMM(9)));
    ENCODES("cvtsd2ss %xmm9, %xmm0", "f2410f5ac1", masm_float_resize(m, false, XMM(0), XMM(9)));
    ENCODES("cvtsi2sd %rax, %xmm11", "f24c0f2ad8", masm_int_to_float(m, true, true, XMM(11), RAX));
    ENCODES("cvtsi2ss %r8d, %xmm1", "f3410f2ac8", masm_int_to_float(m, false, false, XMM(1), R8));
    ENCODES("cvttsd2si %xmm3, %r11", "f24c0f2cdb", masm_float_to_int(m, true, true, R11, XMM(3)));
    ENCODES("jmpq *%r11", "41ffe3", masm_jmp_reg(m, R11));
    ENCODES("jmpq *16(%rax)", "ff6010", masm_jmp_mem(m, mem_at(RAX, 16)));
    ENCODES("callq *(%rax)", "ff10", masm_call_mem(m, mem_at(RAX, 0)));
    ENCODES("retq", "c3", masm_ret(m, 0));
    ENCODES("retq $16", "c21000", masm_ret(m, 16));
    ENCODES("rep stosq %rax, %es:(%rdi)", "f348ab", masm_fill_words(m));
}

TEST(masm_pads_with_whole_instructions)
{
    static const uint8_t nine[] = {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
    uint8_t room[64] = {0};
    struct masm m = {.start = room, .p = room + 1, .end = room + sizeof(room)};

    masm_align(&m, 16);
    CHECK(masm_pos(&m) == 16);
    CHECK(memcmp(room + 1, nine, sizeof(nine)) == 0);
}

TEST(masm_short_and_long_jumps_reach_back)
{
    static uint8_t room[1024];
    struct masm m = {.start = room, .p = room, .end = room + sizeof(room)};

    masm_jmp_to(&m, 0);
    CHECK(masm_pos(&m) == 2 && room[0] == 0xeb && room[1] == 0xfe);
    m.p = room + 200;
    masm_jmp_to(&m, 0);
    CHECK(masm_pos(&m) == 205 && room[200] == 0xe9 && masm_get32(&m, 201) == (uint32_t)-205);
}
