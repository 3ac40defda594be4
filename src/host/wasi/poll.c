/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI: poll_oneoff. Each call looks at all subscriptions; when none has anything to tell, the
 * process parks until the earliest clock or until one of its streams may be ready, and looks again.
 */
#include "host/prototypes.h"
#include "host/wasi/internal.h"

#define SUBSCRIPTION_SIZE 48
#define EVENT_SIZE        32

enum { TAG_CLOCK, TAG_FD_READ, TAG_FD_WRITE };

struct event {
    enum file_error error;
    uint64_t size;
    uint16_t flags;
};

static void poll_free(struct wasi_poll *poll)
{
    if (!poll)
        return;
    for (size_t i = 0; i < poll->count; i++)
        wasi_waiter_cancel(&poll->waiters[i]);
    mem_free(poll);
}

static void oneoff_cancel(struct process *p, struct wait *w)
{
    (void)p;
    poll_free(w->object);
}

/* When the clock subscription `s` of a wait that began at `start_ns` is due, by the scheduler's
 * clock. */
static enum file_error clock_due(struct wasi_shared *sh, const uint8_t *s, uint64_t start_ns,
                                 uint64_t *due_ns)
{
    uint32_t id = wasi_get32(s + 16);
    uint64_t timeout_ns = wasi_get64(s + 24);
    bool absolute = wasi_get16(s + 40) & 1;

    if (id > 3)
        return FERR_INVAL;
    if (id > 1)
        return FERR_BADF;
    if (!absolute) {
        *due_ns = deadline_after(start_ns, timeout_ns);
    } else if (id == 1) {
        *due_ns = deadline_after(sh->start_ns, timeout_ns);
    } else {
        uint64_t now_ns = scheduler_realtime_ns(sh->scheduler);

        *due_ns = timeout_ns <= now_ns
                      ? 0
                      : deadline_after(scheduler_now_ns(sh->scheduler), timeout_ns - now_ns);
    }
    return FERR_OK;
}

/* Whether the descriptor subscription has something to tell. If not, `*h` can be waited for. */
static bool fd_ready(struct guest *g, const uint8_t *s, struct wasi_handle **h, struct event *ev)
{
    bool writes = s[8] == TAG_FD_WRITE;
    struct file_info info;
    struct wasi_fd *f;
    unsigned ready;
    uint64_t at;
    int fd;

    *ev = (struct event){0};
    ev->error =
        wasi_fd_get(g, wasi_get32(s + 16), writes ? WASI_FD_WRITE : WASI_FD_READ, FERR_BADF, &f);
    if (!ev->error && f->handle->kind == FILE_DIRECTORY)
        ev->error = FERR_BADF;
    if (ev->error)
        return true;
    *h = f->handle;
    if (f->handle->captured) { /* takes everything at once */
        ev->size = 1;
        return true;
    }
    fd = atomic_load(&f->handle->fd);
    if (!f->handle->stream &&
        !(f->handle->standard && f->handle->standard->kind == FILE_STREAM_BLOCKING)) {
        if (!writes && !file_get_info(fd, &info) && !file_seek(fd, 0, 1, &at) && at < info.size)
            ev->size = info.size - at;
        else
            ev->size = writes ? 1 : 0;
        return true;
    }
    if (!writes && atomic_load_explicit(&f->handle->shared->has_unread, memory_order_relaxed) &&
        f->handle->standard == f->handle->shared->standard) {
        ev->size = 1;
        return true;
    }
    ready = file_readiness(fd);
    if (!(ready & (writes ? FILE_CAN_WRITE : FILE_CAN_READ)))
        return false;
    ev->size = writes ? 1 : file_readable_size(fd);
    ev->flags = ready & FILE_HAS_HUNGUP ? 1 : 0;
    return true;
}

static void put_event(uint8_t *out, const uint8_t *s, const struct event *ev)
{
    uint64_t userdata = wasi_get64(s);
    uint8_t tag = s[8];

    memset(out, 0, EVENT_SIZE);
    wasi_put64(out, userdata);
    wasi_put16(out + 8, (uint16_t)ev->error);
    out[10] = tag;
    wasi_put64(out + 16, ev->size);
    wasi_put16(out + 24, ev->flags);
}

/* One look at everything. */
struct look {
    uint32_t events; /* stored in `out` */
    uint32_t waits;  /* streams that could be waited for */
    uint64_t due_ns; /* the earliest clock still to come */
};

static enum file_error look(struct guest *g, const uint8_t *in, uint32_t count, uint64_t start_ns,
                            uint8_t *out, struct look *l)
{
    struct wasi_shared *sh = guest_wasi_shared(g);
    uint64_t now_ns = scheduler_now_ns(sh->scheduler);

    *l = (struct look){.due_ns = DEADLINE_NEVER};
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *s = in + (size_t)i * SUBSCRIPTION_SIZE;
        struct wasi_handle *h = NULL;
        struct event ev = {0};
        bool ready = false;
        uint64_t due_ns;

        switch (s[8]) {
        case TAG_CLOCK:
            ev.error = clock_due(sh, s, start_ns, &due_ns);
            ready = ev.error || due_ns <= now_ns;
            if (!ready && due_ns < l->due_ns)
                l->due_ns = due_ns;
            break;
        case TAG_FD_READ:
        case TAG_FD_WRITE:
            ready = fd_ready(g, s, &h, &ev);
            if (!ready && h->stream)
                l->waits++;
            else if (!ready && now_ns + WASI_LOOK_NS < l->due_ns)
                l->due_ns = now_ns + WASI_LOOK_NS;
            break;
        default:
            return FERR_INVAL;
        }
        if (ready)
            put_event(out + (size_t)l->events++ * EVENT_SIZE, s, &ev);
    }
    return FERR_OK;
}

/* Registers for every stream among the subscriptions; none of them was ready at the last look.
 * False: one is now. */
static bool register_all(struct guest *g, const uint8_t *in, uint32_t count, struct wasi_poll *poll)
{
    size_t n = 0;

    for (uint32_t i = 0; i < count && n < poll->count; i++) {
        const uint8_t *s = in + (size_t)i * SUBSCRIPTION_SIZE;
        struct wasi_fd *f;
        enum file_error e;

        if (s[8] == TAG_CLOCK || wasi_fd_get(g, wasi_get32(s + 16), 0, FERR_BADF, &f) ||
            !f->handle->stream)
            continue;
        if (!wasi_stream_wait(f->handle->stream, atomic_load(&f->handle->fd),
                              s[8] == TAG_FD_WRITE ? IO_WRITE : IO_READ, &poll->waiters[n++],
                              &g->process->task, &e))
            return false;
    }
    return true;
}

struct outcome host_wasi_poll_oneoff(struct guest *g, uint32_t in, uint32_t out,
                                     uint32_t nsubscriptions, uint32_t nevents_out)
{
    const uint8_t *subscriptions = wasi_bytes(g, in, (uint64_t)nsubscriptions * SUBSCRIPTION_SIZE);
    uint8_t *events = wasi_bytes(g, out, (uint64_t)nsubscriptions * EVENT_SIZE);
    uint8_t *nevents = wasi_bytes(g, nevents_out, 4);
    struct process *p = g->process;
    struct wasi_poll *poll = NULL;
    uint64_t start_ns;
    enum file_error e;
    struct look l;

    if (p->wait.kind == WAIT_WASI_POLL) {
        start_ns = p->wait.value;
        poll_free(p->wait.object);
        wait_end(p);
    } else {
        start_ns = actors_now_ns(p->environment->actors);
    }
    if (!subscriptions || !events || !nevents)
        return wasi_done(FERR_FAULT);
    if (nsubscriptions == 0 || nsubscriptions > WASI_POLL_MAX)
        return wasi_done(FERR_INVAL);
    for (;;) {
        e = look(g, subscriptions, nsubscriptions, start_ns, events, &l);
        if (e)
            return wasi_done(e);
        if (l.events) {
            wasi_put32(nevents, l.events);
            return wasi_done(FERR_OK);
        }
        if (l.waits) {
            poll = mem_try_alloc(1, sizeof(*poll) + l.waits * sizeof(poll->waiters[0]));
            if (!poll)
                return wasi_done(FERR_NOMEM);
            poll->count = l.waits;
            if (!register_all(g, subscriptions, nsubscriptions, poll)) {
                poll_free(poll);
                poll = NULL;
                continue;
            }
        }
        wait_begin(p, WAIT_WASI_POLL, l.due_ns, oneoff_cancel, poll);
        p->wait.value = start_ns;
        return wasi_parked();
    }
}
