/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What this program uses of the machine, as the kernel counts it. */
#ifndef PLAT_USAGE_H
#define PLAT_USAGE_H

#include "base/assert.h"
#include <stdbool.h>
#include <stdint.h>

struct usage {
    uint64_t cpu_ns;          /* of all threads */
    uint64_t resident;        /* bytes of real memory */
    uint64_t address_space;   /* bytes */
    uint64_t descriptors;     /* that are open */
    uint64_t descriptors_max; /* UINT64_MAX: no limit */
    uint64_t threads;
    uint64_t start_ns; /* when it was started, since 1970 */
};

/* Asks the kernel; counting many descriptors takes a while. False: it does not tell (no /proc), and
 * only cpu_ns and descriptors_max are filled in. Any thread. */
bool usage_read(struct usage *out) MUST_USE;

#endif
