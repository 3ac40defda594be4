/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The numeric kernels: the same C compiled natively and to WebAssembly. Each runs once per call and
 * returns a checksum, so that nothing is optimised away and all engines can be compared. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stdint.h>

typedef uint64_t kernel_fn(void);

kernel_fn kernel_matmul, kernel_jacobi_2d, kernel_seidel, kernel_lu, kernel_fannkuch, kernel_n_body,
    kernel_spectral_norm, kernel_mandelbrot, kernel_sha256, kernel_quicksort, kernel_hash_table,
    kernel_string_search, kernel_fib, kernel_interpreter;

/* Folds a double into a checksum by its bits. */
static inline uint64_t fold(uint64_t sum, double value)
{
    union {
        double d;
        uint64_t u;
    } bits = {value};

    return (sum ^ bits.u) * 0x100000001b3u;
}

/* A small linear congruential generator: the same numbers everywhere. */
static inline uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

#endif
