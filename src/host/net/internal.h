/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of host/net/ share: how results and failures reach the guest, and what a process
 * holds. Results are 0; 1 with the id of an error where the result would be; LUN_TIMEOUT. */
#ifndef HOST_NET_INTERNAL_H
#define HOST_NET_INTERNAL_H

#include "host/internal.h"
#include "net/listener.h"
#include "net/net.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "proc/net_rule.h"

#define NET_TRANSFER_MAX (1u << 20) /* bytes that one read or write moves at most */
#define NET_PIECES_MAX   65536u     /* pieces of one write that are looked at */

/* Said where a table of the process, or the memory for one more entry, is full. */
#define NET_TOO_MUCH "this process holds too much"

/* Results besides LUN_TIMEOUT. */
enum { NET_OK = 0, NET_ERROR = 1 };

/* Kinds of wait (proc/wait.h) of this folder. What `object` is, is said behind. */
enum {
    WAIT_NET_STREAM = WAIT_OTHER + 64, /* struct net_stream; extra: enum net_stream_call */
    WAIT_NET_ACCEPT,                   /* struct net_listener */
    WAIT_NET_CONNECT,                  /* struct stream, not connected yet */
    WAIT_NET_RESOLVE,                  /* struct net_resolving, names.h */
    WAIT_NET_TLS_ACCEPT,               /* see tls.c */
    WAIT_NET_TLS_CONNECT,              /* see tls.c */
    WAIT_NET_UDP,                      /* struct net_udp, udp.h; extra: enum io_direction */
    WAIT_NET_TURN,                     /* struct net_stream that is to be written to: is ready */
};

enum net_stream_call { NET_CALL_READ, NET_CALL_PEEK, NET_CALL_WRITE, NET_CALL_FLUSH };

/* A stream as a resource: RESOURCE_TCP_STREAM or RESOURCE_TLS_STREAM, the same functions for both
 * (stream.c). Clones are further references. */
struct net_stream {
    struct resource resource;
    struct stream *stream; /* owned */
};

/* RESOURCE_TCP_LISTENER. */
struct net_listener {
    struct resource resource;
    struct listener *listener; /* owned */
};

/* ---- result.c ---- */

/* Ends the call with 1 and an error with those words at `id_out`, which the caller has checked. */
struct outcome net_failed(struct guest *g, uint32_t id_out, const char *words);

/* Ends the call with LUN_TIMEOUT, and an error at `id_out` (for the functions whose callers take
 * what is there for one: resolve, the connects and flushes). */
struct outcome net_timed_out(struct guest *g, uint32_t id_out);

/* Ends a call, and its wait if it has begun one, with `count` at `out` (checked before), or if it
 * has failed with the words in `err`. */
struct outcome net_ended(struct guest *g, enum net_result r, uint32_t out, uint64_t count,
                         const struct error *err);

/* The five arguments that are an address. False: the type is not 4 or 6, or the pointer leaves the
 * memory; `*out_trap` is what to return. */
bool net_address_argument(struct guest *g, const char *function, uint32_t type, uint32_t ptr,
                          uint32_t port, uint32_t flow_info, uint32_t scope_id,
                          struct socket_address *out, struct outcome *out_trap) MUST_USE;

/* Whether the process may open, or be given, one more descriptor: its sockets and the files that it
 * has open through WASI are fewer than its configuration allows. False: `err` says so in words. */
bool net_has_room(const struct guest *g, struct error *err) MUST_USE;

/* Puts a new resource of that kind, whose `release` frees it and what it owns, into the caller's
 * table; it is taken whatever happens. False: the process holds too much, `err` says so. */
bool net_hold(struct guest *g, struct resource *r, enum resource_kind kind,
              void (*release)(struct resource *), uint64_t *id, struct error *err) MUST_USE;

/* Sockets, listeners and streams that it holds, clones counted too, and what it has put into
 * messages and nobody has taken yet. */
uint64_t net_held_count(const struct guest *g);

/* ---- stream.c: for TCP and TLS; `function` is the row's, for its traps ---- */

/* Makes a resource of a stream, which is taken whatever happens, and puts it into the caller's
 * table. False: no memory, or the process holds too much; `err` says which. */
bool net_stream_add(struct guest *g, enum resource_kind kind, struct stream *s, uint64_t *id,
                    struct error *err) MUST_USE;

/* Ends an accept that has said `r`: gives the stream (taken) and an iterator of its peer's address,
 * or the error. The pointers have been checked. */
struct outcome net_accepted(struct guest *g, enum resource_kind kind, enum net_result r,
                            struct stream *s, struct error *err, uint32_t stream_out,
                            uint32_t peer_out);

struct outcome net_stream_read(struct guest *g, const char *function, enum resource_kind kind,
                               uint64_t id, uint32_t ptr, uint32_t size, uint32_t opaque_out,
                               bool peek);
struct outcome net_stream_write(struct guest *g, const char *function, enum resource_kind kind,
                                uint64_t id, uint32_t pieces, uint32_t piece_count,
                                uint32_t opaque_out);
struct outcome net_stream_flush(struct guest *g, const char *function, enum resource_kind kind,
                                uint64_t id, uint32_t error_out);
struct outcome net_stream_set_timeout(struct guest *g, const char *function,
                                      enum resource_kind kind, uint64_t id,
                                      enum stream_timeout which, uint64_t timeout_ms);
struct outcome net_stream_get_timeout(struct guest *g, const char *function,
                                      enum resource_kind kind, uint64_t id,
                                      enum stream_timeout which);
/* Any kind that can be cloned: streams and UDP sockets. */
struct outcome net_clone(struct guest *g, const char *function, enum resource_kind kind,
                         uint64_t id);
/* Any kind. */
struct outcome net_drop(struct guest *g, const char *function, enum resource_kind kind,
                        uint64_t id);

/* ---- attachment.c: message::push_* and take_*, any kind of socket ---- */

struct outcome net_push(struct guest *g, const char *function, enum resource_kind kind,
                        uint64_t id);
struct outcome net_take(struct guest *g, const char *function, enum resource_kind kind,
                        uint64_t index);

/* Sockets that the process has put into messages that still have them. */
uint64_t net_sent_count(const struct guest *g);

/* The process ends, or an attachment goes. */
void net_sent_unref(struct net_sent *s);

/* ---- address.c: iterators ---- */

/* An iterator of the `count` addresses (copied) in the caller's table. False: no memory, or the
 * process holds too much. */
bool net_add_addresses(struct guest *g, const struct socket_address *addresses, size_t count,
                       uint64_t *id) MUST_USE;

/* Ends `function` with an iterator of one address at `out`, which has been checked. */
struct outcome net_give_address(struct guest *g, const char *function,
                                const struct socket_address *a, uint32_t out);

/* ---- rights.c, see rights.h too ---- */

/* Whether the process's rules allow it. False: `err` (ERR_DENIED) says what is not permitted. */
bool net_permitted(struct guest *g, enum net_operation operation, const struct socket_address *a,
                   struct error *err) MUST_USE;

#endif
