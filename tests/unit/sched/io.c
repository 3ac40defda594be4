/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/thread.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
    struct task task; /* first */
    struct scheduler *scheduler;
    struct io *io;
    bool is_writer;
    size_t total, goal;
    atomic_uint *left;
};

static atomic_uint released;

static void io_release(struct io *io)
{
    atomic_fetch_add(&released, 1);
    mem_free(io);
}

static enum task_result end_run(struct task *t, struct worker *w)
{
    struct end *e = (struct end *)t;
    char buffer[3000] = {0};

    while (e->total < e->goal) {
        ssize_t done = e->is_writer ? write(e->io->fd, buffer, sizeof(buffer))
                                    : read(e->io->fd, buffer, sizeof(buffer));

        if (done > 0) {
            e->total += (size_t)done;
            continue;
        }
        if (!EXPECT(done < 0 && errno == EAGAIN))
            break;
        switch (io_wait(e->io, e->is_writer ? IO_WRITE : IO_READ, t)) {
        case IO_READY:
            continue;
        case IO_WAITING:
            return TASK_PARK;
        case IO_BUSY:
            (void)EXPECT(false && "busy");
            return TASK_DONE;
        }
    }
    if (!e->is_writer)
        io_close(e->io, e->scheduler, w);
    return TASK_DONE;
}

static void end_done(struct task *t, struct worker *w)
{
    struct end *e = (struct end *)t;

    (void)w;
    if (atomic_fetch_sub(e->left, 1) == 1)
        scheduler_stop(e->scheduler);
}

static const struct task_class end_class = {end_run, end_done, NULL};

static void transfer(struct scheduler *s)
{
    enum { PAIRS = 20, SIZE = 3000 * 400 };
    struct end ends[PAIRS][2];
    struct io *writers[PAIRS];
    atomic_uint left = PAIRS * 2;

    memset(ends, 0, sizeof(ends));
    atomic_store(&released, 0);
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];

        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        for (int k = 0; k < 2; k++) {
            struct end *e = &ends[i][k];

            e->scheduler = s;
            e->io = mem_new(struct io);
            e->is_writer = k == 1;
            e->goal = SIZE;
            e->left = &left;
            CHECK(io_open(e->io, s, NULL, fds[k], io_release, NULL));
            task_init(&e->task, &end_class);
        }
        writers[i] = ends[i][1].io;
    }
    for (int i = 0; i < PAIRS; i++)
        for (int k = 0; k < 2; k++)
            task_start(s, NULL, &ends[i][k].task);
    CHECK(scheduler_run(s, NULL));
    for (int i = 0; i < PAIRS; i++) {
        CHECK(ends[i][0].total == SIZE && ends[i][1].total == SIZE);
        io_close(writers[i], s, NULL);
    }
    scheduler_free(s);
    CHECK(atomic_load(&released) == PAIRS * 2);
}

TEST(bytes_flow_through_sockets_on_one_worker)
{
    transfer(make_workers(1));
}

TEST(bytes_flow_through_sockets_on_several_workers)
{
    transfer(make_workers(3));
}

TEST(waiting_is_by_one_task_per_direction)
{
    struct scheduler *s = make_workers(1);
    struct io *io = mem_new(struct io);
    struct task a, b;
    int fds[2];

    task_init(&a, &end_class);
    task_init(&b, &end_class);
    CHECK(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK(io_open(io, s, NULL, fds[0], io_release, NULL));
    CHECK(io_wait(io, IO_READ, &a) == IO_READY); /* nobody has looked yet */
    CHECK(io_wait(io, IO_READ, &a) == IO_WAITING);
    CHECK(io_wait(io, IO_READ, &a) == IO_WAITING);
    CHECK(io_wait(io, IO_READ, &b) == IO_BUSY);
    io_cancel(io, IO_READ, &b); /* harmless */
    CHECK(io_wait(io, IO_READ, &b) == IO_BUSY);
    io_cancel(io, IO_READ, &a);
    CHECK(io_wait(io, IO_READ, &b) == IO_WAITING);
    io_close(io, s, NULL);
    close(fds[1]);
    scheduler_free(s);
}

TEST(regular_files_are_always_ready)
{
    struct scheduler *s = make_workers(1);
    struct io *io = mem_new(struct io);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct task a;

    task_init(&a, &end_class);
    CHECK(fd >= 0);
    CHECK(io_open(io, s, NULL, fd, io_release, NULL));
    CHECK(io->is_always_ready);
    CHECK(io_wait(io, IO_READ, &a) == IO_READY);
    io_close(io, s, NULL);
    scheduler_free(s);
}

/* ---- closing from elsewhere ---- */

enum { CLOSED = 300, CLOSED_SOON = 256 }; /* so many are released although the worker sleeps */

struct closer {
    struct scheduler *scheduler;
    struct io *all[CLOSED];
};

static void close_all(void *arg)
{
    struct closer *c = arg;
    struct scheduler_stats stats;

    do { /* until the worker sleeps for the first time */
        thread_yield();
        scheduler_stats(c->scheduler, &stats);
    } while (stats.sleeps == 0);
    for (int i = 0; i < CLOSED; i++)
        io_close(c->all[i], c->scheduler, NULL);
    while (atomic_load(&released) < CLOSED_SOON)
        thread_yield();
    scheduler_stop(c->scheduler);
}

TEST(a_sleeping_worker_releases_what_others_have_closed)
{
    struct closer c = {.scheduler = make_workers(1)};
    struct thread thread;

    atomic_store(&released, 0);
    for (int i = 0; i < CLOSED; i++) {
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

        CHECK(fd >= 0);
        c.all[i] = mem_new(struct io);
        CHECK(io_open(c.all[i], c.scheduler, NULL, fd, io_release, NULL));
    }
    CHECK(thread_create(&thread, "closer", close_all, &c, NULL));
    CHECK(scheduler_run(c.scheduler, NULL));
    thread_join(&thread);
    scheduler_free(c.scheduler);
    CHECK(atomic_load(&released) == CLOSED);
}
