/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Faults that tests order, below the functions for files. */
#ifndef PLAT_LINUX_FILE_FAULT_H
#define PLAT_LINUX_FILE_FAULT_H

#include "base/assert.h"
#include "plat/file.h"
#include <errno.h>
#include <stdatomic.h>

extern file_fault_fn *_Atomic file_fault;

/* True: the call fails with errno, and the system is not asked. `size` may be NULL. */
static inline bool file_fails(enum file_call call, size_t *size)
{
    file_fault_fn *fn = atomic_load_explicit(&file_fault, memory_order_relaxed);
    int e;

    if (LIKELY(!fn))
        return false;
    e = fn(call, size);
    if (e)
        errno = e;
    return e != 0;
}

#endif
