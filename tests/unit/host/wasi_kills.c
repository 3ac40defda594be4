/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whatever a WASI function waits for, the process can be killed there, and no descriptor and no job
 * of it is left; input that had been read for it goes to the next reader. Sockets as standard
 * input. */
#include "plat/thread.h"
#include "wasi_world.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IOVS = 0x100, OUT = 0x200, PATH = 0x1000, DATA = 0x10000 };
enum { CREAT = 1, DIRECTORY = 2, ENTRIES = 3000 };

static uint8_t *mem(struct guest *g, uint32_t at)
{
    return g->instance->memory_base + at;
}

static void iovec(struct guest *g, uint32_t size)
{
    wasi_put32(mem(g, IOVS), DATA);
    wasi_put32(mem(g, IOVS) + 4, size);
}

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

#define AWAIT(o)                                                                                   \
    if ((o).kind == OUTCOME_PARK)                                                                  \
    return TASK_PARK

static struct outcome open_path(struct guest *g, const char *path, uint32_t oflags, uint64_t rights)
{
    return host_wasi_path_open(g, 3, 1, PATH, put(g, PATH, path), oflags, rights, 0, 0, OUT);
}

/* Runs the body until it is killed, with `input` (taken) as descriptor 0; -1: as it is. The test
 * holds the other end of the FIFO "fifo" if there is one. */
static void killed(wasi_body *body, int input, int fifo_end)
{
    int before = descriptors(), saved = -1, end = -1;

    if (input >= 0) {
        saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
        dup2(input, 0);
    }
    for (int i = 0; i < 3; i++) {
        struct wasi_world w;

        CHECK(wasi_world_open(&w));
        CHECK(mkfifo(wasi_outside_path(&w, "fifo"), 0666) == 0);
        if (fifo_end >= 0)
            end = open(wasi_outside_path(&w, "fifo"), fifo_end | O_CLOEXEC | O_NONBLOCK);
        w.kill_after_ms = 30;
        CHECK(wasi_run(&w, false, body));
        EXPECT(w.exit.reason == EXIT_KILLED);
        if (end >= 0)
            close(end);
        wasi_world_close(&w);
    }
    if (saved >= 0) {
        dup2(saved, 0);
        close(saved);
    } else if (input >= 0) {
        close(0);
    }
    EXPECT(descriptors() == before);
}

static enum task_result read_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        o = open_path(g, "fifo", 0, WASI_FD_READ);
        AWAIT(o);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 4);
        iovec(g, 100);
        w->step = 1;
    }
    o = host_wasi_fd_read(g, 4, IOVS, 1, OUT);
    AWAIT(o);
    test_failed(__FILE__, __LINE__, "it went on");
    return TASK_DONE;
}

TEST(wasi_kill_while_it_reads_a_pipe)
{
    killed(read_body, -1, O_RDWR);
}

TEST(wasi_kill_while_it_reads_a_fifo_that_nobody_writes)
{
    killed(read_body, -1, -1);
}

static enum task_result open_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o = open_path(g, "fifo", 0, WASI_FD_WRITE);

    (void)w;
    AWAIT(o);
    test_failed(__FILE__, __LINE__, "it went on");
    return TASK_DONE;
}

TEST(wasi_kill_while_it_opens_a_fifo_that_nobody_reads)
{
    killed(open_body, -1, -1);
}

static enum task_result write_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        o = open_path(g, "fifo", 0, WASI_FD_WRITE);
        AWAIT(o);
        EXPECT(errno_of(o) == 0);
        iovec(g, 100000);
        w->step = 1;
    }
    do {
        o = host_wasi_fd_write(g, 4, IOVS, 1, OUT);
        AWAIT(o);
    } while (EXPECT(errno_of(o) == 0));
    return TASK_DONE;
}

TEST(wasi_kill_while_it_writes_to_a_full_pipe)
{
    killed(write_body, -1, O_RDWR);
}

static enum task_result poll_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        o = open_path(g, "fifo", 0, WASI_FD_READ);
        AWAIT(o);
        memset(mem(g, DATA), 0, 96);
        mem(g, DATA)[8] = 1; /* reading descriptor 4 */
        wasi_put32(mem(g, DATA) + 16, 4);
        wasi_put32(mem(g, DATA) + 48 + 16, 1); /* or an hour */
        wasi_put64(mem(g, DATA) + 48 + 24, 3600000000000u);
        w->step = 1;
    }
    o = host_wasi_poll_oneoff(g, DATA, DATA + 200, 2, OUT);
    AWAIT(o);
    test_failed(__FILE__, __LINE__, "it went on");
    return TASK_DONE;
}

TEST(wasi_kill_while_it_polls)
{
    killed(poll_body, -1, O_RDWR);
}

/* Lists a directory of many entries again and again. */
static enum task_result list_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;
    char path[32];

    if (w->step == 0) {
        for (int i = 0; i < ENTRIES; i++) {
            snprintf(path, sizeof(path), "file-number-%d", i);
            close(open(wasi_outside_path(w, path), O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
        }
        w->step = 1;
    }
    for (;;) {
        o = host_wasi_fd_readdir(g, 3, DATA, w->number % 2 ? 1000 : 1u << 20, 0, OUT);
        AWAIT(o);
        if (!EXPECT(errno_of(o) == 0))
            return TASK_DONE;
        w->number++;
    }
}

TEST(wasi_kill_while_it_lists_a_directory)
{
    killed(list_body, -1, -1);
}

static enum task_result large_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        o = open_path(g, "large", CREAT, WASI_FD_READ | WASI_FD_WRITE | WASI_FD_SEEK);
        AWAIT(o);
        EXPECT(errno_of(o) == 0);
        iovec(g, 1 << 20);
        w->step = 1;
    }
    for (;;) {
        o = w->number % 2 ? host_wasi_fd_pread(g, 4, IOVS, 1, 0, OUT)
                          : host_wasi_fd_pwrite(g, 4, IOVS, 1, 0, OUT);
        AWAIT(o);
        if (!EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 1 << 20))
            return TASK_DONE;
        w->number++;
    }
}

TEST(wasi_kill_while_it_moves_much)
{
    killed(large_body, -1, -1);
}

/* ---- standard input ---- */

static enum task_result input_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    (void)w;
    iovec(g, 100);
    o = host_wasi_fd_read(g, 0, IOVS, 1, OUT);
    AWAIT(o);
    test_failed(__FILE__, __LINE__, "it went on");
    return TASK_DONE;
}

TEST(wasi_kill_while_it_reads_standard_input)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    killed(input_body, fds[0], -1);
    close(fds[0]);
    close(fds[1]);
}

/* As if the input could not be had in nonblocking mode, like the terminal of another user. */
static void make_blocking(struct guest *g)
{
    struct wasi_shared *sh = g->host->wasi;

    sh->standard[0].kind = FILE_STREAM_BLOCKING;
    if (sh->handles[0].stream)
        (void)wasi_stream_close(&sh->handles[0]);
    sh->handles[0].stream = NULL;
}

static enum task_result blocking_body(struct guest *g, struct wasi_world *w)
{
    if (w->step++ == 0)
        make_blocking(g);
    return input_body(g, w);
}

TEST(wasi_kill_while_a_job_reads_standard_input)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    killed(blocking_body, fds[0], -1);
    close(fds[0]);
    close(fds[1]);
}

static int input_end; /* where the test writes what the guest reads */

/* Reads by a job, and gives up before it has seen the result, as a kill does. */
static enum task_result lost_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    switch (w->step) {
    case 0:
        make_blocking(g);
        iovec(g, 100);
        w->step = 1;
        EXPECT(host_wasi_fd_read(g, 0, IOVS, 1, OUT).kind == OUTCOME_PARK);
        EXPECT(write(input_end, "hello", 5) == 5);
        return TASK_PARK;
    case 1: /* the job has finished, or it was a wake for nothing */
        if (!offload_finished(&((struct wasi_job *)g->process->wait.object)->job))
            return TASK_PARK;
        wait_cancel(g->process);
        w->step = 2;
        iovec(g, 2); /* the next reader wants little */
        o = host_wasi_fd_read(g, 0, IOVS, 1, OUT);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 2);
        EXPECT(memcmp(mem(g, DATA), "he", 2) == 0);
        memset(mem(g, DATA), 0, 48);
        mem(g, DATA)[8] = 1;
        EXPECT(errno_of(host_wasi_poll_oneoff(g, DATA, DATA + 200, 1, OUT)) == 0);
        EXPECT(wasi_get32(mem(g, OUT)) == 1);
        iovec(g, 100);
        o = host_wasi_fd_read(g, 0, IOVS, 1, OUT);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 3);
        EXPECT(memcmp(mem(g, DATA), "llo", 3) == 0);
        EXPECT(write(input_end, "more", 4) == 4);
    }
    o = host_wasi_fd_read(g, 0, IOVS, 1, OUT);
    AWAIT(o);
    EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 4);
    EXPECT(memcmp(mem(g, DATA), "more", 4) == 0);
    return TASK_DONE;
}

/* Runs the body with `input` (taken) as standard input. */
static void with_input(wasi_body *body, int input)
{
    int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
    struct wasi_world w;

    dup2(input, 0);
    close(input);
    CHECK(wasi_world_open(&w));
    CHECK(wasi_run(&w, false, body));
    EXPECT(w.exit.reason == EXIT_NORMAL);
    wasi_world_close(&w);
    close(0);
    if (saved >= 0) {
        dup2(saved, 0);
        close(saved);
    }
}

TEST(wasi_input_read_for_a_killed_process_goes_to_the_next_reader)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    input_end = fds[1];
    with_input(lost_body, fds[0]);
    close(fds[1]);
}

/* ---- sockets ---- */

static enum task_result socket_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        o = host_wasi_sock_accept(g, 0, 4, OUT);
        AWAIT(o);
        EXPECT(errno_of(o) == FERR_INVAL); /* it does not listen */
        w->step = 1;
    }
    if (w->step == 1) {
        EXPECT(errno_of(host_wasi_sock_recv(g, 0, IOVS, 1, 4, OUT, OUT + 8)) == FERR_INVAL);
        EXPECT(errno_of(host_wasi_sock_send(g, 0, IOVS, 1, 1, OUT)) == FERR_INVAL);
        EXPECT(errno_of(host_wasi_sock_shutdown(g, 0, 0)) == FERR_INVAL);
        EXPECT(errno_of(host_wasi_sock_shutdown(g, 0, 4)) == FERR_INVAL);
        iovec(g, put(g, DATA, "to you"));
        EXPECT(errno_of(host_wasi_sock_send(g, 0, IOVS, 1, 0, OUT)) == 0);
        EXPECT(wasi_get32(mem(g, OUT)) == 6);
        iovec(g, 100);
        w->step = 2;
    }
    if (w->step == 2) {
        o = host_wasi_sock_recv(g, 0, IOVS, 1, 1, OUT, OUT + 8); /* only a look */
        AWAIT(o);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 5);
        memset(mem(g, DATA), 0, 5);
        w->step = 3;
    }
    o = host_wasi_sock_recv(g, 0, IOVS, 1, 0, OUT, OUT + 8);
    AWAIT(o);
    EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 5);
    EXPECT(memcmp(mem(g, DATA), "to me", 5) == 0 && wasi_get16(mem(g, OUT + 8)) == 0);
    EXPECT(errno_of(host_wasi_sock_shutdown(g, 0, 2)) == 0);
    EXPECT(errno_of(host_wasi_sock_send(g, 0, IOVS, 1, 0, OUT)) == FERR_PIPE);
    return TASK_DONE;
}

static void answer(void *arg)
{
    int fd = *(int *)arg;
    char text[10] = "";

    EXPECT(recv(fd, text, 6, MSG_WAITALL) == 6 && strcmp(text, "to you") == 0);
    usleep(20000);
    EXPECT(send(fd, "to me", 5, MSG_NOSIGNAL) == 5);
    EXPECT(recv(fd, text, 6, 0) == 0); /* the guest has shut its side down */
}

/* Its mode stays what it was: others may share it. */
TEST(wasi_a_blocking_socket_as_standard_input_blocks_nobody)
{
    struct error err;
    struct thread t;
    int fds[2], kept;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK((kept = fcntl(fds[0], F_DUPFD_CLOEXEC, 10)) >= 0);
    CHECK(thread_create(&t, "peer", answer, &fds[1], &err));
    with_input(socket_body, fds[0]);
    thread_join(&t);
    EXPECT((fcntl(kept, F_GETFL) & O_NONBLOCK) == 0);
    close(kept);
    close(fds[1]);
}

static enum task_result accept_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        EXPECT(errno_of(host_wasi_sock_accept(g, 0, 1, OUT)) == FERR_INVAL);
        EXPECT(errno_of(host_wasi_sock_accept(g, 0, 0, UINT32_MAX)) == FERR_FAULT);
        w->step = 1;
    }
    if (w->step == 1) {
        o = host_wasi_sock_accept(g, 0, 0, OUT);
        AWAIT(o);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 4);
        EXPECT(errno_of(host_wasi_fd_fdstat_get(g, 4, DATA)) == 0);
        EXPECT(*mem(g, DATA) == FILE_SOCKET_STREAM);
        EXPECT(errno_of(host_wasi_sock_accept(g, 4, 0, OUT)) == FERR_NOTCAPABLE);
        iovec(g, 100);
        w->step = 2;
    }
    do {
        o = host_wasi_fd_read(g, 4, IOVS, 1, OUT);
        AWAIT(o);
        if (!EXPECT(errno_of(o) == 0))
            return TASK_DONE;
        w->number += (int)wasi_get32(mem(g, OUT));
    } while (wasi_get32(mem(g, OUT)) > 0);
    EXPECT(w->number == 5);
    return TASK_DONE;
}

static int listen_here(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT(bind(fd, (struct sockaddr *)address, sizeof(*address)) == 0 && listen(fd, 5) == 0 &&
           getsockname(fd, (struct sockaddr *)address, &size) == 0);
    return fd;
}

static void call(void *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    usleep(20000);
    EXPECT(connect(fd, arg, sizeof(struct sockaddr_in)) == 0);
    EXPECT(send(fd, "hello", 5, MSG_NOSIGNAL) == 5);
    close(fd);
}

TEST(wasi_accepts_from_a_socket_that_listens_as_standard_input)
{
    struct sockaddr_in address;
    struct error err;
    struct thread t;
    int fd = listen_here(&address);

    CHECK(thread_create(&t, "caller", call, &address, &err));
    with_input(accept_body, fd);
    thread_join(&t);
}

TEST(wasi_kill_while_it_accepts)
{
    struct sockaddr_in address;
    int fd = listen_here(&address);

    killed(accept_body, fd, -1);
    close(fd);
}

TEST(wasi_kill_while_it_receives)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
    killed(input_body, fds[0], -1);
    close(fds[0]);
    close(fds[1]);
}

/* ---- receiving all (WAITALL) ---- */

enum { PEEK = 1, WAITALL = 2, NONBLOCK = 4, MUCH = 3 << 20 };

#define SEND(text)                                                                                 \
    EXPECT(send(input_end, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text))

static struct outcome receive_all(struct guest *g, uint32_t fd)
{
    return host_wasi_sock_recv(g, fd, IOVS, 2, WAITALL, OUT, OUT + 8);
}

/* Two pieces, of 3 and of `size` bytes. */
static void iovecs(struct guest *g, uint32_t size)
{
    iovec(g, 3);
    wasi_put32(mem(g, IOVS) + 8, DATA + 100);
    wasi_put32(mem(g, IOVS) + 12, size);
}

static bool received(struct guest *g, uint32_t size)
{
    return wasi_get32(mem(g, OUT)) == size && wasi_get16(mem(g, OUT + 8)) == 0;
}

static enum task_result all_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        iovecs(g, 7);
        EXPECT(receive_all(g, 0).kind == OUTCOME_PARK);
        SEND("abcd");
        w->step = 1;
    }
    if (w->step == 1) {
        o = receive_all(g, 0);
        if (!EXPECT(o.kind == OUTCOME_PARK)) /* 4 of 10 are not all */
            return TASK_DONE;
        if (*mem(g, DATA + 100) != 'd')
            return TASK_PARK; /* woken for nothing */
        SEND("efghij and the end");
        EXPECT(shutdown(input_end, SHUT_WR) == 0);
        w->step = 2;
    }
    if (w->step == 2) {
        o = receive_all(g, 0);
        AWAIT(o);
        EXPECT(errno_of(o) == 0 && received(g, 10));
        EXPECT(memcmp(mem(g, DATA), "abc", 3) == 0 &&
               memcmp(mem(g, DATA + 100), "defghij", 8) == 0);
        iovecs(g, 1000);
        w->step = 3;
    }
    o = receive_all(g, 0);
    AWAIT(o);
    EXPECT(errno_of(o) == 0 && received(g, 12)); /* what there is before the end */
    EXPECT(memcmp(mem(g, DATA), " an", 3) == 0 && memcmp(mem(g, DATA + 100), "d the end", 9) == 0);
    EXPECT(errno_of(receive_all(g, 0)) == 0 && received(g, 0));
    return TASK_DONE;
}

TEST(wasi_receives_all_or_up_to_the_end)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    input_end = fds[1];
    with_input(all_body, fds[0]);
    close(fds[1]);
}

/* What can be known to be wrong is said before anything is taken; what WAITALL means nothing for
 * ignores it. */
static enum task_result no_wait_body(struct guest *g, struct wasi_world *w)
{
    (void)w;
    SEND("hello");
    iovecs(g, 100);
    wasi_put32(mem(g, IOVS) + 8, WASI_MEMORY - 50); /* the second leaves the memory */
    EXPECT(errno_of(receive_all(g, 0)) == FERR_FAULT);
    wasi_put32(mem(g, IOVS) + 12, UINT32_MAX - 2);
    EXPECT(errno_of(receive_all(g, 0)) == FERR_FAULT);
    EXPECT(errno_of(host_wasi_sock_recv(g, 0, IOVS, UINT32_MAX, WAITALL, OUT, OUT + 8)) ==
           FERR_FAULT);
    iovecs(g, 100);
    EXPECT(errno_of(host_wasi_sock_recv(g, 0, IOVS, 2, WAITALL, UINT32_MAX, OUT + 8)) ==
           FERR_FAULT);
    EXPECT(errno_of(host_wasi_sock_recv(g, 0, IOVS, 0, WAITALL, OUT, OUT + 8)) == 0 &&
           received(g, 0));
    EXPECT(errno_of(host_wasi_sock_recv(g, 0, IOVS, 2, WAITALL | PEEK, OUT, OUT + 8)) == 0 &&
           received(g, 5));
    iovecs(g, 2);
    EXPECT(errno_of(receive_all(g, 0)) == 0 && received(g, 5));
    EXPECT(memcmp(mem(g, DATA), "hel", 3) == 0 && memcmp(mem(g, DATA + 100), "lo", 2) == 0);
    return TASK_DONE;
}

TEST(wasi_receives_all_without_waiting_if_it_is_there)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    input_end = fds[1];
    with_input(no_wait_body, fds[0]);
    close(fds[1]);
}

static enum task_result datagram_body(struct guest *g, struct wasi_world *w)
{
    (void)w;
    SEND("hello");
    iovecs(g, 100);
    EXPECT(errno_of(receive_all(g, 0)) == 0 && received(g, 5));
    return TASK_DONE;
}

TEST(wasi_receives_one_datagram_as_all)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
    input_end = fds[1];
    with_input(datagram_body, fds[0]);
    close(fds[1]);
}

/* A connection from the test to the socket that is standard input, accepted as descriptor 4. */
static enum task_result connected(struct guest *g, struct wasi_world *w, uint32_t flags)
{
    struct outcome o;

    if (w->step == 0) {
        struct sockaddr_in address;
        socklen_t size = sizeof(address);

        input_end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT(getsockname(0, (struct sockaddr *)&address, &size) == 0);
        EXPECT(connect(input_end, (struct sockaddr *)&address, size) == 0);
        w->step = 1;
    }
    o = host_wasi_sock_accept(g, 0, flags, OUT);
    AWAIT(o);
    EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 4);
    w->step = 2;
    return TASK_YIELD;
}

static enum task_result nonblocking_body(struct guest *g, struct wasi_world *w)
{
    if (w->step < 2)
        return connected(g, w, NONBLOCK);
    iovecs(g, 100);
    EXPECT(errno_of(receive_all(g, 4)) == FERR_AGAIN);
    SEND("hello");
    EXPECT(file_wait(atomic_load(&g->wasi->fds.items[4].handle->fd), false, 10000));
    EXPECT(errno_of(receive_all(g, 4)) == 0 && received(g, 5));
    close(input_end);
    return TASK_DONE;
}

TEST(wasi_receives_what_there_is_if_the_socket_must_not_wait)
{
    struct sockaddr_in address;

    with_input(nonblocking_body, listen_here(&address));
}

static enum task_result reset_body(struct guest *g, struct wasi_world *w)
{
    const struct linger at_once = {.l_onoff = 1};
    struct outcome o;

    if (w->step < 2)
        return connected(g, w, 0);
    if (w->step == 2) {
        iovecs(g, 100);
        SEND("hello");
        w->step = 3;
    }
    o = receive_all(g, 4);
    if (o.kind == OUTCOME_PARK && w->step == 3 && *mem(g, DATA + 101) == 'o') {
        EXPECT(setsockopt(input_end, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
        close(input_end); /* the peer is told with a reset */
        w->step = 4;
    }
    AWAIT(o);
    EXPECT(w->step == 4 && errno_of(o) == 0 && received(g, 5));
    return TASK_DONE;
}

TEST(wasi_receives_what_came_before_a_failure)
{
    struct sockaddr_in address;

    with_input(reset_body, listen_here(&address));
}

static enum task_result all_of_much_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    (void)w;
    iovec(g, MUCH);
    o = host_wasi_sock_recv(g, 0, IOVS, 1, WAITALL, OUT, OUT + 8);
    AWAIT(o);
    if (o.kind == OUTCOME_YIELD)
        return TASK_YIELD;
    EXPECT(errno_of(o) == 0 && received(g, MUCH));
    for (uint32_t i = 0; i < MUCH; i++) {
        if (!EXPECT(*mem(g, DATA + i) == (uint8_t)(i * 7 + (i >> 12))))
            break;
    }
    return TASK_DONE;
}

static void send_much(void *arg)
{
    uint8_t *data = mem_new_array(uint8_t, MUCH);
    int fd = *(int *)arg;

    for (uint32_t i = 0; i < MUCH; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 12));
    for (size_t done = 0; done < MUCH;) {
        ssize_t n = send(fd, data + done, MUCH - done, MSG_NOSIGNAL);

        if (!EXPECT(n > 0))
            break;
        done += (size_t)n;
    }
    mem_free(data);
}

TEST(wasi_receives_all_of_more_than_fits_in_one_transfer)
{
    struct error err;
    struct thread t;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(thread_create(&t, "peer", send_much, &fds[1], &err));
    with_input(all_of_much_body, fds[0]);
    thread_join(&t);
    close(fds[1]);
}

static enum task_result half_body(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        iovecs(g, 7);
        SEND("half");
        w->step = 1;
    }
    o = receive_all(g, 0);
    AWAIT(o);
    test_failed(__FILE__, __LINE__, "it went on");
    return TASK_DONE;
}

TEST(wasi_kill_while_it_receives_all)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    input_end = fds[1];
    killed(half_body, fds[0], -1);
    close(fds[0]);
    close(fds[1]);
}
