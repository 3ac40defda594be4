/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/test_junit.h"
#include "base/mem.h"
#include "cli/test_verdict.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* Bytes of the character that `text` begins with; 0: it is not UTF-8, or nothing that XML holds. */
static size_t character_size(struct slice text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80         ? 1
                  : first >> 5 == 0x06 ? 2
                  : first >> 4 == 0x0e ? 3
                  : first >> 3 == 0x1e ? 4
                                       : 0;

    if (size == 0 || size > text.size || !slice_is_utf8(slice_make(text.data, size)))
        return 0;
    if (size == 1 && (first < 0x20 || first == 0x7f) && first != '\t' && first != '\n')
        return 0;
    if (size == 3 && first == 0xef && text.data[1] == 0xbf && text.data[2] >= 0xbe)
        return 0; /* U+FFFE, U+FFFF */
    return size;
}

bool test_text_clean(struct slice text, struct bytes *out)
{
    while (text.size > 0) {
        size_t size = character_size(text);
        bool ok = size ? bytes_append(out, text.data, size) : bytes_append(out, "\xef\xbf\xbd", 3);

        if (!ok)
            return false;
        size += size == 0;
        text = slice_make(text.data + size, text.size - size);
    }
    return true;
}

/* Text as content or, in quotes, as the value of an attribute, where line ends must be escaped. */
static void put_text(FILE *out, struct slice text, bool is_attribute)
{
    struct bytes clean = {0};

    if (!test_text_clean(text, &clean))
        fputs("(no memory)", out);
    for (size_t i = 0; i < clean.size; i++) {
        switch (clean.data[i]) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\n':
        case '\t':
            if (is_attribute)
                fprintf(out, "&#%d;", clean.data[i]);
            else
                fputc(clean.data[i], out);
            break;
        default:
            fputc(clean.data[i], out);
            break;
        }
    }
    bytes_deinit(&clean);
}

static void put_attribute(FILE *out, const char *name, struct slice value)
{
    fprintf(out, " %s=\"", name);
    put_text(out, value, true);
    fputc('"', out);
}

/* "a::b::c" is the test c of the class a::b; a name without a path is of the suite's. */
static void put_names(FILE *out, const char *name, const char *suite)
{
    const char *last = NULL;

    for (const char *p = strstr(name, "::"); p; p = strstr(p + 2, "::"))
        last = p;
    put_attribute(out, "classname",
                  last ? slice_make(name, (size_t)(last - name)) : slice_text(suite));
    put_attribute(out, "name", slice_text(last ? last + 2 : name));
}

#define MESSAGE_SIZE_MAX 1000u /* bytes of a failure's message; the whole is in the output */

/* Why it has failed, in a line or a few: the runner's note, or else the panic's message. */
static void put_message(FILE *out, const struct test *t)
{
    static const char mark[] = "note: ";
    struct bytes notes = {0}, own = {0};
    struct slice message = {0};

    if (test_output_show(&t->output, true, &notes) && notes.size > sizeof(mark)) {
        const uint8_t *end = memchr(notes.data, '\n', notes.size);

        message = slice_make(notes.data + sizeof(mark) - 1,
                             (end ? (size_t)(end - notes.data) : notes.size) - sizeof(mark) + 1);
    } else if (!test_output_own(&t->output, &own) ||
               !test_panic_message(slice_make(own.data, own.size), &message)) {
        message = slice_text("test failed");
    }
    if (message.size > MESSAGE_SIZE_MAX)
        message.size = MESSAGE_SIZE_MAX;
    put_attribute(out, "message", message);
    bytes_deinit(&notes);
    bytes_deinit(&own);
}

static void put_case(FILE *out, const struct test *t, const char *suite, bool is_captured)
{
    struct bytes shown = {0};

    fputs("    <testcase", out);
    put_names(out, t->test_case->name, suite);
    fprintf(out, " time=\"%.3f\"", seconds(t->duration_ns));
    if (t->result == TEST_IGNORED) {
        fputs(">\n      <skipped/>\n    </testcase>\n", out);
        return;
    }
    if (!test_output_show(&t->output, !is_captured, &shown))
        shown.size = 0;
    if (t->result == TEST_PASSED && shown.size == 0) {
        fputs("/>\n", out);
    } else {
        fputs(">\n", out);
        if (t->result != TEST_PASSED) {
            fprintf(out, "      <failure type=\"%s\"",
                    t->result == TEST_TIMED_OUT ? "timeout" : "failure");
            put_message(out, t);
            fputs("/>\n", out);
        }
        if (shown.size > 0) {
            fputs("      <system-out>", out);
            put_text(out, slice_make(shown.data, shown.size), false);
            fputs("</system-out>\n", out);
        }
        fputs("    </testcase>\n", out);
    }
    bytes_deinit(&shown);
}

void test_junit_write(const struct test_run *run, const char *suite, uint64_t duration_ns,
                      FILE *out)
{
    size_t failed = 0, ignored = 0;
    char stamp[32] = "";
    time_t now = time(NULL);
    struct tm utc;

    for (size_t i = 0; i < run->count; i++) {
        enum test_result result = run->tests[i].result;

        ignored += result == TEST_IGNORED;
        failed += result == TEST_FAILED || result == TEST_TIMED_OUT;
    }
    if (gmtime_r(&now, &utc))
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite", out);
    put_attribute(out, "name", slice_text(suite));
    fprintf(out,
            " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\" "
            "timestamp=\"%s\">\n",
            run->count, failed, ignored, seconds(duration_ns), stamp);
    for (size_t i = 0; i < run->count; i++)
        put_case(out, &run->tests[i], suite, run->is_captured);
    fputs("  </testsuite>\n</testsuites>\n", out);
}

static bool is_folder(const char *path)
{
    size_t size = strlen(path);
    struct stat st;

    return (size > 0 && path[size - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

bool test_junit_save(const struct test_run *run, const char *suite, const char *program,
                     uint64_t duration_ns, const char *path, struct error *err)
{
    struct bytes full = {0};
    bool ok = false;
    FILE *out;

    if (is_folder(path)) {
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            fail_os(err, errno, "--junit %s", path);
            goto out;
        }
        if (!bytes_printf(&full, "%s/%s.xml", path, program) || !bytes_append_u8(&full, 0)) {
            fail(err, ERR_NO_MEMORY, "--junit %s: no memory", path);
            goto out;
        }
        path = (const char *)full.data;
    }
    out = fopen(path, "we");
    if (!out) {
        fail_os(err, errno, "--junit %s", path);
        goto out;
    }
    test_junit_write(run, suite, duration_ns, out);
    ok = !ferror(out);
    if (fclose(out) != 0)
        ok = false;
    if (!ok)
        fail_os(err, errno, "--junit %s", path);
out:
    bytes_deinit(&full);
    return ok;
}
