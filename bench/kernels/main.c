/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Runs the kernels named by the arguments (all without) and prints "name nanoseconds checksum": the
 * minimum over as many runs as fit into a third of a second, at least five. */
#include "kernel.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BUDGET_NS 330000000ull
#define RUNS_MIN  5

static const struct {
    const char *name;
    kernel_fn *run;
} kernels[] = {
    {"matmul", kernel_matmul},
    {"jacobi-2d", kernel_jacobi_2d},
    {"seidel", kernel_seidel},
    {"lu", kernel_lu},
    {"fannkuch", kernel_fannkuch},
    {"n-body", kernel_n_body},
    {"spectral-norm", kernel_spectral_norm},
    {"mandelbrot", kernel_mandelbrot},
    {"sha256", kernel_sha256},
    {"quicksort", kernel_quicksort},
    {"hash-table", kernel_hash_table},
    {"string-search", kernel_string_search},
    {"fib", kernel_fib},
    {"interpreter", kernel_interpreter},
};

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        uint64_t best = UINT64_MAX, total = 0, sum = 0;
        int wanted = argc < 2;

        for (int a = 1; a < argc; a++)
            wanted |= strcmp(argv[a], kernels[i].name) == 0;
        for (int run = 0; wanted && (run < RUNS_MIN || total < BUDGET_NS); run++) {
            uint64_t start = now_ns(), took;

            sum = kernels[i].run();
            took = now_ns() - start;
            total += took;
            if (took < best)
                best = took;
        }
        if (wanted)
            printf("%s %llu %llu\n", kernels[i].name, (unsigned long long)best,
                   (unsigned long long)sum);
    }
    return 0;
}
