/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The host functions, as the rows of abi/ have them: a definition that disagrees with its row does
 * not compile. */
#ifndef HOST_PROTOTYPES_H
#define HOST_PROTOTYPES_H

#include "host/guest.h"

typedef uint32_t host_i32;
typedef uint64_t host_i64;
typedef float host_f32;
typedef double host_f64;

#define PARAM(type, name) , host_##type name
#define HOST_FN(module, fn, result, params, waits, right, doc)                                     \
    struct outcome host_##module##_##fn(struct guest *g params);
#include "abi/abi.def"

#endif
