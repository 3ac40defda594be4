/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a process may reach beyond its directories: network rules and SQLite paths.
 *
 * Rules come in layers. Each layer says yes or no, and every layer has to say yes; whoever makes a
 * configuration for a child adds a layer over its own, so that a child's rules are never wider,
 * whatever they say. Within a layer the order is of no importance: what a rule denies is denied;
 * where there are rules that allow an operation, only what one of them names is allowed; where
 * there are none, everything is. */
#ifndef PROC_RULES_H
#define PROC_RULES_H

#include "base/vec.h"
#include "proc/net_rule.h"
#include <stdatomic.h>

#define RULES_COUNT_MAX 1024 /* rules in a layer, and paths */
#define RULES_DEPTH_MAX 16   /* layers */
#define RULES_PATH_MAX  4096 /* bytes of the path of a database */

struct rules {
    _Atomic uint32_t references;
    uint32_t depth;      /* layers from here down, this one included */
    struct rules *under; /* the next layer, one reference; NULL: none */
    VEC(struct net_rule) allow;
    VEC(struct net_rule) deny;
    VEC(char *) databases; /* normal paths, see rules_allow_database; none: all */
    uint64_t charged;      /* for the layer, as memory (base/mem.h) */
};

/* An empty layer. One reference, the caller's. NULL: no memory. */
struct rules *rules_new(void) MUST_USE;
struct rules *rules_ref(struct rules *r); /* NULL is harmless, as everywhere here */
void rules_unref(struct rules *r);

/* A copy of the first layer of `r` over `under` (of which a reference is made). NULL: no memory. */
struct rules *rules_copy(const struct rules *r, struct rules *under) MUST_USE;

/* For the holder of a reference who wants to change the layer: `*r` itself if nobody else holds it,
 * else a copy; made if there was none. False: no memory. */
bool rules_change(struct rules **r) MUST_USE;

/* Adds to the layer. False: no memory, RULES_COUNT_MAX or RULES_PATH_MAX. */
bool rules_add_net(struct rules *r, bool allow, const struct net_rule *rule) MUST_USE;
bool rules_add_database(struct rules *r, struct slice path) MUST_USE;

/* Whether rules_add_database takes such a path: it has no ".." and no byte 0 in it, and is not
 * longer than RULES_PATH_MAX. */
bool rules_is_path(struct slice path);

/* Whether all layers allow it; NULL allows everything. Any thread. */
bool rules_allow_net(const struct rules *r, const struct net_target *t);

/* False: some layer denies the operation whatever the address and the port. */
bool rules_allow_some(const struct rules *r, enum net_operation operation);

/* Whether a name may be looked up: unless it is denied with all ports and operations, or there are
 * rules that allow and none of them is about it. The addresses are checked when they are used. */
bool rules_allow_name(const struct rules *r, struct slice name);

/* Whether a database at that path, as the guest names it, may be opened: it is, or is below, one of
 * the paths of every layer that has any. A path with ".." in it is none. */
bool rules_allow_database(const struct rules *r, struct slice path);

#endif
