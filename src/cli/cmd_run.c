/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `lunatic run`: one program from its start to its end, in a runtime of its own.
 *
 * SIGINT and SIGTERM are taken by a thread that waits for them: the first asks the program to stop,
 * and the exit status is 128 + n; the second ends everything on the spot. */
#define _GNU_SOURCE
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "runtime/lunatic_runtime.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_BENCH = LAUNCH_END, OPT_SEED, OPT_TIMEOUT, OPT_EXACT, OPT_HELP };

static const struct option options[] = {
    LAUNCH_OPTIONS,
    {"bench", 0, false, OPT_BENCH},
    {"seed", 0, true, OPT_SEED},
    {"timeout", 0, true, OPT_TIMEOUT},
    {"exact", 0, false, OPT_EXACT},
    {"help", 'h', false, OPT_HELP},
    {NULL, 0, false, 0},
};

/* What the command line says. */
struct request {
    const char *path;
    const char **args; /* of the guest; room for every word of the command line */
    size_t arg_count;
    bool bench, help;
    struct launch launch;
};

/* What the thread that takes the signals shares with the main thread. */
struct stopper {
    pthread_mutex_t lock;
    struct lunatic_environment *running; /* NULL: not yet, or no longer */
    int caught;                          /* the first signal, 0: none */
};

static struct stopper stopper = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

static void *take_signals(void *unused)
{
    sigset_t set;
    int n;

    (void)unused;
    stop_signals(&set);
    for (;;) {
        if (sigwait(&set, &n) != 0)
            continue;
        pthread_mutex_lock(&stopper.lock);
        if (stopper.caught != 0 || !stopper.running)
            _exit(EXIT_SIGNAL_BASE + n);
        stopper.caught = n;
        lunatic_environment_stop(stopper.running);
        pthread_mutex_unlock(&stopper.lock);
    }
    return NULL;
}

/* Blocks the signals for this thread and those it will start, and starts the one that takes them.
 */
static bool take_signals_start(struct error *err)
{
    pthread_t thread;
    sigset_t set;
    int failed;

    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    failed = pthread_create(&thread, NULL, take_signals, NULL);
    if (failed)
        return fail_os(err, failed, "a thread for signals");
    pthread_detach(thread);
    return true;
}

static bool take_option(struct request *r, int id, const char *value, struct error *err)
{
    struct launch *l = &r->launch;

    if (id < LAUNCH_END)
        return launch_take(l, id, value, err);
    switch (id) {
    case OPT_BENCH:
        r->bench = true;
        return true;
    case OPT_SEED:
        l->runtime.deterministic = true;
        return launch_number("seed", value, UINT64_MAX, &l->runtime.seed, err);
    case OPT_TIMEOUT:
        return launch_number("timeout", value, UINT64_MAX, &l->environment.timeout_ms, err);
    case OPT_EXACT:
        l->runtime.exact = true;
        return true;
    default:
        r->help = true;
        return true;
    }
}

static bool read_request(struct request *r, int count, char **words, struct error *err)
{
    const char *value, *base;
    struct args a;
    int id;

    r->args = mem_new_array(const char *, (size_t)count + 2);
    launch_init(&r->launch, count);
    args_init(&a, options, count, words);
    while ((id = args_next(&a, &value, err)) != ARGS_END) {
        if (id == ARGS_ERROR)
            return false;
        if (id != ARGS_WORD) {
            if (!take_option(r, id, value, err))
                return false;
        } else if (!r->path) {
            r->path = value;
            base = strrchr(value, '/');
            r->args[r->arg_count++] = base ? base + 1 : value;
        } else {
            r->args[r->arg_count++] = value;
        }
    }
    if (r->help)
        return true;
    if (!r->path)
        return fail(err, ERR_USAGE, "no program to run");
    if (r->bench)
        r->args[r->arg_count++] = "--bench";
    r->launch.environment.args = r->args;
    r->launch.environment.arg_count = r->arg_count;
    return launch_finish(&r->launch, err);
}

/* Prints the runtime's words. A list of missing imports has a line each. */
static int report_runtime(const struct lunatic_error *err)
{
    fprintf(stderr, "lunatic: %s\n", err->text);
    return EXIT_ERROR;
}

/* Waits for the program's end, and says what no line of the log has said. */
static int finish(struct lunatic_environment *e, uint64_t timeout_ms)
{
    struct lunatic_exit how;
    int caught;

    (void)!lunatic_environment_wait(e, UINT64_MAX, &how);
    pthread_mutex_lock(&stopper.lock);
    stopper.running = NULL;
    caught = stopper.caught;
    pthread_mutex_unlock(&stopper.lock);
    if (caught != 0)
        return EXIT_SIGNAL_BASE + caught;
    if (how.kind == LUNATIC_EXIT_TIMEOUT) {
        fprintf(stderr, "lunatic: stopped after %llu ms (--timeout)\n",
                (unsigned long long)timeout_ms);
        return EXIT_TIMEOUT;
    }
    if (how.kind == LUNATIC_EXIT_OUTPUT || how.kind == LUNATIC_EXIT_STUCK)
        fprintf(stderr, "lunatic: %s\n", how.text);
    return how.status;
}

static int run(const struct request *r)
{
    struct lunatic_error err;
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct lunatic_environment *e = NULL;
    int status;

    if (access(r->path, F_OK) != 0) {
        fprintf(stderr, "lunatic: Module '%s' not found\n", r->path);
        return EXIT_ERROR;
    }
    if (!lunatic_runtime_new(&r->launch.runtime, &rt, &err) ||
        !lunatic_module_load_file(rt, r->path, &m, &err)) {
        status = report_runtime(&err);
        goto out;
    }
    /* Under the lock, so that a signal from now on finds the program. */
    pthread_mutex_lock(&stopper.lock);
    if (!lunatic_environment_start(rt, m, &r->launch.environment, &e, &err)) {
        pthread_mutex_unlock(&stopper.lock);
        status = report_runtime(&err);
        goto out;
    }
    stopper.running = e;
    pthread_mutex_unlock(&stopper.lock);
    status = finish(e, r->launch.environment.timeout_ms);
out:
    lunatic_environment_free(e);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
    return status;
}

int cmd_run(int count, char **words)
{
    struct request r = {0};
    struct error err = {0};
    int status;

    if (!read_request(&r, count, words, &err))
        status = report(&err);
    else if (r.help)
        status = help_print("run");
    else if (!take_signals_start(&err))
        status = report(&err);
    else
        status = run(&r);
    launch_deinit(&r.launch);
    mem_free(r.args);
    return status;
}
