/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/bytes.h"
#include "base/mem.h"
#include <stdarg.h>
#include <stdio.h>

#define CAPACITY_MIN 64

bool slice_is_utf8(struct slice s)
{
    const uint8_t *p = s.data, *end = s.size ? p + s.size : p; /* nothing may lie at NULL */

    while (p < end) {
        uint8_t c = *p++;
        uint32_t code, min;
        int more;

        if (c < 0x80)
            continue;
        if (c >= 0xc2 && c <= 0xdf)
            code = c & 0x1f, more = 1, min = 0x80;
        else if (c >= 0xe0 && c <= 0xef)
            code = c & 0x0f, more = 2, min = 0x800;
        else if (c >= 0xf0 && c <= 0xf4)
            code = c & 0x07, more = 3, min = 0x10000;
        else
            return false;
        if (end - p < more)
            return false;
        while (more--) {
            if ((*p & 0xc0) != 0x80)
                return false;
            code = code << 6 | (*p++ & 0x3f);
        }
        if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
    }
    return true;
}

bool bytes_reserve(struct bytes *b, size_t extra)
{
    size_t need, capacity;
    uint8_t *data;

    if (__builtin_add_overflow(b->size, extra, &need) || (b->size_max && need > b->size_max))
        return false;
    if (need <= b->capacity)
        return true;
    capacity = b->capacity < CAPACITY_MIN ? CAPACITY_MIN : b->capacity + b->capacity / 2;
    if (capacity < need)
        capacity = need;
    data = mem_try_realloc(b->data, capacity, 1);
    if (!data)
        return false;
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool bytes_append(struct bytes *b, const void *data, size_t size)
{
    if (!bytes_reserve(b, size))
        return false;
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    return true;
}

bool bytes_append_u8(struct bytes *b, uint8_t value)
{
    return bytes_append(b, &value, 1);
}

bool bytes_printf(struct bytes *b, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !bytes_reserve(b, (size_t)length + 1))
        return false;
    va_start(args, format);
    vsnprintf((char *)b->data + b->size, (size_t)length + 1, format, args);
    va_end(args);
    b->size += (size_t)length;
    return true;
}

void bytes_deinit(struct bytes *b)
{
    mem_free(b->data);
    *b = (struct bytes){.size_max = b->size_max};
}
