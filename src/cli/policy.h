/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a program is allowed, as the command line and policy files say it: limits, rights,
 * directories, network rules, paths of databases, variables. docs/permissions.md is the manual.
 *
 * Everything is taken in the order of the command line; of two numbers the later one holds, lists
 * grow. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/vec.h"
#include "runtime/lunatic_runtime.h"

struct policy {
    VEC(struct lunatic_dir) dirs; /* without `.` */
    bool no_current_dir;
    VEC(const char *) allow_network;
    VEC(const char *) deny_network;
    VEC(const char *) databases;
    VEC(const char *) variables; /* "NAME=value", to be set */
    VEC(const char *) inherited; /* names of our own variables that are passed on */
    bool inherits_all;           /* true at first: all are */
    VEC(char *) texts;           /* what the others point to, where it is ours */
};

void policy_init(struct policy *p);
void policy_deinit(struct policy *p);

/* The option ids of the table POLICY_OPTIONS. */
enum {
    POLICY_FILE = 1,
    POLICY_DIR,
    POLICY_NO_CURRENT_DIR,
    POLICY_ENV,
    POLICY_INHERIT_ENV,
    POLICY_MEMORY,
    POLICY_FUEL,
    POLICY_CPU,
    POLICY_PROCESSES,
    POLICY_MAILBOX,
    POLICY_MESSAGES,
    POLICY_DESCRIPTORS,
    POLICY_TIMERS,
    POLICY_ALLOW_NET,
    POLICY_DENY_NET,
    POLICY_ALLOW_DATABASE,
    POLICY_NO_COMPILE,
    POLICY_NO_CONFIGS,
    POLICY_NO_SPAWN,
    POLICY_END
};

#define POLICY_OPTIONS                                                                             \
    {"policy", 0, true, POLICY_FILE}, {"dir", 0, true, POLICY_DIR},                                \
        {"no-current-dir", 0, false, POLICY_NO_CURRENT_DIR}, {"env", 0, true, POLICY_ENV},         \
        {"inherit-env", 0, true, POLICY_INHERIT_ENV}, {"max-memory", 0, true, POLICY_MEMORY},      \
        {"max-fuel", 0, true, POLICY_FUEL}, {"max-cpu", 0, true, POLICY_CPU},                      \
        {"max-processes", 0, true, POLICY_PROCESSES}, {"max-mailbox", 0, true, POLICY_MAILBOX},    \
        {"max-messages", 0, true, POLICY_MESSAGES},                                                \
        {"max-descriptors", 0, true, POLICY_DESCRIPTORS}, {"max-timers", 0, true, POLICY_TIMERS},  \
        {"allow-net", 0, true, POLICY_ALLOW_NET}, {"deny-net", 0, true, POLICY_DENY_NET},          \
        {"allow-database", 0, true, POLICY_ALLOW_DATABASE},                                        \
        {"no-compile", 0, false, POLICY_NO_COMPILE}, {"no-configs", 0, false, POLICY_NO_CONFIGS},  \
    {                                                                                              \
        "no-spawn", 0, false, POLICY_NO_SPAWN                                                      \
    }

/* Takes an option of the command line; `value` is borrowed for good. Numbers go straight to `o`.
 * False: the value makes no sense. */
bool policy_take(struct policy *p, struct lunatic_environment_options *o, int id, const char *value,
                 struct error *err);

/* Takes all that the text of a policy file says; `name` is for messages, which name the line. */
bool policy_read(struct policy *p, struct lunatic_environment_options *o, const char *name,
                 struct slice text, struct error *err);

/* Points `o` at what has been collected, our own variables included. */
bool policy_finish(struct policy *p, struct lunatic_environment_options *o, struct error *err);

#endif
