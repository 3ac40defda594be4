/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names that a process has looked up, and is looking up: network rules may be about names, and what
 * is opened is an address, so it is remembered which names an address was got from. */
#ifndef HOST_NET_NAMES_H
#define HOST_NET_NAMES_H

#include "host/net/internal.h"
#include "net/dns.h"

#define NET_NAMES_MAX 256 /* pairs of address and name of a process; the oldest are forgotten */

/* WAIT_NET_RESOLVE: on the heap. */
struct net_resolving {
    struct dns_lookup lookup;
    uint16_t port;
    uint32_t size;
    char name[]; /* `size` bytes */
};

/* Whether the process's rules allow looking the name up. False: `err` (ERR_DENIED) says so. */
bool net_may_look_up(struct guest *g, struct slice name, struct error *err) MUST_USE;

/* Remembers that `name` was answered with these addresses, if the process has rules. If there is no
 * memory it is not remembered, and rules that allow the name do not hold for them. */
void net_names_add(struct guest *g, struct slice name, const struct socket_address *addresses,
                   size_t count);

/* Stores the names that the address was got from, at most `max`; returns how many. They are valid
 * until the next net_names_add. */
size_t net_names_of(const struct guest *g, const struct net_address *a, struct slice *out,
                    size_t max);

/* At the end of a process. NULL is harmless. */
void net_names_free(struct net_names *n);

#endif
