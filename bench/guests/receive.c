/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Selective receive: requests, each with a new tag, to a process that echoes; with an empty
 * mailbox, then with messages of other tags queued before. Prints nanoseconds for a request, the
 * medians of rounds. receive [QUEUED [REQUESTS [ROUNDS]]]. */
#include "abi.h"
#include <stdio.h>
#include <stdlib.h>

IMPORT("message", "get_tag") int64_t message_get_tag(void);

EXPORT("echo") void echo(int64_t parent)
{
    for (;;) {
        int64_t tag;

        message_receive(0, 0, FOREVER);
        tag = message_get_tag();
        if (tag == 1)
            return;
        message_create_data(tag, 8);
        message_write_data(&tag, 8);
        message_send((uint64_t)parent);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int64_t next_tag = 1000000000;

static double measure(uint64_t peer, int requests)
{
    uint64_t start = now_ns();

    for (int i = 0; i < requests; i++) {
        int64_t tag = next_tag++;

        message_create_data(tag, 8);
        message_write_data(&tag, 8);
        message_send(peer);
        message_receive(&tag, 1, FOREVER);
    }
    return (double)(now_ns() - start) / requests;
}

static double median_of(uint64_t peer, int requests, int rounds)
{
    double ns[101];

    for (int r = 0; r < rounds; r++)
        ns[r] = measure(peer, requests);
    qsort(ns, (size_t)rounds, sizeof(ns[0]), compare);
    return ns[rounds / 2];
}

int main(int argc, char **argv)
{
    int queued = argc > 1 ? atoi(argv[1]) : 100000, requests = argc > 2 ? atoi(argv[2]) : 10000;
    int rounds = argc > 3 && atoi(argv[3]) <= 101 ? atoi(argv[3]) : 21;
    uint64_t peer = SPAWN("echo", process_id());
    double empty, full;

    empty = median_of(peer, requests, rounds);
    for (int i = 0; i < queued; i++) {
        message_create_data(2 + i % 50000, 8);
        message_send(process_id());
    }
    full = median_of(peer, requests, rounds);
    message_create_data(1, 0);
    message_send(peer);
    printf("empty_ns %.1f\nqueued_ns %.1f\nratio %.3f\n", empty, full, full / empty);
    return 0;
}
