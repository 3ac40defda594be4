/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What all sockets of a runtime share, and how a call says what it waits for.
 *
 * A call that may wait gets the task that makes it. It returns at once: NET_WAIT says that the task
 * has been entered as a waiter; the caller parks and makes the same call again when woken (wakes
 * are hints), or gives up by the function that the call's contract names. */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/error.h"
#include "plat/socket.h"
#include "sched/counts.h"
#include "sched/scheduler.h"
#include <stdatomic.h>

enum net_result {
    NET_DONE,
    NET_WAIT,   /* park, and call again */
    NET_FAILED, /* `err` says why */
};

#define NET_FOREVER UINT64_MAX /* as a timeout in ms: none */

#define NET_DESCRIPTORS_KEPT 64u /* that sockets leave to the rest of the program */

/* What is counted per worker, for metrics. */
enum net_count {
    COUNT_BYTES_RECEIVED, /* by streams, as their users see them: before encryption */
    COUNT_BYTES_SENT,
    COUNT_DATAGRAMS_RECEIVED,
    COUNT_DATAGRAMS_SENT,
    NET_COUNTS
};

struct net {
    struct scheduler *scheduler;
    struct counts counts;          /* of enum net_count */
    _Atomic uint64_t socket_count; /* open now */
    uint64_t socket_count_max;     /* what descriptors the program may have, less the kept ones */
    /* Ever since the start: */
    _Atomic uint64_t accepted_count, connected_count, refused_count;
};

/* `refused_count` counts sockets that were not made because of socket_count_max. */

void net_init(struct net *n, struct scheduler *s);
void net_deinit(struct net *n); /* all sockets have been closed */

/* Counts something. On `w`, NULL: on a thread that is no worker. */
static inline void net_count(const struct net *n, const struct worker *w, enum net_count kind,
                             uint64_t count)
{
    counts_add(&n->counts, w ? w->index : UINT32_MAX, kind, count);
}

/* Counts a socket that is about to be opened. False: there are socket_count_max; say EMFILE. Every
 * net_socket_init takes over one such count, and net_socket_close gives it back. Any thread. */
bool net_reserve(struct net *n) MUST_USE;
/* The same for who goes on waiting then: it adds nothing to `refused_count`. */
bool net_try_reserve(struct net *n) MUST_USE;
void net_unreserve(struct net *n);

#endif
