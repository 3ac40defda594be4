/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagrams: several receivers of one socket, senders that have to wait, what fails. */
#include "net/udp.h"
#include "plat/clock.h"
#include "plat/random.h"
#include "plat/thread.h"
#include "support.h"

static const struct task_class no_class;

struct two {
    struct scheduler *scheduler;
    struct net net;
    struct udp_socket *server, *client;
    struct task a, b;
};

static bool begin(struct two *x)
{
    memset(x, 0, sizeof(*x));
    x->scheduler = make_workers(1);
    net_init(&x->net, x->scheduler);
    task_init(&x->a, &no_class);
    task_init(&x->b, &no_class);
    return EXPECT(udp_open(&x->net, &loopback, &x->server, NULL)) &&
           EXPECT(udp_open(&x->net, &loopback, &x->client, NULL)) &&
           EXPECT(udp_connect(x->client, &x->server->local, NULL));
}

static void end(struct two *x)
{
    udp_free(x->server);
    udp_free(x->client);
    CHECK(atomic_load(&x->net.socket_count) == 0);
    net_deinit(&x->net);
    scheduler_free(x->scheduler);
}

static enum net_result receive(struct two *x, struct task *t, int *n)
{
    size_t count = 0;
    enum net_result r;

    r = udp_receive(x->server, NULL, t, n, sizeof(*n), &count, NULL, NULL);
    EXPECT(r != NET_DONE || count == sizeof(*n));
    return r;
}

static bool give(struct two *x, int n)
{
    size_t count = 0;

    return EXPECT(udp_send(x->client, NULL, &x->a, &n, sizeof(n), NULL, &count, NULL) ==
                  NET_DONE) &&
           EXPECT(count == sizeof(n));
}

TEST(udp_receivers_have_their_turns)
{
    struct two x;
    int n = 0;

    CHECK(begin(&x));
    CHECK(receive(&x, &x.a, &n) == NET_WAIT && receive(&x, &x.b, &n) == NET_WAIT);
    CHECK(receive(&x, &x.b, &n) == NET_WAIT);
    CHECK(give(&x, 1) && give(&x, 2));
    CHECK(receive(&x, &x.b, &n) == NET_WAIT); /* the other was first */
    CHECK(receive(&x, &x.a, &n) == NET_DONE && n == 1);
    CHECK(receive(&x, &x.a, &n) == NET_WAIT); /* again: behind the other */
    CHECK(receive(&x, &x.b, &n) == NET_DONE && n == 2);
    CHECK(give(&x, 3));
    CHECK(receive(&x, &x.a, &n) == NET_DONE && n == 3);
    end(&x);
}

TEST(udp_who_gives_up_leaves_the_datagram_to_the_next)
{
    struct two x;
    int n = 0;

    CHECK(begin(&x));
    CHECK(receive(&x, &x.a, &n) == NET_WAIT && receive(&x, &x.b, &n) == NET_WAIT);
    CHECK(give(&x, 1));
    udp_leave(x.server, IO_READ, &x.a);
    udp_leave(x.server, IO_READ, &x.a); /* harmless */
    CHECK(receive(&x, &x.b, &n) == NET_DONE && n == 1);
    CHECK(receive(&x, &x.b, &n) == NET_WAIT && receive(&x, &x.a, &n) == NET_WAIT);
    udp_leave(x.server, IO_READ, &x.a); /* one that was not first */
    CHECK(give(&x, 2));
    CHECK(receive(&x, &x.b, &n) == NET_DONE && n == 2);
    end(&x);
}

static void send_from_server(void *arg)
{
    struct two *x = arg;
    size_t count = 0;
    int n = 5;

    EXPECT(udp_send(x->server, NULL, &x->b, &n, sizeof(n), &x->client->local, &count, NULL) ==
           NET_DONE);
    EXPECT(count == sizeof(n));
}

/* The first who has to wait registers the socket; others use it meanwhile. (For ThreadSanitizer,
 * which sees what is not ordered, whichever comes first.) */
TEST(udp_one_sends_while_another_starts_to_wait)
{
    struct thread sender;
    struct two x;
    size_t count = 0;
    int n = 0;

    CHECK(begin(&x));
    CHECK(thread_create(&sender, "test-sender", send_from_server, &x, NULL));
    CHECK(receive(&x, &x.a, &n) == NET_WAIT);
    thread_join(&sender);
    CHECK(udp_receive(x.client, NULL, &x.b, &n, sizeof(n), &count, NULL, NULL) == NET_DONE);
    CHECK(count == sizeof(n) && n == 5);
    CHECK(give(&x, 6));
    CHECK(receive(&x, &x.a, &n) == NET_DONE && n == 6);
    end(&x);
}

/* ---- faults ---- */

static atomic_int faults, fault_errno;
static enum socket_call fault_call;

static int fault(enum socket_call call, int fd, size_t *size)
{
    (void)fd, (void)size;
    if (call == fault_call && atomic_load(&faults) > 0) {
        atomic_fetch_sub(&faults, 1);
        return atomic_load(&fault_errno);
    }
    return 0;
}

static void set_fault(enum socket_call call, int errnum, int count)
{
    fault_call = call;
    atomic_store(&fault_errno, errnum);
    atomic_store(&faults, count);
    socket_set_fault(count ? fault : NULL);
}

/* The first look at a socket that can be sent to wakes who waits. */
TEST(udp_a_sender_waits_for_room)
{
    struct two x;
    size_t count = 0;
    enum net_result r;
    int n = 7, got = 0;

    CHECK(begin(&x));
    set_fault(SOCKET_CALL_SEND, EAGAIN, 2); /* of the sender without, and then with the turn */
    CHECK(udp_send(x.client, NULL, &x.a, &n, sizeof(n), NULL, &count, NULL) == NET_WAIT);
    CHECK(udp_send(x.client, NULL, &x.b, &n, sizeof(n), NULL, &count, NULL) == NET_WAIT);
    set_fault(SOCKET_CALL_SEND, 0, 0);
    udp_leave(x.client, IO_WRITE, &x.b);
    scheduler_poll_once(x.scheduler);
    r = udp_send(x.client, NULL, &x.a, &n, sizeof(n), NULL, &count, NULL);
    CHECK(r == NET_DONE && count == sizeof(n));
    CHECK(receive(&x, &x.b, &got) == NET_DONE && got == 7);
    CHECK(give(&x, 8)); /* nobody holds the turn */
    end(&x);
}

TEST(udp_failures_end_the_call_and_the_turn)
{
    struct two x;
    struct error err = {0};
    size_t count = 0;
    char data[8];
    int n = 1;

    CHECK(begin(&x));
    set_fault(SOCKET_CALL_RECEIVE, ENOMEM, 1);
    CHECK(udp_receive(x.server, NULL, &x.a, data, 8, &count, NULL, &err) == NET_FAILED);
    CHECK_TEXT(err.text, "Cannot allocate memory (os error 12)");
    set_fault(SOCKET_CALL_RECEIVE, EINTR, 3);
    CHECK(receive(&x, &x.b, &n) == NET_WAIT);
    udp_leave(x.server, IO_READ, &x.b);
    set_fault(SOCKET_CALL_SEND, ENOBUFS, 1);
    CHECK(udp_send(x.client, NULL, &x.a, &n, sizeof(n), NULL, &count, &err) == NET_FAILED);
    CHECK_TEXT(err.text, "No buffer space available (os error 105)");
    set_fault(SOCKET_CALL_OPEN, EMFILE, 1);
    CHECK(!udp_open(&x.net, &loopback, &x.server, &err));
    CHECK_TEXT(err.text, "Too many open files (os error 24)");
    set_fault(SOCKET_CALL_OPEN, 0, 0);
    CHECK(atomic_load(&x.net.socket_count) == 2);
    x.net.socket_count_max = 2;
    CHECK(!udp_open(&x.net, &loopback, &x.server, &err));
    CHECK_TEXT(err.text, "Too many open files (os error 24)");
    CHECK(atomic_load(&x.net.refused_count) == 1);
    end(&x);
}

/* ---- many tasks ---- */

enum { RECEIVERS = 12, SENDERS = 4, EACH = 3000, WINDOW = 60 };

struct storm {
    struct net net;
    struct scheduler *scheduler;
    struct udp_socket *server;
    atomic_int sent, received, wrong, left;
    _Atomic uint8_t seen[SENDERS * EACH];
};

struct member {
    struct task task; /* first */
    struct storm *storm;
    struct prng prng;
    int index, next;
    bool is_sender;
};

static enum task_result send_some(struct member *m, struct worker *w)
{
    struct storm *x = m->storm;

    while (m->next < EACH) {
        int n = m->index * EACH + m->next;
        size_t count;

        /* no more than the system keeps: none may be lost */
        if (atomic_load(&x->sent) - atomic_load(&x->received) > WINDOW)
            return TASK_YIELD;
        atomic_fetch_add(&x->sent, 1);
        if (!EXPECT(udp_send(x->server, w, &m->task, &n, sizeof(n), &x->server->local, &count,
                             NULL) == NET_DONE))
            return TASK_DONE;
        m->next++;
    }
    return TASK_DONE;
}

static enum task_result receive_some(struct member *m, struct worker *w)
{
    struct storm *x = m->storm;
    size_t count;
    int n = -1;

    for (;;) {
        /* a kill while it waits, and a successor */
        if (prng_below(&m->prng, 20) == 0)
            udp_leave(x->server, IO_READ, &m->task);
        switch (udp_receive(x->server, w, &m->task, &n, sizeof(n), &count, NULL, NULL)) {
        case NET_WAIT:
            return TASK_PARK;
        case NET_FAILED:
            (void)EXPECT(false && "failed");
            return TASK_DONE;
        case NET_DONE:
            break;
        }
        if (n < 0)
            return TASK_DONE;
        if (count != sizeof(n) || n >= SENDERS * EACH || atomic_fetch_add(&x->seen[n], 1) != 0)
            atomic_fetch_add(&x->wrong, 1);
        if (atomic_fetch_add(&x->received, 1) + 1 == SENDERS * EACH) {
            n = -1; /* tells all of us */
            for (int i = 0; i < RECEIVERS; i++)
                (void)!EXPECT(udp_send(x->server, w, &m->task, &n, sizeof(n), &x->server->local,
                                       &count, NULL) == NET_DONE);
        }
    }
}

static enum task_result member_run(struct task *t, struct worker *w)
{
    struct member *m = (struct member *)t;

    return m->is_sender ? send_some(m, w) : receive_some(m, w);
}

static void member_done(struct task *t, struct worker *w)
{
    struct storm *x = ((struct member *)t)->storm;

    (void)w;
    if (atomic_fetch_sub(&x->left, 1) == 1)
        scheduler_stop(x->scheduler);
}

static const struct task_class member_class = {member_run, member_done, NULL};

TEST(udp_each_datagram_goes_to_one_receiver)
{
    struct storm *x = mem_new(struct storm);
    struct member *all = mem_new_array(struct member, RECEIVERS + SENDERS);

    x->scheduler = make_workers(3);
    net_init(&x->net, x->scheduler);
    atomic_store(&x->left, RECEIVERS + SENDERS);
    CHECK(udp_open(&x->net, &loopback, &x->server, NULL));
    for (int i = 0; i < RECEIVERS + SENDERS; i++) {
        all[i].storm = x;
        all[i].prng.state = (uint64_t)i + 1;
        all[i].is_sender = i >= RECEIVERS;
        all[i].index = i - RECEIVERS;
        task_init(&all[i].task, &member_class);
        task_start(x->scheduler, NULL, &all[i].task);
    }
    CHECK(scheduler_run(x->scheduler, NULL));
    CHECK(atomic_load(&x->received) == SENDERS * EACH && atomic_load(&x->wrong) == 0);
    udp_free(x->server);
    CHECK(atomic_load(&x->net.socket_count) == 0);
    net_deinit(&x->net);
    scheduler_free(x->scheduler);
    mem_free(all);
    mem_free(x);
}
