/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>

#define TESTS_MAX 4096

static struct {
    const char *name;
    test_fn *run;
} tests[TESTS_MAX];
static int test_count;
static bool current_failed;

void test_register(const char *name, test_fn *run)
{
    if (test_count == TESTS_MAX) {
        fprintf(stderr, "more than %d tests in one program\n", TESTS_MAX);
        abort();
    }
    tests[test_count].name = name;
    tests[test_count++].run = run;
}

bool test_failed(const char *file, int line, const char *text)
{
    current_failed = true;
    fprintf(stderr, "    %s:%d: not true: %s\n", file, line, text);
    return false;
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    int run = 0, failed = 0;

    for (int i = 0; i < test_count; i++) {
        if (!wanted(tests[i].name, argc, argv))
            continue;
        current_failed = false;
        run++;
        printf("%s\n", tests[i].name); /* before: whoever hangs or dies is the last one */
        fflush(stdout);
        tests[i].run();
        if (current_failed) {
            failed++;
            printf("FAILED %s\n", tests[i].name);
        }
    }
    printf("%d tests, %d failed\n", run, failed);
    if (run == 0)
        fprintf(stderr, "no test matches\n");
    return failed || run == 0;
}
