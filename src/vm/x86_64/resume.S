/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Between the worker's stack and the guest's: see vm/resume.h and vm/convention.h. Offsets are those
 * pinned in fiber.h, instance.h and resume.h. */

#define FIBER_HOST_SP   0
#define FIBER_GUEST_SP  8
#define FIBER_GUEST_IP  16
#define FIBER_INSTANCE  24
#define FIBER_TICK      32
#define FIBER_PREEMPTED 48
#define FIBER_TRAP_KIND 72
#define FIBER_TRAP_PC   80
#define INSTANCE_MEMORY_BASE   0
#define INSTANCE_MEMORY_LENGTH 8
#define INSTANCE_FIBER         24
#define INSTANCE_RESUME_IP     104
#define REGISTERS_GPR 8
#define REGISTERS_XMM 136
#define TRAP_STACK_EXHAUSTED 10

#define STOP_RETURNED  0
#define STOP_TRAPPED   1
#define STOP_OUTCOME   2
#define STOP_PREEMPTED 3
#define STOP_TICK      4
#define STOP_FUEL      5

#define SAVED_SIZE 384

        .text
        .p2align 6

/* uint32_t fiber_resume(struct fiber *f) */
        .globl  fiber_resume
        .type   fiber_resume, @function
fiber_resume:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        .cfi_endproc
        movq    %rsp, FIBER_HOST_SP(%rdi)
        movq    FIBER_TICK(%rdi), %rax
        movl    $0, (%rax)
        movq    FIBER_PREEMPTED(%rdi), %rax
        testq   %rax, %rax
        jnz     restore
        movq    FIBER_GUEST_SP(%rdi), %rsp
        movq    FIBER_INSTANCE(%rdi), %r15
        movq    INSTANCE_MEMORY_BASE(%r15), %r14
        movq    INSTANCE_MEMORY_LENGTH(%r15), %r13
        jmpq    *FIBER_GUEST_IP(%rdi)

/* Goes on in the middle of a function. Nothing may be written below the guest's rsp, so the last jump
 * reads its target from the instance, which r15 already points to. A signal that comes while rsp points
 * at the registers is taken on the alternate stack and finds a pc that is not preempted. */
restore:
        movq    $0, FIBER_PREEMPTED(%rdi)
        movq    FIBER_GUEST_IP(%rdi), %rcx
        movq    (REGISTERS_GPR+8*15)(%rax), %rdx
        movq    %rcx, INSTANCE_RESUME_IP(%rdx)
        movq    %rax, %rsp
        popfq
        .set    G, REGISTERS_GPR - 8
        .set    X, REGISTERS_XMM - 8
        movups  (X+16*0)(%rsp), %xmm0
        movups  (X+16*1)(%rsp), %xmm1
        movups  (X+16*2)(%rsp), %xmm2
        movups  (X+16*3)(%rsp), %xmm3
        movups  (X+16*4)(%rsp), %xmm4
        movups  (X+16*5)(%rsp), %xmm5
        movups  (X+16*6)(%rsp), %xmm6
        movups  (X+16*7)(%rsp), %xmm7
        movups  (X+16*8)(%rsp), %xmm8
        movups  (X+16*9)(%rsp), %xmm9
        movups  (X+16*10)(%rsp), %xmm10
        movups  (X+16*11)(%rsp), %xmm11
        movups  (X+16*12)(%rsp), %xmm12
        movups  (X+16*13)(%rsp), %xmm13
        movups  (X+16*14)(%rsp), %xmm14
        movups  (X+16*15)(%rsp), %xmm15
        movq    (G+8*0)(%rsp), %rax
        movq    (G+8*1)(%rsp), %rcx
        movq    (G+8*2)(%rsp), %rdx
        movq    (G+8*3)(%rsp), %rbx
        movq    (G+8*5)(%rsp), %rbp
        movq    (G+8*6)(%rsp), %rsi
        movq    (G+8*7)(%rsp), %rdi
        movq    (G+8*8)(%rsp), %r8
        movq    (G+8*9)(%rsp), %r9
        movq    (G+8*10)(%rsp), %r10
        movq    (G+8*11)(%rsp), %r11
        movq    (G+8*12)(%rsp), %r12
        movq    (G+8*13)(%rsp), %r13
        movq    (G+8*14)(%rsp), %r14
        movq    (G+8*15)(%rsp), %r15
        movq    (G+8*4)(%rsp), %rsp
        jmpq    *INSTANCE_RESUME_IP(%r15)

/* All exits end here: rcx = the fiber, eax = enum stop. */
        .p2align 4
leave:
        movq    FIBER_HOST_SP(%rcx), %rsp
        addq    $8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        popq    %rdx
        jmpq    *%rdx /* the return stack does not match: a ret would mispredict */
        .size   fiber_resume, . - fiber_resume

        .globl  vm_stop_returned
        .p2align 4
vm_stop_returned:
        movq    INSTANCE_FIBER(%r15), %rcx
        movq    %rsp, FIBER_GUEST_SP(%rcx)
        movq    %r15, FIBER_INSTANCE(%rcx)
        movl    $STOP_RETURNED, %eax
        jmp     leave

        .globl  vm_stop_outcome
        .p2align 4
vm_stop_outcome:
        movq    INSTANCE_FIBER(%r15), %rcx
        movq    %rsp, FIBER_GUEST_SP(%rcx)
        movq    %r15, FIBER_INSTANCE(%rcx)
        movq    %rax, FIBER_GUEST_IP(%rcx)
        movl    $STOP_OUTCOME, %eax
        jmp     leave

        .globl  vm_stop_tick
        .p2align 4
vm_stop_tick:
        movq    INSTANCE_FIBER(%r15), %rcx
        movq    %rsp, FIBER_GUEST_SP(%rcx)
        movq    %r15, FIBER_INSTANCE(%rcx)
        movq    %rax, FIBER_GUEST_IP(%rcx)
        movl    $STOP_TICK, %eax
        jmp     leave

        .globl  vm_stop_trap
        .p2align 4
vm_stop_trap:
        movq    INSTANCE_FIBER(%r15), %rcx
        movl    %eax, %eax
        movq    %rax, FIBER_TRAP_KIND(%rcx)
        popq    %rdx
        movq    %rdx, FIBER_TRAP_PC(%rcx)
        movq    %rsp, FIBER_GUEST_SP(%rcx)
        movq    %r15, FIBER_INSTANCE(%rcx)
        movl    $STOP_TRAPPED, %eax
        jmp     leave

        .globl  vm_exit_preempted
        .p2align 4
vm_exit_preempted:
        movl    $STOP_PREEMPTED, %eax
        jmp     leave

        .macro  save_registers
        leaq    -SAVED_SIZE(%rsp), %rsp
        movq    %rax, 0(%rsp)
        movq    %rcx, 8(%rsp)
        movq    %rdx, 16(%rsp)
        movq    %rbx, 24(%rsp)
        movq    %rbp, 32(%rsp)
        movq    %rsi, 40(%rsp)
        movq    %rdi, 48(%rsp)
        movq    %r8, 56(%rsp)
        movq    %r9, 64(%rsp)
        movq    %r10, 72(%rsp)
        movq    %r11, 80(%rsp)
        movq    %r12, 88(%rsp)
        /* 96: flags of vm_stop_fuel */
        movups  %xmm0, (128+16*0)(%rsp)
        movups  %xmm1, (128+16*1)(%rsp)
        movups  %xmm2, (128+16*2)(%rsp)
        movups  %xmm3, (128+16*3)(%rsp)
        movups  %xmm4, (128+16*4)(%rsp)
        movups  %xmm5, (128+16*5)(%rsp)
        movups  %xmm6, (128+16*6)(%rsp)
        movups  %xmm7, (128+16*7)(%rsp)
        movups  %xmm8, (128+16*8)(%rsp)
        movups  %xmm9, (128+16*9)(%rsp)
        movups  %xmm10, (128+16*10)(%rsp)
        movups  %xmm11, (128+16*11)(%rsp)
        movups  %xmm12, (128+16*12)(%rsp)
        movups  %xmm13, (128+16*13)(%rsp)
        movups  %xmm14, (128+16*14)(%rsp)
        movups  %xmm15, (128+16*15)(%rsp)
        .endm

        .macro  load_registers
        movq    0(%rsp), %rax
        movq    8(%rsp), %rcx
        movq    16(%rsp), %rdx
        movq    24(%rsp), %rbx
        movq    32(%rsp), %rbp
        movq    40(%rsp), %rsi
        movq    48(%rsp), %rdi
        movq    56(%rsp), %r8
        movq    64(%rsp), %r9
        movq    72(%rsp), %r10
        movq    80(%rsp), %r11
        movq    88(%rsp), %r12
        movups  (128+16*0)(%rsp), %xmm0
        movups  (128+16*1)(%rsp), %xmm1
        movups  (128+16*2)(%rsp), %xmm2
        movups  (128+16*3)(%rsp), %xmm3
        movups  (128+16*4)(%rsp), %xmm4
        movups  (128+16*5)(%rsp), %xmm5
        movups  (128+16*6)(%rsp), %xmm6
        movups  (128+16*7)(%rsp), %xmm7
        movups  (128+16*8)(%rsp), %xmm8
        movups  (128+16*9)(%rsp), %xmm9
        movups  (128+16*10)(%rsp), %xmm10
        movups  (128+16*11)(%rsp), %xmm11
        movups  (128+16*12)(%rsp), %xmm12
        movups  (128+16*13)(%rsp), %xmm13
        movups  (128+16*14)(%rsp), %xmm14
        movups  (128+16*15)(%rsp), %xmm15
        leaq    SAVED_SIZE(%rsp), %rsp
        .endm

/* Metered code is out of fuel: its registers wait on its own stack, which has room for them
 * (STACK_RESERVE), so that it may be moved meanwhile. The flags are not kept. */
        .globl  vm_stop_fuel
        .p2align 4
vm_stop_fuel:
        save_registers
        movq    INSTANCE_FIBER(%r15), %rcx
        movq    %rsp, FIBER_GUEST_SP(%rcx)
        movq    %r15, FIBER_INSTANCE(%rcx)
        leaq    vm_fuel_continue(%rip), %rax
        movq    %rax, FIBER_GUEST_IP(%rcx)
        movl    $STOP_FUEL, %eax
        jmp     leave

        .globl  vm_fuel_continue
        .p2align 4
vm_fuel_continue: /* r13, r14 and r15 are set by fiber_resume */
        load_registers
        retq

/* A prologue wants more room than the stack has. */
        .globl  vm_grow_stack
        .p2align 4
vm_grow_stack:
        save_registers
        movq    INSTANCE_FIBER(%r15), %rdi
        movq    %rsp, FIBER_GUEST_SP(%rdi)
        movq    %r15, %rsi
        movq    %rax, %rdx
        movq    FIBER_HOST_SP(%rdi), %rsp
        call    fiber_grow_stack@PLT
        testq   %rax, %rax
        jz      1f
        movq    %rax, %rsp
        load_registers
        retq
1:      /* callee-saved r15 is still the instance */
        movq    INSTANCE_FIBER(%r15), %rcx
        movq    FIBER_GUEST_SP(%rcx), %rsp
        leaq    SAVED_SIZE(%rsp), %rsp
        movl    $TRAP_STACK_EXHAUSTED, %eax
        jmp     vm_stop_trap

        .section .note.GNU-stack, "", @progbits
