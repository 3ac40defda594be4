/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Lazy arenas by userfaultfd. The kernel turns a touch of an absent page into SIGBUS on the very
 * thread, whose handler copies the page into place: no thread waits for another. Only faults of
 * user mode are caught, which needs no privilege since Linux 5.11; older kernels, and containers
 * whose seccomp rules withhold the call, have no lazy arenas. */
#define _GNU_SOURCE
#include "plat/thread.h"
#include "plat/vmem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct mutex lazy_lock = MUTEX_INITIALIZER; /* of start and register */
static _Atomic int lazy_fd = -1;
static vmem_missing_fn *lazy_missing; /* written once, before lazy_fd */
static struct sigaction lazy_before;  /* likewise: who had the signal */

/* All arenas lie between these; other things may as well. */
static _Atomic uintptr_t lazy_begin = UINTPTR_MAX, lazy_end;

static bool may_be_lazy(uintptr_t at)
{
    return at >= atomic_load_explicit(&lazy_begin, memory_order_relaxed) &&
           at < atomic_load_explicit(&lazy_end, memory_order_relaxed);
}

static void default_action(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

/* Not ours: as if we had never taken the signal. */
static void pass_on(int number, siginfo_t *info, void *ucontext)
{
    bool is_sent = info->si_code <= 0; /* by a program, not by an access */

    if (lazy_before.sa_handler == SIG_IGN && is_sent)
        return;
    if (lazy_before.sa_handler == SIG_DFL || lazy_before.sa_handler == SIG_IGN) {
        default_action(); /* the access happens again, and that is the end */
        if (is_sent)
            raise(number);
    } else if (lazy_before.sa_flags & SA_SIGINFO) {
        lazy_before.sa_sigaction(number, info, ucontext);
    } else {
        lazy_before.sa_handler(number);
    }
}

static void on_bus(int number, siginfo_t *info, void *ucontext)
{
    static const char no_memory[] =
        "lunatic: out of memory: the system has no page left for a process that needs one\n";
    uintptr_t at = (uintptr_t)info->si_addr;
    int saved = errno;

    if (info->si_code != BUS_ADRERR || !may_be_lazy(at)) {
        pass_on(number, info, ucontext);
    } else if (!lazy_missing((uint8_t *)info->si_addr - at % VMEM_PAGE)) {
        ssize_t written = write(STDERR_FILENO, no_memory, sizeof(no_memory) - 1);

        (void)written; /* we did what we could */
        default_action();
    }
    errno = saved;
}

bool vmem_lazy_start(vmem_missing_fn *missing)
{
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
    struct sigaction action = {.sa_sigaction = on_bus,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    int fd;
    bool ok = false;

    mutex_lock(&lazy_lock);
    if (atomic_load(&lazy_fd) >= 0) {
        ok = lazy_missing == missing;
        goto out;
    }
    fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0)
        goto out;
    lazy_missing = missing;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGURG); /* a tick would find no generated code below it */
    if (ioctl(fd, UFFDIO_API, &api) != 0 || sigaction(SIGBUS, &action, &lazy_before) != 0) {
        close(fd);
        goto out;
    }
    atomic_store(&lazy_fd, fd);
    ok = true;
out:
    mutex_unlock(&lazy_lock);
    return ok;
}

bool vmem_lazy_register(void *at, size_t size)
{
    struct uffdio_register r = {.range = {(uintptr_t)at, size},
                                .mode = UFFDIO_REGISTER_MODE_MISSING};
    int fd = atomic_load(&lazy_fd);
    uintptr_t begin = (uintptr_t)at;

    if (fd < 0 || ioctl(fd, UFFDIO_REGISTER, &r) != 0)
        return false;
    if (!(r.ioctls & (1ull << _UFFDIO_COPY))) {
        ioctl(fd, UFFDIO_UNREGISTER, &r.range);
        return false;
    }
    mutex_lock(&lazy_lock);
    if (begin < atomic_load(&lazy_begin))
        atomic_store(&lazy_begin, begin);
    if (begin + size > atomic_load(&lazy_end))
        atomic_store(&lazy_end, begin + size);
    mutex_unlock(&lazy_lock);
    return true;
}

static bool fill(void *at, const void *contents, size_t size)
{
    struct uffdio_copy c = {.dst = (uintptr_t)at, .src = (uintptr_t)contents, .len = size};
    int fd = atomic_load_explicit(&lazy_fd, memory_order_relaxed);

    vmem_count_call();
    while (ioctl(fd, UFFDIO_COPY, &c) != 0) {
        if (errno == EEXIST || (errno == EAGAIN && c.copy > 0)) /* done, or the first of them */
            return true;
        if (errno != EAGAIN && errno != EINTR)
            return false;
        c.copy = 0;
    }
    return true;
}

static _Alignas(VMEM_PAGE) uint8_t zeroes[VMEM_LAZY_ROW * VMEM_PAGE];

bool vmem_lazy_fill(void *page, const void *contents)
{
    return fill(page, contents ? contents : zeroes, VMEM_PAGE);
}

bool vmem_lazy_fill_row(void *first, size_t pages)
{
    return fill(first, zeroes, (pages < VMEM_LAZY_ROW ? pages : VMEM_LAZY_ROW) * VMEM_PAGE);
}

bool vmem_may_be_lazy(const void *at)
{
    return may_be_lazy((uintptr_t)at);
}

void vmem_prepare(const void *at, size_t size)
{
    const volatile uint8_t *bytes = at;

    if (!size || !may_be_lazy((uintptr_t)at))
        return;
    for (size_t n = 0; n < size; n += VMEM_PAGE)
        (void)bytes[n];
    (void)bytes[size - 1];
}
