/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Validation in parts, for callers that validate functions on several threads. module_validate does
 * all of it on the calling thread. */
#ifndef WASM_VALIDATE_H
#define WASM_VALIDATE_H

#include "base/error.h"
#include <stdint.h>

struct module;
struct validator;

/* Checks all but the function bodies (spec 3.4). Must have succeeded before any body is checked. */
bool module_validate_declarations(struct module *m, struct error *err) MUST_USE;

/* Scratch memory for checking bodies of `m`, one after the other, on one thread; NULL: no memory.
 */
struct validator *validator_new(struct module *m) MUST_USE;
void validator_free(struct validator *v); /* NULL is harmless */

/* Checks body `index` (spec 3.3) and fills in its fields. Different bodies may be checked at the
 * same time by different validators. */
bool validator_check_body(struct validator *v, uint32_t index, struct error *err) MUST_USE;

#endif
