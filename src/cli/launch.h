/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How a program is launched: what `run` and `test` have in common on their command lines. That is
 * the program's directories, variables and limits, and the options of the runtime.
 *
 * A command puts LAUNCH_OPTIONS into its table of options, hands every id below LAUNCH_END to
 * launch_take, and numbers its own options from LAUNCH_END on. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "base/error.h"
#include "cli/policy.h"
#include "runtime/lunatic_runtime.h"

struct launch {
    struct policy policy;
    bool has_log_level; /* --log was given */
    struct lunatic_runtime_options runtime;
    struct lunatic_environment_options environment;
};

enum {
    LAUNCH_WORKERS = POLICY_END,
    LAUNCH_LOG,
    LAUNCH_LOG_FORMAT,
    LAUNCH_METERED, /* these three, and `run --exact`, are for tests of the runtime itself */
    LAUNCH_MOVE,
    LAUNCH_OLD_KERNEL,
    LAUNCH_END
};

#define LAUNCH_OPTIONS                                                                             \
    POLICY_OPTIONS, {"workers", 0, true, LAUNCH_WORKERS}, {"log", 0, true, LAUNCH_LOG},            \
        {"log-format", 0, true, LAUNCH_LOG_FORMAT}, {"metered", 0, false, LAUNCH_METERED},         \
        {"move-stacks", 0, false, LAUNCH_MOVE},                                                    \
    {                                                                                              \
        "old-kernel", 0, false, LAUNCH_OLD_KERNEL                                                  \
    }

/* Defaults: the directory `.`, our own environment variables, as many descriptors as the
 * system allows, the log level that LUNATIC_LOG or RUST_LOG says. */
void launch_init(struct launch *l);
void launch_deinit(struct launch *l);

/* Takes an option; `value` is borrowed for good. False: the value makes no sense. */
bool launch_take(struct launch *l, int id, const char *value, struct error *err);

/* Parses the number that is the value of option `name`. */
bool launch_number(const char *name, const char *text, uint64_t max, uint64_t *out,
                   struct error *err);

/* To be called when all options have been taken: points `environment` at what was collected, and
 * checks what can be checked. A directory that the user named and the program would not get is a
 * mistake of the command line. */
bool launch_finish(struct launch *l, struct error *err);

#endif
