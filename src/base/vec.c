/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/vec.h"

bool vec_reserve_bytes(void **items, size_t *capacity, size_t count, size_t extra, size_t item_size)
{
    size_t need, grown;
    void *ptr;

    if (__builtin_add_overflow(count, extra, &need))
        return false;
    if (need <= *capacity)
        return true;
    grown = *capacity < 8 ? 8 : *capacity + *capacity / 2;
    if (grown < need)
        grown = need;
    ptr = mem_try_realloc(*items, grown, item_size);
    if (!ptr)
        return false;
    *items = ptr;
    *capacity = grown;
    return true;
}
