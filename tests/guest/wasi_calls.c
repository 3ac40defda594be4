// SPDX-License-Identifier: Apache-2.0 OR MIT
// Each of the 46 functions of WASI preview 1 as the guest calls it, below the C library: what it
// gives, and an error. Standard input is no socket here; tests/unit/host has some.
//
// run: one two-three
// options: --env COLOUR=green --inherit-env none
// expect: 46 functions, 0 wrong
// exit: 43
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_raise"))) int
proc_raise(int);
#define __wasi_proc_raise proc_raise

#define DIR 3
#define FAR ((uint8_t *)0xfffffff0)
#define FILE_RIGHTS                                                                                \
    (__WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_SEEK |                      \
     __WASI_RIGHTS_FD_TELL | __WASI_RIGHTS_FD_SYNC | __WASI_RIGHTS_FD_DATASYNC |                   \
     __WASI_RIGHTS_FD_ADVISE | __WASI_RIGHTS_FD_ALLOCATE | __WASI_RIGHTS_FD_FILESTAT_GET |         \
     __WASI_RIGHTS_FD_FILESTAT_SET_SIZE | __WASI_RIGHTS_FD_FILESTAT_SET_TIMES |                    \
     __WASI_RIGHTS_FD_FDSTAT_SET_FLAGS | __WASI_RIGHTS_POLL_FD_READWRITE)

static const char *called[64];
static int functions, wrong;

static void note(const char *name)
{
    for (int i = 0; i < functions; i++)
        if (strcmp(called[i], name) == 0)
            return;
    called[functions++] = name;
}

static void expect(const char *name, int line, int expected, int got)
{
    note(name);
    if (got != expected) {
        printf("line %d: %s gave errno %d, not %d\n", line, name, got, expected);
        wrong++;
    }
}

static void hold(int line, bool it_does)
{
    if (!it_does) {
        printf("line %d: does not hold\n", line);
        wrong++;
    }
}

#define TRY(expected, name, ...)                                                                   \
    expect(#name, __LINE__, __WASI_ERRNO_##expected, __wasi_##name(__VA_ARGS__))
#define HOLDS(condition) hold(__LINE__, condition)

static char top[32], path[64], other[64];

static const char *at(char *buffer, const char *name)
{
    snprintf(buffer, 64, "%s/%s", top, name);
    return buffer;
}

static __wasi_fd_t open_file(const char *name, __wasi_oflags_t oflags, __wasi_rights_t rights)
{
    __wasi_fd_t fd = -1;

    TRY(SUCCESS, path_open, DIR, 0, at(path, name), oflags, rights, rights, 0, &fd);
    return fd;
}

static void the_process(void)
{
    __wasi_size_t count, size;
    __wasi_timestamp_t t = 0, later = 0;
    uint8_t *pointers[8], bytes[200];

    TRY(SUCCESS, args_sizes_get, &count, &size);
    HOLDS(count == 3 && size > 14);
    TRY(SUCCESS, args_get, pointers, bytes);
    HOLDS(strcmp((char *)pointers[1], "one") == 0 && strcmp((char *)pointers[2], "two-three") == 0);
    TRY(FAULT, args_sizes_get, (__wasi_size_t *)FAR, (__wasi_size_t *)(FAR + 14));
    TRY(FAULT, args_get, (uint8_t **)(FAR + 8), bytes);
    TRY(SUCCESS, environ_sizes_get, &count, &size);
    HOLDS(count == 1 && size == 13);
    TRY(SUCCESS, environ_get, pointers, bytes);
    HOLDS(strcmp((char *)pointers[0], "COLOUR=green") == 0);
    TRY(FAULT, environ_sizes_get, (__wasi_size_t *)(FAR + 14), &size);
    TRY(FAULT, environ_get, pointers, FAR + 8);
    TRY(SUCCESS, clock_res_get, __WASI_CLOCKID_MONOTONIC, &t);
    HOLDS(t > 0);
    TRY(INVAL, clock_res_get, 9, &t);
    TRY(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &t);
    TRY(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &later);
    HOLDS(later >= t);
    TRY(INVAL, clock_time_get, 9, 0, &t);
    memset(bytes, 0, sizeof(bytes));
    TRY(SUCCESS, random_get, bytes, 100);
    for (size = count = 0; size < sizeof(bytes); size++)
        count += bytes[size] != 0;
    HOLDS(count > 50 && count <= 100);
    TRY(FAULT, random_get, FAR, 100);
    TRY(SUCCESS, sched_yield);
    TRY(NOTSUP, proc_raise, 6);
}

static void files(void)
{
    uint8_t text[32] = {0};
    __wasi_ciovec_t out = {(const uint8_t *)"abcdefghij", 10};
    __wasi_iovec_t in[2] = {{text, 3}, {text + 3, 20}};
    __wasi_size_t size = 0;
    __wasi_filesize_t offset = 0;
    __wasi_fdstat_t stat;
    __wasi_filestat_t file;
    __wasi_fd_t fd = open_file("file", __WASI_OFLAGS_CREAT, FILE_RIGHTS), reader, to;

    TRY(SUCCESS, fd_write, fd, &out, 1, &size);
    HOLDS(size == 10);
    TRY(BADF, fd_write, 99, &out, 1, &size);
    TRY(SUCCESS, fd_tell, fd, &offset);
    HOLDS(offset == 10);
    TRY(SUCCESS, fd_seek, fd, -8, __WASI_WHENCE_END, &offset);
    HOLDS(offset == 2);
    TRY(INVAL, fd_seek, fd, -1, __WASI_WHENCE_SET, &offset);
    TRY(SUCCESS, fd_read, fd, in, 2, &size);
    HOLDS(size == 8 && memcmp(text, "cdefghij", 8) == 0);
    TRY(BADF, fd_read, 99, in, 2, &size);
    TRY(SUCCESS, fd_pwrite, fd, &out, 1, 5, &size);
    HOLDS(size == 10);
    TRY(INVAL, fd_pwrite, fd, &out, 1, UINT64_MAX, &size);
    TRY(SUCCESS, fd_pread, fd, in, 2, 3, &size);
    HOLDS(size == 12 && memcmp(text, "deabcdefghij", 12) == 0);
    TRY(INVAL, fd_pread, fd, in, 2, UINT64_MAX, &size);
    TRY(SUCCESS, fd_advise, fd, 0, 10, __WASI_ADVICE_SEQUENTIAL);
    TRY(INVAL, fd_advise, fd, 0, 10, 17);
    TRY(SUCCESS, fd_allocate, fd, 0, 1000);
    TRY(INVAL, fd_allocate, fd, 0, 0);
    TRY(SUCCESS, fd_filestat_get, fd, &file);
    HOLDS(file.size == 1000 && file.filetype == __WASI_FILETYPE_REGULAR_FILE);
    TRY(BADF, fd_filestat_get, 99, &file);
    TRY(SUCCESS, fd_filestat_set_size, fd, 4);
    TRY(INVAL, fd_filestat_set_size, fd, UINT64_MAX);
    TRY(SUCCESS, fd_filestat_set_times, fd, 5, 1000000007,
        __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM);
    TRY(INVAL, fd_filestat_set_times, fd, 5, 7, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW);
    TRY(SUCCESS, fd_filestat_get, fd, &file);
    HOLDS(file.size == 4 && file.mtim == 1000000007);
    TRY(SUCCESS, fd_sync, fd);
    TRY(BADF, fd_sync, 99);
    TRY(SUCCESS, fd_datasync, fd);
    TRY(BADF, fd_datasync, 99);
    TRY(SUCCESS, fd_fdstat_set_flags, fd, __WASI_FDFLAGS_APPEND);
    TRY(INVAL, fd_fdstat_set_flags, fd, 0x4000);
    TRY(SUCCESS, fd_fdstat_get, fd, &stat);
    HOLDS(stat.fs_flags == __WASI_FDFLAGS_APPEND && stat.fs_rights_base == FILE_RIGHTS);
    TRY(FAULT, fd_fdstat_get, fd, (__wasi_fdstat_t *)FAR);
    TRY(SUCCESS, fd_fdstat_set_rights, fd, __WASI_RIGHTS_FD_READ, 0);
    TRY(NOTCAPABLE, fd_fdstat_set_rights, fd, __WASI_RIGHTS_FD_WRITE, 0);
    TRY(BADF, fd_write, fd, &out, 1, &size);
    TRY(NOTCAPABLE, fd_tell, fd, &offset);
    reader = open_file("file", 0, __WASI_RIGHTS_FD_READ);
    to = reader + 1;
    TRY(BADF, fd_renumber, reader, to);
    TRY(SUCCESS, fd_renumber, fd, reader);
    TRY(BADF, fd_read, fd, in, 1, &size);
    TRY(SUCCESS, fd_close, reader);
    TRY(BADF, fd_close, reader);
}

static void directories(void)
{
    __wasi_prestat_t prestat;
    __wasi_size_t size = 0, all;
    __wasi_fd_t fd = -1;
    __wasi_filestat_t file;
    uint8_t name[16] = {0}, entries[512];
    char link[16];
    unsigned count = 0;

    TRY(SUCCESS, fd_prestat_get, DIR, &prestat);
    HOLDS(prestat.tag == __WASI_PREOPENTYPE_DIR && prestat.u.dir.pr_name_len == 1);
    TRY(BADF, fd_prestat_get, 99, &prestat);
    TRY(SUCCESS, fd_prestat_dir_name, DIR, name, 1);
    HOLDS(strcmp((char *)name, ".") == 0);
    TRY(BADF, fd_prestat_dir_name, 99, name, 1);
    TRY(SUCCESS, path_create_directory, DIR, at(path, "sub"));
    TRY(EXIST, path_create_directory, DIR, path);
    TRY(SUCCESS, path_symlink, "file", DIR, at(path, "link"));
    TRY(EXIST, path_symlink, "file", DIR, path);
    TRY(SUCCESS, path_readlink, DIR, path, (uint8_t *)link, sizeof(link), &size);
    HOLDS(size == 4 && memcmp(link, "file", 4) == 0);
    TRY(INVAL, path_readlink, DIR, at(path, "file"), (uint8_t *)link, sizeof(link), &size);
    TRY(SUCCESS, path_filestat_get, DIR, 0, at(path, "link"), &file);
    HOLDS(file.filetype == __WASI_FILETYPE_SYMBOLIC_LINK);
    TRY(SUCCESS, path_filestat_get, DIR, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, &file);
    HOLDS(file.filetype == __WASI_FILETYPE_REGULAR_FILE && file.nlink == 1);
    TRY(NOENT, path_filestat_get, DIR, 0, at(path, "none"), &file);
    TRY(SUCCESS, path_filestat_set_times, DIR, 0, at(path, "file"), 0, 77, __WASI_FSTFLAGS_MTIM);
    TRY(NOENT, path_filestat_set_times, DIR, 0, at(path, "none"), 0, 77, __WASI_FSTFLAGS_MTIM);
    TRY(SUCCESS, path_link, DIR, 0, at(path, "file"), DIR, at(other, "hard"));
    TRY(EXIST, path_link, DIR, 0, path, DIR, other);
    TRY(SUCCESS, path_filestat_get, DIR, 0, other, &file);
    HOLDS(file.nlink == 2 && file.mtim == 77);
    TRY(SUCCESS, path_rename, DIR, at(path, "hard"), DIR, at(other, "sub/moved"));
    TRY(NOENT, path_rename, DIR, path, DIR, other);
    TRY(PERM, path_open, DIR, 0, "../out", 0, __WASI_RIGHTS_FD_READ, 0, 0, &fd);
    TRY(NOENT, path_open, DIR, 0, at(path, "none"), 0, __WASI_RIGHTS_FD_READ, 0, 0, &fd);

    TRY(SUCCESS, path_open, DIR, 0, top, __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READDIR, 0, 0,
        &fd);
    TRY(SUCCESS, fd_readdir, fd, entries, sizeof(entries), 0, &all);
    for (__wasi_size_t i = 0; i + sizeof(__wasi_dirent_t) <= all; count++) {
        __wasi_dirent_t e;

        memcpy(&e, entries + i, sizeof(e));
        i += (__wasi_size_t)sizeof(e) + e.d_namlen;
        if (count == 1) { /* from its cookie the rest follows */
            TRY(SUCCESS, fd_readdir, fd, entries + 256, 256, e.d_next, &size);
            HOLDS(size == all - i && memcmp(entries + 256, entries + i, size) == 0);
        }
    }
    HOLDS(count == 5); /* ".", "..", file, link, sub */
    TRY(BADF, fd_readdir, 99, entries, sizeof(entries), 0, &size);
    TRY(SUCCESS, fd_close, fd);

    TRY(NOTEMPTY, path_remove_directory, DIR, at(path, "sub"));
    TRY(SUCCESS, path_unlink_file, DIR, at(path, "sub/moved"));
    TRY(NOENT, path_unlink_file, DIR, path);
    TRY(SUCCESS, path_unlink_file, DIR, at(path, "link"));
    TRY(SUCCESS, path_unlink_file, DIR, at(path, "file"));
    TRY(SUCCESS, path_remove_directory, DIR, at(path, "sub"));
    TRY(SUCCESS, path_remove_directory, DIR, top);
}

static void waiting(void)
{
    __wasi_subscription_t in[2] = {0};
    __wasi_event_t events[2];
    __wasi_size_t size = 0;

    in[0].userdata = 11;
    in[0].u.tag = __WASI_EVENTTYPE_CLOCK;
    in[0].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    in[0].u.u.clock.timeout = 1000000;
    in[1].userdata = 12;
    in[1].u.tag = __WASI_EVENTTYPE_FD_READ;
    in[1].u.u.fd_read.file_descriptor = 99;
    TRY(SUCCESS, poll_oneoff, in, events, 1, &size);
    HOLDS(size == 1 && events[0].userdata == 11 && events[0].error == 0);
    TRY(SUCCESS, poll_oneoff, in, events, 2, &size);
    HOLDS(size == 1 && events[0].userdata == 12 && events[0].error == __WASI_ERRNO_BADF);
    TRY(INVAL, poll_oneoff, in, events, 0, &size);
}

static void sockets(void)
{
    uint8_t text[8];
    __wasi_iovec_t in = {text, sizeof(text)};
    __wasi_ciovec_t out = {text, sizeof(text)};
    __wasi_size_t size;
    __wasi_roflags_t flags;
    __wasi_fd_t fd;

    TRY(NOTSOCK, sock_accept, 0, 0, &fd);
    TRY(NOTSOCK, sock_recv, 0, &in, 1, 0, &size, &flags);
    TRY(NOTSOCK, sock_send, DIR, &out, 1, 0, &size);
    TRY(NOTSOCK, sock_shutdown, 0, __WASI_SDFLAGS_RD);
    TRY(BADF, sock_accept, 99, 0, &fd);
    TRY(BADF, sock_recv, 99, &in, 1, 0, &size, &flags);
    TRY(BADF, sock_send, 99, &out, 1, 0, &size);
    TRY(BADF, sock_shutdown, 99, __WASI_SDFLAGS_RD);
}

int main(void)
{
    unsigned number;

    the_process();
    TRY(SUCCESS, random_get, (uint8_t *)&number, sizeof(number));
    snprintf(top, sizeof(top), "wasi-calls-%08x", number);
    TRY(SUCCESS, path_create_directory, DIR, top);
    files();
    directories();
    waiting();
    sockets();
    note("proc_exit");
    printf("%d functions, %d wrong\n", functions, wrong);
    fflush(stdout);
    __wasi_proc_exit(43);
}
