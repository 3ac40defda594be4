/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::networking: UDP sockets. */
#include "host/net/udp.h"
#include "host/net/internal.h"
#include "host/net/rights.h"
#include "plat/vmem.h"

#define UNKNOWN "unknown id of a socket"
#define REFUSED "the system refuses this option of a socket"

#define REFUSED_MAX 64 /* datagrams that rules keep from a process, thrown away in one go */

static void release(struct resource *r)
{
    struct net_udp *u = CONTAINER_OF(r, struct net_udp, resource);

    udp_free(u->socket);
    mem_free(u);
}

static struct udp_socket *socket_of(const struct guest *g, uint64_t id)
{
    struct net_udp *u = (struct net_udp *)resource_get(g->process, RESOURCE_UDP_SOCKET, id);

    return u ? u->socket : NULL;
}

static int fd_of(const struct udp_socket *u)
{
    return net_socket_fd(&u->socket);
}

static bool add(struct guest *g, struct udp_socket *socket, uint64_t *id, struct error *err)
{
    struct net_udp *u = mem_try(struct net_udp);

    if (!u) {
        udp_free(socket);
        return socket_fail(err, ENOMEM);
    }
    u->socket = socket;
    return net_hold(g, &u->resource, RESOURCE_UDP_SOCKET, release, id, err);
}

struct outcome host_networking_udp_bind(struct guest *g, uint32_t address_type, uint32_t address,
                                        uint32_t port, uint32_t flow_info, uint32_t scope_id,
                                        uint32_t id_out)
{
    struct udp_socket *socket = NULL;
    struct socket_address at;
    struct outcome o;
    struct error err;
    uint64_t id = 0;

    if (!net_address_argument(g, __func__, address_type, address, port, flow_info, scope_id, &at,
                              &o))
        return o;
    if (!guest_range(g, id_out, 8))
        return guest_trap_range(g);
    if (!net_may_bind_datagrams(g, &at, &err) || !net_has_room(g, &err) ||
        !udp_open(g->host->net, &at, &socket, &err) || !add(g, socket, &id, &err))
        return net_failed(g, id_out, err.text);
    ASSERT(guest_write_u64(g, id_out, id));
    return done(NET_OK);
}

struct outcome host_networking_drop_udp_socket(struct guest *g, uint64_t socket)
{
    return net_drop(g, __func__, RESOURCE_UDP_SOCKET, socket);
}

struct outcome host_networking_clone_udp_socket(struct guest *g, uint64_t socket)
{
    return net_clone(g, __func__, RESOURCE_UDP_SOCKET, socket);
}

/* ---- addresses ---- */

/* `code_failed`: the result of a failure; that a socket has no such address is NET_ERROR. */
static struct outcome tell_address(struct guest *g, const char *function, uint64_t socket,
                                   int (*address_of)(int fd, struct socket_address *out),
                                   uint64_t code_failed, uint32_t out)
{
    struct udp_socket *u = socket_of(g, socket);
    struct socket_address a;
    struct outcome o;
    struct error err;
    int e;

    if (!u)
        return guest_trap_in(g, function, UNKNOWN);
    if (!guest_range(g, out, 8))
        return guest_trap_range_in(g, function);
    e = address_of(fd_of(u), &a);
    if (!e)
        return net_give_address(g, function, &a, out);
    socket_fail(&err, e);
    o = net_failed(g, out, err.text);
    if (o.kind == OUTCOME_DONE && e != ENOTCONN)
        o.value = code_failed;
    return o;
}

/* Asked for each time: connecting may have changed it. */
struct outcome host_networking_udp_local_addr(struct guest *g, uint64_t socket,
                                              uint32_t iterator_out)
{
    return tell_address(g, __func__, socket, socket_local_address, NET_ERROR, iterator_out);
}

struct outcome host_networking_udp_peer_addr(struct guest *g, uint64_t socket,
                                             uint32_t iterator_out)
{
    return tell_address(g, __func__, socket, socket_peer_address, 2, iterator_out);
}

struct outcome host_networking_udp_connect(struct guest *g, uint64_t socket, uint32_t address_type,
                                           uint32_t address, uint32_t port, uint32_t flow_info,
                                           uint32_t scope_id, uint64_t timeout_ms, uint32_t id_out)
{
    struct udp_socket *u = socket_of(g, socket);
    struct socket_address to;
    struct outcome o;
    struct error err;

    (void)timeout_ms; /* it never waits */
    if (!u)
        return guest_trap(g, UNKNOWN);
    if (!net_address_argument(g, __func__, address_type, address, port, flow_info, scope_id, &to,
                              &o))
        return o;
    if (!guest_range(g, id_out, 8))
        return guest_trap_range(g);
    if (!net_permitted(g, NET_DATAGRAM, &to, &err) || !udp_connect(u, &to, &err))
        return net_failed(g, id_out, err.text);
    ASSERT(guest_write_u64(g, id_out, 0));
    return done(NET_OK);
}

/* ---- datagrams ---- */

static void cancel(struct process *p, struct wait *w)
{
    struct net_udp *u = w->object;

    udp_leave(u->socket, w->extra, &p->task);
}

/* The call has said NET_WAIT. The process, which parks, holds the socket. */
static struct outcome wait_for(struct guest *g, uint64_t id, enum io_direction direction)
{
    struct process *p = g->process;

    if (p->wait.kind == WAIT_NONE) {
        wait_begin(
            p, WAIT_NET_UDP, DEADLINE_NEVER, cancel,
            CONTAINER_OF(resource_get(p, RESOURCE_UDP_SOCKET, id), struct net_udp, resource));
        p->wait.extra = direction;
    }
    return guest_park();
}

static struct outcome send_to(struct guest *g, uint64_t id, struct udp_socket *u,
                              const uint8_t *data, uint32_t size, const struct socket_address *to,
                              uint32_t opaque_out)
{
    enum net_result r;
    size_t count = 0;
    struct error err;

    vmem_prepare(data, size < UDP_SIZE_MAX ? size : UDP_SIZE_MAX); /* more is refused anyway */
    r = udp_send(u, guest_worker(g), &g->process->task, data, size, to, &count, &err);
    if (r == NET_WAIT)
        return wait_for(g, id, IO_WRITE);
    return net_ended(g, r, opaque_out, count, &err);
}

struct outcome host_networking_udp_send(struct guest *g, uint64_t socket, uint32_t buffer,
                                        uint32_t buffer_size, uint32_t opaque_out)
{
    struct udp_socket *u = socket_of(g, socket);
    uint8_t *data;

    if (UNLIKELY(!u))
        return guest_trap(g, UNKNOWN);
    if (UNLIKELY(!guest_bytes(g, buffer, buffer_size, &data) || !guest_range(g, opaque_out, 8)))
        return guest_trap_range(g);
    return send_to(g, socket, u, data, buffer_size, NULL, opaque_out);
}

struct outcome host_networking_udp_send_to(struct guest *g, uint64_t socket, uint32_t buffer,
                                           uint32_t buffer_size, uint32_t address_type,
                                           uint32_t address, uint32_t port, uint32_t flow_info,
                                           uint32_t scope_id, uint32_t opaque_out)
{
    struct udp_socket *u = socket_of(g, socket);
    struct socket_address to;
    struct outcome o;
    struct error err;
    uint8_t *data;

    if (UNLIKELY(!u))
        return guest_trap(g, UNKNOWN);
    if (UNLIKELY(!net_address_argument(g, __func__, address_type, address, port, flow_info,
                                       scope_id, &to, &o)))
        return o;
    if (UNLIKELY(!guest_bytes(g, buffer, buffer_size, &data) || !guest_range(g, opaque_out, 8)))
        return guest_trap_range(g);
    if (UNLIKELY(!net_permitted(g, NET_DATAGRAM, &to, &err)))
        return net_ended(g, NET_FAILED, opaque_out, 0, &err);
    return send_to(g, socket, u, data, buffer_size, &to, opaque_out);
}

/* Receives what the rules of the process let through. `*refused`: only what they do not was there
 * so far, and the others shall have their turn. What is refused must not be seen, so it is received
 * beside the guest's memory. */
static enum net_result receive_permitted(struct guest *g, struct udp_socket *u, uint8_t *data,
                                         size_t size, size_t *count, struct socket_address *from,
                                         bool *refused, struct error *err)
{
    uint8_t beside[UDP_SIZE_MAX];
    struct error why;

    for (int i = 0; i < REFUSED_MAX; i++) {
        enum net_result r =
            udp_receive(u, guest_worker(g), &g->process->task, beside, size, count, from, err);

        if (r != NET_DONE)
            return r;
        if (net_permitted(g, NET_DATAGRAM, from, &why)) {
            memcpy(data, beside, *count);
            return NET_DONE;
        }
    }
    *refused = true;
    return NET_WAIT;
}

static struct outcome receive(struct guest *g, const char *function, uint64_t id, uint32_t buffer,
                              uint32_t size, uint32_t opaque_out, uint32_t iterator_out,
                              bool tells_from)
{
    struct udp_socket *u = socket_of(g, id);
    struct socket_address from;
    bool refused = false;
    enum net_result r;
    size_t count = 0;
    struct error err;
    uint64_t from_id;
    uint8_t *data;

    if (UNLIKELY(!u))
        return guest_trap_in(g, function, UNKNOWN);
    if (UNLIKELY(!guest_bytes(g, buffer, size, &data) || !guest_range(g, opaque_out, 8) ||
                 (tells_from && !guest_range(g, iterator_out, 8))))
        return guest_trap_range_in(g, function);
    if (size > UDP_SIZE_MAX)
        size = UDP_SIZE_MAX;
    if (UNLIKELY(g->process->config->rules != NULL)) {
        r = receive_permitted(g, u, data, size, &count, &from, &refused, &err);
    } else {
        vmem_prepare(data, size);
        r = udp_receive(u, guest_worker(g), &g->process->task, data, size, &count,
                        tells_from ? &from : NULL, &err);
    }
    if (UNLIKELY(refused)) {
        if (g->process->wait.kind != WAIT_NONE)
            wait_end(g->process);
        return guest_yield();
    }
    if (r == NET_WAIT)
        return wait_for(g, id, IO_READ);
    if (r == NET_DONE && tells_from) {
        if (UNLIKELY(!net_add_addresses(g, &from, 1, &from_id))) {
            net_ended(g, r, opaque_out, count, NULL);
            return guest_trap_in(g, function, NET_TOO_MUCH);
        }
        ASSERT(guest_write_u64(g, iterator_out, from_id));
    }
    return net_ended(g, r, opaque_out, count, &err);
}

struct outcome host_networking_udp_receive(struct guest *g, uint64_t socket, uint32_t buffer,
                                           uint32_t buffer_size, uint32_t opaque_out)
{
    return receive(g, __func__, socket, buffer, buffer_size, opaque_out, 0, false);
}

struct outcome host_networking_udp_receive_from(struct guest *g, uint64_t socket, uint32_t buffer,
                                                uint32_t buffer_size, uint32_t opaque_out,
                                                uint32_t iterator_out)
{
    return receive(g, __func__, socket, buffer, buffer_size, opaque_out, iterator_out, true);
}

/* ---- options ---- */

struct outcome host_networking_set_udp_socket_broadcast(struct guest *g, uint64_t socket,
                                                        uint32_t on)
{
    struct udp_socket *u = socket_of(g, socket);

    if (!u)
        return guest_trap(g, UNKNOWN);
    return socket_set_broadcast(fd_of(u), on != 0) ? guest_trap(g, REFUSED) : done(0);
}

struct outcome host_networking_get_udp_socket_broadcast(struct guest *g, uint64_t socket)
{
    struct udp_socket *u = socket_of(g, socket);
    bool on = false;

    if (!u)
        return guest_trap(g, UNKNOWN);
    return socket_get_broadcast(fd_of(u), &on) ? guest_trap(g, REFUSED) : done(on);
}

struct outcome host_networking_set_udp_socket_ttl(struct guest *g, uint64_t socket, uint32_t ttl)
{
    struct udp_socket *u = socket_of(g, socket);

    if (!u)
        return guest_trap(g, UNKNOWN);
    return socket_set_ttl(fd_of(u), ttl) ? guest_trap(g, REFUSED) : done(0);
}

struct outcome host_networking_get_udp_socket_ttl(struct guest *g, uint64_t socket)
{
    struct udp_socket *u = socket_of(g, socket);
    uint32_t ttl = 0;

    if (!u)
        return guest_trap(g, UNKNOWN);
    return socket_get_ttl(fd_of(u), &ttl) ? guest_trap(g, REFUSED) : done(ttl);
}
