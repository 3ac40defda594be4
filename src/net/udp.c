/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Who receives has the turn: it is the one that waits. Datagrams are sent whole or not at all, so
 * senders need no turn, unless they have to wait; only who has one may touch what is known of the
 * socket's readiness (net_socket_before). */
#include "net/udp.h"
#include "base/mem.h"

bool udp_open(struct net *n, const struct socket_address *at, struct udp_socket **out,
              struct error *err)
{
    struct udp_socket *u = mem_try(struct udp_socket);
    int fd, e;

    if (!u)
        return socket_fail(err, ENOMEM);
    if (!net_reserve(n)) {
        mem_free(u);
        return socket_fail(err, EMFILE);
    }
    e = socket_bind_datagrams(at, &fd);
    if (e == 0) {
        e = socket_local_address(fd, &u->local);
        if (e)
            socket_close(fd);
    }
    if (e) {
        net_unreserve(n);
        mem_free(u);
        return socket_fail(err, e);
    }
    net_socket_init(&u->socket, n, fd);
    *out = u;
    return true;
}

bool udp_connect(struct udp_socket *u, const struct socket_address *to, struct error *err)
{
    int e = socket_connect_datagrams(net_socket_fd(&u->socket), to);

    return e == 0 || socket_fail(err, e);
}

static void leave_turn(struct udp_socket *u, enum io_direction direction, struct worker *w,
                       struct task *t)
{
    turn_leave(&u->turns[direction], t, u->socket.net->scheduler, w);
}

/* The call has ended with `e`. */
static enum net_result ended(int e, struct error *err)
{
    if (e == 0)
        return NET_DONE;
    socket_fail(err, e);
    return NET_FAILED;
}

/* NET_DONE: `t` has the turn. */
static enum net_result take_turn(struct udp_socket *u, enum io_direction direction, struct task *t,
                                 struct error *err)
{
    switch (turn_take(&u->turns[direction], t)) {
    case TURN_MINE:
        return NET_DONE;
    case TURN_WAIT:
        return NET_WAIT;
    case TURN_NO_MEMORY:
    default:
        return ended(ENOMEM, err);
    }
}

static int send_now(struct udp_socket *u, const struct worker *w, const void *data, size_t size,
                    const struct socket_address *to, size_t *count)
{
    const struct socket_piece piece = {data, size};
    int e = to ? socket_send_to(net_socket_fd(&u->socket), data, size, to, count)
               : socket_send(net_socket_fd(&u->socket), &piece, 1, count);

    if (LIKELY(e == 0))
        net_count(u->socket.net, w, COUNT_DATAGRAMS_SENT, 1);
    return e;
}

enum net_result udp_send(struct udp_socket *u, struct worker *w, struct task *t, const void *data,
                         size_t size, const struct socket_address *to, size_t *count,
                         struct error *err)
{
    /* acquire: none is needed, what counts is that nobody who waits is passed for long */
    bool others_wait = atomic_load_explicit(&u->turns[IO_WRITE].holder, memory_order_relaxed) != 0;
    enum net_result r;
    int e = EAGAIN;

    if (LIKELY(!others_wait)) {
        e = send_now(u, w, data, size, to, count);
        if (LIKELY(e != EAGAIN))
            return ended(e, err);
    }
    r = take_turn(u, IO_WRITE, t, err);
    if (r != NET_DONE)
        return r;
    for (;;) {
        net_socket_before(&u->socket, IO_WRITE);
        e = send_now(u, w, data, size, to, count);
        if (e != EAGAIN) {
            r = ended(e, err);
            break;
        }
        r = net_socket_wait(&u->socket, IO_WRITE, w, t, err);
        if (r == NET_WAIT)
            return r;
        if (r == NET_FAILED)
            break;
    }
    leave_turn(u, IO_WRITE, w, t);
    return r;
}

enum net_result udp_receive(struct udp_socket *u, struct worker *w, struct task *t, void *data,
                            size_t size, size_t *count, struct socket_address *from,
                            struct error *err)
{
    enum net_result r = take_turn(u, IO_READ, t, err);

    if (r != NET_DONE)
        return r;
    for (;;) {
        int e;

        net_socket_before(&u->socket, IO_READ);
        e = socket_receive_from(net_socket_fd(&u->socket), data, size, count, from);
        if (e != EAGAIN) {
            net_count(u->socket.net, w, COUNT_DATAGRAMS_RECEIVED, e == 0);
            r = ended(e, err);
            break;
        }
        r = net_socket_wait(&u->socket, IO_READ, w, t, err);
        if (r == NET_WAIT)
            return r;
        if (r == NET_FAILED)
            break;
    }
    leave_turn(u, IO_READ, w, t);
    return r;
}

void udp_leave(struct udp_socket *u, enum io_direction direction, struct task *t)
{
    net_socket_leave(&u->socket, direction, t);
    leave_turn(u, direction, worker_current(), t);
}

static void released(struct net_socket *s)
{
    mem_free(CONTAINER_OF(s, struct udp_socket, socket));
}

void udp_free(struct udp_socket *u)
{
    if (u)
        net_socket_close(&u->socket, released);
}
