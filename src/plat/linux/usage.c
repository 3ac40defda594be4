/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/usage.h"
#include "plat/clock.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Reads a small file of /proc. */
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
    text[n] = '\0';
    return true;
}

/* Ticks since the machine was started, as ns since 1970. */
static uint64_t time_of(uint64_t ticks)
{
    uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK), age;
    struct timespec boot;

    clock_gettime(CLOCK_BOOTTIME, &boot);
    age = (uint64_t)boot.tv_sec * NS_PER_SEC + (uint64_t)boot.tv_nsec;
    return clock_realtime_ns() - age + ticks * (NS_PER_SEC / per_second);
}

static bool read_stat(struct usage *out)
{
    unsigned long long threads, ticks, address_space, pages;
    const char *at;
    char text[1024];

    if (!read_text("/proc/self/stat", text, sizeof(text)))
        return false;
    at = strrchr(text, ')'); /* the name, in which anything may be, ends there */
    if (!at || sscanf(at + 1,
                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %llu "
                      "%*d %llu %llu %llu",
                      &threads, &ticks, &address_space, &pages) != 4)
        return false;
    out->threads = threads;
    out->start_ns = time_of(ticks);
    out->address_space = address_space;
    out->resident = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static bool count_descriptors(struct usage *out)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    if (!dir)
        return false;
    out->descriptors = 0;
    while ((entry = readdir(dir)))
        out->descriptors += entry->d_name[0] != '.';
    closedir(dir);
    out->descriptors--; /* the one that it was read from */
    return true;
}

bool usage_read(struct usage *out)
{
    struct rlimit limit;

    memset(out, 0, sizeof(*out));
    out->cpu_ns = clock_process_cpu_ns();
    out->descriptors_max = UINT64_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        out->descriptors_max = limit.rlim_cur;
    return read_stat(out) && count_descriptors(out);
}
