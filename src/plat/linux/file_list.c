/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* Listing a directory in pieces, on Linux. The descriptor stays where the last piece ended, since
 * some file systems (tmpfs, overlays) count entries from the start to find a place again, which
 * makes a listing of n entries n * n steps. */
#include "base/mem.h"
#include "plat/file.h"
#include "plat/linux/file_errno.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LISTING_BUFFER_SIZE (32u << 10)

/* As the kernel lays entries out (getdents64). */
struct kernel_entry {
    uint64_t inode;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

struct file_listing {
    int fd;
    size_t size;    /* of what is in the buffer */
    size_t at;      /* the next entry in it */
    uint64_t start; /* the cookie of the buffer's first entry */
    uint64_t next;  /* of the entry at `at` */
    _Alignas(struct kernel_entry) uint8_t buffer[LISTING_BUFFER_SIZE];
};

enum file_error file_reopen_directory(int dir, int *out)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return file_error_from(errno);
    *out = fd;
    return FERR_OK;
}

enum file_error file_listing_open(int dir, struct file_listing **out)
{
    struct file_listing *l = mem_try(struct file_listing);
    enum file_error e;

    if (!l)
        return FERR_NOMEM;
    e = file_reopen_directory(dir, &l->fd);
    if (e) {
        mem_free(l);
        return e;
    }
    *out = l;
    return FERR_OK;
}

void file_listing_close(struct file_listing *l)
{
    if (!l)
        return;
    close(l->fd);
    mem_free(l);
}

static const struct kernel_entry *entry_at(const struct file_listing *l, size_t at)
{
    return (const struct kernel_entry *)(const void *)(l->buffer + at);
}

static enum file_kind kind_of_entry(int fd, const struct kernel_entry *e)
{
    /* DT_* are the file type bits of st_mode, shifted; 0: the file system does not say. */
    struct stat st;

    if (e->type)
        return file_kind_of_mode((unsigned)e->type << 12);
    if (fstatat(fd, e->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return FILE_UNKNOWN;
    return file_kind_of_mode(st.st_mode);
}

/* Goes to `cookie`: in the buffer if it is there. */
static enum file_error listing_seek(struct file_listing *l, uint64_t cookie)
{
    uint64_t here = l->start;

    if (cookie == l->next && cookie != 0)
        return FERR_OK;
    for (size_t at = 0; cookie != 0 && at < l->size; at += entry_at(l, at)->size) {
        if (here == cookie) {
            l->at = at;
            l->next = cookie;
            return FERR_OK;
        }
        here = (uint64_t)entry_at(l, at)->next;
    }
    if (cookie > INT64_MAX || lseek(l->fd, (off_t)cookie, SEEK_SET) < 0)
        return FERR_INVAL;
    l->size = l->at = 0;
    l->start = l->next = cookie;
    return FERR_OK;
}

enum file_error file_listing_read(struct file_listing *l, uint64_t cookie,
                                  bool (*each)(void *arg, const struct file_entry *e), void *arg)
{
    enum file_error e = listing_seek(l, cookie);

    if (e)
        return e;
    for (;;) {
        const struct kernel_entry *k;
        struct file_entry entry;

        if (l->at == l->size) {
            long got = syscall(SYS_getdents64, l->fd, l->buffer, sizeof(l->buffer));

            if (got < 0)
                return file_error_from(errno);
            if (got == 0)
                return FERR_OK;
            l->start = l->next;
            l->size = (size_t)got;
            l->at = 0;
        }
        k = entry_at(l, l->at);
        entry = (struct file_entry){
            .cookie = (uint64_t)k->next,
            .inode = k->inode,
            .name = k->name,
            .name_size = strlen(k->name),
            .kind = kind_of_entry(l->fd, k),
        };
        l->at += k->size;
        l->next = entry.cookie;
        if (!each(arg, &entry))
            return FERR_OK;
    }
}
