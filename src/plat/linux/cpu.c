/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/cpu.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* Reads a small file as text. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return false;
    got = read(fd, text, size - 1);
    close(fd);
    if (got < 0)
        return false;
    text[got] = 0;
    return true;
}

static uint32_t cores_of(long long quota, long long period)
{
    long long cores;

    if (quota <= 0 || period <= 0)
        return 0;
    cores = quota / period + (quota % period != 0);
    return cores > UINT16_MAX ? 0 : (uint32_t)cores;
}

uint32_t cpu_quota_parse(const char *text)
{
    long long quota, period;

    return sscanf(text, "%lld %lld", &quota, &period) == 2 ? cores_of(quota, period) : 0;
}

static uint32_t tighter(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static uint32_t quota_v1(const char *directory)
{
    char path[PATH_SIZE + 32], quota[64], period[64];

    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", directory);
    if (!read_text(path, quota, sizeof(quota)))
        return 0;
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", directory);
    if (!read_text(path, period, sizeof(period)))
        return 0;
    return cores_of(atoll(quota), atoll(period));
}

static uint32_t quota_v2(const char *directory)
{
    char path[PATH_SIZE + 32], text[128];

    snprintf(path, sizeof(path), "%s/cpu.max", directory);
    return read_text(path, text, sizeof(text)) ? cpu_quota_parse(text) : 0;
}

/* The tightest quota from `group` up to the root of the hierarchy mounted at `mount`. */
static uint32_t quota_upwards(const char *mount, const char *group, uint32_t (*read)(const char *))
{
    char path[PATH_SIZE];
    size_t mount_size = strlen(mount);
    uint32_t quota = 0;

    if (snprintf(path, sizeof(path), "%s%s", mount, group) >= (int)sizeof(path))
        return 0;
    for (;;) {
        char *slash;

        quota = tighter(quota, read(path));
        slash = strrchr(path, '/');
        if (strlen(path) <= mount_size || !slash)
            return quota;
        *slash = 0;
    }
}

static uint32_t cgroup_quota(void)
{
    char text[8192], *line, *next;
    uint32_t quota = 0;

    if (!read_text("/proc/self/cgroup", text, sizeof(text)))
        return 0;
    for (line = text; line && *line; line = next) { /* "hierarchy:controllers:/group" */
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;

        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (!group)
            continue;
        *group++ = 0;
        controllers++;
        if (*controllers == 0) {
            quota = tighter(quota, quota_upwards("/sys/fs/cgroup", group, quota_v2));
        } else if (strcmp(controllers, "cpu") == 0 || strcmp(controllers, "cpu,cpuacct") == 0 ||
                   strcmp(controllers, "cpuacct,cpu") == 0) {
            quota = tighter(quota, quota_upwards("/sys/fs/cgroup/cpu", group, quota_v1));
            quota = tighter(quota, quota_upwards("/sys/fs/cgroup/cpu,cpuacct", group, quota_v1));
        }
    }
    return quota;
}

static uint32_t affinity_count(void)
{
    for (int cpus = 1024; cpus <= 65536;
         cpus *= 4) { /* the kernel refuses sets smaller than its own */
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int count = 0;

        if (!set)
            break;
        if (sched_getaffinity(0, size, set) == 0)
            count = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (count > 0)
            return (uint32_t)count;
    }
    return 1;
}

uint32_t cpu_count(void)
{
    return tighter(affinity_count(), cgroup_quota());
}
