/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/printable.h"
#include "tests/harness/harness.h"

static bool becomes(struct slice text, enum printable_lines lines, const char *expected)
{
    char copy[64] = "";
    struct bytes out = {0};
    bool same = printable_append(&out, text, lines) &&
                slice_equal(slice_make(out.data, out.size), slice_text(expected));

    bytes_deinit(&out);
    if (memchr(text.data, 0, text.size))
        return same;
    memcpy(copy, text.data, text.size);
    printable_make(copy, lines);
    return same && strcmp(copy, expected) == 0;
}

TEST(printable_text_stays_as_it_is)
{
    const char *text = "a \"b\" \\ \xc3\xa4 \xe2\x82\xac \xc2\xa0 \xf0\x9f\x98\x80 \xe2\x80\xa6";

    CHECK(becomes(slice_text(text), PRINTABLE_ONE_LINE, text));
    CHECK(becomes(slice_text(""), PRINTABLE_ONE_LINE, ""));
}

TEST(printable_text_has_no_controls)
{
    CHECK(becomes(slice_text("\x1b[31m\x07\x7f\r"), PRINTABLE_LINES, "?[31m???"));
    CHECK(becomes(slice_make("a\0b", 3), PRINTABLE_LINES, "a?b"));
    CHECK(becomes(slice_text("a\xc2\x9b"
                             "31m \xd8\x9c"),
                  PRINTABLE_LINES, "a?31m ?"));
    CHECK(becomes(slice_text("\xe2\x80\xae \xe2\x81\xa6 \xe2\x80\xa8 \xe2\x80\x8f"),
                  PRINTABLE_LINES, "? ? ? ?"));
    CHECK(becomes(slice_text("a\n\tb"), PRINTABLE_LINES, "a\n\tb"));
    CHECK(becomes(slice_text("a\n\tb"), PRINTABLE_ONE_LINE, "a??b"));
}

TEST(printable_text_is_utf8)
{
    CHECK(becomes(slice_text("a\xff\xe2\x82"), PRINTABLE_LINES, "a???"));
    CHECK(becomes(slice_text("\xc2\x1b\x9b"), PRINTABLE_LINES, "???"));
}
