/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Streams, whether TCP or TLS: reading, writing, timeouts, clones. */
#include "host/net/internal.h"
#include "plat/vmem.h"

#define UNKNOWN "unknown id of a socket"

static void release(struct resource *r)
{
    struct net_stream *s = CONTAINER_OF(r, struct net_stream, resource);

    stream_free(s->stream);
    mem_free(s);
}

bool net_stream_add(struct guest *g, enum resource_kind kind, struct stream *stream, uint64_t *id,
                    struct error *err)
{
    struct net_stream *s = mem_try(struct net_stream);

    if (!s) {
        stream_free(stream);
        return socket_fail(err, ENOMEM);
    }
    s->stream = stream;
    return net_hold(g, &s->resource, kind, release, id, err);
}

/* Puts an accepted stream and its peer into the tables; takes the stream. */
static bool add_accepted(struct guest *g, enum resource_kind kind, struct stream *s,
                         uint64_t *stream_id, uint64_t *peer_id, struct error *err)
{
    const struct socket_address peer = s->peer;

    if (!net_stream_add(g, kind, s, stream_id, err))
        return false;
    if (net_add_addresses(g, &peer, 1, peer_id))
        return true;
    resource_unref(resource_take(g->process, kind, *stream_id));
    return fail(err, ERR_LIMIT, NET_TOO_MUCH);
}

struct outcome net_accepted(struct guest *g, enum resource_kind kind, enum net_result r,
                            struct stream *s, struct error *err, uint32_t stream_out,
                            uint32_t peer_out)
{
    uint64_t stream_id = 0, peer_id = 0;

    if (g->process->wait.kind != WAIT_NONE)
        wait_end(g->process);
    if (r == NET_FAILED || !add_accepted(g, kind, s, &stream_id, &peer_id, err)) {
        ASSERT(guest_write_u64(g, peer_out, 0));
        return net_failed(g, stream_out, err->text);
    }
    ASSERT(guest_write_u64(g, stream_out, stream_id) && guest_write_u64(g, peer_out, peer_id));
    return done(NET_OK);
}

static struct net_stream *stream_of(const struct guest *g, enum resource_kind kind, uint64_t id)
{
    return (struct net_stream *)resource_get(g->process, kind, id);
}

/* ---- calls that wait ---- */

static enum io_direction direction_of(enum net_stream_call call)
{
    return call == NET_CALL_READ || call == NET_CALL_PEEK ? IO_READ : IO_WRITE;
}

static void cancel(struct process *p, struct wait *w)
{
    struct net_stream *s = w->object;

    stream_leave(s->stream, direction_of(w->extra), &p->task);
}

/* The call has said NET_WAIT. The resource stays: the process, which parks, holds it. */
static struct outcome wait_for(struct guest *g, struct net_stream *s, enum net_stream_call call)
{
    static const enum stream_timeout timeouts[] = {
        [NET_CALL_READ] = STREAM_READ_TIMEOUT,
        [NET_CALL_PEEK] = STREAM_PEEK_TIMEOUT,
        [NET_CALL_WRITE] = STREAM_WRITE_TIMEOUT,
        [NET_CALL_FLUSH] = STREAM_WRITE_TIMEOUT,
    };
    struct process *p = g->process;
    uint64_t timeout_ms;

    if (p->wait.kind == WAIT_NONE) {
        timeout_ms = stream_timeout_ms(s->stream, timeouts[call]);
        if (timeout_ms == 0) {
            stream_leave(s->stream, direction_of(call), &p->task);
            return done(LUN_TIMEOUT);
        }
        wait_begin(p, WAIT_NET_STREAM, guest_deadline_ms(g, timeout_ms), cancel, s);
        p->wait.extra = call;
        return guest_park();
    }
    if (!wait_expired(p))
        return guest_park();
    wait_cancel(p);
    return done(LUN_TIMEOUT);
}

struct outcome net_stream_read(struct guest *g, const char *function, enum resource_kind kind,
                               uint64_t id, uint32_t ptr, uint32_t size, uint32_t opaque_out,
                               bool peek)
{
    struct net_stream *s = stream_of(g, kind, id);
    struct worker *w = guest_worker(g);
    struct task *t = &g->process->task;
    enum net_result r;
    struct error err;
    uint8_t *data;
    size_t count = 0;

    if (UNLIKELY(!s))
        return guest_trap_in(g, function, UNKNOWN);
    if (UNLIKELY(!guest_bytes(g, ptr, size, &data) || !guest_range(g, opaque_out, 8)))
        return guest_trap_range_in(g, function);
    if (size == 0)
        return net_ended(g, NET_DONE, opaque_out, 0, NULL);
    if (size > NET_TRANSFER_MAX)
        size = NET_TRANSFER_MAX;
    r = peek ? stream_peek(s->stream, w, t, data, size, &count, &err)
             : stream_read(s->stream, w, t, data, size, &count, &err);
    if (r == NET_WAIT)
        return wait_for(g, s, peek ? NET_CALL_PEEK : NET_CALL_READ);
    return net_ended(g, r, opaque_out, count, &err);
}

/* What a write is about: the pieces that are not empty, as many as one call takes. */
struct gathered {
    size_t count, size;
    struct socket_piece pieces[SOCKET_PIECES_MAX];
};

/* False: something leaves the memory. */
static bool gather(struct guest *g, uint32_t ptr, uint32_t count, struct gathered *out)
{
    uint8_t *array;

    out->count = out->size = 0;
    if (!guest_array(g, ptr, count, 8, &array))
        return false;
    for (uint32_t i = 0; i < count && i < NET_PIECES_MAX; i++) {
        uint32_t piece[2]; /* pointer, size */
        uint8_t *data;
        size_t size;

        memcpy(piece, array + (size_t)i * 8, sizeof(piece));
        if (!guest_bytes(g, piece[0], piece[1], &data))
            return false;
        size = NET_TRANSFER_MAX - out->size;
        if (size > piece[1])
            size = piece[1];
        if (size == 0 || out->count == SOCKET_PIECES_MAX)
            continue;
        vmem_prepare(data, size);
        out->pieces[out->count++] = (struct socket_piece){data, size};
        out->size += size;
    }
    return true;
}

/* Whether others that are ready go first: their reads together, and then all the writes, are faster
 * than a read, a write, a read, and so on, for the way through the kernel is long, and what it
 * needs does not stay in the cache. A write lets them go first once. */
static bool lets_others_go(struct guest *g, struct net_stream *s)
{
    struct process *p = g->process;

    if (p->wait.kind == WAIT_NET_TURN) {
        wait_end(p);
        return false;
    }
    if (p->wait.kind != WAIT_NONE || !scheduler_has_batch(guest_worker(g)))
        return false;
    wait_begin(p, WAIT_NET_TURN, DEADLINE_NEVER, NULL, s);
    return true;
}

struct outcome net_stream_write(struct guest *g, const char *function, enum resource_kind kind,
                                uint64_t id, uint32_t pieces, uint32_t piece_count,
                                uint32_t opaque_out)
{
    struct net_stream *s;
    struct gathered what;
    enum net_result r;
    struct error err;
    size_t count = 0;

    if (UNLIKELY(!gather(g, pieces, piece_count, &what) || !guest_range(g, opaque_out, 8)))
        return guest_trap_range_in(g, function);
    s = stream_of(g, kind, id);
    if (UNLIKELY(!s))
        return guest_trap_in(g, function, UNKNOWN);
    if (what.count == 0)
        return net_ended(g, NET_DONE, opaque_out, 0, NULL);
    if (lets_others_go(g, s))
        return guest_yield();
    r = stream_write(s->stream, guest_worker(g), &g->process->task, what.pieces, what.count, &count,
                     &err);
    if (r == NET_WAIT)
        return wait_for(g, s, NET_CALL_WRITE);
    return net_ended(g, r, opaque_out, count, &err);
}

struct outcome net_stream_flush(struct guest *g, const char *function, enum resource_kind kind,
                                uint64_t id, uint32_t error_out)
{
    struct net_stream *s = stream_of(g, kind, id);
    enum net_result r;
    struct outcome o;
    struct error err;

    if (!s)
        return guest_trap_in(g, function, UNKNOWN);
    if (!guest_range(g, error_out, 8))
        return guest_trap_range_in(g, function);
    r = stream_flush(s->stream, guest_worker(g), &g->process->task, &err);
    if (r == NET_WAIT) {
        o = wait_for(g, s, NET_CALL_FLUSH);
        return o.kind == OUTCOME_DONE ? net_timed_out(g, error_out) : o;
    }
    return net_ended(g, r, error_out, 0, &err);
}

struct outcome net_stream_set_timeout(struct guest *g, const char *function,
                                      enum resource_kind kind, uint64_t id,
                                      enum stream_timeout which, uint64_t timeout_ms)
{
    struct net_stream *s = stream_of(g, kind, id);

    if (!s)
        return guest_trap_in(g, function, UNKNOWN);
    stream_set_timeout_ms(s->stream, which, timeout_ms);
    return done(0);
}

struct outcome net_stream_get_timeout(struct guest *g, const char *function,
                                      enum resource_kind kind, uint64_t id,
                                      enum stream_timeout which)
{
    struct net_stream *s = stream_of(g, kind, id);

    if (!s)
        return guest_trap_in(g, function, UNKNOWN);
    return done(stream_timeout_ms(s->stream, which));
}

/* ---- ids ---- */

struct outcome net_clone(struct guest *g, const char *function, enum resource_kind kind,
                         uint64_t id)
{
    struct resource *r = resource_get(g->process, kind, id);
    uint64_t clone;

    if (!r)
        return guest_trap_in(g, function, UNKNOWN);
    if (!resource_add(g->process, resource_ref(r), &clone)) {
        resource_unref(r);
        return guest_trap_in(g, function, NET_TOO_MUCH);
    }
    return done(clone);
}

struct outcome net_drop(struct guest *g, const char *function, enum resource_kind kind, uint64_t id)
{
    struct resource *r = resource_take(g->process, kind, id);

    if (!r)
        return guest_trap_in(g, function, UNKNOWN);
    resource_unref(r);
    return done(0);
}
