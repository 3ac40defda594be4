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
    bool peek, is_cut; /* of sockets: what is read stays; there was more in the datagram */
    uint8_t *size_out;
};

#define INPUT_WAIT_MS                                                                              \
    100 /* how often a job that waits for input looks whether it is still wanted */

/* Waits until a stream that cannot be made nonblocking is ready. */
static enum file_error transfer_wait(const struct wasi_job *j, int fd)
{
    while (!file_wait(fd, j->option, INPUT_WAIT_MS)) {
        if (!wasi_job_is_wanted(j))
            return FERR_INTR;
        if (j->reads_input && atomic_load(&j->handle->shared->has_unread))
            return FERR_AGAIN;
    }
    return FERR_OK;
}

static void transfer_work(struct wasi_job *j)
{
    struct file_piece piece = {j->buffer, j->size};
    int64_t offset = (int64_t)j->numbers[0];
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error && j->handle->standard && j->handle->standard->kind == FILE_STREAM_BLOCKING)
        j->error = transfer_wait(j, fd);
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
    j->reads_input = !t->writes && h->standard && h->standard == h->shared->standard;
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

static enum file_error transfer_now(struct transfer *t, const struct wasi_handle *h, size_t *size)
{
    int fd = atomic_load(&h->fd);

    if (h->kind == FILE_SOCKET_STREAM || h->kind == FILE_SOCKET_DGRAM)
        return t->writes ? file_send(fd, t->pieces, t->count, size)
                         : file_receive(fd, t->pieces, t->count, t->peek, size, &t->is_cut);
    return t->writes ? file_write(fd, t->pieces, t->count, FILE_AT_POSITION, size)
                     : file_read(fd, t->pieces, t->count, FILE_AT_POSITION, false, size);
}

static struct outcome transfer_stream(struct guest *g, struct transfer *t, struct wasi_fd *f)
{
    struct wasi_handle *h = f->handle;
    bool has_hung_up = false;
    struct outcome o;
    enum file_error e;
    size_t size;

    for (;;) {
        e = transfer_now(t, h, &size);
        if (!e && !t->writes && size == 0 && h->is_fifo && !has_hung_up &&
            !(f->flags & WASI_NONBLOCK)) {
            /* Nobody has the FIFO open to write: the end, unless nobody had it open yet. */
            has_hung_up = file_readiness(atomic_load(&h->fd)) & FILE_HAS_HUNGUP;
            if (has_hung_up)
                continue; /* what came in between */
            e = FERR_AGAIN;
        }
        if (e != FERR_AGAIN || (f->flags & WASI_NONBLOCK))
            return transfer_end(t, h, e, size);
        if (!wasi_wait_ready(g, h, t->writes ? IO_WRITE : IO_READ, &o))
            return o;
    }
}

/* Reads what a killed process has left of standard input. False: nothing. */
static bool transfer_unread(const struct transfer *t, struct wasi_handle *h, struct outcome *out)
{
    uint8_t *buffer;
    size_t size;

    if (t->writes || !h->standard || h->standard != h->shared->standard ||
        !atomic_load_explicit(&h->shared->has_unread, memory_order_relaxed))
        return false;
    buffer = mem_try_array(uint8_t, t->total);
    if (!buffer) {
        *out = wasi_done(FERR_NOMEM);
        return true;
    }
    size = wasi_input_take_back(h->shared, buffer, t->total);
    scatter(t, buffer, size);
    mem_free(buffer);
    if (size)
        *out = transfer_end(t, h, FERR_OK, size);
    return size > 0;
}

static struct outcome transfer_file(struct guest *g, const struct transfer *t,
                                    struct wasi_handle *h)
{
    int fd = atomic_load(&h->fd);
    enum file_error e;
    size_t size;

    if ((t->writes && t->total > WASI_INLINE_MAX) || h->may_block)
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
    struct outcome o;
    struct wasi_fd *f;
    enum file_error e;
    bool running;

    job = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    t->size_out = wasi_bytes(g, size_out, 4);
    e = t->size_out ? wasi_pieces(g, iovs, iov_count, t->pieces, &t->count, &t->total) : FERR_FAULT;
    if (job && !e && !(job->reads_input && job->error == FERR_AGAIN))
        return transfer_job_end(t, job);
    if (job && e && job->reads_input && !job->error)
        wasi_input_put_back(job->handle->shared, job->buffer, job->size);
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
    if (transfer_unread(t, f->handle, &o))
        return o;
    if (f->handle->stream)
        return transfer_stream(g, t, f);
    if (f->handle->standard && f->handle->standard->kind == FILE_STREAM_BLOCKING)
        return transfer_offload(g, t, f->handle);
    return transfer_file(g, t, f->handle);
}

static struct outcome transfer(struct guest *g, uint32_t number, uint32_t iovs, uint32_t iov_count,
                               uint32_t size_out, struct transfer *t)
{
    struct wasi_fd *f;
    struct outcome o = transfer_try(g, number, iovs, iov_count, size_out, t);

    if (o.kind == OUTCOME_DONE)
        wasi_wait_over(g);
    if (t->writes && o.kind == OUTCOME_DONE && o.value == FERR_OK &&
        g->process->environment->output.write && !wasi_fd_get(g, number, 0, FERR_BADF, &f) &&
        f->handle->captured)
        transfer_capture(g, t, f->handle->captured, wasi_get32(t->size_out));
    return o;
}

/* Not zeroed as a whole: large, and filled before use. */
static void transfer_init(struct transfer *t, int64_t offset, bool writes)
{
    t->offset = offset;
    t->writes = writes;
    t->peek = t->is_cut = false;
}

static struct outcome transfer_here(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                    uint32_t size_out, bool writes)
{
    struct transfer t;

    transfer_init(&t, FILE_AT_POSITION, writes);
    return transfer(g, fd, iovs, iov_count, size_out, &t);
}

static struct outcome transfer_at(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                  uint64_t offset, uint32_t size_out, bool writes)
{
    struct transfer t;

    if (offset > INT64_MAX)
        return wasi_done(FERR_INVAL);
    transfer_init(&t, (int64_t)offset, writes);
    return transfer(g, fd, iovs, iov_count, size_out, &t);
}

struct outcome wasi_receive(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                            bool peek, uint32_t size_out, bool *is_cut)
{
    struct transfer t;
    struct outcome o;

    transfer_init(&t, FILE_AT_POSITION, false);
    t.peek = peek;
    o = transfer(g, fd, iovs, iov_count, size_out, &t);
    *is_cut = t.is_cut;
    return o;
}

/* Keeps in the wait how much has come, and lets others run before it goes on. */
static struct outcome receive_on_later(struct guest *g, uint32_t got)
{
    wasi_wait_over(g);
    wait_begin(g->process, WAIT_WASI_YIELD, DEADLINE_NEVER, NULL, NULL);
    g->process->wait.extra = got;
    return (struct outcome){0, OUTCOME_YIELD};
}

/* `*got` bytes are there. What comes first decides: all, the end, an error (which only matters if
 * there is nothing to give), or that we have to wait. */
static struct outcome receive_rest(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                   uint32_t size_out, uint32_t *got)
{
    struct transfer t;
    struct wasi_fd *f;
    struct outcome o;
    enum file_error e;
    size_t size, moved = 0;

    transfer_init(&t, FILE_AT_POSITION, false);
    for (;;) {
        t.size_out = wasi_bytes(g, size_out, 4);
        e = t.size_out ? wasi_pieces_after(g, iovs, iov_count, *got, t.pieces, &t.count, &t.total)
                       : FERR_FAULT;
        if (!e)
            e = wasi_fd_get(g, fd, WASI_FD_READ, FERR_BADF, &f);
        if (e)
            return wasi_done(e);
        if (t.total == 0) /* nothing is missing */
            return transfer_end(&t, f->handle, FERR_OK, *got);
        if (moved >= WASI_TRANSFER_MAX)
            return receive_on_later(g, *got);
        e = transfer_now(&t, f->handle, &size);
        if (e == FERR_AGAIN && !(f->flags & WASI_NONBLOCK)) {
            if (wasi_wait_ready(g, f->handle, IO_READ, &o))
                continue;
            if (o.kind == OUTCOME_PARK)
                g->process->wait.extra = *got;
            return o;
        }
        if (e || size == 0)
            return transfer_end(&t, f->handle, *got ? FERR_OK : e, *got);
        *got += (uint32_t)size;
        moved += size;
    }
}

struct outcome wasi_receive_all(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                uint32_t size_out)
{
    struct process *p = g->process;
    uint32_t got = p->wait.extra;
    struct outcome o;

    if (p->wait.kind == WAIT_WASI_YIELD)
        wait_end(p);
    else if (p->wait.kind != WAIT_WASI_POLL)
        got = 0;
    o = receive_rest(g, fd, iovs, iov_count, size_out, &got);
    if (o.kind == OUTCOME_DONE)
        wasi_wait_over(g);
    return o;
}

struct outcome host_wasi_fd_read(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                 uint32_t size_out)
{
    return transfer_here(g, fd, iovs, iov_count, size_out, false);
}

struct outcome host_wasi_fd_write(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                  uint32_t size_out)
{
    return transfer_here(g, fd, iovs, iov_count, size_out, true);
}

struct outcome host_wasi_fd_pread(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                  uint64_t offset, uint32_t size_out)
{
    return transfer_at(g, fd, iovs, iov_count, offset, size_out, false);
}

struct outcome host_wasi_fd_pwrite(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                   uint64_t offset, uint32_t size_out)
{
    return transfer_at(g, fd, iovs, iov_count, offset, size_out, true);
}
