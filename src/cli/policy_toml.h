/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Reading a policy file: TOML with one level of tables, whose values are strings, integers, truth
 * values, and lists of strings. The only C++ of this program is behind this interface. */
#ifndef CLI_POLICY_TOML_H
#define CLI_POLICY_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum policy_kind { POLICY_TEXT, POLICY_NUMBER, POLICY_TRUTH, POLICY_EMPTY /* list */ };

/* One value, or one element of a list. */
struct policy_value {
    const char *table, *key; /* NUL-terminated */
    enum policy_kind kind;
    bool in_list;
    const char *text; /* POLICY_TEXT: NUL-terminated */
    int64_t number;
    bool truth;
    unsigned line;
};

/* Calls `take` for all values in the order of the file's text as far as lists are concerned. False:
 * `take` has returned false, or (`words`, `line` filled) the text is no such TOML, or this program
 * was built without a TOML library. */
bool policy_toml_read(const char *text, size_t size,
                      bool (*take)(void *arg, const struct policy_value *v), void *arg, char *words,
                      size_t words_size, unsigned *line);

#ifdef __cplusplus
}
#endif

#endif
