/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/io.h"
#include "sched/internal.h"
#include <unistd.h>

/* io->fd is read only: tasks may be using it. */
static bool open_with(struct io *io, struct scheduler *s, struct worker *w, uintptr_t sides,
                      struct error *err)
{
    struct core *c = w ? core_of(w) : &s->cores[0];
    struct error poller_error;

    io->worker = c->pub.index;
    io->is_always_ready = false;
    io->next = NULL;
    atomic_store_explicit(&io->is_special, false, memory_order_relaxed);
    atomic_store_explicit(&io->side[IO_READ], sides, memory_order_relaxed);
    atomic_store_explicit(&io->side[IO_WRITE], sides, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->io_count, 1, memory_order_relaxed);
    if (poller_add(&c->poller, io->fd, io, &poller_error))
        return true;
    atomic_fetch_sub_explicit(&c->io_count, 1, memory_order_relaxed);
    if (poller_error.code == ERR_UNSUPPORTED) {
        io->is_always_ready = true;
        return true;
    }
    return fail(err, poller_error.code, "%s", poller_error.text);
}

bool io_open(struct io *io, struct scheduler *s, struct worker *w, int fd,
             void (*release)(struct io *io), struct error *err)
{
    io->fd = fd;
    io->release = release;
    return open_with(io, s, w, IO_SIDE_READY, err); /* not known: so a look is worth it */
}

bool io_open_tried(struct io *io, struct scheduler *s, struct worker *w, struct error *err)
{
    return open_with(io, s, w, 0, err);
}

enum io_wait io_wait(struct io *io, enum io_direction direction, struct task *t)
{
    uintptr_t seen = 0;

    if (io->is_always_ready)
        return IO_READY;
    /* acq_rel: pairs with the exchange in report() */
    if (atomic_compare_exchange_strong_explicit(&io->side[direction], &seen, (uintptr_t)t,
                                                memory_order_acq_rel, memory_order_acquire))
        return IO_WAITING;
    if (seen == (uintptr_t)t)
        return IO_WAITING;
    if (seen != IO_SIDE_READY)
        return IO_BUSY;
    /* Only the poller sets READY, and only a waiter-to-be clears it: if another was quicker, trying
     * again is right too. */
    atomic_compare_exchange_strong_explicit(&io->side[direction], &seen, 0, memory_order_acq_rel,
                                            memory_order_acquire);
    return IO_READY;
}

void io_cancel(struct io *io, enum io_direction direction, struct task *t)
{
    uintptr_t seen = (uintptr_t)t;

    atomic_compare_exchange_strong_explicit(&io->side[direction], &seen, 0, memory_order_acq_rel,
                                            memory_order_relaxed);
}

static void report(struct io *io, struct scheduler *s, struct worker *w,
                   enum io_direction direction)
{
    uintptr_t seen =
        atomic_exchange_explicit(&io->side[direction], IO_SIDE_READY, memory_order_acq_rel);

    if (seen > IO_SIDE_READY)
        task_wake(s, w, (struct task *)seen);
}

void io_close(struct io *io, struct scheduler *s, struct worker *w)
{
    struct core *c = &s->cores[io->worker];

    if (!io->is_always_ready) {
        poller_remove(&c->poller, io->fd);
        atomic_fetch_sub_explicit(&c->io_count, 1, memory_order_relaxed);
    }
    close(io->fd);
    report(io, s, w, IO_READ);
    report(io, s, w, IO_WRITE);
    if (w == &c->pub || io->is_always_ready) { /* not within a batch: tasks do not run there */
        io->release(io);
        return;
    }
    io->next = atomic_load_explicit(&c->io_closed, memory_order_relaxed);
    /* release: pairs with the acquire in core_release_closed */
    while (!atomic_compare_exchange_weak_explicit(&c->io_closed, &io->next, io,
                                                  memory_order_release, memory_order_relaxed))
        ;
    if (atomic_fetch_add_explicit(&c->io_closed_count, 1, memory_order_relaxed) + 1 == CLOSED_MAX)
        poller_wake(&c->poller); /* it may sleep for long */
}

void core_release_closed(struct core *c)
{
    struct io *io, *next;

    if (!atomic_load_explicit(&c->io_closed, memory_order_relaxed))
        return;
    atomic_store_explicit(&c->io_closed_count, 0, memory_order_relaxed);
    for (io = atomic_exchange_explicit(&c->io_closed, NULL, memory_order_acquire); io; io = next) {
        next = io->next;
        io->release(io);
    }
}

void core_report(struct core *c, struct io *io, uint32_t ready)
{
    struct worker *w = &c->pub;

    /* The exchange in report() publishes it. */
    if (ready & POLLER_SPECIAL)
        atomic_store_explicit(&io->is_special, true, memory_order_relaxed);
    if (ready & POLLER_READ)
        report(io, w->scheduler, w, IO_READ);
    if (ready & POLLER_WRITE)
        report(io, w->scheduler, w, IO_WRITE);
}

/* What a batch is about has been left alone for long: it comes to the cache all at once. */
static void prefetch(const struct poller_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(events[i].data, 1);
    for (size_t i = 0; i < count; i++) {
        struct io *io = events[i].data;
        uintptr_t reader = atomic_load_explicit(&io->side[IO_READ], memory_order_relaxed);

        if (reader > IO_SIDE_READY)
            __builtin_prefetch((const void *)reader, 1);
    }
}

/* Looks at a poller on `c`. How much there was. */
static size_t look(struct core *c, struct poller *p, uint64_t timeout_ns)
{
    struct poller_event events[POLL_BATCH];
    size_t count = poller_wait(p, timeout_ns, events, POLL_BATCH);

    prefetch(events, count);
    for (size_t i = 0; i < count; i++)
        core_report(c, events[i].data, events[i].ready);
    COUNT(c->stats.io_events, count);
    return count;
}

bool core_poll_for(struct core *c, struct core *of)
{
    return look(c, &of->poller, 0) == POLL_BATCH;
}

void core_poll(struct core *c, uint64_t timeout_ns)
{
    (void)look(c, &c->poller, timeout_ns);
    /* What was closed before this point was unregistered before: the next batch cannot name it. */
    core_release_closed(c);
}
