/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N     100
#define STEPS 10

static double a[N][N];

uint64_t kernel_seidel(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = ((double)i * (j + 2) + 2) / N;
    for (int t = 0; t < STEPS; t++)
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                a[i][j] = (a[i - 1][j - 1] + a[i - 1][j] + a[i - 1][j + 1] + a[i][j - 1] + a[i][j] +
                           a[i][j + 1] + a[i + 1][j - 1] + a[i + 1][j] + a[i + 1][j + 1]) /
                          9.0;
    for (int i = 0; i < N; i++)
        sum = fold(sum, a[i][(i * 7) % N]);
    return sum;
}
