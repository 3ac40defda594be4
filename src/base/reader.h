/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The only decoder of LEB128 and little-endian numbers: a bounds-checked cursor over a slice.
 *
 * Errors are sticky: the first one is kept with its place, and every later read returns 0 and moves
 * nothing, so a caller may read several fields and check `reader_ok` once. */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/bytes.h"

enum reader_error {
    READER_OK = 0,
    READER_END,      /* the data ends before the value does */
    READER_TOO_LONG, /* a LEB128 number has more bytes than its type may have */
    READER_TOO_BIG,  /* a LEB128 number does not fit its type (unused bits set) */
};

struct reader {
    const uint8_t *start, *pos, *end; /* start <= pos <= end */
    enum reader_error error;
    const uint8_t *error_pos; /* where the faulty value begins; valid if error != READER_OK */
};

static inline void reader_init(struct reader *r, struct slice s)
{
    const uint8_t *end = s.size ? s.data + s.size : s.data; /* the data of no bytes may be NULL */

    *r = (struct reader){s.data, s.data, end, READER_OK, NULL};
}

static inline bool reader_ok(const struct reader *r)
{
    return r->error == READER_OK;
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->pos);
}

static inline size_t reader_offset(const struct reader *r)
{
    return (size_t)(r->pos - r->start);
}

uint32_t reader_leb_u32_slow(struct reader *r);

uint8_t reader_u8(struct reader *r);
uint32_t reader_u32_le(struct reader *r);
uint64_t reader_u64_le(struct reader *r);

/* WebAssembly spec 5.2.2: at most ceil(N/7) bytes, unused bits of the last one zero or the sign. */
static inline uint32_t reader_leb_u32(struct reader *r)
{
    if (LIKELY(r->pos < r->end && *r->pos < 0x80 && r->error == READER_OK))
        return *r->pos++;
    return reader_leb_u32_slow(r);
}
uint64_t reader_leb_u64(struct reader *r);
int32_t reader_leb_s32(struct reader *r);
int64_t reader_leb_s33(struct reader *r);
int64_t reader_leb_s64(struct reader *r);

/* The next `size` bytes, borrowed; an empty slice (and the error) if there are fewer. */
struct slice reader_slice(struct reader *r, size_t size);

#endif
