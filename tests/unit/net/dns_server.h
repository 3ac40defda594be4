/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A name server of our own on the loopback, on a thread, whose answers depend on the name asked:
 * the first label says what it does. */
#ifndef TEST_NET_DNS_SERVER_H
#define TEST_NET_DNS_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dns_server {
    char address[32];      /* "127.0.0.1:PORT" */
    atomic_uint asked;     /* questions of type A that have come, by datagram */
    atomic_uint asked_tcp; /* and by TCP */
    atomic_uint silenced;  /* questions left unanswered */
    atomic_bool holds;     /* back the answers to names that begin with "slow" */
    int udp, tcp;
    atomic_bool is_ending;
    unsigned long thread;
};

bool dns_server_start(struct dns_server *s);
void dns_server_stop(struct dns_server *s);

#endif
