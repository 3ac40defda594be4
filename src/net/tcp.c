/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tcp.h"
#include "base/mem.h"

struct tcp_stream {
    struct stream stream;
    struct net_socket socket;
    void (*then)(void *context); /* to be called at the end; NULL: nothing */
    void *context;
};

static struct tcp_stream *tcp_of(struct stream *s)
{
    return CONTAINER_OF(s, struct tcp_stream, stream);
}

static enum net_result failed(struct error *err, int errnum)
{
    socket_fail(err, errnum);
    return NET_FAILED;
}

static enum net_result tcp_read(struct stream *s, struct worker *w, struct task *t, void *data,
                                size_t size, bool peek, size_t *count, struct error *err)
{
    struct net_socket *socket = &tcp_of(s)->socket;
    enum net_result r;
    int e;

    while ((e = net_socket_read(socket, data, size, peek, count)) == EAGAIN)
        if ((r = net_socket_wait(socket, IO_READ, w, t, err)) != NET_DONE)
            return r;
    return e ? failed(err, e) : NET_DONE;
}

static enum net_result tcp_write(struct stream *s, struct worker *w, struct task *t,
                                 const struct socket_piece *pieces, size_t piece_count,
                                 size_t *count, struct error *err)
{
    struct net_socket *socket = &tcp_of(s)->socket;
    enum net_result r;
    int e;

    while ((e = net_socket_write(socket, pieces, piece_count, count)) == EAGAIN)
        if ((r = net_socket_wait(socket, IO_WRITE, w, t, err)) != NET_DONE)
            return r;
    return e ? failed(err, e) : NET_DONE;
}

/* The system has it all: there is no buffer of ours. */
static enum net_result tcp_flush(struct stream *s, struct worker *w, struct task *t,
                                 struct error *err)
{
    (void)s, (void)w, (void)t, (void)err;
    return NET_DONE;
}

static void tcp_leave(struct stream *s, enum io_direction direction, struct task *t)
{
    net_socket_leave(&tcp_of(s)->socket, direction, t);
}

static void released(struct net_socket *socket)
{
    struct tcp_stream *tcp = CONTAINER_OF(socket, struct tcp_stream, socket);
    void (*then)(void *context) = tcp->then;
    void *context = tcp->context;

    mem_free(tcp);
    if (then)
        then(context);
}

static void tcp_free(struct stream *s)
{
    net_socket_close(&tcp_of(s)->socket, released);
}

static const struct stream_class tcp_class = {
    .read = tcp_read,
    .write = tcp_write,
    .flush = tcp_flush,
    .leave = tcp_leave,
    .free = tcp_free,
};

struct stream *tcp_stream_new(struct net *n, int fd, const struct socket_address *peer)
{
    struct tcp_stream *tcp = mem_try(struct tcp_stream);

    if (!tcp) {
        socket_close(fd);
        net_unreserve(n);
        return NULL;
    }
    /* Whoever writes in small pieces wants them to leave: there is no function to ask for that. */
    socket_set_no_delay(fd, true);
    stream_init(&tcp->stream, &tcp_class, n, peer);
    net_socket_init(&tcp->socket, n, fd);
    return &tcp->stream;
}

struct net_socket *tcp_stream_socket(struct stream *s)
{
    ASSERT(s->class_ == &tcp_class);
    return &tcp_of(s)->socket;
}

void tcp_stream_close(struct stream *s, void (*then)(void *context), void *context)
{
    ASSERT(s->class_ == &tcp_class);
    tcp_of(s)->then = then;
    tcp_of(s)->context = context;
    stream_free(s);
}

/* ---- connecting ---- */

static bool begin(struct tcp_connect *c, struct net *n, const struct socket_address *to,
                  struct error *err)
{
    int fd, e;

    if (!net_reserve(n))
        return socket_fail(err, EMFILE);
    e = socket_connect(to, &fd);
    if (e && e != EINPROGRESS) {
        net_unreserve(n);
        return socket_fail(err, e);
    }
    c->stream = tcp_stream_new(n, fd, to);
    if (!c->stream) {
        socket_fail(err, ENOMEM);
        return false;
    }
    return true;
}

enum net_result tcp_connect(struct tcp_connect *c, struct net *n, struct worker *w, struct task *t,
                            const struct socket_address *to, struct stream **out, struct error *err)
{
    struct net_socket *socket;
    enum net_result r;
    int e;

    if (!c->stream && !begin(c, n, to, err))
        return NET_FAILED;
    ASSERT(c->stream != NULL);
    socket = tcp_stream_socket(c->stream);
    for (;;) {
        net_socket_before(socket, IO_WRITE);
        e = socket_connected(net_socket_fd(socket), &c->stream->peer);
        if (e != EAGAIN)
            break;
        r = net_socket_wait(socket, IO_WRITE, w, t, err);
        if (r == NET_WAIT)
            return r;
        if (r == NET_FAILED) {
            tcp_connect_leave(c, t);
            return r;
        }
    }
    if (e) {
        tcp_connect_leave(c, t);
        return failed(err, e);
    }
    atomic_fetch_add_explicit(&n->connected_count, 1, memory_order_relaxed);
    *out = c->stream;
    c->stream = NULL;
    return NET_DONE;
}

void tcp_connect_leave(struct tcp_connect *c, struct task *t)
{
    if (!c->stream)
        return;
    net_socket_leave(tcp_stream_socket(c->stream), IO_WRITE, t);
    stream_free(c->stream);
    c->stream = NULL;
}
