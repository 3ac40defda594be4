/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of host/ share only with each other. */
#ifndef HOST_INTERNAL_H
#define HOST_INTERNAL_H

#include "abi/values.h"
#include "base/log.h"
#include "host/guest.h"
#include "host/prototypes.h"

#define STATUS_TRAP                                                                                \
    134 /* exit status of a main process that trapped: what SIGABRT gives a shell                  \
         */

#define ENTRY_PARAMS_MAX FUNCTION_PARAMS_MAX

/* Arguments of an entry function. */
struct guest_args {
    uint32_t count;
    const uint8_t *types;   /* enum valtype */
    const uint64_t *values; /* i32 zero-extended */
};

/* What a child answers its parent about its start function. */
enum { GUEST_START_DONE = 1, GUEST_START_TRAPPED = 2 /* + enum trap */ };

extern const struct process_class guest_class;

/* guest.c: an instance with a guest in it, which has no process yet. Fails with ERR_LIMIT,
 * ERR_NO_MEMORY. */
bool guest_new(struct host *h, struct vm_worker *w, struct host_module *m, struct program *program,
               const struct config *c, struct guest **out, struct error *err) MUST_USE;
void guest_free(struct guest *g, struct vm_worker *w);

/* Has it run its start function, if it has one, then the export `name`; a wrong name or type makes
 * it fail when it first runs. True: there is a start function, of which `parent` (0: nobody) is
 * told by process_answer(child's id) how it ended, enum above. */
bool guest_enter(struct guest *g, struct slice name, const struct guest_args *args,
                 uint64_t parent);

/* spawn.c: gives up the name that the guest is spawning. */
void guest_release_claim(struct guest *g);

/* report.c: log lines. `words` NULL: of the trap in the fiber. */
void report_failure(struct guest *g, const char *words);
void report_trap(struct guest *g, enum log_level level);
void report_exit(struct guest *g, uint32_t status);

/* table.c: "lunatic::message::send" for the C function's name "host_message_send"; NULL: none. */
const char *host_function_name(const char *c_name, char *text, size_t size);

/* The import module of the C function; ABI_MODULE_COUNT: it is none of a row, or NULL. */
uint32_t host_function_module(const char *c_name);

/* The caller's configuration of that id, or NULL. */
static inline struct config *guest_config(const struct guest *g, uint64_t id)
{
    return (struct config *)resource_get(g->process, RESOURCE_CONFIG, id);
}

/* The same for changing it: a copy of its own if it is shared. NULL: no such id, or no memory. */
struct config *guest_config_own(struct guest *g, uint64_t id);

/* The caller's configuration of that id (which must exist), cut down to what the caller has, for a
 * spawn. NULL: no memory, or a limit; `err` says so. */
struct config *guest_config_granted(struct guest *g, uint64_t id, struct error *err);

/* A job that compiles a variant of a module for a spawn. */
struct offload_job *variant_job(struct host_module *m, enum host_variant v);
/* Frees the finished job. False: it failed, `err` says how. */
bool variant_job_end(struct offload_job *job, struct error *err);

#endif
