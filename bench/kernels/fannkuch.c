/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N 8

uint64_t kernel_fannkuch(void)
{
    int perm[N], perm1[N], count[N], flips_max = 0, permutation = 0, checksum = 0, r = N;

    for (int i = 0; i < N; i++)
        perm1[i] = i;
    for (;;) {
        for (; r != 1; r--)
            count[r - 1] = r;
        if (perm1[0] != 0 && perm1[N - 1] != N - 1) {
            int flips = 0, k;

            for (int i = 0; i < N; i++)
                perm[i] = perm1[i];
            while ((k = perm[0]) != 0) {
                for (int i = 0, j = k; i < j; i++, j--) {
                    int t = perm[i];

                    perm[i] = perm[j];
                    perm[j] = t;
                }
                flips++;
            }
            if (flips > flips_max)
                flips_max = flips;
            checksum += permutation % 2 == 0 ? flips : -flips;
        }
        for (;;) {
            int first;

            if (r == N)
                return (uint64_t)(uint32_t)checksum << 32 | (uint32_t)flips_max;
            first = perm1[0];
            for (int i = 0; i < r; i++)
                perm1[i] = perm1[i + 1];
            perm1[r] = first;
            if (--count[r] > 0)
                break;
            r++;
        }
        permutation++;
    }
}
