/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Intrusive doubly linked lists: the node is a member of what is listed, found back with
 * CONTAINER_OF. All-zero is not valid: call list_init. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev; /* of the head: first and last; of a lone head: itself */
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_push_back(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}

/* Unlinks and returns the first node, or NULL. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

#endif
