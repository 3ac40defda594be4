/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/reader.h"

static uint64_t set_error(struct reader *r, enum reader_error error, const uint8_t *at)
{
    if (r->error == READER_OK) {
        r->error = error;
        r->error_pos = at;
    }
    return 0;
}

/* Little-endian number of `size` bytes. */
static uint64_t fixed(struct reader *r, size_t size)
{
    uint64_t value = 0;

    if (!reader_ok(r) || reader_left(r) < size)
        return set_error(r, READER_END, r->pos);
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)r->pos[i] << (8 * i);
    r->pos += size;
    return value;
}

/* LEB128 of a `bits`-wide integer, sign-extended to 64 bits if `is_signed`. */
static uint64_t leb(struct reader *r, unsigned bits, bool is_signed)
{
    const uint8_t *begin = r->pos;
    uint64_t value = 0;
    unsigned shift = 0;

    if (!reader_ok(r))
        return 0;
    for (;;) {
        uint8_t byte;

        if (r->pos == r->end)
            return set_error(r, READER_END, begin);
        byte = *r->pos++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (shift + 7 >= bits) {          /* the last byte that is allowed */
            unsigned used = bits - shift; /* value bits in it, 1 to 7 */
            unsigned rest = (byte & 0x7fu) >> used;
            bool negative = is_signed && (byte >> (used - 1) & 1);
            unsigned expected = negative ? 0x7fu >> used : 0;

            if (byte & 0x80)
                return set_error(r, READER_TOO_LONG, begin);
            if (rest != expected)
                return set_error(r, READER_TOO_BIG, begin);
            if (negative && bits < 64)
                value |= ~(uint64_t)0 << bits;
            return value;
        }
        shift += 7;
        if (!(byte & 0x80)) {
            if (is_signed && (byte & 0x40))
                value |= ~(uint64_t)0 << shift;
            return value;
        }
    }
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)fixed(r, 1);
}

uint32_t reader_u32_le(struct reader *r)
{
    return (uint32_t)fixed(r, 4);
}

uint64_t reader_u64_le(struct reader *r)
{
    return fixed(r, 8);
}

uint32_t reader_leb_u32_slow(struct reader *r)
{
    return (uint32_t)leb(r, 32, false);
}

uint64_t reader_leb_u64(struct reader *r)
{
    return leb(r, 64, false);
}

int32_t reader_leb_s32(struct reader *r)
{
    return (int32_t)leb(r, 32, true);
}

int64_t reader_leb_s33(struct reader *r)
{
    return (int64_t)leb(r, 33, true);
}

int64_t reader_leb_s64(struct reader *r)
{
    return (int64_t)leb(r, 64, true);
}

struct slice reader_slice(struct reader *r, size_t size)
{
    struct slice s = {r->pos, 0};

    if (!reader_ok(r) || reader_left(r) < size) {
        set_error(r, READER_END, r->pos);
        return s;
    }
    s.size = size;
    r->pos += size;
    return s;
}
