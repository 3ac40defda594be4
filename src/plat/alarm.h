/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A descriptor that becomes readable at a time that is set: what wakes a thread that waits in a
 * poller, without a wake now. */
#ifndef PLAT_ALARM_H
#define PLAT_ALARM_H

#include "base/error.h"
#include <stdint.h>

/* Opens one that is not set. Fails with ERR_OS. Any thread. */
bool alarm_open(int *fd, struct error *err) MUST_USE;

/* Makes it readable at `deadline_ns` of the monotonic clock (at once if that is past), instead of
 * what was set before; a poller reports it each time. Nobody needs to read it. About 300 ns. Any
 * thread. */
void alarm_set(int fd, uint64_t deadline_ns);

void alarm_close(int fd);

#endif
