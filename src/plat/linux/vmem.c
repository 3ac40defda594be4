/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/vmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* linux/fs.h of 6.7; the headers of Debian 12 do not have it yet. */
struct page_region_ {
    uint64_t start, end, categories;
};
struct pm_scan_arg_ {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_    _IOWR('f', 16, struct pm_scan_arg_)
#define PAGE_IS_PRESENT_ (1u << 3)
#define PAGE_IS_SWAPPED_ (1u << 4)

static bool fallbacks;              /* vmem_set_fallbacks */
static _Atomic int pagemap_fd = -2; /* -2: not opened yet, -1: not available */
static _Atomic int self_fd = -2;    /* pidfd of ourselves */
static atomic_bool populate_works = true;

static _Atomic uint64_t call_count;

uint64_t vmem_call_count(void)
{
    return atomic_load_explicit(&call_count, memory_order_relaxed);
}

void vmem_count_call(void)
{
    atomic_fetch_add_explicit(&call_count, 1, memory_order_relaxed);
}

void vmem_set_fallbacks(bool on)
{
    fallbacks = on;
}

/* The beginning of a small file as text. False: it cannot be read, or is empty. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    return true;
}

static bool read_number(const char *path, uint64_t *out)
{
    char text[64], *end;

    if (!read_text(path, text, sizeof(text)))
        return false;
    *out = strtoull(text, &end, 10);
    return end != text; /* "max" is no number: no limit */
}

static uint64_t meminfo(const char *key)
{
    char text[4096];
    const char *at;

    if (!read_text("/proc/meminfo", text, sizeof(text)))
        return 0;
    at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

/* The smallest limit on the way from our cgroup (version 2, or 1 mounted in the usual place) to the
 * root, and how much of that group is used. */
static bool cgroup_memory(uint64_t *limit, uint64_t *used)
{
    char text[1024], path[1200], *line, *save = NULL;
    bool found = false;

    if (!read_text("/proc/self/cgroup", text, sizeof(text)))
        return false;
    *limit = UINT64_MAX;
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        bool unified = strncmp(line, "0::", 3) == 0;
        char *group = unified ? line + 3 : strstr(line, ":memory:");
        uint64_t value, usage;

        if (!group)
            continue;
        if (!unified)
            group += 8;
        for (;;) {
            const char *root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";

            snprintf(path, sizeof(path), "%s%s/%s", root, strcmp(group, "/") == 0 ? "" : group,
                     unified ? "memory.max" : "memory.limit_in_bytes");
            if (read_number(path, &value) && value < *limit) {
                snprintf(path, sizeof(path), "%s%s/%s", root, strcmp(group, "/") == 0 ? "" : group,
                         unified ? "memory.current" : "memory.usage_in_bytes");
                if (read_number(path, &usage)) {
                    *limit = value;
                    *used = usage;
                    found = true;
                }
            }
            if (!strrchr(group, '/') || strcmp(group, "/") == 0)
                break;
            if (strrchr(group, '/') == group)
                group[1] = 0;
            else
                *strrchr(group, '/') = 0;
        }
    }
    return found;
}

void vmem_limits_get(struct vmem_limits *out)
{
    struct rlimit limit;
    uint64_t value, used;

    out->is_strict = read_number("/proc/sys/vm/overcommit_memory", &value) && value == 2;
    out->address_space = UINT64_MAX;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        out->address_space = limit.rlim_cur;
    out->memory = meminfo("MemTotal:");
    if (out->memory == 0)
        out->memory = UINT64_MAX;
    if (cgroup_memory(&value, &used) && value < out->memory)
        out->memory = value;
}

uint64_t vmem_available(void)
{
    uint64_t available = meminfo("MemAvailable:");
    uint64_t limit, used;

    if (available == 0)
        available = UINT64_MAX;
    if (cgroup_memory(&limit, &used)) {
        uint64_t left = used < limit ? limit - used : 0;

        if (left < available)
            available = left;
    }
    return available;
}

/* Maps with the given protection at a multiple of `align`. */
static void *map_aligned(size_t size, size_t align, int prot, int flags)
{
    size_t padded = align > VMEM_PAGE ? size + align : size;
    uint8_t *at;

    if (padded < size)
        return NULL;
    at = mmap(NULL, padded, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (padded > size) {
        size_t head = (align - ((uintptr_t)at & (align - 1))) & (align - 1);

        if (head)
            munmap(at, head);
        if (padded - size - head)
            munmap(at + head + size, padded - size - head);
        at += head;
    }
    madvise(at, size, MADV_NOHUGEPAGE);
    madvise(at, size, MADV_DONTDUMP);
    madvise(at, size, MADV_DONTFORK);
    return at;
}

void *vmem_reserve(size_t size, size_t align)
{
    return map_aligned(size, align, PROT_NONE, MAP_NORESERVE);
}

void *vmem_map(size_t size, size_t align)
{
    return map_aligned(size, align, PROT_READ | PROT_WRITE, MAP_NORESERVE);
}

bool vmem_open(void *at, size_t size)
{
    return mprotect(at, size, PROT_READ | PROT_WRITE) == 0;
}

/* A fresh mapping in place of the old one, with the advice an arena has. */
static void remap_closed(void *at, size_t size)
{
    if (mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
        return;
    madvise(at, size, MADV_NOHUGEPAGE);
    madvise(at, size, MADV_DONTDUMP);
    madvise(at, size, MADV_DONTFORK);
}

void vmem_close(void *at, size_t size)
{
    remap_closed(at, size);
}

void vmem_unmap(void *at, size_t size)
{
    if (at)
        munmap(at, size);
}

void vmem_populate(void *at, size_t size)
{
    if (fallbacks || !atomic_load_explicit(&populate_works, memory_order_relaxed))
        return;
    if (madvise(at, size, MADV_POPULATE_WRITE) != 0 && errno == EINVAL)
        atomic_store_explicit(&populate_works, false, memory_order_relaxed);
}

/* Opens `*slot` once; a racing second opener closes its own. */
static int open_once(_Atomic int *slot, int fd)
{
    int expected = -2;

    if (atomic_compare_exchange_strong(slot, &expected, fd < 0 ? -1 : fd))
        return fd < 0 ? -1 : fd;
    if (fd >= 0)
        close(fd);
    return expected;
}

static int self_pidfd(void)
{
    int fd = atomic_load(&self_fd);

    if (fd == -2)
        fd = open_once(&self_fd, (int)syscall(SYS_pidfd_open, getpid(), 0));
    return fd;
}

static int pagemap(void)
{
    int fd = atomic_load_explicit(&pagemap_fd, memory_order_relaxed);

    if (fd == -2)
        fd = open_once(&pagemap_fd, open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    return fd;
}

void vmem_start(void)
{
    if (fallbacks)
        return;
    (void)self_pidfd();
    (void)pagemap();
}

bool vmem_discard(const struct vmem_range *ranges, size_t count)
{
    bool ok = true;
    size_t at = 0;

    while (count - at > 1 && !fallbacks) {
        struct iovec iov[64];
        size_t n = count - at < 64 ? count - at : 64, total = 0;
        int fd = self_pidfd();
        long done;

        if (fd < 0)
            break;
        for (size_t i = 0; i < n; i++) {
            iov[i].iov_base = ranges[at + i].at;
            iov[i].iov_len = ranges[at + i].size;
            total += ranges[at + i].size;
        }
        vmem_count_call();
        done = syscall(SYS_process_madvise, fd, iov, n, MADV_DONTNEED, 0);
        if (done < 0) {
            if (errno == EINVAL || errno == ENOSYS || errno == EPERM) {
                close(fd);
                atomic_store(&self_fd, -1); /* an older kernel: one call per range from now on */
            }
            break;
        }
        if ((size_t)done != total)
            break; /* partly done: what is discarded twice stays discarded */
        at += n;
    }
    for (; at < count; at++) {
        vmem_count_call();
        if (madvise(ranges[at].at, ranges[at].size, MADV_DONTNEED) != 0)
            ok = false;
    }
    return ok;
}

static bool present_by_mincore(const void *at, size_t pages, uint64_t *present)
{
    unsigned char state[512];

    for (size_t p = 0; p < pages; p += sizeof(state)) {
        size_t n = pages - p < sizeof(state) ? pages - p : sizeof(state);

        vmem_count_call();
        if (mincore((void *)((uintptr_t)at + p * VMEM_PAGE), n * VMEM_PAGE, state) != 0)
            return false;
        for (size_t i = 0; i < n; i++)
            if (state[i] & 1)
                present[(p + i) / 64] |= 1ull << ((p + i) % 64);
    }
    return true;
}

bool vmem_present(const void *at, size_t pages, uint64_t *present)
{
    struct page_region_ regions[32];
    struct pm_scan_arg_ arg = {0};
    int fd = fallbacks ? -1 : pagemap();

    memset(present, 0, (pages + 63) / 64 * sizeof(*present));
    if (fd < 0)
        return present_by_mincore(at, pages, present);
    arg.size = sizeof(arg);
    arg.start = (uintptr_t)at;
    arg.end = (uintptr_t)at + pages * VMEM_PAGE;
    arg.vec = (uintptr_t)regions;
    arg.vec_len = ARRAY_COUNT(regions);
    arg.category_anyof_mask = PAGE_IS_PRESENT_ | PAGE_IS_SWAPPED_;
    arg.return_mask = PAGE_IS_PRESENT_;
    while (arg.start < arg.end) {
        long n;

        vmem_count_call();
        n = ioctl(fd, PAGEMAP_SCAN_, &arg);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            /* Older kernels: never ask again. The descriptor is left to other threads that may use
             * it. */
            atomic_store(&pagemap_fd, -1);
            memset(present, 0, (pages + 63) / 64 * sizeof(*present));
            return present_by_mincore(at, pages, present);
        }
        for (long i = 0; i < n; i++) {
            size_t first = (regions[i].start - (uintptr_t)at) / VMEM_PAGE;
            size_t end = (regions[i].end - (uintptr_t)at) / VMEM_PAGE;

            for (size_t p = first; p < end; p++)
                present[p / 64] |= 1ull << (p % 64);
        }
        if (arg.walk_end <= arg.start)
            break;
        arg.start = arg.walk_end;
    }
    return true;
}

uint64_t vmem_fault_count(void)
{
    struct rusage usage;

    vmem_count_call();
    if (getrusage(RUSAGE_THREAD, &usage) != 0)
        return vmem_call_count(); /* never seen; always a change */
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

bool vmem_code_publish(void *at, const void *bytes, size_t size)
{
    size_t mapped = (size + VMEM_PAGE - 1) & ~(size_t)(VMEM_PAGE - 1);
    uint8_t *fresh = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    /* Written elsewhere, made executable, then moved into place: `at` is never writable. */
    if (fresh == MAP_FAILED)
        return false;
    memcpy(fresh, bytes, size);
    memset(fresh + size, 0xcc, mapped - size);
    if (mprotect(fresh, mapped, PROT_READ | PROT_EXEC) != 0 ||
        mremap(fresh, mapped, mapped, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED) {
        munmap(fresh, mapped);
        return false;
    }
    return true;
}

void vmem_code_discard(void *at, size_t size)
{
    remap_closed(at, (size + VMEM_PAGE - 1) & ~(size_t)(VMEM_PAGE - 1));
}
