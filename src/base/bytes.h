/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Slices (borrowed) and byte buffers (owned, growable up to a maximum chosen at birth). */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that belong to somebody else. Not terminated. */
struct slice {
    const uint8_t *data;
    size_t size;
};

/* Bytes of our own. All-zero is valid and empty, with no maximum. */
struct bytes {
    uint8_t *data;
    size_t size;     /* <= capacity */
    size_t capacity; /* allocated */
    size_t size_max; /* appends beyond it fail; 0: no maximum */
};

static inline struct slice slice_make(const void *data, size_t size)
{
    return (struct slice){(const uint8_t *)data, size};
}

static inline struct slice slice_text(const char *text)
{
    return slice_make(text, strlen(text));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Whether the slice is well-formed UTF-8 (RFC 3629: no surrogates, no over-long forms). */
bool slice_is_utf8(struct slice s);

/* Makes room for `extra` more bytes; false if memory or the maximum forbids, nothing changed. */
bool bytes_reserve(struct bytes *b, size_t extra) MUST_USE;

/* Appends; false if memory or the maximum forbids, nothing changed. */
bool bytes_append(struct bytes *b, const void *data, size_t size) MUST_USE;
bool bytes_append_u8(struct bytes *b, uint8_t value) MUST_USE;
bool bytes_printf(struct bytes *b, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

void bytes_deinit(struct bytes *b);

#endif
