/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Attempts to get out of a preopened directory, each with openat2 and with our own walk.
 *
 * The guest has TOP/in as descriptor 3. Outside are TOP/secret and TOP/out/secret, which after each
 * attempt are what they were, and nothing has come beside them. Races with renames and swapped
 * links are in tests/unit/plat/file_races.c. */
#include "plat/file_path.h"
#include "wasi_world.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IOVS = 0x100, OUT = 0x200, PATH = 0x1000, PATH2 = 0x4000, DATA = 0x10000 };
enum { CREAT = 1, DIRECTORY = 2, EXCL = 4, TRUNC = 8, FOLLOW = 1 };

static uint8_t *mem(struct guest *g, uint32_t at)
{
    return g->instance->memory_base + at;
}

static int open_at(struct guest *g, uint32_t fd, const char *path, uint32_t dirflags,
                   uint32_t oflags, uint64_t rights)
{
    int e = errno_of(host_wasi_path_open(g, fd, dirflags, PATH, put(g, PATH, path), oflags, rights,
                                         WASI_RIGHTS_ALL, 0, OUT));

    return e ? -e : (int)wasi_get32(mem(g, OUT));
}

/* Every function with a path says `expected` for this one, below descriptor `fd`. If one does not,
 * it has done what it was asked: removed, renamed or overwritten. So no path here may lead to
 * anything but the test's own files, whatever goes wrong; others are only opened. */
static bool refused_below(struct guest *g, uint32_t fd, const char *path, int expected)
{
    uint32_t size = put(g, PATH, path), other = put(g, PATH2, "other");
    const int got[] = {
        -open_at(g, fd, path, FOLLOW, 0, WASI_FD_READ),
        -open_at(g, fd, path, FOLLOW, DIRECTORY, WASI_FD_READDIR),
        -open_at(g, fd, path, FOLLOW, CREAT, WASI_FD_WRITE),
        -open_at(g, fd, path, FOLLOW, TRUNC, WASI_FD_WRITE),
        errno_of(host_wasi_path_filestat_get(g, fd, FOLLOW, PATH, size, OUT)),
        errno_of(host_wasi_path_filestat_set_times(g, fd, FOLLOW, PATH, size, 1, 1, 5)),
        errno_of(host_wasi_path_create_directory(g, fd, PATH, size)),
        errno_of(host_wasi_path_remove_directory(g, fd, PATH, size)),
        errno_of(host_wasi_path_unlink_file(g, fd, PATH, size)),
        errno_of(host_wasi_path_readlink(g, fd, PATH, size, DATA, 100, OUT)),
        errno_of(host_wasi_path_rename(g, fd, PATH, size, fd, PATH2, other)),
        errno_of(host_wasi_path_rename(g, 3, PATH2, put(g, PATH2, "f"), fd, PATH, size)),
        errno_of(host_wasi_path_link(g, fd, 0, PATH, size, fd, PATH2, put(g, PATH2, "other"))),
        errno_of(host_wasi_path_link(g, 3, 0, PATH2, put(g, PATH2, "f"), fd, PATH, size)),
        errno_of(host_wasi_path_symlink(g, PATH2, 1, fd, PATH, size)),
    };
    bool ok = true;

    for (size_t i = 0; i < ARRAY_COUNT(got); i++) {
        if (!EXPECT(got[i] == expected)) {
            fprintf(stderr, "'%s', function %zu: errno %d\n", path, i, got[i]);
            ok = false;
        }
    }
    return ok;
}

static bool refused(struct guest *g, const char *path)
{
    return refused_below(g, 3, path, FERR_PERM);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);

    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static bool has_text(const char *path, const char *text)
{
    char got[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool same = fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0 && strcmp(got, text) == 0;

    close(fd);
    return same;
}

static bool prepare(struct wasi_world *w)
{
    if (!wasi_world_open(w))
        return false;
    w->below = "in";
    EXPECT(mkdir(wasi_outside_path(w, "in"), 0777) == 0);
    EXPECT(mkdir(wasi_outside_path(w, "in/d"), 0777) == 0);
    EXPECT(mkdir(wasi_outside_path(w, "in/d/e"), 0777) == 0);
    EXPECT(mkdir(wasi_outside_path(w, "out"), 0777) == 0);
    write_file(wasi_outside_path(w, "in/f"), "inside");
    write_file(wasi_outside_path(w, "secret"), "secret");
    write_file(wasi_outside_path(w, "out/secret"), "secret");
    return true;
}

/* What is outside is untouched. */
static void finish(struct wasi_world *w)
{
    char command[256];

    EXPECT(has_text(wasi_outside_path(w, "secret"), "secret"));
    EXPECT(has_text(wasi_outside_path(w, "out/secret"), "secret"));
    snprintf(command, sizeof(command),
             "test $(find '%s' -path '%s/in' -prune -o -print | wc -l) = 4", w->dir, w->dir);
    EXPECT(system(command) == 0);
    wasi_world_close(w);
}

static void attempt(wasi_body *body, const char *extra)
{
    for (int i = 0; i < 2; i++) {
        struct wasi_world w;

        file_path_force_walk(i == 1);
        if (!EXPECT(prepare(&w)))
            return;
        w.extra = extra;
        EXPECT(wasi_run(&w, true, body) && w.runs == 1);
        finish(&w);
    }
    file_path_force_walk(false);
}

#define ESCAPE_WITH(name, extra)                                                                   \
    static enum task_result body_##name(struct guest *g, struct wasi_world *w);                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        attempt(body_##name, extra);                                                               \
    }                                                                                              \
    static enum task_result body_##name(struct guest *g, struct wasi_world *w)
#define ESCAPE(name) ESCAPE_WITH(name, NULL)

static void link_to(const struct wasi_world *w, const char *name, const char *text)
{
    EXPECT(symlink(text, wasi_outside_path(w, name)) == 0);
}

/* ---- paths ---- */

ESCAPE(escape_path_parent)
{
    (void)w;
    refused(g, "..");
    refused(g, "../secret");
    refused(g, "../out/secret");
    refused(g, "../in/f"); /* out and in again */
    return TASK_DONE;
}

ESCAPE(escape_path_absolute)
{
    char path[128];

    EXPECT(open_at(g, 3, "/", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    EXPECT(open_at(g, 3, "/etc/passwd", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 3, "//etc", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    snprintf(path, sizeof(path), "%s/secret", w->dir);
    refused(g, path);
    snprintf(path, sizeof(path), "%s/in/f", w->dir);
    refused(g, path);
    return TASK_DONE;
}

ESCAPE(escape_path_down_and_up)
{
    (void)w;
    refused(g, "d/../../secret");
    refused(g, "d/e/../../../out/secret");
    refused(g, "./../secret");
    refused(g, "d//..//..//secret");
    EXPECT(open_at(g, 3, "d/e/../../f", FOLLOW, 0, WASI_FD_READ) > 0);
    return TASK_DONE;
}

/* The path is not tidied up as a text: what is not there, or is a file, has no "..". */
ESCAPE(escape_path_up_from_nothing)
{
    (void)w;
    refused_below(g, 3, "none/../../secret", FERR_NOENT);
    refused_below(g, 3, "f/../../secret", FERR_NOTDIR);
    return TASK_DONE;
}

ESCAPE(escape_path_trailing_slashes)
{
    (void)w;
    refused(g, "../");
    refused(g, "d/../../");
    refused(g, "..//.");
    refused(g, "../out//");
    return TASK_DONE;
}

ESCAPE(escape_path_bytes)
{
    static const char cut[] = "f\0/../../secret";
    char path[5000] = "";

    (void)w;
    memcpy(mem(g, PATH), cut, sizeof(cut));
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, sizeof(cut))) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, 2)) == FERR_INVAL);
    refused_below(g, 3, "\xff/../../secret", FERR_ILSEQ);
    refused_below(g, 3, "\xc0\xae\xc0\xae/secret", FERR_ILSEQ); /* ".." in too many bytes */
    for (int i = 0; i < 1000; i++)
        strcat(path, "../");
    EXPECT(open_at(g, 3, path, FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    for (int i = 0; i < 500; i++)
        strcat(path, "../");
    EXPECT(open_at(g, 3, path, FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_NAMETOOLONG);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, WASI_MEMORY - 1, 2)) == FERR_FAULT);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, UINT32_MAX)) == FERR_FAULT);
    return TASK_DONE;
}

/* ---- symbolic links ---- */

ESCAPE(escape_link_relative)
{
    link_to(w, "in/up", "..");
    link_to(w, "in/d/up2", "../..");
    link_to(w, "in/sibling", "../out");
    refused(g, "up/secret");
    refused(g, "up/out/secret");
    refused(g, "d/up2/secret");
    refused(g, "sibling/secret");
    EXPECT(open_at(g, 3, "up/", 0, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    EXPECT(open_at(g, 3, "up", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    return TASK_DONE;
}

ESCAPE(escape_link_absolute)
{
    char path[300];

    link_to(w, "in/root", "/");
    link_to(w, "in/top", w->dir);
    EXPECT(open_at(g, 3, "root/etc", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    EXPECT(open_at(g, 3, "root/etc/passwd", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    snprintf(path, sizeof(path), "root%s/out", w->dir);
    refused(g, path);
    snprintf(path, sizeof(path), "root%s/secret", w->dir);
    refused(g, path);
    refused(g, "top/secret");
    refused(g, "top/in/f"); /* even where it leads back in */
    return TASK_DONE;
}

ESCAPE(escape_link_chain)
{
    link_to(w, "in/l1", "l2");
    link_to(w, "in/l2", "d/l3");
    link_to(w, "in/d/l3", "../l4");
    link_to(w, "in/l4", "./d/e/../../../out");
    refused(g, "l1/secret");
    refused(g, "d/l3/secret");
    link_to(w, "in/self", "self");
    refused_below(g, 3, "self/secret", FERR_LOOP);
    return TASK_DONE;
}

/* A link that leads to nothing outside creates nothing there. */
ESCAPE(escape_link_dangling_create)
{
    link_to(w, "in/new", "../new");
    link_to(w, "in/newer", "new");
    link_to(w, "in/absolute", wasi_outside_path(w, "new"));
    EXPECT(open_at(g, 3, "new", FOLLOW, CREAT, WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 3, "newer", FOLLOW, CREAT, WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 3, "absolute", FOLLOW, CREAT, WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 3, "new", 0, CREAT, WASI_FD_WRITE) == -FERR_LOOP);
    EXPECT(open_at(g, 3, "new", FOLLOW, CREAT | EXCL, WASI_FD_WRITE) == -FERR_EXIST);
    EXPECT(errno_of(host_wasi_path_create_directory(g, 3, PATH, put(g, PATH, "new"))) ==
           FERR_EXIST);
    EXPECT(errno_of(host_wasi_path_link(g, 3, 0, PATH, put(g, PATH, "f"), 3, PATH2,
                                        put(g, PATH2, "new"))) == FERR_EXIST);
    return TASK_DONE;
}

/* The last name is a link to a file outside: following it is refused, and the link is what is
 * renamed, removed and asked about. */
ESCAPE(escape_link_as_last_name)
{
    link_to(w, "in/to", "../secret");
    EXPECT(open_at(g, 3, "to", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 3, "to", FOLLOW, TRUNC, WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 3, "to", 0, TRUNC, WASI_FD_WRITE) == -FERR_LOOP);
    EXPECT(errno_of(host_wasi_path_filestat_get(g, 3, FOLLOW, PATH, put(g, PATH, "to"), OUT)) ==
           FERR_PERM);
    EXPECT(errno_of(host_wasi_path_filestat_set_times(g, 3, FOLLOW, PATH, 2, 1, 1, 5)) ==
           FERR_PERM);
    EXPECT(errno_of(host_wasi_path_filestat_get(g, 3, 0, PATH, 2, OUT)) == 0);
    EXPECT(mem(g, OUT)[16] == FILE_SYMLINK);
    EXPECT(errno_of(host_wasi_path_rename(g, 3, PATH, put(g, PATH, "f"), 3, PATH2,
                                          put(g, PATH2, "to"))) == 0);
    EXPECT(open_at(g, 3, "to", 0, 0, WASI_FD_READ) > 0); /* the file took the link's place */
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH2, 2)) == 0);
    return TASK_DONE;
}

/* Links of the guest's own making, and links that begin to lead out when they are moved. */
ESCAPE(escape_link_made_by_the_guest)
{
    (void)w;
    EXPECT(errno_of(host_wasi_path_symlink(g, PATH, put(g, PATH, "/etc"), 3, PATH2,
                                           put(g, PATH2, "etc"))) == FERR_PERM);
    EXPECT(errno_of(host_wasi_path_symlink(g, PATH, put(g, PATH, ".."), 3, PATH2,
                                           put(g, PATH2, "mine"))) == 0);
    refused(g, "mine/secret");
    EXPECT(errno_of(host_wasi_path_symlink(g, PATH, put(g, PATH, "../f"), 3, PATH2,
                                           put(g, PATH2, "d/x"))) == 0);
    EXPECT(open_at(g, 3, "d/x", FOLLOW, 0, WASI_FD_READ) > 0);
    EXPECT(errno_of(host_wasi_path_symlink(g, PATH, put(g, PATH, "../out"), 3, PATH2,
                                           put(g, PATH2, "d/y"))) == 0);
    EXPECT(errno_of(host_wasi_path_rename(g, 3, PATH, put(g, PATH, "d/y"), 3, PATH2,
                                          put(g, PATH2, "y"))) == 0);
    refused(g, "y/secret");
    return TASK_DONE;
}

/* A hard link to a symbolic link is one itself, and a file outside can be given no name inside. */
ESCAPE(escape_link_hard)
{
    link_to(w, "in/up", "..");
    link_to(w, "in/to", "../secret");
    EXPECT(errno_of(host_wasi_path_link(g, 3, 0, PATH, put(g, PATH, "to"), 3, PATH2,
                                        put(g, PATH2, "copy"))) == 0);
    EXPECT(errno_of(host_wasi_path_filestat_get(g, 3, 0, PATH2, 4, OUT)) == 0);
    EXPECT(mem(g, OUT)[16] == FILE_SYMLINK);
    EXPECT(open_at(g, 3, "copy", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(errno_of(host_wasi_path_link(g, 3, 1, PATH, put(g, PATH, "to"), 3, PATH2,
                                        put(g, PATH2, "copy2"))) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_path_link(g, 3, 0, PATH, put(g, PATH, "up/secret"), 3, PATH2,
                                        put(g, PATH2, "mine"))) == FERR_PERM);
    EXPECT(errno_of(host_wasi_path_link(g, 3, 0, PATH, put(g, PATH, "to/"), 3, PATH2,
                                        put(g, PATH2, "mine"))) == FERR_NOTDIR);
    return TASK_DONE;
}

/* ---- /proc ---- */

/* Descriptor 4 is /proc itself. */
ESCAPE_WITH(escape_proc_root, "/proc")
{
    (void)w;
    EXPECT(open_at(g, 4, "self/root/etc/passwd", FOLLOW, 0, WASI_FD_READ) == -FERR_LOOP);
    EXPECT(open_at(g, 4, "self/root", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_LOOP);
    EXPECT(open_at(g, 4, "thread-self/root/etc", FOLLOW, 0, WASI_FD_READ) == -FERR_LOOP);
    EXPECT(errno_of(host_wasi_path_create_directory(
               g, 4, PATH, put(g, PATH, "self/root/tmp/lunatic-escaped"))) == FERR_LOOP);
    return TASK_DONE;
}

ESCAPE_WITH(escape_proc_cwd, "/proc")
{
    (void)w;
    EXPECT(open_at(g, 4, "self/cwd", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_LOOP);
    EXPECT(open_at(g, 4, "self/cwd/lunatic-escaped", FOLLOW, CREAT, WASI_FD_WRITE) == -FERR_LOOP);
    EXPECT(errno_of(host_wasi_path_unlink_file(
               g, 4, PATH, put(g, PATH, "self/cwd/lunatic-escaped"))) == FERR_LOOP);
    EXPECT(errno_of(host_wasi_path_readlink(g, 4, PATH, put(g, PATH, "self/cwd"), DATA, 1000,
                                            OUT)) == FERR_PERM);
    return TASK_DONE;
}

ESCAPE_WITH(escape_proc_descriptors, "/proc")
{
    char path[64];
    int fd = open(wasi_outside_path(w, "out"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    snprintf(path, sizeof(path), "self/fd/%d/secret", fd);
    EXPECT(open_at(g, 4, path, FOLLOW, 0, WASI_FD_READ) == -FERR_LOOP);
    snprintf(path, sizeof(path), "self/fd/%d", fd);
    EXPECT(open_at(g, 4, path, FOLLOW, 0, WASI_FD_READ) == -FERR_LOOP);
    EXPECT(open_at(g, 4, "self/fd", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    snprintf(path, sizeof(path), "%d/fd/%d", (int)getpid(), fd);
    EXPECT(open_at(g, 4, path, FOLLOW, 0, WASI_FD_READ) == -FERR_LOOP);
    close(fd);
    return TASK_DONE;
}

/* The memory of the runtime itself. */
ESCAPE_WITH(escape_proc_memory, "/proc")
{
    (void)w;
    EXPECT(open_at(g, 4, "self/mem", FOLLOW, 0, WASI_FD_READ | WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 4, "self/mem", 0, TRUNC, WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 4, "thread-self/mem", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 4, "self/maps", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 4, "self/task/../mem", FOLLOW, 0, WASI_FD_WRITE) == -FERR_PERM);
    return TASK_DONE;
}

ESCAPE_WITH(escape_proc_environment, "/proc")
{
    (void)w;
    EXPECT(open_at(g, 4, "self/environ", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 4, "self/cmdline", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 4, "1/status", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 4, "version", FOLLOW, 0, WASI_FD_READ) > 0); /* the rest is there */
    return TASK_DONE;
}

/* The folder of a process as the directory itself, and links to it from elsewhere. */
ESCAPE_WITH(escape_proc_from_elsewhere, "/proc/self")
{
    char path[300];

    EXPECT(open_at(g, 4, "mem", FOLLOW, 0, WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 4, "root/etc", FOLLOW, 0, WASI_FD_READ) == -FERR_LOOP);
    link_to(w, "in/p", "/proc/self/root");
    link_to(w, "in/q", "../../../../../../proc/self/mem");
    EXPECT(open_at(g, 3, "p/etc", FOLLOW, DIRECTORY, WASI_FD_READDIR) == -FERR_PERM);
    snprintf(path, sizeof(path), "p%s/out", w->dir);
    refused(g, path);
    EXPECT(open_at(g, 3, "q", FOLLOW, 0, WASI_FD_WRITE) == -FERR_PERM);
    return TASK_DONE;
}

/* The whole machine's tree, where /proc is one folder among others. */
ESCAPE_WITH(escape_proc_below_the_root, "/")
{
    (void)w;
    EXPECT(open_at(g, 4, "proc/self/mem", FOLLOW, 0, WASI_FD_WRITE) == -FERR_PERM);
    EXPECT(open_at(g, 4, "proc/self/root/proc/self/mem", FOLLOW, 0, WASI_FD_WRITE) == -FERR_LOOP);
    EXPECT(open_at(g, 4, "proc/1/status", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    EXPECT(open_at(g, 4, "etc/passwd", FOLLOW, 0, WASI_FD_READ) > 0);
    EXPECT(open_at(g, 4, "..", FOLLOW, 0, WASI_FD_READ) == -FERR_PERM);
    return TASK_DONE;
}

/* ---- descriptors ---- */

/* Every function with a descriptor says badf. */
static void no_descriptor(struct guest *g, uint32_t fd)
{
    const int got[] = {
        errno_of(host_wasi_fd_close(g, fd)),
        errno_of(host_wasi_fd_read(g, fd, IOVS, 0, OUT)),
        errno_of(host_wasi_fd_pread(g, fd, IOVS, 0, 0, OUT)),
        errno_of(host_wasi_fd_write(g, fd, IOVS, 0, OUT)),
        errno_of(host_wasi_fd_pwrite(g, fd, IOVS, 0, 0, OUT)),
        errno_of(host_wasi_fd_seek(g, fd, 0, 0, OUT)),
        errno_of(host_wasi_fd_tell(g, fd, OUT)),
        errno_of(host_wasi_fd_sync(g, fd)),
        errno_of(host_wasi_fd_datasync(g, fd)),
        errno_of(host_wasi_fd_advise(g, fd, 0, 0, 0)),
        errno_of(host_wasi_fd_allocate(g, fd, 0, 1)),
        errno_of(host_wasi_fd_fdstat_get(g, fd, OUT)),
        errno_of(host_wasi_fd_fdstat_set_flags(g, fd, 0)),
        errno_of(host_wasi_fd_fdstat_set_rights(g, fd, 0, 0)),
        errno_of(host_wasi_fd_filestat_get(g, fd, OUT)),
        errno_of(host_wasi_fd_filestat_set_size(g, fd, 0)),
        errno_of(host_wasi_fd_filestat_set_times(g, fd, 0, 0, 0)),
        errno_of(host_wasi_fd_prestat_get(g, fd, OUT)),
        errno_of(host_wasi_fd_prestat_dir_name(g, fd, DATA, 10)),
        errno_of(host_wasi_fd_readdir(g, fd, DATA, 100, 0, OUT)),
        errno_of(host_wasi_fd_renumber(g, fd, 0)),
        errno_of(host_wasi_fd_renumber(g, 0, fd)),
        errno_of(host_wasi_sock_accept(g, fd, 0, OUT)),
        errno_of(host_wasi_sock_recv(g, fd, IOVS, 0, 0, OUT, OUT + 8)),
        errno_of(host_wasi_sock_send(g, fd, IOVS, 0, 0, OUT)),
        errno_of(host_wasi_sock_shutdown(g, fd, 1)),
    };

    for (size_t i = 0; i < ARRAY_COUNT(got); i++)
        if (!EXPECT(got[i] == FERR_BADF))
            fprintf(stderr, "descriptor %u, function %zu: errno %d\n", fd, i, got[i]);
    refused_below(g, fd, "f", FERR_BADF);
}

/* The host's own descriptors have numbers too; they mean nothing to a guest. */
ESCAPE(escape_descriptor_of_the_host)
{
    int fd = open(wasi_outside_path(w, "secret"), O_RDWR | O_CLOEXEC);

    EXPECT(fd > 3);
    for (uint32_t n = 4; n <= (uint32_t)fd + 1; n++)
        no_descriptor(g, n);
    close(fd);
    return TASK_DONE;
}

ESCAPE(escape_descriptor_numbers)
{
    static const uint32_t numbers[] = {
        4, 0x7fffffff, 0x80000000, UINT32_MAX, UINT32_MAX - 99, WASI_FDS_MAX, WASI_FDS_MAX - 1};

    (void)w;
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
        no_descriptor(g, numbers[i]);
    return TASK_DONE;
}

ESCAPE(escape_descriptor_after_close)
{
    int fd = open_at(g, 3, "d", FOLLOW, DIRECTORY, WASI_RIGHTS_ALL & ~WASI_FD_WRITE);

    (void)w;
    EXPECT(fd == 4 && errno_of(host_wasi_fd_close(g, 4)) == 0);
    no_descriptor(g, 4);
    EXPECT(errno_of(host_wasi_fd_renumber(g, 3, 1)) ==
           0); /* the directory is 1 now, nothing is 3 */
    no_descriptor(g, 3);
    EXPECT(fcntl(1, F_GETFD) >= 0); /* of the host: still open */
    EXPECT(errno_of(host_wasi_fd_close(g, 1)) == 0);
    no_descriptor(g, 1);
    EXPECT(fcntl(1, F_GETFD) >= 0);
    return TASK_DONE;
}

/* What a descriptor may not, nothing opened through it may, and no right comes back. */
ESCAPE(escape_descriptor_rights)
{
    const uint64_t few = WASI_PATH_OPEN | WASI_FD_READ | WASI_FD_READDIR;
    int dir = open_at(g, 3, ".", FOLLOW, DIRECTORY, WASI_FD_READDIR), again;
    uint32_t d = (uint32_t)dir;

    (void)w;
    EXPECT(dir == 4);
    EXPECT(-open_at(g, d, "f", FOLLOW, 0, WASI_FD_READ) == FERR_NOTCAPABLE); /* no PATH_OPEN */
    EXPECT(errno_of(host_wasi_fd_close(g, d)) == 0);
    EXPECT(errno_of(host_wasi_fd_fdstat_set_rights(g, 3, few & ~(uint64_t)WASI_FD_READ, few)) == 0);
    EXPECT(errno_of(host_wasi_fd_fdstat_set_rights(g, 3, WASI_RIGHTS_DIRECTORY, few)) ==
           FERR_NOTCAPABLE);
    again = open_at(g, 3, ".", FOLLOW, DIRECTORY, WASI_RIGHTS_ALL & ~WASI_FD_WRITE);
    EXPECT(again == 4);
    for (int i = 0; i < 2; i++) { /* the directory, and the same opened once more through itself */
        uint32_t fd = i == 0 ? 3 : 4;

        EXPECT(-open_at(g, fd, "new", FOLLOW, CREAT, WASI_FD_WRITE) == FERR_NOTCAPABLE);
        EXPECT(-open_at(g, fd, "f", FOLLOW, TRUNC, WASI_FD_READ) == FERR_NOTCAPABLE);
        EXPECT(-open_at(g, fd, "f", FOLLOW, 0, WASI_FD_WRITE) == FERR_NOTCAPABLE);
        EXPECT(errno_of(host_wasi_path_unlink_file(g, fd, PATH, put(g, PATH, "f"))) ==
               FERR_NOTCAPABLE);
    }
    EXPECT(errno_of(host_wasi_fd_fdstat_get(g, 4, OUT)) == 0);
    EXPECT((wasi_get64(mem(g, OUT) + 8) & ~few) == 0 && (wasi_get64(mem(g, OUT) + 16) & ~few) == 0);
    return TASK_DONE;
}

ESCAPE(escape_descriptor_of_a_file_as_directory)
{
    int fd = open_at(g, 3, "f", FOLLOW, 0, WASI_RIGHTS_ALL);

    (void)w;
    EXPECT(fd == 4);
    refused_below(g, 4, "f", FERR_NOTDIR);
    refused_below(g, 4, "../secret", FERR_NOTDIR);
    refused_below(g, 0, "f", FERR_NOTDIR);
    return TASK_DONE;
}

/* A directory that is moved out stays usable, as the one it is; the way up is closed. */
ESCAPE(escape_descriptor_of_a_moved_directory)
{
    int fd = open_at(g, 3, "d", FOLLOW, DIRECTORY, WASI_RIGHTS_ALL & ~WASI_FD_WRITE);
    char to[128];

    EXPECT(fd == 4);
    snprintf(to, sizeof(to), "%s", wasi_outside_path(w, "out/d"));
    EXPECT(rename(wasi_outside_path(w, "in/d"), to) == 0);
    refused_below(g, 4, "../secret", FERR_PERM);
    refused_below(g, 4, "e/../../secret", FERR_PERM);
    refused_below(g, 4, "..", FERR_PERM);
    EXPECT(open_at(g, 4, "e", FOLLOW, DIRECTORY, WASI_FD_READDIR) == 5);
    EXPECT(rename(to, wasi_outside_path(w, "in/d")) == 0);
    return TASK_DONE;
}
