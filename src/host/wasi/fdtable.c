/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Descriptors: 0, 1, 2 are the runtime's streams, 3 and on the preopened directories, then what was
 * opened. */
#include "host/net/internal.h"
#include "host/wasi/internal.h"

#define FREE_PIECE 32u /* descriptors that are closed without a pause at the end of a process */

struct wasi_handle *wasi_handle_ref(struct wasi_handle *h)
{
    atomic_fetch_add_explicit(h->standard ? &h->shared->references : &h->references, 1,
                              memory_order_relaxed);
    return h;
}

/* Closing a file that may wait for a server, by a helper thread. */
struct closing {
    struct offload_job job;
    int fd;
};

static void closing_discard(struct offload_job *job)
{
    struct closing *c = CONTAINER_OF(job, struct closing, job);

    file_close(c->fd);
    mem_free(c);
}

static void closing_run(struct offload_job *job)
{
    struct closing *c = CONTAINER_OF(job, struct closing, job);

    file_close(c->fd);
    c->fd = -1;
}

/* Closes `fd` on a helper thread if a worker would have to wait for it. */
static void close_anywhere(struct wasi_handle *h, int fd)
{
    struct worker *w = worker_current();
    struct closing *c = w && fd >= 0 && h->may_block ? mem_try(struct closing) : NULL;

    if (!c) {
        file_close(fd);
        return;
    }
    c->fd = fd;
    c->job.run = closing_run;
    c->job.discard = closing_discard;
    offload_submit(h->shared->scheduler, w, &c->job);
    offload_detach(h->shared->scheduler, &c->job);
}

void wasi_handle_unref(struct wasi_handle *h)
{
    if (!h)
        return;
    if (h->standard) {
        wasi_shared_unref(h->shared);
        return;
    }
    /* acquire-release: whoever closes has seen all uses */
    if (atomic_fetch_sub_explicit(&h->references, 1, memory_order_acq_rel) != 1)
        return;
    if (!wasi_stream_close(h))
        close_anywhere(h, atomic_load(&h->fd));
    file_listing_close(h->listing);
    wasi_shared_unref(h->shared);
    mem_free(h->root_path);
    mem_free(h->below);
    mem_free(h);
}

struct wasi_handle *wasi_handle_new(struct wasi_shared *sh, int fd, enum file_kind kind)
{
    struct wasi_handle *h = mem_try(struct wasi_handle);

    if (!h) {
        file_close(fd);
        return NULL;
    }
    atomic_init(&h->references, 1);
    atomic_init(&h->fd, fd);
    h->kind = kind;
    h->shared = sh;
    atomic_fetch_add_explicit(&sh->references, 1, memory_order_relaxed);
    if (fd >= 0 && kind != FILE_REGULAR && kind != FILE_DIRECTORY && kind != FILE_BLOCK_DEVICE &&
        !wasi_stream_new(h)) {
        wasi_handle_unref(h);
        return NULL;
    }
    return h;
}

/* Opens a preopened directory: its root, and from there name by name, none of which gets out of the
 * directory before it. */
static enum file_error open_root(const struct wasi_handle *h, int *out)
{
    enum file_error e = file_root_open(h->root_path, out);

    for (const char *name = h->below; !e && name && *name; name += strlen(name) + 1) {
        int above = *out;

        e = file_path_open(above, name, FILE_OPEN_HANDLE | FILE_OPEN_DIRECTORY | FILE_OPEN_FOLLOW,
                           out);
        file_close(above);
    }
    return e;
}

static bool set_root(struct wasi_handle *h, const struct config_dir *d)
{
    size_t size = strlen(d->host_path) + 1, below = d->below ? config_below_size(d->below) : 0;

    h->root_path = mem_try_array(char, size);
    if (!h->root_path || (below && !(h->below = mem_try_array(char, below))))
        return false;
    memcpy(h->root_path, d->host_path, size);
    if (below)
        memcpy(h->below, d->below, below);
    return true;
}

enum file_error wasi_handle_fd(struct wasi_handle *h, int *out)
{
    enum file_error e;
    int fd = atomic_load(&h->fd), none = -1;

    if (fd < 0) {
        if (!h->root_path)
            return FERR_BADF;
        e = open_root(h, &fd);
        if (e)
            return e;
        if (!atomic_compare_exchange_strong(&h->fd, &none, fd)) {
            file_close(fd); /* a detached job was quicker */
            fd = none;
        }
    }
    *out = fd;
    return FERR_OK;
}

bool wasi_free_some(struct wasi *w)
{
    for (unsigned i = 0; i < FREE_PIECE && w->fds.count > 0; i++)
        wasi_handle_unref(w->fds.items[--w->fds.count].handle);
    return w->fds.count == 0;
}

void wasi_free(struct wasi *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->fds.count; i++)
        wasi_handle_unref(w->fds.items[i].handle);
    vec_deinit(&w->fds);
    mem_free(w);
}

struct wasi *wasi_table(struct guest *g)
{
    const struct config *c = g->process->config;
    struct wasi_shared *sh = guest_wasi_shared(g);
    struct wasi *w;

    if (g->wasi)
        return g->wasi;
    w = mem_try(struct wasi);
    if (!w)
        return NULL;
    w->shared = sh;
    if (!vec_reserve(&w->fds, 3 + c->dirs.count + 1))
        goto failed;
    for (int i = 0; i < 3; i++) {
        struct wasi_fd f = guest_standard_fds(g)[i];

        if (f.handle)
            wasi_handle_ref(f.handle);
        w->fds.items[w->fds.count++] = f;
    }
    for (size_t i = 0; i < c->dirs.count; i++) {
        const struct config_dir *d = &c->dirs.items[i];
        uint64_t denied = d->is_read_only ? WASI_RIGHTS_CHANGING : 0;
        struct wasi_handle *h = wasi_handle_new(sh, -1, FILE_DIRECTORY);

        if (!h)
            goto failed;
        if (!set_root(h, d)) {
            wasi_handle_unref(h);
            goto failed;
        }
        w->fds.items[w->fds.count++] = (struct wasi_fd){.handle = h,
                                                        .base = WASI_RIGHTS_DIRECTORY & ~denied,
                                                        .inheriting = WASI_RIGHTS_ALL & ~denied,
                                                        .is_preopened = true,
                                                        .is_read_only = d->is_read_only,
                                                        .dir_index = (uint32_t)i};
    }
    for (size_t i = 0; i < w->fds.count; i++)
        w->open_count += w->fds.items[i].handle != NULL;
    w->first_free = w->fds.count;
    g->wasi = w;
    return w;
failed:
    wasi_free(w);
    return NULL;
}

enum file_error wasi_fd_get(struct guest *g, uint32_t fd, uint64_t rights, enum file_error denied,
                            struct wasi_fd **out)
{
    struct wasi_fd *f;

    if (!g->wasi && fd <= 2) { /* no table just for printing */
        f = &guest_standard_fds(g)[fd];
    } else {
        struct wasi *w = wasi_table(g);

        if (!w)
            return FERR_NOMEM;
        if (fd >= w->fds.count)
            return FERR_BADF;
        f = &w->fds.items[fd];
    }
    if (!f->handle)
        return FERR_BADF;
    if ((f->base & rights) != rights)
        return f->is_read_only && denied == FERR_NOTCAPABLE &&
                       (rights & ~f->base & WASI_RIGHTS_CHANGING)
                   ? FERR_ROFS
                   : denied;
    *out = f;
    return FERR_OK;
}

size_t wasi_open_count(const struct wasi *w)
{
    return w->open_count;
}

enum file_error wasi_fd_add(struct guest *g, const struct wasi_fd *f, uint32_t *number)
{
    struct wasi *w = wasi_table(g);
    size_t i;

    if (!w)
        return FERR_NOMEM;
    if (w->open_count >= WASI_FDS_MAX ||
        w->open_count + net_held_count(g) >= g->process->config->descriptor_count_max)
        return FERR_MFILE;
    for (i = w->first_free; i < w->fds.count && w->fds.items[i].handle; i++)
        ;
    if (i < w->fds.count)
        w->fds.items[i] = *f;
    else if (!vec_push(&w->fds, *f))
        return FERR_NOMEM;
    w->first_free = i + 1;
    w->open_count++;
    *number = (uint32_t)i;
    return FERR_OK;
}

void wasi_fd_remove(struct wasi *w, uint32_t number)
{
    wasi_handle_unref(w->fds.items[number].handle);
    w->fds.items[number] = (struct wasi_fd){0};
    w->open_count--;
    if (number >= 3 && number < w->first_free)
        w->first_free = number;
}
