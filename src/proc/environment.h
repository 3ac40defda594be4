/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A world of processes: they find, link and kill only each other.
 *
 * The control blocks are one array in one stretch of address space, found by the lower half of a
 * process id without a lock. A block is used again with a higher generation, so an id never comes
 * back; a block whose generations are used up is retired. The first process is the main process, id
 * 1: when it ends, so does the environment, and the others are discarded without a word. */
#ifndef PROC_ENVIRONMENT_H
#define PROC_ENVIRONMENT_H

#include "base/error.h"
#include "base/list.h"
#include "plat/thread.h"
#include "proc/actors.h"
#include "proc/output.h"
#include "proc/process.h"
#include "proc/registry.h"
#include <stdatomic.h>
#include <stdint.h>

#define PROCESSES_MAX_DEFAULT (1u << 24)
#define PROCESSES_MAX         (UINT32_MAX - 1)
#define PROCESS_MAIN          1ull /* the id of the main process */

/* How the main process ended. */
struct environment_exit {
    enum exit_reason reason;
    int32_t status;
    const char *words; /* EXIT_LIMIT: which; valid during the call */
};

struct spare_blocks;

struct environment {
    uint64_t id;
    uint64_t node_id; /* of this node, as in registry entries; 0: not distributed */
    struct actors *actors;
    struct registry registry;
    struct config *main_config;  /* what the main process got; may be NULL */
    struct output output;        /* set before the first process starts; zero: our own streams */
    struct spare_blocks *blocks; /* the array of control blocks: see environment.c */
    struct pool *processes;      /* of struct process: the pool in `blocks` */
    _Atomic uint64_t retired;    /* blocks whose generations are used up */
    atomic_bool is_ending;       /* spawns nothing any more */
    struct spinlock timers_lock;
    struct list timers; /* send timers that have not ended */
    uint64_t timer_count;
    struct mutex look_lock; /* guards the next two */
    struct look *look;      /* what looks at processes now, or NULL; see look.h */
    uint64_t look_ticket;   /* of the last look */
    /* Called once, on the worker that ran the main process, after it has ended. If it stops the
     * scheduler, the other processes are left for environment_free; else they are killed now. It
     * does not free the environment. */
    void (*on_exit)(struct environment *e, const struct environment_exit *how, void *arg);
    void *on_exit_arg;
    void *owner; /* for the layers above */
};

struct environment_options {
    uint64_t id;
    uint64_t node_id;
    uint32_t process_count_max; /* 0: PROCESSES_MAX_DEFAULT */
    void (*on_exit)(struct environment *e, const struct environment_exit *how, void *arg);
    void *on_exit_arg;
};

/* Fails with ERR_NO_MEMORY. Any thread. */
struct environment *environment_new(struct actors *a, const struct environment_options *options,
                                    struct error *err) MUST_USE;

/* Kills every process; none is told of another's death, and no more are spawned. Happens by itself
 * when the main process ends. They end as they are scheduled next. Any thread. */
void environment_end(struct environment *e);

/* Drops everything, processes included: those still there are released as if killed, without a
 * word. The scheduler has stopped, or no process and no timer of this environment is left (see the
 * counts). */
void environment_free(struct environment *e);

/* Processes that exist. A snapshot while others run. Any thread. */
uint64_t environment_process_count(const struct environment *e);

/* Processes ever made. */
uint64_t environment_spawn_count(const struct environment *e);

/* send_after timers that have neither fired nor been cancelled. Any thread. */
uint64_t environment_timer_count(struct environment *e);

/* Waits until no process and no timer of an environment that has been told to end is left, at most
 * `timeout_ns`. False: not yet. Not on a worker. */
bool environment_wait_empty(struct environment *e, uint64_t timeout_ns);

/* The control block that a process id means or once meant, NULL: never any. Whose it is now, only
 * its inbox says. Any thread. */
static inline struct process *environment_block(const struct environment *e, uint64_t process_id)
{
    uint32_t number = (uint32_t)process_id;

    if (UNLIKELY(number == 0 || number >= pool_fresh(e->processes)))
        return NULL;
    return (struct process *)(void *)(e->processes->base + (size_t)number * sizeof(struct process));
}

/* Calls `each` with the id of every process that exists, until it returns false; those that come or
 * go meanwhile may be missed or not. Any thread. */
void environment_list(struct environment *e, bool (*each)(void *arg, uint64_t process_id),
                      void *arg);

#endif
