/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/test_report.h"
#include "base/assert.h"
#include "cli/test_junit.h"
#include <inttypes.h>
#include <string.h>

#define GREEN        "\033[92m"
#define RED          "\033[91m"
#define YELLOW       "\033[93m"
#define PLAIN        "\033[0m"
#define DOT_LINE_MAX 88 /* results in a line of the terse format */

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void put_colored(const struct test_report *r, const char *color, const char *text)
{
    if (r->has_colors)
        fprintf(r->out, "%s%s%s", color, text, PLAIN);
    else
        fputs(text, r->out);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static bool flushed(FILE *f)
{
    return fflush(f) == 0 && !ferror(f);
}

/* ---- JSON: the events of Rust's harness, a line each ---- */

static void put_json_text(FILE *out, const char *text, size_t size)
{
    fputc('"', out);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_json_name(FILE *out, const struct test *t)
{
    put_json_text(out, t->test_case->name, strlen(t->test_case->name));
}

/* What it has written, with what is not UTF-8 replaced. */
static void put_json_output(const struct test_report *r, const struct test *t)
{
    struct bytes shown = {0}, clean = {0};

    if (test_output_show(&t->output, !r->run->is_captured, &shown) &&
        test_text_clean(slice_make(shown.data, shown.size), &clean) && clean.size > 0) {
        fputs(",\"stdout\":", r->out);
        put_json_text(r->out, (const char *)clean.data, clean.size);
    }
    bytes_deinit(&shown);
    bytes_deinit(&clean);
}

static void json_result(const struct test_report *r, const struct test *t)
{
    static const char *const events[] = {[TEST_RUNS] = "timeout",
                                         [TEST_PASSED] = "ok",
                                         [TEST_FAILED] = "failed",
                                         [TEST_TIMED_OUT] = "failed",
                                         [TEST_IGNORED] = "ignored"};
    bool has_run = t->result != TEST_IGNORED && t->result != TEST_RUNS;

    fputs("{\"type\":\"test\",\"name\":", r->out);
    put_json_name(r->out, t);
    fprintf(r->out, ",\"event\":\"%s\"", events[t->result]);
    if (has_run && r->shows_times)
        fprintf(r->out, ",\"exec_time\":%.9f", seconds(t->duration_ns));
    if (t->result == TEST_TIMED_OUT)
        fputs(",\"reason\":\"time limit exceeded\"", r->out);
    if (has_run && (t->result != TEST_PASSED || r->shows_output))
        put_json_output(r, t);
    fputs("}\n", r->out);
}

static void json_end(const struct test_report *r, uint64_t duration_ns)
{
    fprintf(r->out,
            "{\"type\":\"suite\",\"event\":\"%s\",\"passed\":%zu,\"failed\":%zu,\"ignored\":%zu,"
            "\"measured\":0,\"filtered_out\":%zu,\"exec_time\":%.9f}\n",
            r->failed ? "failed" : "ok", r->passed, r->failed, r->ignored, r->run->filtered_out,
            seconds(duration_ns));
}

/* ---- words ---- */

bool test_report_begin(struct test_report *r)
{
    size_t count = r->run->count;

    if (r->format == TEST_FORMAT_JSON) {
        fprintf(r->out, "{\"type\":\"suite\",\"event\":\"started\",\"test_count\":%zu}\n", count);
    } else if (r->format != TEST_FORMAT_JUNIT) {
        fprintf(r->out, "\nrunning %zu test%s", count, plural(count));
        if (r->is_shuffled)
            fprintf(r->out, " (shuffle seed: %" PRIu64 ")", r->seed);
        fputc('\n', r->out);
    }
    return flushed(r->out);
}

static void dot(struct test_report *r, const struct test *t)
{
    size_t done = r->passed + r->failed + r->ignored;

    if (t->result == TEST_PASSED)
        put_colored(r, GREEN, ".");
    else if (t->result == TEST_IGNORED)
        put_colored(r, YELLOW, "i");
    else
        put_colored(r, RED, "F");
    if (done % DOT_LINE_MAX == 0)
        fprintf(r->out, " %zu/%zu\n", done, r->run->count);
}

static void line(struct test_report *r, const struct test *t)
{
    const struct test_case *c = t->test_case;

    fprintf(r->out, "test %s%s ... ", c->name, c->should_panic ? " - should panic" : "");
    switch (t->result) {
    case TEST_PASSED:
        put_colored(r, GREEN, "ok");
        break;
    case TEST_IGNORED:
        put_colored(r, YELLOW, "ignored");
        break;
    case TEST_TIMED_OUT:
        put_colored(r, RED, "FAILED (time limit exceeded)");
        break;
    default:
        put_colored(r, RED, "FAILED");
        break;
    }
    if (r->shows_times && t->result != TEST_IGNORED)
        fprintf(r->out, " <%.3fs>", seconds(t->duration_ns));
    fputc('\n', r->out);
}

static void log_result(struct test_report *r, const struct test *t)
{
    fprintf(r->log, "%s %s\n",
            t->result == TEST_PASSED    ? "ok"
            : t->result == TEST_IGNORED ? "ignored"
                                        : "failed",
            t->test_case->name);
}

bool test_report_result(void *report, const struct test *t)
{
    struct test_report *r = report;

    if (t->result == TEST_RUNS) {
        if (r->format == TEST_FORMAT_JSON)
            json_result(r, t);
        else if (r->format != TEST_FORMAT_JUNIT)
            fprintf(r->out, "test %s has been running for over 60 seconds\n", t->test_case->name);
        return flushed(r->out);
    }
    if (t->result == TEST_PASSED)
        r->passed++;
    else if (t->result == TEST_IGNORED)
        r->ignored++;
    else
        r->failed++;
    if (r->log)
        log_result(r, t);
    if (r->format == TEST_FORMAT_JSON)
        json_result(r, t);
    else if (r->format == TEST_FORMAT_TERSE)
        dot(r, t);
    else if (r->format == TEST_FORMAT_PRETTY)
        line(r, t);
    return flushed(r->out) && (!r->log || flushed(r->log));
}

/* What the tests of one kind have written, and their names. */
static void section(const struct test_report *r, const char *title, bool of_passed)
{
    const struct test_run *run = r->run;

    fprintf(r->out, "\n%s:\n", title);
    for (size_t i = 0; i < run->count; i++) {
        const struct test *t = &run->tests[i];
        struct bytes shown = {0};

        if (t->result == TEST_IGNORED || (t->result == TEST_PASSED) != of_passed)
            continue;
        if (test_output_show(&t->output, !run->is_captured, &shown) && shown.size > 0) {
            fprintf(r->out, "\n---- %s stdout ----\n", t->test_case->name);
            fwrite(shown.data, 1, shown.size, r->out);
        }
        bytes_deinit(&shown);
    }
    fprintf(r->out, "\n%s:\n", title);
    for (size_t i = 0; i < run->count; i++) {
        const struct test *t = &run->tests[i];

        if (t->result != TEST_IGNORED && (t->result == TEST_PASSED) == of_passed)
            fprintf(r->out, "    %s\n", t->test_case->name);
    }
}

bool test_report_end(struct test_report *r)
{
    uint64_t duration_ns = test_clock_ns() - r->begin_ns;

    if (r->format == TEST_FORMAT_JSON) {
        json_end(r, duration_ns);
        return flushed(r->out);
    }
    if (r->format == TEST_FORMAT_JUNIT) {
        test_junit_write(r->run, r->suite, duration_ns, r->out);
        return flushed(r->out);
    }
    if (r->format == TEST_FORMAT_TERSE && r->run->count % DOT_LINE_MAX != 0)
        fputc('\n', r->out);
    if (r->shows_output && r->passed)
        section(r, "successes", true);
    if (r->failed)
        section(r, "failures", false);
    fputs("\ntest result: ", r->out);
    if (r->failed)
        put_colored(r, RED, "FAILED");
    else
        put_colored(r, GREEN, "ok");
    fprintf(r->out,
            ". %zu passed; %zu failed; %zu ignored; 0 measured; %zu filtered out; finished in "
            "%.2fs\n\n",
            r->passed, r->failed, r->ignored, r->run->filtered_out, seconds(duration_ns));
    return flushed(r->out);
}

bool test_report_list(const struct test_run *run, enum test_format format, FILE *out)
{
    if (format == TEST_FORMAT_JSON)
        fprintf(out, "{\"type\":\"suite\",\"event\":\"discovery\"}\n");
    for (size_t i = 0; i < run->count; i++) {
        const struct test *t = &run->tests[i];

        if (format != TEST_FORMAT_JSON) {
            fprintf(out, "%s: test\n", t->test_case->name);
            continue;
        }
        fputs("{\"type\":\"test\",\"event\":\"discovered\",\"name\":", out);
        put_json_name(out, t);
        fprintf(out, ",\"ignore\":%s}\n", t->test_case->is_ignored ? "true" : "false");
    }
    if (format == TEST_FORMAT_JSON)
        fprintf(out,
                "{\"type\":\"suite\",\"event\":\"completed\",\"tests\":%zu,\"benchmarks\":0,"
                "\"total\":%zu}\n",
                run->count, run->count);
    else if (format == TEST_FORMAT_PRETTY)
        fprintf(out, "\n%zu test%s, 0 benchmarks\n", run->count, plural(run->count));
    return flushed(out);
}
