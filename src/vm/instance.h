/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A module instance (spec 4.2.4) as generated code sees it: the struct that the instance register
 * (r15) points to, at a fixed place of the slot's hot page; the globals follow it.
 *
 * It never moves while the instance lives. Linear memory and the native stack may. */
#ifndef VM_INSTANCE_H
#define VM_INSTANCE_H

#include "vm/fiber.h"
#include "vm/function.h"
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct program;
struct table;
struct memory;

struct instance {
    uint8_t *memory_base;   /* r14 in generated code; reloaded after every call */
    uint64_t memory_length; /* bytes, <= 4 GiB; r13 in generated code; reloaded after every call */
    uint8_t *stack_limit;   /* prologues compare rsp with it; STACK_RESERVE bytes above stack_low */
    struct fiber *fiber;    /* the line of execution that is inside this instance */
    const struct function *functions; /* the module's function index space, imports first */
    struct table **tables;            /* the table index space */
    int64_t fuel;                /* metered code: units left before the next check fails (< 0) */
    uint64_t *results;           /* results beyond the second of multi-value calls */
    uint64_t **imported_globals; /* address of each imported global's cell, by index */

    /* From here on only C looks. */
    struct memory
        *memory; /* its object, when shared with other instances or embedders; else NULL */
    struct program *program;
    uint8_t *dropped;  /* bit per data segment, then per element segment; NULL: none dropped yet */
    uint64_t progress; /* of a long bulk operation that yielded; else 0 */
    const void *resume_ip; /* while fiber_resume restores registers: where it jumps to */

    uint64_t globals[]; /* cells of the defined globals (index - imported_globals), one word each */
};

#define INSTANCE_MEMORY_BASE      0
#define INSTANCE_MEMORY_LENGTH    8
#define INSTANCE_STACK_LIMIT      16
#define INSTANCE_FIBER            24
#define INSTANCE_FUNCTIONS        32
#define INSTANCE_TABLES           40
#define INSTANCE_FUEL             48
#define INSTANCE_RESULTS          56
#define INSTANCE_IMPORTED_GLOBALS 64
#define INSTANCE_RESUME_IP        104
#define INSTANCE_GLOBALS          112

static_assert(offsetof(struct instance, memory_base) == INSTANCE_MEMORY_BASE, "generated code");
static_assert(offsetof(struct instance, memory_length) == INSTANCE_MEMORY_LENGTH, "generated code");
static_assert(offsetof(struct instance, stack_limit) == INSTANCE_STACK_LIMIT, "generated code");
static_assert(offsetof(struct instance, fiber) == INSTANCE_FIBER, "generated code");
static_assert(offsetof(struct instance, functions) == INSTANCE_FUNCTIONS, "generated code");
static_assert(offsetof(struct instance, tables) == INSTANCE_TABLES, "generated code");
static_assert(offsetof(struct instance, fuel) == INSTANCE_FUEL, "generated code");
static_assert(offsetof(struct instance, results) == INSTANCE_RESULTS, "generated code");
static_assert(offsetof(struct instance, imported_globals) == INSTANCE_IMPORTED_GLOBALS,
              "gen. code");
static_assert(offsetof(struct instance, resume_ip) == INSTANCE_RESUME_IP, "read by resume.S");
static_assert(offsetof(struct instance, globals) == INSTANCE_GLOBALS, "generated code");

/* Bytes below stack_limit that frames need not ask for: small leaf functions, the calls into stubs
 * and traps, a host call's saved arguments (<= HOST_PARAMS_MAX words), an activation marker. */
#define STACK_RESERVE   1024
#define HOST_PARAMS_MAX 16

/* A table (spec 4.2.7): generated code reads the first two fields for call_indirect and table.get.
 */
struct table {
    uint64_t
        *elements;   /* a funcref is a struct function pointer, an externref any word; null is 0 */
    uint64_t length; /* elements, < 2^32 */
    uint64_t max;
    uint8_t type;      /* VALTYPE_FUNCREF or VALTYPE_EXTERNREF */
    uint8_t is_shared; /* elements belong to the program: copied before the first change */
    uint32_t references;
};

#define TABLE_ELEMENTS 0
#define TABLE_LENGTH   8

/* Hints that the instance runs soon whose embedder's area (instance_extra, program.h) this is, or
 * was: nothing is read. Any thread. */
void instance_prefetch(const void *extra);

static_assert(offsetof(struct table, elements) == TABLE_ELEMENTS, "generated code");
static_assert(offsetof(struct table, length) == TABLE_LENGTH, "generated code");

#endif
