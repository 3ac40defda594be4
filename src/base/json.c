/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/json.h"
#include <stdio.h>

/* Bytes of the UTF-8 sequence that `s` begins with, 0: it does not begin with one. */
static size_t sequence(struct slice s)
{
    size_t size = s.data[0] < 0x80 ? 1 : s.data[0] < 0xe0 ? 2 : s.data[0] < 0xf0 ? 3 : 4;

    return size <= s.size && slice_is_utf8(slice_make(s.data, size)) ? size : 0;
}

static bool append_one(struct bytes *out, const uint8_t *at, size_t size)
{
    static const char letters[] = "btnufr"; /* of 8 to 13; 'u': no short form */
    char escape[8];
    uint8_t c = at[0];

    if (size == 0)
        return bytes_append(out, "\\ufffd", 6);
    if (c == 0x7f || c < 0x20) {
        if (c >= 8 && c <= 13 && letters[c - 8] != 'u')
            snprintf(escape, sizeof(escape), "\\%c", letters[c - 8]);
        else
            snprintf(escape, sizeof(escape), "\\u%04x", c);
        return bytes_append(out, escape, strlen(escape));
    }
    if ((c == '"' || c == '\\') && !bytes_append_u8(out, '\\'))
        return false;
    return bytes_append(out, at, size);
}

bool json_string(struct bytes *out, struct slice text)
{
    size_t before = out->size;
    bool ok = bytes_append_u8(out, '"');

    while (ok && text.size > 0) {
        size_t size = sequence(text), step = size ? size : 1;

        ok = append_one(out, text.data, size);
        text.data += step;
        text.size -= step;
    }
    if (ok && bytes_append_u8(out, '"'))
        return true;
    out->size = before;
    return false;
}
