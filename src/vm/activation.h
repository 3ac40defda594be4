/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Activations: calls of guest functions by C. They nest: a host function that returned OUTCOME_CALL
 * has its guest function run as an activation on top, and is called again when that ends.
 *
 * What to do after vm_run says
 *   STOP_RETURNED   fiber_return: true, it goes on with the suspended host call (run it again);
 * false, the outermost function has returned, its results are in `results` STOP_TRAPPED
 * fiber_catch: true, some trap::catch took it (run it again); false, the guest ends STOP_OUTCOME by
 * fiber->outcome.kind: YIELD and PARK: run again later; CALL: fiber_call, then run again; EXIT: the
 * guest ends STOP_PREEMPTED, STOP_TICK   run again later STOP_FUEL       add to instance->fuel and
 * run again, or the guest ends
 *
 * All functions here: owner of the fiber, while it is stopped. */
#ifndef VM_ACTIVATION_H
#define VM_ACTIVATION_H

#include "vm/fiber.h"
#include "vm/function.h"
#include "vm/trap.h"
#include <stddef.h>

#define ACTIVATIONS_MAX 1000u /* nested in each other */

/* Prepares `f` to run `function` with `count` arguments (8 bytes each, exactly as many as its type
 * has parameters) in f->instance, on top of whatever is suspended. TRAP_NONE; TRAP_STACK_EXHAUSTED
 * if there is no room or the nesting is too deep; TRAP_INDIRECT_CALL_TYPE_MISMATCH if the count is
 * wrong or the instance's code has no stub for the type. */
enum trap fiber_activate(struct fiber *f, const struct function *function, const uint64_t *args,
                         uint32_t count, bool catches);

/* The same for what OUTCOME_CALL asked for in f->call. If it fails, the call ends as if it had
 * trapped so at once, and fiber_catch tells how to go on; the result is fiber_catch's. */
bool fiber_call(struct fiber *f, void (*crossed)(void *context), void *context);

/* After STOP_RETURNED. Ends the innermost activation. If it was a call by a host function: sets
 * f->answer and returns true. Else stores the first `room` results to `results` and returns false.
 */
bool fiber_return(struct fiber *f, uint64_t *results, size_t room);

/* After STOP_TRAPPED, or to end a guest's call with a trap of our own (set f->trap_kind): unwinds
 * to the innermost activation that catches, and sets f->answer: true. False: none does; nothing was
 * changed, a backtrace can still be taken. `crossed` (may be NULL) is called once for each
 * suspended host call that is unwound and will never be called again (its wait must be cancelled),
 * innermost first. */
bool fiber_catch(struct fiber *f, void (*crossed)(void *context), void *context);

/* `size` bytes (<= 128, multiple of 8) that the embedder wants to keep with each suspended host
 * call, such as what it waited for: copied from `state` when fiber_call suspends it and back when
 * the call goes on (or just before `crossed`). Set once after instance_new. */
void fiber_set_state(struct fiber *f, void *state, size_t size);

/* How many host calls are suspended. */
static inline uint32_t fiber_depth(const struct fiber *f)
{
    return f->activation_depth;
}

#endif
