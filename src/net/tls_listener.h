/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A listener whose connections speak TLS.
 *
 * While somebody waits for a session, connections are accepted as they come, and the handshakes of
 * many go on at the same time: whose is complete first is handed out first, so a client that is
 * silent keeps nobody waiting. */
#ifndef NET_TLS_LISTENER_H
#define NET_TLS_LISTENER_H

#include "net/listener.h"
#include "net/tls.h"

#define TLS_HANDSHAKES_MAX                                                                         \
    256u /* of one listener at the same time, those not handed out included */

struct tls_listener;

/* Binds and listens; sessions are as `c` says, of which a reference is made. */
bool tls_listener_open(struct tls *tls, struct tls_context *c, const struct socket_address *at,
                       struct tls_listener **out, struct error *err) MUST_USE;

/* Where it listens. */
const struct socket_address *tls_listener_local(const struct tls_listener *l);

/* A session, the caller's. NET_FAILED: a handshake has failed, or no connection could be accepted;
 * the next call may do better. `count_max` (at least 1): so many sessions may be under way at most.
 * After NET_WAIT: again, or tls_listener_leave. One task at a time. */
enum net_result tls_listener_accept(struct tls_listener *l, struct worker *w, struct task *t,
                                    uint64_t count_max, struct stream **out, struct error *err)
    MUST_USE;
/* For a caller that has no room for one more: NET_FAILED when a connection waits or a session is
 * complete, with the caller's words in `err` (see listener_refuse), or when a handshake has failed,
 * with its words. */
enum net_result tls_listener_refuse(struct tls_listener *l, struct worker *w, struct task *t,
                                    struct error *err) MUST_USE;
void tls_listener_leave(struct tls_listener *l, struct task *t);

/* Closes it, and the sessions that nobody has got. NULL is harmless. Any thread. */
void tls_listener_free(struct tls_listener *l);

#endif
