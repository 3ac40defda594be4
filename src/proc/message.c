/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/message.h"
#include "base/mem.h"
#include "proc/resource.h"

#define HINT_MAX          ((size_t)1 << 20) /* a guest's hint is not an order */
#define RESOURCES_INITIAL 4

#define CHARGED_MIN 1024u /* smaller buffers are few times what the nodes are that are counted */

static uint64_t charge_of(uint64_t capacity)
{
    return capacity >= CHARGED_MIN ? capacity : 0;
}

static void clear(struct message *m, enum signal_kind signal)
{
    memset(m, 0, offsetof(struct message, inline_data));
    m->signal = (uint8_t)signal;
    m->is_inline = true;
    m->data = m->inline_data;
    m->capacity = MESSAGE_INLINE_SIZE;
}

struct message *message_new(struct actors *a, int64_t tag, size_t size_hint)
{
    struct message *m = pool_take(&a->messages, actors_worker(a));

    if (!m)
        return NULL;
    clear(m, SIGNAL_MESSAGE);
    m->tag = tag;
    if (size_hint > HINT_MAX)
        size_hint = HINT_MAX;
    /* Only a hint: without the memory the writes will say so. */
    if (size_hint > MESSAGE_INLINE_SIZE && !message_reserve(m, size_hint))
        return m;
    return m;
}

struct message *message_new_data(struct actors *a, int64_t tag, const void *data, size_t size)
{
    struct message *m = message_new(a, tag, 0);

    if (m && !message_write(m, data, size)) {
        message_free(a, m);
        return NULL;
    }
    return m;
}

static uint64_t list_size(uint32_t capacity)
{
    return sizeof(struct message_resources) + (uint64_t)capacity * sizeof(struct resource *);
}

static void free_parts(struct message *m)
{
    if (!m->is_inline) {
        mem_free(m->data);
        if (UNLIKELY(charge_of(m->capacity) != 0))
            mem_uncharge(m->capacity);
    }
    if (m->resources) {
        for (uint32_t i = 0; i < m->resources->count; i++)
            resource_unref(m->resources->items[i]);
        mem_uncharge(charge_of(list_size(m->resources->capacity)));
        mem_free(m->resources);
    }
}

void message_empty(struct message *m)
{
    free_parts(m);
    m->resources = NULL;
    m->is_inline = true;
    m->data = m->inline_data;
    m->capacity = MESSAGE_INLINE_SIZE;
    m->size = 0;
    m->position = 0;
}

void message_free(struct actors *a, struct message *m)
{
    if (!m)
        return;
    if (UNLIKELY(!m->is_inline || m->resources))
        free_parts(m);
    pool_give(&a->messages, actors_worker(a), m);
}

bool message_reserve(struct message *m, size_t extra)
{
    uint64_t need, capacity = m->capacity;
    uint8_t *data;

    if (extra <= m->capacity - m->size)
        return true;
    if (extra > MESSAGE_SIZE_MAX - m->size)
        return false;
    need = (uint64_t)m->size + extra;
    /* Double, so that many small writes copy each byte a bounded number of times. */
    capacity = capacity * 2 > need ? capacity * 2 : need;
    if (capacity > MESSAGE_SIZE_MAX)
        capacity = MESSAGE_SIZE_MAX;
    if (UNLIKELY(charge_of(capacity) != 0) && !mem_charge(capacity))
        return false;
    data = mem_try_realloc(m->is_inline ? NULL : m->data, 1, capacity);
    if (!data) {
        if (charge_of(capacity))
            mem_uncharge(capacity);
        return false;
    }
    if (UNLIKELY(charge_of(m->capacity) != 0))
        mem_uncharge(m->capacity);
    if (m->is_inline)
        memcpy(data, m->inline_data, m->size);
    m->data = data;
    m->capacity = (uint32_t)capacity;
    m->is_inline = false;
    return true;
}

bool message_push(struct message *m, struct resource *r, uint64_t *index)
{
    struct message_resources *list = m->resources;
    uint32_t count = list ? list->count : 0, before = list ? list->capacity : 0;

    if (count >= MESSAGE_RESOURCES_MAX)
        return false;
    if (count == before) {
        uint32_t capacity = before ? before * 2 : RESOURCES_INITIAL;
        uint64_t cost = charge_of(list_size(capacity));

        if (cost && !mem_charge(cost))
            return false;
        list = mem_try_realloc(list, 1, list_size(capacity));
        if (!list) {
            mem_uncharge(cost);
            return false;
        }
        mem_uncharge(charge_of(list_size(before)));
        list->count = count;
        list->capacity = capacity;
        m->resources = list;
    }
    list->items[count] = r;
    list->count++;
    *index = count;
    return true;
}

struct resource *message_resource(const struct message *m, uint64_t index)
{
    return m->resources && index < m->resources->count ? m->resources->items[index] : NULL;
}

struct resource *message_take_resource(struct message *m, uint64_t index)
{
    struct resource *r = message_resource(m, index);

    if (r)
        m->resources->items[index] = NULL;
    return r;
}

struct message *signal_new(struct actors *a, enum signal_kind kind, uint64_t process_id,
                           int64_t tag, uint8_t value)
{
    struct message *m = pool_take_reserved(&a->messages, actors_worker(a));

    ASSERT(m); /* messages leave a reserve to signals, and those are handled within a slice */
    clear(m, kind);
    m->process_id = process_id;
    m->tag = tag;
    m->value = value;
    return m;
}
