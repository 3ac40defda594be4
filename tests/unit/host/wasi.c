/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI functions called as generated code calls them, on a scheduler, without wasm. */
#include "wasi_world.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    IOVS = 0x100,  /* one iovec */
    PATH = 0x1000, /* a path */
    PATH2 = 0x3000,
    OUT = 0x200,
    DATA = 0x10000,
};
#define MS 1000000ull

static uint8_t *mem(struct guest *g, uint32_t at)
{
    return g->instance->memory_base + at;
}

static uint32_t out32(struct guest *g)
{
    return wasi_get32(mem(g, OUT));
}

static void iovec(struct guest *g, uint32_t data, uint32_t size)
{
    wasi_put32(mem(g, IOVS), data);
    wasi_put32(mem(g, IOVS) + 4, size);
}

/* Opens below fd 3; the new number, or minus the errno. */
static int open_below(struct guest *g, const char *path, uint32_t dirflags, uint32_t oflags,
                      uint64_t rights)
{
    int e = errno_of(host_wasi_path_open(g, 3, dirflags, PATH, put(g, PATH, path), oflags, rights,
                                         WASI_RIGHTS_ALL, 0, OUT));

    return e ? -e : (int)out32(g);
}

static int write_text(struct guest *g, int fd, const char *text)
{
    iovec(g, DATA, put(g, DATA, text));
    return errno_of(host_wasi_fd_write(g, (uint32_t)fd, IOVS, 1, OUT));
}

/* The text that a read of at most `size` bytes gives. */
static const char *read_text(struct guest *g, int fd, uint32_t size)
{
    memset(mem(g, DATA), 0, size + 1);
    iovec(g, DATA, size);
    if (!EXPECT(errno_of(host_wasi_fd_read(g, (uint32_t)fd, IOVS, 1, OUT)) == 0))
        return "";
    EXPECT(out32(g) == strlen((char *)mem(g, DATA)));
    return (char *)mem(g, DATA);
}

/* Makes a test of a body that never parks. */
#define BODY_TEST(name)                                                                            \
    static enum task_result body_##name(struct guest *g, struct wasi_world *w);                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        struct wasi_world w;                                                                       \
                                                                                                   \
        CHECK(wasi_world_open(&w));                                                                \
        CHECK(wasi_run(&w, true, body_##name));                                                    \
        EXPECT(w.runs == 1);                                                                       \
        wasi_world_close(&w);                                                                      \
    }                                                                                              \
    static enum task_result body_##name(struct guest *g, struct wasi_world *w)

BODY_TEST(wasi_gives_arguments_and_environment_in_order)
{
    (void)w;
    EXPECT(errno_of(host_wasi_args_sizes_get(g, OUT, OUT + 4)) == 0);
    EXPECT(out32(g) == 2 && wasi_get32(mem(g, OUT + 4)) == 15);
    EXPECT(errno_of(host_wasi_args_get(g, OUT, DATA)) == 0);
    EXPECT(memcmp(mem(g, DATA), "prog\0two words\0", 15) == 0);
    EXPECT(wasi_get32(mem(g, OUT + 4)) == DATA + 5);
    EXPECT(errno_of(host_wasi_environ_sizes_get(g, OUT, OUT + 4)) == 0);
    EXPECT(out32(g) == 2 && wasi_get32(mem(g, OUT + 4)) == 13);
    EXPECT(errno_of(host_wasi_environ_get(g, OUT, DATA)) == 0);
    EXPECT(memcmp(mem(g, DATA), "KEY=a=b\0KEY=\0", 13) == 0);
    EXPECT(errno_of(host_wasi_environ_get(g, OUT, WASI_MEMORY - 4)) == FERR_FAULT);
    EXPECT(errno_of(host_wasi_args_get(g, UINT32_MAX, DATA)) == FERR_FAULT);
    return TASK_DONE;
}

BODY_TEST(wasi_clocks_and_bad_clocks)
{
    (void)w;
    EXPECT(errno_of(host_wasi_clock_time_get(g, 1, 0, OUT)) == 0);
    EXPECT(wasi_get64(mem(g, OUT)) < 1000 * MS);
    EXPECT(errno_of(host_wasi_clock_time_get(g, 0, 0, OUT)) == 0);
    EXPECT(wasi_get64(mem(g, OUT)) > 1500000000ull * 1000 * MS);
    EXPECT(errno_of(host_wasi_clock_res_get(g, 1, OUT)) == 0 && wasi_get64(mem(g, OUT)) > 0);
    EXPECT(errno_of(host_wasi_clock_time_get(g, 2, 0, OUT)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_clock_time_get(g, 4, 0, OUT)) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_clock_time_get(g, 1, 0, WASI_MEMORY - 7)) == FERR_FAULT);
    return TASK_DONE;
}

/* A random_get larger than a piece yields in between and fills everything. */
static enum task_result random_body(struct guest *g, struct wasi_world *w)
{
    uint32_t size = 1u << 20, zeros = 0;
    struct outcome o = host_wasi_random_get(g, DATA, size);

    (void)w;
    if (o.kind == OUTCOME_YIELD)
        return TASK_YIELD;
    EXPECT(errno_of(o) == 0 && g->process->wait.kind == WAIT_NONE);
    for (uint32_t i = 0; i < size; i++)
        zeros += *mem(g, DATA + i) == 0;
    EXPECT(zeros > 3500 && zeros < 4700);
    return TASK_DONE;
}

TEST(wasi_random_get_yields_and_fills)
{
    struct wasi_world w;

    CHECK(wasi_world_open(&w));
    CHECK(wasi_run(&w, true, random_body));
    EXPECT(w.runs == 4);
    wasi_world_close(&w);
}

BODY_TEST(wasi_a_process_that_only_prints_has_no_table)
{
    (void)w;
    EXPECT(write_text(g, 1, "") == 0);
    EXPECT(errno_of(host_wasi_fd_fdstat_get(g, 1, OUT)) == 0);
    EXPECT(g->wasi == NULL);
    EXPECT(errno_of(host_wasi_fd_seek(g, 1, 0, 1, OUT)) == FERR_SPIPE);
    EXPECT(errno_of(host_wasi_fd_fdstat_set_flags(g, 1, 0)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_fd_prestat_get(g, 3, OUT)) == 0);
    EXPECT(out32(g) == 0 && wasi_get32(mem(g, OUT + 4)) == 8);
    EXPECT(g->wasi != NULL);
    EXPECT(errno_of(host_wasi_fd_prestat_dir_name(g, 3, DATA, 7)) == FERR_NAMETOOLONG);
    EXPECT(errno_of(host_wasi_fd_prestat_dir_name(g, 3, DATA, 9)) == 0);
    EXPECT(memcmp(mem(g, DATA), "/sandbox", 9) == 0);
    EXPECT(errno_of(host_wasi_fd_prestat_get(g, 4, OUT)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_fd_prestat_get(g, 1, OUT)) == FERR_BADF);
    return TASK_DONE;
}

BODY_TEST(wasi_write_seek_read_truncate)
{
    int fd = open_below(g, "file", 0, 1, WASI_FD_READ | WASI_FD_WRITE | WASI_RIGHTS_FILE);

    (void)w;
    EXPECT(fd == 4);
    EXPECT(write_text(g, fd, "hello world") == 0 && out32(g) == 11);
    EXPECT(errno_of(host_wasi_fd_seek(g, 4, 6, 0, OUT)) == 0 && wasi_get64(mem(g, OUT)) == 6);
    EXPECT(strcmp(read_text(g, fd, 100), "world") == 0);
    EXPECT(strcmp(read_text(g, fd, 100), "") == 0);
    EXPECT(errno_of(host_wasi_fd_tell(g, 4, OUT)) == 0 && wasi_get64(mem(g, OUT)) == 11);
    iovec(g, DATA, 3);
    EXPECT(errno_of(host_wasi_fd_pread(g, 4, IOVS, 1, 1, OUT)) == 0 && out32(g) == 3);
    EXPECT(memcmp(mem(g, DATA), "ell", 3) == 0);
    EXPECT(errno_of(host_wasi_fd_pwrite(g, 4, IOVS, 1, 8, OUT)) == 0);
    EXPECT(errno_of(host_wasi_fd_pread(g, 4, IOVS, 1, UINT64_MAX, OUT)) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_fd_filestat_set_size(g, 4, 5)) == 0);
    EXPECT(errno_of(host_wasi_fd_filestat_get(g, 4, OUT)) == 0);
    EXPECT(wasi_get64(mem(g, OUT) + 32) == 5 && mem(g, OUT)[16] == FILE_REGULAR);
    EXPECT(errno_of(host_wasi_fd_allocate(g, 4, 0, 100)) == 0);
    EXPECT(errno_of(host_wasi_fd_filestat_get(g, 4, OUT)) == 0);
    EXPECT(wasi_get64(mem(g, OUT) + 32) == 100);
    EXPECT(errno_of(host_wasi_fd_sync(g, 4)) == 0 && errno_of(host_wasi_fd_datasync(g, 4)) == 0);
    EXPECT(errno_of(host_wasi_fd_advise(g, 4, 0, 0, 2)) == 0);
    EXPECT(errno_of(host_wasi_fd_advise(g, 4, 0, 0, 6)) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_fd_filestat_set_times(g, 4, 5, 7, 1 | 4)) == 0);
    EXPECT(errno_of(host_wasi_fd_filestat_get(g, 4, OUT)) == 0);
    EXPECT(wasi_get64(mem(g, OUT) + 40) == 5 && wasi_get64(mem(g, OUT) + 48) == 7);
    EXPECT(errno_of(host_wasi_fd_filestat_set_times(g, 4, 5, 7, 3)) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_fd_close(g, 4)) == 0);
    EXPECT(errno_of(host_wasi_fd_close(g, 4)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_fd_read(g, 4, IOVS, 1, OUT)) == FERR_BADF);
    return TASK_DONE;
}

/* More than is written or read on the worker goes through a job, in pieces that the guest repeats.
 */
BODY_TEST(wasi_large_transfers)
{
    int fd = open_below(g, "big", 0, 1, WASI_FD_READ | WASI_FD_WRITE | WASI_FD_SEEK);
    uint32_t size = 3u << 20;
    uint64_t position;

    (void)w;
    for (uint32_t i = 0; i < size; i += 4)
        wasi_put32(mem(g, DATA + i), i * 2654435761u);
    for (uint32_t at = 0; at < size; at += out32(g)) {
        iovec(g, DATA + at, size - at);
        EXPECT(errno_of(host_wasi_fd_write(g, (uint32_t)fd, IOVS, 1, OUT)) == 0);
        EXPECT(out32(g) == WASI_TRANSFER_MAX);
    }
    EXPECT(errno_of(host_wasi_fd_seek(g, (uint32_t)fd, 0, 0, OUT)) == 0);
    memset(mem(g, DATA), 0, size);
    for (uint32_t at = 0; at < size; at += out32(g)) {
        iovec(g, DATA + at, size - at);
        EXPECT(errno_of(host_wasi_fd_read(g, (uint32_t)fd, IOVS, 1, OUT)) == 0);
        if (!EXPECT(out32(g) > 0))
            return TASK_DONE;
    }
    for (position = 0; position < size; position += 4)
        if (wasi_get32(mem(g, DATA + (uint32_t)position)) != (uint32_t)position * 2654435761u)
            break;
    EXPECT(position == size);
    return TASK_DONE;
}

BODY_TEST(wasi_bad_pointers_give_errno)
{
    int fd = open_below(g, "file", 0, 1, WASI_RIGHTS_ALL);

    (void)w;
    iovec(g, WASI_MEMORY - 1, 2);
    EXPECT(errno_of(host_wasi_fd_write(g, (uint32_t)fd, IOVS, 1, OUT)) == FERR_FAULT);
    EXPECT(errno_of(host_wasi_fd_write(g, (uint32_t)fd, WASI_MEMORY - 4, 1, OUT)) == FERR_FAULT);
    EXPECT(errno_of(host_wasi_fd_write(g, (uint32_t)fd, IOVS, UINT32_MAX, OUT)) == FERR_FAULT);
    iovec(g, DATA, 2);
    EXPECT(errno_of(host_wasi_fd_write(g, (uint32_t)fd, IOVS, 1, UINT32_MAX)) == FERR_FAULT);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, UINT32_MAX, 1)) == FERR_FAULT);
    *mem(g, PATH) = 0xff;
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, 1)) == FERR_ILSEQ);
    *mem(g, PATH) = 0;
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, 1)) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_fd_filestat_get(g, (uint32_t)fd, WASI_MEMORY - 63)) == FERR_FAULT);
    EXPECT(errno_of(host_wasi_proc_raise(g, 6)) == FERR_NOTSUP);
    EXPECT(host_wasi_proc_exit(g, 3).kind == OUTCOME_EXIT);
    return TASK_DONE;
}

BODY_TEST(wasi_rights_shrink_and_are_checked)
{
    int fd = open_below(g, "file", 0, 1, WASI_FD_WRITE | WASI_FD_SEEK);

    (void)w;
    iovec(g, DATA, 2);
    EXPECT(errno_of(host_wasi_fd_read(g, (uint32_t)fd, IOVS, 1, OUT)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_fd_sync(g, (uint32_t)fd)) == FERR_NOTCAPABLE);
    EXPECT(errno_of(host_wasi_fd_fdstat_set_rights(g, (uint32_t)fd, WASI_FD_READ, 0)) ==
           FERR_NOTCAPABLE);
    EXPECT(errno_of(host_wasi_fd_fdstat_set_rights(g, (uint32_t)fd, WASI_FD_SEEK, 0)) == 0);
    EXPECT(errno_of(host_wasi_fd_write(g, (uint32_t)fd, IOVS, 1, OUT)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_fd_readdir(g, (uint32_t)fd, DATA, 100, 0, OUT)) == FERR_NOTDIR);
    EXPECT(errno_of(host_wasi_sock_shutdown(g, (uint32_t)fd, 1)) == FERR_NOTSOCK);
    EXPECT(errno_of(host_wasi_sock_recv(g, 99, IOVS, 1, 0, OUT, OUT + 8)) == FERR_BADF);
    return TASK_DONE;
}

/* Whatever the names, nothing above the directory is reached, with openat2 and without. */
static void escapes(struct guest *g, struct wasi_world *w)
{
    static const char *const outside[] = {"..",
                                          "../lunatic-escaped",
                                          "/lunatic-none/passwd",
                                          "a/../..",
                                          "a/../../lunatic-escaped",
                                          "up/lunatic-escaped",
                                          "a/up2/lunatic-none/x",
                                          "abs/passwd",
                                          "a/abs2",
                                          "./../lunatic-escaped",
                                          "a/b/../../../lunatic-none/x",
                                          "loop2/../../../lunatic-none/x"};
    struct file_info info;

    (void)w;
    for (size_t i = 0; i < ARRAY_COUNT(outside); i++) {
        int e = -open_below(g, outside[i], 1, 0, WASI_FD_READ);

        if (!EXPECT(e == FERR_PERM))
            fprintf(stderr, "%s: %d\n", outside[i], e);
        e = -open_below(g, outside[i], 1, 1, WASI_FD_READ | WASI_FD_WRITE);
        if (!EXPECT(e == FERR_PERM))
            fprintf(stderr, "create %s: %d\n", outside[i], e);
    }
    EXPECT(-open_below(g, "loop", 1, 0, WASI_FD_READ) == FERR_LOOP);
    EXPECT(-open_below(g, "up", 0, 0, WASI_FD_READ) == FERR_LOOP);
    EXPECT(-open_below(g, "", 1, 0, WASI_FD_READ) == FERR_NOENT);
    EXPECT(-open_below(g, "a/none", 1, 0, WASI_FD_READ) == FERR_NOENT);
    EXPECT(-open_below(g, "a/none/x", 1, 1, WASI_FD_READ) == FERR_NOENT);
    EXPECT(-open_below(g, "a/f/x", 1, 0, WASI_FD_READ) == FERR_NOTDIR);
    EXPECT(-open_below(g, "a/f/", 1, 0, WASI_FD_READ) == FERR_NOTDIR);
    EXPECT(-open_below(g, "a/f", 1, 2, WASI_FD_READ) == FERR_NOTDIR);
    EXPECT(-open_below(g, "a/f", 1, 5, WASI_FD_READ) == FERR_EXIST);
    EXPECT(open_below(g, "a/./b//../f", 1, 0, WASI_FD_READ) > 0);
    EXPECT(open_below(g, "inside/f", 1, 0, WASI_FD_READ) > 0);
    EXPECT(open_below(g, "a/b/../../a/f", 1, 0, WASI_FD_READ) > 0);
    EXPECT(open_below(g, "a/", 1, 2, WASI_FD_READ) > 0);
    EXPECT(open_below(g, ".", 1, 2, WASI_FD_READ) > 0);
    EXPECT(open_below(g, "tofile", 1, 0, WASI_FD_READ) > 0);
    EXPECT(file_path_get_info(g->wasi->fds.items[3].handle->fd, "tofile", false, &info) ==
               FERR_OK &&
           info.kind == FILE_SYMLINK);
    EXPECT(errno_of(host_wasi_path_create_directory(
               g, 3, PATH, put(g, PATH, "../lunatic-escaped"))) == FERR_PERM);
    EXPECT(errno_of(host_wasi_path_create_directory(
               g, 3, PATH, put(g, PATH, "up/lunatic-escaped"))) == FERR_PERM);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, put(g, PATH, "abs/none"))) == FERR_PERM);
    EXPECT(errno_of(host_wasi_path_rename(g, 3, PATH, put(g, PATH, "a/f"), 3, PATH2,
                                          put(g, PATH2, "up/lunatic-escaped"))) == FERR_PERM);
    EXPECT(errno_of(host_wasi_path_symlink(g, PATH, put(g, PATH, "/etc"), 3, PATH2,
                                           put(g, PATH2, "etc"))) == FERR_PERM);
}

static void make_tree(const struct wasi_world *w)
{
    int fd;

    EXPECT(mkdir(wasi_outside_path(w, "a"), 0777) == 0);
    EXPECT(mkdir(wasi_outside_path(w, "a/b"), 0777) == 0);
    fd = open(wasi_outside_path(w, "a/f"), O_CREAT | O_WRONLY, 0666);
    EXPECT(fd >= 0 && close(fd) == 0);
    EXPECT(symlink("..", wasi_outside_path(w, "up")) == 0);
    EXPECT(symlink("../..", wasi_outside_path(w, "a/up2")) == 0);
    EXPECT(symlink("/lunatic-none", wasi_outside_path(w, "abs")) == 0);
    EXPECT(symlink("/lunatic-none/passwd", wasi_outside_path(w, "a/abs2")) == 0);
    EXPECT(symlink("loop", wasi_outside_path(w, "loop")) == 0);
    EXPECT(symlink("a/b", wasi_outside_path(w, "loop2")) == 0);
    EXPECT(symlink("a/b/..", wasi_outside_path(w, "inside")) == 0);
    EXPECT(symlink("a/f", wasi_outside_path(w, "tofile")) == 0);
}

static enum task_result escapes_body(struct guest *g, struct wasi_world *w)
{
    EXPECT(errno_of(host_wasi_fd_prestat_get(g, 3, OUT)) == 0);
    escapes(g, w);
    return TASK_DONE;
}

TEST(wasi_paths_stay_below_their_directory)
{
    struct wasi_world w;

    CHECK(wasi_world_open(&w));
    make_tree(&w);
    EXPECT(wasi_run(&w, true, escapes_body));
    wasi_world_close(&w);
}

TEST(wasi_paths_stay_below_their_directory_without_openat2)
{
    struct wasi_world w;

    CHECK(wasi_world_open(&w));
    make_tree(&w);
    file_path_force_walk(true);
    EXPECT(wasi_run(&w, true, escapes_body));
    file_path_force_walk(false);
    wasi_world_close(&w);
}

BODY_TEST(wasi_links_renames_and_removal)
{
    struct stat st;

    EXPECT(errno_of(host_wasi_path_create_directory(g, 3, PATH, put(g, PATH, "d/"))) == 0);
    EXPECT(errno_of(host_wasi_path_create_directory(g, 3, PATH, put(g, PATH, "d"))) == FERR_EXIST);
    EXPECT(errno_of(host_wasi_fd_close(g, (uint32_t)open_below(g, "d/f", 0, 1, WASI_FD_WRITE))) ==
           0);
    EXPECT(errno_of(host_wasi_path_link(g, 3, 0, PATH, put(g, PATH, "d/f"), 3, PATH2,
                                        put(g, PATH2, "hard"))) == 0);
    EXPECT(errno_of(host_wasi_path_link(g, 3, 1, PATH, put(g, PATH, "d/f"), 3, PATH2,
                                        put(g, PATH2, "hard"))) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_path_filestat_get(g, 3, 0, PATH, put(g, PATH, "hard"), OUT)) == 0);
    EXPECT(wasi_get64(mem(g, OUT) + 24) == 2);
    EXPECT(errno_of(host_wasi_path_symlink(g, PATH, put(g, PATH, "d/f"), 3, PATH2,
                                           put(g, PATH2, "soft"))) == 0);
    EXPECT(errno_of(host_wasi_path_readlink(g, 3, PATH, put(g, PATH, "soft"), DATA, 2, OUT)) == 0);
    EXPECT(out32(g) == 2 && memcmp(mem(g, DATA), "d/", 3) == 0);
    EXPECT(errno_of(host_wasi_path_readlink(g, 3, PATH, put(g, PATH, "soft"), DATA, 9, OUT)) == 0);
    EXPECT(out32(g) == 3 && memcmp(mem(g, DATA), "d/f", 3) == 0);
    EXPECT(errno_of(host_wasi_path_readlink(g, 3, PATH, put(g, PATH, "hard"), DATA, 9, OUT)) ==
           FERR_INVAL);
    EXPECT(errno_of(host_wasi_path_filestat_get(g, 3, 0, PATH, put(g, PATH, "soft"), OUT)) == 0);
    EXPECT(mem(g, OUT)[16] == FILE_SYMLINK);
    EXPECT(errno_of(host_wasi_path_filestat_get(g, 3, 1, PATH, put(g, PATH, "soft"), OUT)) == 0);
    EXPECT(mem(g, OUT)[16] == FILE_REGULAR);
    EXPECT(errno_of(host_wasi_path_filestat_set_times(g, 3, 0, PATH, put(g, PATH, "soft"), 0, 9,
                                                      4)) == 0);
    EXPECT(lstat(wasi_outside_path(w, "soft"), &st) == 0 && st.st_mtim.tv_nsec == 9);
    EXPECT(stat(wasi_outside_path(w, "soft"), &st) == 0 && st.st_mtim.tv_sec > 0);
    EXPECT(errno_of(host_wasi_path_remove_directory(g, 3, PATH, put(g, PATH, "d"))) ==
           FERR_NOTEMPTY);
    EXPECT(errno_of(host_wasi_path_rename(g, 3, PATH, put(g, PATH, "d/f"), 3, PATH2,
                                          put(g, PATH2, "moved"))) == 0);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, put(g, PATH, "d"))) == FERR_ISDIR);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, put(g, PATH, "moved/"))) == FERR_NOTDIR);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, put(g, PATH, "moved"))) == 0);
    EXPECT(errno_of(host_wasi_path_unlink_file(g, 3, PATH, put(g, PATH, "moved"))) == FERR_NOENT);
    EXPECT(errno_of(host_wasi_path_remove_directory(g, 3, PATH, put(g, PATH, "d/"))) == 0);
    EXPECT(errno_of(host_wasi_path_remove_directory(g, 3, PATH, put(g, PATH, "hard"))) ==
           FERR_NOTDIR);
    return TASK_DONE;
}

/* Names of 300 files, read with a small buffer and from cookies, come each once. */
BODY_TEST(wasi_readdir_goes_on_from_cookies)
{
    bool seen[300] = {false};
    uint64_t cookie = 0;
    int others = 0, found = 0;
    uint32_t used;
    char name[32];

    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "entry-%d", i);
        EXPECT(close(open(wasi_outside_path(w, name), O_CREAT | O_WRONLY, 0666)) == 0);
    }
    do {
        uint32_t at = 0;

        EXPECT(errno_of(host_wasi_fd_readdir(g, 3, DATA, 200, cookie, OUT)) == 0);
        used = out32(g);
        while (at + 24 <= used) {
            uint32_t size = wasi_get32(mem(g, DATA + at + 16));
            int i = -1;

            if (at + 24 + size > used)
                break;
            cookie = wasi_get64(mem(g, DATA + at));
            snprintf(name, sizeof(name), "%.*s", (int)size, (char *)mem(g, DATA + at + 24));
            if (sscanf(name, "entry-%d", &i) == 1 && i >= 0 && i < 300) {
                EXPECT(!seen[i] && mem(g, DATA + at)[20] == FILE_REGULAR);
                seen[i] = true;
                found++;
            } else {
                others++;
            }
            at += 24 + size;
        }
    } while (used == 200);
    EXPECT(found == 300 && others == 2);
    EXPECT(errno_of(host_wasi_fd_readdir(g, 3, DATA, 200, UINT64_MAX, OUT)) == FERR_INVAL);
    return TASK_DONE;
}

BODY_TEST(wasi_renumber_append_and_numbers)
{
    int a = open_below(g, "a", 0, 1, WASI_RIGHTS_ALL),
        b = open_below(g, "b", 0, 1, WASI_RIGHTS_ALL);

    (void)w;
    EXPECT(a == 4 && b == 5);
    EXPECT(errno_of(host_wasi_fd_renumber(g, 4, 5)) == 0);
    EXPECT(errno_of(host_wasi_fd_renumber(g, 4, 5)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_fd_renumber(g, 5, 77)) == FERR_BADF);
    EXPECT(errno_of(host_wasi_fd_renumber(g, 5, 5)) == 0);
    EXPECT(write_text(g, 5, "one") == 0);
    EXPECT(errno_of(host_wasi_fd_seek(g, 5, 0, 0, OUT)) == 0);
    EXPECT(errno_of(host_wasi_fd_fdstat_set_flags(g, 5, WASI_APPEND)) == 0);
    EXPECT(write_text(g, 5, "two") == 0);
    EXPECT(errno_of(host_wasi_fd_seek(g, 5, 0, 0, OUT)) == 0);
    EXPECT(strcmp(read_text(g, 5, 50), "onetwo") == 0);
    EXPECT(errno_of(host_wasi_fd_fdstat_get(g, 5, OUT)) == 0);
    EXPECT(mem(g, OUT)[0] == FILE_REGULAR && wasi_get16(mem(g, OUT + 2)) == WASI_APPEND);
    EXPECT(errno_of(host_wasi_fd_seek(g, 5, (uint64_t)-1, 0, OUT)) == FERR_INVAL);
    EXPECT(errno_of(host_wasi_fd_seek(g, 3, 0, 0, OUT)) == FERR_BADF);
    EXPECT(open_below(g, "c", 0, 1, WASI_RIGHTS_ALL) == 4); /* the lowest free number */
    return TASK_DONE;
}

static void subscribe_clock(struct guest *g, uint32_t at, uint64_t userdata, uint64_t timeout_ns)
{
    memset(mem(g, at), 0, 48);
    wasi_put64(mem(g, at), userdata);
    wasi_put32(mem(g, at) + 16, 1);
    wasi_put64(mem(g, at) + 24, timeout_ns);
}

static void subscribe_fd(struct guest *g, uint32_t at, uint64_t userdata, uint8_t tag, uint32_t fd)
{
    memset(mem(g, at), 0, 48);
    wasi_put64(mem(g, at), userdata);
    mem(g, at)[8] = tag;
    wasi_put32(mem(g, at) + 16, fd);
}

/* A sleep parks, wakes at its time and not before, and reports the clock that was due. */
static enum task_result sleep_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step++ == 0) {
        w->began_ns = scheduler_now_ns(w->scheduler);
        subscribe_clock(g, DATA, 11, 500 * MS);
        subscribe_clock(g, DATA + 48, 22, 50 * MS);
    }
    o = host_wasi_poll_oneoff(g, DATA, DATA + 200, 2, OUT);
    if (o.kind == OUTCOME_PARK)
        return TASK_PARK;
    EXPECT(errno_of(o) == 0 && out32(g) == 1);
    EXPECT(wasi_get64(mem(g, DATA + 200)) == 22 && wasi_get16(mem(g, DATA + 208)) == 0);
    EXPECT(scheduler_now_ns(w->scheduler) - w->began_ns >= 50 * MS);
    EXPECT(scheduler_now_ns(w->scheduler) - w->began_ns < 60 * MS);
    EXPECT(g->process->wait.kind == WAIT_NONE);
    EXPECT(errno_of(host_wasi_poll_oneoff(g, DATA, DATA + 200, 0, OUT)) == FERR_INVAL);
    return TASK_DONE;
}

TEST(wasi_poll_oneoff_sleeps_on_the_virtual_clock)
{
    struct wasi_world w;

    CHECK(wasi_world_open(&w));
    CHECK(wasi_run(&w, true, sleep_body));
    EXPECT(w.step == 2);
    wasi_world_close(&w);
}

BODY_TEST(wasi_poll_oneoff_reports_files_and_bad_descriptors_at_once)
{
    int fd = open_below(g, "file", 0, 1, WASI_RIGHTS_ALL);

    (void)w;
    subscribe_clock(g, DATA, 1, 1000 * MS);
    subscribe_fd(g, DATA + 48, 2, 1, (uint32_t)fd);
    subscribe_fd(g, DATA + 96, 3, 2, 99);
    EXPECT(errno_of(host_wasi_poll_oneoff(g, DATA, DATA + 200, 3, OUT)) == 0 && out32(g) == 2);
    EXPECT(wasi_get64(mem(g, DATA + 200)) == 2 && wasi_get16(mem(g, DATA + 208)) == 0);
    EXPECT(wasi_get64(mem(g, DATA + 232)) == 3 && wasi_get16(mem(g, DATA + 240)) == FERR_BADF);
    mem(g, DATA)[8] = 9;
    EXPECT(errno_of(host_wasi_poll_oneoff(g, DATA, DATA + 200, 1, OUT)) == FERR_INVAL);
    return TASK_DONE;
}

BODY_TEST(wasi_sched_yield_yields_once)
{
    (void)w;
    EXPECT(host_wasi_sched_yield(g).kind == OUTCOME_YIELD);
    EXPECT(errno_of(host_wasi_sched_yield(g)) == 0);
    EXPECT(g->process->wait.kind == WAIT_NONE);
    return TASK_DONE;
}
