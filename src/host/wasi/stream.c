/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Waiting for a pipe, a terminal or a socket that says "not yet".
 *
 * The order that loses no wake: the waiter is in the list, the relay is armed, and only then the
 * descriptor is looked at once more. */
#include "host/wasi/internal.h"

/* No poller can report it any more. */
static void stream_released(struct io *io)
{
    mem_free(CONTAINER_OF(io, struct wasi_stream, io));
}

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

        atomic_store_explicit(&waiter->stream, NULL, memory_order_relaxed);
        task_wake(s->shared->scheduler, w, waiter->task);
    }
    spinlock_unlock(&s->lock);
    return closing ? TASK_DONE : TASK_PARK;
}

static void relay_done(struct task *t, struct worker *w)
{
    struct wasi_stream *s = CONTAINER_OF(t, struct wasi_stream, relay);
    struct wasi_shared *sh = s->shared;

    spinlock_lock(&sh->lock); /* whoever closed it is through with it once we have the lock */
    list_remove(&s->link);
    spinlock_unlock(&sh->lock);
    io_close(&s->io, sh->scheduler, w);
}

static const struct task_class relay_class = {.run = relay_run, .done = relay_done};

bool wasi_stream_new(struct wasi_handle *h)
{
    struct wasi_stream *s = mem_try(struct wasi_stream);

    if (!s)
        return false;
    s->shared = h->shared;
    s->handle = h;
    list_init(&s->waiters);
    task_init(&s->relay, &relay_class);
    h->stream = s;
    spinlock_lock(&h->shared->lock);
    list_push_back(&h->shared->streams, &s->link);
    spinlock_unlock(&h->shared->lock);
    return true;
}

bool wasi_stream_close(struct wasi_handle *h)
{
    struct wasi_shared *sh = h->shared;
    struct wasi_stream *s;
    bool closes = false;

    if (h->kind == FILE_REGULAR || h->kind == FILE_DIRECTORY)
        return false; /* never had one */
    spinlock_lock(&sh->lock);
    s = h->stream;
    if (s && s->has_io) {
        closes = true;
        s->handle = NULL;
        spinlock_lock(&s->lock);
        s->closing = true;
        spinlock_unlock(&s->lock);
        task_wake(sh->scheduler, worker_current(), &s->relay);
    } else if (s) {
        list_remove(&s->link);
        mem_free(s);
    }
    spinlock_unlock(&sh->lock);
    return closes;
}

void wasi_streams_end(struct wasi_shared *sh)
{
    struct list *node;

    spinlock_lock(&sh->lock);
    while ((node = list_pop_front(&sh->streams)) != NULL) {
        struct wasi_stream *s = CONTAINER_OF(node, struct wasi_stream, link);

        if (s->handle) {
            s->handle->stream = NULL;
            if (s->has_io) {
                atomic_store(&s->handle->fd, -1);
                if (s->handle->standard)
                    s->handle->standard->owned = false;
            }
        }
        if (s->has_io)
            io_close(&s->io, sh->scheduler, NULL);
        else
            mem_free(s);
    }
    spinlock_unlock(&sh->lock);
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
        if (io_open(&s->io, s->shared->scheduler, w, fd, stream_released, NULL)) {
            s->has_io = is_new = true;
        } else {
            *e = FERR_IO;
            ready = true;
        }
    }
    if (!ready) {
        waiter->task = t;
        atomic_store_explicit(&waiter->stream, s, memory_order_relaxed);
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
        task_start(s->shared->scheduler, w, &s->relay);
    if (ready || (file_readiness(fd) & (wanted | FILE_HAS_HUNGUP))) {
        wasi_waiter_cancel(waiter);
        return false;
    }
    return true;
}

void wasi_waiter_cancel(struct wasi_waiter *waiter)
{
    /* The relay clears `stream` under the stream's lock. The stream outlives its waiters: the
     * process that waits holds a descriptor of it. */
    struct wasi_stream *s = atomic_load_explicit(&waiter->stream, memory_order_relaxed);

    if (!s)
        return;
    spinlock_lock(&s->lock);
    if (atomic_load_explicit(&waiter->stream, memory_order_relaxed)) {
        list_remove(&waiter->link);
        atomic_store_explicit(&waiter->stream, NULL, memory_order_relaxed);
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
