/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Waiting for a pipe, a terminal or a socket that says "not yet".
 *
 * The order that loses no wake: the waiter is in the list, the relay is armed, and only then the
 * descriptor is looked at once more. */
#include "host/wasi/internal.h"

static enum task_result relay_run(struct task *t, struct worker *w)
{
    struct wasi_stream *s = CONTAINER_OF(t, struct wasi_stream, relay);
    struct list *node;
    bool closing;

    spinlock_lock(&s->lock);
    closing = s->closing;
    s->armed[IO_READ] = s->armed[IO_WRITE] = false;
    while ((node = list_pop_front(&s->waiters)) != NULL) {
        struct wasi_waiter *waiter = CONTAINER_OF(node, struct wasi_waiter, link);

        waiter->stream = NULL;
        task_wake(s->scheduler, w, waiter->task);
    }
    spinlock_unlock(&s->lock);
    return closing ? TASK_DONE : TASK_PARK;
}

static void relay_done(struct task *t, struct worker *w)
{
    struct wasi_stream *s = CONTAINER_OF(t, struct wasi_stream, relay);

    (void)w;
    if (s->is_ours)
        mem_free(s);
}

static const struct task_class relay_class = {.run = relay_run, .done = relay_done};

void wasi_stream_init(struct wasi_stream *s, struct scheduler *sched, bool is_ours)
{
    s->scheduler = sched;
    s->is_ours = is_ours;
    list_init(&s->waiters);
    task_init(&s->relay, &relay_class);
}

/* The scheduler's pollers know the io no longer: lets the relay end, on a worker. */
static void stream_released(struct io *io)
{
    struct wasi_stream *s = CONTAINER_OF(io, struct wasi_stream, io);

    if (s->is_ours)
        task_wake(s->scheduler, worker_current(), &s->relay);
}

void wasi_stream_close(struct wasi_stream *s)
{
    spinlock_lock(&s->lock);
    s->closing = true;
    spinlock_unlock(&s->lock);
    if (s->has_io)
        io_close(&s->io, s->scheduler, worker_current());
    else if (s->is_ours)
        mem_free(s);
}

bool wasi_stream_wait(struct wasi_stream *s, int fd, enum io_direction direction,
                      struct wasi_waiter *waiter, struct task *t, enum file_error *e)
{
    struct worker *w = worker_current();
    bool is_new = false, ready = false;
    unsigned wanted = direction == IO_READ ? FILE_CAN_READ : FILE_CAN_WRITE;

    *e = FERR_OK;
    spinlock_lock(&s->lock);
    if (!s->has_io) {
        if (io_open(&s->io, s->scheduler, w, fd, stream_released, NULL)) {
            s->has_io = is_new = true;
        } else {
            *e = FERR_IO;
            ready = true;
        }
    }
    if (!ready) {
        waiter->task = t;
        waiter->stream = s;
        list_push_back(&s->waiters, &waiter->link);
        if (!s->armed[direction]) {
            if (io_wait(&s->io, direction, &s->relay) == IO_READY)
                ready = true;
            else
                s->armed[direction] = true;
        }
    }
    spinlock_unlock(&s->lock);
    if (is_new)
        task_start(s->scheduler, w, &s->relay);
    if (ready || (file_readiness(fd) & (wanted | FILE_HAS_HUNGUP))) {
        wasi_waiter_cancel(waiter);
        return false;
    }
    return true;
}

void wasi_waiter_cancel(struct wasi_waiter *waiter)
{
    /* The relay clears `stream` under the stream's lock. A handle, and so the stream, outlives its
     * waiters: the process that waits holds a descriptor of it. */
    struct wasi_stream *s = waiter->stream;

    if (!s)
        return;
    spinlock_lock(&s->lock);
    if (waiter->stream) {
        list_remove(&waiter->link);
        waiter->stream = NULL;
    }
    spinlock_unlock(&s->lock);
}

static void poll_cancel(struct process *p, struct wait *w)
{
    struct wasi_poll *poll = w->object;

    (void)p;
    for (size_t i = 0; i < poll->count; i++)
        wasi_waiter_cancel(&poll->waiters[i]);
    mem_free(poll);
}

void wasi_wait_over(struct guest *g)
{
    struct process *p = g->process;

    if (p->wait.kind == WAIT_WASI_POLL) {
        poll_cancel(p, &p->wait);
        wait_end(p);
    }
}

bool wasi_wait_ready(struct guest *g, struct wasi_handle *h, enum io_direction direction,
                     struct outcome *out)
{
    struct process *p = g->process;
    struct wasi_poll *poll;
    enum file_error e;

    if (p->wait.kind == WAIT_WASI_POLL) {
        poll = p->wait.object;
        wasi_waiter_cancel(&poll->waiters[0]);
    } else {
        poll = mem_try_alloc(1, sizeof(*poll) + sizeof(poll->waiters[0]));
        if (!poll) {
            *out = wasi_done(FERR_NOMEM);
            return false;
        }
        poll->count = 1;
        wait_begin(p, WAIT_WASI_POLL, DEADLINE_NEVER, poll_cancel, poll);
    }
    if (!wasi_stream_wait(h->stream, atomic_load(&h->fd), direction, &poll->waiters[0], &p->task,
                          &e)) {
        if (!e)
            return true;
        wasi_wait_over(g);
        *out = wasi_done(e);
        return false;
    }
    *out = wasi_parked();
    return false;
}
