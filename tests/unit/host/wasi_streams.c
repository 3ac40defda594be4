/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI on real threads: pipes that park the process, jobs that finish later, and kills meanwhile. A
 * FIFO in the guest's directory stands for a pipe whose other end the test holds. */
#include "plat/thread.h"
#include "proc/signal.h"
#include "wasi_world.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IOVS = 0x100, PATH = 0x1000, OUT = 0x200, DATA = 0x10000 };

static uint8_t *mem(struct guest *g, uint32_t at)
{
    return g->instance->memory_base + at;
}

static struct outcome open_fifo(struct guest *g, uint64_t rights)
{
    return host_wasi_path_open(g, 3, 0, PATH, put(g, PATH, "fifo"), 0, rights, 0, 0, OUT);
}

/* Steps of a body that calls a function until it is done. */
#define AWAIT(o)                                                                                   \
    if ((o).kind == OUTCOME_PARK)                                                                  \
    return TASK_PARK

static enum task_result reader(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    switch (w->step) {
    case 0:
        o = open_fifo(g, WASI_FD_READ);
        AWAIT(o);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 4);
        wasi_put32(mem(g, IOVS), DATA);
        wasi_put32(mem(g, IOVS) + 4, 100);
        w->step = 1;
        /* fall through */
    case 1:
        o = host_wasi_fd_read(g, 4, IOVS, 1, OUT);
        AWAIT(o);
        EXPECT(errno_of(o) == 0);
        w->number += (int)wasi_get32(mem(g, OUT));
        if (w->number < 5)
            return TASK_YIELD;
        EXPECT(memcmp(mem(g, DATA), "hello", 5) == 0);
        memset(mem(g, DATA), 0, 48);
        mem(g, DATA)[8] = 1;
        wasi_put32(mem(g, DATA) + 16, 4);
        w->step = 2;
        /* fall through */
    case 2: /* the writer closes: hangup, then the end */
        o = host_wasi_poll_oneoff(g, DATA, DATA + 100, 1, OUT);
        AWAIT(o);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 1);
        EXPECT(wasi_get16(mem(g, DATA + 124)) == 1);
        o = host_wasi_fd_read(g, 4, IOVS, 1, OUT);
        EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 0);
        EXPECT(g->process->wait.kind == WAIT_NONE);
    }
    return TASK_DONE;
}

static void write_later(void *arg)
{
    int fd = *(int *)arg;

    usleep(30000);
    EXPECT(write(fd, "hello", 5) == 5);
    usleep(30000);
    close(fd);
}

TEST(wasi_a_read_of_an_empty_pipe_parks_until_bytes_come)
{
    struct wasi_world w;
    struct thread t;
    int fd;

    CHECK(wasi_world_open(&w));
    CHECK(mkfifo(wasi_outside_path(&w, "fifo"), 0666) == 0);
    fd = open(wasi_outside_path(&w, "fifo"), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(thread_create(&t, "writer", write_later, &fd, NULL));
    CHECK(wasi_run(&w, false, reader));
    EXPECT(w.exit.reason == EXIT_NORMAL);
    thread_join(&t);
    wasi_world_close(&w);
}

/* Fills the pipe until it parks; the test drains it. */
static enum task_result writer(struct guest *g, struct wasi_world *w)
{
    struct outcome o;

    if (w->step == 0) {
        o = open_fifo(g, WASI_FD_WRITE);
        AWAIT(o);
        EXPECT(errno_of(o) == 0);
        w->step = 1;
        memset(mem(g, DATA), 'x', 100000);
        wasi_put32(mem(g, IOVS), DATA);
    }
    while (w->number < 1000000) {
        int left = 1000000 - w->number;

        wasi_put32(mem(g, IOVS) + 4, left < 100000 ? (uint32_t)left : 100000);
        o = host_wasi_fd_write(g, 4, IOVS, 1, OUT);
        AWAIT(o);
        if (!EXPECT(errno_of(o) == 0))
            return TASK_DONE;
        w->number += (int)wasi_get32(mem(g, OUT));
    }
    return TASK_DONE;
}

static void drain(void *arg)
{
    char buffer[4096];
    size_t total = 0;
    ssize_t n;

    while ((n = read(*(int *)arg, buffer, sizeof(buffer))) > 0) {
        total += (size_t)n;
        if (total % 10 == 0)
            usleep(100);
        if (total == 1000000)
            break;
    }
    EXPECT(total == 1000000);
}

TEST(wasi_a_write_to_a_full_pipe_parks_until_there_is_room)
{
    struct wasi_world w;
    struct thread t;
    int fd;

    CHECK(wasi_world_open(&w));
    CHECK(mkfifo(wasi_outside_path(&w, "fifo"), 0666) == 0);
    fd = open(wasi_outside_path(&w, "fifo"), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(thread_create(&t, "reader", drain, &fd, NULL));
    CHECK(wasi_run(&w, false, writer));
    EXPECT(w.exit.reason == EXIT_NORMAL && w.number == 1000000);
    thread_join(&t);
    close(fd);
    wasi_world_close(&w);
}

/* One who waits for a pipe for ever can be killed, and leaves nothing. */
TEST(wasi_a_process_that_waits_for_a_pipe_can_be_killed)
{
    struct wasi_world w;
    int fd;

    CHECK(wasi_world_open(&w));
    CHECK(mkfifo(wasi_outside_path(&w, "fifo"), 0666) == 0);
    fd = open(wasi_outside_path(&w, "fifo"), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    w.kill_after_ms = 50;
    CHECK(wasi_run(&w, false, reader));
    EXPECT(w.step == 1 && w.exit.reason == EXIT_KILLED);
    close(fd);
    wasi_world_close(&w);
}

/* Creates, writes and removes files through jobs that end on other threads. */
static enum task_result worker_of_files(struct guest *g, struct wasi_world *w)
{
    struct outcome o;
    char name[32];

    for (;;) {
        snprintf(name, sizeof(name), "file-%d", w->number % 10);
        switch (w->step) {
        case 0:
            o = host_wasi_path_open(g, 3, 0, PATH, put(g, PATH, name), 1, WASI_RIGHTS_ALL, 0, 0,
                                    OUT);
            AWAIT(o);
            EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 4);
            wasi_put32(mem(g, IOVS), DATA);
            wasi_put32(mem(g, IOVS) + 4, 200000);
            w->step = 1;
            break;
        case 1:
            o = host_wasi_fd_write(g, 4, IOVS, 1, OUT);
            AWAIT(o);
            EXPECT(errno_of(o) == 0 && wasi_get32(mem(g, OUT)) == 200000);
            EXPECT(errno_of(host_wasi_fd_close(g, 4)) == 0);
            w->step = 2;
            break;
        case 2:
            o = host_wasi_path_unlink_file(g, 3, PATH, put(g, PATH, name));
            AWAIT(o);
            EXPECT(errno_of(o) == 0);
            w->step = 0;
            if (++w->number == 300)
                return TASK_DONE;
        }
    }
}

TEST(wasi_jobs_wake_the_process_that_waits_for_them)
{
    struct wasi_world w;

    CHECK(wasi_world_open(&w));
    CHECK(wasi_run(&w, false, worker_of_files));
    EXPECT(w.number == 300);
    wasi_world_close(&w);
}

/* Killed at whatever point of a job, nothing is lost (the sanitizers see to it). */
TEST(wasi_kills_during_jobs_leave_nothing)
{
    for (int i = 0; i < 10; i++) {
        struct wasi_world w;

        CHECK(wasi_world_open(&w));
        w.number = -1000000000;
        w.kill_after_ms = 20 + (unsigned)i;
        CHECK(wasi_run(&w, false, worker_of_files));
        EXPECT(w.exit.reason == EXIT_KILLED);
        wasi_world_close(&w);
    }
}
