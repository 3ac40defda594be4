/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a process is allowed: limits, rights, directories, rules, arguments, environment variables.
 *
 * Shared by reference by all processes that have it, and never changed while it is shared:
 * config_change gives a copy of one's own.
 *
 * A configuration that a guest has made says what it wishes. Before a process is spawned with it,
 * config_restrict cuts it down to what the parent has: the smaller of two limits, directories below
 * the parent's, the parent's rules under its own. That is the one place where rights are compared,
 * and nothing is ever wider below than above. */
#ifndef PROC_CONFIG_H
#define PROC_CONFIG_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/vec.h"
#include "proc/resource.h"
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_MEMORY_MAX_DEFAULT    UINT32_MAX /* bytes: one page less than 4 GiB */
#define CONFIG_UNLIMITED             UINT64_MAX
#define CONFIG_STRINGS_SIZE_MAX      (16u << 20) /* bytes of all strings of a configuration */
#define CONFIG_STRING_COST           40u         /* what each counts for besides its bytes */
#define CONFIG_TIMERS_MAX_DEFAULT    (1u << 20)
#define CONFIG_RESOURCES_MAX_DEFAULT (1u << 20)
#define CONFIG_DIRS_MAX              4096 /* preopened directories */

enum config_right {
    RIGHT_COMPILE_MODULES = 1 << 0,
    RIGHT_CREATE_CONFIGS = 1 << 1,
    RIGHT_SPAWN_PROCESSES = 1 << 2,
};

struct budget;
struct rules;

/* A directory of the host that the guest may use, opened anew at each spawn: `host_path` as it is,
 * then each name of `below` confined to the directory before it. */
struct config_dir {
    char *host_path;
    char *guest_path;
    char *below;       /* names, each ended by a byte 0, and an empty one; NULL: none */
    bool is_read_only; /* nothing in it can be changed */
    bool is_granted;   /* else a wish: `host_path` is what the guest asked for */
};

struct config_variable {
    char *name;
    char *value;
};

struct config {
    struct resource resource; /* RESOURCE_CONFIG, so that a process can hold it by id */
    uint32_t rights;          /* enum config_right */
    uint64_t fuel_max;        /* units of 100,000 instructions; 0: unlimited */
    /* The limits below are numbers up to which something is allowed, or CONFIG_UNLIMITED. */
    uint64_t memory_max;           /* bytes of linear memory */
    uint64_t cpu_max_ms;           /* CPU time. Beyond, the process fails */
    uint64_t process_count_max;    /* of all processes with this configuration and those below */
    uint64_t mailbox_count_max;    /* messages waiting. Beyond, the process fails */
    uint64_t mailbox_size_max;     /* bytes of them */
    uint64_t descriptor_count_max; /* open files, directories, sockets */
    uint64_t timer_count_max;      /* send_after timers that have not fired yet */
    uint64_t resource_count_max;   /* objects in the tables of a process */
    struct rules *own_rules;       /* what this configuration itself says; NULL: nothing */
    struct rules *rules;           /* what holds: set by config_restrict */
    struct budget *budget;         /* the same; NULL: none but the environment's limit */
    const struct config *within;   /* whose process it has been cut down to; NULL: nobody's yet */
    uint64_t string_size;          /* what all strings below cost, <= CONFIG_STRINGS_SIZE_MAX;
                                      charged as memory (base/mem.h), like the configuration */
    VEC(struct config_dir) dirs;   /* in order; duplicates are kept in all three */
    VEC(char *) args;
    VEC(struct config_variable) variables;
};

/* Default values: no rights, nothing preopened. NULL: no memory. One reference, the caller's. */
struct config *config_new(void) MUST_USE;

/* A copy that nobody shares. NULL: no memory. */
struct config *config_copy(const struct config *c) MUST_USE;

static inline struct config *config_ref(struct config *c)
{
    resource_ref(&c->resource);
    return c;
}

static inline void config_unref(struct config *c)
{
    if (c)
        resource_unref(&c->resource);
}

/* For the holder of a reference who wants to change it: `*c` itself if nobody else holds it, else
 * `*c` is replaced by a copy. False: no memory. */
bool config_change(struct config **c) MUST_USE;

/* To be called after a change: the configuration is a wish again. */
void config_changed(struct config *c);

/* Cuts `c`, which nobody else holds, down to what `parent` has; NULL: nothing is above it, so its
 * wishes are granted. What was taken away and may be missed (directories, rights) is appended to
 * `*lost` as words for a log line; may be NULL. Done once for each parent. False: no memory, or
 * rules in more than RULES_DEPTH_MAX layers; `c` must not be used then. */
bool config_restrict(struct config *c, const struct config *parent, struct bytes *lost,
                     struct error *err) MUST_USE;

/* Append; strings are copied up to their sizes. False: no memory left (by the accounting, too),
 * CONFIG_STRINGS_SIZE_MAX, or a byte 0 inside. The config must not be shared. */
bool config_add_dir(struct config *c, struct slice host_path, struct slice guest_path,
                    bool is_read_only) MUST_USE;
bool config_add_arg(struct config *c, struct slice arg) MUST_USE;
bool config_add_variable(struct config *c, struct slice name, struct slice value) MUST_USE;

/* Bytes of the names in `below`, the last terminator included. */
size_t config_below_size(const char *below);

/* Counts a string of so many bytes in, before it is made, and out, when it is freed. False: there
 * is no memory for it, or the configuration has too many. */
bool config_take_string(struct config *c, size_t size) MUST_USE;
void config_give_string(struct config *c, size_t size);

static inline bool config_allows(const struct config *c, enum config_right right)
{
    return (c->rights & (uint32_t)right) != 0;
}

#endif
