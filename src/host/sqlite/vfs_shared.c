/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The index of a write-ahead log, which all connections to a database share.
 *
 * Elsewhere it is a file that programs map. Here it is memory of this program, which no guest can
 * reach: who could write to the file could make SQLite read anything, or cut the file short under
 * it. So that other programs keep away meanwhile, the lock by which they agree on that file
 * is held: to them the database is locked. */
#include "base/mem.h"
#include "host/sqlite/internal.h"
#include "plat/file_lock.h"
#include "plat/file_path.h"
#include "plat/thread.h"
#include <stdio.h>

#define REGION_SIZE   32768
#define REGIONS_MAX   65536 /* for a log of 2^28 pages */
#define PROGRAMS_LOCK 128   /* the byte of NAME-shm by which programs agree */

struct sqlite_index {
    struct sqlite_index *next;
    uint64_t device, inode; /* of the database */
    size_t references;      /* files that use it */
    int fd;                 /* NAME-shm */
    VEC(uint8_t *) regions;
    uint32_t shared[SQLITE_SHM_NLOCK]; /* by lock: how many share it */
    bool exclusive[SQLITE_SHM_NLOCK];  /* whether one has it alone */
};

static struct mutex indexes_lock = MUTEX_INITIALIZER;
static struct sqlite_index *indexes GUARDED_BY(indexes_lock);

static struct sqlite_file *of(sqlite3_file *file)
{
    return (struct sqlite_file *)file;
}

static bool file_name(const struct sqlite_file *f, char *out, size_t out_size)
{
    return (size_t)snprintf(out, out_size, "%s-shm", f->name) < out_size;
}

static void index_free(struct sqlite_index *x)
{
    for (size_t i = 0; i < x->regions.count; i++) {
        mem_free(x->regions.items[i]);
        mem_uncharge(REGION_SIZE);
    }
    vec_deinit(&x->regions);
    file_close(x->fd);
    mem_free(x);
}

/* Makes the index, if no other program has one: `*out` is set if this is SQLITE_OK. */
static int index_new(const struct sqlite_file *f, const struct file_info *info,
                     struct sqlite_index **out)
{
    char name[SQLITE_PATH_SIZE_MAX];
    struct sqlite_index *x;
    struct file_info own;
    enum file_error e;

    if (f->place->is_read_only || !file_name(f, name, sizeof(name)))
        return SQLITE_CANTOPEN;
    x = mem_try(struct sqlite_index);
    if (!x)
        return SQLITE_NOMEM;
    x->device = info->device;
    x->inode = info->inode;
    e = file_path_open(f->place->fd, name, FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE,
                       &x->fd);
    if (e) {
        mem_free(x);
        return sqlite_error_of(e, SQLITE_CANTOPEN);
    }
    e = file_get_info(x->fd, &own);
    if (!e && own.kind != FILE_REGULAR)
        e = FERR_INVAL;
    if (!e)
        e = file_lock(x->fd, FILE_LOCK_EXCLUSIVE, PROGRAMS_LOCK, 1);
    if (e) {
        index_free(x);
        return e == FERR_AGAIN ? call_busy() : SQLITE_IOERR_SHMOPEN;
    }
    (void)file_copy_access(f->fd, x->fd); /* at worst it is what new files are */
    *out = x;
    return SQLITE_OK;
}

static int index_get(struct sqlite_file *f) REQUIRES(indexes_lock)
{
    struct sqlite_index *x;
    struct file_info info;
    int code;

    if (!f->place || file_get_info(f->fd, &info))
        return SQLITE_IOERR_SHMOPEN;
    for (x = indexes; x; x = x->next) {
        if (x->device == info.device && x->inode == info.inode)
            break;
    }
    if (!x) {
        code = index_new(f, &info, &x);
        if (code != SQLITE_OK || !x)
            return code;
        x->next = indexes;
        indexes = x;
    }
    x->references++;
    f->index = x;
    return SQLITE_OK;
}

int sqlite_index_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    struct sqlite_file *f = of(file);
    struct sqlite_index *x;
    int code = SQLITE_OK;

    *out = NULL;
    if (size != REGION_SIZE || region < 0 || region >= REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    if (!f->index)
        call_leave_worker(); /* not below the lock */
    mutex_lock(&indexes_lock);
    if (!f->index)
        code = index_get(f);
    x = f->index;
    ASSERT(x || code != SQLITE_OK);
    while (code == SQLITE_OK && extend && x->regions.count <= (size_t)region) {
        uint8_t *data;

        if (!mem_charge(REGION_SIZE)) {
            code = SQLITE_NOMEM;
            break;
        }
        data = mem_try_alloc(1, REGION_SIZE);
        if (!data || !vec_push(&x->regions, data)) {
            mem_free(data);
            mem_uncharge(REGION_SIZE);
            code = SQLITE_NOMEM;
        }
    }
    if (code == SQLITE_OK && (size_t)region < x->regions.count)
        *out = x->regions.items[region];
    mutex_unlock(&indexes_lock);
    return code;
}

static bool conflicts(const struct sqlite_file *f, int lock, bool exclusive) REQUIRES(indexes_lock)
{
    const struct sqlite_index *x = f->index;
    uint32_t own = f->index_shared >> lock & 1u;

    if (f->index_exclusive >> lock & 1u)
        return false;
    return x->exclusive[lock] || (exclusive && x->shared[lock] > own);
}

static void let_go(struct sqlite_file *f, int lock) REQUIRES(indexes_lock)
{
    struct sqlite_index *x = f->index;
    uint8_t bit = (uint8_t)(1u << lock);

    if (f->index_shared & bit)
        x->shared[lock]--;
    if (f->index_exclusive & bit)
        x->exclusive[lock] = false;
    f->index_shared &= (uint8_t)~bit;
    f->index_exclusive &= (uint8_t)~bit;
}

int sqlite_index_lock(sqlite3_file *file, int offset, int count, int flags)
{
    struct sqlite_file *f = of(file);
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
    int code = SQLITE_OK;

    mutex_lock(&indexes_lock);
    if (!f->index) {
        code = SQLITE_IOERR_SHMLOCK;
        goto out;
    }
    if (flags & SQLITE_SHM_UNLOCK) {
        for (int i = offset; i < offset + count; i++)
            let_go(f, i);
        goto out;
    }
    for (int i = offset; i < offset + count; i++) {
        if (conflicts(f, i, exclusive)) {
            code = call_busy();
            goto out;
        }
    }
    for (int i = offset; i < offset + count; i++) {
        uint8_t bit = (uint8_t)(1u << i);

        if (exclusive) {
            f->index->exclusive[i] = true;
            f->index_exclusive |= bit;
        } else if (!(f->index_shared & bit)) {
            f->index->shared[i]++;
            f->index_shared |= bit;
        }
    }
out:
    mutex_unlock(&indexes_lock);
    return code;
}

void sqlite_index_barrier(sqlite3_file *file)
{
    (void)file;
    /* What others have written before they passed here is seen by who passes after them. */
    atomic_thread_fence(memory_order_seq_cst);
    mutex_lock(&indexes_lock);
    mutex_unlock(&indexes_lock);
}

int sqlite_index_unmap(sqlite3_file *file, int deletes)
{
    struct sqlite_file *f = of(file);
    struct sqlite_index *x = f->index, **at;
    char name[SQLITE_PATH_SIZE_MAX];

    if (!x)
        return SQLITE_OK;
    call_leave_worker();
    mutex_lock(&indexes_lock);
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        let_go(f, i);
    f->index = NULL;
    if (--x->references == 0) {
        for (at = &indexes; *at != x; at = &(*at)->next)
            ;
        *at = x->next;
        /* Before its lock goes, so that nobody else has begun to use the file. */
        if (deletes && file_name(f, name, sizeof(name)))
            (void)file_path_unlink(f->place->fd, name);
        index_free(x);
    }
    mutex_unlock(&indexes_lock);
    return SQLITE_OK;
}
