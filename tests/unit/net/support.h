/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the tests of net/ share: schedulers, the loopback, connected pairs. */
#ifndef TEST_NET_SUPPORT_H
#define TEST_NET_SUPPORT_H

#include "base/mem.h"
#include "net/listener.h"
#include "net/tcp.h"
#include "sched/internal.h"
#include "tests/harness/harness.h"
#include <unistd.h>

static const struct socket_address loopback = {.bytes = {127, 0, 0, 1}, .family = 4};

static inline struct scheduler *make_workers(uint32_t count)
{
    struct scheduler_options options = {.worker_count = count};
    struct scheduler *s = NULL;

    EXPECT(scheduler_new(&options, &s, NULL));
    return s;
}

/* Looks at the poller of the first worker, which does not run, and waits for it a moment. */
static inline void scheduler_poll_once(struct scheduler *s)
{
    struct task *t;

    core_poll(&s->cores[0], NS_PER_MS);
    (void)core_take_global(&s->cores[0]);
    while ((t = core_pick(&s->cores[0])) != NULL) /* woken: as if it had run and parked */
        atomic_store(&t->state, TASK_PARKED);
}

/* A connected pair of sockets, of TCP: fds[0] was accepted from fds[1]. */
static inline bool make_pair(int fds[2])
{
    struct socket_address at, peer;
    int listener, e;
    bool ok;

    fds[0] = fds[1] = -1;
    if (!EXPECT(socket_listen(&loopback, &listener) == 0))
        return false;
    ok = EXPECT(socket_local_address(listener, &at) == 0);
    e = socket_connect(&at, &fds[1]);
    ok = ok && EXPECT(e == 0 || e == EINPROGRESS);
    while (ok && (e = socket_accept(listener, &fds[0], &peer)) == EAGAIN)
        thread_yield();
    ok = ok && EXPECT(e == 0);
    while (ok && (e = socket_connected(fds[1], &peer)) == EAGAIN)
        thread_yield();
    ok = ok && EXPECT(e == 0);
    socket_close(listener);
    return ok;
}

#endif
