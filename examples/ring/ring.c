/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A ring of processes passes a token round. `ring.wasm [PROCESSES [ROUNDS]]` */
// run: 1000 3
// expect: 1000 processes made a ring.
// expect: The token went round 3 times, through 3000 processes.
// expect~: [0-9]+ ns for each of them; [0-9]+ ns to spawn each process.
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void node(const lun_process *next)
{
    lun_message message;
    long hops;

    while (lun_receive(&message, LUN_FOREVER) == 0 && LUN_READ(&hops) == 0) {
        hops++;
        LUN_SEND(*next, 0, &hops);
    }
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 10000, rounds = argc > 2 ? atol(argv[2]) : 10;
    lun_process next = lun_self();
    lun_message message;
    double begin = now_ns(), spawned;
    long i, hops = 0;

    for (i = 0; i < count; i++) {
        next = LUN_SPAWN(node, &next);
        if (next == 0) {
            fprintf(stderr, "process %ld: %s\n", i, lun_error_text());
            return 1;
        }
    }
    spawned = now_ns();
    printf("%ld processes made a ring.\n", count);
    for (i = 0; i < rounds; i++) {
        LUN_SEND(next, 0, &hops);
        if (lun_receive(&message, LUN_FOREVER) != 0 || LUN_READ(&hops) != 0)
            return 1;
    }
    printf("The token went round %ld times, through %ld processes.\n", rounds, hops);
    printf("%.0f ns for each of them; %.0f ns to spawn each process.\n",
           (now_ns() - spawned) / (double)(hops ? hops : 1),
           (spawned - begin) / (double)(count ? count : 1));
    return 0;
}
