/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the rules of a process (proc/rules.h) say about the network, asked with addresses, after
 * name resolution: what is checked is what is opened. */
#ifndef HOST_NET_RIGHTS_H
#define HOST_NET_RIGHTS_H

#include "host/net/internal.h"

/* The address as rules know it: IPv4 is mapped into IPv6; scopes do not matter. */
struct net_address net_address_of(const struct socket_address *a);

/* Whether the process may have a UDP socket at `a`. With a port it is a service, and `listen` rules
 * hold; without one it is any that is free, and needs no more than that datagrams are not
 * altogether forbidden: who may be sent to, and be heard, is checked per datagram. */
bool net_may_bind_datagrams(struct guest *g, const struct socket_address *a, struct error *err)
    MUST_USE;

#endif
