/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/printable.h"
#include <string.h>

size_t printable_sequence(struct slice s)
{
    size_t size = s.data[0] < 0x80 ? 1 : s.data[0] < 0xe0 ? 2 : s.data[0] < 0xf0 ? 3 : 4;

    return size <= s.size && slice_is_utf8(slice_make(s.data, size)) ? size : 0;
}

bool printable_is_control(const uint8_t *at, size_t size)
{
    switch (size) {
    case 1:
        return at[0] < 0x20 || at[0] == 0x7f;
    case 2: /* C1; U+061C */
        return (at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xd8 && at[1] == 0x9c);
    case 3: /* U+200E, U+200F, U+2028 to U+202E; U+2066 to U+2069 */
        return at[0] == 0xe2 && ((at[1] == 0x80 && (at[2] == 0x8e || at[2] == 0x8f ||
                                                    (at[2] >= 0xa8 && at[2] <= 0xae))) ||
                                 (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
    default:
        return false;
    }
}

/* The next character of `*text`, which it is taken from: `*size` bytes at the result. */
static const uint8_t *next(struct slice *text, enum printable_lines lines, size_t *size)
{
    const uint8_t *at = text->data;
    size_t step = printable_sequence(*text);

    *size = step ? step : 1;
    text->data += *size;
    text->size -= *size;
    if (step == 1 && lines == PRINTABLE_LINES && (*at == '\n' || *at == '\t'))
        return at;
    if (step > 0 && !printable_is_control(at, step))
        return at;
    *size = 1;
    return (const uint8_t *)"?";
}

/* How many bytes of ASCII that stay `text` begins with. */
static size_t plain(struct slice text, enum printable_lines lines)
{
    size_t i = 0;

    while (i < text.size && text.data[i] < 0x7f &&
           (text.data[i] >= 0x20 || (text.data[i] == '\n' && lines == PRINTABLE_LINES)))
        i++;
    return i;
}

bool printable_append(struct bytes *out, struct slice text, enum printable_lines lines)
{
    while (text.size > 0) {
        size_t size = plain(text, lines);
        const uint8_t *at = text.data;

        if (size > 0) {
            text.data += size;
            text.size -= size;
        } else {
            at = next(&text, lines, &size);
        }
        if (!bytes_append(out, at, size))
            return false;
    }
    return true;
}

void printable_make(char *text, enum printable_lines lines)
{
    struct slice left = slice_text(text);

    while (left.size > 0) {
        size_t size;
        const uint8_t *at = next(&left, lines, &size);

        memmove(text, at, size);
        text += size;
    }
    *text = '\0';
}
