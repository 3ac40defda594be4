/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tests written as guests: a body in text format, with every function of abi/ imported as
 * $module.name and a few helpers, run to its end. What a guest checks it checks itself: $equal
 * traps if its arguments differ, so a test that passes ends normally. */
#ifndef TEST_PROGRAM_H
#define TEST_PROGRAM_H

#include "runtime/lunatic_runtime.h"

struct program_options {
    struct lunatic_runtime_options runtime;
    struct lunatic_environment_options environment;
};

void program_options_init(struct program_options *o);

/* Runs it. False, and the test has failed, if it could not be built, loaded or started. */
bool program_run(const char *body, const struct program_options *options, struct lunatic_exit *how);

/* Whether it ends normally in every variant: plain, metered, exact, moving stacks, deterministic.
 */
bool program_passes(const char *body);

/* Compiles a body in `rt`. False, and the test has failed, if that cannot be done. */
bool program_build(struct lunatic_runtime *rt, const char *body, struct lunatic_module **out);

/* Loads a module in text format as it is, without the prelude. */
bool program_load(struct lunatic_runtime *rt, const char *text, struct lunatic_module **out,
                  struct lunatic_error *err);

/* How many this program has open, give or take a constant. */
unsigned descriptors(void);

/* What precedes every body: for $start see the C file. */
#define START(code)      "(func (export \"_start\") (local $i i32) (local $p i64) " code ")"
#define FUNC(name, code) "(func (export \"" name "\") (local $i i32) (local $p i64) " code ")"
#define FUNC1(name, code)                                                                          \
    "(func (export \"" name "\") (param $x i64) (local $i i32) (local $p i64) " code ")"

#endif
