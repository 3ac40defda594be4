/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* Paths that cannot leave a directory, on Linux: openat2, or the walk of file_walk.c. */
#include "plat/file_path.h"
#include "plat/linux/file_errno.h"
#include "plat/linux/file_fault.h"
#include "plat/linux/file_walk.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define RACE_RETRIES 64 /* of a lookup that the kernel found disturbed by somebody's rename */

/* Whether openat2 is known to be missing; a fact of the kernel, found once. */
static _Atomic bool walk_always;

void file_path_force_walk(bool on)
{
    atomic_store_explicit(&walk_always, on, memory_order_relaxed);
}

/* Opens `path` below `dir` with the system's `flags`: a descriptor, or the negated errno. EXDEV: it
 * would leave. */
static int open_below(int dir, const char *path, int flags, mode_t mode, bool cached)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (cached ? RESOLVE_CACHED : 0),
    };

    if (!atomic_load_explicit(&walk_always, memory_order_relaxed)) {
        for (int i = 0; i < RACE_RETRIES; i++) {
            long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

            if (fd >= 0)
                return (int)fd;
            if (errno == ENOSYS) {
                atomic_store_explicit(&walk_always, true, memory_order_relaxed);
                break;
            }
            if (errno == EPERM)
                break; /* a filter that does not know the call; or truly so, and then the walk says
                          it too */
            if ((errno != EAGAIN || cached) && errno != EINTR)
                return cached && errno == EINVAL ? -EAGAIN : -errno;
        }
    }
    return cached ? -EAGAIN : file_walk_open(dir, path, flags, mode);
}

/* Whether what `fd` is open on is below the folder of a process in /proc. There the memory, the
 * environment and the open files of this very program can be had, so no guest gets there, whatever
 * directory it was given. */
static bool is_of_a_process(int fd)
{
    char link[32], text[PATH_MAX];
    struct statfs fs;
    ssize_t size;

    if (fstatfs(fd, &fs) != 0 || fs.f_type != PROC_SUPER_MAGIC)
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, text, sizeof(text) - 1);
    if (size < 0)
        return true; /* unknown */
    text[size] = 0;
    for (const char *p = text; *p; p += strcspn(p, "/")) {
        size_t digits;

        p += strspn(p, "/");
        digits = strspn(p, "0123456789");
        if (digits > 0 && (p[digits] == '/' || p[digits] == 0))
            return true;
    }
    return false;
}

static enum file_error error_below(int errnum)
{
    return errnum == EXDEV ? FERR_PERM : file_error_from(errnum);
}

enum file_error file_root_open(const char *path, int *out)
{
    int fd = file_fails(FILE_CALL_OPEN, NULL) ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return file_error_from(errno);
    *out = fd;
    return FERR_OK;
}

enum file_error file_path_open(int dir, const char *path, unsigned flags, int *out)
{
    int system = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd;

    if (flags & FILE_OPEN_HANDLE) {
        system = O_PATH | O_CLOEXEC;
    } else {
        system |= !(flags & FILE_OPEN_WRITE) ? O_RDONLY
                  : flags & FILE_OPEN_READ   ? O_RDWR
                                             : O_WRONLY;
        system |= flags & FILE_OPEN_APPEND ? O_APPEND : 0;
        system |= flags & FILE_OPEN_CREATE ? O_CREAT : 0;
        system |= flags & FILE_OPEN_CREATE && flags & FILE_OPEN_EXCLUSIVE ? O_EXCL : 0;
        system |= flags & FILE_OPEN_TRUNCATE ? O_TRUNC : 0;
        system |= flags & FILE_OPEN_SYNC ? O_SYNC : 0;
        system |= flags & FILE_OPEN_DSYNC ? O_DSYNC : 0;
    }
    system |= flags & FILE_OPEN_DIRECTORY ? O_DIRECTORY : 0;
    system |= flags & FILE_OPEN_FOLLOW ? 0 : O_NOFOLLOW;
    fd = file_fails(FILE_CALL_OPEN, NULL)
             ? -errno
             : open_below(dir, path, system, 0666, flags & FILE_OPEN_CACHED);
    if (fd < 0)
        return error_below(-fd);
    if (!(flags & FILE_OPEN_HANDLE) && is_of_a_process(fd)) {
        close(fd);
        return FERR_PERM;
    }
    *out = fd;
    return FERR_OK;
}

enum file_error file_path_get_info(int dir, const char *path, bool follow, struct file_info *out)
{
    int fd = open_below(dir, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW), 0, false);
    enum file_error e;

    if (fd < 0)
        return error_below(-fd);
    e = file_get_info(fd, out);
    close(fd);
    return e;
}

enum file_error file_path_set_times(int dir, const char *path, bool follow,
                                    const struct file_times *times)
{
    int fd = open_below(dir, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW), 0, false);
    enum file_error e;

    if (fd < 0)
        return error_below(-fd);
    e = file_set_times(fd, times);
    close(fd);
    return e;
}

/* The directory in which the last name of a path is, and that name. */
struct place {
    int dir;
    bool owned; /* `dir` is to be closed */
    bool slash; /* slashes follow the name */
    char name[NAME_MAX +
              8]; /* with one slash if there were any; never followed as a link by callers */
};

static void place_close(struct place *p)
{
    if (p->owned)
        close(p->dir);
}

/* Finds the place of `path`. The name may not exist; "." and ".." are checked to stay below `dir`.
 */
static enum file_error place_open(int dir, const char *path, struct place *p)
{
    char parent[PATH_MAX];
    size_t size = strlen(path), end = size, start;
    int fd;

    *p = (struct place){.dir = dir};
    if (size == 0)
        return FERR_NOENT;
    if (path[0] == '/')
        return FERR_PERM;
    if (size >= PATH_MAX)
        return FERR_NAMETOOLONG;
    while (end > 0 && path[end - 1] == '/')
        end--;
    p->slash = end < size;
    start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (end - start > NAME_MAX)
        return FERR_NAMETOOLONG;
    memcpy(p->name, path + start, end - start);
    memcpy(p->name + (end - start), p->slash ? "/" : "", p->slash ? 2 : 1);
    if ((end - start == 1 && p->name[0] == '.') ||
        (end - start == 2 && p->name[0] == '.' && p->name[1] == '.')) {
        fd = open_below(dir, path, O_PATH | O_CLOEXEC | O_DIRECTORY, 0, false);
        if (fd < 0)
            return error_below(-fd);
        close(fd);
    }
    if (start == 0)
        return FERR_OK;
    memcpy(parent, path, start);
    parent[start] = 0;
    fd = open_below(dir, parent, O_PATH | O_CLOEXEC | O_DIRECTORY, 0, false);
    if (fd < 0)
        return error_below(-fd);
    p->dir = fd;
    p->owned = true;
    return FERR_OK;
}

/* What the system said about an operation on a place. */
static enum file_error place_result(int rc)
{
    return rc == 0 ? FERR_OK : file_error_from(errno);
}

enum file_error file_path_make_directory(int dir, const char *path)
{
    struct place p;
    enum file_error e = place_open(dir, path, &p);

    if (e)
        return e;
    e = place_result(mkdirat(p.dir, p.name, 0777));
    place_close(&p);
    return e;
}

static enum file_error remove_place(int dir, const char *path, int flags)
{
    struct place p;
    enum file_error e = place_open(dir, path, &p);

    if (e)
        return e;
    e = place_result(file_fails(FILE_CALL_UNLINK, NULL) ? -1 : unlinkat(p.dir, p.name, flags));
    place_close(&p);
    return e;
}

enum file_error file_path_remove_directory(int dir, const char *path)
{
    return remove_place(dir, path, AT_REMOVEDIR);
}

enum file_error file_path_unlink(int dir, const char *path)
{
    return remove_place(dir, path, 0);
}

enum file_error file_path_rename(int old_dir, const char *old_path, int new_dir,
                                 const char *new_path)
{
    struct place from, to;
    enum file_error e = place_open(old_dir, old_path, &from);

    if (e)
        return e;
    e = place_open(new_dir, new_path, &to);
    if (!e) {
        e = place_result(renameat(from.dir, from.name, to.dir, to.name));
        place_close(&to);
    }
    place_close(&from);
    return e;
}

/* Whether the name is a directory, itself and not what a link points to. */
static bool place_is_directory(struct place *p)
{
    struct stat st;
    char name[sizeof(p->name)];
    size_t size = strlen(p->name);

    memcpy(name, p->name, size + 1);
    if (p->slash)
        name[size - 1] = 0;
    return fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

enum file_error file_path_link(int old_dir, const char *old_path, int new_dir, const char *new_path)
{
    struct place from, to;
    enum file_error e = place_open(old_dir, old_path, &from);

    if (e)
        return e;
    e = place_open(new_dir, new_path, &to);
    if (!e) {
        if (from.slash) /* a lookup with a slash would follow a link; directories cannot be linked
                         */
            e = place_is_directory(&from) ? FERR_PERM : FERR_NOTDIR;
        else
            e = place_result(linkat(from.dir, from.name, to.dir, to.name, 0));
        place_close(&to);
    }
    place_close(&from);
    return e;
}

enum file_error file_path_symlink(const char *target, int dir, const char *path)
{
    struct place p;
    enum file_error e;

    if (target[0] == '/')
        return FERR_PERM;
    e = place_open(dir, path, &p);
    if (e)
        return e;
    e = place_result(symlinkat(target, p.dir, p.name));
    place_close(&p);
    return e;
}

enum file_error file_path_readlink(int dir, const char *path, char *text, size_t capacity,
                                   size_t *size)
{
    char whole[PATH_MAX];
    struct place p;
    enum file_error e = place_open(dir, path, &p);
    ssize_t got;

    if (e)
        return e;
    if (p.slash) {
        e = place_is_directory(&p) ? FERR_INVAL : FERR_NOTDIR;
    } else if (is_of_a_process(p.dir)) {
        e = FERR_PERM;
    } else {
        got = readlinkat(p.dir, p.name, whole, sizeof(whole));
        if (got < 0) {
            e = file_error_from(errno);
        } else {
            *size = (size_t)got;
            memcpy(text, whole, *size < capacity ? *size : capacity);
        }
    }
    place_close(&p);
    return e;
}
