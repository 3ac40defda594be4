/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How SQLite finds, makes and removes files: only for the connection that the thread works for, and
 * only in directories that its process may use. */
#include "base/mem.h"
#include "host/sqlite/internal.h"
#include "plat/clock.h"
#include "plat/file_path.h"
#include "plat/random.h"
#include <stdio.h>

int sqlite_error_of(enum file_error e, int otherwise)
{
    switch (e) {
    case FERR_OK:
        return SQLITE_OK;
    case FERR_NOMEM:
        return SQLITE_NOMEM;
    case FERR_NOSPC:
    case FERR_DQUOT:
    case FERR_FBIG:
        return SQLITE_FULL;
    default:
        return otherwise;
    }
}

/* Files that belong to a main file are as accessible as that is. */
static void copy_access(struct database *db, const char *path, int fd)
{
    const char *dash = strrchr(path, '-');
    size_t size = dash ? (size_t)(dash - path) : 0;

    for (const struct sqlite_file *f = db->files; f; f = f->next) {
        if (strlen(f->path) == size && memcmp(f->path, path, size) == 0) {
            (void)file_copy_access(f->fd, fd); /* at worst it is what new files are */
            return;
        }
    }
}

/* Its place is known. */
static enum file_error open_at_place(struct database *db, struct sqlite_file *f, int flags)
{
    bool makes = flags & SQLITE_OPEN_CREATE, writes = flags & SQLITE_OPEN_READWRITE;
    const unsigned how = FILE_OPEN_READ | (makes ? FILE_OPEN_CREATE : 0u) |
                         (flags & SQLITE_OPEN_EXCLUSIVE ? FILE_OPEN_EXCLUSIVE : 0u);
    struct file_info info;
    enum file_error e;

    if (writes && !f->place->is_read_only) {
        e = file_path_open(f->place->fd, f->name, how | FILE_OPEN_WRITE, &f->fd);
        if (e == FERR_ACCES || e == FERR_ROFS)
            writes = false;
    } else {
        writes = false;
    }
    if (!writes && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY)) {
        e = file_path_open(f->place->fd, f->name, FILE_OPEN_READ, &f->fd);
        f->is_read_only = true;
    } else if (!writes) {
        return FERR_ROFS;
    }
    if (e)
        return e;
    e = file_get_info(f->fd, &info);
    if (!e && info.kind != FILE_REGULAR)
        e = FERR_INVAL; /* a pipe, a device: nothing that a database could be in */
    if (e) {
        file_close(f->fd);
        return e;
    }
    if (makes && info.size == 0 &&
        flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL)) {
        copy_access(db, f->path, f->fd);
        f->syncs_folder = true;
    }
    return FERR_OK;
}

static enum file_error open_named(struct database *db, struct sqlite_file *f, int flags)
{
    enum file_error e = sqlite_place_get(db, f->path, &f->place, &f->name);
    struct sqlite_pause pause;

    if (e)
        return e;
    pause = call_pause_begin(f->place, SQLITE_PAUSE_NAMES);
    e = open_at_place(db, f, flags);
    call_pause_end(&pause);
    return e;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags,
                    int *out_flags)
{
    struct database *db = sqlite_current();
    struct sqlite_file *f = (struct sqlite_file *)file;
    enum file_error e;

    (void)vfs;
    *f = (struct sqlite_file){.database = db, .fd = -1};
    if (!db)
        return SQLITE_CANTOPEN;
    e = sqlite_descriptor_take(db->account);
    if (e)
        return SQLITE_CANTOPEN;
    if (path) {
        f->path = path;
        e = open_named(db, f, flags);
    } else {
        call_leave_worker();
        e = file_open_unnamed(&f->fd);
    }
    if (e)
        sqlite_descriptor_give(db->account);
    if (e == FERR_ROFS && !(flags & SQLITE_OPEN_MAIN_DB))
        return SQLITE_READONLY_DIRECTORY;
    if (e)
        return sqlite_error_of(e, SQLITE_CANTOPEN);
    f->deletes_on_close = path && flags & SQLITE_OPEN_DELETEONCLOSE;
    f->is_main = flags & SQLITE_OPEN_MAIN_DB && path;
    if (f->is_main) {
        f->next = db->files;
        db->files = f;
    }
    if (out_flags)
        *out_flags = f->is_read_only ? (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) |
                                           SQLITE_OPEN_READONLY
                                     : flags;
    f->base.pMethods = &sqlite_file_methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs_folder)
{
    struct database *db = sqlite_current();
    const struct sqlite_place *p;
    struct sqlite_pause pause;
    const char *name;
    enum file_error e;

    (void)vfs;
    if (!db || sqlite_place_get(db, path, &p, &name) != FERR_OK || p->is_read_only)
        return SQLITE_IOERR_DELETE;
    pause = call_pause_begin(p, SQLITE_PAUSE_NAMES);
    e = file_path_unlink(p->fd, name);
    call_pause_end(&pause);
    if (e == FERR_NOENT)
        return SQLITE_IOERR_DELETE_NOENT;
    if (e)
        return SQLITE_IOERR_DELETE;
    if (syncs_folder && sqlite_sync(p, p->fd))
        return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    struct database *db = sqlite_current();
    const struct sqlite_place *p;
    struct file_info info;
    const char *name;

    (void)vfs;
    *out = 0;
    if (!db || sqlite_place_get(db, path, &p, &name) != FERR_OK)
        return SQLITE_OK;
    if (p->may_block)
        call_leave_worker();
    if (file_path_get_info(p->fd, name, false, &info) != FERR_OK)
        return SQLITE_OK;
    /* An empty file is as good as none where SQLite asks. */
    if (flags == SQLITE_ACCESS_EXISTS)
        *out = info.kind == FILE_REGULAR && info.size > 0;
    else
        *out = info.kind == FILE_REGULAR && !p->is_read_only;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int out_size, char *out)
{
    struct database *db = sqlite_current();

    (void)vfs;
    if (!db)
        return SQLITE_CANTOPEN;
    call_leave_worker();
    return sqlite_place_resolve(db, path, out, (size_t)out_size) ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    random_bytes(out, (size_t)size);
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    call_sleep((unsigned)us * NS_PER_US);
    return us;
}

static int vfs_now(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    const int64_t unix_epoch_ms = 24405875 * (int64_t)8640000; /* of the Julian calendar */

    (void)vfs;
    *out = unix_epoch_ms + (int64_t)(clock_realtime_ns() / NS_PER_MS);
    return SQLITE_OK;
}

static int vfs_now_days(sqlite3_vfs *vfs, double *out)
{
    sqlite3_int64 ms;

    vfs_now(vfs, &ms);
    *out = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    (void)size;
    (void)out;
    return 0;
}

/* No code is loaded. */
static void *vfs_library(sqlite3_vfs *vfs, const char *path)
{
    (void)vfs;
    (void)path;
    return NULL;
}

static void vfs_library_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)size, "extensions cannot be loaded");
}

static void (*vfs_library_symbol(sqlite3_vfs *vfs, void *library, const char *name))(void)
{
    (void)vfs;
    (void)library;
    (void)name;
    return NULL;
}

static void vfs_library_close(sqlite3_vfs *vfs, void *library)
{
    (void)vfs;
    (void)library;
}

bool sqlite_vfs_install(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct sqlite_file),
        .mxPathname = SQLITE_PATH_SIZE_MAX,
        .zName = SQLITE_VFS_NAME,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xDlOpen = vfs_library,
        .xDlError = vfs_library_error,
        .xDlSym = vfs_library_symbol,
        .xDlClose = vfs_library_close,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_now_days,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_now,
    };

    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}
