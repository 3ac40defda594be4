/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N 100

static double u[N], v[N], w[N];

static double element(int i, int j)
{
    return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static void times(const double *in, double *out, int transposed)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;

        for (int j = 0; j < N; j++)
            sum += (transposed ? element(j, i) : element(i, j)) * in[j];
        out[i] = sum;
    }
}

uint64_t kernel_spectral_norm(void)
{
    double vbv = 0, vv = 0;

    for (int i = 0; i < N; i++)
        u[i] = 1;
    for (int i = 0; i < 10; i++) {
        times(u, w, 0);
        times(w, v, 1);
        times(v, w, 0);
        times(w, u, 1);
    }
    for (int i = 0; i < N; i++) {
        vbv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    return fold(0, __builtin_sqrt(vbv / vv));
}
