/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The functions whose rows in abi/ say LATER: guests that import them link, and a call traps. */
#include "host/internal.h"

#include "abi/modules.h"

#define PARAM(type, name) , __attribute__((unused)) host_##type name

#define AT_ONCE(module, fn, ...)
#define MAY_WAIT(module, fn, ...)
#define LATER(module, fn, ...)                                                                     \
    struct outcome host_##module##_##fn(struct guest *g __VA_ARGS__)                               \
    {                                                                                              \
        g->trap_function = NULL;                                                                   \
        g->instance->fiber->trap_text = "not available yet: " ABI_MODULE_##module "::" #fn;        \
        return trap(TRAP_HOST);                                                                    \
    }

#define HOST_FN(module, fn, result, params, waits, right, doc) waits(module, fn, params)
#include "abi/abi.def"
