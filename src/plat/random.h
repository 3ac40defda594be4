/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Randomness: the kernel's, and a small generator whose sequence follows from its seed. */
#ifndef PLAT_RANDOM_H
#define PLAT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills with bytes fit for keys; waits only at boot, aborts if the kernel has no generator. Any
 * thread. */
void random_bytes(void *data, size_t size);

/* splitmix64: good statistics, no secrecy. Any state is valid. */
struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *p)
{
    uint64_t z = (p->state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Evenly among 0 .. count - 1; count > 0. */
static inline uint64_t prng_below(struct prng *p, uint64_t count)
{
    return (uint64_t)(((unsigned __int128)prng_next(p) * count) >> 64);
}

#endif
