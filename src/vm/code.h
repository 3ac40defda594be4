/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Machine code of a module as the vm needs it, whoever made it. A compiler fills in a `struct code`
 * whose bytes lie in ordinary memory; code_publish copies them into the executable arena. The bytes
 * are position-independent as a block: [stubs, padded to CODE_PAGE][functions].
 *
 * Functions may be preempted at any instruction; stubs and thunks never. */
#ifndef VM_CODE_H
#define VM_CODE_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define CODE_PAGE 4096u

/* A stretch of code with one frame shape. */
struct code_range {
    uint32_t begin, end; /* offsets in the block */
    uint32_t entry;      /* where calls go (functions) */
    uint32_t frame_size; /* bytes between rsp after the prologue and the return address */
    uint32_t arg_bytes;  /* of stack arguments above the return address, popped by the callee */
    uint32_t function;   /* index in the function index space; CODE_NO_FUNCTION for stubs */
};
#define CODE_NO_FUNCTION UINT32_MAX

struct module;

/* A place that may appear in a backtrace: the return address of a call or of a trap. */
struct code_site {
    uint32_t pc;     /* offset in the block of the return address */
    uint32_t offset; /* of the instruction, in the module's bytes */
};

/* The stubs of one function type; equal types share them, and 0 stands for those that no function
 * of the module needs. */
struct code_thunks {
    uint32_t type_id;
    uint32_t enter; /* runs a function: see fiber_activate */
    uint32_t host;  /* entry of struct function for host functions; of the types of imports */
    uint32_t cross; /* entry of struct function for explicit functions; of the types of bodies */
};

struct code {
    uint8_t *bytes;      /* before publishing: heap, owned; after: NULL */
    size_t size;         /* of the whole block */
    uint32_t stubs_size; /* multiple of CODE_PAGE: functions begin here */

    uint32_t range_count;
    struct code_range *ranges; /* ascending, not overlapping; owned */
    uint32_t site_count;
    struct code_site *sites; /* ascending by pc; owned */
    uint32_t entry_count;
    uint32_t *entries; /* entry offset by defined function (index - imported_functions); owned */
    uint32_t type_count;
    struct code_thunks *thunks; /* by type index of the module; owned */

    const uint8_t *base; /* executable address of the block; NULL until published */
    bool is_metered;
    const struct module *module; /* whose code it is, for backtraces: set by the vm when it links */
};

/* Maps the block executable. Takes `bytes`. Any thread. Fails with ERR_NO_MEMORY or ERR_LIMIT. */
bool code_publish(struct code *c, struct error *err) MUST_USE;

/* Bytes of memory that it takes. */
size_t code_memory(const struct code *c);

/* Unmaps and frees; nothing may run in it or return into it any more. NULL is harmless. */
void code_free(struct code *c);

/* The range that holds this address, NULL if the code does not. */
const struct code_range *code_range_at(const struct code *c, const void *pc);

/* The site whose return address is `pc`, or NULL. */
const struct code_site *code_site_at(const struct code *c, const void *pc);

/* Canonical ids of function types: equal for structurally equal types, never 0 but where there are
 * TYPES_SIZE_MAX bytes of different ones already, or no memory. Any thread. */
struct functype;
#define TYPES_SIZE_MAX (256u << 20) /* in all modules that a program ever loads */
uint32_t type_intern(const struct functype *t);

#endif
