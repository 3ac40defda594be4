/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Spawn, one message back, exit; one after another. Prints nanoseconds for one, the median of
 * rounds. */
#include "abi.h"
#include <stdio.h>
#include <stdlib.h>

EXPORT("child") void child(int64_t parent)
{
    send_u64((uint64_t)parent, 1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int per_round = argc > 1 ? atoi(argv[1]) : 20000, rounds = argc > 2 ? atoi(argv[2]) : 21;
    uint64_t self = process_id();
    double ns[101];

    if (rounds > 101)
        rounds = 101;
    for (int r = 0; r < rounds; r++) {
        uint64_t start = now_ns();

        for (int i = 0; i < per_round; i++) {
            SPAWN("child", self);
            receive_u64();
        }
        ns[r] = (double)(now_ns() - start) / per_round;
    }
    qsort(ns, (size_t)rounds, sizeof(ns[0]), compare);
    printf("spawn_ns %.1f\n", ns[rounds / 2]);
    return 0;
}
