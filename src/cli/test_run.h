/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tests that run: several at a time, each in an environment of its own. */
#ifndef CLI_TEST_RUN_H
#define CLI_TEST_RUN_H

#include "cli/test_case.h"
#include "cli/test_output.h"
#include "runtime/lunatic_runtime.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum test_result {
    TEST_WAITS, /* has not been started */
    TEST_RUNS,
    TEST_PASSED,
    TEST_FAILED,
    TEST_TIMED_OUT, /* stopped, because its time was over */
    TEST_IGNORED,
};

struct test {
    const struct test_case *test_case;
    struct test_output output;
    enum test_result result;
    uint64_t start_ns, duration_ns;
    bool is_slow; /* it has been told that it runs for long */
};

/* The tests of one run of the program, and what has come of them. */
struct test_run {
    struct test *tests;
    size_t count;
    size_t filtered_out;  /* of the module's tests */
    bool runs_ignored;    /* ignored tests are run like others */
    bool is_captured;     /* else output is shown at once */
    unsigned concurrency; /* how many run at a time */
    uint64_t timeout_ns;  /* a test that takes longer is stopped; 0: none is */
    struct lunatic_runtime *runtime;
    struct lunatic_module *module;
    const struct lunatic_environment_options *environment; /* of every test, but for its entry */
    /* Called as a test has ended, or is ignored, or (`is_slow`) has been running for a minute; one
     * at a time. False: the results cannot be told, and the run is to end. */
    bool (*report)(void *context, const struct test *t);
    void *context;
    bool is_broken; /* standard output cannot be written: the run was given up */
};

/* Runs them all. The result of each is in `tests`. */
bool test_run_all(struct test_run *r, struct error *err);

/* The monotonic clock. */
uint64_t test_clock_ns(void);

#endif
