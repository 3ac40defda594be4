/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Children fail in four ways; their parent is told, reports it and goes on. */
// expect: One child reads beyond its memory: it died, and we live.
// expect: One child divides by zero: it died, and we live.
// expect: One child recurses for ever: it died, and we live.
// expect: One child panics: it died, and we live.
// expect: One child does its work: its result is 42.
// error: out of bounds
// error: divide by zero
// error: unreachable
// error: read_beyond_memory
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>

static void read_beyond_memory(const int *n, int *result)
{
    const volatile int *far = (const volatile int *)(uintptr_t)0xf0000000u;

    *result = far[*n];
}

static void divide_by_zero(const int *n, int *result)
{
    volatile int zero = *n - *n;

    *result = *n / zero;
}

static int depth(volatile int n)
{
    return n == 0 ? 0 : 1 + depth(n + 1) + (int)n;
}

static void recurse_for_ever(const int *n, int *result)
{
    *result = depth(*n);
}

static void panic(const int *n, int *result)
{
    (void)n;
    (void)result;
    fprintf(stderr, "panic: this child has had enough\n");
    abort();
}

static void work(const int *n, int *result)
{
    *result = 2 * *n;
}

static void attempt(const char *what, void (*child)(const int *, int *))
{
    int number = 21, result;
    lun_task task = LUN_START(child, &number, &result);

    printf("One child %s: ", what);
    if (lun_wait(&task, LUN_FOREVER) == 0)
        printf("its result is %d.\n", result);
    else
        printf("it died, and we live.\n");
    fflush(stdout);
}

int main(void)
{
    lun_die_with_links(false); /* tell us instead */
    attempt("reads beyond its memory", read_beyond_memory);
    attempt("divides by zero", divide_by_zero);
    attempt("recurses for ever", recurse_for_ever);
    attempt("panics", panic);
    attempt("does its work", work);
    return 0;
}
