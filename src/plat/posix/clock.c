/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/clock.h"
#include <time.h>

static uint64_t to_ns(struct timespec ts)
{
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts = {0};

    clock_gettime(id, &ts);
    return to_ns(ts);
}

static uint64_t read_resolution(clockid_t id)
{
    struct timespec ts = {0};

    clock_getres(id, &ts);
    return to_ns(ts);
}

uint64_t clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t clock_process_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clock_monotonic_resolution_ns(void)
{
    return read_resolution(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_resolution_ns(void)
{
    return read_resolution(CLOCK_REALTIME);
}

uint64_t clock_tick_ns(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    return read_resolution(CLOCK_MONOTONIC_COARSE);
#else
    return 10 * NS_PER_MS;
#endif
}
