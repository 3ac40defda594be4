/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The tests that a module has: its exported functions whose names begin with `#lunatic_test_`. The
 * rest of the name says what is expected of it and what it is called:
 *
 *     #lunatic_test_ [#ignore_] [#panic_TEXT#] NAME
 *
 * TEXT goes up to the first '#' that no backslash precedes; `\#` stands for '#'. */
#ifndef CLI_TEST_CASE_H
#define CLI_TEST_CASE_H

#include "base/error.h"
#include "base/vec.h"
#include <stdbool.h>
#include <stddef.h>

struct lunatic_module;

struct test_case {
    char *export_name;
    char *name; /* shown, and what filters look at; control characters are question marks */
    bool is_ignored;
    bool should_panic;
    char
        *panic_text; /* of tests that should: what the message must contain; "": any failure will do
                      */
};

struct test_cases {
    VEC(struct test_case) list; /* in the order of the module */
};

/* Fills `out` from an export's name. False: it is a test's, but not of the form above; `err` says
 * in which way. With `*is_test` false, it is some other export, and `out` is empty. */
bool test_case_parse(const char *name, size_t size, struct test_case *out, bool *is_test,
                     struct error *err);
void test_case_deinit(struct test_case *c);

/* All tests of a module. False: a name is malformed; what was found so far is in `out`. */
bool test_cases_read(const struct lunatic_module *m, struct test_cases *out, struct error *err);
void test_cases_deinit(struct test_cases *cases);

/* Which tests are meant, as Rust's harness decides it. */
enum test_ignored { TEST_IGNORED_SKIP, TEST_IGNORED_ONLY, TEST_IGNORED_TOO };

struct test_selection {
    const char **filters; /* a name must match one of them, if there are any */
    size_t filter_count;
    const char **skips; /* and none of these */
    size_t skip_count;
    bool is_exact; /* to match is to be equal, not to contain */
    bool no_panics;
    enum test_ignored ignored;
};

bool test_selection_has(const struct test_selection *s, const struct test_case *c);

#endif
