/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Round trips of one pair, 8 bytes each way. Prints nanoseconds for one, the median of rounds. */
#include "abi.h"
#include <stdio.h>
#include <stdlib.h>

EXPORT("echo") void echo(int64_t parent)
{
    for (uint64_t value; (value = receive_u64()) != 0;)
        send_u64((uint64_t)parent, value);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int per_round = argc > 1 ? atoi(argv[1]) : 50000, rounds = argc > 2 ? atoi(argv[2]) : 21;
    uint64_t peer = SPAWN("echo", process_id());
    double ns[101];

    if (rounds > 101)
        rounds = 101;
    for (int r = 0; r < rounds; r++) {
        uint64_t start = now_ns();

        for (int i = 0; i < per_round; i++) {
            send_u64(peer, 7);
            receive_u64();
        }
        ns[r] = (double)(now_ns() - start) / per_round;
    }
    send_u64(peer, 0);
    qsort(ns, (size_t)rounds, sizeof(ns[0]), compare);
    printf("round_trip_ns %.1f\n", ns[rounds / 2]);
    return 0;
}
