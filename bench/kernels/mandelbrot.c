/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N          128
#define ITERATIONS 50

uint64_t kernel_mandelbrot(void)
{
    uint64_t sum = 0;

    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++) {
            double cr = 2.0 * x / N - 1.5, ci = 2.0 * y / N - 1.0, zr = 0, zi = 0, tr = 0, ti = 0;
            int i;

            for (i = 0; i < ITERATIONS && tr + ti <= 4.0; i++) {
                zi = 2.0 * zr * zi + ci;
                zr = tr - ti + cr;
                tr = zr * zr;
                ti = zi * zi;
            }
            sum = sum * 31 + (uint64_t)i;
        }
    return sum;
}
