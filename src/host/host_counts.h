/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the host counts, for metrics. */
#ifndef HOST_HOST_COUNTS_H
#define HOST_HOST_COUNTS_H

#include "abi/modules.h"
#include <stdint.h>

/* The import modules, numbered. */
enum abi_module {
#define MODULE(token, name, words) ABI_NUMBER_##token,
    ABI_MODULES(MODULE)
#undef MODULE
        ABI_MODULE_COUNT
};

#define COMPILE_CLASSES 10u /* of compilations by time: see host_compile_bound */

enum host_count {
    COUNT_MODULES_COMPILED, /* attempts, */
    COUNT_MODULES_DROPPED,  /* modules that nobody has any more, and attempts that failed */
    COUNT_COMPILE_NS,       /* how long the attempts took, one after another */
    COUNT_CONFIGS_CREATED,
    COUNT_CONFIGS_DROPPED,
    COUNT_ERRORS, /* calls that gave an error id, one for each import module */
    COUNT_TRAPS =
        COUNT_ERRORS + (int)ABI_MODULE_COUNT, /* of host functions: the same, and others */
    COUNT_COMPILES = COUNT_TRAPS + (int)ABI_MODULE_COUNT + 1, /* attempts by class of time */
    HOST_COUNTS = COUNT_COMPILES + COMPILE_CLASSES
};

/* The errors of one import module. */
#define COUNT_ERRORS_OF(module) ((uint32_t)COUNT_ERRORS + ABI_NUMBER_##module)

#endif
