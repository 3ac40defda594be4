/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What all environments of a runtime share: the scheduler, and the nodes of messages and links. */
#ifndef PROC_ACTORS_H
#define PROC_ACTORS_H

#include "base/error.h"
#include "plat/thread.h"
#include "proc/pool.h"
#include "sched/counts.h"
#include <stdatomic.h>
#include <stdint.h>

struct grave;
struct scheduler;
struct spare_blocks;
struct worker;

/* What the actors of a runtime count, for metrics. */
#define SIZE_CLASSES     12u /* of messages by bytes: up to 16, 64, ... 16 MiB, more */
#define SIZE_CLASS_BITS  4u
#define DEPTH_CLASSES    12u /* of mailboxes by messages: up to 1, 4, ... 1 Mi, more */
#define RESOURCE_CLASSES 5u  /* of messages by resources: up to 1, 4, 16, 64, more */
#define EXIT_REASONS     6u  /* enum exit_reason */

enum actor_count {
    COUNT_SIGNALS_UNSENT,    /* to processes that do not exist, or have no room */
    COUNT_SIGNALS_LATE,      /* that came when the end of the process was decided */
    COUNT_OTHERS_HANDLED,    /* that were handled and are no messages */
    COUNT_MESSAGES_TAKEN,    /* out of mailboxes by their owners, who count them */
    COUNT_MESSAGES_DROPPED,  /* left in mailboxes at the end */
    COUNT_MESSAGE_BYTES,     /* in data messages that came into mailboxes */
    COUNT_LINK_DEATHS,       /* messages about the death of a linked process */
    COUNT_PROCESS_DEATHS,    /* messages about the death of a monitored process */
    COUNT_DEPTH_SUM,         /* of the messages that waited with those of COUNT_DEPTHS */
    COUNT_MESSAGE_RESOURCES, /* in data messages that have any */
    COUNT_LINKS_MADE,        /* each link at both of its ends */
    COUNT_LINKS_ENDED,
    COUNT_TIMERS_STARTED,
    COUNT_TIMERS_FIRED, /* that had somebody to send to */
    COUNT_TIMERS_CANCELLED,
    COUNT_NAMES_PUT, /* calls of the registry, whatever they did */
    COUNT_NAMES_GOT,
    COUNT_NAMES_REMOVED,
    COUNT_EXITS,                               /* one for each enum exit_reason */
    COUNT_SIZES = COUNT_EXITS + EXIT_REASONS,  /* data messages by class of size */
    COUNT_DEPTHS = COUNT_SIZES + SIZE_CLASSES, /* by how many wait with them; none: not counted */
    COUNT_RESOURCES = COUNT_DEPTHS + DEPTH_CLASSES,   /* data messages with resources */
    ACTOR_COUNTS = COUNT_RESOURCES + RESOURCE_CLASSES /* how many counts there are */
};

struct actors {
    struct scheduler *scheduler;
    uint32_t worker_count;
    bool is_tickless;     /* slices are not ended by ticks, so CPU time is measured */
    struct pool messages; /* of struct message: signals, messages, send timers */
    struct pool bonds;    /* of struct bond */
    struct grave *graves; /* one per worker: grave.h */
    struct counts counts; /* of enum actor_count */
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

/* Counts one more of those; for who does not know its worker. Any thread. */
static inline void actors_count(const struct actors *a, uint32_t kind)
{
    counts_add(&a->counts, actors_worker(a), kind, 1);
}

#endif
