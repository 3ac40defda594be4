/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What host functions of TLS hold and wait for. */
#ifndef HOST_NET_TLS_H
#define HOST_NET_TLS_H

#include "host/net/internal.h"
#include "net/dns.h"
#include "net/tls_clients.h"
#include "net/tls_listener.h"

/* RESOURCE_TLS_LISTENER. */
struct net_tls_listener {
    struct resource resource;
    struct tls_listener *listener; /* owned */
};

enum net_tls_step { NET_TLS_ROOTS, NET_TLS_LOOKUP, NET_TLS_CONNECT, NET_TLS_SHAKE };

struct net_tls_roots; /* connect.c: the job that reads what the machine trusts */

/* WAIT_NET_TLS_CONNECT: a connection in the making, on the heap. What of it is under way, the step
 * says. */
struct net_tls_connecting {
    enum net_tls_step step;
    struct net_tls_roots *roots;
    struct tls_context *context; /* one reference */
    struct dns_lookup lookup;
    struct dns_answer *answer;     /* of the lookup, or NULL: */
    struct socket_address address; /* the name is this one */
    uint32_t next;                 /* of the addresses, to be tried */
    struct tcp_connect connect;
    struct stream *session;
    struct error error; /* why the last address did not do */
    struct slice alpn;  /* behind the name */
    uint16_t port;
    char name[]; /* terminated */
};

#endif
