/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Private to the decoder's files: its state, and how its parts report. */
#ifndef WASM_DECODE_H
#define WASM_DECODE_H

#include "base/vec.h"
#include "wasm/internal.h"

struct decoder {
    struct module *m;
    struct arena *arena;
    struct reader r;     /* over the whole file, ended at the end of the current section */
    const char *section; /* "type section"; NULL outside of sections */
    const char *item;    /* "import", "body": what `item_index` counts; NULL: nothing */
    uint32_t item_index;
    uint32_t element_total; /* items of all element segments so far */
    struct error *err;

    /* Whole index spaces, as far as they are known; moved into the arena at the end. */
    VEC(struct function_decl) functions;
    VEC(struct table_decl) tables;
    VEC(struct memory_decl) memories;
    VEC(struct global_decl) globals;
    VEC(struct custom_section) customs;
};

/* Reports `what` at a place in the file, with the section and the item; returns false. */
bool decode_fail(struct decoder *d, enum error_code code, const uint8_t *at, const char *what, ...)
    PRINTF_LIKE(4, 5);

/* Reports the reader's error. */
bool decode_fail_read(struct decoder *d);
bool decode_no_memory(struct decoder *d);

/* A vector's length: at most `max` and at most what the rest of the section has room for, if each
 * item takes `item_size_min` bytes. */
bool decode_count(struct decoder *d, const char *what, uint32_t max, uint32_t item_size_min,
                  uint32_t *out) MUST_USE;

bool decode_reftype(struct decoder *d, uint8_t *out) MUST_USE;

/* Reads a constant expression up to its `end` (spec 5.4.9). */
bool decode_constexpr(struct decoder *d, struct constexpr_ *out) MUST_USE;

bool decode_elements(struct decoder *d) MUST_USE;
bool decode_data(struct decoder *d) MUST_USE;

/* Reads the name section (spec 7.4.1). What is wrong with it is no error: it is ignored as a whole.
 */
void decode_names(struct decoder *d, struct slice bytes);

#endif
