/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The links of a process and those who monitor it, in the order they were made. Owning task only.
 */
#ifndef PROC_BOND_H
#define PROC_BOND_H

#include "proc/actors.h"
#include <stdbool.h>
#include <stdint.h>

enum bond_kind {
    BOND_LINK,    /* we tell it how we died; it tells us */
    BOND_LATE,    /* wanted a link when we were already dying: is told that there is no process */
    BOND_MONITOR, /* we tell it that we died */
    BOND_KIND_COUNT,
};

struct bond {
    struct bond *next, *prev; /* newer, older */
    struct bond *next_hashed; /* in the index */
    uint64_t process_id;
    int64_t tag; /* BOND_LINK: told to the other side, 0: none */
    uint64_t kind;
};

struct bond_index;

/* All-zero is valid and empty. At most one bond of a kind per process. */
struct bonds {
    struct bond *first, *last; /* oldest, newest */
    struct bond_index *index;  /* NULL while there are few */
    uint32_t count;
    uint32_t link_count; /* of kind BOND_LINK */
};

/* Adds a bond, or gives the one that exists the new tag. Aborts when there is no memory for it. */
void bonds_set(struct bonds *b, struct actors *a, enum bond_kind kind, uint64_t process_id,
               int64_t tag);

/* The bond, or NULL. */
struct bond *bonds_find(const struct bonds *b, enum bond_kind kind, uint64_t process_id);

/* Removes it; false: there was none. */
bool bonds_remove(struct bonds *b, struct actors *a, enum bond_kind kind, uint64_t process_id);

/* Removes the oldest, for who empties them one by one: from now on nothing is found. */
void bonds_drop_first(struct bonds *b, struct actors *a);

void bonds_deinit(struct bonds *b, struct actors *a);

#endif
