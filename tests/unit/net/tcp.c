/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Clients and servers as tasks on several workers, with and without faults of the system; and what
 * single calls promise. */
#include "net/tcp.h"
#include "plat/random.h"
#include "support.h"
#include <sys/socket.h>

/* ---- single calls ---- */

static enum task_result never(struct task *t, struct worker *w)
{
    (void)t, (void)w;
    return TASK_DONE;
}

static const struct task_class never_class = {.run = never};

struct single {
    struct scheduler *scheduler;
    struct net net;
    struct task task, other;
};

static void single_init(struct single *x)
{
    x->scheduler = make_workers(1);
    net_init(&x->net, x->scheduler);
    task_init(&x->task, &never_class);
    task_init(&x->other, &never_class);
}

static void single_deinit(struct single *x)
{
    CHECK(atomic_load(&x->net.socket_count) == 0);
    net_deinit(&x->net);
    scheduler_free(x->scheduler);
}

static struct stream *stream_of(struct single *x, int fd)
{
    (void)EXPECT(net_reserve(&x->net));
    return tcp_stream_new(&x->net, fd, &loopback);
}

TEST(a_read_that_gives_up_leaves_the_bytes_to_the_next)
{
    struct single x;
    struct stream *s;
    char data[8];
    size_t count;
    int fds[2];

    single_init(&x);
    CHECK(make_pair(fds));
    s = stream_of(&x, fds[0]);
    CHECK(stream_read(s, NULL, &x.task, data, 8, &count, NULL) == NET_WAIT);
    CHECK(stream_read(s, NULL, &x.other, data, 8, &count, NULL) == NET_WAIT);
    CHECK(stream_read(s, NULL, &x.task, data, 8, &count, NULL) == NET_WAIT);
    CHECK(send(fds[1], "xy", 2, 0) == 2);
    stream_leave(s, IO_READ, &x.task);
    stream_leave(s, IO_READ, &x.task); /* harmless */
    CHECK(turn_is_held_by(&s->turns[IO_READ], &x.other));
    while (stream_read(s, NULL, &x.other, data, 1, &count, NULL) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(count == 1 && data[0] == 'x');
    CHECK(stream_peek(s, NULL, &x.task, data, 8, &count, NULL) == NET_DONE);
    CHECK(count == 1 && data[0] == 'y');
    CHECK(stream_read(s, NULL, &x.other, data, 8, &count, NULL) == NET_DONE && count == 1);
    stream_free(s);
    socket_close(fds[1]);
    single_deinit(&x);
}

TEST(a_connect_that_is_not_answered_can_be_given_up)
{
    struct single x;
    struct socket_address at;
    struct tcp_connect c[8] = {0};
    struct stream *out[8] = {0};
    enum net_result r = NET_DONE;
    struct error err;
    int listener, i;

    single_init(&x);
    CHECK(socket_listen(&loopback, &listener) == 0);
    CHECK(listen(listener, 0) ==
          0); /* no room for more than one that waits: the next are ignored */
    CHECK(socket_local_address(listener, &at) == 0);
    for (i = 0; i < 8 && r == NET_DONE; i++)
        r = tcp_connect(&c[i], &x.net, NULL, &x.task, &at, &out[i], &err);
    CHECK(r == NET_WAIT && c[i - 1].stream);
    CHECK(stream_timeout_ms(c[i - 1].stream, STREAM_READ_TIMEOUT) == NET_FOREVER);
    tcp_connect_leave(&c[i - 1], &x.task);
    tcp_connect_leave(&c[i - 1], &x.task); /* harmless */
    for (i = 0; i < 8; i++)
        stream_free(out[i]);
    socket_close(listener);
    single_deinit(&x);
}

/* 0.0.0.0 leads to this machine, and the peer is where it has led. */
TEST(the_peer_of_a_stream_is_who_was_reached)
{
    struct socket_address to = {.family = 4};
    struct single x;
    struct listener *l;
    struct tcp_connect c = {0};
    struct stream *s = NULL;

    single_init(&x);
    CHECK(listener_open(&x.net, &loopback, &l, NULL));
    to.port = l->local.port;
    while (tcp_connect(&c, &x.net, NULL, &x.task, &to, &s, NULL) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(s && memcmp(&s->peer, &l->local, sizeof(s->peer)) == 0);
    stream_free(s);
    listener_free(l);
    single_deinit(&x);
}

TEST(sockets_in_all_are_limited)
{
    struct single x;
    struct listener *l[3];
    struct error err;

    single_init(&x);
    x.net.socket_count_max = 2;
    CHECK(listener_open(&x.net, &loopback, &l[0], &err));
    CHECK(listener_open(&x.net, &loopback, &l[1], &err));
    CHECK(!listener_open(&x.net, &loopback, &l[2], &err));
    CHECK_TEXT(err.text, "Too many open files (os error 24)");
    CHECK(atomic_load(&x.net.refused_count) == 1);
    listener_free(l[0]);
    CHECK(listener_open(&x.net, &loopback, &l[2], &err));
    listener_free(l[1]);
    listener_free(l[2]);
    single_deinit(&x);
}

/* Who accepts at the limit waits for a connection, and is told then that there is no room. */
TEST(a_listener_at_the_limit_waits)
{
    struct single x;
    struct listener *l;
    struct stream *s = NULL;
    struct error err;
    enum net_result r;
    int fd, e;

    single_init(&x);
    CHECK(listener_open(&x.net, &loopback, &l, &err));
    x.net.socket_count_max = 1;
    CHECK(listener_accept(l, NULL, &x.task, &s, &err) == NET_WAIT);
    CHECK(listener_accept(l, NULL, &x.task, &s, &err) == NET_WAIT);
    CHECK(atomic_load(&x.net.refused_count) == 0);
    e = socket_connect(&l->local, &fd);
    CHECK(e == 0 || e == EINPROGRESS);
    while ((r = listener_accept(l, NULL, &x.task, &s, &err)) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(r == NET_FAILED);
    CHECK_TEXT(err.text, "Too many open files (os error 24)");
    CHECK(atomic_load(&x.net.refused_count) == 1);
    CHECK(listener_accept(l, NULL, &x.task, &s, &err) == NET_FAILED); /* it is there still */
    x.net.socket_count_max = 2;
    CHECK(listener_accept(l, NULL, &x.task, &s, &err) == NET_DONE);
    x.net.socket_count_max = 1;
    CHECK(listener_accept(l, NULL, &x.task, &s, &err) == NET_WAIT);
    listener_leave(l, &x.task);
    socket_close(fd);
    stream_free(s);
    listener_free(l);
    single_deinit(&x);
}

TEST(nothing_is_left_when_memory_is_gone)
{
    struct single x;
    struct listener *l = NULL;
    struct tcp_connect c = {0};
    struct stream *s = NULL;
    struct error err;

    single_init(&x);
    mem_fail_after(1);
    CHECK(!listener_open(&x.net, &loopback, &l, &err));
    CHECK(listener_open(&x.net, &loopback, &l, &err));
    mem_fail_after(1);
    CHECK(tcp_connect(&c, &x.net, NULL, &x.task, &l->local, &s, &err) == NET_FAILED);
    CHECK_TEXT(err.text, "Cannot allocate memory (os error 12)");
    while (tcp_connect(&c, &x.net, NULL, &x.task, &l->local, &s, &err) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(s);
    stream_free(s);
    mem_fail_after(1); /* the first of the two that wait, one was given up */
    CHECK(listener_accept(l, NULL, &x.task, &s, &err) == NET_FAILED);
    mem_fail_after(0);
    listener_free(l);
    single_deinit(&x);
}

/* ---- many ---- */

enum { CLIENTS = 40, LIVES = 12, CHUNK_MAX = 5000 };

struct town {
    struct scheduler *scheduler;
    struct net net;
    struct listener *listener;
    struct task acceptor;
    struct server *servers; /* all there ever were; of the acceptor */
    atomic_uint clients_left, servers_left, servers_failed, accept_errors;
    atomic_size_t bytes;
    bool faulty;
    atomic_bool closing;
};

struct server {
    struct task task; /* first */
    struct server *next;
    struct town *town;
    struct stream *stream;
    uint8_t data[CHUNK_MAX];
    size_t have, sent;
};

struct client {
    struct task task; /* first */
    struct town *town;
    struct tcp_connect connect;
    struct stream *stream;
    struct prng prng;
    unsigned lives; /* connections that it has had */
    size_t left;    /* bytes of this connection that are not sent yet */
    uint8_t sent_next, received_next;
    size_t out, in; /* of the current chunk: bytes sent, and bytes that came back */
    size_t chunk;
    uint8_t data[CHUNK_MAX];
};

static void end_if_over(struct town *x)
{
    if (atomic_load(&x->clients_left) == 0 && atomic_load(&x->servers_left) == 0)
        scheduler_stop(x->scheduler);
}

static enum task_result serve(struct task *t, struct worker *w)
{
    struct server *s = (struct server *)t;
    enum net_result r;
    struct error err;
    size_t count = 0;

    for (;;) {
        if (s->sent < s->have) {
            struct socket_piece pieces[2] = {{s->data + s->sent, (s->have - s->sent) / 2}};

            pieces[1].data = (const uint8_t *)pieces[0].data + pieces[0].size;
            pieces[1].size = s->have - s->sent - pieces[0].size;
            r = pieces[0].size ? stream_write(s->stream, w, t, pieces, 2, &count, &err)
                               : stream_write(s->stream, w, t, pieces + 1, 1, &count, &err);
            if (r == NET_DONE)
                s->sent += count;
        } else {
            s->sent = s->have = 0;
            r = stream_read(s->stream, w, t, s->data, sizeof(s->data), &s->have, &err);
            if (r == NET_DONE && s->have == 0)
                return TASK_DONE;
        }
        if (r == NET_WAIT)
            return TASK_PARK;
        if (r == NET_FAILED) {
            atomic_fetch_add(&s->town->servers_failed, 1);
            return TASK_DONE;
        }
    }
}

static void served(struct task *t, struct worker *w)
{
    struct server *s = (struct server *)t;
    struct town *x = s->town;

    (void)w;
    stream_free(s->stream); /* the task's storage stays: late wakes and hints may come */
    atomic_fetch_sub(&x->servers_left, 1);
    end_if_over(x);
}

static const struct task_class server_class = {.run = serve, .done = served};

static enum task_result accept_all(struct task *t, struct worker *w)
{
    struct town *x = CONTAINER_OF(t, struct town, acceptor);
    struct server *s;
    struct stream *stream;
    struct error err;

    for (;;) {
        if (atomic_load(&x->closing))
            return TASK_DONE;
        switch (listener_accept(x->listener, w, t, &stream, &err)) {
        case NET_WAIT:
            return TASK_PARK;
        case NET_FAILED:
            (void)EXPECT(x->faulty);
            atomic_fetch_add(&x->accept_errors, 1);
            return TASK_YIELD;
        case NET_DONE:
        default:
            s = mem_new(struct server);
            s->next = x->servers;
            x->servers = s;
            s->town = x;
            s->stream = stream;
            task_init(&s->task, &server_class);
            atomic_fetch_add(&x->servers_left, 1);
            task_start(x->scheduler, w, &s->task);
        }
    }
}

static void accepted_all(struct task *t, struct worker *w)
{
    (void)t, (void)w;
}

static const struct task_class acceptor_class = {.run = accept_all, .done = accepted_all};

/* One connection's life: what is sent comes back. False: it parks. */
static bool talk(struct client *c, struct worker *w)
{
    struct town *x = c->town;
    enum net_result r;
    struct error err;
    size_t count = 0;

    for (;;) {
        if (!c->stream) {
            r = tcp_connect(&c->connect, &x->net, w, &c->task, &x->listener->local, &c->stream,
                            &err);
            c->left = prng_below(&c->prng, 40000);
            c->sent_next = c->received_next = 0;
            c->chunk = c->out = c->in = 0;
        } else if (c->out < c->chunk) {
            const struct socket_piece piece = {c->data + c->out, c->chunk - c->out};

            r = stream_write(c->stream, w, &c->task, &piece, 1, &count, &err);
            if (r == NET_DONE)
                c->out += count;
        } else if (c->in < c->chunk) {
            r = stream_read(c->stream, w, &c->task, c->data, c->chunk - c->in, &count, &err);
            if (r == NET_DONE && count == 0)
                return EXPECT(x->faulty);
            for (size_t i = 0; r == NET_DONE && i < count; i++)
                (void)EXPECT(c->data[i] == c->received_next++);
            if (r == NET_DONE)
                c->in += count;
            atomic_fetch_add(&x->bytes, count);
        } else if (c->left == 0) {
            return true;
        } else {
            c->chunk = 1 + prng_below(&c->prng, CHUNK_MAX);
            if (c->chunk > c->left)
                c->chunk = c->left;
            for (size_t i = 0; i < c->chunk; i++)
                c->data[i] = c->sent_next++;
            c->left -= c->chunk;
            c->out = c->in = 0;
            continue;
        }
        if (r == NET_WAIT) {
            if (prng_below(&c->prng, 50) || !c->stream)
                return false;
            /* A timeout: gives up, and tries again. */
            stream_leave(c->stream, c->out < c->chunk ? IO_WRITE : IO_READ, &c->task);
        }
        if (r == NET_FAILED)
            return EXPECT(x->faulty);
    }
}

static enum task_result live(struct task *t, struct worker *w)
{
    struct client *c = (struct client *)t;

    while (c->lives < LIVES) {
        if (!talk(c, w))
            return TASK_PARK;
        stream_free(c->stream);
        c->stream = NULL;
        c->lives++;
    }
    return TASK_DONE;
}

static void lived(struct task *t, struct worker *w)
{
    struct client *c = (struct client *)t;

    if (atomic_fetch_sub(&c->town->clients_left, 1) == 1) {
        atomic_store(&c->town->closing, true);
        task_wake(c->town->scheduler, w, &c->town->acceptor);
    }
    end_if_over(c->town);
}

static const struct task_class client_class = {.run = live, .done = lived};

static void populate(uint32_t workers, socket_fault_fn *fault)
{
    static struct client clients[CLIENTS];
    struct town x = {.scheduler = make_workers(workers), .faulty = fault != NULL};
    struct server *s;

    net_init(&x.net, x.scheduler);
    CHECK(listener_open(&x.net, &loopback, &x.listener, NULL));
    atomic_store(&x.clients_left, CLIENTS);
    task_init(&x.acceptor, &acceptor_class);
    socket_set_fault(fault);
    task_start(x.scheduler, NULL, &x.acceptor);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.town = &x, .prng = {i + 1}};
        task_init(&clients[i].task, &client_class);
        task_start(x.scheduler, NULL, &clients[i].task);
    }
    CHECK(scheduler_run(x.scheduler, NULL));
    socket_set_fault(NULL);
    CHECK(atomic_load(&x.bytes) > 0);
    CHECK(fault || atomic_load(&x.net.connected_count) == CLIENTS * LIVES);
    CHECK(fault || (atomic_load(&x.servers_failed) == 0 && atomic_load(&x.accept_errors) == 0));
    listener_free(x.listener);
    CHECK(atomic_load(&x.net.socket_count) == 0);
    net_deinit(&x.net);
    scheduler_free(x.scheduler);
    while ((s = x.servers) != NULL) {
        x.servers = s->next;
        mem_free(s);
    }
}

TEST(clients_and_servers_on_one_worker)
{
    populate(1, NULL);
}

TEST(clients_and_servers_on_several_workers)
{
    populate(3, NULL);
}

static _Thread_local struct prng fault_prng;

/* Nothing is lost by these: interruptions and short writes. */
static int harmless(enum socket_call call, int fd, size_t *size)
{
    (void)fd;
    if (prng_below(&fault_prng, 3) == 0)
        return EINTR;
    if (call == SOCKET_CALL_SEND && prng_below(&fault_prng, 2) && size)
        *size = 1 + prng_below(&fault_prng, 100);
    return 0;
}

/* EAGAIN only where the poller will say that it is ready: before the socket is registered. */
static int harmful(enum socket_call call, int fd, size_t *size)
{
    static const int reasons[SOCKET_CALL_COUNT][4] = {
        [SOCKET_CALL_OPEN] = {EMFILE, ENFILE, ENOBUFS, ENOMEM},
        [SOCKET_CALL_OPTION] = {ENOBUFS, ENOMEM, EINVAL, ENOPROTOOPT},
        [SOCKET_CALL_BIND] = {EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOMEM},
        [SOCKET_CALL_LISTEN] = {EADDRINUSE, ENOBUFS, ENOMEM, EINVAL},
        [SOCKET_CALL_CONNECT] = {EADDRNOTAVAIL, EAGAIN, ENETUNREACH, ECONNREFUSED},
        [SOCKET_CALL_ACCEPT] = {EMFILE, ENFILE, ECONNABORTED, ENOBUFS},
        [SOCKET_CALL_NAME] = {ENOBUFS, ENOMEM, EINVAL, ENOBUFS},
        [SOCKET_CALL_RECEIVE] = {ECONNRESET, ETIMEDOUT, ENOBUFS, ENOMEM},
        [SOCKET_CALL_SEND] = {ECONNRESET, EPIPE, ENOBUFS, ENOMEM},
        [SOCKET_CALL_SHUT_DOWN] = {ENOTCONN, ENOBUFS, ENOTCONN, ENOBUFS},
    };

    if (prng_below(&fault_prng, 12) == 0)
        return reasons[call][prng_below(&fault_prng, 4)];
    return harmless(call, fd, size);
}

TEST(clients_and_servers_do_not_notice_interruptions)
{
    populate(3, harmless);
}

TEST(a_faulty_system_leaves_nothing_open)
{
    populate(3, harmful);
}

/* ---- peers that misbehave ---- */

TEST(a_peer_that_resets_is_an_error_and_not_an_end)
{
    const struct linger none = {.l_onoff = 1};
    struct single x;
    struct stream *s;
    struct error err;
    char data[8];
    size_t count;
    int fds[2];
    enum net_result r;

    single_init(&x);
    CHECK(make_pair(fds));
    s = stream_of(&x, fds[0]);
    CHECK(stream_read(s, NULL, &x.task, data, 8, &count, &err) == NET_WAIT);
    CHECK(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &none, sizeof(none)) == 0);
    socket_close(fds[1]);
    while ((r = stream_read(s, NULL, &x.task, data, 8, &count, &err)) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(r == NET_FAILED);
    CHECK_TEXT(err.text, "Connection reset by peer (os error 104)");
    stream_free(s);
    single_deinit(&x);
}

TEST(a_peer_that_closes_half_can_still_be_written_to)
{
    const struct socket_piece piece = {"answer", 6};
    struct single x;
    struct stream *s;
    struct error err;
    char data[8];
    size_t count;
    int fds[2];

    single_init(&x);
    CHECK(make_pair(fds));
    s = stream_of(&x, fds[0]);
    CHECK(send(fds[1], "ask", 3, 0) == 3);
    CHECK(socket_shut_down_sending(fds[1]) == 0);
    while (stream_read(s, NULL, &x.task, data, 8, &count, &err) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(count == 3);
    while (stream_read(s, NULL, &x.task, data, 8, &count, &err) == NET_WAIT)
        scheduler_poll_once(x.scheduler);
    CHECK(count == 0); /* no wake is lost by the end behind the data */
    CHECK(stream_write(s, NULL, &x.task, &piece, 1, &count, &err) == NET_DONE && count == 6);
    CHECK(recv(fds[1], data, 8, MSG_WAITALL) >= 0);
    stream_free(s);
    socket_close(fds[1]);
    single_deinit(&x);
}
