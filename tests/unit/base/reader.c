/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/reader.h"
#include "harness.h"

static struct reader reader_of(const uint8_t *data, size_t size)
{
    struct reader r;

    reader_init(&r, slice_make(data, size));
    return r;
}

TEST(leb_u32_reads_padded_and_largest_numbers)
{
    const uint8_t padded[] = {0x83, 0x80, 0x80, 0x80, 0x00},
                  largest[] = {0xff, 0xff, 0xff, 0xff, 0x0f};
    struct reader r = reader_of(padded, sizeof(padded));

    CHECK(reader_leb_u32(&r) == 3 && reader_ok(&r) && reader_left(&r) == 0);
    r = reader_of(largest, sizeof(largest));
    CHECK(reader_leb_u32(&r) == UINT32_MAX && reader_ok(&r));
}

TEST(leb_u32_refuses_unused_bits_and_a_sixth_byte)
{
    const uint8_t big[] = {0xff, 0xff, 0xff, 0xff, 0x1f},
                  longer[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    struct reader r = reader_of(big, sizeof(big));

    reader_leb_u32(&r);
    CHECK(r.error == READER_TOO_BIG);
    r = reader_of(longer, sizeof(longer));
    reader_leb_u32(&r);
    CHECK(r.error == READER_TOO_LONG);
}

TEST(leb_s32_and_s64_sign_extend)
{
    const uint8_t minus_one[] = {0x7f}, min32[] = {0x80, 0x80, 0x80, 0x80, 0x78};
    const uint8_t min64[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f};
    struct reader r = reader_of(minus_one, 1);

    CHECK(reader_leb_s32(&r) == -1);
    r = reader_of(min32, sizeof(min32));
    CHECK(reader_leb_s32(&r) == INT32_MIN && reader_ok(&r));
    r = reader_of(min64, sizeof(min64));
    CHECK(reader_leb_s64(&r) == INT64_MIN && reader_ok(&r));
}

TEST(errors_are_sticky_and_say_where)
{
    const uint8_t data[] = {1, 2};
    struct reader r = reader_of(data, sizeof(data));

    CHECK(reader_u8(&r) == 1);
    CHECK(reader_u32_le(&r) == 0 && r.error == READER_END && r.error_pos == data + 1);
    CHECK(reader_u8(&r) == 0 && reader_offset(&r) == 1);
    CHECK(reader_slice(&r, 1).size == 0);
}

TEST(utf8_refuses_surrogates_and_overlong_forms)
{
    CHECK(slice_is_utf8(slice_text("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\x99")));
    CHECK(!slice_is_utf8(slice_text("\xed\xa0\x80")));
    CHECK(!slice_is_utf8(slice_text("\xc0\x80")));
    CHECK(!slice_is_utf8(slice_text("\xf4\x90\x80\x80")));
    CHECK(!slice_is_utf8(slice_text("\xe2\x82")));
}
