/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How many cores this program may use. */
#ifndef PLAT_CPU_H
#define PLAT_CPU_H

#include "base/bytes.h"
#include <stdbool.h>
#include <stdint.h>

/* Cores in the affinity mask, at most as many (rounded up) as the CPU quota of our cgroup (v2 or
 * v1, the tightest of its ancestors) allows. At least 1. */
uint32_t cpu_count(void);

/* What "cpu.max" of cgroup v2 says ("200000 100000", "max 100000"): cores rounded up; 0: no limit,
 * or not understood. */
uint32_t cpu_quota_parse(const char *text);

#endif
