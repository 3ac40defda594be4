/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A UDP socket. Several tasks may receive from one at a time, and several may send: each datagram
 * goes to one of the receivers, first come, first served. */
#ifndef NET_UDP_H
#define NET_UDP_H

#include "net/socket.h"
#include "net/turn.h"

#define UDP_SIZE_MAX 65535u /* bytes of a datagram, its header included */

struct udp_socket {
    struct net_socket socket;
    struct turn turns[2];        /* by enum io_direction; sending takes one only to wait */
    struct socket_address local; /* where it was bound, with its real port */
};

/* Binds; port 0: any that is free. `*out` is the caller's. */
bool udp_open(struct net *n, const struct socket_address *at, struct udp_socket **out,
              struct error *err) MUST_USE;

/* Fixes the other side, or another one: it is sent to where nothing else is said, and only it is
 * heard. */
bool udp_connect(struct udp_socket *u, const struct socket_address *to, struct error *err) MUST_USE;

/* Sends one datagram, to the other side if `to` is NULL. After NET_WAIT (the system's buffer is
 * full): again, or udp_leave. */
enum net_result udp_send(struct udp_socket *u, struct worker *w, struct task *t, const void *data,
                         size_t size, const struct socket_address *to, size_t *count,
                         struct error *err) MUST_USE;

/* Receives one datagram: its first `size` bytes (may be 0), the rest is lost; from whom in `*from`
 * unless that is NULL. After NET_WAIT: again, or udp_leave. */
enum net_result udp_receive(struct udp_socket *u, struct worker *w, struct task *t, void *data,
                            size_t size, size_t *count, struct socket_address *from,
                            struct error *err) MUST_USE;

/* `t` gives up the call it has parked in. Harmless if there is none. */
void udp_leave(struct udp_socket *u, enum io_direction direction, struct task *t);

/* Closes it and frees the storage, sooner or later. NULL is harmless. Any thread. */
void udp_free(struct udp_socket *u);

#endif
