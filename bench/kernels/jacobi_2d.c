/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N     120
#define STEPS 20

static double a[N][N], b[N][N];

uint64_t kernel_jacobi_2d(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = ((double)i * (j + 2) + 2) / N;
            b[i][j] = ((double)i * (j + 3) + 3) / N;
        }
    for (int t = 0; t < STEPS; t++) {
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                b[i][j] = 0.2 * (a[i][j] + a[i][j - 1] + a[i][j + 1] + a[i + 1][j] + a[i - 1][j]);
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                a[i][j] = 0.2 * (b[i][j] + b[i][j - 1] + b[i][j + 1] + b[i + 1][j] + b[i - 1][j]);
    }
    for (int i = 0; i < N; i++)
        sum = fold(sum, a[i][N - 1 - i]);
    return sum;
}
