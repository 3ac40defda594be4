/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Where a stopped fiber is: its WebAssembly frames, innermost first. */
#ifndef VM_BACKTRACE_H
#define VM_BACKTRACE_H

#include "base/bytes.h"
#include "vm/fiber.h"

struct module;

struct frame {
    const struct module *module; /* NULL if the code belongs to nobody we know */
    uint32_t function;           /* index in its function index space */
    uint32_t offset;             /* of the instruction in the module's bytes; 0: not known */
};

#define BACKTRACE_FRAMES_MAX 64u

/* Stores up to `room` frames of a fiber that stopped with STOP_TRAPPED, STOP_OUTCOME, STOP_TICK or
 * STOP_FUEL, activations below the innermost included. Returns how many frames there are in all. */
size_t fiber_frames(const struct fiber *f, struct frame *frames, size_t room);

/* Stores the innermost frames only, at most `room`, of a fiber however it stopped (of a preempted
 * one just the function it is in). Returns how many; its cost does not grow with the depth. */
size_t fiber_innermost(const struct fiber *f, struct frame *frames, size_t room);

/* Appends the frames as text, a line each: "   2: name (func 17) at 0x1a2b". A function that calls
 * itself for long is folded, and what exceeds BACKTRACE_FRAMES_MAX becomes "... N more frames".
 * Names are made printable. False: no memory. */
bool backtrace_print(const struct fiber *f, struct bytes *out) MUST_USE;

#endif
