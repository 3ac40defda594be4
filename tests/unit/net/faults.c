/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Each system call below plat/socket.h is made to fail once in each function that makes it: who
 * asked is told the reason, nothing stays open, and the next attempt succeeds. */
#include "net/udp.h"
#include "support.h"

static enum socket_call bad_call;
static int bad_errno, bad_after; /* of so many calls of that kind that are let through first */

static int fail_once(enum socket_call call, int fd, size_t *size)
{
    int e = bad_errno;

    (void)fd, (void)size;
    if (call != bad_call || e == 0 || bad_after-- > 0)
        return 0;
    bad_errno = 0;
    return e;
}

static void arm(enum socket_call call, int errnum, int after)
{
    bad_call = call;
    bad_errno = errnum;
    bad_after = after;
    socket_set_fault(fail_once);
}

/* True: the fault has happened. */
static bool disarm(void)
{
    socket_set_fault(NULL);
    return bad_errno == 0;
}

static const struct task_class no_class;

struct world {
    struct scheduler *scheduler;
    struct net net;
    struct task task;
    struct listener *listener;
    struct udp_socket *udp;
    struct stream *near, *far; /* connected */
    struct error err;
};

static enum net_result connect_once(struct world *x, struct stream **out)
{
    struct tcp_connect c = {0};
    enum net_result r;

    while ((r = tcp_connect(&c, &x->net, NULL, &x->task, &x->listener->local, out, &x->err)) ==
           NET_WAIT)
        scheduler_poll_once(x->scheduler);
    return r;
}

/* ---- what is tried: NET_DONE or NET_FAILED, and what it made is gone again ---- */

static enum net_result try_listen(struct world *x)
{
    struct listener *l;

    if (!listener_open(&x->net, &loopback, &l, &x->err))
        return NET_FAILED;
    listener_free(l);
    return NET_DONE;
}

static enum net_result try_connect(struct world *x)
{
    struct stream *s;
    enum net_result r = connect_once(x, &s);

    if (r == NET_DONE)
        stream_free(s);
    return r;
}

static enum net_result try_accept(struct world *x)
{
    struct stream *mine, *s;
    enum net_result r;

    if (!EXPECT(connect_once(x, &mine) == NET_DONE))
        return NET_WAIT;
    while ((r = listener_accept(x->listener, NULL, &x->task, &s, &x->err)) == NET_WAIT)
        scheduler_poll_once(x->scheduler);
    if (r == NET_DONE)
        stream_free(s);
    stream_free(mine);
    return r;
}

static enum net_result try_send(struct world *x)
{
    const struct socket_piece piece = {"x", 1};
    size_t count;

    return stream_write(x->near, NULL, &x->task, &piece, 1, &count, &x->err);
}

/* Of a byte that has been sent. */
static enum net_result receive(struct world *x, bool peek)
{
    const struct socket_piece piece = {"x", 1};
    enum net_result r;
    size_t count;
    char data;

    if (!EXPECT(stream_write(x->far, NULL, &x->task, &piece, 1, &count, NULL) == NET_DONE))
        return NET_WAIT;
    while ((r = peek ? stream_peek(x->near, NULL, &x->task, &data, 1, &count, &x->err)
                     : stream_read(x->near, NULL, &x->task, &data, 1, &count, &x->err)) == NET_WAIT)
        scheduler_poll_once(x->scheduler);
    return r;
}

static enum net_result try_read(struct world *x)
{
    return receive(x, false);
}

static enum net_result try_peek(struct world *x)
{
    return receive(x, true);
}

static enum net_result try_udp_open(struct world *x)
{
    struct udp_socket *u;

    if (!udp_open(&x->net, &loopback, &u, &x->err))
        return NET_FAILED;
    udp_free(u);
    return NET_DONE;
}

static enum net_result try_udp_connect(struct world *x)
{
    return udp_connect(x->udp, &x->udp->local, &x->err) ? NET_DONE : NET_FAILED;
}

static enum net_result try_udp_send(struct world *x)
{
    size_t count;

    return udp_send(x->udp, NULL, &x->task, "x", 1, NULL, &count, &x->err);
}

static enum net_result try_udp_send_to(struct world *x)
{
    size_t count;

    return udp_send(x->udp, NULL, &x->task, "x", 1, &x->udp->local, &count, &x->err);
}

static enum net_result try_udp_receive(struct world *x)
{
    enum net_result r;
    size_t count;
    char data;

    if (!EXPECT(udp_send(x->udp, NULL, &x->task, "x", 1, &x->udp->local, &count, NULL) == NET_DONE))
        return NET_WAIT;
    while ((r = udp_receive(x->udp, NULL, &x->task, &data, 1, &count, NULL, &x->err)) == NET_WAIT)
        scheduler_poll_once(x->scheduler);
    return r;
}

/* A function of plat/ itself. */
static enum net_result plain(struct world *x, int e)
{
    if (e == 0)
        return NET_DONE;
    socket_fail(&x->err, e);
    return NET_FAILED;
}

static enum net_result try_set_broadcast(struct world *x)
{
    return plain(x, socket_set_broadcast(net_socket_fd(&x->udp->socket), true));
}

static enum net_result try_get_broadcast(struct world *x)
{
    bool on;

    return plain(x, socket_get_broadcast(net_socket_fd(&x->udp->socket), &on));
}

static enum net_result try_set_ttl(struct world *x)
{
    return plain(x, socket_set_ttl(net_socket_fd(&x->udp->socket), 9));
}

static enum net_result try_get_ttl(struct world *x)
{
    uint32_t ttl;

    return plain(x, socket_get_ttl(net_socket_fd(&x->udp->socket), &ttl));
}

static enum net_result try_peer_address(struct world *x)
{
    struct socket_address a;

    return plain(x, socket_peer_address(net_socket_fd(&x->udp->socket), &a));
}

static enum net_result try_shut_down(struct world *x)
{
    return plain(x, socket_shut_down_sending(net_socket_fd(tcp_stream_socket(x->near))));
}

static const struct {
    enum net_result (*try)(struct world *x);
    enum socket_call call;
    int errnum;
    int after;
} cases[] = {
    {try_listen, SOCKET_CALL_OPEN, EMFILE, 0},
    {try_listen, SOCKET_CALL_OPTION, ENOMEM, 0},
    {try_listen, SOCKET_CALL_BIND, EADDRINUSE, 0},
    {try_listen, SOCKET_CALL_LISTEN, EADDRINUSE, 0},
    {try_listen, SOCKET_CALL_NAME, ENOBUFS, 0},
    {try_connect, SOCKET_CALL_OPEN, ENFILE, 0},
    {try_connect, SOCKET_CALL_CONNECT, EADDRNOTAVAIL, 0},
    {try_connect, SOCKET_CALL_CONNECT, EAGAIN, 0}, /* no reason to wait: there is no socket */
    {try_connect, SOCKET_CALL_OPTION, ENOBUFS, 1}, /* TCP_NODELAY is let through */
    {try_connect, SOCKET_CALL_NAME, ENOBUFS, 0},
    {try_accept, SOCKET_CALL_ACCEPT, EMFILE, 0},
    {try_accept, SOCKET_CALL_ACCEPT, ENOMEM, 0},
    {try_accept, SOCKET_CALL_ACCEPT, ECONNABORTED, 0},
    {try_send, SOCKET_CALL_SEND, ENOBUFS, 0},
    {try_read, SOCKET_CALL_RECEIVE, ENOMEM, 0},
    {try_peek, SOCKET_CALL_RECEIVE, ETIMEDOUT, 0},
    {try_udp_open, SOCKET_CALL_OPEN, ENOBUFS, 0},
    {try_udp_open, SOCKET_CALL_BIND, EADDRINUSE, 0},
    {try_udp_open, SOCKET_CALL_NAME, ENOMEM, 0},
    {try_udp_connect, SOCKET_CALL_CONNECT, ENETUNREACH, 0},
    {try_udp_send, SOCKET_CALL_SEND, ENOBUFS, 0},
    {try_udp_send_to, SOCKET_CALL_SEND, ENOMEM, 0},
    {try_udp_receive, SOCKET_CALL_RECEIVE, ENOMEM, 0},
    {try_set_broadcast, SOCKET_CALL_OPTION, ENOMEM, 0},
    {try_get_broadcast, SOCKET_CALL_OPTION, ENOMEM, 0},
    {try_set_ttl, SOCKET_CALL_OPTION, ENOMEM, 0},
    {try_get_ttl, SOCKET_CALL_OPTION, ENOMEM, 0},
    {try_peer_address, SOCKET_CALL_NAME, ENOBUFS, 0},
    {try_shut_down, SOCKET_CALL_SHUT_DOWN, ENOBUFS, 0},
};

static int lowest_descriptor(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

static bool begin(struct world *x)
{
    enum net_result r;

    memset(x, 0, sizeof(*x));
    x->scheduler = make_workers(1);
    net_init(&x->net, x->scheduler);
    task_init(&x->task, &no_class);
    if (!EXPECT(listener_open(&x->net, &loopback, &x->listener, NULL)) ||
        !EXPECT(udp_open(&x->net, &loopback, &x->udp, NULL)) ||
        !EXPECT(udp_connect(x->udp, &x->udp->local, NULL)) ||
        !EXPECT(connect_once(x, &x->near) == NET_DONE))
        return false;
    while ((r = listener_accept(x->listener, NULL, &x->task, &x->far, NULL)) == NET_WAIT)
        scheduler_poll_once(x->scheduler);
    return EXPECT(r == NET_DONE);
}

static void end(struct world *x)
{
    stream_free(x->near);
    stream_free(x->far);
    udp_free(x->udp);
    listener_free(x->listener);
    CHECK(atomic_load(&x->net.socket_count) == 0);
    net_deinit(&x->net);
    scheduler_free(x->scheduler);
}

/* The first attempt fails for the reason that the system gives, the second is well. */
static bool try_case(size_t i)
{
    struct world x;
    struct error expected;
    uint64_t sockets;
    int lowest;
    bool ok;

    if (!begin(&x))
        return false;
    sockets = atomic_load(&x.net.socket_count);
    lowest = lowest_descriptor();
    socket_fail(&expected, cases[i].errnum);
    arm(cases[i].call, cases[i].errnum, cases[i].after);
    ok = EXPECT(cases[i].try(&x) == NET_FAILED) && EXPECT(disarm()) &&
         EXPECT(strcmp(x.err.text, expected.text) == 0) &&
         EXPECT(atomic_load(&x.net.socket_count) == sockets) &&
         EXPECT(lowest_descriptor() == lowest) && EXPECT(cases[i].try(&x) == NET_DONE) &&
         EXPECT(atomic_load(&x.net.socket_count) == sockets);
    socket_set_fault(NULL);
    end(&x);
    return ok;
}

TEST(every_system_call_of_sockets_may_fail)
{
    bool seen[SOCKET_CALL_COUNT] = {false};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CHECK(try_case(i));
        seen[cases[i].call] = true;
    }
    for (size_t call = 0; call < SOCKET_CALL_COUNT; call++)
        CHECK(seen[call]);
}

/* For want of a descriptor accept fails although nobody has come: that is told when somebody does.
 */
TEST(an_accept_without_a_descriptor_waits_for_a_connection)
{
    struct world x;
    struct stream *mine, *s;
    enum net_result r;

    CHECK(begin(&x));
    arm(SOCKET_CALL_ACCEPT, EMFILE, 0);
    CHECK(listener_accept(x.listener, NULL, &x.task, &s, &x.err) == NET_WAIT && disarm());
    listener_leave(x.listener, &x.task);
    CHECK(connect_once(&x, &mine) == NET_DONE);
    arm(SOCKET_CALL_ACCEPT, EMFILE, 0);
    CHECK(listener_accept(x.listener, NULL, &x.task, &s, &x.err) == NET_FAILED && disarm());
    CHECK_TEXT(x.err.text, "Too many open files (os error 24)");
    while ((r = listener_accept(x.listener, NULL, &x.task, &s, &x.err)) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(r == NET_DONE);
    stream_free(s);
    stream_free(mine);
    end(&x);
}

/* Without TCP_NODELAY a stream is slower, and that is no reason to have none. */
TEST(a_stream_that_must_delay_is_one)
{
    struct world x;
    struct stream *s;

    CHECK(begin(&x));
    arm(SOCKET_CALL_OPTION, ENOBUFS, 0);
    CHECK(connect_once(&x, &s) == NET_DONE && disarm());
    stream_free(s);
    end(&x);
}

/* Nothing has come, and then the poller refuses: it may have no room or no memory; here because the
 * descriptor is none any more. */
static int close_it(enum socket_call call, int fd, size_t *size)
{
    (void)size;
    if (call != SOCKET_CALL_RECEIVE)
        return 0;
    close(fd);
    return EAGAIN;
}

TEST(a_socket_that_cannot_be_waited_for_is_an_error_of_the_call)
{
    struct world x;
    struct stream *s;
    size_t count;
    int fds[2];
    char data;

    CHECK(begin(&x));
    CHECK(make_pair(fds) && net_reserve(&x.net));
    s = tcp_stream_new(&x.net, fds[0], &loopback);
    socket_set_fault(close_it);
    CHECK(stream_read(s, NULL, &x.task, &data, 1, &count, &x.err) == NET_FAILED);
    socket_set_fault(NULL);
    CHECK_TEXT(x.err.text, "Bad file descriptor (os error 9)");
    CHECK(turn_is_held_by(&s->turns[IO_READ], NULL)); /* free for the next */
    stream_free(s);
    socket_close(fds[1]);
    end(&x);
}
