/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How a program is launched: what `run` and `test` have in common on their command lines. That is
 * the program's directories, variables and limits, and the options of the runtime.
 *
 * A command puts LAUNCH_OPTIONS into its table of options, hands every id below LAUNCH_END to
 * launch_take, and numbers its own options from LAUNCH_END on. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "base/error.h"
#include "runtime/lunatic_runtime.h"

struct launch {
    struct lunatic_dir *dirs; /* room for one per word of the command line */
    size_t dir_count;         /* the first is `.`, until launch_finish */
    bool no_current_dir;
    bool has_log_level; /* --log was given */
    const char **variables;
    size_t variable_count;
    struct lunatic_runtime_options runtime;
    struct lunatic_environment_options environment;
};

enum {
    LAUNCH_DIR = 1,
    LAUNCH_NO_CURRENT_DIR,
    LAUNCH_ENV,
    LAUNCH_WORKERS,
    LAUNCH_MEMORY,
    LAUNCH_FUEL,
    LAUNCH_LOG,
    LAUNCH_LOG_FORMAT,
    LAUNCH_METERED, /* these three, and `run --exact`, are for tests of the runtime itself */
    LAUNCH_MOVE,
    LAUNCH_OLD_KERNEL,
    LAUNCH_END
};

#define LAUNCH_OPTIONS                                                                             \
    {"dir", 0, true, LAUNCH_DIR}, {"no-current-dir", 0, false, LAUNCH_NO_CURRENT_DIR},             \
        {"env", 0, true, LAUNCH_ENV}, {"workers", 0, true, LAUNCH_WORKERS},                        \
        {"max-memory", 0, true, LAUNCH_MEMORY}, {"max-fuel", 0, true, LAUNCH_FUEL},                \
        {"log", 0, true, LAUNCH_LOG}, {"log-format", 0, true, LAUNCH_LOG_FORMAT},                  \
        {"metered", 0, false, LAUNCH_METERED}, {"move-stacks", 0, false, LAUNCH_MOVE},             \
    {                                                                                              \
        "old-kernel", 0, false, LAUNCH_OLD_KERNEL                                                  \
    }

/* Defaults: the directory `.`, our own environment variables, as many descriptors as the
 * system allows, the log level that LUNATIC_LOG or RUST_LOG says. No more than `word_count` options
 * will be taken. */
void launch_init(struct launch *l, int word_count);
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
