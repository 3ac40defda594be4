/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Native stacks of fibers. A stack begins in its slot and moves alone to larger blocks when a
 * prologue finds no room. Nothing on it knows its address. */
#ifndef VM_STACK_H
#define VM_STACK_H

#include "vm/fiber.h"
#include "vm/region.h"

/* Moves the stack of `f`, stopped or in a call of vm_grow_stack, to a block with `room` bytes below
 * guest_sp. False: stack_max forbids it, or there is no memory; nothing has changed. */
bool stack_grow(struct fiber *f, uint64_t room) MUST_USE;

/* Moves the stack to another block, of at least its size and with `room` bytes below guest_sp, for
 * the stress mode. Does nothing if that fails or the fiber is preempted. */
void stack_move(struct fiber *f, uint64_t room);

/* Gives the block back, if the stack has left its slot. */
void stack_release(struct fiber *f);

#endif
