/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Streams and sockets in messages.
 *
 * What a process has put into messages counts as held by it until somebody takes it, or it is
 * dropped with its message: else a process could open as many as it likes and keep them in messages
 * to itself. Therefore an attachment is an object of its own, which knows whose it is. */
#include "host/net/internal.h"

#define UNKNOWN "unknown id of a socket"
#define NO_DATA "there is no current data message"

/* How many attachments of a process are under way; outlives it, as long as there are any. */
struct net_sent {
    _Atomic uint64_t references; /* one of the process, one of each attachment */
};

struct attachment {
    struct resource resource; /* the kind is that of the target */
    struct resource *target;  /* one reference */
    struct net_sent *sent;    /* one reference */
};

void net_sent_unref(struct net_sent *s)
{
    /* acquire-release: whoever frees has seen all uses */
    if (s && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
        mem_free(s);
}

uint64_t net_sent_count(const struct guest *g)
{
    return g->sent ? atomic_load_explicit(&g->sent->references, memory_order_relaxed) - 1 : 0;
}

static void release(struct resource *r)
{
    struct attachment *a = CONTAINER_OF(r, struct attachment, resource);

    resource_unref(a->target);
    net_sent_unref(a->sent);
    mem_free(a);
}

/* An attachment of `target`, of which it makes a reference. NULL: no memory. */
static struct attachment *attach(struct guest *g, struct resource *target)
{
    struct attachment *a;

    if (!g->sent) {
        g->sent = mem_try(struct net_sent);
        if (!g->sent)
            return NULL;
        atomic_init(&g->sent->references, 1);
    }
    a = mem_try(struct attachment);
    if (!a)
        return NULL;
    resource_init(&a->resource, (enum resource_kind)target->kind, release);
    a->target = resource_ref(target);
    a->sent = g->sent;
    atomic_fetch_add_explicit(&a->sent->references, 1, memory_order_relaxed);
    return a;
}

struct outcome net_push(struct guest *g, const char *function, enum resource_kind kind, uint64_t id)
{
    struct resource *r = resource_get(g->process, kind, id);
    struct message *m = g->message;
    struct attachment *a;
    uint64_t index;

    if (!r)
        return guest_trap_in(g, function, UNKNOWN);
    if (!m || m->kind != MESSAGE_DATA)
        return guest_trap_in(g, function, NO_DATA);
    a = attach(g, r);
    if (!a)
        return guest_trap_in(g, function, "no memory for an attachment");
    if (!message_push(m, &a->resource, &index)) {
        resource_unref(&a->resource);
        return guest_trap_in(g, function, "too many attachments, or memory runs short");
    }
    resource_unref(resource_take(g->process, kind, id)); /* the attachment has a reference */
    return done(index);
}

struct outcome net_take(struct guest *g, const char *function, enum resource_kind kind,
                        uint64_t index)
{
    struct message *m = g->message;
    struct attachment *a;
    struct resource *r;
    struct error err;
    uint64_t id;

    if (!m || m->kind != MESSAGE_DATA)
        return guest_trap_in(g, function, NO_DATA);
    r = message_resource(m, index);
    if (!r || r->kind != (uint32_t)kind)
        return guest_trap_in(g, function, "there is no such socket at this index");
    a = CONTAINER_OF(r, struct attachment, resource);
    /* What it has sent itself counts already. */
    if (a->sent != g->sent && !net_has_room(g, &err))
        return guest_trap_in(g, function,
                             "this process has as many files and sockets open as it may");
    if (!resource_add(g->process, resource_ref(a->target), &id)) {
        resource_unref(a->target);
        return guest_trap_in(g, function, NET_TOO_MUCH);
    }
    resource_unref(message_take_resource(m, index));
    return done(id);
}

/* ---- the rows ---- */

struct outcome host_message_push_tcp_stream(struct guest *g, uint64_t stream_id)
{
    return net_push(g, __func__, RESOURCE_TCP_STREAM, stream_id);
}

struct outcome host_message_take_tcp_stream(struct guest *g, uint64_t index)
{
    return net_take(g, __func__, RESOURCE_TCP_STREAM, index);
}

struct outcome host_message_push_tls_stream(struct guest *g, uint64_t stream_id)
{
    return net_push(g, __func__, RESOURCE_TLS_STREAM, stream_id);
}

struct outcome host_message_take_tls_stream(struct guest *g, uint64_t index)
{
    return net_take(g, __func__, RESOURCE_TLS_STREAM, index);
}

struct outcome host_message_push_udp_socket(struct guest *g, uint64_t socket_id)
{
    return net_push(g, __func__, RESOURCE_UDP_SOCKET, socket_id);
}

struct outcome host_message_take_udp_socket(struct guest *g, uint64_t index)
{
    return net_take(g, __func__, RESOURCE_UDP_SOCKET, index);
}
