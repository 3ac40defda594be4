/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef HOST_NET_UDP_H
#define HOST_NET_UDP_H

#include "net/udp.h"
#include "proc/resource.h"

/* RESOURCE_UDP_SOCKET: clones are further references. */
struct net_udp {
    struct resource resource;
    struct udp_socket *socket; /* owned */
};

#endif
