/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI: sockets. The only ones a guest can have here are the runtime's own standard streams, as a
 * super-server starts programs, and what it accepts from one that listens. */
#include "host/prototypes.h"
#include "host/wasi/internal.h"

enum { RIFLAG_PEEK = 1, RIFLAG_WAITALL = 2, ROFLAG_TRUNCATED = 1 };
enum { SD_RECEIVE = 1, SD_SEND = 2 };

#define ACCEPT_WAIT_MS 100 /* how often a job that waits looks whether it is still wanted */

static enum file_error socket_get(struct guest *g, uint32_t fd, uint64_t right,
                                  struct wasi_fd **out)
{
    enum file_error e = wasi_fd_get(g, fd, 0, FERR_BADF, out);

    if (e)
        return e;
    if ((*out)->handle->kind != FILE_SOCKET_STREAM && (*out)->handle->kind != FILE_SOCKET_DGRAM)
        return FERR_NOTSOCK;
    return wasi_fd_get(g, fd, right, FERR_NOTCAPABLE, out);
}

/* j->option: do not wait. */
static void accept_work(struct wasi_job *j)
{
    int fd = atomic_load(&j->handle->fd);

    if (!file_listens(fd)) {
        j->error = FERR_INVAL;
        return;
    }
    while (!file_wait(fd, false, j->option ? 0 : ACCEPT_WAIT_MS)) {
        if (j->option || !wasi_job_is_wanted(j)) {
            j->error = FERR_AGAIN;
            return;
        }
    }
    j->error = file_accept(fd, &j->fd);
}

/* Makes a descriptor of the connection. */
static enum file_error accept_end(struct guest *g, struct wasi_job *j, uint32_t flags,
                                  uint32_t *number)
{
    struct wasi *w = wasi_table(g);
    struct wasi_fd f = {.base = WASI_FD_READ | WASI_FD_WRITE | WASI_FD_FDSTAT_SET_FLAGS |
                                WASI_FD_FILESTAT_GET | WASI_POLL_FD_READWRITE | WASI_SOCK_SHUTDOWN,
                        .flags = (uint16_t)flags};
    enum file_error e;
    int fd = j->fd;

    if (!w)
        return FERR_NOMEM;
    j->fd = -1; /* the handle's now */
    f.handle = wasi_handle_new(w->shared, fd, FILE_SOCKET_STREAM);
    if (!f.handle)
        return FERR_NOMEM;
    e = wasi_fd_add(g, &f, number);
    if (e)
        wasi_handle_unref(f.handle);
    return e;
}

struct outcome host_wasi_sock_accept(struct guest *g, uint32_t fd, uint32_t flags, uint32_t fd_out)
{
    uint8_t *out = wasi_bytes(g, fd_out, 4);
    struct wasi_job *j;
    struct wasi_fd *f;
    enum file_error e;
    uint32_t number;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!j) {
        e = socket_get(g, fd, WASI_SOCK_ACCEPT, &f);
        if (!e && (flags & ~(uint32_t)WASI_NONBLOCK))
            e = FERR_INVAL;
        if (!e && !out)
            e = FERR_FAULT;
        if (e)
            return wasi_done(e);
        j = wasi_job_new(accept_work, f->handle);
        if (!j)
            return wasi_done(FERR_NOMEM);
        j->option = f->flags & WASI_NONBLOCK;
        if (!wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    if (!e && !out)
        e = FERR_FAULT;
    if (!e)
        e = accept_end(g, j, flags, &number);
    wasi_job_free(j);
    if (!e)
        wasi_put32(out, number);
    return wasi_done(e);
}

/* Whether WAITALL means anything: as in POSIX, a datagram is all there is, and a look (PEEK) shows
 * what is there. */
static enum file_error waits_for_all(struct guest *g, const struct wasi_handle *h, uint32_t iovs,
                                     uint32_t iov_count, bool *waits)
{
    const uint8_t *at = wasi_bytes(g, iovs, (uint64_t)iov_count * 8);
    uint64_t total = 0;

    *waits = h->kind == FILE_SOCKET_STREAM;
    if (!*waits)
        return FERR_OK;
    if (!h->stream) /* there was no descriptor left to wait with */
        return FERR_NOTSUP;
    if (!at)
        return FERR_FAULT;
    if (iov_count > WASI_IOVS_MAX)
        return FERR_INVAL;
    for (uint32_t i = 0; i < iov_count; i++, at += 8) {
        total += wasi_get32(at + 4);
        if (!wasi_bytes(g, wasi_get32(at), wasi_get32(at + 4)))
            return FERR_FAULT; /* before anything is taken from the stream */
    }
    return total > UINT32_MAX ? FERR_INVAL : FERR_OK; /* the size has 32 bits */
}

struct outcome host_wasi_sock_recv(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                   uint32_t ri_flags, uint32_t size_out, uint32_t roflags_out)
{
    uint8_t *roflags = wasi_bytes(g, roflags_out, 2);
    bool is_cut = false, waits = false;
    struct wasi_fd *f;
    struct outcome o;
    enum file_error e = socket_get(g, fd, WASI_FD_READ, &f);

    if (!e && (ri_flags & ~(uint32_t)(RIFLAG_PEEK | RIFLAG_WAITALL)))
        e = FERR_INVAL;
    if (!e && !roflags)
        e = FERR_FAULT;
    if (!e && ri_flags == RIFLAG_WAITALL)
        e = waits_for_all(g, f->handle, iovs, iov_count, &waits);
    if (e)
        return wasi_done(e);
    o = waits ? wasi_receive_all(g, fd, iovs, iov_count, size_out)
              : wasi_receive(g, fd, iovs, iov_count, ri_flags & RIFLAG_PEEK, size_out, &is_cut);
    if (o.kind == OUTCOME_DONE && o.value == FERR_OK)
        wasi_put16(roflags, is_cut ? ROFLAG_TRUNCATED : 0);
    return o;
}

struct outcome host_wasi_sock_send(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                   uint32_t si_flags, uint32_t size_out)
{
    struct wasi_fd *f;
    enum file_error e = socket_get(g, fd, WASI_FD_WRITE, &f);

    if (!e && si_flags)
        e = FERR_INVAL;
    return e ? wasi_done(e) : host_wasi_fd_write(g, fd, iovs, iov_count, size_out);
}

struct outcome host_wasi_sock_shutdown(struct guest *g, uint32_t fd, uint32_t how)
{
    struct wasi_fd *f;
    enum file_error e = socket_get(g, fd, WASI_SOCK_SHUTDOWN, &f);

    if (!e && (how == 0 || how > (SD_RECEIVE | SD_SEND)))
        e = FERR_INVAL;
    return wasi_done(
        e ? e : file_shut_down(atomic_load(&f->handle->fd), how & SD_RECEIVE, how & SD_SEND));
}
