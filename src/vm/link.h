/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Imports and defined functions of a module to struct function. */
#ifndef VM_LINK_H
#define VM_LINK_H

#include "vm/program.h"

struct code_thunks;

/* Fills in functions[0 .. imported_functions) with host functions (entry: their stubs' offsets in
 * the block, until link_functions adds the base). On failure all that is missing is in `report` and
 * `err`. */
bool link_imports(const struct module *m, const struct code *code,
                  const struct program_options *options, struct function *functions,
                  struct bytes *report, struct error *err) MUST_USE;

/* With the code published: addresses of the stubs of host functions, and the defined functions. */
void link_functions(const struct module *m, const struct code *code, struct function *functions);

/* "module.name (i32) -> ()", made printable. */
bool link_print_import(struct bytes *out, const struct module *m, const struct import *import);

/* Appends a name of a module with control characters and invalid UTF-8 escaped, cut at 256 bytes.
 */
bool link_print_name(struct bytes *out, struct slice name);

#endif
