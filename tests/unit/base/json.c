/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/json.h"
#include "base/mem.h"
#include "tests/harness/harness.h"

static bool is_written_as(struct slice text, const char *expected)
{
    struct bytes out = {0};
    bool same = json_string(&out, text) &&
                slice_equal(slice_make(out.data, out.size), slice_text(expected));

    bytes_deinit(&out);
    return same;
}

TEST(json_strings_escape_quotes_and_controls)
{
    CHECK(is_written_as(slice_text(""), "\"\""));
    CHECK(is_written_as(slice_text("plain / text"), "\"plain / text\""));
    CHECK(is_written_as(slice_text("a\"b\\c"), "\"a\\\"b\\\\c\""));
    CHECK(is_written_as(slice_text("\b\t\n\v\f\r"), "\"\\b\\t\\n\\u000b\\f\\r\""));
    CHECK(is_written_as(slice_make("\0\x1f\x7f", 3), "\"\\u0000\\u001f\\u007f\""));
    CHECK(is_written_as(slice_text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
                        "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\""));
}

/* Over-long forms, surrogates, sequences cut short, stray bytes: each bad byte is one U+FFFD. */
TEST(json_strings_replace_what_is_not_utf8)
{
    CHECK(is_written_as(slice_text("a\xff"
                                   "b"),
                        "\"a\\ufffdb\""));
    CHECK(is_written_as(slice_text("\xe2\x82"), "\"\\ufffd\\ufffd\""));
    CHECK(is_written_as(slice_text("\xc0\x80"), "\"\\ufffd\\ufffd\""));
    CHECK(is_written_as(slice_text("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""));
    CHECK(is_written_as(slice_text("\xf5\x80\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\""));
}

TEST(json_strings_that_do_not_fit_change_nothing)
{
    struct bytes out = {.size_max = 8};

    CHECK(bytes_append(&out, "1234", 4));
    CHECK(!json_string(&out, slice_text("abcdef")));
    CHECK(out.size == 4 && json_string(&out, slice_text("ab")) && out.size == 8);
    bytes_deinit(&out);
}
