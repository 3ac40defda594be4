/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/alarm.h"
#include "plat/clock.h"
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

bool alarm_open(int *fd, struct error *err)
{
    *fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return *fd >= 0 || fail_os(err, errno, "timerfd_create");
}

void alarm_set(int fd, uint64_t deadline_ns)
{
    const uint64_t ns = deadline_ns ? deadline_ns : 1; /* 0 would take the alarm back */
    const struct itimerspec when = {
        .it_value = {(time_t)(ns / NS_PER_SEC), (long)(ns % NS_PER_SEC)}};

    ASSERT(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

void alarm_close(int fd)
{
    close(fd);
}
