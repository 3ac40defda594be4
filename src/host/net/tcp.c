/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::networking: TCP listeners, connecting, and the rows of TCP streams. */
#include "host/net/internal.h"

#define UNKNOWN "unknown id of a listener"

/* ---- listeners ---- */

static void release_listener(struct resource *r)
{
    struct net_listener *l = CONTAINER_OF(r, struct net_listener, resource);

    listener_free(l->listener);
    mem_free(l);
}

static struct net_listener *listener_of(const struct guest *g, uint64_t id)
{
    return (struct net_listener *)resource_get(g->process, RESOURCE_TCP_LISTENER, id);
}

static bool add_listener(struct guest *g, struct listener *listener, uint64_t *id,
                         struct error *err)
{
    struct net_listener *l = mem_try(struct net_listener);

    if (!l) {
        listener_free(listener);
        return socket_fail(err, ENOMEM);
    }
    l->listener = listener;
    return net_hold(g, &l->resource, RESOURCE_TCP_LISTENER, release_listener, id, err);
}

struct outcome host_networking_tcp_bind(struct guest *g, uint32_t address_type, uint32_t address,
                                        uint32_t port, uint32_t flow_info, uint32_t scope_id,
                                        uint32_t id_out)
{
    struct socket_address at;
    struct listener *listener = NULL;
    struct outcome o;
    struct error err;
    uint64_t id = 0;

    if (!net_address_argument(g, __func__, address_type, address, port, flow_info, scope_id, &at,
                              &o))
        return o;
    if (!guest_range(g, id_out, 8))
        return guest_trap_range(g);
    if (!net_permitted(g, NET_LISTEN, &at, &err) || !net_has_room(g, &err) ||
        !listener_open(g->host->net, &at, &listener, &err) || !add_listener(g, listener, &id, &err))
        return net_failed(g, id_out, err.text);
    ASSERT(guest_write_u64(g, id_out, id));
    return done(NET_OK);
}

struct outcome host_networking_drop_tcp_listener(struct guest *g, uint64_t listener)
{
    return net_drop(g, __func__, RESOURCE_TCP_LISTENER, listener);
}

struct outcome host_networking_tcp_local_addr(struct guest *g, uint64_t listener,
                                              uint32_t iterator_out)
{
    struct net_listener *l = listener_of(g, listener);

    if (!l)
        return guest_trap(g, UNKNOWN);
    if (!guest_range(g, iterator_out, 8))
        return guest_trap_range(g);
    return net_give_address(g, __func__, &l->listener->local, iterator_out);
}

static void cancel_accept(struct process *p, struct wait *w)
{
    struct net_listener *l = w->object;

    listener_leave(l->listener, &p->task);
}

struct outcome host_networking_tcp_accept(struct guest *g, uint64_t listener, uint32_t stream_out,
                                          uint32_t peer_out)
{
    struct net_listener *l = listener_of(g, listener);
    struct process *p = g->process;
    struct stream *s = NULL;
    enum net_result r;
    struct error err;

    if (!l)
        return guest_trap(g, UNKNOWN);
    if (!guest_range(g, stream_out, 8) || !guest_range(g, peer_out, 8))
        return guest_trap_range(g);
    r = net_has_room(g, &err) ? listener_accept(l->listener, guest_worker(g), &p->task, &s, &err)
                              : listener_refuse(l->listener, guest_worker(g), &p->task, &err);
    if (r == NET_WAIT) {
        if (p->wait.kind == WAIT_NONE)
            wait_begin(p, WAIT_NET_ACCEPT, DEADLINE_NEVER, cancel_accept, l);
        return guest_park();
    }
    return net_accepted(g, RESOURCE_TCP_STREAM, r, s, &err, stream_out, peer_out);
}

/* ---- connecting ---- */

static void cancel_connect(struct process *p, struct wait *w)
{
    struct tcp_connect c = {w->object};

    tcp_connect_leave(&c, &p->task);
}

static struct outcome wait_for_connect(struct guest *g, struct tcp_connect *c, uint64_t timeout_ms,
                                       uint32_t id_out)
{
    struct process *p = g->process;

    if (p->wait.kind == WAIT_NONE) {
        if (timeout_ms == 0) {
            tcp_connect_leave(c, &p->task);
            return net_timed_out(g, id_out);
        }
        wait_begin(p, WAIT_NET_CONNECT, guest_deadline_ms(g, timeout_ms), cancel_connect,
                   c->stream);
        return guest_park();
    }
    if (!wait_expired(p))
        return guest_park();
    wait_cancel(p);
    return net_timed_out(g, id_out);
}

struct outcome host_networking_tcp_connect(struct guest *g, uint32_t address_type, uint32_t address,
                                           uint32_t port, uint32_t flow_info, uint32_t scope_id,
                                           uint64_t timeout_ms, uint32_t id_out)
{
    struct process *p = g->process;
    struct tcp_connect c = {0};
    struct socket_address to;
    struct stream *s = NULL;
    enum net_result r;
    struct outcome o;
    struct error err;
    uint64_t id = 0;

    if (!net_address_argument(g, __func__, address_type, address, port, flow_info, scope_id, &to,
                              &o))
        return o;
    if (!guest_range(g, id_out, 8))
        return guest_trap_range(g);
    if (p->wait.kind == WAIT_NET_CONNECT)
        c.stream = p->wait.object;
    else if (!net_permitted(g, NET_CONNECT, &to, &err) || !net_has_room(g, &err))
        return net_failed(g, id_out, err.text);
    r = tcp_connect(&c, g->host->net, guest_worker(g), &p->task, &to, &s, &err);
    if (r == NET_WAIT)
        return wait_for_connect(g, &c, timeout_ms, id_out);
    if (p->wait.kind != WAIT_NONE)
        wait_end(p);
    if (r == NET_FAILED || !net_stream_add(g, RESOURCE_TCP_STREAM, s, &id, &err))
        return net_failed(g, id_out, err.text);
    ASSERT(guest_write_u64(g, id_out, id));
    return done(NET_OK);
}

/* ---- streams ---- */

struct outcome host_networking_tcp_peer_addr(struct guest *g, uint64_t stream,
                                             uint32_t iterator_out)
{
    struct net_stream *s =
        (struct net_stream *)resource_get(g->process, RESOURCE_TCP_STREAM, stream);

    if (!s)
        return guest_trap(g, "unknown id of a stream");
    if (!guest_range(g, iterator_out, 8))
        return guest_trap_range(g);
    return net_give_address(g, __func__, &s->stream->peer, iterator_out);
}

struct outcome host_networking_drop_tcp_stream(struct guest *g, uint64_t stream)
{
    return net_drop(g, __func__, RESOURCE_TCP_STREAM, stream);
}

struct outcome host_networking_clone_tcp_stream(struct guest *g, uint64_t stream)
{
    return net_clone(g, __func__, RESOURCE_TCP_STREAM, stream);
}

struct outcome host_networking_tcp_write_vectored(struct guest *g, uint64_t stream, uint32_t pieces,
                                                  uint32_t piece_count, uint32_t opaque_out)
{
    return net_stream_write(g, __func__, RESOURCE_TCP_STREAM, stream, pieces, piece_count,
                            opaque_out);
}

struct outcome host_networking_tcp_read(struct guest *g, uint64_t stream, uint32_t buffer,
                                        uint32_t buffer_size, uint32_t opaque_out)
{
    return net_stream_read(g, __func__, RESOURCE_TCP_STREAM, stream, buffer, buffer_size,
                           opaque_out, false);
}

struct outcome host_networking_tcp_peek(struct guest *g, uint64_t stream, uint32_t buffer,
                                        uint32_t buffer_size, uint32_t opaque_out)
{
    return net_stream_read(g, __func__, RESOURCE_TCP_STREAM, stream, buffer, buffer_size,
                           opaque_out, true);
}

struct outcome host_networking_tcp_flush(struct guest *g, uint64_t stream, uint32_t error_out)
{
    return net_stream_flush(g, __func__, RESOURCE_TCP_STREAM, stream, error_out);
}

struct outcome host_networking_set_read_timeout(struct guest *g, uint64_t stream,
                                                uint64_t timeout_ms)
{
    return net_stream_set_timeout(g, __func__, RESOURCE_TCP_STREAM, stream, STREAM_READ_TIMEOUT,
                                  timeout_ms);
}

struct outcome host_networking_get_read_timeout(struct guest *g, uint64_t stream)
{
    return net_stream_get_timeout(g, __func__, RESOURCE_TCP_STREAM, stream, STREAM_READ_TIMEOUT);
}

struct outcome host_networking_set_write_timeout(struct guest *g, uint64_t stream,
                                                 uint64_t timeout_ms)
{
    return net_stream_set_timeout(g, __func__, RESOURCE_TCP_STREAM, stream, STREAM_WRITE_TIMEOUT,
                                  timeout_ms);
}

struct outcome host_networking_get_write_timeout(struct guest *g, uint64_t stream)
{
    return net_stream_get_timeout(g, __func__, RESOURCE_TCP_STREAM, stream, STREAM_WRITE_TIMEOUT);
}

struct outcome host_networking_set_peek_timeout(struct guest *g, uint64_t stream,
                                                uint64_t timeout_ms)
{
    return net_stream_set_timeout(g, __func__, RESOURCE_TCP_STREAM, stream, STREAM_PEEK_TIMEOUT,
                                  timeout_ms);
}

struct outcome host_networking_get_peek_timeout(struct guest *g, uint64_t stream)
{
    return net_stream_get_timeout(g, __func__, RESOURCE_TCP_STREAM, stream, STREAM_PEEK_TIMEOUT);
}
