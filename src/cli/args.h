/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A command line against a table of options.
 *
 * Long options are `--name value` or `--name=value`, short ones `-n value` or `-nvalue`, in any
 * place; `--` ends them; what is no option is a positional argument. A word that starts with '-'
 * and is no option is an error, with a hint to put it after `--`. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct option {
    const char *name; /* without "--"; NULL ends a table */
    char letter;      /* of the short form, 0: none */
    bool has_value;
    int id; /* the command's own number for it, not 0 */
};

struct args {
    const struct option *options;
    char **words; /* borrowed */
    int count;
    int at;          /* the next word to look at */
    bool only_words; /* "--" was passed */
};

enum { ARGS_END = 0, ARGS_WORD = -1, ARGS_ERROR = -2 };

void args_init(struct args *a, const struct option *options, int count, char **words);

/* The next option's id with its value in *value, ARGS_WORD with a positional argument in *value,
 * ARGS_END, or ARGS_ERROR with words in *err. */
int args_next(struct args *a, const char **value, struct error *err);

/* Parses all of `text` as a number of at most `max`, decimal, in *out. With a suffix K, M or G it
 * is multiplied by a power of 1024. False if it is none. */
bool args_number(const char *text, uint64_t max, uint64_t *out);

#endif
