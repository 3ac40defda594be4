/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Why no wake is lost by a read that is left out: before each system call what the poller has
 * reported so far is forgotten; when the call then finds less than it asked for, nothing is left,
 * and whatever comes later is reported later. Three things break "less means nothing is left": an
 * end behind the data (reported together with it, or later), an error, and urgent data, at which a
 * read stops. The poller marks them all (io.is_special), and such a socket is always tried. */
#include "net/socket.h"
#include "plat/vmem.h"

#define LAZY_SIZE_FIRST 2048u /* bytes */

enum { UNREGISTERED, REGISTERING, REGISTERED };

void net_socket_init(struct net_socket *s, struct net *n, int fd)
{
    s->io.fd = fd;
    s->net = n;
    s->lazy_size = LAZY_SIZE_FIRST;
    atomic_init(&s->registration, UNREGISTERED);
}

void net_socket_before(struct net_socket *s, enum io_direction direction)
{
    io_forget(&s->io, direction);
}

/* A buffer that is mostly empty should not cost its size in memory: how much of it to ask for. */
static size_t prepare(struct net_socket *s, const void *data, size_t size)
{
    if (UNLIKELY(vmem_may_be_lazy(data))) {
        if (size > s->lazy_size)
            size = s->lazy_size;
        vmem_prepare(data, size);
    }
    return size;
}

int net_socket_read(struct net_socket *s, void *data, size_t size, bool peek, size_t *count)
{
    size_t asked;
    int e;

    if (s->is_drained) {
        if (!io_is_special(&s->io))
            return EAGAIN; /* net_socket_wait knows better, if something has happened since */
        s->is_drained = false;
    }
    asked = prepare(s, data, size);
    io_forget(&s->io, IO_READ);
    e = socket_receive(s->io.fd, data, asked, peek, count);
    if (e == EAGAIN || (e == 0 && !peek && *count > 0 && *count < asked))
        s->is_drained = true;
    else if (e == 0 && *count == asked && asked < size)
        s->lazy_size *= 2;
    return e;
}

int net_socket_write(struct net_socket *s, const struct socket_piece *pieces, size_t piece_count,
                     size_t *count)
{
    io_forget(&s->io, IO_WRITE);
    return socket_send(s->io.fd, pieces, piece_count, count);
}

/* NET_DONE: it is registered. */
static enum net_result enroll(struct net_socket *s, struct worker *w, struct task *t,
                              struct error *err)
{
    uint8_t seen = UNREGISTERED;
    struct error reason;

    if (!atomic_compare_exchange_strong_explicit(&s->registration, &seen, REGISTERING,
                                                 memory_order_acquire, memory_order_acquire)) {
        if (seen == REGISTERED)
            return NET_DONE;
        task_wake(s->net->scheduler, w, t); /* another worker is at it: look again soon */
        return NET_WAIT;
    }
    if (!io_open_tried(&s->io, s->net->scheduler, w, &reason)) {
        atomic_store_explicit(&s->registration, UNREGISTERED, memory_order_release);
        fail(err, reason.code, "%s", reason.text);
        return NET_FAILED;
    }
    /* release: pairs with the acquire above and in the others */
    atomic_store_explicit(&s->registration, REGISTERED, memory_order_release);
    return NET_DONE;
}

enum net_result net_socket_wait(struct net_socket *s, enum io_direction direction, struct worker *w,
                                struct task *t, struct error *err)
{
    if (UNLIKELY(atomic_load_explicit(&s->registration, memory_order_acquire) != REGISTERED)) {
        enum net_result r = enroll(s, w, t, err);

        if (r != NET_DONE)
            return r;
    }
    switch (io_wait(&s->io, direction, t)) {
    case IO_WAITING:
        return NET_WAIT;
    case IO_READY:
        if (direction == IO_READ)
            s->is_drained = false;
        return NET_DONE;
    case IO_BUSY:
    default:
        socket_fail(err, EBUSY);
        return NET_FAILED;
    }
}

void net_socket_leave(struct net_socket *s, enum io_direction direction, struct task *t)
{
    io_cancel(&s->io, direction, t);
}

static void released(struct io *io)
{
    struct net_socket *s = CONTAINER_OF(io, struct net_socket, io);

    s->release(s);
}

void net_socket_close(struct net_socket *s, void (*release)(struct net_socket *s))
{
    struct net *n = s->net;

    s->release = release;
    if (atomic_load_explicit(&s->registration, memory_order_acquire) == REGISTERED) {
        s->io.release = released;
        io_close(&s->io, n->scheduler, worker_current());
    } else {
        socket_close(s->io.fd);
        release(s);
    }
    net_unreserve(n);
}
