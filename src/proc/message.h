/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What travels between processes: signals, and the messages that some of them become.
 *
 * Both are one node from the pool of the actors, so that neither a send nor a receive allocates: a
 * signal that carries a message is that message, and the death of a link turns into one in place.
 * Small data is inside the node. */
#ifndef PROC_MESSAGE_H
#define PROC_MESSAGE_H

#include "base/assert.h"
#include "proc/actors.h"
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct resource;

/* The values are what lunatic::message::receive returns. */
enum message_kind {
    MESSAGE_DATA = 0,
    MESSAGE_LINK_DIED = 1,    /* tag: the link's, or 0 */
    MESSAGE_PROCESS_DIED = 2, /* process_id: whose death was monitored */
};

enum signal_kind {
    SIGNAL_MESSAGE,
    SIGNAL_KILL,
    SIGNAL_DIE_WHEN_LINK_DIES, /* value: the flag */
    SIGNAL_LINK,               /* process_id, tag (0: none) */
    SIGNAL_UNLINK,             /* process_id */
    SIGNAL_LINK_DIED,          /* process_id, tag, value: enum link_reason */
    SIGNAL_MONITOR,            /* process_id: who wants to know */
    SIGNAL_DEMONITOR,          /* process_id */
    SIGNAL_PROCESS_DIED,       /* process_id */
    SIGNAL_ANSWER,             /* process_id: the key; value: see process_answer */
    SIGNAL_OVERFLOW,           /* more was sent than the process has room for */
    SIGNAL_LOOK,               /* somebody looks at processes: process_id, answer; see look.h */
};

/* What the other side of a link is told. */
enum link_reason {
    LINK_NORMAL,
    LINK_FAILURE,
    LINK_NO_PROCESS, /* there was nobody to link to */
};

#define MESSAGE_INLINE_SIZE   104
#define MESSAGE_SIZE_MAX      UINT32_MAX /* bytes of data */
#define MESSAGE_RESOURCES_MAX (1u << 20)

/* The resources that travel with a message: slots, full or emptied; their indexes never shift. */
struct message_resources {
    uint32_t count, capacity;
    struct resource *items[]; /* NULL: taken */
};

struct message {
    uint32_t next_number; /* in a signal queue: the node pushed before this one, 0: none */
    uint8_t signal;       /* enum signal_kind */
    uint8_t kind;         /* enum message_kind, if signal == SIGNAL_MESSAGE */
    uint8_t value;        /* see enum signal_kind */
    bool is_inline;       /* data == inline_data */
    struct message *next; /* in the mailbox: the next newer one */
    struct message *prev;
    struct message *next_same; /* in the mailbox's index: the next newer one with this tag */
    uint64_t arrival;          /* in the mailbox: how many came before */
    int64_t tag;               /* 0: none */
    uint64_t process_id;       /* see enum signal_kind */
    uint8_t *data;             /* the buffer; inline_data or on the heap */
    uint32_t size;             /* <= capacity */
    uint32_t capacity;
    uint64_t position;                   /* where reading goes on; may be beyond `size` */
    struct message_resources *resources; /* NULL: none yet */
    union {
        uint8_t inline_data[MESSAGE_INLINE_SIZE];
        uint64_t answer; /* SIGNAL_ANSWER, SIGNAL_LOOK */
    };
};

static_assert(sizeof(struct message) == 192, "three cache lines");

/* The number of a node, by which signal queues are linked; never 0. */
static inline uint32_t message_number(const struct actors *a, const struct message *m)
{
    return (uint32_t)((size_t)((const uint8_t *)m - a->messages.base) / sizeof(*m));
}

static inline struct message *message_at(const struct actors *a, uint32_t number)
{
    return (struct message *)(void *)(a->messages.base + (size_t)number * sizeof(struct message));
}

/* An empty data message with room for `size_hint` bytes (a hint: too much is cut). NULL: no memory,
 * or as many messages as there may be exist. */
struct message *message_new(struct actors *a, int64_t tag, size_t size_hint) MUST_USE;

/* A message with a copy of `size` bytes. NULL as above. */
struct message *message_new_data(struct actors *a, int64_t tag, const void *data, size_t size)
    MUST_USE;

/* Frees it, and the resources in it. NULL is harmless. */
void message_free(struct actors *a, struct message *m);

/* Frees what is in it, data and resources. */
void message_empty(struct message *m);

/* Makes room for `extra` more bytes; false: beyond MESSAGE_SIZE_MAX, or no memory. */
bool message_reserve(struct message *m, size_t extra) MUST_USE;

/* Appends a copy of the bytes; false: as above, nothing changed. */
static inline bool message_write(struct message *m, const void *data, size_t size)
{
    if (UNLIKELY(size > m->capacity - m->size) && !message_reserve(m, size))
        return false;
    if (size)
        memcpy(m->data + m->size, data, size);
    m->size += (uint32_t)size;
    return true;
}

/* Copies at most `size` bytes from the read position to `out` and moves it; how many is in `*done`.
 * False: the position is beyond the end. */
static inline bool message_read(struct message *m, void *out, size_t size, size_t *done)
{
    size_t left;

    if (UNLIKELY(m->position > m->size))
        return false;
    left = m->size - m->position;
    *done = size < left ? size : left;
    if (*done)
        memcpy(out, m->data + m->position, *done);
    m->position += *done;
    return true;
}

/* Appends a resource, taking over one reference of the caller's; its index. False: no memory, or
 * MESSAGE_RESOURCES_MAX; nothing is taken then. */
bool message_push(struct message *m, struct resource *r, uint64_t *index) MUST_USE;

/* The resource at `index`, still in place; NULL: no such index, or taken. */
struct resource *message_resource(const struct message *m, uint64_t index);

/* Takes it out: the reference is the caller's. */
struct resource *message_take_resource(struct message *m, uint64_t index) MUST_USE;

/* What the message weighs in a mailbox. */
static inline uint64_t message_weight(const struct message *m)
{
    uint64_t weight = sizeof(*m) + (m->is_inline ? 0u : m->capacity);

    if (UNLIKELY(m->resources != NULL))
        weight += (uint64_t)m->resources->capacity * sizeof(m->resources->items[0]);
    return weight;
}

/* Nodes for signals without data. `process_id` and `tag` as the kind says. Aborts when nodes have
 * run out: a signal that is not sent would be a lie. */
struct message *signal_new(struct actors *a, enum signal_kind kind, uint64_t process_id,
                           int64_t tag, uint8_t value) MUST_USE;

#endif
