/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define SLOTS 16384
#define KEYS  10000

static uint32_t keys[SLOTS], counts[SLOTS];

static uint32_t *find(uint32_t key)
{
    uint32_t i = (key * 2654435769u) >> 18;

    while (keys[i] && keys[i] != key)
        i = (i + 1) % SLOTS;
    keys[i] = key;
    return &counts[i];
}

uint64_t kernel_hash_table(void)
{
    uint32_t state = 7;
    uint64_t sum = 0;

    for (int i = 0; i < SLOTS; i++)
        keys[i] = counts[i] = 0;
    for (int i = 0; i < 10 * KEYS; i++)
        (*find(next_random(&state) % KEYS + 1))++;
    for (int i = 0; i < SLOTS; i++)
        sum = sum * 31 + (uint64_t)counts[i] * keys[i];
    return sum;
}
