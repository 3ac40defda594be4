/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/thread.h"
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNKNOWN, REGISTERED, ABSENT };

static bool barrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

bool thread_barrier_all(void)
{
    static atomic_int state = UNKNOWN;
    int known = atomic_load_explicit(&state, memory_order_relaxed);

    if (UNLIKELY(known == UNKNOWN)) {
        /* Two may find out at the same time: the same. */
        known = barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) ? REGISTERED : ABSENT;
        atomic_store_explicit(&state, known, memory_order_relaxed);
    }
    return known == REGISTERED && barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
