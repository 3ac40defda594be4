// SPDX-License-Identifier: Apache-2.0 OR MIT
// Arguments, environment, clocks, sleep, randomness, standard streams, and the exit status.
//
// run: one --two
// options: --env COLOUR=blue=green
// expect: 3 one --two
// expect: blue=green
// expect: clocks: ok
// expect: sleep: ok
// expect: random: ok
// expect: stdin is at its end
// expect: yielded
// expect: no terminal
// error: to standard error
// exit: 42
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0)
        exit(1);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const char *colour = getenv("COLOUR");
    unsigned char a[32] = {0}, b[32] = {0};
    double before, after;

    printf("%d %s %s\n", argc, argv[1], argv[2]);
    puts(colour ? colour : "no COLOUR");
    before = seconds(CLOCK_MONOTONIC);
    puts(before >= 0 && seconds(CLOCK_MONOTONIC) >= before && seconds(CLOCK_REALTIME) > 1.5e9
             ? "clocks: ok"
             : "clocks: wrong");
    before = seconds(CLOCK_MONOTONIC);
    usleep(50000);
    after = seconds(CLOCK_MONOTONIC);
    puts(after - before >= 0.05 && after - before < 5 ? "sleep: ok" : "sleep: wrong");
    getentropy(a, sizeof(a));
    getentropy(b, sizeof(b));
    puts(memcmp(a, b, sizeof(a)) != 0 ? "random: ok" : "random: the same twice");
    puts(getchar() == EOF ? "stdin is at its end" : "stdin has something");
    puts(sched_yield() == 0 ? "yielded" : "not yielded");
    puts(isatty(1) ? "a terminal" : "no terminal");
    fputs("to standard error\n", stderr);
    return 42;
}
