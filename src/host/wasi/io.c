/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI: reading and writing.
 *
 * What a file has in memory is read on the worker, and little is written on it; the rest goes to a
 * helper thread. A stream that says "not yet" parks the process. Every call moves at most
 * WASI_TRANSFER_MAX bytes and says how many: guests go on from there. */
#include "host/prototypes.h"
#include "host/wasi/internal.h"

struct transfer {
    struct file_piece pieces[FILE_PIECES_MAX];
    size_t count, total;
    int64_t offset; /* or FILE_AT_POSITION */
    bool writes;
    uint8_t *size_out;
};

static void transfer_work(struct wasi_job *j)
{
    struct file_piece piece = {j->buffer, j->size};
    int64_t offset = (int64_t)j->numbers[0];
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error)
        j->error = j->option ? file_write(fd, &piece, 1, offset, &j->size)
                             : file_read(fd, &piece, 1, offset, false, &j->size);
}

/* What a job has read, into the guest's pieces. */
static void scatter(const struct transfer *t, const uint8_t *from, size_t size)
{
    for (size_t i = 0; i < t->count && size > 0; i++) {
        size_t n = t->pieces[i].size < size ? t->pieces[i].size : size;

        memcpy(t->pieces[i].data, from, n);
        from += n;
        size -= n;
    }
}

static struct outcome transfer_end(const struct transfer *t, struct wasi_handle *h,
                                   enum file_error e, size_t size)
{
    if (e) {
        if (t->writes && e != FERR_AGAIN && e != FERR_BADF)
            wasi_output_failed(h, e);
        return wasi_done(e);
    }
    wasi_put32(t->size_out, (uint32_t)size);
    return wasi_done(FERR_OK);
}

static struct outcome transfer_job_end(const struct transfer *t, struct wasi_job *j)
{
    struct outcome o;

    if (!j->error && !t->writes)
        scatter(t, j->buffer, j->size);
    o = transfer_end(t, j->handle, j->error, j->size);
    wasi_job_free(j);
    return o;
}

static struct outcome transfer_offload(struct guest *g, const struct transfer *t,
                                       struct wasi_handle *h)
{
    struct wasi_job *j = wasi_job_new(transfer_work, h);

    if (!j)
        return wasi_done(FERR_NOMEM);
    j->buffer = mem_try_array(uint8_t, t->total);
    if (!j->buffer) {
        wasi_job_free(j);
        return wasi_done(FERR_NOMEM);
    }
    j->option = t->writes;
    j->numbers[0] = (uint64_t)t->offset;
    for (size_t i = 0; i < t->count; i++) {
        if (t->writes)
            memcpy(j->buffer + j->size, t->pieces[i].data, t->pieces[i].size);
        j->size += t->pieces[i].size;
    }
    if (!wasi_job_start(g, j))
        return wasi_parked();
    return transfer_job_end(t, j);
}

static struct outcome transfer_stream(struct guest *g, const struct transfer *t, struct wasi_fd *f)
{
    struct wasi_handle *h = f->handle;
    int fd = atomic_load(&h->fd);
    struct outcome o;
    enum file_error e;
    size_t size;

    for (;;) {
        if (t->writes)
            e = file_write(fd, t->pieces, t->count, FILE_AT_POSITION, &size);
        else
            e = file_read(fd, t->pieces, t->count, FILE_AT_POSITION, false, &size);
        if (e != FERR_AGAIN || (f->flags & WASI_NONBLOCK))
            return transfer_end(t, h, e, size);
        if (!wasi_wait_ready(g, h, t->writes ? IO_WRITE : IO_READ, &o))
            return o;
    }
}

static struct outcome transfer_file(struct guest *g, const struct transfer *t,
                                    struct wasi_handle *h)
{
    int fd = atomic_load(&h->fd);
    enum file_error e;
    size_t size;

    if (t->writes && t->total > WASI_INLINE_MAX)
        return transfer_offload(g, t, h);
    if (t->writes)
        e = file_write(fd, t->pieces, t->count, t->offset, &size);
    else
        e = file_read(fd, t->pieces, t->count, t->offset, true, &size);
    if (e == FERR_AGAIN)
        return transfer_offload(g, t, h);
    return transfer_end(t, h, e, size);
}

/* Hands the first `size` bytes of what has been written to the environment's output, as copies: a
 * page of the guest may not be there yet, which only we can see to. */
static void transfer_capture(struct guest *g, const struct transfer *t, enum output_stream stream,
                             size_t size)
{
    const struct output *o = &g->process->environment->output;
    uint8_t copy[OUTPUT_PIECE_SIZE];
    size_t filled = 0;

    for (size_t i = 0; i < t->count && size > 0; i++) {
        const uint8_t *from = t->pieces[i].data;
        size_t left = t->pieces[i].size < size ? t->pieces[i].size : size;

        size -= left;
        while (left > 0) {
            size_t n = sizeof(copy) - filled < left ? sizeof(copy) - filled : left;

            memcpy(copy + filled, from, n);
            filled += n;
            from += n;
            left -= n;
            if (filled == sizeof(copy)) {
                o->write(o->context, process_id(g->process), stream, copy, filled);
                filled = 0;
            }
        }
    }
    if (filled)
        o->write(o->context, process_id(g->process), stream, copy, filled);
}

static struct outcome transfer_try(struct guest *g, uint32_t number, uint32_t iovs,
                                   uint32_t iov_count, uint32_t size_out, struct transfer *t)
{
    uint64_t right = (t->writes ? WASI_FD_WRITE : WASI_FD_READ) |
                     (t->offset != FILE_AT_POSITION ? WASI_FD_SEEK : 0u);
    struct wasi_job *job;
    struct wasi_fd *f;
    enum file_error e;
    bool running;

    job = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    t->size_out = wasi_bytes(g, size_out, 4);
    e = t->size_out ? wasi_pieces(g, iovs, iov_count, t->pieces, &t->count, &t->total) : FERR_FAULT;
    if (job && !e)
        return transfer_job_end(t, job);
    wasi_job_free(job);
    if (e)
        return wasi_done(e);
    e = wasi_fd_get(g, number, right, FERR_BADF, &f);
    if (e)
        return wasi_done(e);
    if (f->handle->kind == FILE_DIRECTORY)
        return wasi_done(FERR_BADF);
    if (t->offset != FILE_AT_POSITION && (f->handle->stream || f->handle->standard))
        return wasi_done(FERR_SPIPE);
    if (t->total == 0)
        return transfer_end(t, f->handle, FERR_OK, 0);
    if (f->handle->captured) {
        f = &f->handle->shared->fds[1];
        if (!g->process->environment->output.is_copied || !f->handle)
            return transfer_end(t, f->handle, FERR_OK, t->total);
    }
    if (f->handle->stream)
        return transfer_stream(g, t, f);
    if (f->handle->standard && f->handle->standard->kind == FILE_STREAM_BLOCKING)
        return transfer_offload(g, t, f->handle);
    return transfer_file(g, t, f->handle);
}

static struct outcome transfer(struct guest *g, uint32_t number, uint32_t iovs, uint32_t iov_count,
                               uint64_t offset, bool has_offset, uint32_t size_out, bool writes)
{
    struct transfer t; /* not zeroed: large, and filled before use */
    struct wasi_fd *f;
    struct outcome o;

    if (has_offset && offset > INT64_MAX)
        return wasi_done(FERR_INVAL);
    t.offset = has_offset ? (int64_t)offset : FILE_AT_POSITION;
    t.writes = writes;
    o = transfer_try(g, number, iovs, iov_count, size_out, &t);
    if (o.kind == OUTCOME_DONE)
        wasi_wait_over(g);
    if (writes && o.kind == OUTCOME_DONE && o.value == FERR_OK &&
        g->process->environment->output.write && !wasi_fd_get(g, number, 0, FERR_BADF, &f) &&
        f->handle->captured)
        transfer_capture(g, &t, f->handle->captured, wasi_get32(t.size_out));
    return o;
}

struct outcome host_wasi_fd_read(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                 uint32_t size_out)
{
    return transfer(g, fd, iovs, iov_count, 0, false, size_out, false);
}

struct outcome host_wasi_fd_write(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                  uint32_t size_out)
{
    return transfer(g, fd, iovs, iov_count, 0, false, size_out, true);
}

struct outcome host_wasi_fd_pread(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                  uint64_t offset, uint32_t size_out)
{
    return transfer(g, fd, iovs, iov_count, offset, true, size_out, false);
}

struct outcome host_wasi_fd_pwrite(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                   uint64_t offset, uint32_t size_out)
{
    return transfer(g, fd, iovs, iov_count, offset, true, size_out, true);
}

/* Whether the descriptor is a socket: only one of the runtime's own streams can be. */
static enum file_error socket_get(struct guest *g, uint32_t fd, uint64_t right)
{
    struct wasi_fd *f;
    enum file_error e = wasi_fd_get(g, fd, right, FERR_BADF, &f);

    if (e)
        return e;
    if (f->handle->kind != FILE_SOCKET_STREAM && f->handle->kind != FILE_SOCKET_DGRAM)
        return FERR_NOTSOCK;
    return FERR_OK;
}

struct outcome host_wasi_sock_accept(struct guest *g, uint32_t fd, uint32_t flags, uint32_t fd_out)
{
    enum file_error e = socket_get(g, fd, 0);

    (void)flags;
    (void)fd_out;
    return wasi_done(e ? e : FERR_NOTSUP);
}

struct outcome host_wasi_sock_recv(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                   uint32_t ri_flags, uint32_t size_out, uint32_t roflags_out)
{
    uint8_t *roflags = wasi_bytes(g, roflags_out, 2);
    enum file_error e = socket_get(g, fd, 0);

    if (e)
        return wasi_done(e);
    if (!roflags)
        return wasi_done(FERR_FAULT);
    if (ri_flags)
        return wasi_done(FERR_NOTSUP);
    wasi_put16(roflags, 0);
    return transfer(g, fd, iovs, iov_count, 0, false, size_out, false);
}

struct outcome host_wasi_sock_send(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                   uint32_t si_flags, uint32_t size_out)
{
    enum file_error e = socket_get(g, fd, 0);

    if (e)
        return wasi_done(e);
    if (si_flags)
        return wasi_done(FERR_NOTSUP);
    return transfer(g, fd, iovs, iov_count, 0, false, size_out, true);
}

struct outcome host_wasi_sock_shutdown(struct guest *g, uint32_t fd, uint32_t how)
{
    enum file_error e = socket_get(g, fd, 0);

    (void)how;
    return wasi_done(e ? e : FERR_NOTSUP);
}
