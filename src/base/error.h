/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How a function reports failure: it returns false and fills a `struct error` given by the caller.
 *
 * The text lives in a fixed buffer, so that reporting a failure never allocates. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/assert.h"
#include <stdbool.h>
#include <stdint.h>

#define ERROR_TEXT_MAX 512 /* bytes, terminator included; longer texts are cut */

enum error_code {
    ERR_NONE = 0,
    ERR_MALFORMED,   /* bytes that are not what they claim to be */
    ERR_INVALID,     /* well-formed, but against a rule (validation) */
    ERR_UNSUPPORTED, /* correct, but more than this build can do */
    ERR_LIMIT,       /* a named limit would be exceeded */
    ERR_NO_MEMORY,   /* the allocator or the kernel refused */
    ERR_UNLINKABLE,  /* an import cannot be resolved */
    ERR_NOT_FOUND,   /* a file, a name, an export */
    ERR_TRAP,        /* guest code trapped while we needed its result */
    ERR_OS,          /* a system call failed; the text holds errno's words */
    ERR_USAGE,       /* a wrong command line or argument */
    ERR_DENIED,      /* a permission is missing */
};

struct error {
    enum error_code code;
    char text[ERROR_TEXT_MAX];
};

/* Fills `err` (which may be NULL: the caller wants no words) and returns false, so that a check
 * reads `return fail(err, ERR_LIMIT, "memory of %u pages, at most %u", pages, max);`. Any thread.
 */
bool fail(struct error *err, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same for a failed system call: appends ": " and the words of `errnum`. */
bool fail_os(struct error *err, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "`prefix`: " in front of the text that `err` holds; returns false. */
bool fail_in(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
