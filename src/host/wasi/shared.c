/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What all processes of a runtime share: the standard streams and the start of the clock. */
#include "host/wasi/internal.h"

/* Standard output and error of captured processes: they take what is written, and are like a pipe.
 */
static void captured_init(struct wasi_shared *sh)
{
    sh->captured_fds[0] = sh->fds[0];
    for (int i = 1; i < 3; i++) {
        struct wasi_handle *h = &sh->captured_handles[i - 1];
        struct wasi_fd *f = &sh->captured_fds[i];

        atomic_init(&h->fd, sh->standard[i].fd);
        h->kind = FILE_UNKNOWN;
        h->standard = &sh->standard[i];
        h->captured = i == 1 ? OUTPUT_STDOUT : OUTPUT_STDERR;
        h->shared = sh;
        f->handle = h;
        f->base = WASI_FD_WRITE | WASI_FD_FDSTAT_SET_FLAGS | WASI_FD_FILESTAT_GET |
                  WASI_POLL_FD_READWRITE;
        f->inheriting = f->base;
        f->flags = WASI_APPEND;
    }
}

struct wasi_shared *wasi_shared_new(struct scheduler *s)
{
    struct wasi_shared *sh = mem_new(struct wasi_shared);

    atomic_init(&sh->references, 1);
    sh->scheduler = s;
    sh->start_ns = scheduler_now_ns(s);
    list_init(&sh->streams);
    for (int i = 0; i < 3; i++) {
        struct file_stream *stream = &sh->standard[i];
        struct wasi_handle *h = &sh->handles[i];

        file_stream_open(i, stream);
        atomic_init(&h->fd, stream->fd);
        h->kind = stream->file_kind;
        h->standard = stream;
        h->shared = sh;
        if (stream->kind == FILE_STREAM_CLOSED)
            continue; /* the number is free */
        if (stream->kind == FILE_STREAM_POLLABLE && !wasi_stream_new(h))
            stream->kind = FILE_STREAM_BLOCKING;
        sh->fds[i].handle = h;
        sh->fds[i].base = WASI_RIGHTS_ALL;
        if (stream->terminal)
            sh->fds[i].base &= ~(uint64_t)(WASI_FD_SEEK | WASI_FD_TELL);
        sh->fds[i].inheriting = sh->fds[i].base;
        sh->fds[i].flags = i == 0 ? 0 : WASI_APPEND;
    }
    captured_init(sh);
    return sh;
}

void wasi_shared_unref(struct wasi_shared *sh)
{
    /* acquire-release: whoever frees has seen all uses */
    if (atomic_fetch_sub_explicit(&sh->references, 1, memory_order_acq_rel) != 1)
        return;
    for (int i = 0; i < 3; i++)
        file_stream_close(&sh->standard[i]);
    bytes_deinit(&sh->unread);
    mem_free(sh);
}

void wasi_shared_free(struct wasi_shared *sh)
{
    if (!sh)
        return;
    wasi_streams_end(sh);
    wasi_shared_unref(sh); /* jobs that still run hold the others */
}

void wasi_input_put_back(struct wasi_shared *sh, const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    spinlock_lock(&sh->unread_lock);
    sh->unread.size_max = SIZE_MAX; /* no more than jobs were killed: each gave a transfer's size */
    (void)!bytes_append(&sh->unread, data, size);
    atomic_store_explicit(&sh->has_unread, true, memory_order_relaxed);
    spinlock_unlock(&sh->unread_lock);
}

size_t wasi_input_take_back(struct wasi_shared *sh, uint8_t *data, size_t capacity)
{
    size_t size;

    /* relaxed: who does not see it yet reads what comes after it, as if it were quicker */
    if (!atomic_load_explicit(&sh->has_unread, memory_order_relaxed))
        return 0;
    spinlock_lock(&sh->unread_lock);
    size = sh->unread.size < capacity ? sh->unread.size : capacity;
    if (size)
        memcpy(data, sh->unread.data, size);
    if (size < sh->unread.size)
        memmove(sh->unread.data, sh->unread.data + size, sh->unread.size - size);
    sh->unread.size -= size;
    if (sh->unread.size == 0)
        atomic_store_explicit(&sh->has_unread, false, memory_order_relaxed);
    spinlock_unlock(&sh->unread_lock);
    return size;
}

void wasi_shared_on_output_error(struct wasi_shared *sh,
                                 void (*failed)(void *arg, int fd, enum file_error e), void *arg)
{
    sh->output_failed = failed;
    sh->output_failed_arg = arg;
}

enum file_error wasi_shared_output_error(const struct wasi_shared *sh, int *fd)
{
    /* acquire: pairs with the exchange in wasi_output_failed */
    uint32_t v = atomic_load_explicit(&sh->output_error, memory_order_acquire);

    *fd = (int)(v >> 16);
    return (enum file_error)(v & 0xffff);
}

void wasi_output_failed(struct wasi_handle *h, enum file_error e)
{
    struct wasi_shared *sh = h->shared;
    ptrdiff_t fd = h->standard ? h->standard - sh->standard : 0;
    uint32_t none = 0;

    if (fd != 1 && fd != 2)
        return;
    if (atomic_compare_exchange_strong_explicit(&sh->output_error, &none,
                                                (uint32_t)fd << 16 | (uint32_t)e,
                                                memory_order_acq_rel, memory_order_relaxed) &&
        sh->output_failed)
        sh->output_failed(sh->output_failed_arg, (int)fd, e);
}
