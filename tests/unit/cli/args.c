/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/args.h"
#include "base/assert.h"
#include "harness.h"

static const struct option options[] = {
    {"dir", 'd', true, 1},
    {"bench", 0, false, 2},
    {NULL, 0, false, 0},
};

static void start(struct args *a, int count, const char *const *words)
{
    static char *copy[16];

    memcpy(copy, words, (size_t)count * sizeof *words);
    args_init(a, options, count, copy);
}

#define START(a, ...)                                                                              \
    start(a, (int)ARRAY_COUNT(((const char *[]){__VA_ARGS__})), (const char *[]){__VA_ARGS__})

TEST(args_come_in_any_order_and_both_forms)
{
    struct args a;
    const char *value;

    START(&a, "one", "--dir", "x", "two", "--dir=y=z", "--bench", "-d", "w", "-dv");
    CHECK(args_next(&a, &value, NULL) == ARGS_WORD);
    CHECK_TEXT(value, "one");
    CHECK(args_next(&a, &value, NULL) == 1);
    CHECK_TEXT(value, "x");
    CHECK(args_next(&a, &value, NULL) == ARGS_WORD);
    CHECK_TEXT(value, "two");
    CHECK(args_next(&a, &value, NULL) == 1);
    CHECK_TEXT(value, "y=z");
    CHECK(args_next(&a, &value, NULL) == 2);
    CHECK(value == NULL);
    CHECK(args_next(&a, &value, NULL) == 1);
    CHECK_TEXT(value, "w");
    CHECK(args_next(&a, &value, NULL) == 1);
    CHECK_TEXT(value, "v");
    CHECK(args_next(&a, &value, NULL) == ARGS_END);
    CHECK(args_next(&a, &value, NULL) == ARGS_END);
}

TEST(args_after_two_dashes_are_words)
{
    struct args a;
    const char *value;

    START(&a, "-", "--", "--dir", "--", "-x");
    CHECK(args_next(&a, &value, NULL) == ARGS_WORD);
    CHECK_TEXT(value, "-");
    CHECK(args_next(&a, &value, NULL) == ARGS_WORD);
    CHECK_TEXT(value, "--dir");
    CHECK(args_next(&a, &value, NULL) == ARGS_WORD);
    CHECK_TEXT(value, "--");
    CHECK(args_next(&a, &value, NULL) == ARGS_WORD);
    CHECK_TEXT(value, "-x");
    CHECK(args_next(&a, &value, NULL) == ARGS_END);
}

TEST(args_that_are_wrong_are_named)
{
    static const char *const wrong[][2] = {
        {"--di", "'--di'"}, {"--dirs", "'--dirs'"},   {"-q", "'-q'"},     {"-bx", "'-bx'"},
        {"--dir", "value"}, {"--bench=", "no value"}, {"--=x", "'--=x'"},
    };
    struct error err;
    struct args a;
    const char *value;
    size_t i;

    for (i = 0; i < ARRAY_COUNT(wrong); i++) {
        start(&a, 1, wrong[i]);
        CHECK(args_next(&a, &value, &err) == ARGS_ERROR);
        CHECK(err.code == ERR_USAGE);
        CHECK(strstr(err.text, wrong[i][1]));
    }
}

TEST(args_number_takes_whole_words_below_a_maximum)
{
    uint64_t n = 77;

    CHECK(args_number("0", 10, &n) && n == 0);
    CHECK(args_number("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
    CHECK(args_number("3K", UINT64_MAX, &n) && n == 3072);
    CHECK(args_number("2G", UINT64_MAX, &n) && n == UINT64_C(2) << 30);
    n = 77;
    CHECK(!args_number("18446744073709551616", UINT64_MAX, &n));
    CHECK(!args_number("11", 10, &n));
    CHECK(!args_number("18446744073709551615K", UINT64_MAX, &n));
    CHECK(!args_number("", 10, &n));
    CHECK(!args_number("-1", 10, &n));
    CHECK(!args_number("1 ", 10, &n));
    CHECK(!args_number("0x1", 10, &n));
    CHECK(!args_number("1KK", UINT64_MAX, &n));
    CHECK(n == 77);
}
