/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A stream of bytes to another machine: TCP (tcp.h), or TLS over it (tls.h), behind one interface.
 *
 * Several tasks may hold one; who reads (peeks) and who writes (flushes) has the turn in that
 * direction until the call has ended, and others queue up, first come first served. The two
 * directions are independent.
 *
 * The calls: NET_DONE and NET_FAILED end the call and the turn. After NET_WAIT the task parks and
 * makes the same call again, or gives up with stream_leave (a timeout, a kill); nothing has been
 * read or written then. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/net.h"
#include "net/turn.h"
#include "sched/io.h"

struct stream;

enum stream_timeout { STREAM_READ_TIMEOUT, STREAM_WRITE_TIMEOUT, STREAM_PEEK_TIMEOUT };

/* What each kind of stream does. The stream has the turn for `t` already. */
struct stream_class {
    enum net_result (*read)(struct stream *s, struct worker *w, struct task *t, void *data,
                            size_t size, bool peek, size_t *count, struct error *err);
    enum net_result (*write)(struct stream *s, struct worker *w, struct task *t,
                             const struct socket_piece *pieces, size_t piece_count, size_t *count,
                             struct error *err);
    enum net_result (*flush)(struct stream *s, struct worker *w, struct task *t, struct error *err);
    /* `t` gives up a call that has returned NET_WAIT, in this direction. */
    void (*leave)(struct stream *s, enum io_direction direction, struct task *t);
    /* Closes it and frees the storage, sooner or later. Nobody uses it any more. Any thread. */
    void (*free)(struct stream *s);
};

struct stream {
    const struct stream_class *class_;
    struct net *net;
    struct turn turns[2];            /* by enum io_direction */
    _Atomic uint64_t timeouts_ms[3]; /* by enum stream_timeout; NET_FOREVER: none */
    struct socket_address peer;      /* who is at the other end; constant once connected */
};

/* For the classes: sets all fields. */
void stream_init(struct stream *s, const struct stream_class *class_, struct net *n,
                 const struct socket_address *peer);

/* At most `size` bytes (> 0); 0 in `*count`: the other side has ended. */
enum net_result stream_read(struct stream *s, struct worker *w, struct task *t, void *data,
                            size_t size, size_t *count, struct error *err) MUST_USE;

/* The same, and the bytes stay. Fails with ERR_UNSUPPORTED where the class cannot. */
enum net_result stream_peek(struct stream *s, struct worker *w, struct task *t, void *data,
                            size_t size, size_t *count, struct error *err) MUST_USE;

/* Writes the pieces, of which at least one is not empty, or the first part of them. */
enum net_result stream_write(struct stream *s, struct worker *w, struct task *t,
                             const struct socket_piece *pieces, size_t piece_count, size_t *count,
                             struct error *err) MUST_USE;

/* Waits until what was written is with the system. */
enum net_result stream_flush(struct stream *s, struct worker *w, struct task *t, struct error *err)
    MUST_USE;

/* `t` gives up the call it has parked in. Harmless if there is none. */
void stream_leave(struct stream *s, enum io_direction direction, struct task *t);

/* A running call keeps the value that it began with: its caller reads it then. Any thread. */
static inline uint64_t stream_timeout_ms(const struct stream *s, enum stream_timeout which)
{
    return atomic_load_explicit(&s->timeouts_ms[which], memory_order_relaxed);
}
static inline void stream_set_timeout_ms(struct stream *s, enum stream_timeout which, uint64_t ms)
{
    atomic_store_explicit(&s->timeouts_ms[which], ms, memory_order_relaxed);
}

/* NULL is harmless. */
void stream_free(struct stream *s);

#endif
