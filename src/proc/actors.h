/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What all environments of a runtime share: the scheduler, and the nodes of messages and links. */
#ifndef PROC_ACTORS_H
#define PROC_ACTORS_H

#include "base/error.h"
#include "plat/thread.h"
#include "proc/pool.h"
#include <stdatomic.h>
#include <stdint.h>

struct grave;
struct scheduler;
struct spare_blocks;
struct worker;

struct actors {
    struct scheduler *scheduler;
    uint32_t worker_count;
    bool is_tickless;     /* slices are not ended by ticks, so CPU time is measured */
    struct pool messages; /* of struct message: signals, messages, send timers */
    struct pool bonds;    /* of struct bond */
    struct grave *graves; /* one per worker: grave.h */
    struct spinlock lock;
    struct spare_blocks *spare; /* control blocks of environments that were freed */
    /* Of those who wait for an environment to be empty (environment_wait_empty). */
    struct mutex empty_lock;
    struct condition emptied;
    atomic_bool nobody_waits; /* or has been told already, and has not looked since */
};

struct actors_options {
    struct scheduler *scheduler; /* outlives the actors */
    uint32_t message_count_max;  /* messages that exist at a time; 0: MESSAGES_MAX_DEFAULT */
};

#define MESSAGES_MAX_DEFAULT (1u << 28)
#define MESSAGES_MAX         ((1u << 30) - 2)

/* Fails with ERR_NO_MEMORY. Startup only. */
bool actors_init(struct actors *a, const struct actors_options *options, struct error *err)
    MUST_USE;

/* All environments have been freed. */
void actors_deinit(struct actors *a);

/* Time of the scheduler's clock (virtual in deterministic runs). Any thread. */
uint64_t actors_now_ns(const struct actors *a);

/* The calling worker, or NULL if the caller is none of this scheduler's. Any thread. */
struct worker *actors_current(const struct actors *a);

/* The index of the calling worker of this scheduler, or POOL_OUTSIDE. */
uint32_t actors_worker(const struct actors *a);

#endif
