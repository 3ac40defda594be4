/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/mailbox.h"
#include "proc/tag_index.h"

static bool build_index(struct mailbox *mb)
{
    mb->index = tag_index_new();
    if (!mb->index)
        return false;
    for (struct message *m = mb->first; m; m = m->next) {
        if (m->tag != 0 && !tag_index_add(mb->index, m)) {
            tag_index_free(mb->index);
            mb->index = NULL;
            return false;
        }
    }
    return true;
}

bool mailbox_add(struct mailbox *mb, struct message *m)
{
    if (UNLIKELY(mb->count >= MAILBOX_SCAN_MAX) && !mb->index && !build_index(mb))
        return false;
    if (UNLIKELY(mb->index != NULL) && m->tag != 0 && !tag_index_add(mb->index, m))
        return false;
    m->arrival = mb->arrivals++;
    m->next = NULL;
    m->prev = mb->last;
    if (mb->last)
        mb->last->next = m;
    else
        mb->first = m;
    mb->last = m;
    mb->count++;
    mb->size += message_weight(m);
    return true;
}

/* `before`: the one before it in its tag's queue; looked at only if there is an index. */
static struct message *remove_message(struct mailbox *mb, struct message *m, struct message *before)
{
    if (UNLIKELY(mb->index != NULL) && m->tag != 0)
        tag_index_remove(mb->index, m, before);
    if (m->prev)
        m->prev->next = m->next;
    else
        mb->first = m->next;
    if (m->next)
        m->next->prev = m->prev;
    else
        mb->last = m->prev;
    mb->count--;
    mb->size -= message_weight(m);
    if (UNLIKELY(mb->index != NULL) && mb->count == 0) {
        tag_index_free(mb->index);
        mb->index = NULL;
    }
    m->next = m->prev = NULL;
    return m;
}

static bool among(int64_t tag, const int64_t *tags, size_t tag_count)
{
    if (tag == 0)
        return false;
    for (size_t i = 0; i < tag_count; i++) {
        if (tags[i] == tag)
            return true;
    }
    return false;
}

/* The first message of a queue that is no older than `since`. */
static struct message *first_since(const struct tag_queue *q, uint64_t since,
                                   struct message **before)
{
    struct message *m = q->first;

    *before = NULL;
    while (m && m->arrival < since) {
        *before = m;
        m = m->next_same;
    }
    return m;
}

static struct message *take_indexed(struct mailbox *mb, const int64_t *tags, size_t tag_count,
                                    uint64_t since)
{
    struct message *best = NULL, *best_before = NULL;

    for (size_t i = 0; i < tag_count; i++) {
        struct tag_queue *q = tag_index_find(mb->index, tags[i]);
        struct message *before, *m;

        if (!q || q->last->arrival < since)
            continue;
        m = first_since(q, since, &before);
        if (m && (!best || m->arrival < best->arrival)) {
            best = m;
            best_before = before;
        }
    }
    return best ? remove_message(mb, best, best_before) : NULL;
}

struct message *mailbox_take(struct mailbox *mb, const int64_t *tags, size_t tag_count,
                             uint64_t since)
{
    struct message *m = mb->first;

    if (!m || mb->last->arrival < since)
        return NULL;
    if (tag_count > 0 && mb->index)
        return take_indexed(mb, tags, tag_count, since);
    /* Few messages, or the first will do. (With `since` and no tags nobody asks.) */
    while (m && (m->arrival < since || (tag_count > 0 && !among(m->tag, tags, tag_count))))
        m = m->next;
    if (!m)
        return NULL;
    if (mb->index && since > 0 && m->tag != 0) {
        struct message *before;
        struct message *same = first_since(tag_index_find(mb->index, m->tag), since, &before);

        ASSERT(same == m);
        return remove_message(mb, m, before);
    }
    return remove_message(mb, m, NULL); /* the oldest of all is the oldest of its tag */
}

void mailbox_deinit(struct mailbox *mb, struct actors *a)
{
    struct message *next;

    for (struct message *m = mb->first; m; m = next) {
        next = m->next;
        message_free(a, m);
    }
    tag_index_free(mb->index);
    mb->first = mb->last = NULL;
    mb->index = NULL;
    mb->count = 0;
    mb->size = 0;
}

void mailbox_check(const struct mailbox *mb)
{
    uint64_t size = 0;
    uint32_t count = 0, tagged = 0, queued = 0;
    const struct message *prev = NULL;

    for (const struct message *m = mb->first; m; m = m->next) {
        ASSERT(m->prev == prev && m->arrival < mb->arrivals);
        ASSERT(!prev || prev->arrival < m->arrival);
        size += message_weight(m);
        count++;
        tagged += m->tag != 0;
        prev = m;
    }
    ASSERT(prev == mb->last && size == mb->size && count == mb->count);
    if (!mb->index)
        return;
    for (size_t i = 0; i < mb->index->slot_count; i++) {
        const struct tag_queue *q = &mb->index->slots[i];
        const struct message *last = NULL;

        if (q->tag == 0)
            continue;
        for (const struct message *m = q->first; m; m = m->next_same) {
            ASSERT(m->tag == q->tag && (!last || last->arrival < m->arrival));
            last = m;
            queued++;
        }
        ASSERT(last && last == q->last);
    }
    ASSERT(queued == tagged);
}
