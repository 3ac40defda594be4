/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TCP: streams that are one socket each, and how to connect. listener.h accepts. */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "net/socket.h"
#include "net/stream.h"

/* A stream over a connected socket. Takes over `fd` and one net_reserve; NULL: no memory, and both
 * have been given back. */
struct stream *tcp_stream_new(struct net *n, int fd, const struct socket_address *peer) MUST_USE;

/* The socket of a stream made by TCP: for TLS, which reads and writes it itself, and then owns the
 * stream. */
struct net_socket *tcp_stream_socket(struct stream *s);

/* Closes and frees it as stream_free does; `then(context)` is called once its storage is gone, when
 * no poller can name a task any more that has waited for it. Any thread. */
void tcp_stream_close(struct stream *s, void (*then)(void *context), void *context);

/* A connection in the making; all-zero before the first call. */
struct tcp_connect {
    struct stream *stream;
};

/* Connects to one address: `*out` is the caller's. After NET_WAIT call it again, or
 * tcp_connect_leave; after the others `c` is all-zero again. */
enum net_result tcp_connect(struct tcp_connect *c, struct net *n, struct worker *w, struct task *t,
                            const struct socket_address *to, struct stream **out, struct error *err)
    MUST_USE;

/* Gives up: closes what there is. Harmless if nothing is in the making. Any thread. */
void tcp_connect_leave(struct tcp_connect *c, struct task *t);

#endif
