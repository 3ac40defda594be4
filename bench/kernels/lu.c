/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N 110

static double a[N][N];

uint64_t kernel_lu(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = i == j ? N + 1.0 : (double)((i * 13 + j * 7) % 11) / 11;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++)
                a[i][j] -= a[i][k] * a[k][j];
            a[i][j] /= a[j][j];
        }
        for (int j = i; j < N; j++)
            for (int k = 0; k < i; k++)
                a[i][j] -= a[i][k] * a[k][j];
    }
    for (int i = 0; i < N; i++)
        sum = fold(sum, a[i][(i * 17) % N]);
    return sum;
}
