/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/json.h"
#include "base/printable.h"
#include <stdio.h>

/* The number of a character of two or three bytes. */
static unsigned code_point(const uint8_t *at, size_t size)
{
    return size == 2 ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
                     : (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
}

static bool append_one(struct bytes *out, const uint8_t *at, size_t size)
{
    static const char letters[] = "btnufr"; /* of 8 to 13; 'u': no short form */
    char escape[8];
    uint8_t c = at[0];

    if (size == 0)
        return bytes_append(out, "\\ufffd", 6);
    if (printable_is_control(at, size)) {
        if (size > 1)
            snprintf(escape, sizeof(escape), "\\u%04x", code_point(at, size));
        else if (c >= 8 && c <= 13 && letters[c - 8] != 'u')
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
        size_t size = printable_sequence(text), step = size ? size : 1;

        ok = append_one(out, text.data, size);
        text.data += step;
        text.size -= step;
    }
    if (ok && bytes_append_u8(out, '"'))
        return true;
    out->size = before;
    return false;
}
