/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tests in C and C++, for `lunatic test`. Compile with `lunatic cc`.
 *
 *     #include <lunatic/test.h>
 *
 *     LUNATIC_TEST(addition_is_commutative)
 *     {
 *         LUNATIC_CHECK(add(1, 2) == add(2, 1));
 *     }
 *
 *     $ lunatic cc tests.c add.c -o tests.wasm && lunatic test tests.wasm
 *
 * Every test runs in an environment of its own: its process has id 1, no other test's processes and
 * names can be seen, and all variables are as the source initialises them. It passes if its
 * function returns; it fails if its process traps, is killed, or exits with a status other than 0.
 * Processes that it has started end with it. What any of them prints is shown if the test fails.
 *
 * A program of tests needs no `main`; one that has a `main` is run by `lunatic run` as ever. */
#ifndef LUNATIC_TEST_H
#define LUNATIC_TEST_H

#include <lunatic.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#define LUNATIC_TEST_LINKAGE_ extern "C"
#else
#define LUNATIC_TEST_LINKAGE_
#endif

/* Defines a test; its body follows. The name is that of a function: no two tests of a program may
 * share one. */
#define LUNATIC_TEST(name) LUNATIC_TEST_("", name)

/* One that is left out unless `lunatic test --ignored` or `--include-ignored` asks for it. */
#define LUNATIC_TEST_IGNORED(name) LUNATIC_TEST_("#ignore_", name)

/* One that passes if it fails, with a message that contains `text`, a string literal; "": however
 * it fails. The message is that of one of the checks below, or of assert(). A '#' in it is written
 * "\\#". */
#define LUNATIC_TEST_PANICS(name, text) LUNATIC_TEST_("#panic_" text "#", name)

/* Ends the process as failed unless `condition` holds, with its text and place as the message.
 * Works in every process of the program. */
#define LUNATIC_CHECK(condition)                                                                   \
    ((condition) ? (void)0 : lun_test_fail_(__FILE__, __LINE__, "not true: %s", #condition))

/* The same for two whole numbers that must be equal, compared as `long long`; the message has both.
 */
#define LUNATIC_CHECK_EQUAL(actual, expected)                                                      \
    lun_test_equal_(__FILE__, __LINE__, #actual " == " #expected, (long long)(actual),             \
                    (long long)(expected))

/* The same for two strings. */
#define LUNATIC_CHECK_TEXT(actual, expected)                                                       \
    lun_test_text_(__FILE__, __LINE__, #actual " == " #expected, (actual), (expected))

/* Ends the process as failed, with a message made as by printf. */
#define LUNATIC_FAIL(...) lun_test_fail_(__FILE__, __LINE__, __VA_ARGS__)

/* ---- What the macros above are made of; not for use --------------------------------------------
 */

#define LUNATIC_TEST_(marks, name)                                                                 \
    static void lunatic_test_body_##name(void);                                                    \
    LUNATIC_TEST_LINKAGE_ void lunatic_test_##name(void);                                          \
    LUNATIC_TEST_LINKAGE_                                                                          \
    __attribute__((export_name("#lunatic_test_" marks #name))) void lunatic_test_##name(void)      \
    {                                                                                              \
        lun_test_begin_();                                                                         \
        lunatic_test_body_##name();                                                                \
        lun_test_end_();                                                                           \
    }                                                                                              \
    static void lunatic_test_body_##name(void)

void lun_test_begin_(void);
void lun_test_end_(void);
_Noreturn void lun_test_fail_(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void lun_test_equal_(const char *file, int line, const char *words, long long actual,
                     long long expected);
void lun_test_text_(const char *file, int line, const char *words, const char *actual,
                    const char *expected);
int lun_test_main_(void);

#ifdef __cplusplus
}
#endif

/* Gives way to the program's own. */
#ifndef LUNATIC_TEST_NO_MAIN
#ifndef __cplusplus
int main(int argc, char **argv);
#endif
__attribute__((weak)) int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return lun_test_main_();
}
#endif

#endif
