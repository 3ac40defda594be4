/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The inside of struct program, for program.c, instance.c, store.c and what serves running
 * instances. */
#ifndef VM_PROGRAM_INTERNAL_H
#define VM_PROGRAM_INTERNAL_H

#include "vm/program.h"
#include "vm/slot.h"
#include <stdatomic.h>

struct program {
    const struct module *module;
    struct code *code;
    struct function *functions; /* implicit; NULL if is_linked (each instance has its own) */
    struct slot_layout layout;
    uint64_t *globals;     /* initial cells of the defined globals */
    uint32_t global_count; /* of the defined ones */
    uint32_t results_max;  /* words of instance->results */
    uint32_t table_count;
    struct table *tables;       /* shared by the instances until they change one */
    struct table **table_array; /* pointers to them: instance->tables */
    uint64_t table_largest;     /* elements of the largest table */
    uint64_t memory_size;       /* bytes at the beginning; 0: none, or imported */
    uint64_t memory_max;        /* bytes */
    size_t extra_size;
    bool has_memory; /* of its own, in the slot */
    bool is_linked;  /* its instances are linked to others: store.c */
    bool owns;
    _Atomic uint32_t references;
    /* Where memories often grow out of their slots, new instances get slots in which they need not
     * move. Counted without care for races: only a hint. */
    struct slot_layout large; /* layout, with another region */
    _Atomic uint32_t births, moves;
    struct slot_layout lazy; /* layout in REGION_LAZY; of the same region: not worth it */
};

/* The parts that programs and linked programs have in common: layout without image, counts, tables
 * empty. */
struct program *program_alloc(const struct module *m, struct code *code, size_t extra_size);
void program_free(struct program *p);

/* Orders the layout's parts, chooses phase and region; `ranges` are the non-zero parts of the
 * memory. */
struct image_range {
    uint64_t at;
    const uint8_t *data;
    uint64_t size;
};
bool program_layout(struct program *p, const struct image_range *ranges, size_t count,
                    struct error *err);

/* Evaluates a constant expression. `globals`: the global index space so far (addresses of cells).
 */
uint64_t constexpr_eval(const struct constexpr_ *c, uint64_t *const *globals,
                        const struct function *functions);

/* The value of an item of an element segment. */
uint64_t instance_constant(struct instance *i, const struct constexpr_ *c);

struct slot *instance_slot(struct instance *i);

#endif
