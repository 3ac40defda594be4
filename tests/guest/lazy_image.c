/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Much initialised data below a stack of a megabyte, as Rust lays programs out: its pages come when
 * they are touched, whoever touches them (this code, the host, the kernel), and no task sees what
 * another wrote. */
// build: -Wl,-z,stack-size=1048576 -Wl,--stack-first
// expect: 600 tasks, 0 wrong
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW(n)   (n) * 40503u + 7, (n) * 40503u + 8, (n) * 40503u + 9, (n) * 40503u + 10
#define BLOCK(n) ROW(n), ROW((n) + 4), ROW((n) + 8), ROW((n) + 12)
#define LARGE(n) BLOCK(n), BLOCK((n) + 16), BLOCK((n) + 32), BLOCK((n) + 48)
#define HUGE(n)  LARGE(n), LARGE((n) + 64), LARGE((n) + 128), LARGE((n) + 192)
#define COUNT    6144u

static volatile unsigned table[COUNT] = {
    HUGE(0),    HUGE(256),  HUGE(512),  HUGE(768),  HUGE(1024), HUGE(1280), HUGE(1536), HUGE(1792),
    HUGE(2048), HUGE(2304), HUGE(2560), HUGE(2816), HUGE(3072), HUGE(3328), HUGE(3584), HUGE(3840),
    HUGE(4096), HUGE(4352), HUGE(4608), HUGE(4864), HUGE(5120), HUGE(5376), HUGE(5632), HUGE(5888)};
static unsigned char empty[24000];

static unsigned original(unsigned n)
{
    return n / 4 * 4 * 40503u + 7 + n % 4;
}

static int is_zero(const unsigned char *at, size_t size)
{
    while (size)
        if (at[--size])
            return 0;
    return 1;
}

/* 0: all was as it should be; else the number of what was not. */
static void look(const unsigned *seed, int *wrong)
{
    unsigned state = *seed * 2654435761u + 1, n;
    static unsigned char *grown;

    *wrong = 0;
    for (n = 0; n < 40; n++) { /* scattered, the first touch a read or a write */
        unsigned at = (state = state * 1103515245u + 12345u) >> 8, to = (at >> 3) % COUNT;

        if (at % 3 == 0)
            table[to] = 1;
        else if (table[to] != original(to) && table[to] != 1)
            *wrong = 1;
    }
    if (*seed % 2) { /* the kernel is the first to touch */
        if (getentropy(empty + 5000, 200) || is_zero(empty + 5000, 200))
            *wrong = 2;
        if (getentropy((void *)(unsigned long)&table[3000], 256))
            *wrong = 3;
        for (n = 3100; n < 3200; n++)
            if (table[n] != original(n) && table[n] != 1)
                *wrong = 4;
    } else if (!is_zero(empty, sizeof(empty))) {
        *wrong = 5;
    }
    if (*seed % 5 == 0) { /* grows out of its slot */
        grown = malloc(3u << 20);
        if (!grown)
            *wrong = 6;
        else
            memset(grown, 9, 3u << 20);
    }
    for (n = 0; n < COUNT; n++)
        if (table[n] != original(n) && table[n] != 1 && (*seed % 2 == 0 || n < 3000 || n >= 3064))
            *wrong = 7;
    memset(empty, 0xff, sizeof(empty));
    for (n = 0; n < COUNT; n++)
        table[n] = 2; /* whoever gets this memory next must not see it */
}

int main(void)
{
    unsigned seeds[20], round, n;
    int wrong[20], sum = 0;
    lun_task tasks[20];

    for (round = 0; round < 30; round++) {
        for (n = 0; n < 20; n++) {
            seeds[n] = round * 20 + n;
            tasks[n] = LUN_START(look, &seeds[n], &wrong[n]);
        }
        for (n = 0; n < 20; n++) {
            if (lun_wait(&tasks[n], LUN_FOREVER))
                wrong[n] = 100;
            if (wrong[n])
                fprintf(stderr, "seed %u: %d\n", seeds[n], wrong[n]);
            sum += wrong[n] != 0;
        }
    }
    printf("%u tasks, %d wrong\n", round * 20, sum);
    return 0;
}
