/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the subcommands have in common. Each is one file, cmd_NAME.c, and one row of the table in
 * help.c, from which the help texts come. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/assert.h"
#include "base/error.h"
#include <stdbool.h>

enum {
    EXIT_OK = 0,
    EXIT_ERROR = 1,        /* after one line "lunatic: ..." on standard error */
    EXIT_USAGE = 2,        /* the command line was not understood */
    EXIT_TIMEOUT = 124,    /* as of timeout(1) */
    EXIT_SIGNAL_BASE = 128 /* plus the number of the signal that ended the program */
};

struct command {
    const char *name;
    int (*run)(int count, char **words); /* the words after the command's name; an exit status */
    const char *summary;                 /* NULL: not in the list of commands */
    const char *usage;                   /* the help text of this command */
};

/* The table of commands; a NULL name ends it. */
extern const struct command commands[];

const struct command *command_find(const char *name);

int cmd_run(int count, char **words);
int cmd_test(int count, char **words);

/* `lunatic run WORDS` of a program of tests: as cmd_test, but that options before the module were
 * meant for `run`. */
int cmd_test_implied(int count, char **words);

/* Whether `lunatic run WORDS` is how `cargo test` starts a program of tests, which wants them run.
 */
bool test_is_implied(int count, char **words);
int cmd_cc(int count, char **words);
int cmd_init(int count, char **words);

/* Commands of the original that are refused, with words. */
int cmd_login(int count, char **words);
int cmd_app(int count, char **words);
int cmd_deploy(int count, char **words);
int cmd_control(int count, char **words);
int cmd_node(int count, char **words);
int cmd_ps(int count, char **words);

/* Prints the help of a command, or of the program if it is NULL; EXIT_OK, or EXIT_ERROR if standard
 * output cannot be written. */
int help_print(const char *name);

/* Prints "lunatic: `text`" on standard error, or a usage error with the hint to ask for help; the
 * exit status is returned. */
int report(const struct error *err);

/* Prints "lunatic: WORDS" on standard error, as base/printable.h has it; EXIT_ERROR. */
int report_words(const char *words);

#endif
