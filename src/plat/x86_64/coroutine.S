/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Switching between C stacks: see plat/posix/coroutine.c. */

        .text
        .p2align 4

/* void coroutine_switch(void **from, void *to): keeps what the C convention preserves on the stack, stores
 * its pointer to *from, and goes on where `to` was stored. */
        .globl  coroutine_switch
        .hidden coroutine_switch
        .type   coroutine_switch, @function
coroutine_switch:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .size   coroutine_switch, . - coroutine_switch

/* Where a new stack begins: rbx(r12), which never returns. */
        .globl  coroutine_first
        .hidden coroutine_first
        .type   coroutine_first, @function
coroutine_first:
        .cfi_startproc
        .cfi_undefined rip
        movq    %r12, %rdi
        call    *%rbx
        ud2
        .cfi_endproc
        .size   coroutine_first, . - coroutine_first

        .section .note.GNU-stack, "", @progbits
