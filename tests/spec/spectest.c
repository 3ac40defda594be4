/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The module "spectest" that the suite's scripts import from: what the reference interpreter has in
 * it. Its functions print in earnest there; here they only take their arguments. */
#include "tests/spec/spectest.h"
#include "vm/outcome.h"
#include "vm/store.h"

static struct outcome print(void *guest)
{
    (void)guest;
    return done(0);
}

static struct outcome print_i32(void *guest, uint32_t a)
{
    (void)guest;
    (void)a;
    return done(0);
}

static struct outcome print_i64(void *guest, uint64_t a)
{
    (void)guest;
    (void)a;
    return done(0);
}

static struct outcome print_f32(void *guest, float a)
{
    (void)guest;
    (void)a;
    return done(0);
}

static struct outcome print_f64(void *guest, double a)
{
    (void)guest;
    (void)a;
    return done(0);
}

static struct outcome print_i32_f32(void *guest, uint32_t a, float b)
{
    (void)guest;
    (void)a;
    (void)b;
    return done(0);
}

static struct outcome print_f64_f64(void *guest, double a, double b)
{
    (void)guest;
    (void)a;
    (void)b;
    return done(0);
}

#define FUNCTION(name, count, ...)                                                                 \
    store_define_function(                                                                         \
        s, "spectest", #name,                                                                      \
        &(struct functype){.param_count = (count), .params = (const uint8_t[]){__VA_ARGS__}},      \
        (const void *)name)

void spectest_define(struct store *s)
{
    const uint64_t f32_bits = 0x4426a666, f64_bits = 0x4084d4cccccccccd; /* 666.6 */

    FUNCTION(print, 0, 0);
    FUNCTION(print_i32, 1, VALTYPE_I32);
    FUNCTION(print_i64, 1, VALTYPE_I64);
    FUNCTION(print_f32, 1, VALTYPE_F32);
    FUNCTION(print_f64, 1, VALTYPE_F64);
    FUNCTION(print_i32_f32, 2, VALTYPE_I32, VALTYPE_F32);
    FUNCTION(print_f64_f64, 2, VALTYPE_F64, VALTYPE_F64);
    store_define_global(s, "spectest", "global_i32", VALTYPE_I32, false, 666);
    store_define_global(s, "spectest", "global_i64", VALTYPE_I64, false, 666);
    store_define_global(s, "spectest", "global_f32", VALTYPE_F32, false, f32_bits);
    store_define_global(s, "spectest", "global_f64", VALTYPE_F64, false, f64_bits);
    store_define_table(s, "spectest", "table", VALTYPE_FUNCREF, 10, 20);
    store_define_memory(s, "spectest", "memory", 1, 2);
}
