/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/listener.h"
#include "base/mem.h"
#include "net/tcp.h"

bool listener_open(struct net *n, const struct socket_address *at, struct listener **out,
                   struct error *err)
{
    struct listener *l = NULL;
    int fd = -1, e = ENOMEM;

    if (!net_reserve(n))
        return socket_fail(err, EMFILE);
    l = mem_try(struct listener);
    if (!l)
        goto failed;
    e = socket_listen(at, &fd);
    if (e)
        goto failed;
    e = socket_local_address(fd, &l->local);
    if (e)
        goto failed;
    net_socket_init(&l->socket, n, fd);
    *out = l;
    return true;
failed:
    if (fd >= 0)
        socket_close(fd);
    mem_free(l);
    net_unreserve(n);
    return socket_fail(err, e);
}

/* `count`, unless it is NULL, counts those who came. */
static enum net_result refuse(struct listener *l, struct worker *w, struct task *t,
                              _Atomic uint64_t *count, struct error *err)
{
    enum net_result r;

    for (;;) {
        net_socket_before(&l->socket, IO_READ);
        if (socket_can_accept(net_socket_fd(&l->socket))) {
            if (count)
                atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
            return NET_FAILED;
        }
        r = net_socket_wait(&l->socket, IO_READ, w, t, err);
        if (r != NET_DONE)
            return r;
    }
}

enum net_result listener_refuse(struct listener *l, struct worker *w, struct task *t,
                                struct error *err)
{
    return refuse(l, w, t, NULL, err);
}

enum net_result listener_accept(struct listener *l, struct worker *w, struct task *t,
                                struct stream **out, struct error *err)
{
    struct net *n = l->socket.net;
    struct socket_address peer;
    enum net_result r;
    int fd, e;

    for (;;) {
        if (!net_try_reserve(n)) {
            socket_fail(err, EMFILE);
            return refuse(l, w, t, &n->refused_count, err);
        }
        net_socket_before(&l->socket, IO_READ);
        e = socket_accept(net_socket_fd(&l->socket), &fd, &peer);
        if (e == 0)
            break;
        net_unreserve(n);
        if (e != EAGAIN) {
            socket_fail(err, e);
            /* For want of a descriptor the system has not looked whether there is a connection. */
            return e == EMFILE || e == ENFILE ? listener_refuse(l, w, t, err) : NET_FAILED;
        }
        r = net_socket_wait(&l->socket, IO_READ, w, t, err);
        if (r != NET_DONE)
            return r;
    }
    *out = tcp_stream_new(n, fd, &peer);
    if (!*out) {
        socket_fail(err, ENOMEM);
        return NET_FAILED;
    }
    atomic_fetch_add_explicit(&n->accepted_count, 1, memory_order_relaxed);
    return NET_DONE;
}

void listener_leave(struct listener *l, struct task *t)
{
    net_socket_leave(&l->socket, IO_READ, t);
}

static void released(struct net_socket *socket)
{
    mem_free(CONTAINER_OF(socket, struct listener, socket));
}

void listener_free(struct listener *l)
{
    if (l)
        net_socket_close(&l->socket, released);
}
