/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* PEM text: sections of base64 between "-----BEGIN label-----" and "-----END label-----".
 *
 * A section begins only at the start of a line; whatever is between sections is skipped. Lines end
 * with LF or CRLF, spaces at their ends do not count, the padding of base64 may be left out.
 * Anything else inside of a section is an error. */
#ifndef NET_PEM_H
#define NET_PEM_H

#include "base/bytes.h"
#include "base/error.h"

#define PEM_SIZE_MAX (1u << 20) /* bytes of one text that we are willing to read */

/* All-zero but for `rest`: at the start of the text. */
struct pem_reader {
    struct slice rest;  /* what has not been read; borrowed */
    struct slice label; /* of the last section, "CERTIFICATE"; inside the text */
    struct bytes data;  /* its bytes, decoded */
};

enum pem_result { PEM_SECTION, PEM_END, PEM_FAILED };

/* Reads up to the end of the next section: then `label` and `data` are its own until the next call.
 * PEM_END: there is no further one. */
enum pem_result pem_next(struct pem_reader *p, struct error *err) MUST_USE;

static inline bool pem_is(const struct pem_reader *p, const char *label)
{
    return slice_equal(p->label, slice_text(label));
}

/* Whether the text begins, blanks aside, with a section. */
bool pem_begins(struct slice text);

/* Frees the bytes, after overwriting them: they may be a key. */
void pem_deinit(struct pem_reader *p);

#endif
