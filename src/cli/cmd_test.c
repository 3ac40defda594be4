/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `lunatic test`: runs the tests of a module. With the options of Rust's own test harness, since
 * `cargo test` hands over what its users type. */
#define _GNU_SOURCE
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/test_case.h"
#include "cli/test_junit.h"
#include "cli/test_report.h"
#include "cli/test_run.h"
#include "cli/watch.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONCURRENCY_MAX      512u /* a thread each, that waits */
#define CONCURRENCY_MIN      16u  /* unless said otherwise: tests wait more than they compute */
#define CONCURRENCY_PER_CORE 4u
#define TIMEOUT_MAX_S        1000000000ull

enum {
    OPT_IGNORED = LAUNCH_END,
    OPT_INCLUDE_IGNORED,
    OPT_EXACT,
    OPT_SKIP,
    OPT_LIST,
    OPT_FORMAT,
    OPT_QUIET,
    OPT_NO_CAPTURE,
    OPT_SHOW_OUTPUT,
    OPT_COLOR,
    OPT_THREADS,
    OPT_TIMEOUT,
    OPT_JUNIT,
    OPT_LOG_FILE,
    OPT_SHUFFLE,
    OPT_SHUFFLE_SEED,
    OPT_REPORT_TIME,
    OPT_EXCLUDE_SHOULD_PANIC,
    OPT_ARG,
    OPT_EXACT_TRAPS,
    OPT_SEED,
    OPT_NOTHING, /* accepted, because the harness does, and without a meaning here */
    OPT_HELP
};

static const struct option options[] = {
    LAUNCH_OPTIONS,
    {"ignored", 0, false, OPT_IGNORED},
    {"include-ignored", 0, false, OPT_INCLUDE_IGNORED},
    {"exact", 0, false, OPT_EXACT},
    {"skip", 0, true, OPT_SKIP},
    {"list", 0, false, OPT_LIST},
    {"format", 0, true, OPT_FORMAT},
    {"quiet", 'q', false, OPT_QUIET},
    {"nocapture", 0, false, OPT_NO_CAPTURE},
    {"no-capture", 0, false, OPT_NO_CAPTURE},
    {"show-output", 0, false, OPT_SHOW_OUTPUT},
    {"color", 0, true, OPT_COLOR},
    {"test-threads", 0, true, OPT_THREADS},
    {"timeout", 0, true, OPT_TIMEOUT},
    {"junit", 0, true, OPT_JUNIT},
    {"logfile", 0, true, OPT_LOG_FILE},
    {"shuffle", 0, false, OPT_SHUFFLE},
    {"shuffle-seed", 0, true, OPT_SHUFFLE_SEED},
    {"report-time", 0, false, OPT_REPORT_TIME},
    {"exclude-should-panic", 0, false, OPT_EXCLUDE_SHOULD_PANIC},
    {"arg", 0, true, OPT_ARG},
    {"exact-traps", 0, false, OPT_EXACT_TRAPS}, /* `run --exact`; for tests of the runtime itself */
    {"test", 0, false, OPT_NOTHING},
    {"force-run-in-process", 0, false, OPT_NOTHING},
    {"seed", 0, true, OPT_SEED},     /* these three are of `run`: a runner of cargo may */
    {"grace", 0, true, OPT_NOTHING}, /* have them, for programs that are no tests */
    {"no-inspect", 0, false, OPT_NOTHING},
    {"Z", 'Z', true, OPT_NOTHING},
    {"help", 'h', false, OPT_HELP},
    {NULL, 0, false, 0},
};

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* What the command line says. The arrays have room for every word of it. */
struct request {
    bool is_implied; /* what is before the path was written for `run` */
    const char *path;
    const char **args; /* of the guest */
    size_t arg_count;
    struct test_selection selection;
    enum test_format format;
    enum color color;
    bool help, list, no_capture, show_output, report_time, shuffle;
    uint64_t seed;
    uint64_t threads; /* 0: not said */
    uint64_t timeout_ns;
    const char *junit, *log_file; /* NULL: none */
    struct launch launch;
};

/* ---- the command line ---- */

/* "2", "0.5" */
static bool read_timeout(const char *text, uint64_t *ns, struct error *err)
{
    uint64_t s = 0, part = 0, unit = 1000000000;
    const char *p = text;

    for (; *p >= '0' && *p <= '9' && s <= TIMEOUT_MAX_S; p++)
        s = s * 10 + (uint64_t)(*p - '0');
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++) {
            unit /= 10;
            part += (uint64_t)(*p - '0') * unit;
        }
    }
    if (*p != '\0' || p == text || s > TIMEOUT_MAX_S || s * 1000000000 + part == 0)
        return fail(err, ERR_USAGE, "option '--timeout' wants a number of seconds, not '%s'", text);
    *ns = s * 1000000000 + part;
    return true;
}

/* The index of `text` among `names`, which NULL ends. */
static bool read_choice(const char *option, const char *text, const char *const *names, int *out,
                        struct error *err)
{
    char all[128] = "";
    int i;

    for (i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", names[i]);
    }
    return fail(err, ERR_USAGE, "option '--%s' wants one of %s, not '%s'", option, all, text);
}

static bool take_option(struct request *r, int id, const char *value, struct error *err)
{
    static const char *const formats[] = {"pretty", "terse", "json", "junit", NULL};
    static const char *const colors[] = {"auto", "always", "never", NULL};
    int n = 0;

    if (id < LAUNCH_END)
        return launch_take(&r->launch, id, value, err);
    switch (id) {
    case OPT_IGNORED:
        r->selection.ignored = TEST_IGNORED_ONLY;
        return true;
    case OPT_INCLUDE_IGNORED:
        r->selection.ignored = TEST_IGNORED_TOO;
        return true;
    case OPT_EXACT:
        if (r->is_implied && !r->path)
            r->launch.runtime.exact = true;
        else
            r->selection.is_exact = true;
        return true;
    case OPT_SKIP:
        r->selection.skips[r->selection.skip_count++] = value;
        return true;
    case OPT_LIST:
        r->list = true;
        return true;
    case OPT_FORMAT:
        if (!read_choice("format", value, formats, &n, err))
            return false;
        r->format = (enum test_format)n;
        return true;
    case OPT_QUIET:
        r->format = TEST_FORMAT_TERSE;
        return true;
    case OPT_NO_CAPTURE:
        r->no_capture = true;
        return true;
    case OPT_SHOW_OUTPUT:
        r->show_output = true;
        return true;
    case OPT_COLOR:
        if (!read_choice("color", value, colors, &n, err))
            return false;
        r->color = (enum color)n;
        return true;
    case OPT_THREADS:
        if (!launch_number("test-threads", value, UINT32_MAX, &r->threads, err))
            return false;
        return r->threads > 0 || fail(err, ERR_USAGE, "option '--test-threads' wants at least 1");
    case OPT_TIMEOUT:
        if (!r->is_implied || r->path)
            return read_timeout(value, &r->timeout_ns, err);
        if (!launch_number("timeout", value, TIMEOUT_MAX_S, &r->timeout_ns, err))
            return false;
        r->timeout_ns *= 1000000;
        return true;
    case OPT_JUNIT:
        r->junit = value;
        return true;
    case OPT_LOG_FILE:
        r->log_file = value;
        return true;
    case OPT_SHUFFLE_SEED:
        if (!launch_number("shuffle-seed", value, UINT64_MAX, &r->seed, err))
            return false;
        r->shuffle = true;
        return true;
    case OPT_SHUFFLE:
        r->shuffle = true;
        return true;
    case OPT_REPORT_TIME:
        r->report_time = true;
        return true;
    case OPT_EXCLUDE_SHOULD_PANIC:
        r->selection.no_panics = true;
        return true;
    case OPT_ARG:
        r->args[r->arg_count++] = value;
        return true;
    case OPT_EXACT_TRAPS:
        r->launch.runtime.exact = true;
        return true;
    case OPT_SEED:
        return fail(err, ERR_USAGE, "option '--seed' is for 'run': tests run side by side");
    case OPT_NOTHING:
        return true;
    default:
        r->help = true;
        return true;
    }
}

/* What the harness takes from the environment. */
static bool read_environment(struct request *r, struct error *err)
{
    const char *threads = getenv("RUST_TEST_THREADS"), *no_capture = getenv("RUST_TEST_NOCAPTURE");

    if (no_capture && strcmp(no_capture, "0") != 0)
        r->no_capture = true;
    if (!threads || r->threads > 0)
        return true;
    if (!args_number(threads, UINT32_MAX, &r->threads) || r->threads == 0)
        return fail(err, ERR_USAGE, "RUST_TEST_THREADS is to be a number, at least 1, not '%s'",
                    threads);
    return true;
}

static bool read_request(struct request *r, int count, char **words, struct error *err)
{
    size_t room = (size_t)count + 2;
    const char *value, *base;
    struct args a;
    int id;

    r->args = mem_new_array(const char *, room);
    r->selection.filters = mem_new_array(const char *, room);
    r->selection.skips = mem_new_array(const char *, room);
    r->args[r->arg_count++] = ""; /* the program's name, to come */
    launch_init(&r->launch);
    args_init(&a, options, count, words);
    while ((id = args_next(&a, &value, err)) != ARGS_END) {
        if (id == ARGS_ERROR)
            return false;
        if (id != ARGS_WORD) {
            if (!take_option(r, id, value, err))
                return false;
        } else if (!r->path) {
            r->path = value;
        } else {
            r->selection.filters[r->selection.filter_count++] = value;
        }
    }
    if (r->help)
        return true;
    if (!r->path)
        return fail(err, ERR_USAGE, "no module to test");
    base = strrchr(r->path, '/');
    r->args[0] = base ? base + 1 : r->path;
    r->launch.environment.args = r->args;
    r->launch.environment.arg_count = r->arg_count;
    return read_environment(r, err) && launch_finish(&r->launch, err);
}

static void request_deinit(struct request *r)
{
    launch_deinit(&r->launch);
    mem_free(r->selection.skips);
    mem_free(r->selection.filters);
    mem_free(r->args);
}

/* ---- the run ---- */

static bool wants_colors(enum color color)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

    if (color != COLOR_AUTO)
        return color == COLOR_ALWAYS;
    if (no_color && no_color[0] != '\0')
        return false;
    return isatty(STDOUT_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static unsigned concurrency(const struct request *r)
{
    struct rlimit space;
    cpu_set_t set;
    unsigned wanted;

    if (r->threads > 0)
        return r->threads < CONCURRENCY_MAX ? (unsigned)r->threads : CONCURRENCY_MAX;
    /* Where address space is scarce, a test may need what there is for environments. */
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        return 1;
    wanted = sched_getaffinity(0, sizeof(set), &set) == 0
                 ? (unsigned)CPU_COUNT(&set) * CONCURRENCY_PER_CORE
                 : CONCURRENCY_MIN;
    if (wanted < CONCURRENCY_MIN)
        return CONCURRENCY_MIN;
    return wanted < CONCURRENCY_MAX ? wanted : CONCURRENCY_MAX;
}

/* The tests that are meant, in their order, with nothing come of them yet. */
static void select_tests(const struct request *r, const struct test_cases *cases,
                         struct test_run *run)
{
    run->tests = mem_new_array(struct test, cases->list.count + 1);
    for (size_t i = 0; i < cases->list.count; i++) {
        const struct test_case *c = &cases->list.items[i];

        if (!test_selection_has(&r->selection, c)) {
            run->filtered_out++;
            continue;
        }
        run->tests[run->count].test_case = c;
        test_output_init(&run->tests[run->count].output);
        run->count++;
    }
    run->runs_ignored = r->selection.ignored != TEST_IGNORED_SKIP;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15; /* splitmix64 */

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* The outputs are lists that point to themselves, so they are made anew where they stay. */
static void shuffle(struct test_run *run, uint64_t seed)
{
    for (size_t i = run->count; i > 1; i--) {
        size_t k = next_random(&seed) % i;
        const struct test_case *c = run->tests[k].test_case;

        run->tests[k].test_case = run->tests[i - 1].test_case;
        run->tests[i - 1].test_case = c;
    }
}

static void tests_free(struct test_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        test_output_deinit(&run->tests[i].output);
    mem_free(run->tests);
}

static int output_error(void)
{
    fprintf(stderr, "lunatic: standard output: %s\n", strerror(errno));
    return EXIT_ERROR;
}

/* The name of the program without ".wasm", and without the number that cargo appends if `plain`. */
static char *suite_name(const char *program, bool plain)
{
    size_t size = strlen(program);
    char *name = mem_new_array(char, size + 1);

    memcpy(name, program, size);
    if (size > 5 && strcmp(name + size - 5, ".wasm") == 0)
        name[size -= 5] = '\0';
    if (plain && size > 17 && name[size - 17] == '-' &&
        strspn(name + size - 16, "0123456789abcdef") == 16)
        name[size - 17] = '\0';
    return name;
}

static bool save_junit(const struct request *r, const struct test_run *run, const char *suite,
                       uint64_t duration_ns, struct error *err)
{
    char *program;
    bool ok;

    if (!r->junit)
        return true;
    program = suite_name(r->args[0], false);
    ok = test_junit_save(run, suite, program, duration_ns, r->junit, err);
    mem_free(program);
    return ok;
}

static int run_and_report(const struct request *r, struct test_run *run,
                          struct test_report *report_)
{
    struct error err = {0};

    if (r->log_file) {
        report_->log = fopen(r->log_file, "we");
        if (!report_->log) {
            fail_os(&err, errno, "--logfile %s", r->log_file);
            return report(&err);
        }
    }
    if (!test_report_begin(report_))
        return output_error();
    if (!test_run_all(run, &err))
        return report(&err);
    if (run->is_broken || !test_report_end(report_))
        return output_error();
    if (!save_junit(r, run, report_->suite, test_clock_ns() - report_->begin_ns, &err))
        return report(&err);
    return report_->failed ? EXIT_ERROR : EXIT_OK;
}

static int test_module(const struct request *r, struct lunatic_runtime *rt,
                       struct lunatic_module *m, uint64_t begin_ns)
{
    struct test_cases cases = {0};
    struct test_run run = {.is_captured = !r->no_capture,
                           .concurrency = concurrency(r),
                           .timeout_ns = r->timeout_ns,
                           .runtime = rt,
                           .module = m,
                           .environment = &r->launch.environment};
    struct test_report report_ = {.format = r->format,
                                  .has_colors = wants_colors(r->color),
                                  .shows_times = r->report_time,
                                  .shows_output = r->show_output,
                                  .out = stdout,
                                  .run = &run,
                                  .begin_ns = begin_ns,
                                  .is_shuffled = r->shuffle,
                                  .seed = r->seed};
    struct error err = {0};
    char *suite = NULL;
    int status;

    if (!test_cases_read(m, &cases, &err)) {
        fail_in(&err, "%s", r->path);
        status = report(&err);
        goto out;
    }
    select_tests(r, &cases, &run);
    suite = suite_name(r->args[0], true);
    report_.suite = suite;
    run.report = test_report_result;
    run.context = &report_;
    if (r->list) {
        status = test_report_list(&run, r->format, stdout) ? EXIT_OK : output_error();
    } else {
        if (r->shuffle)
            shuffle(&run, r->seed);
        status = run_and_report(r, &run, &report_);
    }
out:
    if (report_.log)
        fclose(report_.log);
    mem_free(suite);
    tests_free(&run);
    test_cases_deinit(&cases);
    return status;
}

static int test(struct request *r, uint64_t begin_ns)
{
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct lunatic_error err;
    int status = EXIT_ERROR;

    if (r->shuffle && r->seed == 0)
        r->seed = begin_ns / 1000;
    if (access(r->path, F_OK) != 0) {
        fprintf(stderr, "lunatic: Module '%s' not found\n", r->path);
    } else if (!lunatic_runtime_new(&r->launch.runtime, &rt, &err) ||
               !lunatic_module_load_file(rt, r->path, &m, &err)) {
        report_words(err.text);
    } else {
        watch_begin(rt, r->path);
        status = test_module(r, rt, m, begin_ns);
        if (!watch_end()) { /* somebody hangs who looks at it: it cannot be freed */
            fflush(NULL);
            _exit(status);
        }
    }
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
    return status;
}

static int run_command(int count, char **words, bool is_implied)
{
    uint64_t begin_ns = test_clock_ns();
    struct request r = {.is_implied = is_implied};
    struct error err = {0};
    int status;

    if (!read_request(&r, count, words, &err))
        status = report(&err);
    else if (r.help)
        status = help_print("test");
    else
        status = test(&r, begin_ns);
    request_deinit(&r);
    return status;
}

int cmd_test(int count, char **words)
{
    return run_command(count, words, false);
}

/* ---- cargo test ---- */

int cmd_test_implied(int count, char **words)
{
    return run_command(count, words, true);
}

/* Whether `path` is a file that cargo builds for tests: FOLDERS/wasm32-TARGET/PROFILE/deps/X.wasm,
 * absolute or not. */
static bool is_test_program(const char *path)
{
    const char *deps = NULL, *at;
    size_t size = strlen(path);

    if (size < 5 || strcmp(path + size - 5, ".wasm") != 0)
        return false;
    for (at = strstr(path, "/deps/"); at; at = strstr(at + 1, "/deps/"))
        deps = at;
    if (!deps)
        return false;
    for (at = path; at && at < deps; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
        if (strncmp(at, "wasm32-", 7) == 0)
            return true;
    }
    return false;
}

bool test_is_implied(int count, char **words)
{
    struct args a;
    const char *value = NULL;
    struct error err;
    int id;

    if (!getenv("CARGO_MANIFEST_DIR"))
        return false;
    args_init(&a, options, count, words);
    do
        id = args_next(&a, &value, &err);
    while (id > 0);
    if (id != ARGS_WORD || !is_test_program(value))
        return false;
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--bench") == 0)
            return false;
    }
    return true;
}
