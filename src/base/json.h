/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Writing JSON (RFC 8259): the one thing that needs care, its strings. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/bytes.h"

/* Appends `text` as a string with its quotes. Controls (base/printable.h) are escaped, and bytes
 * that are not UTF-8 become U+FFFD, so whatever the text holds the result is one line of valid
 * JSON. False: no memory, or the maximum of `out`; nothing changed. */
bool json_string(struct bytes *out, struct slice text) MUST_USE;

#endif
