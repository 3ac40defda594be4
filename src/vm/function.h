/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a function reference (funcref) points to: 32 bytes that generated code reads.
 *
 * Every call through an import or a table loads the function's address into rax and jumps to
 * `entry` with the arguments in place (convention.h). A reference is a pointer to this struct; null
 * is 0.
 *
 * The functions of a process's module are *implicit*: one array per program, shared by all its
 * processes, `instance` NULL, because the callee's instance is the caller's. Instances that are
 * linked to each other (the official suite, embedders) have *explicit* functions, one array per
 * instance, whose entry is a thunk that changes the instance register for the time of the call. */
#ifndef VM_FUNCTION_H
#define VM_FUNCTION_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct instance;

struct function {
    const void *entry; /* machine code, called with rax = this function */
    uint32_t type_id;  /* canonical id of its type, equal for equal types of all modules; never 0 */
    uint32_t index;    /* in its module's function index space */
    const void *target; /* host function: the C function; explicit: the real entry; else entry */
    struct instance *instance; /* explicit: the instance it belongs to; else NULL */
};

#define FUNCTION_ENTRY    0
#define FUNCTION_TYPE_ID  8
#define FUNCTION_TARGET   16
#define FUNCTION_INSTANCE 24
#define FUNCTION_SIZE     32

static_assert(offsetof(struct function, entry) == FUNCTION_ENTRY, "read by generated code");
static_assert(offsetof(struct function, type_id) == FUNCTION_TYPE_ID, "read by generated code");
static_assert(offsetof(struct function, target) == FUNCTION_TARGET, "read by generated code");
static_assert(offsetof(struct function, instance) == FUNCTION_INSTANCE, "read by generated code");
static_assert(sizeof(struct function) == FUNCTION_SIZE, "indexed by generated code");

#endif
