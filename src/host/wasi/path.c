/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI: functions that take a path. Paths are resolved below the descriptor's directory
 * (plat/file_path.h), on a helper thread unless the kernel has all it needs in memory. */
#include "host/prototypes.h"
#include "host/wasi/internal.h"

enum { LOOKUP_FOLLOW = 1 };
enum { OFLAG_CREAT = 1, OFLAG_DIRECTORY = 2, OFLAG_EXCL = 4, OFLAG_TRUNC = 8 };

/* A path argument: the descriptor it starts from, and where its text is. */
struct place {
    uint32_t fd, path, path_size;
    uint64_t right; /* that the descriptor must have */
};

/* The directory handle and the text of a place. */
static enum file_error place_get(struct guest *g, const struct place *p, struct wasi_fd **f,
                                 char **path)
{
    enum file_error e;

    if (!wasi_table(g)) /* so that fd numbers mean entries of a table that stays */
        return FERR_NOMEM;
    e = wasi_fd_get(g, p->fd, 0, FERR_NOTCAPABLE, f);
    if (e)
        return e;
    if ((*f)->handle->kind != FILE_DIRECTORY)
        return FERR_NOTDIR;
    e = wasi_fd_get(g, p->fd, p->right, FERR_NOTCAPABLE, f);
    if (e)
        return e;
    return wasi_path(g, p->path, p->path_size, path);
}

/* A job on one place. */
static enum file_error place_job(struct guest *g, const struct place *p,
                                 void (*work)(struct wasi_job *j), struct wasi_job **out)
{
    struct wasi_fd *f;
    char *path = NULL;
    enum file_error e = place_get(g, p, &f, &path);

    if (e)
        return e;
    *out = wasi_job_new(work, f->handle);
    if (!*out) {
        mem_free(path);
        return FERR_NOMEM;
    }
    (*out)->path = path;
    return FERR_OK;
}

/* The whole of a function that does one thing to one place, or to two. */
static struct outcome place_call(struct guest *g, const struct place *p, const struct place *other,
                                 void (*work)(struct wasi_job *j), unsigned flags,
                                 const struct file_times *times)
{
    struct wasi_job *j;
    struct wasi_fd *f;
    enum file_error e;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!j) {
        e = place_job(g, p, work, &j);
        if (e)
            return wasi_done(e);
        j->flags = flags;
        if (times)
            j->times = *times;
        if (other) {
            e = place_get(g, other, &f, &j->other_path);
            if (e) {
                wasi_job_free(j);
                return wasi_done(e);
            }
            j->other = wasi_handle_ref(f->handle);
        }
        if (!wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    wasi_job_free(j);
    return wasi_done(e);
}

static void make_directory_work(struct wasi_job *j)
{
    int dir;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = file_path_make_directory(dir, j->path);
}

struct outcome host_wasi_path_create_directory(struct guest *g, uint32_t fd, uint32_t path,
                                               uint32_t path_size)
{
    const struct place p = {fd, path, path_size, WASI_PATH_CREATE_DIRECTORY};

    return place_call(g, &p, NULL, make_directory_work, 0, NULL);
}

static void remove_directory_work(struct wasi_job *j)
{
    int dir;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = file_path_remove_directory(dir, j->path);
}

struct outcome host_wasi_path_remove_directory(struct guest *g, uint32_t fd, uint32_t path,
                                               uint32_t path_size)
{
    const struct place p = {fd, path, path_size, WASI_PATH_REMOVE_DIRECTORY};

    return place_call(g, &p, NULL, remove_directory_work, 0, NULL);
}

static void unlink_work(struct wasi_job *j)
{
    int dir;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = file_path_unlink(dir, j->path);
}

struct outcome host_wasi_path_unlink_file(struct guest *g, uint32_t fd, uint32_t path,
                                          uint32_t path_size)
{
    const struct place p = {fd, path, path_size, WASI_PATH_UNLINK_FILE};

    return place_call(g, &p, NULL, unlink_work, 0, NULL);
}

static void rename_work(struct wasi_job *j)
{
    int dir, other;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = wasi_handle_fd(j->other, &other);
    if (!j->error)
        j->error = file_path_rename(dir, j->path, other, j->other_path);
}

struct outcome host_wasi_path_rename(struct guest *g, uint32_t fd, uint32_t old_path,
                                     uint32_t old_path_size, uint32_t new_fd, uint32_t new_path,
                                     uint32_t new_path_size)
{
    const struct place from = {fd, old_path, old_path_size, WASI_PATH_RENAME_SOURCE};
    const struct place to = {new_fd, new_path, new_path_size, WASI_PATH_RENAME_TARGET};

    return place_call(g, &from, &to, rename_work, 0, NULL);
}

static void link_work(struct wasi_job *j)
{
    int dir, other;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = wasi_handle_fd(j->other, &other);
    if (!j->error)
        j->error = file_path_link(dir, j->path, other, j->other_path);
}

struct outcome host_wasi_path_link(struct guest *g, uint32_t old_fd, uint32_t old_flags,
                                   uint32_t old_path, uint32_t old_path_size, uint32_t new_fd,
                                   uint32_t new_path, uint32_t new_path_size)
{
    const struct place from = {old_fd, old_path, old_path_size, WASI_PATH_LINK_SOURCE};
    const struct place to = {new_fd, new_path, new_path_size, WASI_PATH_LINK_TARGET};

    if (old_flags) /* to follow a link is not offered */
        return wasi_done(FERR_INVAL);
    return place_call(g, &from, &to, link_work, 0, NULL);
}

static void symlink_work(struct wasi_job *j)
{
    int dir;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = file_path_symlink(j->other_path, dir, j->path);
}

struct outcome host_wasi_path_symlink(struct guest *g, uint32_t old_path, uint32_t old_path_size,
                                      uint32_t fd, uint32_t new_path, uint32_t new_path_size)
{
    const struct place p = {fd, new_path, new_path_size, WASI_PATH_SYMLINK};
    struct wasi_job *j;
    enum file_error e;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!j) {
        e = place_job(g, &p, symlink_work, &j);
        if (e)
            return wasi_done(e);
        e = wasi_path(g, old_path, old_path_size, &j->other_path);
        if (e) {
            wasi_job_free(j);
            return wasi_done(e);
        }
        if (!wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    wasi_job_free(j);
    return wasi_done(e);
}

static void readlink_work(struct wasi_job *j)
{
    int dir;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error =
            file_path_readlink(dir, j->path, (char *)j->buffer, (size_t)j->numbers[0], &j->size);
    if (!j->error && j->size > j->numbers[0])
        j->size = j->numbers[0]; /* cut, as readlink(2) does */
}

struct outcome host_wasi_path_readlink(struct guest *g, uint32_t fd, uint32_t path,
                                       uint32_t path_size, uint32_t buf, uint32_t buf_size,
                                       uint32_t size_out)
{
    const struct place p = {fd, path, path_size, WASI_PATH_READLINK};
    uint8_t *to = wasi_bytes(g, buf, buf_size), *size = wasi_bytes(g, size_out, 4);
    struct wasi_job *j;
    enum file_error e;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!to || !size) {
        wasi_job_free(j);
        return wasi_done(FERR_FAULT);
    }
    if (!j) {
        e = place_job(g, &p, readlink_work, &j);
        if (e)
            return wasi_done(e);
        j->numbers[0] = buf_size < WASI_PATH_MAX ? buf_size : WASI_PATH_MAX;
        j->buffer = mem_try_array(uint8_t, WASI_PATH_MAX);
        if (!j->buffer) {
            wasi_job_free(j);
            return wasi_done(FERR_NOMEM);
        }
        if (!wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    if (!e) {
        memcpy(to, j->buffer, j->size);
        wasi_put32(size, (uint32_t)j->size);
    }
    wasi_job_free(j);
    return wasi_done(e);
}

static void get_info_work(struct wasi_job *j)
{
    int dir;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = file_path_get_info(dir, j->path, j->flags & LOOKUP_FOLLOW, &j->info);
}

/* The facts of a path if the kernel has them in memory, else FERR_AGAIN. */
static enum file_error get_info_cached(struct wasi_handle *h, const char *path, uint32_t flags,
                                       struct file_info *info)
{
    int dir = atomic_load(&h->fd), fd;
    enum file_error e;

    if (dir < 0)
        return FERR_AGAIN;
    e = file_path_open(
        dir, path,
        FILE_OPEN_HANDLE | FILE_OPEN_CACHED | (flags & LOOKUP_FOLLOW ? FILE_OPEN_FOLLOW : 0u), &fd);
    if (e)
        return e;
    e = file_get_info(fd, info);
    file_close(fd);
    return e;
}

struct outcome host_wasi_path_filestat_get(struct guest *g, uint32_t fd, uint32_t flags,
                                           uint32_t path, uint32_t path_size, uint32_t filestat_out)
{
    const struct place p = {fd, path, path_size, WASI_PATH_FILESTAT_GET};
    uint8_t *out = wasi_bytes(g, filestat_out, 64);
    struct wasi_job *j;
    enum file_error e;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (!out || flags > LOOKUP_FOLLOW) {
        wasi_job_free(j);
        return wasi_done(out ? FERR_INVAL : FERR_FAULT);
    }
    if (!j) {
        e = place_job(g, &p, get_info_work, &j);
        if (e)
            return wasi_done(e);
        j->flags = flags;
        j->error = get_info_cached(j->handle, j->path, flags, &j->info);
        if (j->error == FERR_AGAIN && !wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    if (!e)
        wasi_put_filestat(out, &j->info);
    wasi_job_free(j);
    return wasi_done(e);
}

static void path_set_times_work(struct wasi_job *j)
{
    int dir;

    j->error = wasi_handle_fd(j->handle, &dir);
    if (!j->error)
        j->error = file_path_set_times(dir, j->path, j->flags & LOOKUP_FOLLOW, &j->times);
}

struct outcome host_wasi_path_filestat_set_times(struct guest *g, uint32_t fd, uint32_t flags,
                                                 uint32_t path, uint32_t path_size, uint64_t atim,
                                                 uint64_t mtim, uint32_t fst_flags)
{
    const struct place p = {fd, path, path_size, WASI_PATH_FILESTAT_SET_TIMES};
    struct file_times times;
    enum file_error e = wasi_times(atim, mtim, fst_flags, &times);

    if (!e && flags > LOOKUP_FOLLOW)
        e = FERR_INVAL;
    if (e)
        return wasi_done(e);
    return place_call(g, &p, NULL, path_set_times_work, flags, &times);
}

/* Opens, and sees what it is. j->option: 1 to open only if that cannot block. */
static void open_work(struct wasi_job *j)
{
    int dir = atomic_load(&j->handle->fd);

    if (j->option) {
        j->error = dir < 0 ? FERR_AGAIN
                           : file_path_open(dir, j->path, j->flags | FILE_OPEN_CACHED, &j->fd);
        j->option = 0;
    } else {
        j->error = wasi_handle_fd(j->handle, &dir);
        if (!j->error)
            j->error = file_path_open(dir, j->path, j->flags, &j->fd);
    }
    if (!j->error) {
        j->error = file_get_info(j->fd, &j->info);
        j->may_block = file_may_block(j->fd);
    } else if (j->error == FERR_NXIO && dir >= 0 &&
               file_path_get_info(dir, j->path, j->flags & FILE_OPEN_FOLLOW, &j->info)) {
        j->info.is_fifo = false;
    }
}

/* What to ask of the system for the arguments of path_open. */
static enum file_error open_flags(uint32_t dirflags, uint32_t oflags, uint64_t base,
                                  uint32_t fdflags, unsigned *out)
{
    const uint64_t writing = WASI_FD_WRITE | WASI_FD_ALLOCATE | WASI_FD_FILESTAT_SET_SIZE;
    unsigned flags = dirflags & LOOKUP_FOLLOW ? FILE_OPEN_FOLLOW : 0u;

    if (dirflags > LOOKUP_FOLLOW || oflags > 15 || fdflags > 31)
        return FERR_INVAL;
    if (oflags & OFLAG_DIRECTORY) {
        if (oflags & (OFLAG_CREAT | OFLAG_EXCL | OFLAG_TRUNC))
            return FERR_INVAL;
        if (base & WASI_FD_WRITE)
            return FERR_ISDIR;
        *out = flags | FILE_OPEN_DIRECTORY | FILE_OPEN_READ;
        return FERR_OK;
    }
    if ((base & writing) || (oflags & OFLAG_TRUNC))
        flags |= FILE_OPEN_WRITE;
    if (!(flags & FILE_OPEN_WRITE) || (base & (WASI_FD_READ | WASI_FD_READDIR)))
        flags |= FILE_OPEN_READ;
    flags |= oflags & OFLAG_CREAT ? FILE_OPEN_CREATE : 0u;
    flags |= oflags & OFLAG_EXCL ? FILE_OPEN_EXCLUSIVE : 0u;
    flags |= oflags & OFLAG_TRUNC ? FILE_OPEN_TRUNCATE : 0u;
    flags |= fdflags & WASI_APPEND ? FILE_OPEN_APPEND : 0u;
    flags |= fdflags & (WASI_SYNC | WASI_RSYNC) ? FILE_OPEN_SYNC : 0u;
    flags |= fdflags & WASI_DSYNC ? FILE_OPEN_DSYNC : 0u;
    *out = flags;
    return FERR_OK;
}

/* Makes a descriptor of what a job has opened. */
static enum file_error open_end(struct guest *g, struct wasi_job *j, const struct wasi_fd *dir,
                                uint64_t base, uint64_t inheriting, uint32_t fdflags,
                                uint32_t *number)
{
    bool is_directory = j->info.kind == FILE_DIRECTORY;
    struct wasi_fd f = {
        .base = base & dir->inheriting & (is_directory ? WASI_RIGHTS_DIRECTORY : WASI_RIGHTS_FILE),
        .inheriting = is_directory ? inheriting & dir->inheriting : 0,
        .flags = (uint16_t)fdflags,
        .is_read_only = dir->is_read_only,
    };
    enum file_error e;
    int fd = j->fd;

    j->fd = -1; /* the handle's now */
    f.handle = wasi_handle_new(g->wasi->shared, fd, j->info.kind);
    if (!f.handle)
        return FERR_NOMEM;
    f.handle->is_fifo = j->info.is_fifo && !(j->flags & FILE_OPEN_WRITE);
    f.handle->may_block = j->may_block;
    if (f.handle->stream)
        f.base &= ~(uint64_t)(WASI_FD_SEEK | WASI_FD_TELL);
    e = wasi_fd_add(g, &f, number);
    if (e)
        wasi_handle_unref(f.handle);
    return e;
}

struct outcome host_wasi_path_open(struct guest *g, uint32_t fd, uint32_t dirflags, uint32_t path,
                                   uint32_t path_size, uint32_t oflags, uint64_t rights_base,
                                   uint64_t rights_inheriting, uint32_t fdflags, uint32_t fd_out)
{
    const struct place p = {fd, path, path_size,
                            WASI_PATH_OPEN | (oflags & OFLAG_CREAT ? WASI_PATH_CREATE_FILE : 0u) |
                                (oflags & OFLAG_TRUNC ? WASI_PATH_FILESTAT_SET_SIZE : 0u)};
    struct process *process = g->process;
    uint8_t *out = wasi_bytes(g, fd_out, 4);
    struct wasi_job *j;
    struct wasi_fd *dir;
    enum file_error e;
    uint32_t number;
    unsigned flags;
    bool running;

    j = wasi_job_resume(g, &running);
    if (running)
        return wasi_parked();
    if (process->wait.kind == WAIT_WASI_OPEN)
        wait_end(process);
    if (!j) {
        if (!out)
            return wasi_done(FERR_FAULT);
        e = wasi_fd_get(g, fd, 0, FERR_NOTCAPABLE, &dir);
        if (!e && (rights_base & ~dir->inheriting & WASI_FD_WRITE) &&
            dir->handle->kind == FILE_DIRECTORY)
            e = dir->is_read_only ? FERR_ROFS : FERR_NOTCAPABLE;
        if (!e)
            e = open_flags(dirflags, oflags, rights_base & dir->inheriting, fdflags, &flags);
        if (!e)
            e = place_job(g, &p, open_work, &j);
        if (e)
            return wasi_done(e);
        j->flags = flags;
        if (!(flags & (FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE))) {
            j->option = 1;
            open_work(j);
        } else {
            j->error = FERR_AGAIN;
        }
        if (j->error == FERR_AGAIN && !wasi_job_start(g, j))
            return wasi_parked();
    }
    e = j->error;
    if (e == FERR_NXIO && j->info.is_fifo && !(fdflags & WASI_NONBLOCK)) {
        /* A FIFO that nobody reads yet: try again until somebody does. */
        wasi_job_free(j);
        wait_begin(process, WAIT_WASI_OPEN,
                   actors_now_ns(process->environment->actors) + WASI_LOOK_NS, NULL, NULL);
        return wasi_parked();
    }
    if (!e && !out)
        e = FERR_FAULT;
    if (!e)
        e = wasi_fd_get(g, fd, 0, FERR_NOTCAPABLE, &dir);
    if (!e)
        e = open_end(g, j, dir, rights_base, rights_inheriting, fdflags, &number);
    wasi_job_free(j);
    if (!e)
        wasi_put32(out, number);
    return wasi_done(e);
}
