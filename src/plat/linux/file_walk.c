/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* The walk: every directory from the root down to where we are is held open, so that ".." is the
 * one we came from, whatever has been renamed meanwhile; links are read and their text put before
 * the rest. */
#include "plat/linux/file_walk.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40             /* as in the kernel */
#define DEPTH_MAX (PATH_MAX / 2) /* directories below the root held open at once */
#define RACES_MAX 64 /* times the last name may turn into a link between a look and an open */

struct walk {
    int root;
    int open[DEPTH_MAX]; /* the directories we are in, outermost first */
    int depth;           /* how many of them; 0: we are at the root */
    int links, races;
    char rest[PATH_MAX]; /* what is still to be resolved */
};

static int walk_here(const struct walk *w)
{
    return w->depth ? w->open[w->depth - 1] : w->root;
}

static void walk_end(struct walk *w)
{
    while (w->depth > 0)
        close(w->open[--w->depth]);
}

/* Takes the first name off `rest`: true if there was one. `*last`: none follows; `*slash`: but a
 * slash. */
static bool walk_name(struct walk *w, char name[NAME_MAX + 1], bool *last, bool *slash, int *error)
{
    size_t size = strcspn(w->rest, "/"), next;

    *error = 0;
    if (size == 0)
        return false;
    if (size > NAME_MAX) {
        *error = ENAMETOOLONG;
        return false;
    }
    memcpy(name, w->rest, size);
    name[size] = 0;
    next = size + strspn(w->rest + size, "/");
    *slash = next > size;
    *last = w->rest[next] == 0;
    memmove(w->rest, w->rest + next, strlen(w->rest + next) + 1);
    return true;
}

/* Whether `text` is that of a link of /proc that leads to an object rather than to a name: an open
 * file, a working directory, a program. The kernel says ELOOP where it is told not to follow them.
 */
static bool is_magic(int fd, const char *text, size_t size)
{
    struct statfs fs;

    return (text[0] == '/' || memmem(text, size, ":[", 2) || memmem(text, size, "inode:", 6)) &&
           fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Puts the text of the link `fd` before what is left. */
static int walk_follow(struct walk *w, int fd, bool slash)
{
    char text[PATH_MAX];
    ssize_t size = readlinkat(fd, "", text, sizeof(text));
    size_t rest = strlen(w->rest);

    if (size < 0)
        return errno;
    if (++w->links > LINKS_MAX)
        return ELOOP;
    if (size == 0)
        return ENOENT;
    if (is_magic(fd, text, (size_t)size))
        return ELOOP;
    if (text[0] == '/')
        return EXDEV;
    if ((size_t)size + (slash ? 1 : 0) + rest >= sizeof(w->rest))
        return ENAMETOOLONG;
    memmove(w->rest + size + (slash ? 1 : 0), w->rest, rest + 1);
    memcpy(w->rest, text, (size_t)size);
    if (slash)
        w->rest[size] = '/';
    return 0;
}

/* What stands at `name`: its handle, or the negated errno. */
static int walk_look(struct walk *w, const char *name, struct stat *st)
{
    int fd = openat(walk_here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int error;

    if (fd < 0)
        return -errno;
    if (fstat(fd, st) == 0)
        return fd;
    error = errno;
    close(fd);
    return -error;
}

/* Opens where we are. */
static int walk_open_here(struct walk *w, int flags)
{
    int fd;

    if (flags & O_CREAT)
        return flags & O_EXCL ? -EEXIST : -EISDIR;
    fd = openat(walk_here(w), ".", flags & ~O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int file_walk_open(int dir, const char *path, int flags, mode_t mode)
{
    struct walk w = {.root = dir};
    char name[NAME_MAX + 1];
    bool last, slash;
    int error = 0, fd = -1;

    if (path[0] == '/')
        return -EXDEV;
    if (path[0] == 0)
        return -ENOENT;
    if (strlen(path) >= sizeof(w.rest))
        return -ENAMETOOLONG;
    memcpy(w.rest, path, strlen(path) + 1);

    while (walk_name(&w, name, &last, &slash, &error)) {
        struct stat st = {0};
        int seen;

        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0) {
            if (w.depth == 0) {
                error = EXDEV;
                goto failed;
            }
            close(w.open[--w.depth]);
            continue;
        }
        if (last && slash && (flags & O_CREAT)) { /* whatever stands there, as the kernel */
            error = EISDIR;
            goto failed;
        }
        seen = walk_look(&w, name, &st);
        if (seen < 0) {
            error = -seen;
            if (!last || error != ENOENT || !(flags & O_CREAT))
                goto failed;
            fd = openat(walk_here(&w), name, flags | O_NOFOLLOW, mode);
            if (fd < 0 && errno == ELOOP && !(flags & O_NOFOLLOW) && ++w.races < RACES_MAX) {
                memcpy(w.rest, name, strlen(name) + 1); /* somebody made it a link just now */
                continue;
            }
            goto opened;
        }
        if (S_ISLNK(st.st_mode) && (!last || slash || !(flags & (O_NOFOLLOW | O_EXCL)))) {
            error = walk_follow(&w, seen, slash);
            close(seen);
            if (error)
                goto failed;
            continue;
        }
        if (!last || (slash && S_ISDIR(st.st_mode))) {
            if (!S_ISDIR(st.st_mode)) {
                close(seen);
                error = ENOTDIR;
                goto failed;
            }
            if (w.depth == DEPTH_MAX) {
                close(seen);
                error = ENAMETOOLONG;
                goto failed;
            }
            w.open[w.depth++] = seen;
            continue;
        }
        if (slash) { /* the last name, and no directory */
            close(seen);
            error = ENOTDIR;
            goto failed;
        }
        if (flags & O_PATH) {
            if ((flags & O_DIRECTORY) && !S_ISDIR(st.st_mode)) {
                close(seen);
                error = ENOTDIR;
                goto failed;
            }
            fd = seen;
            goto out;
        }
        close(seen);
        fd = openat(walk_here(&w), name, flags | O_NOFOLLOW, mode);
        if (fd < 0 && errno == ELOOP && !(flags & O_NOFOLLOW) && ++w.races < RACES_MAX) {
            memcpy(w.rest, name, strlen(name) + 1); /* it was swapped for a link just now */
            continue;
        }
        goto opened;
    }
    if (error)
        goto failed;
    fd = walk_open_here(&w, flags);
    if (fd < 0) {
        error = -fd;
        goto failed;
    }
    goto out;
opened:
    if (fd >= 0)
        goto out;
    error = errno;
failed:
    fd = -error;
out:
    walk_end(&w);
    return fd;
}
