/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/usual.h"

#define JUDGE_INTERVAL 64u /* slots between two looks at the counts */

static void judge(struct usual *u)
{
    uint32_t most = 0;

    for (uint32_t page = 0; page < USUAL_PAGES; page++) {
        uint32_t n = atomic_load_explicit(&u->touched[page], memory_order_relaxed);

        if (n > most)
            most = n;
    }
    if (most < USUAL_LEAST)
        return;
    for (uint32_t page = 0; page < USUAL_PAGES; page++) {
        uint64_t bit = 1ull << (page % 64);

        if (atomic_load_explicit(&u->touched[page], memory_order_relaxed) >= most - most / 4)
            atomic_fetch_or_explicit(&u->pages[page / 64], bit, memory_order_relaxed);
        else
            atomic_fetch_and_explicit(&u->pages[page / 64], ~bit, memory_order_relaxed);
    }
}

bool usual_slot_made(struct usual *u)
{
    uint32_t cut = atomic_fetch_add_explicit(&u->cut, 1, memory_order_relaxed);

    if (cut % JUDGE_INTERVAL == JUDGE_INTERVAL - 1)
        judge(u);
    return cut < USUAL_SAMPLES;
}

void usual_touch(struct usual *u, uint64_t page)
{
    /* A slot's life has few first touches, but a page that was given back comes again. */
    if (page < USUAL_PAGES &&
        atomic_load_explicit(&u->touched[page], memory_order_relaxed) < UINT16_MAX)
        atomic_fetch_add_explicit(&u->touched[page], 1, memory_order_relaxed);
}
