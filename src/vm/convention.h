/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The calling convention of generated code on x86-64, in one place. Stubs of baseline/, resume.S
 * and (later) the optimising compiler keep to it.
 *
 *   r15   the instance; pinned, restored by whoever changes it
 *   r14   instance->memory_base, r13 instance->memory_length: the caller reloads them after calls
 *   rsp   the guest's native stack; no red zone, no frame pointer; frames of fixed size
 *   all other registers are the callee's to use
 *
 * Parameters, left to right: integers and references in rdi, rsi, rdx, rcx, r8, r9, rbx, rbp (rax
 * carries the struct function of an indirect call); floats in xmm0 to xmm7; the rest on the stack,
 * 8 bytes each, the first of them at the lowest address ([rsp+8] at the callee's first
 * instruction), popped by the callee (ret n).
 *
 * Results: the first in rax or xmm0, the second in rdx or xmm1 (each by its own type); the k-th
 * beyond (k = 0 is the third) in instance->results[k].
 *
 * i32 values are zero-extended to 64 bits in registers and stack words, at calls and returns too;
 * the thunks "enter" and "host" see to it for what C hands over. f32: the low 32 bits.
 *
 * rsp at a callee's first instruction: 8 mod 16 is NOT guaranteed; generated code needs no
 * alignment, and the switch to the worker's stack aligns that one.
 *
 * Entry ("enter" thunk of a type): jumped to by fiber_resume with rsp at an activation record
 *     [rsp + 0]  the function's struct function pointer
 *     [rsp + 8]  values, 8 bytes each: parameters on entry, results on return; room for the more
 * It loads the parameters, calls the function through its entry, stores the results in the same
 * words and jumps to vm_stop_returned with rsp at the record again.
 *
 * Host thunk: called with rax = struct function. Stores its arguments on the guest's stack, then
 * (label "again") loads from there rdi = fiber->guest and the arguments for the C convention,
 * switches to fiber->host_sp (a multiple of 16), calls function->target, and takes rsp back from
 * fiber->guest_sp, where it had stored it before the call (a builtin may have moved the stack).
 * OUTCOME_DONE: result to rax/xmm0, r13/r14 are the caller's business; if *fiber->tick is not 0,
 * stops with vm_stop_tick (going on just behind, with the result kept). OUTCOME_TRAP: to
 * vm_stop_trap with trap_pc the thunk's own return address. Any other: fiber->outcome is stored,
 * guest_ip is "again", vm_stop_outcome.
 *
 * Builtins (memory.grow, table.*, memory.copy ...) work like host functions with a C function from
 * vm_builtins[] whose first argument is the instance.
 *
 * Cross thunk (explicit functions): called with rax = struct function; r15 is function->instance
 * for the time of the call. It copies fiber, stack_limit and fuel from the caller's instance to the
 * callee's before the call, and stack_limit and fuel back after it (the stack may have moved).
 * Results beyond the second are copied from the callee's area to the caller's.
 *
 * Exits of resume.S, jumped to from generated code with r15 the instance, rsp the guest's:
 *   vm_stop_returned   STOP_RETURNED
 *   vm_stop_trap       eax = enum trap, top of the stack: the return address of the site (popped)
 *   vm_stop_outcome    rax = guest_ip to go on at; fiber->outcome has been stored
 *   vm_stop_tick       rax = guest_ip to go on at
 *   vm_stop_fuel       called (return address on the stack: goes on there) behind the prologue,
 *                      where the frame is complete; all registers but the flags are kept
 *   vm_grow_stack      called from a prologue before anything else, rax = bytes the frame wants
 * below rsp at function entry: all registers kept; returns with rsp on a larger stack, or traps
 * with STACK_EXHAUSTED
 *
 * Their addresses are in vm_exits (struct vm_exits below); stubs hold them as constants. */
#ifndef VM_CONVENTION_H
#define VM_CONVENTION_H

#include "vm/outcome.h"

struct instance;

struct vm_exits {
    const void *stop_returned, *stop_trap, *stop_outcome, *stop_tick, *stop_fuel, *grow_stack;
};
extern const struct vm_exits vm_exits;

/* Builtins, by number. All arguments and results are 64-bit words; an i32 has its upper half
 * cleared by the generated code. Each returns an outcome and may yield (and is then called again).
 *
 *   MEMORY_GROW(pages) -> old pages or 0xffffffff        MEMORY_FILL(dest, value, count)
 *   MEMORY_COPY(dest, source, count)                     MEMORY_INIT(dest, source, count, segment)
 *   DATA_DROP(segment)                                   ELEM_DROP(segment)
 *   TABLE_GET(index, table) -> ref (out of line form)    TABLE_SET(index, ref, table)
 *   TABLE_GROW(ref, count, table) -> old or 0xffffffff   TABLE_FILL(index, ref, count, table)
 *   TABLE_COPY(dest, source, count, dest_table, source_table)
 *   TABLE_INIT(dest, source, count, segment, table) */
enum builtin {
    BUILTIN_MEMORY_GROW,
    BUILTIN_MEMORY_FILL,
    BUILTIN_MEMORY_COPY,
    BUILTIN_MEMORY_INIT,
    BUILTIN_DATA_DROP,
    BUILTIN_ELEM_DROP,
    BUILTIN_TABLE_GET,
    BUILTIN_TABLE_SET,
    BUILTIN_TABLE_GROW,
    BUILTIN_TABLE_FILL,
    BUILTIN_TABLE_COPY,
    BUILTIN_TABLE_INIT,
    BUILTIN_COUNT
};

typedef struct outcome builtin_fn(struct instance *i, uint64_t a, uint64_t b, uint64_t c,
                                  uint64_t d, uint64_t e);
extern builtin_fn *const vm_builtins[BUILTIN_COUNT];

#endif
