/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Running a fiber until it stops, and the entries that generated code leaves by (convention.h).
 * Implemented in x86_64/resume.S. Most callers want vm_run (worker.h), which also serves
 * preemption. */
#ifndef VM_RESUME_H
#define VM_RESUME_H

#include "vm/fiber.h"
#include <stdint.h>

/* Registers of generated code that was stopped in the middle of a function. resume.S and preempt.c
 * know the layout. */
struct registers {
    uint64_t flags;
    uint64_t gpr[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15: the order of the encoding */
    uint64_t xmm[16][2];
    struct registers *next; /* in a pool of free ones */
};

#define REGISTERS_GPR 8
#define REGISTERS_XMM 136

static_assert(offsetof(struct registers, gpr) == REGISTERS_GPR, "read by resume.S");
static_assert(offsetof(struct registers, xmm) == REGISTERS_XMM, "read by resume.S");

/* Runs `f` on its own stack from guest_ip, or from `preempted` (which it sets to NULL first; the
 * caller frees the registers after the return), and clears *f->tick. Returns an enum stop.
 * `f->host_sp` is the caller's stack pointer, a multiple of 16, while it runs. */
uint32_t fiber_resume(struct fiber *f);

/* Where the preemption handler sends the processor, with rcx = the fiber (see preempt.c). */
extern const char vm_exit_preempted[];

/* What the entries of vm_exits are. */
extern const char vm_stop_returned[], vm_stop_trap[], vm_stop_outcome[], vm_stop_tick[],
    vm_stop_fuel[], vm_grow_stack[];

/* The guest_ip of a fiber stopped by vm_stop_fuel: the registers are on its stack, above guest_sp,
 * and above those (SAVED_SIZE bytes) the return address of the check. */
extern const char vm_fuel_continue[];
#define SAVED_SIZE 384 /* bytes that vm_stop_fuel and vm_grow_stack save on the guest's stack */

/* Called by vm_grow_stack on the worker's stack, with f->guest_sp set. Gives the new guest_sp
 * (everything above has been copied), or NULL: exhausted. */
uint8_t *fiber_grow_stack(struct fiber *f, struct instance *i, uint64_t wanted);

#endif
