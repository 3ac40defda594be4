/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The baseline compiler: a validated module to x86-64 machine code in one pass over each body. */
#ifndef BASELINE_BASELINE_H
#define BASELINE_BASELINE_H

#include "base/error.h"
#include <stdbool.h>

struct module;
struct code;

struct baseline_options {
    bool metered; /* count fuel at function entries and loop headers; stop when it is out */
    bool exact;   /* no widened bounds checks: a trap leaves exactly the stores before it */
    unsigned thread_count; /* functions compile on so many threads; 0 and 1: the caller's only */
};

/* Compiles all functions of `m` (validated) and the stubs of all its types. On success `*out` is
 * the caller's, not yet published (vm/code.h). Fails with ERR_UNSUPPORTED for v128, naming function
 * and instruction; with ERR_LIMIT for a function whose frame or code exceeds a limit; with
 * ERR_NO_MEMORY. Deterministic: equal input gives equal bytes, whatever the number of threads. Any
 * thread. */
bool baseline_compile(const struct module *m, const struct baseline_options *options,
                      struct code **out, struct error *err) MUST_USE;

#endif
