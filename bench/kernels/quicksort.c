/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define N 20000

static int32_t values[N];

static void sort(int32_t *v, int low, int high)
{
    while (low < high) {
        int32_t pivot = v[(low + high) / 2];
        int i = low, j = high;

        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                int32_t t = v[i];

                v[i++] = v[j];
                v[j--] = t;
            }
        }
        if (j - low < high - i) {
            sort(v, low, j);
            low = i;
        } else {
            sort(v, i, high);
            high = j;
        }
    }
}

uint64_t kernel_quicksort(void)
{
    uint32_t state = 42;
    uint64_t sum = 0;

    for (int i = 0; i < N; i++)
        values[i] = (int32_t)next_random(&state);
    sort(values, 0, N - 1);
    for (int i = 0; i < N; i += 100)
        sum = sum * 31 + (uint32_t)values[i];
    return sum;
}
