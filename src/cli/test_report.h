/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How the results of tests are told: as Rust's harness prints them. */
#ifndef CLI_TEST_REPORT_H
#define CLI_TEST_REPORT_H

#include "cli/test_run.h"
#include <stdio.h>

enum test_format { TEST_FORMAT_PRETTY, TEST_FORMAT_TERSE, TEST_FORMAT_JSON, TEST_FORMAT_JUNIT };

struct test_report {
    enum test_format format;
    bool has_colors;
    bool shows_times;
    bool shows_output; /* of tests that pass too */
    FILE *out;
    FILE *log; /* a line per result; NULL: none */
    const struct test_run *run;
    size_t passed, failed, ignored; /* counted by test_report_result */
    uint64_t begin_ns;              /* of the whole program */
    const char *suite;              /* the name of the test program */
    bool is_shuffled;
    uint64_t seed;
};

/* Each of these returns false if it cannot be written. */
bool test_report_begin(struct test_report *r);
bool test_report_result(void *report, const struct test *t); /* struct test_run.report */
bool test_report_end(struct test_report *r);

/* The names only. */
bool test_report_list(const struct test_run *run, enum test_format format, FILE *out);

#endif
