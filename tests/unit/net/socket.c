/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* No wake is lost. The steps of a reader, of its peer and of the poller are done in random orders
 * by one thread: the poller's collecting and reporting are two steps, and others may come between
 * any two steps of the reader, within a read right before the system call too. At the end the
 * poller goes on as long as it has something to say, and the reader must have read everything and
 * the end. */
#include "net/socket.h"
#include "plat/random.h"
#include "sched/internal.h"
#include "support.h"
#include <sys/socket.h>

enum { ORDERS = 12000, SCRIPT_MAX = 4 };

struct world {
    struct scheduler *scheduler;
    struct core *core;
    struct net net;
    struct net_socket *socket;
    int peer;
    struct prng prng;
    struct task reader;
    char script[SCRIPT_MAX + 1]; /* what the peer does: 's'end, 'u'rgent, 'f'inish, 'r'eset */
    size_t script_at;
    struct poller_event collected;
    bool has_collected, was_reset;
    size_t sent, received;
};

static struct world *current; /* for the hook */

static void peer_step(struct world *x)
{
    const struct linger none = {.l_onoff = 1};

    switch (x->script[x->script_at++]) {
    case 's':
        (void)EXPECT(send(x->peer, "abc", 3, MSG_NOSIGNAL) == 3);
        x->sent += 3;
        break;
    case 'u': /* the last byte is urgent: it is not part of the stream */
        (void)EXPECT(send(x->peer, "du", 2, MSG_NOSIGNAL | MSG_OOB) == 2);
        x->sent += 1;
        break;
    case 'r':
        (void)EXPECT(setsockopt(x->peer, SOL_SOCKET, SO_LINGER, &none, sizeof(none)) == 0);
        x->was_reset = true;
        socket_close(x->peer);
        x->peer = -1;
        break;
    case 'f':
    default:
        socket_close(x->peer);
        x->peer = -1;
        break;
    }
}

/* False: it has nothing to say. */
static bool poller_step(struct world *x)
{
    if (!x->has_collected) {
        x->has_collected = poller_wait(&x->core->poller, 0, &x->collected, 1) == 1;
        return x->has_collected;
    }
    core_report(x->core, x->collected.data, x->collected.ready);
    x->has_collected = false;
    return true;
}

/* Some steps of the others. */
static void others(struct world *x)
{
    while (prng_below(&x->prng, 2)) {
        if (prng_below(&x->prng, 2) && x->script[x->script_at])
            peer_step(x);
        else
            (void)poller_step(x);
    }
}

static int between(enum socket_call call, int fd, size_t *size)
{
    (void)fd, (void)size;
    if (call == SOCKET_CALL_RECEIVE)
        others(current);
    return 0;
}

/* The reader runs until it parks or has read the end. True: the end. */
static bool read_on(struct world *x)
{
    char data[8];
    size_t count;
    struct error err;

    for (;;) {
        int e;

        others(x);
        e = net_socket_read(x->socket, data, 1 + prng_below(&x->prng, sizeof(data)), false, &count);
        others(x);
        if (e == ECONNRESET)
            return EXPECT(x->was_reset);
        if (e == 0 && count == 0)
            return true;
        if (e == 0) {
            x->received += count;
            continue;
        }
        if (!EXPECT(e == EAGAIN))
            return true;
        switch (net_socket_wait(x->socket, IO_READ, &x->core->pub, &x->reader, &err)) {
        case NET_DONE:
            continue;
        case NET_WAIT:
            return false;
        case NET_FAILED:
        default:
            return EXPECT(false);
        }
    }
}

static void freed(struct net_socket *s)
{
    mem_free(s);
}

static enum task_result never(struct task *t, struct worker *w)
{
    (void)t, (void)w;
    return TASK_DONE;
}

static bool try_order(struct world *x)
{
    static const struct task_class class_ = {.run = never};
    size_t length = 1 + prng_below(&x->prng, SCRIPT_MAX - 1);
    int fds[2];
    bool ended = false;

    if (!make_pair(fds))
        return false;
    memset(x->script, 's', length);
    if (prng_below(&x->prng, 3) == 0) /* once: a second urgent byte would put the first back */
        x->script[prng_below(&x->prng, length)] = 'u';
    x->script[length] = prng_below(&x->prng, 4) ? 'f' : 'r';
    x->script[length + 1] = 0;
    x->script_at = x->sent = x->received = 0;
    x->has_collected = x->was_reset = false;
    x->peer = fds[1];
    x->socket = mem_new(struct net_socket);
    (void)EXPECT(net_reserve(&x->net));
    net_socket_init(x->socket, &x->net, fds[0]);
    task_init(&x->reader, &class_);
    atomic_store(&x->reader.state, TASK_RUNNING);

    while (!ended) {
        ended = read_on(x);
        if (ended)
            break;
        /* It parks, as a worker would have it do. */
        if (atomic_load(&x->reader.state) == TASK_RUNNING)
            atomic_store(&x->reader.state, TASK_PARKED);
        else
            atomic_store(&x->reader.state, TASK_RUNNING);
        while (atomic_load(&x->reader.state) == TASK_PARKED) {
            if (x->script[x->script_at] && prng_below(&x->prng, 2))
                peer_step(x);
            else if (!poller_step(x)) {
                /* The poller is silent: there must be nothing to read, and something to come. */
                if (!EXPECT(x->received == x->sent && x->script[x->script_at]))
                    return false;
                peer_step(x);
            }
        }
        if (atomic_load(&x->reader.state) == TASK_QUEUED) {
            (void)EXPECT(core_pick(x->core) == &x->reader);
            atomic_store(&x->reader.state, TASK_RUNNING);
        }
    }
    if (x->has_collected)
        (void)poller_step(x);
    if (!x->was_reset)
        ended = EXPECT(x->received == x->sent && !x->script[x->script_at]);
    if (x->peer >= 0)
        socket_close(x->peer);
    net_socket_close(x->socket, freed);
    core_release_closed(x->core);
    return ended;
}

TEST(no_order_of_events_loses_a_wake)
{
    struct scheduler_options options = {.deterministic = true, .seed = 1};
    struct world x = {0};

    CHECK(scheduler_new(&options, &x.scheduler, NULL));
    x.core = &x.scheduler->cores[0];
    net_init(&x.net, x.scheduler);
    x.prng.state = 7;
    current = &x;
    socket_set_fault(between);
    for (int i = 0; i < ORDERS / (TEST_SANITIZED ? 4 : 1); i++)
        CHECK(try_order(&x));
    socket_set_fault(NULL);
    net_deinit(&x.net);
    scheduler_free(x.scheduler);
}
