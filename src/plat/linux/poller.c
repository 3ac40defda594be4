/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/poller.h"
#include "plat/clock.h"
#include "plat/socket.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 128
#define SPECIAL   ((uint32_t)EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)

bool poller_open(struct poller *p, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    int errnum;

    p->wake_fd = -1;
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll_fd < 0)
        return fail_os(err, errno, "epoll_create1");
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->wake_fd >= 0 && epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &event) == 0)
        return true;
    errnum = errno;
    poller_close(p);
    return fail_os(err, errnum, "eventfd");
}

void poller_close(struct poller *p)
{
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    if (p->epoll_fd >= 0)
        close(p->epoll_fd);
    p->wake_fd = p->epoll_fd = -1;
}

bool poller_add(struct poller *p, int fd, void *data, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                                .data.ptr = data};

    ASSERT(data != NULL);
    if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    if (errno == EPERM)
        return fail(err, ERR_UNSUPPORTED, "descriptor %d is always ready", fd);
    return socket_fail(err, errno);
}

bool poller_watch(struct poller *p, int fd, uint32_t wanted, void *data, struct error *err)
{
    struct epoll_event event = {.events = (wanted & POLLER_READ ? (uint32_t)EPOLLIN : 0u) |
                                          (wanted & POLLER_WRITE ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = data};

    ASSERT(data != NULL);
    if (wanted == 0) {
        poller_remove(p, fd);
        return true;
    }
    if (epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
        (errno == ENOENT && epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0))
        return true;
    return socket_fail(err, errno);
}

void poller_remove(struct poller *p, int fd)
{
    epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static int to_ms(uint64_t timeout_ns)
{
    uint64_t ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0);

    if (timeout_ns == UINT64_MAX)
        return -1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int wait_events(struct poller *p, uint64_t timeout_ns, struct epoll_event *events, int max)
{
#ifdef SYS_epoll_pwait2
    static atomic_bool is_missing; /* kernels before 5.11 */
    struct timespec timeout = {(time_t)(timeout_ns / NS_PER_SEC), (long)(timeout_ns % NS_PER_SEC)};
    int count;

    if (timeout_ns != 0 && timeout_ns < UINT64_MAX &&
        !atomic_load_explicit(&is_missing, memory_order_relaxed)) {
        count = (int)syscall(SYS_epoll_pwait2, p->epoll_fd, events, max, &timeout, NULL, 0);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        atomic_store_explicit(&is_missing, true, memory_order_relaxed);
    }
#endif
    return epoll_wait(p->epoll_fd, events, max, to_ms(timeout_ns));
}

size_t poller_wait(struct poller *p, uint64_t timeout_ns, struct poller_event *events, size_t max)
{
    struct epoll_event ready[BATCH_MAX];
    size_t used = 0;
    int count = wait_events(p, timeout_ns, ready, max < BATCH_MAX ? (int)max : BATCH_MAX);

    for (int i = 0; i < count; i++) {
        uint32_t bits = ready[i].events;

        if (!ready[i].data.ptr)
            continue; /* a wake: edge-triggered, so the counter need not be read */
        events[used].data = ready[i].data.ptr;
        events[used].ready = (bits & (EPOLLIN | SPECIAL) ? POLLER_READ : 0u) |
                             (bits & SPECIAL ? POLLER_SPECIAL : 0u) |
                             (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? POLLER_WRITE : 0u);
        used++;
    }
    return used;
}

bool poller_is_ready(const struct poller *p)
{
    struct pollfd fd = {.fd = p->epoll_fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

void poller_wake(struct poller *p)
{
    uint64_t one = 1;
    int saved = errno;

    /* The counter is full after 2^64 - 2 wakes: an error would not matter, it is readable then. */
    if (write(p->wake_fd, &one, sizeof(one)) < 0)
        errno = saved;
}
