/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/mem.h"
#include "tests/harness/harness.h"
#include "tests/unit/wasm/build.h"
#include <stdio.h>
#include <stdlib.h>

TEST(decode_describes_whole_index_spaces)
{
    struct bytes b = {0};
    struct error err = {0};
    struct module *m;

    put_header(&b);
    SECTION(&b, TYPE, 2, 0x60, 1, 0x7f, 0, 0x60, 0, 1, 0x7e);
    SECTION(&b, IMPORT, 3, 1, 'm', 1, 'f', 0, 0, 1, 'm', 1, 'g', 3, 0x7f, 0, 1, 'm', 1, 't', 1,
            0x70, 1, 1, 9);
    SECTION(&b, FUNCTION, 1, 1);
    SECTION(&b, MEMORY, 1, 1, 2, 3);
    SECTION(&b, GLOBAL, 2, 0x7f, 1, 0x23, 0, 0x0b, 0x7f, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b);
    SECTION(&b, EXPORT, 2, 1, 'z', 0, 1, 1, 'a', 2, 0);
    SECTION(&b, ELEMENT, 1, 0, 0x41, 0, 0x0b, 2, 0, 1);
    SECTION(&b, DATA_COUNT, 1);
    SECTION(&b, CODE, 1, 6, 1, 3, 0x7e, 0x42, 7, 0x0b);
    SECTION(&b, DATA, 1, 1, 2, 'h', 'i');
    SECTION(&b, CUSTOM, 4, 'n', 'a', 'm', 'e', 0, 2, 1, 'M', 1, 7, 2, 0, 1, 'x', 1, 1, 'y');
    m = check_module(&b, &err);
    CHECK_TEXT(err.text, "");
    CHECK(m && !b.data);
    CHECK(m->function_count == 2 && m->imported_functions == 1 && m->body_count == 1);
    CHECK(module_function_type(m, 0)->param_count == 1 &&
          module_function_type(m, 1)->result_count == 1);
    CHECK(m->table_count == 1 && m->tables[0].limits.has_max && m->tables[0].limits.max == 9);
    CHECK(m->memory_count == 1 && m->memories[0].limits.min == 2);
    CHECK(m->global_count == 3 && m->globals[1].init.kind == CONSTEXPR_GLOBAL_GET);
    CHECK(m->globals[2].init.kind == CONSTEXPR_CODE && m->globals[2].init.code.size == 6);
    CHECK(m->bodies[0].local_count == 3 && m->bodies[0].group_count == 1);
    CHECK(m->bodies[0].code.size == 3 &&
          m->bytes.data + m->bodies[0].offset == m->bodies[0].code.data);
    CHECK(m->bodies[0].stack_max == 1 && m->bodies[0].label_max == 1 && !m->bodies[0].has_calls);
    CHECK(m->elems[0].count == 2 && m->elems[0].items[1].index == 1);
    CHECK(m->datas[0].mode == SEGMENT_PASSIVE && slice_equal(m->datas[0].bytes, slice_text("hi")));
    CHECK(module_export(m, slice_text("a"), EXTERN_MEMORY) == &m->exports[1]);
    CHECK(!module_export(m, slice_text("a"), EXTERN_FUNC) &&
          !module_export(m, slice_text("b"), EXTERN_FUNC));
    CHECK(slice_equal(m->module_name, slice_text("M")));
    CHECK(slice_equal(module_function_name(m, 1), slice_text("y")));
    CHECK(m->custom_count == 1 && m->customs[0].bytes.size == 13);
    module_free(m);
}

TEST(decode_says_what_is_wrong_and_where)
{
    struct bytes b = {0};

    CHECK(refused(&b, ERR_MALFORMED, "magic header not detected, at offset 0x0"));
    PUT(&b, 0, 'a', 's', 'm', 2, 0, 0, 0);
    CHECK(refused(&b, ERR_MALFORMED, "unknown binary version, at offset 0x4"));
    put_header(&b);
    PUT(&b, 13, 0);
    CHECK(refused(&b, ERR_MALFORMED, "malformed section id 13, at offset 0x8"));
    put_header(&b);
    PUT(&b, TYPE, 4, 1, 0x60, 0);
    CHECK(refused(
        &b, ERR_MALFORMED,
        "length out of bounds: section of 4 bytes, 3 left, in the type section, at offset 0x8"));
    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 1, 0x77, 0);
    CHECK(refused(&b, ERR_MALFORMED,
                  "malformed value type 0x77, in type 0 of the type section, at offset 0xd"));
    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 0, 0, 0);
    CHECK(
        refused(&b, ERR_MALFORMED, "section size mismatch: 1 bytes too many, in the type section"));
    put_header(&b);
    SECTION(&b, MEMORY, 1, 0, 1);
    SECTION(&b, TYPE, 0);
    CHECK(refused(&b, ERR_MALFORMED, "unexpected content after last section, in the type section"));
    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 0, 0);
    SECTION(&b, FUNCTION, 1, 0);
    CHECK(refused(&b, ERR_MALFORMED, "inconsistent lengths: 1 and 0"));
    put_header(&b);
    SECTION(&b, IMPORT, 1, 1, 0xff, 1, 'f', 0, 0);
    CHECK(refused(&b, ERR_MALFORMED,
                  "malformed UTF-8 encoding, in import 0 of the import section, at offset 0xb"));
    put_header(&b);
    SECTION(&b, GLOBAL, 1, 0x7f, 0, 0x06, 0x0b);
    CHECK(refused(&b, ERR_MALFORMED,
                  "illegal opcode 0x6, in global 0 of the global section, at offset 0xd"));
}

/* However large the counts that a section claims, nothing is allocated that its bytes cannot fill.
 */
TEST(decode_believes_no_count)
{
    static const uint8_t ids[] = {TYPE,   IMPORT, FUNCTION, TABLE, MEMORY,
                                  GLOBAL, EXPORT, ELEMENT,  CODE,  DATA};

    for (size_t i = 0; i < sizeof(ids); i++) {
        struct bytes b = {0};

        put_header(&b);
        SECTION(&b, ids[i], 0xff, 0xff, 0xff, 0xff, 0x0f, 0x60, 0);
        CHECK(refused(&b, ERR_MALFORMED, "do not fit in the section"));
    }
}

TEST(decode_keeps_its_limits)
{
    struct bytes b = {0}, content = {0};

    put_header(&b);
    put_leb(&content, 1);
    PUT(&content, 0x60);
    put_leb(&content, FUNCTION_PARAMS_MAX + 1);
    put_many(&content, 0x7f, FUNCTION_PARAMS_MAX + 2);
    put_section(&b, TYPE, &content);
    CHECK(refused(&b, ERR_LIMIT, "1001 parameters, at most 1000, in type 0 of the type section"));

    put_header(&b);
    put_leb(&content, MODULE_TYPES_MAX + 1);
    for (uint32_t i = 0; i <= MODULE_TYPES_MAX; i++)
        PUT(&content, 0x60, 0, 0);
    put_section(&b, TYPE, &content);
    CHECK(refused(&b, ERR_LIMIT, "1000001 types, at most 1000000"));

    put_header(&b);
    put_leb(&content, 1);
    put_leb(&content, NAME_SIZE_MAX + 1);
    put_many(&content, 'x', NAME_SIZE_MAX + 1);
    PUT(&content, 0, 0);
    put_section(&b, EXPORT, &content);
    CHECK(refused(&b, ERR_LIMIT, "name of 100001 bytes, at most 100000"));

    put_header(&b);
    SECTION(&b, TYPE, 1, 0x60, 1, 0x7f, 0);
    SECTION(&b, FUNCTION, 1, 0);
    SECTION(&b, CODE, 1, 6, 1, 0xd0, 0x86, 0x03, 0x7f, 0x0b); /* 50000 */
    CHECK(refused(&b, ERR_LIMIT, "50001 locals and parameters, at most 50000, in body 0"));
}

TEST(decode_ignores_a_bad_name_section)
{
    struct bytes b = {0};
    struct error err = {0};
    struct module *m;

    put_header(&b);
    SECTION(&b, CUSTOM, 4, 'n', 'a', 'm', 'e', 0, 2, 1, 'M', 1, 7, 2, 5, 1, 'x', 5, 1, 'y');
    m = check_module(&b, &err);
    CHECK(m && m->function_name_count == 0 && m->module_name.size == 0);
    module_free(m);
}

/* Each allocation fails once: an error, no leak, and in the end success. */
TEST(decode_and_validate_survive_a_lack_of_memory)
{
    size_t n = 0;

    for (;; n++) {
        struct bytes b = {0}, copy = {0};
        struct error err = {0};
        struct module *m;

        put_header(&b);
        SECTION(&b, TYPE, 1, 0x60, 0, 0);
        SECTION(&b, IMPORT, 1, 1, 'm', 1, 'g', 3, 0x7f, 0);
        SECTION(&b, FUNCTION, 1, 0);
        SECTION(&b, TABLE, 1, 0x70, 0, 1);
        SECTION(&b, GLOBAL, 1, 0x7f, 0, 0x41, 1, 0x23, 0, 0x6a, 0x0b);
        SECTION(&b, EXPORT, 1, 1, 'z', 0, 0);
        SECTION(&b, ELEMENT, 1, 0, 0x41, 0, 0x0b, 1, 0);
        SECTION(&b, CODE, 1, 7, 1, 1, 0x7f, 2, 0x40, 0x0b, 0x0b);
        SECTION(&b, CUSTOM, 1, 'c');
        put(&copy, b.data, b.size);
        bytes_deinit(&b);
        mem_fail_after(n + 1);
        m = check_module(&copy, &err);
        mem_fail_after(0);
        if (m) {
            module_free(m);
            break;
        }
        CHECK(err.code == ERR_NO_MEMORY);
        CHECK(n < 1000);
    }
    CHECK(n > 10);
}

TEST(names_are_printable)
{
    char text[64];

    CHECK_TEXT(name_text(slice_text("gr\xc3\xbc\xc3\x9f dich"), text, sizeof(text)),
               "gr\xc3\xbc\xc3\x9f dich");
    CHECK_TEXT(name_text(slice_text("a\x1b[2J\"\\\n"), text, sizeof(text)),
               "a\\u{1b}[2J\\\"\\\\\\u{a}");
    CHECK_TEXT(name_text(slice_make("\xff\0z", 3), text, sizeof(text)), "\\xff\\u{0}z");
    CHECK_TEXT(name_text(slice_text("\xe2\x80\xae"
                                    "evil"),
                         text, sizeof(text)),
               "\\u{202e}evil");
    CHECK_TEXT(name_text(slice_text("\xc2\x9b"), text, sizeof(text)), "\\u{9b}");
    CHECK_TEXT(name_text(slice_text("abcdefghijklmnop"), text, 12), "abcdefgh...");
    CHECK_TEXT(name_text(slice_text("abc"), text, 2), ".");
    CHECK_TEXT(name_text(slice_text("\xe2\x82"), text, sizeof(text)), "\\xe2\\x82");
}

TEST(function_types_have_words)
{
    static const uint8_t params[] = {VALTYPE_I32, VALTYPE_EXTERNREF}, results[] = {VALTYPE_V128};
    const struct functype t = {2, 1, params, results}, none = {0};
    char text[64];

    CHECK_TEXT(functype_text(&t, text, sizeof(text)), "(i32, externref) -> (v128)");
    CHECK_TEXT(functype_text(&none, text, sizeof(text)), "() -> ()");
    CHECK(strlen(functype_text(&t, text, 8)) == 7);
    CHECK(functype_equal(&t, &t) && !functype_equal(&t, &none));
}
