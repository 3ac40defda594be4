/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A C function on a stack of its own, which can be left in its middle and gone on with later, on
 * any thread: for libraries that call back when they are about to block.
 *
 * What runs on it must not hold a lock that belongs to a thread, nor keep the address of a
 * thread-local variable, while it is left. */
#ifndef PLAT_COROUTINE_H
#define PLAT_COROUTINE_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>

struct coroutine;

/* One with `stack_size` bytes of stack (a multiple of the page; only what is touched takes memory)
 * and an inaccessible page below it. NULL: no memory. */
struct coroutine *coroutine_new(size_t stack_size) MUST_USE;

/* It is not inside of a function. NULL is harmless. */
void coroutine_free(struct coroutine *c);

/* Has `run(arg)` called by the next coroutine_resume. It is not inside of another function. */
void coroutine_start(struct coroutine *c, void (*run)(void *arg), void *arg);

/* Runs it until the function returns (true) or leaves (false). One thread at a time. */
bool coroutine_resume(struct coroutine *c) MUST_USE;

/* Inside of the function: lets coroutine_resume return. Returns when the next one is called, maybe
 * on another thread. */
void coroutine_leave(struct coroutine *c);

/* Inside of the function: bytes of stack that are left below here. */
size_t coroutine_stack_left(const struct coroutine *c);

#endif
