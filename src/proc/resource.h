/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a guest holds and names by number: configurations, modules, timers, errors, sockets.
 *
 * Each kind has ids of its own, from 0 up, never reused. The tables cost nothing until the first
 * use and are swept when the process ends. */
#ifndef PROC_RESOURCE_H
#define PROC_RESOURCE_H

#include "base/assert.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process;

enum resource_kind {
    RESOURCE_CONFIG,
    RESOURCE_MODULE,
    RESOURCE_TIMER,
    RESOURCE_ERROR,
    RESOURCE_DNS_ITERATOR,
    RESOURCE_TCP_LISTENER,
    RESOURCE_TCP_STREAM,
    RESOURCE_TLS_LISTENER,
    RESOURCE_TLS_STREAM,
    RESOURCE_UDP_SOCKET,
    RESOURCE_SQLITE_DB,
    RESOURCE_SQLITE_STATEMENT,
    RESOURCE_KIND_COUNT,
};

/* The first member of every object that is held so. */
struct resource {
    void (*release)(struct resource *r); /* called once, when the last reference goes; frees it */
    _Atomic uint32_t references;
    uint32_t kind; /* enum resource_kind */
};

/* One reference, the caller's. */
static inline void resource_init(struct resource *r, enum resource_kind kind,
                                 void (*release)(struct resource *))
{
    r->release = release;
    atomic_init(&r->references, 1);
    r->kind = kind;
}

static inline struct resource *resource_ref(struct resource *r)
{
    atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
    return r;
}

/* Any thread. NULL is harmless. */
static inline void resource_unref(struct resource *r)
{
    /* acquire-release: whoever releases has seen all that the other holders did */
    if (r && atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) == 1)
        r->release(r);
}

struct resources; /* the tables of one process */

/* Puts `r` into the table of its kind, taking over the caller's reference. False: no memory (a long
 * table counts against the machine's: mem_charge), or the configuration's resource_count_max is
 * reached; nothing is taken then. Owning task only, as all here. */
bool resource_add(struct process *p, struct resource *r, uint64_t *id) MUST_USE;

/* The object, borrowed; NULL: no such id. */
struct resource *resource_get(const struct process *p, enum resource_kind kind, uint64_t id);

/* Takes it out of the table: the reference is the caller's; NULL: no such id. */
struct resource *resource_take(struct process *p, enum resource_kind kind, uint64_t id) MUST_USE;

/* Puts `r` in the place of the object with that id, taking over one reference to it and dropping
 * the table's to the old one. False: no such id; nothing is taken then. */
bool resource_replace(struct process *p, enum resource_kind kind, uint64_t id, struct resource *r)
    MUST_USE;

/* Objects in the table of a kind, and in all tables. */
uint64_t resource_count(const struct process *p, enum resource_kind kind);

/* The next object of a kind whose id is at least `*id`, which is set to it; NULL: none. */
struct resource *resource_next(const struct process *p, enum resource_kind kind, uint64_t *id);

/* Drops the objects of a kind that are over (fired timers), if their number has doubled since it
 * was last done or is `count_max`: a bounded cost per object ever added. */
void resource_expire(struct process *p, enum resource_kind kind, uint64_t count_max,
                     bool (*is_over)(const struct resource *r));

/* Drops what there is, by kind and id, at most `count` of them. False: there are more. Part of the
 * end of a process: no other function here may follow. */
bool resources_sweep(struct process *p, size_t count) MUST_USE;

#endif
