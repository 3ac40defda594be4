/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Shapes that cost more than they weigh if the validator is careless: each is large enough to run
 * into the tests' time limit where work grows with the square of the size. */
#include "tests/harness/harness.h"
#include "tests/unit/wasm/build.h"
#include "wasm/validate.h"
#include <stdio.h>
#include <time.h>

#define SECONDS_MAX 20 /* generous: each takes a fraction of one, sanitizers included a few */

static bool quick(clock_t begin)
{
    return clock() - begin < (clock_t)SECONDS_MAX * CLOCKS_PER_SEC;
}

/* A module whose type 0 is () -> (), type 1 takes and gives `wide` times i32, type 2 gives them,
 * with one function of type 0. */
static struct bytes wide_module(uint32_t wide, struct bytes *code)
{
    struct bytes b = {0}, content = {0}, body = {0};

    put_header(&b);
    PUT(&content, 3, 0x60, 0, 0, 0x60);
    put_leb(&content, wide);
    put_many(&content, 0x7f, wide);
    put_leb(&content, wide);
    put_many(&content, 0x7f, wide);
    PUT(&content, 0x60, 0);
    put_leb(&content, wide);
    put_many(&content, 0x7f, wide);
    put_section(&b, TYPE, &content);
    SECTION(&b, FUNCTION, 1, 0);
    PUT(&body, 0);
    put(&body, code->data, code->size);
    PUT(&content, 1);
    put_section(&content, -1, &body);
    put_section(&b, CODE, &content);
    bytes_deinit(code);
    return b;
}

/* What lists of types may cost is bounded by the size of the bodies, and looking stops there.
 * `fits`: the module stays below. Takes and empties `code`. */
static bool wide_module_counts(uint32_t wide, struct bytes *code, bool fits)
{
    struct bytes b = wide_module(wide, code);
    struct error err = {0};
    struct module *m;
    uint64_t max, done;
    bool ok;

    if (!EXPECT(module_decode(&b, &m, &err)))
        return false;
    ok = EXPECT(module_validate(m, &err) == fits);
    max = m->list_values_max;
    done = atomic_load(&m->list_values);
    ok &= EXPECT(max <= LIST_VALUES_FREE + LIST_VALUES_PER_BYTE * (uint64_t)m->bytes.size);
    ok &= EXPECT(fits ? done <= max : done > max && done <= max + 2 * FUNCTION_PARAMS_MAX);
    ok &= EXPECT(fits || (err.code == ERR_LIMIT &&
                          strstr(err.text, "calls, blocks and branches of the module move more")));
    if (!ok)
        printf("%llu of %llu, %s\n", (unsigned long long)done, (unsigned long long)max, err.text);
    module_free(m);
    return ok;
}

/* `count` blocks of `wide` parameters and results, one in the other or one behind the other. */
static struct bytes wide_blocks(uint32_t wide, uint32_t count, bool nested)
{
    struct bytes code = {0};

    for (uint32_t i = 0; i < wide; i++)
        PUT(&code, 0x41, 0);
    for (uint32_t i = 0; i < count; i++) {
        PUT(&code, 0x02, 1);
        if (!nested)
            PUT(&code, 0x0b);
    }
    put_many(&code, 0x0b, nested ? count : 0);
    put_many(&code, 0x1a, wide);
    PUT(&code, 0x0b);
    return code;
}

TEST(wide_blocks)
{
    for (int nested = 0; nested < 2; nested++) {
        struct bytes code = wide_blocks(1000, 99000, nested);

        CHECK(wide_module_counts(1000, &code, false));
        code = wide_blocks(1000, 999, nested); /* each moves 4,000 */
        CHECK(wide_module_counts(1000, &code, true));
        code = wide_blocks(10, 99000, nested); /* as wide as tools ever make them */
        CHECK(wide_module_counts(10, &code, true));
    }
}

/* br_if, and a br_table to many labels of a wide type. */
TEST(wide_branches)
{
    struct bytes code = {0};

    PUT(&code, 0x02, 2);
    for (uint32_t i = 0; i < 1000; i++)
        PUT(&code, 0x41, 0);
    for (uint32_t i = 0; i < 100000; i++)
        PUT(&code, 0x41, 0, 0x0d, 0);
    PUT(&code, 0x0b);
    put_many(&code, 0x1a, 1000);
    PUT(&code, 0x0b);
    CHECK(wide_module_counts(1000, &code, false));
    for (uint32_t i = 0; i < 100; i++)
        PUT(&code, 0x00, 0x03, 1);
    for (uint32_t t = 0; t < 10; t++) {
        PUT(&code, 0x00);
        for (uint32_t i = 0; i < 1000; i++) /* values of unknown type */
            PUT(&code, 0x1b);
        PUT(&code, 0x41, 0, 0x0e);
        put_leb(&code, BR_TABLE_TARGETS_MAX);
        for (uint32_t i = 0; i <= BR_TABLE_TARGETS_MAX; i++)
            PUT(&code, (uint8_t)(i % 100));
    }
    for (uint32_t i = 0; i < 100; i++)
        PUT(&code, 0x0b, 0x00);
    PUT(&code, 0x0b);
    CHECK(wide_module_counts(1000, &code, false));
}

/* Calls of functions with many parameters, from many bodies on several threads' accounts. */
TEST(wide_calls_in_many_bodies)
{
    struct bytes b = {0}, content = {0}, body = {0};
    const uint32_t count = 1000;
    struct error err = {0};
    struct module *m;
    uint32_t checked = 0;

    put_header(&b);
    PUT(&content, 1, 0x60);
    put_leb(&content, 1000);
    put_many(&content, 0x7f, 1000);
    put_leb(&content, 1000);
    put_many(&content, 0x7f, 1000);
    put_section(&b, TYPE, &content);
    put_leb(&content, count);
    put_many(&content, 0, count);
    put_section(&b, FUNCTION, &content);
    put_leb(&content, count);
    for (uint32_t i = 0; i < count; i++) {
        PUT(&body, 0, 0x00, 0x10, 0, 0x10, 0, 0x0b); /* calls of function 0 */
        put_section(&content, -1, &body);
    }
    put_section(&b, CODE, &content);
    CHECK(module_decode(&b, &m, &err) && module_validate_declarations(m, &err));
    for (;; checked++) { /* a validator for each body, as threads have them */
        struct validator *v = validator_new(m);
        bool ok = v && validator_check_body(v, checked, &err);

        validator_free(v);
        if (!ok)
            break;
    }
    CHECK(checked < count && err.code == ERR_LIMIT);
    CHECK(atomic_load(&m->list_values) <= m->list_values_max + 8000);
    module_free(m);
}

TEST(too_many_targets_labels_and_values)
{
    struct bytes code = {0}, b;

    PUT(&code, 0x41, 0, 0x0e);
    put_leb(&code, BR_TABLE_TARGETS_MAX + 1);
    put_many(&code, 0, BR_TABLE_TARGETS_MAX + 2);
    PUT(&code, 0x0b);
    b = module_of_code(&code);
    CHECK(refused(&b, ERR_LIMIT, "br_table of 65521 targets, at most 65520"));
    for (uint32_t i = 0; i < LABELS_MAX; i++)
        PUT(&code, 0x02, 0x40);
    PUT(&code, 0x0b);
    b = module_of_code(&code);
    CHECK(refused(&b, ERR_LIMIT, "more than 100000 nested blocks"));
    for (uint32_t i = 0; i <= OPERANDS_MAX; i++)
        PUT(&code, 0x41, 0);
    put_many(&code, 0x01, 8); /* nop */
    PUT(&code, 0x00, 0x0b);
    b = module_of_code(&code);
    CHECK(refused(&b, ERR_LIMIT, "more than 100000 values on the stack"));
    for (uint32_t i = 0; i <= OPERANDS_MAX / 1000; i++) /* the same, a thousand at a time */
        PUT(&code, 0x02, 2, 0x00, 0x0b);
    PUT(&code, 0x00, 0x0b);
    b = wide_module(1000, &code);
    CHECK(refused(&b, ERR_LIMIT, "more than 100000 values on the stack"));
}

/* Tiny bodies that declare all the locals there may be, and use the last. */
TEST(many_locals_in_many_functions)
{
    struct bytes b = {0}, content = {0};
    const uint32_t count = 300000;
    clock_t begin = clock();

    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 0, 0);
    put_leb(&content, count);
    put_many(&content, 0, count);
    put_section(&b, FUNCTION, &content);
    put_leb(&content, count);
    for (uint32_t i = 0; i < count; i++) /* 49999 of i32, one i64: local.get 49999, i64.eqz */
        PUT(&content, 14, 2, 0xcf, 0x86, 0x03, 0x7f, 1, 0x7e, 0x20, 0xcf, 0x86, 0x03, 0x50, 0x1a,
            0x0b);
    put_section(&b, CODE, &content);
    CHECK(accepted(&b));
    CHECK(quick(begin));
}

/* Group boundaries are found where not all locals are spelled out. */
TEST(locals_beyond_those_spelled_out)
{
    struct bytes b = {0};

    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 1, 0x7d, 0);
    SECTION(&b, FUNCTION, 1, 0);
    /* 1 f32, 20000 i32, 0 f64, 20000 i64, 9999 f32: local 20001 is an i64, 40001 an f32, 20000 an
     * i32 */
    SECTION(&b, CODE, 1, 33, 4, 0xa0, 0x9c, 0x01, 0x7f, 0, 0x7c, 0xa0, 0x9c, 0x01, 0x7e, 0x8f, 0x4e,
            0x7d, //
            0x20, 0xa0, 0x9c, 0x01, 0x45, 0x20, 0xa1, 0x9c, 0x01, 0x50, 0x6a, 0x1a, 0x20, 0xc1,
            0xb8, 0x02, 0x8b, 0x1a, 0x0b);
    CHECK(accepted(&b));
    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 0, 0);
    SECTION(&b, FUNCTION, 1, 0);
    SECTION(&b, CODE, 1, 11, 1, 0xd0, 0x86, 0x03, 0x7f, 0x20, 0xd0, 0x86, 0x03, 0x1a, 0x0b);
    CHECK(refused(&b, ERR_INVALID, "unknown local 50000"));
}

/* Export names that differ only at their ends. */
TEST(many_exports_with_a_long_common_prefix)
{
    struct bytes b = {0}, content = {0};
    const uint32_t count = 20000;
    struct error err = {0};
    struct module *m;
    char name[512];
    clock_t begin = clock();

    put_header(&b);
    SECTION(&b, MEMORY, 1, 0, 1);
    put_leb(&content, count);
    memset(name, 'x', sizeof(name));
    name[511] = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = i * 7919 % count;

        for (int digit = 0; digit < 5; digit++, n /= 10)
            name[510 - digit] = (char)('0' + n % 10);
        put_name(&content, name);
        PUT(&content, 2, 0);
    }
    put_section(&b, EXPORT, &content);
    m = check_module(&b, &err);
    CHECK(m && module_export(m, slice_text(name), EXTERN_MEMORY) == &m->exports[count - 1]);
    CHECK(quick(begin));
    module_free(m);
}
