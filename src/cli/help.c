/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/printable.h"
#include "cli/command.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char run_usage[] =
    "usage: lunatic [run] [options] PROGRAM [argument...]\n"
    "\n"
    "Runs PROGRAM, a WebAssembly module (.wasm, or .wat where wat2wasm is installed). Its exit "
    "status\n"
    "is the main process's: what it exits with, 134 after a trap, 137 if it was killed. Arguments "
    "that\n"
    "start with '-' go after '--'.\n"
    "\n"
    "  --bench            pass --bench to the program, as its last argument\n"
    "  --workers N        threads that run processes (as many as the machine has cores for us)\n"
    "  --timeout MS       kill the program after this time\n"
    "  --seed N           run on one thread in an order that depends on N alone\n"
    "  --log LEVEL        off, error, warn (crash reports; the default), info, debug or trace\n"
    "  --log-format FORM  text, or json: an object per line\n"
    "  --grace SECONDS    after SIGTERM or SIGINT everything ends within this time (10)\n"
    "  --no-inspect       let 'lunatic ps' not see the program\n"
    "  --metrics ADDRESS  show metrics to Prometheus at http://ADDRESS/metrics, like "
    "127.0.0.1:9927;\n"
    "                     port 0: one that is free, which is printed (docs/metrics.md)\n"
    "\n"
    "SIGQUIT prints what all processes do, and stops nothing.\n"
    "\n"
    "What the program may do; --dir, --env, the rules and --policy may be repeated:\n"
    "  --dir HOST[::GUEST][:ro]   reach this directory, under its own name or GUEST; ro: only "
    "read\n"
    "                     (the current directory is reached as '.')\n"
    "  --no-current-dir   but not the current directory, unless --dir names it\n"
    "  --env NAME=VALUE   set an environment variable\n"
    "  --inherit-env NAMES   pass on only these of ours (commas between), all (as without) or "
    "none\n"
    "  --max-memory SIZE  bytes of linear memory of each process\n"
    "  --max-cpu TIME     CPU time of each, like 500ms, 10s or 2m\n"
    "  --max-fuel N       instructions of each, in units of 100,000\n"
    "  --max-mailbox SIZE, --max-messages N   what waits in the mailbox of each\n"
    "  --max-descriptors N   files and sockets open in each\n"
    "  --max-timers N     delayed messages under way from each\n"
    "  --max-processes N  processes of the program\n"
    "  --allow-net RULE   network rules: [connect|listen|datagram=]HOST[:PORT[-PORT]]; with one,\n"
    "  --deny-net RULE    only what is allowed; what is denied is denied\n"
    "  --allow-database PATH   SQLite databases only at or below such paths\n"
    "  --no-spawn, --no-configs, --no-compile   take away one of the three rights\n"
    "  --policy FILE      all of this from a TOML file (docs/permissions.md)\n";

static const char ps_usage[] =
    "usage: lunatic ps [options] [PID]\n"
    "\n"
    "Shows the processes of the running program PID: what each does or waits for, its messages, "
    "its\n"
    "memory and CPU time; then how many do the same. Without PID, of the only program that runs, "
    "or\n"
    "else a list of your programs.\n"
    "\n"
    "  --all, -a          all processes (without it, at most 1,000)\n"
    "  --limit N, -n N    at most N\n"
    "  --sort KEY         the greatest first: cpu, memory or queue; or by id (the default)\n"
    "  --process ID       only this process\n"
    "  --users, -u        root: list the programs of all users\n"
    "  --json             JSON instead of a table\n"
    "  --metrics          its metrics instead of a table, as Prometheus would see them\n";

static const char test_usage[] =
    "usage: lunatic test [options] MODULE [FILTER...]\n"
    "\n"
    "Runs the tests of MODULE: its exported functions named #lunatic_test_..., which the crate\n"
    "lunatic makes of #[lunatic::test] and <lunatic/test.h> of LUNATIC_TEST. Those whose names "
    "contain\n"
    "one of the FILTERs, or all. `lunatic run MODULE` does the same for what `cargo test` has "
    "built.\n"
    "Exit status: 0, or 1 if a test has failed.\n"
    "\n"
    "  --skip FILTER      leave out tests whose names contain this; may be repeated\n"
    "  --exact            names must be equal to a FILTER, not contain it\n"
    "  --ignored          run only the tests that are marked to be ignored\n"
    "  --include-ignored  run these too\n"
    "  --exclude-should-panic   leave out tests that should panic\n"
    "  --list             print the names instead of running the tests\n"
    "  --nocapture        print what tests write as they do, not only of those that fail\n"
    "  --show-output      print what tests that pass have written too\n"
    "  --test-threads N   run N tests at a time (four per core, at least 16)\n"
    "  --timeout SECONDS  a test that takes longer has failed\n"
    "  --shuffle, --shuffle-seed N   start them in another order\n"
    "  -q, --quiet        a character per test\n"
    "  --format FORMAT    pretty, terse, json or junit\n"
    "  --color WHEN       auto (if standard output is a terminal), always or never\n"
    "  --report-time      print how long each test took\n"
    "  --junit PATH       write the results as JUnit XML too, into this file or folder\n"
    "  --logfile FILE     write a line per test into a file\n"
    "  --arg ARGUMENT     an argument for the tests' program; may be repeated\n"
    "  --dir, --env, --max-memory, --allow-net, --policy, --workers, --log and their like\n"
    "                     as of `lunatic run`, for each test\n";

static const char cc_usage[] =
    "usage: lunatic cc FILE... [-o PROGRAM.wasm] [options of clang]\n"
    "\n"
    "Compiles C and C++ to a WebAssembly program, with <lunatic.h> and its library. Every option "
    "but\n"
    "-o is clang's; -O2 is added unless another level is named. Without -o the program is named "
    "for\n"
    "the first file.\n"
    "\n"
    "  WASI_SDK_PATH      use this WASI SDK instead of Debian's packages\n"
    "  LUNATIC_CLANG      use this clang (14 or newer)\n";

static const char init_usage[] =
    "usage: lunatic init [--target TARGET]\n"
    "\n"
    "Sets the Cargo project in the current folder up for lunatic: afterwards 'cargo run', 'cargo "
    "test'\n"
    "and 'cargo bench' build for WebAssembly and run the result. Adds to .cargo/config.toml the "
    "target\n"
    "that the installed Rust can build for, and the runner of wasm32-wasip1 and of wasm32-wasi. "
    "What\n"
    "stands there stays; a target or runner of another kind is an error, and nothing is "
    "written.\n"
    "\n"
    "  --target TARGET    wasm32-wasip1, or wasm32-wasi for Rust before 1.78\n";

const struct command commands[] = {
    {"run", cmd_run, "run a WebAssembly program (the word may be left out)", run_usage},
    {"test", cmd_test, "run the tests of a WebAssembly module", test_usage},
    {"init", cmd_init, "set a Cargo project up for lunatic", init_usage},
    {"cc", cmd_cc, "compile C and C++ to a WebAssembly program", cc_usage},
    {"ps", cmd_ps, "show what the processes of a running program do", ps_usage},
    {"login", cmd_login, NULL, NULL},
    {"app", cmd_app, NULL, NULL},
    {"deploy", cmd_deploy, NULL, NULL},
    {"control", cmd_control, NULL, NULL},
    {"node", cmd_node, NULL, NULL},
    {NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    const struct command *c;

    for (c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

int help_print(const char *name)
{
    const struct command *c = name ? command_find(name) : NULL;

    if (c && !c->usage)
        return c->run(0, NULL); /* says what to do instead */
    if (c) {
        fputs(c->usage, stdout);
    } else {
        fputs("usage: lunatic [run] [options] PROGRAM [argument...]\n"
              "       lunatic COMMAND [options]\n"
              "\n"
              "Runs WebAssembly programs made of many small processes.\n"
              "\n",
              stdout);
        for (c = commands; c->name; c++) {
            if (c->summary)
                printf("  %-8s %s\n", c->name, c->summary);
        }
        fputs("  help     explain a command\n"
              "\n"
              "  --help, --version\n",
              stdout);
    }
    if (fflush(stdout) != 0) {
        fprintf(stderr, "lunatic: standard output: %s\n", strerror(errno));
        return EXIT_ERROR;
    }
    return EXIT_OK;
}

int report_words(const char *words)
{
    struct bytes text = {0};

    /* What is wrong with a module is told in its own words, sometimes. */
    if (printable_append(&text, slice_text(words), PRINTABLE_LINES))
        fprintf(stderr, "lunatic: %.*s\n", (int)text.size, (const char *)text.data);
    else
        fputs("lunatic: out of memory\n", stderr);
    bytes_deinit(&text);
    return EXIT_ERROR;
}

int report(const struct error *err)
{
    report_words(err->text);
    if (err->code != ERR_USAGE)
        return EXIT_ERROR;
    fputs("Try 'lunatic --help'.\n", stderr);
    return EXIT_USAGE;
}
