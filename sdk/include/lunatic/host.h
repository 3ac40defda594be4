/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Every function that a guest may import, as C declares it: lunatic_MODULE_FUNCTION, numbers
 * unsigned. They derive from the tables that the runtime links guests with; docs/host-api.md
 * explains each. <lunatic.h> is the comfortable way to most of them.
 *
 * Addresses are passed as numbers: LUN_ADDRESS(pointer). */
#ifndef LUNATIC_HOST_H
#define LUNATIC_HOST_H

#include "abi/modules.h"
#include "abi/values.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LUN_ADDRESS(pointer) ((uint32_t)(uintptr_t)(pointer))

#define LUN_TYPE_i32  uint32_t
#define LUN_TYPE_i64  uint64_t
#define LUN_TYPE_f32  float
#define LUN_TYPE_f64  double
#define LUN_TYPE_none void

/* LUN_SIGNATURE_(x , a , b) is (a, b); LUN_SIGNATURE_(x) is (void). */
#define LUN_SIGNATURE_(...)       LUN_SIGNATURE_2_(__VA_ARGS__)
#define LUN_SIGNATURE_2_(x, ...)  LUN_SIGNATURE_3_##__VA_OPT__(some)(__VA_ARGS__)
#define LUN_SIGNATURE_3_some(...) (__VA_ARGS__)
#define LUN_SIGNATURE_3_(...)     (void)

#define PARAM(type, name) , LUN_TYPE_##type
#define HOST_FN(module, fn, result, params, waits, right, doc)                                     \
    __attribute__((import_module(ABI_MODULE_##module),                                             \
                   import_name(#fn))) LUN_TYPE_##result lunatic_##module##_##fn                    \
    LUN_SIGNATURE_(x params);
#include "abi/abi.def"

#ifdef __cplusplus
}
#endif
#endif
