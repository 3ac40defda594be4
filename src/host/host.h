/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What all guests of a runtime share, and the modules they run.
 *
 * Composition: runtime/ fills in a struct host, gives each scheduler worker a vm worker as its
 * context, and spawns main processes with host_spawn. */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/bytes.h"
#include "base/error.h"
#include "host/host_counts.h"
#include "plat/thread.h"
#include "proc/config.h"
#include "proc/resource.h"
#include "sched/counts.h"
#include "vm/worker.h"
#include "wasm/module.h"
#include <stdbool.h>
#include <stdint.h>

struct environment;
struct dns;
struct metric_table;
struct net;
struct program;
struct code;
struct wasi_shared;
struct scheduler;
struct tls;
struct tls_clients;
struct worker;

struct host {
    struct scheduler *scheduler;
    bool metered;                    /* all code counts fuel */
    bool exact;                      /* bounds checks are not widened */
    unsigned compile_threads;        /* for one module; 0: one */
    uint32_t stack_max;              /* bytes of native stack per guest; 0: the vm's default */
    uint32_t process_count_max;      /* per environment; 0: proc's default */
    struct wasi_shared *wasi;        /* wasi/wasi.h */
    struct net *net;                 /* net/net.h */
    struct dns *dns;                 /* net/dns.h */
    struct tls *tls;                 /* net/tls.h */
    struct tls_clients *tls_clients; /* net/tls_clients.h */
    /* The main process of an environment failed, and why, in one line; NULL: nobody wants to know.
     * On the worker that ran it. */
    void (*main_failed)(struct environment *e, const char *words);
    struct metric_table *metrics; /* of guests: metric_table.h */
    struct counts counts;         /* of enum host_count */
    struct mutex lock;
    struct vm_worker outside FIELD_GUARDED_BY(lock); /* for threads that are no workers */
};

/* The variants of code. */
enum host_variant { VARIANT_PLAIN, VARIANT_METERED, VARIANT_COUNT };

/* A module with its programs, one per variant, each compiled when first needed. Shared: held by
 * processes, by their tables and by messages. */
struct host_module {
    struct resource resource; /* RESOURCE_MODULE */
    struct host *host;
    struct module *module;
    struct mutex lock;
    struct {
        struct code *code;
        struct program *_Atomic program; /* NULL: not compiled yet */
    } variants[VARIANT_COUNT];
    uint64_t cluster_id; /* what lunatic::distributed::module_id says: 0 */
    uint64_t charged; /* for bytes, tables and code, as memory (base/mem.h); guarded by the lock */
};

/* Decodes, validates, compiles (in the variant that the host uses by default) and links. Takes
 * `bytes` whatever happens. What it takes is charged as memory: ERR_NO_MEMORY if there is none.
 * Missing imports are all listed in `report` (may be NULL). One reference, the caller's. Any
 * thread; takes its time. */
bool host_module_new(struct host *h, struct bytes *bytes, struct host_module **out,
                     struct bytes *report, struct error *err) MUST_USE;

static inline void host_module_unref(struct host_module *m)
{
    if (m)
        resource_unref(&m->resource);
}
static inline struct host_module *host_module_ref(struct host_module *m)
{
    resource_ref(&m->resource);
    return m;
}

/* The variant that a process with this configuration runs. */
enum host_variant host_module_variant(const struct host_module *m, const struct config *c);

/* Compiles a variant, if that has not been done. Any thread; takes its time. */
bool host_module_compile(struct host_module *m, enum host_variant v, struct program **out,
                         struct error *err) MUST_USE;

/* Spawns a process from outside: the main process of an environment. It runs the export `entry`,
 * which takes nothing. The variant it needs is compiled here if need be. On success `*id` is the
 * process's. Not on a worker. */
bool host_spawn(struct host *h, struct environment *e, struct host_module *m, struct config *config,
                struct slice entry, uint64_t *id, struct error *err) MUST_USE;

void host_init(struct host *h, struct scheduler *s, uint32_t outside_index);
void host_deinit(struct host *h);

/* Seconds up to which class `index` < COMPILE_CLASSES - 1 of compilations goes; the last one has
 * the rest. */
double host_compile_bound(uint32_t index);

/* Finds host functions for the linker: vm/program.h. */
struct host_import;
bool host_resolve(void *context, struct slice module, struct slice name,
                  const struct functype *type, struct host_import *out, char *hint,
                  size_t hint_size);

#endif
