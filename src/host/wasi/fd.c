/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI: what can be asked of and done to a descriptor, reading and writing apart. */
#include "host/prototypes.h"
#include "host/wasi/internal.h"

/* Runs `work` on the descriptor as a job: what functions that only do one blocking thing consist
 * of. */
struct simple {
    void (*work)(struct wasi_job *j);
    uint64_t right, numbers[2];
    int option;
    bool is_directory_fine;
};

static struct outcome simple_job(struct guest *g, uint32_t fd, const struct simple *s)
{
    struct wasi_job *j;
    struct wasi_fd *f;
    enum file_error e;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!j) {
        e = wasi_fd_get(g, fd, s->right, FERR_NOTCAPABLE, &f);
        if (e)
            return wasi_done(e);
        if (f->handle->kind == FILE_DIRECTORY && !s->is_directory_fine)
            return wasi_done(FERR_BADF);
        j = wasi_job_new(s->work, f->handle);
        if (!j)
            return wasi_done(FERR_NOMEM);
        j->numbers[0] = s->numbers[0];
        j->numbers[1] = s->numbers[1];
        j->option = s->option;
        if (!wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    wasi_job_free(j);
    return wasi_done(e);
}

static void advise_work(struct wasi_job *j)
{
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error)
        j->error = file_advise(fd, j->numbers[0], j->numbers[1], j->option);
}

struct outcome host_wasi_fd_advise(struct guest *g, uint32_t fd, uint64_t offset, uint64_t len,
                                   uint32_t advice)
{
    if (advice > 5 || offset > INT64_MAX || len > INT64_MAX)
        return wasi_done(FERR_INVAL);
    return simple_job(g, fd,
                      &(struct simple){.work = advise_work,
                                       .right = WASI_FD_ADVISE,
                                       .numbers = {offset, len},
                                       .option = (int)advice});
}

static void allocate_work(struct wasi_job *j)
{
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error)
        j->error = file_allocate(fd, j->numbers[0], j->numbers[1]);
}

struct outcome host_wasi_fd_allocate(struct guest *g, uint32_t fd, uint64_t offset, uint64_t len)
{
    return simple_job(g, fd,
                      &(struct simple){.work = allocate_work,
                                       .right = WASI_FD_ALLOCATE,
                                       .numbers = {offset, len}});
}

static void sync_work(struct wasi_job *j)
{
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error &&
        j->handle->kind == FILE_DIRECTORY) { /* a root is only a handle: open it to sync */
        int own;

        j->error = file_reopen_directory(fd, &own);
        if (!j->error) {
            j->error = file_sync(own, j->option);
            file_close(own);
        }
    } else if (!j->error) {
        j->error = file_sync(fd, j->option);
    }
}

struct outcome host_wasi_fd_datasync(struct guest *g, uint32_t fd)
{
    return simple_job(g, fd,
                      &(struct simple){.work = sync_work,
                                       .right = WASI_FD_DATASYNC,
                                       .option = true,
                                       .is_directory_fine = true});
}

struct outcome host_wasi_fd_sync(struct guest *g, uint32_t fd)
{
    return simple_job(
        g, fd,
        &(struct simple){.work = sync_work, .right = WASI_FD_SYNC, .is_directory_fine = true});
}

static void set_size_work(struct wasi_job *j)
{
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error)
        j->error = file_set_size(fd, j->numbers[0]);
}

struct outcome host_wasi_fd_filestat_set_size(struct guest *g, uint32_t fd, uint64_t size)
{
    return simple_job(g, fd,
                      &(struct simple){.work = set_size_work,
                                       .right = WASI_FD_FILESTAT_SET_SIZE,
                                       .numbers = {size}});
}

struct outcome host_wasi_fd_close(struct guest *g, uint32_t fd)
{
    struct wasi *w = wasi_table(g);

    if (!w)
        return wasi_done(FERR_NOMEM);
    if (fd >= w->fds.count || !w->fds.items[fd].handle)
        return wasi_done(FERR_BADF);
    wasi_fd_remove(w, fd);
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_fd_renumber(struct guest *g, uint32_t fd, uint32_t to)
{
    struct wasi *w = wasi_table(g);
    struct wasi_fd f;

    if (!w)
        return wasi_done(FERR_NOMEM);
    if (fd >= w->fds.count || !w->fds.items[fd].handle || to >= w->fds.count ||
        !w->fds.items[to].handle)
        return wasi_done(FERR_BADF);
    if (fd == to)
        return wasi_done(FERR_OK);
    f = w->fds.items[fd];
    wasi_handle_ref(f.handle); /* its reference moves with it */
    wasi_fd_remove(w, fd);
    wasi_handle_unref(w->fds.items[to].handle);
    w->fds.items[to] = f;
    return wasi_done(FERR_OK);
}

/* C libraries ask path_open for no right that a directory does not pass on: it could not tell then
 * that a file in a read-only one was to be written, and the guest would find out too late. */
static uint64_t told_besides(const struct wasi_fd *f)
{
    return f->is_read_only && f->handle->kind == FILE_DIRECTORY ? WASI_FD_WRITE : 0u;
}

struct outcome host_wasi_fd_fdstat_get(struct guest *g, uint32_t fd, uint32_t fdstat_out)
{
    uint8_t *out = wasi_bytes(g, fdstat_out, 24);
    struct wasi_fd *f;
    enum file_error e = wasi_fd_get(g, fd, 0, FERR_NOTCAPABLE, &f);

    if (e)
        return wasi_done(e);
    if (!out)
        return wasi_done(FERR_FAULT);
    memset(out, 0, 24);
    out[0] = (uint8_t)f->handle->kind;
    wasi_put16(out + 2, f->flags);
    wasi_put64(out + 8, f->base);
    wasi_put64(out + 16, f->inheriting | told_besides(f));
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_fd_fdstat_set_flags(struct guest *g, uint32_t fd, uint32_t flags)
{
    struct wasi_fd *f;
    enum file_error e = wasi_fd_get(g, fd, WASI_FD_FDSTAT_SET_FLAGS, FERR_NOTCAPABLE, &f);

    if (e)
        return wasi_done(e);
    if (flags > 31)
        return wasi_done(FERR_INVAL);
    if (f->handle->standard) /* shared with everybody */
        return wasi_done(FERR_BADF);
    if ((flags ^ f->flags) & (WASI_DSYNC | WASI_RSYNC | WASI_SYNC))
        return wasi_done(FERR_NOTSUP); /* only path_open chooses these */
    if (((flags ^ f->flags) & WASI_APPEND) && f->handle->kind != FILE_DIRECTORY) {
        e = file_set_append(atomic_load(&f->handle->fd), flags & WASI_APPEND);
        if (e)
            return wasi_done(e);
    }
    f->flags = (uint16_t)flags;
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_fd_fdstat_set_rights(struct guest *g, uint32_t fd, uint64_t rights_base,
                                              uint64_t rights_inheriting)
{
    struct wasi *w = wasi_table(g);
    struct wasi_fd *f;
    enum file_error e;

    if (!w)
        return wasi_done(FERR_NOMEM);
    e = wasi_fd_get(g, fd, 0, FERR_NOTCAPABLE, &f);
    if (e)
        return wasi_done(e);
    rights_inheriting &= ~told_besides(f);
    if ((rights_base & ~f->base) || (rights_inheriting & ~f->inheriting))
        return wasi_done(FERR_NOTCAPABLE); /* rights only shrink */
    f->base = rights_base;
    f->inheriting = rights_inheriting;
    return wasi_done(FERR_OK);
}

static void info_work(struct wasi_job *j)
{
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error)
        j->error = file_get_info(fd, &j->info);
}

struct outcome host_wasi_fd_filestat_get(struct guest *g, uint32_t fd, uint32_t filestat_out)
{
    uint8_t *out = wasi_bytes(g, filestat_out, 64);
    struct file_info info;
    struct wasi_job *j;
    struct wasi_fd *f;
    enum file_error e;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    e = wasi_fd_get(g, fd, WASI_FD_FILESTAT_GET, FERR_NOTCAPABLE, &f);
    if (!e && !out)
        e = FERR_FAULT;
    if (!e && !j && atomic_load(&f->handle->fd) >= 0 && !f->handle->may_block) {
        e = file_get_info(atomic_load(&f->handle->fd), &info);
    } else if (!e) {
        if (!j) {
            j = wasi_job_new(info_work, f->handle);
            if (!j)
                return wasi_done(FERR_NOMEM);
            if (!wasi_job_start(g, j))
                return wasi_parked();
        }
        e = j->error;
        info = j->info;
    }
    wasi_job_free(j);
    if (e)
        return wasi_done(e);
    if (f->handle->standard)
        info.kind = f->handle->kind;
    wasi_put_filestat(out, &info);
    return wasi_done(FERR_OK);
}

static void set_times_work(struct wasi_job *j)
{
    int fd;

    j->error = wasi_handle_fd(j->handle, &fd);
    if (!j->error)
        j->error = file_set_times(fd, &j->times);
}

struct outcome host_wasi_fd_filestat_set_times(struct guest *g, uint32_t fd, uint64_t atim,
                                               uint64_t mtim, uint32_t fst_flags)
{
    struct file_times times;
    struct wasi_job *j;
    struct wasi_fd *f;
    enum file_error e;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!j) {
        e = wasi_fd_get(g, fd, WASI_FD_FILESTAT_SET_TIMES, FERR_NOTCAPABLE, &f);
        if (!e)
            e = wasi_times(atim, mtim, fst_flags, &times);
        if (e)
            return wasi_done(e);
        j = wasi_job_new(set_times_work, f->handle);
        if (!j)
            return wasi_done(FERR_NOMEM);
        j->times = times;
        if (!wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    wasi_job_free(j);
    return wasi_done(e);
}

/* The name of a preopened directory. */
static enum file_error preopened_name(struct guest *g, uint32_t fd, const char **name)
{
    struct wasi_fd *f;
    enum file_error e;

    if (!wasi_table(g))
        return FERR_NOMEM;
    e = wasi_fd_get(g, fd, 0, FERR_NOTCAPABLE, &f);
    if (e)
        return e;
    if (!f->is_preopened)
        return FERR_BADF;
    *name = g->process->config->dirs.items[f->dir_index].guest_path;
    return FERR_OK;
}

struct outcome host_wasi_fd_prestat_get(struct guest *g, uint32_t fd, uint32_t prestat_out)
{
    uint8_t *out = wasi_bytes(g, prestat_out, 8);
    const char *name;
    enum file_error e = preopened_name(g, fd, &name);

    if (e)
        return wasi_done(e);
    if (!out)
        return wasi_done(FERR_FAULT);
    wasi_put32(out, 0); /* a directory */
    wasi_put32(out + 4, (uint32_t)strlen(name));
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_fd_prestat_dir_name(struct guest *g, uint32_t fd, uint32_t path,
                                             uint32_t path_size)
{
    uint8_t *out = wasi_bytes(g, path, path_size);
    const char *name;
    enum file_error e = preopened_name(g, fd, &name);

    if (e)
        return wasi_done(e);
    if (!out)
        return wasi_done(FERR_FAULT);
    if (strlen(name) > path_size)
        return wasi_done(FERR_NAMETOOLONG);
    memcpy(out, name, strlen(name));
    return wasi_done(FERR_OK);
}

static struct outcome seek(struct guest *g, uint32_t fd, int64_t offset, uint32_t whence,
                           uint32_t filesize_out, uint64_t right)
{
    uint8_t *out = wasi_bytes(g, filesize_out, 8);
    struct wasi_fd *f;
    uint64_t position;
    enum file_error e = wasi_fd_get(g, fd, 0, FERR_NOTCAPABLE, &f);

    if (e)
        return wasi_done(e);
    if (f->handle->kind == FILE_DIRECTORY)
        return wasi_done(FERR_BADF);
    if (f->handle->standard || f->handle->stream)
        return wasi_done(FERR_SPIPE);
    if ((f->base & right) != right)
        return wasi_done(FERR_NOTCAPABLE);
    if (!out)
        return wasi_done(FERR_FAULT);
    e = file_seek(atomic_load(&f->handle->fd), offset, (int)whence, &position);
    if (!e)
        wasi_put64(out, position);
    return wasi_done(e);
}

struct outcome host_wasi_fd_seek(struct guest *g, uint32_t fd, uint64_t offset, uint32_t whence,
                                 uint32_t filesize_out)
{
    if (whence > 2)
        return wasi_done(FERR_INVAL);
    return seek(g, fd, (int64_t)offset, whence, filesize_out,
                offset == 0 && whence == 1 ? WASI_FD_TELL : WASI_FD_SEEK);
}

struct outcome host_wasi_fd_tell(struct guest *g, uint32_t fd, uint32_t filesize_out)
{
    return seek(g, fd, 0, 1, filesize_out, WASI_FD_TELL);
}

/* Directory entries as WASI lays them out, cut where the guest's buffer ends. */
struct listing {
    struct bytes out;
    size_t capacity;  /* of the guest's buffer */
    uint64_t cookie;  /* behind the last entry that is whole */
    bool failed, cut; /* no memory; the buffer is full */
};

static bool listing_add(void *arg, const struct file_entry *e)
{
    struct listing *l = arg;
    uint8_t head[24] = {0};
    size_t room = l->capacity - l->out.size;

    wasi_put64(head, e->cookie);
    wasi_put64(head + 8, e->inode);
    wasi_put32(head + 16, (uint32_t)e->name_size);
    head[20] = (uint8_t)e->kind;
    l->cut = room <= sizeof(head) + e->name_size;
    if (!bytes_append(&l->out, head, room < sizeof(head) ? room : sizeof(head))) {
        l->failed = true;
        return false;
    }
    room = l->capacity - l->out.size;
    if (room && !bytes_append(&l->out, e->name, room < e->name_size ? room : e->name_size)) {
        l->failed = true;
        return false;
    }
    l->cookie = e->cookie;
    return !l->cut && l->out.size < WASI_READDIR_MAX;
}

/* j->numbers: the room that is left, and the cookie. The directory stays open between calls, where
 * the last one stopped: to find a place in a huge one again can take as long as to read it. */
static void readdir_work(struct wasi_job *j)
{
    struct wasi_handle *h = j->handle;
    struct listing l = {.out.size_max = SIZE_MAX, .capacity = j->numbers[0]};
    int dir;

    j->error = wasi_handle_fd(h, &dir);
    if (!j->error && !h->listing)
        j->error = file_listing_open(dir, &h->listing);
    if (!j->error && l.capacity)
        j->error = file_listing_read(h->listing, j->numbers[1], listing_add, &l);
    if (!j->error && l.failed)
        j->error = FERR_NOMEM;
    j->is_more = !l.cut && l.out.size >= WASI_READDIR_MAX;
    if (j->error || (!l.cut && !j->is_more)) { /* the end: an idle directory keeps nothing */
        file_listing_close(h->listing);
        h->listing = NULL;
    }
    j->numbers[1] = l.cookie;
    j->buffer = l.out.data;
    j->size = l.out.size;
}

struct outcome host_wasi_fd_readdir(struct guest *g, uint32_t fd, uint32_t buf, uint32_t buf_size,
                                    uint64_t cookie, uint32_t size_out)
{
    uint8_t *to = wasi_bytes(g, buf, buf_size), *size = wasi_bytes(g, size_out, 4);
    struct wasi_job *j;
    struct wasi_fd *f;
    enum file_error e = to && size ? FERR_OK : FERR_FAULT;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!j && !e) {
        e = wasi_fd_get(g, fd, WASI_FD_READDIR, FERR_NOTDIR, &f);
        if (!e && f->handle->kind != FILE_DIRECTORY)
            e = FERR_NOTDIR;
        if (e)
            return wasi_done(e);
        j = wasi_job_new(readdir_work, f->handle);
        if (!j)
            return wasi_done(FERR_NOMEM);
        j->numbers[0] = buf_size;
        j->numbers[1] = cookie;
        if (!wasi_job_start(g, j))
            return wasi_parked();
    }
    for (;;) {
        if (j && !e)
            e = j->error;
        if (e || !j) {
            wasi_job_free(j);
            return wasi_done(e);
        }
        if (j->size)
            memcpy(to + (buf_size - j->numbers[0]), j->buffer, j->size);
        j->numbers[0] -= j->size;
        if (!j->is_more)
            break;
        mem_free(j->buffer);
        j->buffer = NULL;
        if (!wasi_job_start(g, j)) /* the next piece */
            return wasi_parked();
    }
    wasi_put32(size, (uint32_t)(buf_size - j->numbers[0]));
    wasi_job_free(j);
    return wasi_done(FERR_OK);
}
