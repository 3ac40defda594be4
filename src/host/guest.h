/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A guest: a process whose body is an instance. Every host function receives one.
 *
 * It lives in the embedder's area of the instance's slot, so that a spawn allocates nothing. Host
 * functions read and write the guest's memory only through the functions below; what they get from
 * them is borrowed until they return, or until the guest runs, whichever is first. */
#ifndef HOST_GUEST_H
#define HOST_GUEST_H

#include "host/host.h"
#include "proc/environment.h"
#include "proc/process.h"
#include "vm/instance.h"
#include "vm/outcome.h"
#include <string.h>

struct net_names;   /* net/names.h */
struct net_sent;    /* net/attachment.c */
struct guest_start; /* guest.c: what waits for the start function to end */
struct wasi;        /* wasi/: its files */

/* Kinds of waits of host functions, beside those of proc/wait.h. */
enum guest_wait {
    WAIT_JOB = WAIT_OTHER, /* an offload job: `object` */
    WAIT_COMPILED,         /* a variant of a module that is being compiled: `object` */
    WAIT_COPY,             /* its turn to copy the rest of much data: `value` bytes are done */
    /* wasi/ has its own from WAIT_OTHER + 32 on */
};

struct guest {
    struct process *process;
    struct instance *instance;
    struct message *message; /* the current message; owned; NULL: none */
    struct host *host;
    struct host_module *module; /* the one it runs; one reference */
    struct wasi *wasi;          /* its files: wasi/wasi.h; NULL until it uses them; owned */
    struct net_names *names;    /* that it has looked up; NULL until then; owned */
    struct net_sent *sent;      /* what it has put into messages; NULL until then; one reference */
    struct guest_start *start;  /* NULL: the entry function has been entered */
    struct bytes *claim;        /* the name in the registry that it is spawning, or NULL; owned */
    const char *trap_function;  /* the C function whose trap is in fiber->trap_text */
    uint64_t fuel_used;         /* units of 100,000 instructions; metered code only */
    struct wait kept_wait;      /* of a host call that is being suspended or goes on; see guest.c */
};

/* Ends the host function that calls it with a trap; the report names the function and the `words`,
 * which must be static. */
#define guest_trap(g, words) guest_trap_in((g), __func__, (words))
struct outcome guest_trap_in(struct guest *g, const char *function, const char *words);

/* The same for a pointer that leaves the guest's memory, and for text that guest_string refuses. */
#define guest_trap_range(g)  guest_trap_range_in((g), __func__)
#define guest_trap_string(g) guest_trap_string_in((g), __func__)
#define guest_trap_range_in(g, function)                                                           \
    guest_trap_in((g), (function), "a pointer leaves the memory")
#define guest_trap_string_in(g, function)                                                          \
    guest_trap_in((g), (function), "a string leaves the memory, is not UTF-8, or exceeds 16 MiB")

/* `size` bytes at `ptr` of the guest's memory. False: they are not all inside. An empty range must
 * still begin inside or at the end. */
static inline bool guest_bytes(const struct guest *g, uint32_t ptr, uint64_t size, uint8_t **out)
{
    const struct instance *i = g->instance;

    if (UNLIKELY(ptr > i->memory_length || size > i->memory_length - ptr))
        return false;
    *out = i->memory_base + ptr;
    return true;
}

#define GUEST_STRING_MAX (16u << 20) /* bytes of text that a host function looks through */

/* The same as a slice, and as one that must be UTF-8 and at most GUEST_STRING_MAX bytes long. */
static inline bool guest_slice(const struct guest *g, uint32_t ptr, uint32_t size,
                               struct slice *out)
{
    uint8_t *data;

    if (!guest_bytes(g, ptr, size, &data))
        return false;
    *out = slice_make(data, size);
    return true;
}
static inline bool guest_string(const struct guest *g, uint32_t ptr, uint32_t size,
                                struct slice *out)
{
    return guest_slice(g, ptr, size, out) && size <= GUEST_STRING_MAX && slice_is_utf8(*out);
}

/* An array of `count` elements of `size` bytes each; it may be unaligned: read it with memcpy. */
static inline bool guest_array(const struct guest *g, uint32_t ptr, uint32_t count, uint32_t size,
                               uint8_t **out)
{
    return guest_bytes(g, ptr, (uint64_t)count * size, out);
}

/* Little-endian numbers, unaligned. False: outside the memory. */
static inline bool guest_write_u32(struct guest *g, uint32_t ptr, uint32_t value)
{
    uint8_t *data;

    if (!guest_bytes(g, ptr, sizeof(value), &data))
        return false;
    memcpy(data, &value, sizeof(value));
    return true;
}
static inline bool guest_write_u64(struct guest *g, uint32_t ptr, uint64_t value)
{
    uint8_t *data;

    if (!guest_bytes(g, ptr, sizeof(value), &data))
        return false;
    memcpy(data, &value, sizeof(value));
    return true;
}
static inline bool guest_read_u32(const struct guest *g, uint32_t ptr, uint32_t *value)
{
    uint8_t *data;

    if (!guest_bytes(g, ptr, sizeof(*value), &data))
        return false;
    memcpy(value, data, sizeof(*value));
    return true;
}
static inline bool guest_read_u64(const struct guest *g, uint32_t ptr, uint64_t *value)
{
    uint8_t *data;

    if (!guest_bytes(g, ptr, sizeof(*value), &data))
        return false;
    memcpy(value, data, sizeof(*value));
    return true;
}

/* Whether [ptr, ptr + size) is inside: for results that are written after the effect. */
static inline bool guest_range(const struct guest *g, uint32_t ptr, uint64_t size)
{
    uint8_t *data;

    return guest_bytes(g, ptr, size, &data);
}

/* What a host function returns to be called again: when woken (it has begun a wait), or soon. */
static inline struct outcome guest_park(void)
{
    return (struct outcome){0, OUTCOME_PARK};
}
static inline struct outcome guest_yield(void)
{
    return (struct outcome){0, OUTCOME_YIELD};
}

/* Ends the process from inside a host function: proc_exit. */
static inline struct outcome guest_exit(uint32_t status)
{
    return (struct outcome){status, OUTCOME_EXIT};
}

/* Counts something that this guest has done. On its worker, or another thread while it does not
 * run.
 */
static inline void guest_count(const struct guest *g, uint32_t kind, uint64_t n)
{
    counts_add(&g->host->counts, actors_worker(g->process->environment->actors), kind, n);
}

/* Counts an error that a function of `module` (enum abi_module) has told the guest of. */
static inline void guest_count_error(const struct guest *g, uint32_t module)
{
    guest_count(g, (uint32_t)COUNT_ERRORS + module, 1);
}

/* The wait of this process: kind WAIT_NONE says that this is the first call of a host function. */
static inline struct wait *guest_wait(struct guest *g)
{
    return &g->process->wait;
}

/* `timeout_ms` from now as a deadline of the scheduler's clock; LUN_FOREVER: none. */
uint64_t guest_deadline_ms(const struct guest *g, uint64_t timeout_ms);

/* Stores words as an error of the process and returns its id in `*id`. False: no memory. */
bool guest_add_error(struct guest *g, const char *text, uint64_t *id) MUST_USE;

/* The words of an error id, or NULL. */
const char *guest_error_text(const struct guest *g, uint64_t id, size_t *size);

/* The worker that runs the calling host function. */
struct worker *guest_worker(const struct guest *g);

/* Submits a job whose end wakes this process, and begins a WAIT_JOB for it: return guest_park()
 * and, when called again, ask guest_job_finished. Death of the process detaches it. */
struct offload_job;
void guest_submit(struct guest *g, struct offload_job *job);
static inline bool guest_waits_for_job(struct guest *g)
{
    return guest_wait(g)->kind == WAIT_JOB;
}
/* The finished job, whose wait is over: the caller's again. NULL: not yet, park again. */
struct offload_job *guest_job_finished(struct guest *g);

#endif
