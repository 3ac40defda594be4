/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A socket with what is known of its readiness: below streams, listeners and UDP sockets.
 *
 * It is registered with a poller once, when somebody first has to wait. After a read that found
 * less than it asked for, the next one knows without a system call that there is nothing, unless
 * the poller has reported something since. In each direction one task at a time may read (write) or
 * wait; who sees to that is the object above (turn.h).
 *
 * The pattern:
 *
 *     while ((e = net_socket_read(s, data, size, false, &count)) == EAGAIN)
 *         if ((r = net_socket_wait(s, IO_READ, w, t, err)) != NET_DONE)
 *             return r; // NET_WAIT: the task is the waiter, or NET_FAILED
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/net.h"
#include "sched/io.h"

struct net_socket {
    struct io io; /* io.fd is the socket */
    struct net *net;
    void (*release)(struct net_socket *s); /* frees the storage */
    _Atomic uint8_t registration;          /* enum, socket.c */
    uint32_t lazy_size; /* bytes that a read into lazy memory asks for; of who reads */
    bool is_drained;    /* the last read found the end of what was there; of who reads */
};

/* Takes over `fd` and one net_reserve. The storage is the caller's, all-zero, until `release`. */
void net_socket_init(struct net_socket *s, struct net *n, int fd);

/* Receives at most `size` bytes (> 0), the number in `*count`; 0 bytes: the end. Returns 0 or an
 * errno, EAGAIN: net_socket_wait. `data` may be memory of a guest (vmem_prepare is called here); of
 * a large buffer that is not present yet, only as much is used as recent reads have filled. */
int net_socket_read(struct net_socket *s, void *data, size_t size, bool peek, size_t *count)
    MUST_USE;

/* Sends the pieces, or the first part of them. Returns 0 or an errno, as above. */
int net_socket_write(struct net_socket *s, const struct socket_piece *pieces, size_t piece_count,
                     size_t *count) MUST_USE;

/* For calls that are made on io.fd directly (accept, datagrams): to be called right before one, so
 * that what happens after it is seen by net_socket_wait. */
void net_socket_before(struct net_socket *s, enum io_direction direction);

/* After EAGAIN: NET_DONE: try again; NET_WAIT: `t` (the calling task, on `w`) is the waiter and
 * will be woken; NET_FAILED: it cannot be waited for (another task waits in this direction already,
 * or the system refuses: `err`). */
enum net_result net_socket_wait(struct net_socket *s, enum io_direction direction, struct worker *w,
                                struct task *t, struct error *err) MUST_USE;

/* `t` waits no longer. Harmless if it does not wait. Any thread. */
void net_socket_leave(struct net_socket *s, enum io_direction direction, struct task *t);

/* Closes the descriptor at once; `release` is called when no poller can name it any more: maybe
 * here, maybe later. Any thread; nobody may use `s` afterwards. */
void net_socket_close(struct net_socket *s, void (*release)(struct net_socket *s));

static inline int net_socket_fd(const struct net_socket *s)
{
    return s->io.fd;
}

#endif
