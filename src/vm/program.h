/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A program: a module with its code, its imports resolved, and everything laid out that all its
 * instances have in common: function array, tables, initial globals, memory image. Immutable,
 * shared.
 *
 * Instances of programs are processes' bodies: each lives in one slot of virtual memory and is made
 * and reset at the cost of copying what it touches. */
#ifndef VM_PROGRAM_H
#define VM_PROGRAM_H

#include "base/bytes.h"
#include "base/error.h"
#include "vm/function.h"
#include "vm/instance.h"
#include "wasm/module.h"

struct program;
struct code;
struct vm_worker;

/* What an import is bound to: a C function that returns struct outcome and takes (void *guest, the
 * parameters: i32 as uint32_t, i64 as uint64_t, f32, f64, references as uint64_t). */
struct host_import {
    const void *function; /* never NULL when found */
};

/* Finds the import of that module, name and type. False: there is none; then `hint` (size bytes,
 * empty before) may be filled with what the user should do ("did you mean ..."). */
typedef bool import_resolver(void *context, struct slice module, struct slice name,
                             const struct functype *type, struct host_import *out, char *hint,
                             size_t hint_size);

struct program_options {
    import_resolver *resolve; /* may be NULL: no imports are provided */
    void *resolve_context;
    size_t extra_size;    /* bytes of the embedder's area in each instance: instance_extra */
    bool takes_ownership; /* program_unref frees module and code with the program */
};

/* Links. All imports that cannot be resolved are reported in one error (ERR_UNLINKABLE), a line
 * each: module, name, signature, hint; the full list is appended to `report` (may be NULL), of
 * which `err` holds what fits. Fails with ERR_TRAP if an active segment lies outside its table or
 * memory (spec 4.5.4), with ERR_LIMIT for too large tables and memories. The result has one
 * reference. Any thread. */
bool program_new(const struct module *m, struct code *code, const struct program_options *options,
                 struct program **out, struct bytes *report, struct error *err) MUST_USE;
struct program *program_ref(struct program *p);
void program_unref(struct program *p); /* frees with the last reference; NULL is harmless */

const struct module *program_module(const struct program *p);
const struct code *program_code(const struct program *p);

/* The exported function of that name, or NULL. */
const struct function *program_export(const struct program *p, struct slice name);

/* By index in the function index space. The start function, or NULL. */
const struct function *program_function(const struct program *p, uint32_t index);
const struct function *program_start(const struct program *p);

/* The type of a function of the program. */
const struct functype *program_function_type(const struct program *p, const struct function *f);

struct instance_limits {
    uint64_t memory_max; /* bytes of linear memory; 0: no limit but the module's and the
                            specification's */
    uint64_t table_max;  /* elements of a table; 0: TABLE_ELEMENTS_MAX */
    uint32_t stack_max;  /* bytes of native stack; 0: STACK_SIZE_DEFAULT */
};
#define STACK_SIZE_DEFAULT (4u << 20)

/* Why instance_new failed, in one word more than NULL. */
enum instance_failure {
    INSTANCE_OK,
    INSTANCE_NO_MEMORY,  /* the kernel, the cgroup or our accounting refuses another slot */
    INSTANCE_OVER_LIMIT, /* the module's memory or table is larger than `limits` allows */
};

/* A new instance in a slot of the worker, with segments in place and nothing run yet: the caller
 * activates the start function (if any) and then its entry. Zeroed: fiber, globals' and extra area.
 * The instance holds a reference to the program. NULL: see `*why`. Owner of `w`. */
struct instance *instance_new(struct program *p, struct vm_worker *w,
                              const struct instance_limits *limits, enum instance_failure *why);

/* Gives back some of the memory of an instance that will not run any more; true: little is left for
 * instance_free. */
#define MEMORY_FREE_PIECE ((uint64_t)4 << 20) /* bytes that are given back without a pause */
bool instance_free_some(struct instance *i);

/* Ends it wherever it stopped; its memory is wiped before anyone else sees it. The worker need not
 * be the one that made it. */
void instance_free(struct instance *i, struct vm_worker *w);

/* The embedder's area: extra_size bytes, 16-aligned, zeroed at birth. And back from the area. */
void *instance_extra(struct instance *i);

/* An exported memory, table or global of an instance; NULL: none of that name. */
uint64_t *instance_export_global(struct instance *i, struct slice name, uint8_t *type);

/* Bytes of address space and pages of memory in use by slots, live and retained: for statistics. */
struct vm_usage {
    uint64_t slots_live, slots_retained;
    uint64_t memory_limit; /* what our accounting allows, bytes */
};
void vm_usage_get(struct vm_usage *out);

#endif
