/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Readiness of descriptors. A descriptor is registered once, for both directions, with the poller
 * of the worker that opened it, and stays there; whoever waits may be a task of any worker.
 *
 * The pattern: try the system call; on EAGAIN call io_wait; IO_READY means try again, IO_WAITING
 * means park and try again when woken. Wakes are hints, so a task that wakes simply tries again. */
#ifndef SCHED_IO_H
#define SCHED_IO_H

#include "base/error.h"
#include "sched/task.h"
#include <stdatomic.h>
#include <stdint.h>

enum io_direction { IO_READ, IO_WRITE };

enum io_wait {
    IO_READY,   /* something happened since the last look: try again */
    IO_WAITING, /* the task is the waiter and will be woken: park */
    IO_BUSY,    /* another task already waits in this direction */
};

/* A registered descriptor. The storage is the caller's until io_close has called `release`. */
struct io {
    int fd;
    uint32_t worker;                /* whose poller */
    bool is_always_ready;           /* a regular file: no poller reports it */
    _Atomic bool is_special;        /* see io_is_special */
    _Atomic uintptr_t side[2];      /* by direction: 0, IO_SIDE_READY, or the task that waits */
    struct io *next;                /* while it waits to be released */
    void (*release)(struct io *io); /* frees the storage; on some worker, or in scheduler_free */
};

#define IO_SIDE_READY ((uintptr_t)1)

/* Registers `fd`, which must be non-blocking. Fails with ERR_OS. Any thread (w NULL: not a worker).
 */
bool io_open(struct io *io, struct scheduler *s, struct worker *w, int fd,
             void (*release)(struct io *io), struct error *err) MUST_USE;

/* The same for `io->fd`, which others may already use (read, write, io_forget, but not wait), for a
 * caller who has tried in each direction that it will wait in: what is ready is reported soon.
 * `release` is to be set before io_close. */
bool io_open_tried(struct io *io, struct scheduler *s, struct worker *w, struct error *err)
    MUST_USE;

/* Before a system call that may say EAGAIN, or may find less than it asks for: forgets that
 * something happened. What happens from now on is seen by io_wait. */
static inline void io_forget(struct io *io, enum io_direction direction)
{
    uintptr_t seen = IO_SIDE_READY;

    if (atomic_load_explicit(&io->side[direction], memory_order_relaxed) == seen)
        /* acquire: pairs with the release in report() */
        atomic_compare_exchange_strong_explicit(&io->side[direction], &seen, 0,
                                                memory_order_acquire, memory_order_relaxed);
}

/* Whether the poller has ever reported the end, an error, or urgent data: then a read that finds
 * less than it asks for does not prove that nothing is left. */
static inline bool io_is_special(const struct io *io)
{
    return atomic_load_explicit(&io->is_special, memory_order_relaxed);
}

/* After EAGAIN: makes `t`, the calling task, the waiter, or says that trying again may succeed. */
enum io_wait io_wait(struct io *io, enum io_direction direction, struct task *t);

/* `t` waits no longer (a timeout, a kill). Harmless if it does not wait. Any thread. */
void io_cancel(struct io *io, enum io_direction direction, struct task *t);

/* Unregisters, closes the descriptor now, wakes both waiters, and calls `release` as soon as the
 * poller's current batch cannot contain it any more. Any thread; nobody may use `io` afterwards. */
void io_close(struct io *io, struct scheduler *s, struct worker *w);

#endif
