/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The answer to a clock while others loop for ever: a process asks for a wake-up in 1 ms, again and
 * again, and notes how late it comes. clock REQUESTS LOOPERS. Prints percentiles in microseconds.
 */
#include "abi.h"
#include <stdio.h>
#include <stdlib.h>

EXPORT("loop") void loop(int64_t seed)
{
    volatile uint64_t x = (uint64_t)seed;

    for (;;)
        x = x * 6364136223846793005u + 1;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int requests = argc > 1 ? atoi(argv[1]) : 10000, loopers = argc > 2 ? atoi(argv[2]) : 1000;
    uint64_t *late = malloc((size_t)requests * sizeof(*late));

    for (int i = 0; i < loopers; i++)
        SPAWN("loop", (uint64_t)i);
    for (int i = 0; i < requests; i++) {
        uint64_t start = now_ns(), took;

        process_sleep_ms(1);
        took = now_ns() - start;
        late[i] = took > 1000000 ? took - 1000000 : 0;
    }
    qsort(late, (size_t)requests, sizeof(*late), compare);
    printf("late_p50_us %.1f\nlate_p99_us %.1f\nlate_p999_us %.1f\n",
           (double)late[requests / 2] / 1e3, (double)late[requests * 99 / 100] / 1e3,
           (double)late[requests - 1 - requests / 1000] / 1e3);
    return 0;
}
