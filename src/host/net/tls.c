/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::networking: TLS listeners, and the rows of TLS streams. tls_connect.c connects. */
#include "host/net/tls.h"

#define UNKNOWN "unknown id of a listener"

/* ---- listeners ---- */

static void release_listener(struct resource *r)
{
    struct net_tls_listener *l = CONTAINER_OF(r, struct net_tls_listener, resource);

    tls_listener_free(l->listener);
    mem_free(l);
}

static struct net_tls_listener *listener_of(const struct guest *g, uint64_t id)
{
    return (struct net_tls_listener *)resource_get(g->process, RESOURCE_TLS_LISTENER, id);
}

static bool add_listener(struct guest *g, struct tls_listener *listener, uint64_t *id,
                         struct error *err)
{
    struct net_tls_listener *l = mem_try(struct net_tls_listener);

    if (!l) {
        tls_listener_free(listener);
        return socket_fail(err, ENOMEM);
    }
    l->listener = listener;
    return net_hold(g, &l->resource, RESOURCE_TLS_LISTENER, release_listener, id, err);
}

/* What a guest gives a listener, as pointers and sizes. */
struct material {
    uint32_t cert, cert_size, key, key_size, protocols, protocols_size;
};

static bool open_listener(struct guest *g, const struct socket_address *at, struct slice cert,
                          struct slice key, struct slice protocols, uint64_t *id, struct error *err)
{
    struct tls_listener *listener = NULL;
    struct tls_context *context;
    bool ok;

    if (!net_permitted(g, NET_LISTEN, at, err) || !net_has_room(g, err) ||
        !tls_context_new_listener(cert, key, protocols, &context, err))
        return false;
    ok = tls_listener_open(g->host->tls, context, at, &listener, err);
    tls_context_unref(context);
    return ok && add_listener(g, listener, id, err);
}

static struct outcome bind_at(struct guest *g, const char *function,
                              const struct socket_address *at, const struct material *m,
                              uint32_t id_out)
{
    struct slice cert, key, protocols;
    struct error err;
    uint64_t id = 0;

    if (!guest_range(g, id_out, 8) || !guest_slice(g, m->cert, m->cert_size, &cert) ||
        !guest_slice(g, m->key, m->key_size, &key) ||
        !guest_slice(g, m->protocols, m->protocols_size, &protocols))
        return guest_trap_range_in(g, function);
    if (!open_listener(g, at, cert, key, protocols, &id, &err))
        return net_failed(g, id_out, err.text);
    ASSERT(guest_write_u64(g, id_out, id));
    return done(NET_OK);
}

struct outcome host_networking_tls_bind(struct guest *g, uint32_t address_type, uint32_t address,
                                        uint32_t port, uint32_t flow_info, uint32_t scope_id,
                                        uint32_t id_out, uint32_t cert, uint32_t cert_size,
                                        uint32_t key, uint32_t key_size)
{
    const struct material m = {cert, cert_size, key, key_size, 0, 0};
    struct socket_address at;
    struct outcome o;

    if (!net_address_argument(g, __func__, address_type, address, port, flow_info, scope_id, &at,
                              &o))
        return o;
    return bind_at(g, __func__, &at, &m, id_out);
}

struct outcome host_networking_tls_bind_alpn(struct guest *g, uint32_t address_type,
                                             uint32_t address, uint32_t port, uint32_t flow_info,
                                             uint32_t scope_id, uint32_t id_out, uint32_t cert,
                                             uint32_t cert_size, uint32_t key, uint32_t key_size,
                                             uint32_t protocols, uint32_t protocols_size)
{
    const struct material m = {cert, cert_size, key, key_size, protocols, protocols_size};
    struct socket_address at;
    struct outcome o;

    if (!net_address_argument(g, __func__, address_type, address, port, flow_info, scope_id, &at,
                              &o))
        return o;
    return bind_at(g, __func__, &at, &m, id_out);
}

struct outcome host_networking_drop_tls_listener(struct guest *g, uint64_t listener)
{
    return net_drop(g, __func__, RESOURCE_TLS_LISTENER, listener);
}

struct outcome host_networking_tls_local_addr(struct guest *g, uint64_t listener,
                                              uint32_t iterator_out)
{
    struct net_tls_listener *l = listener_of(g, listener);

    if (!l)
        return guest_trap(g, UNKNOWN);
    if (!guest_range(g, iterator_out, 8))
        return guest_trap_range(g);
    return net_give_address(g, __func__, tls_listener_local(l->listener), iterator_out);
}

static void cancel_accept(struct process *p, struct wait *w)
{
    struct net_tls_listener *l = w->object;

    tls_listener_leave(l->listener, &p->task);
}

/* Handshakes under way are descriptors too. */
static uint64_t room(const struct guest *g)
{
    uint64_t max = g->process->config->descriptor_count_max, held = net_held_count(g);

    return max == CONFIG_UNLIMITED ? TLS_HANDSHAKES_MAX : max > held ? max - held : 1;
}

struct outcome host_networking_tls_accept(struct guest *g, uint64_t listener, uint32_t stream_out,
                                          uint32_t peer_out)
{
    struct net_tls_listener *l = listener_of(g, listener);
    struct process *p = g->process;
    struct stream *s = NULL;
    enum net_result r;
    struct error err;

    if (!l)
        return guest_trap(g, UNKNOWN);
    if (!guest_range(g, stream_out, 8) || !guest_range(g, peer_out, 8))
        return guest_trap_range(g);
    r = net_has_room(g, &err)
            ? tls_listener_accept(l->listener, guest_worker(g), &p->task, room(g), &s, &err)
            : tls_listener_refuse(l->listener, guest_worker(g), &p->task, &err);
    if (r == NET_WAIT) {
        if (p->wait.kind == WAIT_NONE)
            wait_begin(p, WAIT_NET_TLS_ACCEPT, DEADLINE_NEVER, cancel_accept, l);
        return guest_park();
    }
    return net_accepted(g, RESOURCE_TLS_STREAM, r, s, &err, stream_out, peer_out);
}

/* ---- streams ---- */

/* Stores what fits of a text about a stream, and returns how long it is. */
static struct outcome tell(struct guest *g, const char *function, uint64_t id,
                           struct slice (*text_of)(struct stream *), uint32_t ptr, uint32_t size)
{
    struct net_stream *s = (struct net_stream *)resource_get(g->process, RESOURCE_TLS_STREAM, id);
    struct slice text;
    uint8_t *buffer;

    if (!s)
        return guest_trap_in(g, function, "unknown id of a stream");
    if (!guest_bytes(g, ptr, size, &buffer))
        return guest_trap_range_in(g, function);
    text = text_of(s->stream);
    if (text.size > 0)
        memcpy(buffer, text.data, text.size < size ? text.size : size);
    return done(text.size);
}

struct outcome host_networking_tls_protocol(struct guest *g, uint64_t stream, uint32_t buffer,
                                            uint32_t buffer_size)
{
    return tell(g, __func__, stream, tls_protocol, buffer, buffer_size);
}

struct outcome host_networking_tls_server_name(struct guest *g, uint64_t stream, uint32_t buffer,
                                               uint32_t buffer_size)
{
    return tell(g, __func__, stream, tls_server_name, buffer, buffer_size);
}

struct outcome host_networking_drop_tls_stream(struct guest *g, uint64_t stream)
{
    return net_drop(g, __func__, RESOURCE_TLS_STREAM, stream);
}

struct outcome host_networking_clone_tls_stream(struct guest *g, uint64_t stream)
{
    return net_clone(g, __func__, RESOURCE_TLS_STREAM, stream);
}

struct outcome host_networking_tls_write_vectored(struct guest *g, uint64_t stream, uint32_t pieces,
                                                  uint32_t piece_count, uint32_t opaque_out)
{
    return net_stream_write(g, __func__, RESOURCE_TLS_STREAM, stream, pieces, piece_count,
                            opaque_out);
}

struct outcome host_networking_tls_read(struct guest *g, uint64_t stream, uint32_t buffer,
                                        uint32_t buffer_size, uint32_t opaque_out)
{
    return net_stream_read(g, __func__, RESOURCE_TLS_STREAM, stream, buffer, buffer_size,
                           opaque_out, false);
}

struct outcome host_networking_tls_flush(struct guest *g, uint64_t stream, uint32_t error_out)
{
    return net_stream_flush(g, __func__, RESOURCE_TLS_STREAM, stream, error_out);
}

struct outcome host_networking_set_tls_read_timeout(struct guest *g, uint64_t stream,
                                                    uint64_t timeout_ms)
{
    return net_stream_set_timeout(g, __func__, RESOURCE_TLS_STREAM, stream, STREAM_READ_TIMEOUT,
                                  timeout_ms);
}

struct outcome host_networking_get_tls_read_timeout(struct guest *g, uint64_t stream)
{
    return net_stream_get_timeout(g, __func__, RESOURCE_TLS_STREAM, stream, STREAM_READ_TIMEOUT);
}

struct outcome host_networking_set_tls_write_timeout(struct guest *g, uint64_t stream,
                                                     uint64_t timeout_ms)
{
    return net_stream_set_timeout(g, __func__, RESOURCE_TLS_STREAM, stream, STREAM_WRITE_TIMEOUT,
                                  timeout_ms);
}

struct outcome host_networking_get_tls_write_timeout(struct guest *g, uint64_t stream)
{
    return net_stream_get_timeout(g, __func__, RESOURCE_TLS_STREAM, stream, STREAM_WRITE_TIMEOUT);
}
