/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Open files as SQLite uses them. Its locks are those of its own files on Unix, so that other
 * programs can use the same databases:
 *
 *     byte PENDING   who wants to write alone holds it, so that no more readers come
 *     byte RESERVED  who is going to write holds it
 *     SHARED range   readers hold it shared, who writes alone
 */
#include "host/sqlite/internal.h"
#include "plat/file_lock.h"
#include "plat/file_path.h"

#define PENDING     0x40000000u
#define RESERVED    (PENDING + 1)
#define SHARED      (PENDING + 2)
#define SHARED_SIZE 510u

#define SECTOR_SIZE 4096
#define HERE_MAX    (64u << 10) /* bytes that are written on a worker */

static struct sqlite_file *of(sqlite3_file *file)
{
    return (struct sqlite_file *)file;
}

static bool may_block(const struct sqlite_file *f)
{
    return f->place && f->place->may_block;
}

enum file_error sqlite_sync(const struct sqlite_place *place, int fd)
{
    const struct sqlite_pause pause = call_pause_begin(place, SQLITE_PAUSE_SYNC);
    const enum file_error e = file_sync(fd, true);

    call_pause_end(&pause);
    return e;
}

static int file_close_(sqlite3_file *file)
{
    struct sqlite_file *f = of(file);
    struct sqlite_pause pause;

    if (f->is_main) {
        struct sqlite_file **at = &f->database->files;

        while (*at != f)
            at = &(*at)->next;
        *at = f->next;
    }
    pause = call_pause_begin(f->place, SQLITE_PAUSE_NAMES);
    if (f->deletes_on_close)
        (void)file_path_unlink(f->place->fd, f->name); /* it may be gone already */
    file_close(f->fd);
    call_pause_end(&pause);
    f->fd = -1;
    sqlite_descriptor_give(f->database->account);
    return SQLITE_OK;
}

static int file_read_(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    struct sqlite_file *f = of(file);
    size_t done_size = 0, wanted = (size_t)size;

    if (may_block(f))
        call_leave_worker();
    while (done_size < wanted) {
        const struct file_piece piece = {(uint8_t *)data + done_size, wanted - done_size};
        const int64_t at = offset + (int64_t)done_size;
        size_t got;
        enum file_error e = file_read(f->fd, &piece, 1, at, true, &got);

        if (e == FERR_AGAIN) { /* the disk is needed */
            const struct sqlite_pause pause = call_pause_begin(f->place, SQLITE_PAUSE_READ);

            e = file_read(f->fd, &piece, 1, at, false, &got);
            call_pause_end(&pause);
        }
        if (e)
            return SQLITE_IOERR_READ;
        if (got == 0) {
            memset((uint8_t *)data + done_size, 0, wanted - done_size);
            return SQLITE_IOERR_SHORT_READ;
        }
        done_size += got;
    }
    call_look_at_clock();
    return SQLITE_OK;
}

static int file_write_(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    struct sqlite_file *f = of(file);
    size_t done_size = 0, wanted = (size_t)size;

    if (!f->path && (uint64_t)offset + wanted > SQLITE_TEMP_SIZE_MAX)
        return SQLITE_FULL;
    if (wanted > HERE_MAX || may_block(f))
        call_leave_worker();
    while (done_size < wanted) {
        const struct file_piece piece = {(uint8_t *)(uintptr_t)data + done_size,
                                         wanted - done_size};
        size_t put;
        enum file_error e = file_write(f->fd, &piece, 1, offset + (int64_t)done_size, &put);

        if (e || put == 0)
            return sqlite_error_of(e, SQLITE_IOERR_WRITE);
        done_size += put;
    }
    call_look_at_clock();
    return SQLITE_OK;
}

static int file_truncate_(sqlite3_file *file, sqlite3_int64 size)
{
    struct sqlite_file *f = of(file);
    const struct sqlite_pause pause = call_pause_begin(f->place, SQLITE_PAUSE_NAMES);
    const enum file_error e = file_set_size(f->fd, (uint64_t)size);

    call_pause_end(&pause);
    return sqlite_error_of(e, SQLITE_IOERR_TRUNCATE);
}

static int file_sync_(sqlite3_file *file, int flags)
{
    struct sqlite_file *f = of(file);

    (void)flags; /* what is needed to read the data back is always written */
    if (!f->path)
        return SQLITE_OK;
    if (sqlite_sync(f->place, f->fd))
        return SQLITE_IOERR_FSYNC;
    if (f->syncs_folder) {
        /* Some file systems cannot, and need not. */
        (void)sqlite_sync(f->place, f->place->fd);
        f->syncs_folder = false;
    }
    return SQLITE_OK;
}

static int file_size_(sqlite3_file *file, sqlite3_int64 *out)
{
    struct file_info info;

    if (file_get_info(of(file)->fd, &info))
        return SQLITE_IOERR_FSTAT;
    *out = (sqlite3_int64)info.size;
    return SQLITE_OK;
}

/* ---- locks ---- */

static int lock_result(enum file_error e)
{
    return e == FERR_OK ? SQLITE_OK : e == FERR_AGAIN ? call_busy() : SQLITE_IOERR_LOCK;
}

static int lock_shared(struct sqlite_file *f)
{
    int code = lock_result(file_lock(f->fd, FILE_LOCK_SHARED, PENDING, 1));

    if (code != SQLITE_OK)
        return code;
    code = lock_result(file_lock(f->fd, FILE_LOCK_SHARED, SHARED, SHARED_SIZE));
    if (file_lock(f->fd, FILE_UNLOCK, PENDING, 1) && code == SQLITE_OK)
        code = SQLITE_IOERR_UNLOCK;
    return code;
}

static int file_lock_(sqlite3_file *file, int level)
{
    struct sqlite_file *f = of(file);
    int code;

    if (f->lock >= level)
        return SQLITE_OK;
    if (may_block(f))
        call_leave_worker();
    if (level == SQLITE_LOCK_SHARED) {
        code = lock_shared(f);
        if (code == SQLITE_OK)
            f->lock = level;
        return code;
    }
    if (level == SQLITE_LOCK_RESERVED) {
        code = lock_result(file_lock(f->fd, FILE_LOCK_EXCLUSIVE, RESERVED, 1));
        if (code == SQLITE_OK)
            f->lock = level;
        return code;
    }
    if (f->lock == SQLITE_LOCK_RESERVED) {
        code = lock_result(file_lock(f->fd, FILE_LOCK_EXCLUSIVE, PENDING, 1));
        if (code != SQLITE_OK)
            return code;
        f->lock = SQLITE_LOCK_PENDING; /* kept while the readers go */
    }
    code = lock_result(file_lock(f->fd, FILE_LOCK_EXCLUSIVE, SHARED, SHARED_SIZE));
    if (code == SQLITE_OK)
        f->lock = SQLITE_LOCK_EXCLUSIVE;
    return code;
}

static int file_unlock_(sqlite3_file *file, int level)
{
    struct sqlite_file *f = of(file);
    enum file_error e = FERR_OK;

    if (f->lock <= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        if (file_lock(f->fd, FILE_LOCK_SHARED, SHARED, SHARED_SIZE))
            return SQLITE_IOERR_RDLOCK;
        e = file_lock(f->fd, FILE_UNLOCK, PENDING, 2);
    } else {
        e = file_lock(f->fd, FILE_UNLOCK, PENDING, 2 + SHARED_SIZE);
    }
    if (e)
        return SQLITE_IOERR_UNLOCK;
    f->lock = level;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *file, int *out)
{
    struct sqlite_file *f = of(file);
    bool locked;

    *out = 1;
    if (f->lock >= SQLITE_LOCK_RESERVED)
        return SQLITE_OK;
    if (file_is_locked(f->fd, RESERVED, 1, &locked))
        return SQLITE_IOERR_CHECKRESERVEDLOCK;
    *out = locked;
    return SQLITE_OK;
}

/* ---- the rest ---- */

static int file_control(sqlite3_file *file, int what, void *arg)
{
    switch (what) {
    case SQLITE_FCNTL_LOCKSTATE:
        *(int *)arg = of(file)->lock;
        return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME:
        *(char **)arg = sqlite3_mprintf("%s", SQLITE_VFS_NAME);
        return SQLITE_OK;
    default:
        return SQLITE_NOTFOUND;
    }
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return SECTOR_SIZE;
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    /* As SQLite assumes of Unix: a write that power cuts off does not damage its neighbours. */
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

const sqlite3_io_methods sqlite_file_methods = {
    .iVersion = 2,
    .xClose = file_close_,
    .xRead = file_read_,
    .xWrite = file_write_,
    .xTruncate = file_truncate_,
    .xSync = file_sync_,
    .xFileSize = file_size_,
    .xLock = file_lock_,
    .xUnlock = file_unlock_,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = sqlite_index_map,
    .xShmLock = sqlite_index_lock,
    .xShmBarrier = sqlite_index_barrier,
    .xShmUnmap = sqlite_index_unmap,
};
