/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `lunatic run`: one program from its start to its end, in a runtime of its own.
 *
 * SIGINT and SIGTERM are taken by a thread that waits for them: the first asks the program to stop,
 * and the exit status is 128 + n; the second ends everything on the spot. */
#define _GNU_SOURCE
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "runtime/lunatic_runtime.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 1024

enum {
    OPT_DIR = 1,
    OPT_ENV,
    OPT_BENCH,
    OPT_WORKERS,
    OPT_SEED,
    OPT_MEMORY,
    OPT_FUEL,
    OPT_TIMEOUT,
    OPT_METERED,
    OPT_EXACT,
    OPT_MOVE,
    OPT_OLD_KERNEL,
    OPT_HELP
};

static const struct option options[] = {
    {"dir", 0, true, OPT_DIR},
    {"env", 0, true, OPT_ENV},
    {"bench", 0, false, OPT_BENCH},
    {"workers", 0, true, OPT_WORKERS},
    {"seed", 0, true, OPT_SEED},
    {"max-memory", 0, true, OPT_MEMORY},
    {"max-fuel", 0, true, OPT_FUEL},
    {"timeout", 0, true, OPT_TIMEOUT},
    {"metered", 0, false, OPT_METERED}, /* these four are for tests of the runtime itself */
    {"exact", 0, false, OPT_EXACT},
    {"move-stacks", 0, false, OPT_MOVE},
    {"old-kernel", 0, false, OPT_OLD_KERNEL},
    {"help", 'h', false, OPT_HELP},
    {NULL, 0, false, 0},
};

/* What the command line says. The arrays have room for every word of it. */
struct request {
    const char *path;
    const char **args; /* of the guest */
    size_t arg_count;
    struct lunatic_dir *dirs;
    size_t dir_count;
    const char **variables;
    size_t variable_count;
    bool bench, help;
    struct lunatic_runtime_options runtime;
    struct lunatic_environment_options environment;
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

/* Adds "NAME=value" to the variables, or replaces the one of that name. */
static void set_variable(struct request *r, const char *text)
{
    size_t name = strcspn(text, "=") + 1, i;

    for (i = 0; i < r->variable_count; i++) {
        if (strncmp(r->variables[i], text, name) == 0) {
            r->variables[i] = text;
            return;
        }
    }
    r->variables[r->variable_count++] = text;
}

static void add_dir(struct request *r, const char *path)
{
    const char *home = getenv("HOME");

    r->dirs[r->dir_count].guest_path = path;
    r->dirs[r->dir_count].host_path = strcmp(path, "~") == 0 && home ? home : path;
    r->dir_count++;
}

static bool number_option(const char *name, const char *text, uint64_t max, uint64_t *out,
                          struct error *err)
{
    if (!args_number(text, max, out))
        return fail(err, ERR_USAGE, "option '--%s' wants a number of at most %llu, not '%s'", name,
                    (unsigned long long)max, text);
    return true;
}

static bool take_option(struct request *r, int id, const char *value, struct error *err)
{
    uint64_t n = 0;

    switch (id) {
    case OPT_DIR:
        add_dir(r, value);
        return true;
    case OPT_ENV:
        if (value[0] == '=' || !strchr(value, '='))
            return fail(err, ERR_USAGE, "option '--env' wants NAME=VALUE, not '%s'", value);
        set_variable(r, value);
        return true;
    case OPT_BENCH:
        r->bench = true;
        return true;
    case OPT_WORKERS:
        if (!number_option("workers", value, WORKERS_MAX, &n, err))
            return false;
        if (n == 0)
            return fail(err, ERR_USAGE, "option '--workers' wants at least 1");
        r->runtime.workers = (unsigned)n;
        return true;
    case OPT_SEED:
        r->runtime.deterministic = true;
        return number_option("seed", value, UINT64_MAX, &r->runtime.seed, err);
    case OPT_MEMORY:
        return number_option("max-memory", value, UINT64_MAX, &r->environment.memory_max, err);
    case OPT_FUEL:
        return number_option("max-fuel", value, UINT64_MAX, &r->environment.fuel_max, err);
    case OPT_TIMEOUT:
        return number_option("timeout", value, UINT64_MAX, &r->environment.timeout_ms, err);
    case OPT_METERED:
        r->runtime.metered = true;
        return true;
    case OPT_EXACT:
        r->runtime.exact = true;
        return true;
    case OPT_MOVE:
        r->runtime.move_stacks = true;
        return true;
    case OPT_OLD_KERNEL:
        r->runtime.old_kernel = true;
        return true;
    default:
        r->help = true;
        return true;
    }
}

/* RUST_LOG as the original reads it, as far as one level for all goes: "level" or "target=level",
 * comma by comma; the last that concerns us wins. */
static enum lunatic_log_level log_level(void)
{
    static const char *const names[] = {"off", "error", "warn", "info", "debug", "trace"};
    const char *p = getenv("RUST_LOG");
    enum lunatic_log_level level = LUNATIC_LOG_WARN;
    size_t i;

    while (p && *p != '\0') {
        size_t length = strcspn(p, ","), target = strcspn(p, "=");
        const char *word = p;

        if (target < length) {
            if (strncmp(p, "lunatic", 7) == 0)
                word = p + target + 1;
            else
                word = NULL;
        }
        for (i = 0; word && i < ARRAY_COUNT(names); i++) {
            if (strlen(names[i]) == length - (size_t)(word - p) &&
                strncasecmp(word, names[i], strlen(names[i])) == 0)
                level = (enum lunatic_log_level)i;
        }
        p += length + (p[length] == ',');
    }
    return level;
}

static bool read_request(struct request *r, int count, char **words, struct error *err)
{
    extern char **environ;
    const char *value, *base;
    size_t room = (size_t)count + 2, inherited = 0, i;
    struct args a;
    int id;

    while (environ[inherited])
        inherited++;
    r->args = mem_new_array(const char *, room);
    r->dirs = mem_new_array(struct lunatic_dir, room);
    r->variables = mem_new_array(const char *, room + inherited);
    for (i = 0; i < inherited; i++)
        r->variables[r->variable_count++] = environ[i];
    lunatic_runtime_options_init(&r->runtime);
    lunatic_environment_options_init(&r->environment);
    r->runtime.log_level = log_level();
    add_dir(r, ".");

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
    r->environment.args = r->args;
    r->environment.arg_count = r->arg_count;
    r->environment.dirs = r->dirs;
    r->environment.dir_count = r->dir_count;
    r->environment.variables = r->variables;
    r->environment.variable_count = r->variable_count;
    return true;
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
    bool in_time = lunatic_environment_wait(e, timeout_ms ? timeout_ms : UINT64_MAX, &how);
    int caught;

    if (!in_time) {
        lunatic_environment_stop(e);
        (void)!lunatic_environment_wait(e, UINT64_MAX, &how);
    }
    pthread_mutex_lock(&stopper.lock);
    stopper.running = NULL;
    caught = stopper.caught;
    pthread_mutex_unlock(&stopper.lock);
    if (caught != 0)
        return EXIT_SIGNAL_BASE + caught;
    if (!in_time) {
        fprintf(stderr, "lunatic: stopped after %llu ms (--timeout)\n",
                (unsigned long long)timeout_ms);
        return EXIT_TIMEOUT;
    }
    if (how.kind == LUNATIC_EXIT_OUTPUT || how.kind == LUNATIC_EXIT_STUCK)
        fprintf(stderr, "lunatic: %s\n", how.text);
    return how.status;
}

/* A directory that the user named and the program would not get is a mistake of the command line.
 */
static bool check_dirs(const struct request *r, struct error *err)
{
    size_t i;

    for (i = 0; i < r->dir_count; i++) {
        int fd = open(r->dirs[i].host_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return fail_os(err, errno, "--dir %s", r->dirs[i].host_path);
        close(fd);
    }
    return true;
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
    if (!lunatic_runtime_new(&r->runtime, &rt, &err) ||
        !lunatic_module_load_file(rt, r->path, &m, &err)) {
        status = report_runtime(&err);
        goto out;
    }
    /* Under the lock, so that a signal from now on finds the program. */
    pthread_mutex_lock(&stopper.lock);
    if (!lunatic_environment_start(rt, m, &r->environment, &e, &err)) {
        pthread_mutex_unlock(&stopper.lock);
        status = report_runtime(&err);
        goto out;
    }
    stopper.running = e;
    pthread_mutex_unlock(&stopper.lock);
    status = finish(e, r->environment.timeout_ms);
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
    else if (!check_dirs(&r, &err) || !take_signals_start(&err))
        status = report(&err);
    else
        status = run(&r);
    mem_free(r.variables);
    mem_free(r.dirs);
    mem_free(r.args);
    return status;
}
