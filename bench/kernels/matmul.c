/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N 96

static double a[N][N], b[N][N], c[N][N];

uint64_t kernel_matmul(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (i * j % 7) + 0.5;
            b[i][j] = (i + j) % 5 - 1.25;
            c[i][j] = 0;
        }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                c[i][j] += a[i][k] * b[k][j];
    for (int i = 0; i < N; i++)
        sum = fold(sum, c[i][(i * 31) % N]);
    return sum;
}
