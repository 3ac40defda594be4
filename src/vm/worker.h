/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the vm keeps per worker thread: the fiber that runs, registers for preemption, and slots at
 * hand for the next processes. A test or an embedder without scheduler makes one for its thread. */
#ifndef VM_WORKER_H
#define VM_WORKER_H

#include "base/error.h"
#include "vm/fiber.h"
#include <stdint.h>

struct slot_cache; /* vm/slot.h */

struct vm_worker {
    struct fiber *volatile current;   /* runs right now; NULL between two vm_run */
    struct registers *volatile spare; /* for the next preemption; not NULL while `current` runs */
    struct registers *free_registers;
    volatile uint32_t tick; /* set by the preemption handler when it hit C code */
    uint32_t index;         /* names the worker: 0, 1, ... */
    struct slot_cache *slots;
};

/* `index` must differ among the workers alive at a time. Aborts when there is no memory. */
void vm_worker_init(struct vm_worker *w, uint32_t index);
void vm_worker_deinit(struct vm_worker *w);

/* Runs `f` until it stops, on the calling thread, which owns `w`. The fiber must be runnable: see
 * activation.h for what to do with each answer. */
enum stop vm_run(struct vm_worker *w, struct fiber *f);

/* From now on instances of programs with large images get the pages of it only as they touch them,
 * where the host can do that (vmem.h): threads that run guests must have alternate signal stacks,
 * and system calls must not be given guest memory that nobody has touched. Startup only. */
void vm_make_lazy(void);

/* Stress mode of tests: every stack move that could happen happens. Startup only. */
void vm_set_move_stacks(bool on);

#endif
