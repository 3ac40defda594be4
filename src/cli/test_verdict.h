/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whether a test that has ended has passed. */
#ifndef CLI_TEST_VERDICT_H
#define CLI_TEST_VERDICT_H

#include "base/bytes.h"
#include "cli/test_case.h"
#include "cli/test_output.h"

struct lunatic_exit;

/* The message of the last panic in what a process has written, pointing into it. Known are the
 * forms of Rust before 1.73 (thread 'NAME' panicked at 'MESSAGE', FILE:LINE:COLUMN) and since (the
 * place in the first line, the message after it), and, where neither is found, a failed assertion
 * of C and the panics of Go and AssemblyScript. False: there is none. */
bool test_panic_message(struct slice text, struct slice *message);

/* Judges a test by how its main process has ended and by what it has written; what is worth saying
 * is appended to its output. `is_shown` says that the user has seen the output already. */
bool test_has_passed(const struct test_case *c, const struct lunatic_exit *how,
                     struct test_output *output, bool is_shown);

#endif
