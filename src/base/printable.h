/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What people may be shown of text that comes from guests, or from others' programs: nothing in it
 * moves a terminal's cursor, changes its colours or the direction of writing, or, unless
 * PRINTABLE_LINES, begins a line. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include "base/bytes.h"

enum printable_lines {
    PRINTABLE_ONE_LINE, /* ends of lines are among what is replaced */
    PRINTABLE_LINES,    /* '\n' and tabs stay */
};

/* Bytes of the well-formed character that `s`, which is not empty, begins with; 0: none. */
size_t printable_sequence(struct slice s);

/* Whether a well-formed character of `size` bytes does more to a terminal than to be shown: a
 * control, one that changes the direction, an end of line or paragraph. */
bool printable_is_control(const uint8_t *at, size_t size);

/* Appends `text`, with a '?' for each control and for each byte that is not UTF-8. False: no
 * memory, or the maximum of `out`. */
bool printable_append(struct bytes *out, struct slice text, enum printable_lines lines) MUST_USE;

/* The same in place, where `text` ends with a byte 0: it becomes no longer. */
void printable_make(char *text, enum printable_lines lines);

#endif
