/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A TOML document as text: where its keys and values stand, so that one can be added and every
 * other byte, comments and formatting included, stays as its owner wrote it.
 *
 * The grammar is followed as far as that needs: what a number or a date may look like is not
 * checked. */
#ifndef CLI_TOML_TEXT_H
#define CLI_TOML_TEXT_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/vec.h"

/* Between the keys of a path: "build" TOML_DOT "target". No key contains it. */
#define TOML_DOT "\x1f"

enum toml_kind {
    TOML_TEXT,         /* a string */
    TOML_ARRAY,        /* of values */
    TOML_INLINE_TABLE, /* { key = value, ... } */
    TOML_SCALAR,       /* a number, a date, true or false */
    TOML_TABLE,        /* no value: a header [path] */
    TOML_TABLES,       /* a header [[path]] */
};

struct toml_entry {
    char *path; /* all keys from the root, with TOML_DOT between them */
    enum toml_kind kind;
    bool is_inline; /* within an inline table */
    size_t section; /* length of the part of `path` that the header above it gives */
    size_t line_at; /* where the line starts on which its key stands */
    size_t at, end; /* of the value; both the end of a header */
    unsigned line;  /* of the key, from 1 */
};

struct toml_text {
    struct slice text;              /* borrowed */
    VEC(struct toml_entry) entries; /* in the order of the document */
};

/* Finds all entries of `text`. False: it is no TOML; the error names the line. Free with _deinit in
 * any case. */
bool toml_scan(struct slice text, struct toml_text *t, struct error *err);
void toml_deinit(struct toml_text *t);

/* The entry of that path that has a value, or NULL. */
const struct toml_entry *toml_find(const struct toml_text *t, const char *path);

/* The strings of a value in `out`, with a space between them: one if it is a string, all if it is
 * an array of strings. False if it is something else or too long. */
bool toml_words(const struct toml_text *t, const struct toml_entry *e, char *out, size_t size);

/* Adds `table`.`key` = "value" to a document that lacks it: to the table where it has a header or
 * dotted keys, else under a new header at the end. `value` needs no escapes. False, with the
 * document as it was, if it is no TOML or if the table cannot be added to. */
bool toml_add(struct bytes *document, const char *table, const char *key, const char *value,
              struct error *err);

#endif
