/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* From a tag to the messages of a mailbox that bear it, oldest first: a hash table whose entries
 * are queues. An entry whose queue is empty does not exist. */
#ifndef PROC_TAG_INDEX_H
#define PROC_TAG_INDEX_H

#include "proc/message.h"

struct tag_queue {
    int64_t tag;                  /* not 0; 0: the slot is free */
    struct message *first, *last; /* linked by next_same */
};

struct tag_index {
    struct tag_queue *slots; /* linear probing */
    size_t slot_count;       /* a power of two */
    size_t count;            /* <= 3/4 of them */
    uint64_t seed;           /* so that nobody can choose tags that meet in one slot */
    uint64_t steps;          /* slots looked at so far, for tests */
};

/* Empty; NULL: no memory. */
struct tag_index *tag_index_new(void) MUST_USE;
void tag_index_free(struct tag_index *ix);

/* Appends a message whose tag is not 0. False: no memory. */
bool tag_index_add(struct tag_index *ix, struct message *m) MUST_USE;

/* The queue of `tag`, or NULL. Valid until the next change. */
struct tag_queue *tag_index_find(struct tag_index *ix, int64_t tag);

/* Removes `m`, which comes right after `before` in its queue (NULL: it is the first). */
void tag_index_remove(struct tag_index *ix, struct message *m, struct message *before);

#endif
