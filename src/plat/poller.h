/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Waits for many descriptors, and for a wake from other threads. */
#ifndef PLAT_POLLER_H
#define PLAT_POLLER_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum poller_ready {
    POLLER_READ = 1,    /* reading, or accepting, does not wait (end and errors included) */
    POLLER_WRITE = 2,   /* writing does not wait (errors included) */
    POLLER_SPECIAL = 4, /* with POLLER_READ: the other side has ended, an error, urgent data */
};

struct poller {
    int epoll_fd;
    int wake_fd;
};

struct poller_event {
    void *data;     /* of poller_add */
    uint32_t ready; /* of enum poller_ready */
};

bool poller_open(struct poller *p, struct error *err) MUST_USE;
void poller_close(struct poller *p);

/* Reports each change of readiness of `fd`, both directions, once: edge-triggered. The first report
 * comes at once if it is ready now. `data` is not NULL. Returns false with ERR_UNSUPPORTED for
 * descriptors that are always ready (regular files), else ERR_OS with the words that guests know
 * (socket_fail). Any thread. */
bool poller_add(struct poller *p, int fd, void *data, struct error *err) MUST_USE;

/* For libraries that expect it so: reports `fd` at every poller_wait while it is ready for what is
 * `wanted` (POLLER_READ | POLLER_WRITE; level-triggered); called again to want something else, 0:
 * not any more, as poller_remove. False: ERR_OS in the words of socket_fail. Any thread. */
bool poller_watch(struct poller *p, int fd, uint32_t wanted, void *data, struct error *err)
    MUST_USE;

/* No poller_wait that begins after this reports `fd`. To be called before it is closed. Any thread.
 */
void poller_remove(struct poller *p, int fd);

/* Waits for at most `timeout_ns` (0: looks only; UINT64_MAX: for ever) and stores at most `max`
 * events; returns how many. 0 also when it was woken, or interrupted by a signal. */
size_t poller_wait(struct poller *p, uint64_t timeout_ns, struct poller_event *events, size_t max);

/* Whether poller_wait would return at once; what it would report stays there. Any thread. */
bool poller_is_ready(const struct poller *p);

/* Ends the poller_wait that runs, or else the next one, early. Any thread; async-signal-safe. */
void poller_wake(struct poller *p);

#endif
