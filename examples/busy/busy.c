/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Processes that never stop computing, and a clock that is on time nevertheless.
 * `busy.wasm [LOOPING PROCESSES [TICKS]]` */
// run: 50 20
// expect: 50 processes loop for ever; a clock wants to tick every 10 ms.
// expect~: It ticked 20 times; [0-9.]+ ms late on average, [0-9.]+ ms at worst.
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_MS 10

struct lateness {
    double sum_ms, worst_ms;
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void loop(const void *data, size_t size)
{
    volatile unsigned n = 0;

    (void)data;
    (void)size;
    for (;;)
        n++;
}

static void tick(const int *ticks, struct lateness *late)
{
    int i;

    for (i = 0; i < *ticks; i++) {
        double begin = now_ms(), late_ms;

        lun_sleep(PERIOD_MS);
        late_ms = now_ms() - begin - PERIOD_MS;
        late->sum_ms += late_ms;
        if (late_ms > late->worst_ms)
            late->worst_ms = late_ms;
    }
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100, ticks = argc > 2 ? atoi(argv[2]) : 100, i;
    struct lateness late;
    lun_task clock;

    printf("%d processes loop for ever; a clock wants to tick every %d ms.\n", count, PERIOD_MS);
    fflush(stdout);
    clock = LUN_START(tick, &ticks, &late);
    for (i = 0; i < count; i++)
        lun_spawn(loop, NULL, 0);
    if (lun_wait(&clock, LUN_FOREVER) != 0)
        return 1;
    printf("It ticked %d times; %.2f ms late on average, %.2f ms at worst.\n", ticks,
           late.sum_ms / (ticks ? ticks : 1), late.worst_ms);
    return 0;
}
