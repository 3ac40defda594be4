/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Results as JUnit's XML, which continuous integration systems read. */
#ifndef CLI_TEST_JUNIT_H
#define CLI_TEST_JUNIT_H

#include "cli/test_run.h"
#include <stdio.h>

/* Appends `text` as UTF-8 that XML and JSON can hold: what is not UTF-8, and control characters
 * other than tab and newline, become U+FFFD. False: no memory. */
bool test_text_clean(struct slice text, struct bytes *out) MUST_USE;

/* Writes a document with one suite of that name. Whether that worked, `out` knows (ferror). */
void test_junit_write(const struct test_run *run, const char *suite, uint64_t duration_ns,
                      FILE *out);

/* The same into a file. A `path` that is a folder, or ends in '/', gets a file PROGRAM.xml, so that
 * the test programs of a project do not overwrite each other's. */
bool test_junit_save(const struct test_run *run, const char *suite, const char *program,
                     uint64_t duration_ns, const char *path, struct error *err) MUST_USE;

#endif
