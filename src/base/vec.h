/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Growable arrays of any element type.
 *
 *     VEC(uint32_t) offsets = {0};
 *     if (!vec_push(&offsets, 7)) ...out of memory...
 *     for (size_t i = 0; i < offsets.count; i++) use(offsets.items[i]);
 *     vec_deinit(&offsets);
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/mem.h"
#include <stdbool.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity; /* count <= capacity */                                            \
    }

/* Makes room for `extra` more elements; false if there is no memory. */
#define vec_reserve(v, extra)                                                                      \
    vec_reserve_bytes((void **)&(v)->items, &(v)->capacity, (v)->count, (extra),                   \
                      sizeof(*(v)->items))

/* Appends one element; false if there is no memory. */
#define vec_push(v, ...)                                                                           \
    (((v)->count < (v)->capacity || vec_reserve(v, 1))                                             \
         ? ((v)->items[(v)->count++] = (__VA_ARGS__), true)                                        \
         : false)

#define vec_deinit(v) (mem_free((v)->items), (v)->items = NULL, (v)->count = 0, (v)->capacity = 0)

bool vec_reserve_bytes(void **items, size_t *capacity, size_t count, size_t extra, size_t item_size)
    MUST_USE;

#endif
