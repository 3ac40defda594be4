/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A thread waits for each test that runs, and then takes the next. Another waits for signals: a
 * test that hangs is ended by hand more often than not, and then SIGINT and SIGTERM say which tests
 * were running. SIGQUIT says what all processes do, and stops nothing. */
#define _GNU_SOURCE
#include "cli/test_run.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/process_table.h"
#include "cli/test_verdict.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS  1000000ull
#define NS_PER_S   1000000000ull
#define SLOW_NS    (60 * NS_PER_S)
#define STACK_SIZE (256u << 10) /* of a thread that waits for tests */

uint64_t test_clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* What the threads share. */
struct pool {
    struct test_run *run;
    pthread_mutex_t lock; /* of all that follows, and of every test's result and is_slow */
    pthread_cond_t changed;
    size_t next;    /* the first test that nobody has taken */
    size_t running; /* threads that have not ended */
    bool is_over;   /* no thread runs tests any more */
};

static void take_output(void *context, uint64_t process, enum lunatic_output stream,
                        const void *data, size_t size)
{
    test_output_add(context, process,
                    stream == LUNATIC_OUTPUT_REPORT ? TEST_OUTPUT_REPORT : TEST_OUTPUT_TEXT, data,
                    size);
}

#define STUCK_SHOWN_MAX 20u /* processes of a test that hangs */

struct stuck {
    struct test_output *output;
    size_t count;
};

static bool note_process(void *context, const struct lunatic_process_info *info)
{
    static const char *const states[] = {[LUNATIC_PROCESS_RUNNING] = "was running",
                                         [LUNATIC_PROCESS_READY] = "was ready to run",
                                         [LUNATIC_PROCESS_WAITING] = "waited for"};
    struct stuck *s = context;

    if (s->count++ >= STUCK_SHOWN_MAX) {
        test_output_note(s->output, "      and there were more");
        return false;
    }
    test_output_note(s->output, "      process %" PRIu64 " %s%s%s%s%s%s%s", info->id,
                     states[info->state], info->wait[0] ? " " : "", info->wait,
                     info->wait_details[0] ? ", " : "", info->wait_details,
                     info->function[0] ? ", in " : "", info->function);
    return true;
}

/* What the processes of a test whose time is over are at. */
static void note_processes(const struct test_run *r, const struct lunatic_environment *e,
                           struct test_output *output)
{
    struct stuck s = {.output = output};
    struct lunatic_inspect_options o;

    lunatic_inspect_options_init(&o);
    o.environment = e;
    o.detail_max = 0;
    (void)!lunatic_runtime_inspect(r->runtime, &o, note_process, &s, NULL);
}

/* Waits for the end of the test. False: it took too long and was stopped, which its output says. */
static bool wait_for_end(const struct test_run *r, struct lunatic_environment *e,
                         struct test_output *output, struct lunatic_exit *how)
{
    uint64_t timeout_ms = r->timeout_ns ? (r->timeout_ns + NS_PER_MS - 1) / NS_PER_MS : UINT64_MAX;

    if (lunatic_environment_wait(e, timeout_ms, how))
        return true;
    test_output_note(output, "note: test did not end within %g s (--timeout)",
                     (double)r->timeout_ns / (double)NS_PER_S);
    note_processes(r, e, output);
    lunatic_environment_stop(e);
    (void)!lunatic_environment_wait(e, UINT64_MAX, how);
    return false;
}

static enum test_result run_one(struct test_run *r, struct test *t, bool *is_broken)
{
    struct lunatic_environment_options o = *r->environment;
    struct lunatic_environment *e;
    struct lunatic_exit how = {0};
    struct lunatic_error err;
    bool has_ended;

    o.entry = t->test_case->export_name;
    o.output = take_output;
    o.output_context = &t->output;
    o.output_is_copied = !r->is_captured;
    if (!lunatic_environment_start(r->runtime, r->module, &o, &e, &err)) {
        test_output_note(&t->output, "note: the test could not be started: %s", err.text);
        return TEST_FAILED;
    }
    has_ended = wait_for_end(r, e, &t->output, &how);
    lunatic_environment_free(e); /* from now on nothing of it is written */
    *is_broken = how.kind == LUNATIC_EXIT_OUTPUT;
    if (has_ended)
        return test_has_passed(t->test_case, &how, &t->output, !r->is_captured) ? TEST_PASSED
                                                                                : TEST_FAILED;
    return TEST_TIMED_OUT;
}

/* Under the lock. */
static void tell(struct test_run *r, const struct test *t)
{
    if (!r->is_broken && !r->report(r->context, t))
        r->is_broken = true;
}

static void *run_tests(void *arg)
{
    struct pool *p = arg;
    struct test_run *r = p->run;

    pthread_mutex_lock(&p->lock);
    while (p->next < r->count && !r->is_broken) {
        struct test *t = &r->tests[p->next++];
        enum test_result result = TEST_IGNORED;
        bool is_broken = false;

        if (!t->test_case->is_ignored || r->runs_ignored) {
            t->result = TEST_RUNS;
            t->start_ns = test_clock_ns();
            pthread_mutex_unlock(&p->lock);
            result = run_one(r, t, &is_broken);
            pthread_mutex_lock(&p->lock);
            t->duration_ns = test_clock_ns() - t->start_ns;
        }
        t->result = result;
        if (is_broken)
            r->is_broken = true;
        tell(r, t);
    }
    p->running--;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Under the lock: tells of tests that have been running for long. */
static void report_slow(struct pool *p)
{
    uint64_t now_ns = test_clock_ns();

    for (size_t i = 0; i < p->next; i++) {
        struct test *t = &p->run->tests[i];

        if (t->result == TEST_RUNS && !t->is_slow && now_ns - t->start_ns >= SLOW_NS) {
            t->is_slow = true;
            tell(p->run, t);
        }
    }
}

static void wait_for_all(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->running > 0) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_sec++;
        pthread_cond_timedwait(&p->changed, &p->lock, &t);
        report_slow(p);
    }
    pthread_mutex_unlock(&p->lock);
}

/* ---- the user has had enough ---- */

static void set_of_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGQUIT);
}

static bool write_error(void *context, const char *data, size_t size)
{
    (void)context;
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static void print_processes(const struct pool *p)
{
    struct table_options options;

    table_options_init(&options);
    (void)!table_write(p->run->runtime, &options, write_error, NULL);
}

/* Waits for a signal that ends us. False: the tests have ended before. */
static bool wait_for_signal(struct pool *p, int *n)
{
    sigset_t set;

    set_of_signals(&set);
    for (;;) {
        if (sigwait(&set, n) != 0)
            continue;
        pthread_mutex_lock(&p->lock);
        if (p->is_over) {
            pthread_mutex_unlock(&p->lock);
            return false;
        }
        if (*n != SIGQUIT)
            return true; /* with the lock, so that nothing ends any more */
        pthread_mutex_unlock(&p->lock);
        print_processes(p);
    }
}

static void *take_signals(void *arg)
{
    struct pool *p = arg;
    int n;

    if (!wait_for_signal(p, &n))
        return NULL;
    for (size_t i = 0; i < p->next; i++) {
        const struct test *t = &p->run->tests[i];

        if (t->result == TEST_RUNS)
            fprintf(stderr, "lunatic: test %s was running, for %.1f s\n", t->test_case->name,
                    (double)(test_clock_ns() - t->start_ns) / (double)NS_PER_S);
    }
    _exit(EXIT_SIGNAL_BASE + n);
}

/* Blocks or unblocks the signals in the calling thread, and those that it will start. */
static void block_signals(int how)
{
    sigset_t set;

    set_of_signals(&set);
    pthread_sigmask(how, &set, NULL);
}

bool test_run_all(struct test_run *r, struct error *err)
{
    struct pool p = {.run = r, .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t wanted = r->count < r->concurrency ? r->count : r->concurrency, started = 0;
    pthread_t *threads = mem_new_array(pthread_t, wanted + 1);
    pthread_condattr_t attributes;
    pthread_attr_t thread_attributes;
    pthread_t signals;
    bool has_signals;
    int failed;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_attr_init(&thread_attributes);
    pthread_attr_setstacksize(&thread_attributes, STACK_SIZE);
    block_signals(SIG_BLOCK);
    failed = pthread_create(&signals, &thread_attributes, take_signals, &p);
    has_signals = failed == 0;
    pthread_mutex_lock(&p.lock);
    while (started < wanted && !failed) {
        failed = pthread_create(&threads[started], &thread_attributes, run_tests, &p);
        if (!failed)
            started++;
    }
    p.running = started;
    pthread_mutex_unlock(&p.lock);
    pthread_attr_destroy(&thread_attributes);
    if (started > 0) /* fewer than were asked for will do */
        wait_for_all(&p);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (has_signals) {
        pthread_mutex_lock(&p.lock);
        p.is_over = true;
        pthread_mutex_unlock(&p.lock);
        pthread_kill(signals, SIGTERM);
        pthread_join(signals, NULL);
    }
    block_signals(SIG_UNBLOCK);
    pthread_cond_destroy(&p.changed);
    pthread_mutex_destroy(&p.lock);
    mem_free(threads);
    return wanted == 0 || started > 0 || fail_os(err, failed, "a thread for tests");
}
