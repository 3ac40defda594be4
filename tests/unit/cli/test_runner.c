/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The parts of the test runner that run nothing: names, selection, panics, what is kept of output.
 */
#include "base/mem.h"
#include "cli/test_case.h"
#include "cli/test_junit.h"
#include "cli/test_output.h"
#include "cli/test_verdict.h"
#include "harness.h"
#include "runtime/lunatic_runtime.h"

#define PARSES(text, c)                                                                            \
    (test_case_parse((text), strlen(text), (c), &is_test, &err) && is_test &&                      \
     strcmp((c)->export_name, (text)) == 0)

TEST(test_names_say_what_is_expected)
{
    struct test_case c;
    struct error err;
    bool is_test;

    CHECK(PARSES("#lunatic_test_app::works", &c));
    CHECK(!c.is_ignored && !c.should_panic);
    CHECK_TEXT(c.name, "app::works");
    test_case_deinit(&c);
    CHECK(PARSES("#lunatic_test_#ignore_app::ignore_me", &c));
    CHECK(c.is_ignored && !c.should_panic);
    CHECK_TEXT(c.name, "app::ignore_me");
    test_case_deinit(&c);
    CHECK(PARSES("#lunatic_test_#ignore_#panic_number \\#1 \\x is # app::b#", &c));
    CHECK(c.is_ignored && c.should_panic);
    CHECK_TEXT(c.panic_text, "number #1 \\x is ");
    CHECK_TEXT(c.name, " app::b#");
    test_case_deinit(&c);
    CHECK(PARSES("#lunatic_test_#panic_#any", &c));
    CHECK(c.should_panic);
    CHECK_TEXT(c.panic_text, "");
    test_case_deinit(&c);
    CHECK(PARSES("#lunatic_test_\033[31mred\n", &c));
    CHECK_TEXT(c.name, "?[31mred?");
    test_case_deinit(&c);
}

TEST(exports_that_are_no_tests_are_passed_over_and_malformed_ones_named)
{
    struct test_case c;
    struct error err = {0};
    bool is_test;

    CHECK(test_case_parse("_start", 6, &c, &is_test, &err) && !is_test);
    CHECK(test_case_parse("#lunatic_test", 13, &c, &is_test, &err) && !is_test);
    CHECK(test_case_parse("", 0, &c, &is_test, &err) && !is_test);
    CHECK(!test_case_parse("#lunatic_test_#panic_no end", 27, &c, &is_test, &err));
    CHECK(strstr(err.text, "#lunatic_test_#panic_no end"));
    CHECK(!test_case_parse("#lunatic_test_#panic_no end\\#", 29, &c, &is_test, &err));
    CHECK(!test_case_parse("#lunatic_test_a\0b", 17, &c, &is_test, &err));
    CHECK(strstr(err.text, "zero byte"));
    test_case_deinit(&c);
}

static bool has(const struct test_selection *s, const char *name)
{
    char text[64];
    struct test_case c = {.name = text, .is_ignored = strstr(name, "ignored") != NULL};

    snprintf(text, sizeof(text), "%s", name);
    c.should_panic = strstr(name, "panics") != NULL;
    return test_selection_has(s, &c);
}

TEST(tests_are_selected_as_by_rusts_harness)
{
    const char *filters[] = {"net::", "file"}, *skips[] = {"slow", "net::x"};
    struct test_selection s = {0};

    CHECK(has(&s, "any") && has(&s, "ignored"));
    s.ignored = TEST_IGNORED_ONLY;
    CHECK(!has(&s, "any") && has(&s, "ignored"));
    s.ignored = TEST_IGNORED_TOO;
    CHECK(has(&s, "any") && has(&s, "ignored"));
    s.filters = filters;
    s.filter_count = 2;
    CHECK(has(&s, "a::net::b") && has(&s, "files") && !has(&s, "net") && !has(&s, ""));
    s.skips = skips;
    s.skip_count = 2;
    CHECK(!has(&s, "net::xy") && !has(&s, "file_slow") && has(&s, "net::y"));
    s.is_exact = true;
    CHECK(has(&s, "file") && has(&s, "net::") && !has(&s, "files") && !has(&s, "net::y"));
    s.filter_count = 0;
    CHECK(has(&s, "net::xy") && !has(&s, "slow"));
    s.no_panics = true;
    CHECK(!has(&s, "panics") && has(&s, "other"));
}

/* Whether the message found in `text` is `expected`; NULL: none is. */
static bool panics(const char *text, const char *expected)
{
    struct slice message;

    if (!test_panic_message(slice_text(text), &message))
        return !expected;
    if (!expected || message.size != strlen(expected) ||
        memcmp(message.data, expected, message.size) != 0)
        printf("found: %.*s\n", (int)message.size, (const char *)message.data);
    return expected && message.size == strlen(expected) &&
           memcmp(message.data, expected, message.size) == 0;
}

TEST(panics_of_old_compilers_are_recognised)
{
    CHECK(panics("thread '<unnamed>' panicked at 'it', src/lib.rs:1:2\nnote: run with\n", "it"));
    CHECK(panics("before\nthread 'main' panicked at 'a 'b', c', src/x.rs:1:20\n", "a 'b', c"));
    CHECK(panics("thread 'main' panicked at 'two\nlines', of', src/x.rs:10:20", "two\nlines', of"));
    CHECK(panics("thread 'main' panicked at 'not ended\n", NULL));
    CHECK(panics("thread 'main' panicked at '', a:1:1\n", ""));
    CHECK(panics("thread 'a' panicked at 'first', a.rs:1:1\n"
                 "thread 'a' panicked at 'last', a.rs:2:1\n",
                 "last"));
}

/* A guest may write what takes long to read: the time must not grow with the square of it. */
TEST(output_that_looks_like_panics_over_and_over_is_read_once)
{
    static const char *const pieces[] = {"', ", "thread 'x' panicked at 'y\n", "thread '",
                                         "thread 'x' panicked at a:1:1:\n", "\n"};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct bytes text = {0};
        struct slice message;

        CHECK(bytes_append(&text, "thread 'x' panicked at 'y", 25));
        while (text.size < 8u << 20)
            CHECK(bytes_append(&text, pieces[i], strlen(pieces[i])));
        (void)!test_panic_message(slice_make(text.data, text.size), &message);
        bytes_deinit(&text);
    }
}

TEST(panics_of_new_compilers_are_recognised)
{
    CHECK(panics("thread 'main' panicked at src/lib.rs:1:2:\nit\nnote: run with\n", "it"));
    CHECK(panics("x\n\nthread 'a b' (77) panicked at src/lib.rs:1:2:\ntwo\nlines\nstack "
                 "backtrace:\n  0: x\n",
                 "two\nlines"));
    CHECK(panics("thread 'main' panicked at src/lib.rs:1:2:\nto the end", "to the end"));
    CHECK(panics("thread 'main' panicked at src/lib.rs:1:2:\nnote: x", ""));
    CHECK(panics("thread 'main' panicked at src/lib.rs:1:2:", ""));
    CHECK(panics("thread 'main' panicked at a.rs:1:2:\nassertion `left == right` failed: why\n"
                 "  left: 4\n right: 5\nnote: run with\n",
                 "assertion `left == right` failed: why\n  left: 4\n right: 5"));
}

TEST(panics_of_other_languages_are_recognised_where_there_is_none_of_rust)
{
    CHECK(panics("Assertion failed: a == b (x.c: f: 3)\n", "a == b (x.c: f: 3)"));
    CHECK(panics("panic: runtime error\n\ngoroutine 1\n", "runtime error"));
    CHECK(panics("abort: no in file.ts(3:2)\n", "no in file.ts(3:2)"));
    CHECK(panics("panic: go\nthread 'x' panicked at a.rs:1:1:\nrust\n", "rust"));
    CHECK(panics("", NULL));
    CHECK(panics("no panic: here\n thread 'x' panicked at y\n", NULL));
}

/* ---- output ---- */

static bool shows(const struct test_output *o, bool only_notes, const char *expected)
{
    struct bytes text = {0};
    bool ok = test_output_show(o, only_notes, &text) && text.size == strlen(expected) &&
              (text.size == 0 || memcmp(text.data, expected, text.size) == 0);

    if (!ok)
        printf("shown:\n%.*s\n", (int)text.size, (const char *)text.data);
    bytes_deinit(&text);
    return ok;
}

static void add(struct test_output *o, uint64_t process, const char *text)
{
    test_output_add(o, process, TEST_OUTPUT_TEXT, text, strlen(text));
}

TEST(output_of_one_process_is_shown_as_it_is)
{
    struct test_output o;
    struct bytes own = {0};

    test_output_init(&o);
    CHECK(shows(&o, false, ""));
    add(&o, 1, "one ");
    add(&o, 1, "two\nthree");
    CHECK(shows(&o, false, "one two\nthree\n"));
    test_output_add(&o, 1, TEST_OUTPUT_REPORT, "it failed\n", 10);
    test_output_note(&o, "note: %d", 7);
    CHECK(shows(&o, false, "one two\nthree\nit failed\nnote: 7\n"));
    CHECK(shows(&o, true, "note: 7\n"));
    CHECK(test_output_own(&o, &own) && own.size == 13);
    bytes_deinit(&own);
    test_output_deinit(&o);
}

TEST(output_of_several_processes_has_headings_and_keeps_its_order)
{
    struct test_output o;
    struct bytes own = {0};

    test_output_init(&o);
    add(&o, 900, "child\n");
    add(&o, 1, "root");
    add(&o, 77, "other\n");
    add(&o, 77, "more\n");
    add(&o, 900, "again");
    CHECK(shows(&o, false,
                " --- process 1 stdout ---\nchild\n --- process 0 stdout ---\nroot\n"
                " --- process 2 stdout ---\nother\nmore\n --- process 1 stdout ---\nagain\n"));
    CHECK(test_output_own(&o, &own) && own.size == 4);
    bytes_deinit(&own);
    test_output_deinit(&o);
}

TEST(output_without_end_keeps_its_beginning_and_its_end)
{
    static char block[100000];
    struct bytes text = {0};
    struct test_output o;

    memset(block, 'x', sizeof(block));
    test_output_init(&o);
    add(&o, 1, "the beginning\n");
    for (int i = 0; i < 400; i++)
        test_output_add(&o, 1, TEST_OUTPUT_TEXT, block, sizeof(block));
    add(&o, 1, "\nthe end\n");
    CHECK(test_output_show(&o, false, &text));
    CHECK(text.size < TEST_OUTPUT_HEAD_MAX + TEST_OUTPUT_TAIL_MAX + (1u << 20));
    CHECK(text.size > TEST_OUTPUT_HEAD_MAX);
    CHECK(memcmp(text.data, "the beginning\n", 14) == 0);
    CHECK(memcmp(text.data + text.size - 9, "\nthe end\n", 9) == 0);
    CHECK(bytes_append_u8(&text, 0));
    CHECK(strstr((const char *)text.data, " bytes of output are left out here\n"));
    bytes_deinit(&text);

    /* and so when it comes in the smallest pieces, of many processes */
    for (uint64_t i = 0; i < 300000; i++)
        add(&o, 2 + i, "y");
    CHECK(o.tail_size <= TEST_OUTPUT_TAIL_MAX);
    test_output_deinit(&o);
}

TEST(text_for_xml_and_json_is_utf8_without_control_characters)
{
    static const struct {
        const char *from, *to;
    } texts[] = {
        {"plain\ttext\n", "plain\ttext\n"},
        {"\x1b[31m\x7f\r", "\xef\xbf\xbd[31m\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xef\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct bytes out = {0};

        CHECK(test_text_clean(slice_text(texts[i].from), &out));
        CHECK(out.size == strlen(texts[i].to) && memcmp(out.data, texts[i].to, out.size) == 0);
        bytes_deinit(&out);
    }
}

/* ---- verdicts ---- */

static bool judges(const char *expected_panic, enum lunatic_exit_kind kind, int status,
                   const char *written, bool passes, const char *note)
{
    char text[64];
    struct test_case c = {.should_panic = expected_panic != NULL, .panic_text = text};
    struct lunatic_exit how = {.kind = kind, .status = status};
    struct test_output o;
    bool passed, told;

    snprintf(text, sizeof(text), "%s", expected_panic ? expected_panic : "");
    test_output_init(&o);
    add(&o, 1, written);
    passed = test_has_passed(&c, &how, &o, false);
    told = shows(&o, true, note);
    test_output_deinit(&o);
    return passed == passes && told;
}

#define PANIC(words) "thread 'main' panicked at src/lib.rs:1:1:\n" words "\nnote: run\n"

TEST(verdicts_are_those_of_the_table)
{
    CHECK(judges(NULL, LUNATIC_EXIT_NORMAL, 0, "", true, ""));
    CHECK(judges(NULL, LUNATIC_EXIT_NORMAL, 0, PANIC("in a child"), true, ""));
    CHECK(judges("", LUNATIC_EXIT_NORMAL, 0, "", false, "note: test did not panic as expected\n"));
    CHECK(judges(NULL, LUNATIC_EXIT_FAILED, 134, PANIC("x"), false, ""));
    CHECK(judges(NULL, LUNATIC_EXIT_FAILED, 134, "", false,
                 "note: Process trapped or received kill signal\n"));
    CHECK(judges(NULL, LUNATIC_EXIT_KILLED, 137, "", false,
                 "note: Process trapped or received kill signal\n"));
    CHECK(judges(NULL, LUNATIC_EXIT_NORMAL, 3, "", false, "note: Process exited with status 3\n"));
    CHECK(judges("", LUNATIC_EXIT_KILLED, 137, "", true, ""));
    CHECK(judges("", LUNATIC_EXIT_FAILED, 134, PANIC("any"), true, ""));
    CHECK(judges("ell", LUNATIC_EXIT_FAILED, 134, PANIC("well"), true, ""));
    CHECK(judges("ill", LUNATIC_EXIT_FAILED, 134, PANIC("well"), false,
                 "note: panic did not contain expected string\n"
                 "      panic message: `\"well\"`,\n"
                 " expected substring: `\"ill\"`\n"));
    CHECK(judges("x", LUNATIC_EXIT_KILLED, 137, "", false,
                 "note: Process received kill signal, but expected a panic that contains `x`\n"));
    CHECK(judges("x", LUNATIC_EXIT_NORMAL, 1, "", false,
                 "note: Process exited with status 1, but expected a panic that contains `x`\n"));
}
