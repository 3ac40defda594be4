/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The command line: picks the subcommand. `run` may be left out when the first word looks like what
 * it takes; and `run` of what cargo has built for tests is `test`. */
#include "cli/command.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Whether `word` starts with --bench or --dir, or has ".wasm" or ".wat" after its first letter. */
static bool implies_run(const char *word)
{
    if (strncmp(word, "--bench", 7) == 0 || strncmp(word, "--dir", 5) == 0)
        return true;
    return word[0] != '\0' && (strstr(word + 1, ".wasm") || strstr(word + 1, ".wat"));
}

static int print_version(void)
{
    /* The second number is the version of the original whose guest interface this is. */
    printf("lunatic %s (guest interface 0.13.2)\n", LUNATIC_VERSION);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "lunatic: standard output: %s\n", strerror(errno));
        return EXIT_ERROR;
    }
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    const struct command *c;
    const char *first;
    struct error err;

    /* A reader that has gone is an error of the write, not the death of the whole runtime. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        fputs("lunatic: no program and no command\nTry 'lunatic --help'.\n", stderr);
        return EXIT_USAGE;
    }
    first = argv[1];
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return help_print(NULL);
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
        return print_version();
    if (strcmp(first, "run") == 0 && argc == 3 &&
        (strcmp(argv[2], "--version") == 0 || strcmp(argv[2], "-V") == 0))
        return print_version();
    if (strcmp(first, "help") == 0) {
        if (argc > 2 && !command_find(argv[2])) {
            fail(&err, ERR_USAGE, "no command '%s'", argv[2]);
            return report(&err);
        }
        return help_print(argc > 2 ? argv[2] : NULL);
    }
    if (implies_run(first))
        return test_is_implied(argc - 1, argv + 1) ? cmd_test_implied(argc - 1, argv + 1)
                                                   : cmd_run(argc - 1, argv + 1);
    if (strcmp(first, "run") == 0 && test_is_implied(argc - 2, argv + 2))
        return cmd_test_implied(argc - 2, argv + 2);
    c = command_find(first);
    if (c)
        return c->run(argc - 2, argv + 2);
    if (first[0] == '-')
        fail(&err, ERR_USAGE, "unknown option '%s'", first);
    else
        fail(&err, ERR_USAGE, "no command '%s', and no name of a program (.wasm)", first);
    return report(&err);
}
