/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A socket that accepts connections. TLS listeners have one of these inside. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/socket.h"
#include "net/stream.h"

struct listener {
    struct net_socket socket;
    struct socket_address local; /* where it listens: port 0 has become a real one */
};

/* Binds and listens. `*out` is the caller's. */
bool listener_open(struct net *n, const struct socket_address *at, struct listener **out,
                   struct error *err) MUST_USE;

/* Accepts a connection as a TCP stream, the caller's; its peer is in the stream. One task at a time
 * (EBUSY for others). At a limit of descriptors, ours or the system's (EMFILE, ENFILE), it waits
 * too, and fails when somebody comes. After NET_WAIT: again, or listener_leave. */
enum net_result listener_accept(struct listener *l, struct worker *w, struct task *t,
                                struct stream **out, struct error *err) MUST_USE;
/* For a caller that has no room for one more: the same, but the connection is left waiting and the
 * call fails; `err` stays as it is then, with the caller's words. Who asks at a limit is told when
 * somebody comes, and not before. */
enum net_result listener_refuse(struct listener *l, struct worker *w, struct task *t,
                                struct error *err) MUST_USE;
void listener_leave(struct listener *l, struct task *t);

/* Closes it: those that wait to be accepted are refused. NULL is harmless. Any thread. */
void listener_free(struct listener *l);

#endif
