/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wasm/validate.h"
#include "tests/harness/harness.h"
#include "tests/unit/wasm/build.h"
#include <stdio.h>

/* Whether module_of_code with these bytes is refused with the text. */
#define REFUSED(text, ...) refused(&(struct bytes[]){MODULE_OF(__VA_ARGS__)}[0], ERR_INVALID, text)
#define ACCEPTED(...)      accepted(&(struct bytes[]){MODULE_OF(__VA_ARGS__)}[0])

TEST(operands_are_typed)
{
    CHECK(ACCEPTED(0x41, 1, 0x41, 2, 0x6a, 0x1a, 0x0b));
    CHECK(REFUSED("type mismatch: expected i32, found i64", 0x41, 1, 0x42, 2, 0x6a, 0x1a, 0x0b));
    CHECK(REFUSED("type mismatch: expected 2 values, found 1", 0x41, 1, 0x6a, 0x1a, 0x0b));
    CHECK(REFUSED("1 values remain at the end of a block", 0x41, 1, 0x0b));
    /* A block does not see what lies below it. */
    CHECK(REFUSED("type mismatch", 0x41, 1, 0x02, 0x40, 0x1a, 0x0b, 0x0b));
    CHECK(REFUSED("type mismatch", 0x41, 1, 0x41, 1, 0x02, 0x7f, 0x6a, 0x0b, 0x1a, 0x0b));
}

TEST(errors_name_the_function_and_the_offset)
{
    struct bytes b = {0};
    char expected[128];

    snprintf(expected, sizeof(expected),
             "type mismatch: expected 1 values, found 0, in function 0, at offset 0x%zx",
             module_code_offset() + 1);
    CHECK(REFUSED(expected, 0x01, 0x1a, 0x0b));
    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 0, 0);
    SECTION(&b, FUNCTION, 1, 0);
    SECTION(&b, EXPORT, 1, 3, 'f', 0x1b, '"', 0, 0);
    SECTION(&b, CODE, 1, 3, 0, 0x1a, 0x0b);
    CHECK(refused(&b, ERR_INVALID, "in function 0 (\"f\\u{1b}\\\"\"), at offset 0x20"));
}

TEST(unreachable_code_is_typed_as_far_as_it_can_be)
{
    CHECK(ACCEPTED(0x00, 0x6a, 0x1a, 0x0b));
    CHECK(ACCEPTED(0x00, 0x42, 1, 0xa7, 0x6a, 0x1a, 0x0b));
    CHECK(REFUSED("expected i32, found i64", 0x00, 0x42, 1, 0x6a, 0x1a, 0x0b));
    CHECK(ACCEPTED(0x00, 0x1b, 0xd1, 0x1a, 0x0b)); /* select of unknowns may be a reference */
    CHECK(REFUSED("expected f32, found i32", 0x00, 0x41, 0, 0x1b, 0x41, 0, 0x45, 0x43, 0, 0, 0, 0,
                  0x92, 0x0b));
    CHECK(ACCEPTED(0x0c, 0, 0x1a, 0x1a, 0x0b));
    CHECK(REFUSED("2 values remain", 0x00, 0x41, 0, 0x41, 0, 0x0b));
}

TEST(malformed_bodies_are_told_apart_from_invalid_ones)
{
    struct bytes b = MODULE_OF(0x01);

    CHECK(refused(&b, ERR_MALFORMED, "unexpected end"));
    b = MODULE_OF(0x0b, 0x01);
    CHECK(refused(&b, ERR_MALFORMED, "1 bytes after the end of the function"));
    b = MODULE_OF(0x05, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "else without if"));
    b = MODULE_OF(0x06, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "illegal opcode 0x6"));
    b = MODULE_OF(0xfd, 0xff, 0x7f, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "illegal opcode"));
    b = MODULE_OF(0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "integer representation too long"));
    b = MODULE_OF(0x41, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "integer too large"));
    b = MODULE_OF(0x3f, 0x80, 0x00, 0x1a, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "zero byte expected"));
    b = MODULE_OF(0xd0, 0x7f, 0x1a, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "malformed reference type 0x7f"));
    b = MODULE_OF(0x02, 0x7a, 0x0b, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED, "malformed block type"));
}

TEST(access_widths_come_from_the_names)
{
    static const struct {
        uint8_t op[3];
        uint8_t size; /* of op */
        uint8_t align_max;
    } loads[] = {{{0x28}, 1, 2},       {{0x29}, 1, 3},       {{0x2a}, 1, 2},
                 {{0x2b}, 1, 3},       {{0x2c}, 1, 0},       {{0x2f}, 1, 1},
                 {{0x35}, 1, 2},       {{0x33}, 1, 1},       {{0xfd, 0x00}, 2, 4},
                 {{0xfd, 0x01}, 2, 3}, {{0xfd, 0x04}, 2, 3}, {{0xfd, 0x07}, 2, 0},
                 {{0xfd, 0x0a}, 2, 3}, {{0xfd, 0x5c}, 2, 2}, {{0xfd, 0x5d}, 2, 3}};

    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        for (uint8_t over = 0; over < 2; over++) {
            struct bytes code = {0}, b;

            PUT(&code, 0x41, 0);
            put(&code, loads[i].op, loads[i].size);
            PUT(&code, (uint8_t)(loads[i].align_max + over), 0, 0x1a, 0x0b);
            b = module_of_code(&code);
            if (over)
                CHECK(refused(&b, ERR_INVALID, "alignment must not be larger than natural"));
            else
                CHECK(accepted(&b));
        }
    }
}

TEST(lanes_are_bounded)
{
    CHECK(ACCEPTED(0x00, 0xfd, 0x15, 15, 0x1a, 0x0b));
    CHECK(REFUSED("invalid lane index 16", 0x00, 0xfd, 0x15, 16, 0x1a, 0x0b));
    CHECK(REFUSED("invalid lane index 2", 0x00, 0xfd, 0x21, 2, 0x1a, 0x0b)); /* f64x2 */
    CHECK(ACCEPTED(0x00, 0xfd, 0x57, 3, 0, 1, 0x1a, 0x0b));
    CHECK(REFUSED("invalid lane index 2", 0x00, 0xfd, 0x57, 3, 0, 2, 0x1a, 0x0b)); /* load64_lane */
}

TEST(bodies_tell_compilers_about_themselves)
{
    struct bytes b = MODULE_OF(0x41, 1, 0x41, 2, 0x41, 3, 0x6a, 0x6a, 0x1a, 0x02, 0x40, 0x03, 0x40,
                               0x0b, 0x0b, 0x41, 0, 0x40, 0, 0x1a, 0x0b);
    struct error err = {0};
    struct module *m = check_module(&b, &err);

    CHECK(m);
    CHECK(m->bodies[0].stack_max == 3 && m->bodies[0].label_max == 3 && m->bodies[0].has_calls);
    CHECK(!m->bodies[0].uses_v128);
    module_free(m);
    b = MODULE_OF(0x01, 0x02, 0x7b, 0x00, 0x0b, 0x1a, 0x0b); /* a block type names v128 */
    m = check_module(&b, &err);
    CHECK(m && m->bodies[0].uses_v128 && m->bodies[0].v128_offset == m->bodies[0].offset + 1);
    module_free(m);
}

TEST(references_to_functions_must_be_declared)
{
    struct bytes b = {0};

    CHECK(REFUSED("undeclared function reference 0", 0xd2, 0, 0x1a, 0x0b));
    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 0, 0);
    SECTION(&b, FUNCTION, 1, 0);
    SECTION(&b, ELEMENT, 1, 3, 0, 1, 0);
    SECTION(&b, CODE, 1, 5, 0, 0xd2, 0, 0x1a, 0x0b);
    CHECK(accepted(&b));
}

/* The extended constant expressions: + - * over constants and imported globals. */
TEST(constants_may_compute)
{
    struct bytes b = {0};

    put_header(&b);
    SECTION(&b, IMPORT, 1, 1, 'm', 1, 'g', 3, 0x7e, 0);
    SECTION(&b, GLOBAL, 1, 0x7e, 0, 0x23, 0, 0x42, 3, 0x7e, 0x42, 1, 0x7d, 0x0b);
    CHECK(accepted(&b));
    put_header(&b);
    SECTION(&b, GLOBAL, 1, 0x7f, 0, 0x41, 0, 0x41, 3, 0x6d, 0x0b);
    CHECK(refused(&b, ERR_INVALID,
                  "constant expression required: i32.div_s is not constant, in global 0"));
    put_header(&b);
    SECTION(&b, GLOBAL, 1, 0x7f, 0, 0x42, 0, 0x42, 3, 0x7c, 0x0b);
    CHECK(refused(&b, ERR_INVALID, "type mismatch: expected i32, found i64, in global 0"));
    put_header(&b);
    SECTION(&b, GLOBAL, 1, 0x7f, 0, 0x6a, 0x0b);
    CHECK(refused(&b, ERR_INVALID, "operands are missing"));
    put_header(&b);
    SECTION(&b, GLOBAL, 1, 0x7f, 0, 0x0b);
    CHECK(refused(&b, ERR_INVALID, "one value expected, found 0"));
    put_header(&b);
    SECTION(&b, GLOBAL, 1, 0x7f, 0, 0x02, 0x40, 0x0b, 0x41, 0, 0x0b);
    CHECK(refused(&b, ERR_INVALID, "block is not constant"));
    put_header(&b);
    SECTION(&b, GLOBAL, 2, 0x7f, 0, 0x41, 0, 0x0b, 0x7f, 0, 0x23, 0, 0x0b);
    CHECK(refused(&b, ERR_INVALID, "unknown global 0, in global 1"));
}

/* Deeper than the machine that evaluates constants is refused, not cut. */
TEST(constants_have_a_greatest_depth)
{
    for (size_t depth = CONSTANT_DEPTH_MAX; depth <= CONSTANT_DEPTH_MAX + 1; depth++) {
        struct bytes b = {0}, body = {0};
        bool ok = bytes_append(&body, "\x01\x7f\x00", 3);
        size_t size;

        for (size_t i = 0; i < depth; i++)
            ok = ok && bytes_append(&body, "\x41\x01", 2);
        for (size_t i = 1; i < depth; i++)
            ok = ok && bytes_append_u8(&body, 0x6a);
        ok = ok && bytes_append_u8(&body, 0x0b);
        size = body.size;
        put_header(&b);
        ok = ok && bytes_append_u8(&b, 6) && bytes_append_u8(&b, (uint8_t)(size & 0x7f) | 0x80) &&
             bytes_append_u8(&b, (uint8_t)(size >> 7)) && bytes_append(&b, body.data, size);
        bytes_deinit(&body);
        CHECK(ok);
        if (depth == CONSTANT_DEPTH_MAX)
            CHECK(accepted(&b));
        else
            CHECK(refused(&b, ERR_LIMIT, "constant expression of more than 256 values at once"));
    }
}

TEST(duplicate_exports_are_found)
{
    struct bytes b = {0};

    put_header(&b);
    SECTION(&b, MEMORY, 1, 0, 1);
    SECTION(&b, EXPORT, 3, 1, 'a', 2, 0, 1, 'b', 2, 0, 1, 'a', 2, 0);
    CHECK(refused(&b, ERR_INVALID, "duplicate export name \"a\""));
}

TEST(bodies_can_be_checked_one_by_one)
{
    struct bytes b = {0};
    struct error err = {0};
    struct module *m;
    struct validator *v;

    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 0, 1, 0x7f);
    SECTION(&b, FUNCTION, 3, 0, 0, 0);
    SECTION(&b, CODE, 3, 4, 0, 0x41, 1, 0x0b, 4, 0, 0x42, 1, 0x0b, 4, 0, 0x41, 1, 0x0b);
    CHECK(module_decode(&b, &m, &err) && module_validate_declarations(m, &err));
    v = validator_new(m);
    CHECK(v);
    CHECK(validator_check_body(v, 2, &err) && !validator_check_body(v, 1, &err) &&
          validator_check_body(v, 0, &err));
    CHECK(strstr(err.text, "in function 1"));
    validator_free(v);
    module_free(m);
}
