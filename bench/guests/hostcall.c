/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Host calls that copy 8 bytes: write_data and read_data. Prints nanoseconds for one, the minimum.
 */
#include "abi.h"
#include <stdio.h>

#define CALLS 4096

int main(void)
{
    uint64_t value = 1, write_best = UINT64_MAX, read_best = UINT64_MAX;

    for (int r = 0; r < 2000; r++) {
        uint64_t start, took;

        message_create_data(0, CALLS * 8);
        start = now_ns();
        for (int i = 0; i < CALLS; i++)
            message_write_data(&value, 8);
        took = now_ns() - start;
        if (took < write_best)
            write_best = took;
        start = now_ns();
        for (int i = 0; i < CALLS; i++)
            message_read_data(&value, 8);
        took = now_ns() - start;
        if (took < read_best)
            read_best = took;
    }
    printf("write_data_ns %.2f\nread_data_ns %.2f\n", (double)write_best / CALLS,
           (double)read_best / CALLS);
    return 0;
}
