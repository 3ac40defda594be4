/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `lunatic run`: one program from its start to its end, in a runtime of its own.
 *
 * What the outside does to it while it runs (signals, `lunatic ps`) is the business of signals.c.
 */
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/signals.h"
#include "runtime/lunatic_runtime.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPT_BENCH = LAUNCH_END,
    OPT_SEED,
    OPT_TIMEOUT,
    OPT_EXACT,
    OPT_GRACE,
    OPT_NO_INSPECT,
    OPT_METRICS,
    OPT_PROMETHEUS,
    OPT_PROMETHEUS_HTTP,
    OPT_HELP
};

/* Where the original listens if it is not told. */
#define PROMETHEUS_DEFAULT "0.0.0.0:9927"

static const struct option options[] = {
    LAUNCH_OPTIONS,
    {"bench", 0, false, OPT_BENCH},
    {"seed", 0, true, OPT_SEED},
    {"timeout", 0, true, OPT_TIMEOUT},
    {"exact", 0, false, OPT_EXACT},
    {"grace", 0, true, OPT_GRACE},
    {"no-inspect", 0, false, OPT_NO_INSPECT},
    {"metrics", 0, true, OPT_METRICS},
    {"prometheus", 0, false, OPT_PROMETHEUS}, /* these two are the original's */
    {"prometheus-http", 0, true, OPT_PROMETHEUS_HTTP},
    {"help", 'h', false, OPT_HELP},
    {NULL, 0, false, 0},
};

/* What the command line says. */
struct request {
    const char *path;
    const char **args; /* of the guest; room for every word of the command line */
    size_t arg_count;
    bool bench, help;
    const char *metrics; /* where to show them; NULL: nowhere */
    bool prometheus;
    const char *prometheus_http;
    struct launch launch;
    struct signals_options signals;
};

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
    case OPT_GRACE:
        if (!launch_number("grace", value, GRACE_S_MAX, &r->signals.grace_ms, err))
            return false;
        r->signals.grace_ms *= 1000;
        return true;
    case OPT_NO_INSPECT:
        r->signals.no_inspect = true;
        return true;
    case OPT_PROMETHEUS:
        r->prometheus = true;
        return true;
    case OPT_METRICS:
        r->metrics = value;
        return true;
    case OPT_PROMETHEUS_HTTP:
        r->prometheus_http = value;
        return true;
    default:
        r->help = true;
        return true;
    }
}

/* Where metrics are shown. */
static bool finish_metrics(struct request *r, struct error *err)
{
    struct lunatic_error words;

    if (r->prometheus_http && !r->prometheus)
        return fail(err, ERR_USAGE,
                    "option '--prometheus-http' does nothing without '--prometheus'; or say "
                    "'--metrics %.100s'",
                    r->prometheus_http);
    if (r->prometheus && r->metrics)
        return fail(err, ERR_USAGE, "'--prometheus' is another word for '--metrics': say one");
    if (r->prometheus)
        r->metrics = r->prometheus_http ? r->prometheus_http : PROMETHEUS_DEFAULT;
    if (r->metrics && !lunatic_check_metrics_address(r->metrics, &words))
        return fail(err, ERR_USAGE, "%s", words.text);
    return true;
}

static bool read_request(struct request *r, int count, char **words, struct error *err)
{
    const char *value, *base;
    struct args a;
    int id;

    r->args = mem_new_array(const char *, (size_t)count + 2);
    launch_init(&r->launch);
    r->signals.grace_ms = GRACE_MS_DEFAULT;
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
    if (!finish_metrics(r, err))
        return false;
    if (r->bench)
        r->args[r->arg_count++] = "--bench";
    r->launch.environment.args = r->args;
    r->launch.environment.arg_count = r->arg_count;
    return launch_finish(&r->launch, err);
}

/* Waits for the program's end, and says what no line of the log has said. */
static int finish(struct lunatic_environment *e, uint64_t timeout_ms)
{
    struct lunatic_exit how;
    int caught;

    (void)!lunatic_environment_wait(e, UINT64_MAX, &how);
    caught = signals_over();
    if (caught != 0)
        return EXIT_SIGNAL_BASE + caught;
    if (how.kind == LUNATIC_EXIT_TIMEOUT) {
        fprintf(stderr, "lunatic: stopped after %llu ms (--timeout)\n",
                (unsigned long long)timeout_ms);
        return EXIT_TIMEOUT;
    }
    if (how.kind == LUNATIC_EXIT_OUTPUT || how.kind == LUNATIC_EXIT_STUCK)
        report_words(how.text);
    return how.status;
}

/* A program that is being started. */
struct start {
    const struct request *request;
    struct lunatic_runtime *runtime;
    struct lunatic_module *module;
    struct lunatic_environment *environment;
    struct lunatic_error err;
};

static bool start(void *arg)
{
    struct start *s = arg;

    return lunatic_environment_start(s->runtime, s->module, &s->request->launch.environment,
                                     &s->environment, &s->err);
}

/* Shows the metrics, and says where if the system has chosen the port. */
static bool serve_metrics(const struct request *r, struct start *s)
{
    size_t size = r->metrics ? strlen(r->metrics) : 0;
    char bound[64];

    if (!r->metrics)
        return true;
    if (!lunatic_runtime_serve_metrics(s->runtime, r->metrics, bound, sizeof(bound), &s->err))
        return false;
    if (size > 2 && strcmp(r->metrics + size - 2, ":0") == 0)
        fprintf(stderr, "lunatic: metrics at http://%s/metrics\n", bound);
    return true;
}

static int run(const struct request *r)
{
    struct start s = {.request = r};
    int status;

    if (access(r->path, F_OK) != 0) {
        fprintf(stderr, "lunatic: Module '%s' not found\n", r->path);
        return EXIT_ERROR;
    }
    if (!lunatic_runtime_new(&r->launch.runtime, &s.runtime, &s.err) || !serve_metrics(r, &s) ||
        !lunatic_module_load_file(s.runtime, r->path, &s.module, &s.err) ||
        !signals_run(s.runtime, r->path, start, &s, &s.environment))
        status = report_words(s.err.text); /* missing imports have a line each */
    else
        status = finish(s.environment, r->launch.environment.timeout_ms);
    if (!signals_end()) {
        fflush(NULL);
        _exit(status);
    }
    lunatic_environment_free(s.environment);
    lunatic_module_free(s.module);
    lunatic_runtime_free(s.runtime);
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
    else if (!signals_start(&r.signals, &err))
        status = report(&err);
    else
        status = run(&r);
    launch_deinit(&r.launch);
    mem_free(r.args);
    return status;
}
