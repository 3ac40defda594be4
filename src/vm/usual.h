/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which pages of their slots nearly all instances of a program touch.
 *
 * In lazy slots a page comes by a signal, which costs more than to put it there before. So the
 * first slots of a program are samples, in which touches are counted; later slots get at birth what
 * three quarters of the samples touched. Only a hint: whatever is guessed wrong comes when it is
 * touched, or is a page too much. */
#ifndef VM_USUAL_H
#define VM_USUAL_H

#include "base/assert.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define USUAL_PAGES   512u /* from the slot's low end; touches beyond are not counted */
#define USUAL_SAMPLES 256u /* the first slots of a program */
#define USUAL_LEAST   16u  /* samples that must have touched the commonest page */

struct usual {
    _Atomic uint32_t cut;                            /* slots so far */
    _Atomic uint16_t touched[USUAL_PAGES];           /* by page: how many samples touched it */
    _Atomic uint64_t pages[(USUAL_PAGES + 63) / 64]; /* bit per page: it is usual */
};

/* Another slot was made. True: it is a sample. Any thread. */
bool usual_slot_made(struct usual *u) MUST_USE;

/* A sample touched the page for the first time. Any thread, signal handlers too. */
void usual_touch(struct usual *u, uint64_t page);

static inline bool usual_page(const struct usual *u, uint32_t page)
{
    return atomic_load_explicit(&u->pages[page / 64], memory_order_relaxed) >> (page % 64) & 1;
}

#endif
