/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TLS over a TCP stream: a session is a struct stream (stream.h) like TCP's.
 *
 * Each session has a small task of its own that makes the handshake, sends what a full socket left
 * over, and says good-bye; so none of them needs a process that waits for it. Reading and writing
 * are done by those who call: they hold the session's lock for one record, never while they wait,
 * so a reader that waits does not keep a writer waiting.
 *
 * Once the holder has freed a session its task sends the rest and close_notify, for at most
 * TLS_CLOSE_MS, and closes the socket. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/list.h"
#include "net/stream.h"
#include "net/tls_context.h"

#define TLS_HANDSHAKE_MS 10000u      /* of a listener's sessions: whoever is silent costs no more */
#define TLS_CLOSE_MS     5000u       /* for what is left to send when a session is dropped */
#define TLS_LINGER_MS    1000u       /* for a server whose tickets we have not seen: see tls.c */
#define TLS_OWED_MAX     (64u << 10) /* bytes that wait for the socket; more ends the session */

struct bio_method_st; /* OpenSSL's */
struct tls_listener;

/* The TLS of a runtime: what all its sessions share. */
struct tls {
    struct net *net;
    struct bio_method_st *_Atomic bio; /* NULL: no session has been made yet */
    struct spinlock lock;
    struct list sessions;                                                         /* under lock */
    _Atomic uint64_t session_count, handshake_count, resumed_count, failed_count; /* ever */
};

/* Startup only. */
void tls_init(struct tls *tls, struct net *n);

/* Closes the sessions whose tasks have had no time to: the scheduler runs no more. All have been
 * freed by their holders. */
void tls_deinit(struct tls *tls);

/* Begins a session over a connected TCP stream, which is taken whatever happens.
 *
 * A client's: `name` is the server's, a host name or an address as text, which its certificate must
 * be for; `port` only tells servers of one name apart; `alpn` as in tls_context.h, may be empty.
 * The caller waits with tls_handshake, as long as it likes. Any thread.
 *
 * False: no memory, or a name that cannot be one. */
bool tls_client_new(struct tls *tls, struct tls_context *c, struct stream *tcp, const char *name,
                    uint16_t port, struct slice alpn, struct stream **out, struct error *err)
    MUST_USE;

/* The same for a listener: the handshake begins with tls_server_start, and at its end
 * (TLS_HANDSHAKE_MS after tls_server_new at the latest) the task calls tls_listener_ended. `owner`
 * stays alive until then. */
bool tls_server_new(struct tls *tls, struct tls_context *c, struct stream *tcp,
                    struct tls_listener *owner, struct stream **out, struct error *err) MUST_USE;
void tls_server_start(struct stream *s);

/* Whether `name` can be that of a server: an address, or the ASCII form of a host name. */
bool tls_name_is_valid(const char *name, struct error *err) MUST_USE;

/* NET_DONE: it may be read and written; NET_FAILED: there is no session, and `err` says why: it can
 * only be freed. After NET_WAIT: again, or tls_handshake_leave. One task at a time. */
enum net_result tls_handshake(struct stream *s, struct task *t, struct error *err) MUST_USE;
void tls_handshake_leave(struct stream *s, struct task *t);

/* The protocol that both sides agreed on, or an empty slice; lives as long as the session. */
struct slice tls_protocol(struct stream *s);

/* The name by which the client has asked for the server (SNI), as the client wrote it, at most 255
 * bytes; or an empty slice: by none, or by its address. Of a session of TLS 1.2 that goes on from
 * an earlier one, the name in that. Lives as long as the session. */
struct slice tls_server_name(struct stream *s);

/* Whether the session goes on from an earlier one. */
bool tls_is_resumed(struct stream *s);

/* For a listener: the node by which it lists its sessions, and the session of a node. */
struct list *tls_link(struct stream *s);
struct stream *tls_of_link(struct list *link);

#endif
