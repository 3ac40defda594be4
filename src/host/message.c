/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::message: the current message, sending and receiving. */
#include "host/internal.h"
#include "proc/signal.h"

#define CAPACITY_HINT_MAX (1u << 20) /* more of a reservation is not believed */
#define RECEIVE_TAGS_MAX  65536u     /* tags of one receive: all are looked at without a pause */
#define NO_MESSAGE        "there is no current message"
#define NO_DATA           "there is no current data message"
#define NO_ROOM           "no memory for the message, or it exceeds 4 GiB"
#define NO_MORE           "the read position is beyond the end"
#define COPY_PIECE        (8u << 20) /* bytes copied without a pause */

static inline struct actors *actors_of(const struct guest *g)
{
    return g->process->environment->actors;
}

/* The current message if it is data, else NULL. */
static inline struct message *data_of(const struct guest *g)
{
    struct message *m = g->message;

    return LIKELY(m && m->kind == MESSAGE_DATA) ? m : NULL;
}

static void set_current(struct guest *g, struct message *m)
{
    if (g->message)
        message_free(actors_of(g), g->message);
    g->message = m;
}

struct outcome host_message_create_data(struct guest *g, uint64_t tag, uint64_t capacity)
{
    size_t hint = capacity < CAPACITY_HINT_MAX ? (size_t)capacity : CAPACITY_HINT_MAX;
    struct message *m = message_new(actors_of(g), (int64_t)tag, hint);

    if (UNLIKELY(!m) && !(m = message_new(actors_of(g), (int64_t)tag, 0)))
        return guest_trap(g, "there are too many messages");
    set_current(g, m);
    return done(0);
}

/* Of much data a piece is copied at a time, and others run in between. `rest` bytes are left. */
static uint32_t copy_piece(uint64_t rest)
{
    return rest < COPY_PIECE ? (uint32_t)rest : COPY_PIECE;
}

/* Says that `done_size` of `size` bytes are copied. False: all; the wait, if there was one, is
 * over.
 */
static bool copy_goes_on(struct process *p, uint64_t done_size, uint64_t size)
{
    if (done_size == size) {
        if (p->wait.kind == WAIT_COPY)
            wait_end(p);
        return false;
    }
    if (p->wait.kind != WAIT_COPY)
        wait_begin(p, WAIT_COPY, DEADLINE_NEVER, NULL, NULL);
    p->wait.value = done_size;
    return true;
}

static uint64_t copied(const struct process *p)
{
    return p->wait.kind == WAIT_COPY ? p->wait.value : 0;
}

static struct outcome write_much(struct guest *g, struct message *m, const uint8_t *data,
                                 uint32_t size)
{
    uint64_t at = copied(g->process);
    uint32_t piece = copy_piece(size - at);

    if (at == 0 && !message_reserve(m, size)) /* no piece fails later */
        return guest_trap_in(g, "host_message_write_data", NO_ROOM);
    ASSERT(message_write(m, data + at, piece));
    return copy_goes_on(g->process, at + piece, size) ? guest_yield() : done(size);
}

static struct outcome read_much(struct guest *g, struct message *m, uint8_t *data, uint32_t size)
{
    uint64_t at = copied(g->process), end = size;
    size_t count;

    if (at == 0 && m->position > m->size)
        return guest_trap_in(g, "host_message_read_data", NO_MORE);
    if (end > at + (m->size - m->position))
        end = at + (m->size - m->position);
    ASSERT(message_read(m, data + at, copy_piece(end - at), &count));
    return copy_goes_on(g->process, at + count, end) ? guest_yield() : done(end);
}

struct outcome host_message_write_data(struct guest *g, uint32_t ptr, uint32_t size)
{
    struct message *m = data_of(g);
    uint8_t *data;

    if (UNLIKELY(!m))
        return guest_trap(g, NO_DATA);
    if (UNLIKELY(!guest_bytes(g, ptr, size, &data)))
        return guest_trap_range(g);
    if (UNLIKELY(size > COPY_PIECE))
        return write_much(g, m, data, size);
    if (UNLIKELY(!message_write(m, data, size)))
        return guest_trap(g, NO_ROOM);
    return done(size);
}

struct outcome host_message_read_data(struct guest *g, uint32_t ptr, uint32_t size)
{
    struct message *m = data_of(g);
    uint8_t *data;
    size_t count;

    if (UNLIKELY(!m))
        return guest_trap(g, NO_DATA);
    if (UNLIKELY(!guest_bytes(g, ptr, size, &data)))
        return guest_trap_range(g);
    if (UNLIKELY(size > COPY_PIECE))
        return read_much(g, m, data, size);
    if (UNLIKELY(!message_read(m, data, size, &count)))
        return guest_trap(g, NO_MORE);
    return done(count);
}

struct outcome host_message_seek_data(struct guest *g, uint64_t position)
{
    struct message *m = data_of(g);

    if (!m)
        return guest_trap(g, NO_DATA);
    m->position = position;
    return done(0);
}

struct outcome host_message_get_tag(struct guest *g)
{
    if (!g->message)
        return guest_trap(g, NO_MESSAGE);
    return done((uint64_t)g->message->tag);
}

struct outcome host_message_get_process_id(struct guest *g)
{
    const struct message *m = g->message;

    if (!m)
        return guest_trap(g, NO_MESSAGE);
    return done(m->kind == MESSAGE_PROCESS_DIED ? m->process_id : 0);
}

struct outcome host_message_data_size(struct guest *g)
{
    const struct message *m = data_of(g);

    if (!m)
        return guest_trap(g, NO_DATA);
    return done(m->size);
}

struct outcome host_message_push_module(struct guest *g, uint64_t module_id)
{
    struct resource *r = resource_get(g->process, RESOURCE_MODULE, module_id);
    struct message *m = data_of(g);
    uint64_t index;

    if (!r)
        return guest_trap(g, "unknown module id");
    if (!m)
        return guest_trap(g, NO_DATA);
    if (!message_push(m, resource_ref(r), &index)) {
        resource_unref(r);
        return guest_trap(g, "too many attachments, or memory runs short");
    }
    return done(index);
}

struct outcome host_message_take_module(struct guest *g, uint64_t index)
{
    struct message *m = data_of(g);
    struct resource *r;
    uint64_t id;

    if (!m)
        return guest_trap(g, NO_DATA);
    r = message_resource(m, index);
    if (!r || r->kind != RESOURCE_MODULE)
        return guest_trap(g, "there is no module at this index");
    if (!resource_add(g->process, r, &id))
        return guest_trap(g, "this process holds too much");
    r = message_take_resource(m, index); /* its reference is the table's now */
    (void)r;
    return done(id);
}

struct outcome host_message_send(struct guest *g, uint64_t process_id)
{
    struct message *m = g->message;

    if (UNLIKELY(!m))
        return guest_trap(g, NO_MESSAGE);
    g->message = NULL;
    process_send(g->process->environment, process_id, m);
    return done(0);
}

/* The wait for a message is over: with one, or without. */
static struct outcome received(struct guest *g, struct message *m)
{
    counts_add_to(counts_row(&actors_of(g)->counts, g->process->task.worker), COUNT_MESSAGES_TAKEN,
                  1);
    wait_end(g->process);
    set_current(g, m);
    return done(m->kind);
}

static struct outcome timed_out(struct guest *g)
{
    wait_end(g->process);
    return done(LUN_TIMEOUT);
}

struct outcome host_message_send_receive_skip_search(struct guest *g, uint64_t process_id,
                                                     uint64_t wait_on_tag, uint64_t timeout_ms)
{
    struct process *p = g->process;
    const int64_t tag = (int64_t)wait_on_tag;
    struct message *m = g->message;

    if (p->wait.kind == WAIT_NONE) {
        if (UNLIKELY(!m))
            return guest_trap(g, NO_MESSAGE);
        /* What is in the mailbox already is no answer; what is on its way may be. */
        wait_message(p, &tag, 1, guest_deadline_ms(g, timeout_ms), p->mailbox.arrivals);
        g->message = NULL;
        process_send(p->environment, process_id, m);
        return guest_park();
    }
    m = mailbox_take(&p->mailbox, &tag, 1, p->wait.value);
    if (LIKELY(m != NULL)) {
        received(g, m);
        return done(0);
    }
    return wait_expired(p) ? timed_out(g) : guest_park();
}

/* Takes a message with one of the tags, which may be anywhere in memory. False: no memory. */
static bool take(struct process *p, const uint8_t *tags, size_t tag_count, struct message **out)
{
    int64_t few[8] = {0}, *copy = few;

    if (tag_count > ARRAY_COUNT(few) && !(copy = mem_try_array(int64_t, tag_count)))
        return false;
    if (tag_count)
        memcpy(copy, tags, tag_count * sizeof(*copy));
    *out = mailbox_take(&p->mailbox, copy, tag_count, 0);
    if (!*out && p->wait.kind == WAIT_NONE) {
        if (!process_handle_signals(p)) {
            if (copy != few)
                mem_free(copy);
            return true;
        }
        *out = mailbox_take(&p->mailbox, copy, tag_count, 0);
    }
    if (copy != few)
        mem_free(copy);
    return true;
}

struct outcome host_message_receive(struct guest *g, uint32_t tags, uint32_t tag_count,
                                    uint64_t timeout_ms)
{
    struct process *p = g->process;
    uint8_t *wanted = NULL;
    struct message *m;
    int64_t first[WAIT_TAGS_INLINE];
    size_t few = tag_count < WAIT_TAGS_INLINE ? tag_count : WAIT_TAGS_INLINE;

    if (tag_count && UNLIKELY(!guest_array(g, tags, tag_count, sizeof(int64_t), &wanted)))
        return guest_trap_range(g);
    if (UNLIKELY(tag_count > RECEIVE_TAGS_MAX))
        return guest_trap(g, "more than 65,536 tags");
    if (UNLIKELY(!take(p, wanted, tag_count, &m)))
        return guest_trap(g, "no memory for the tags");
    if (m)
        return received(g, m);
    if (UNLIKELY(p->is_dying))
        return guest_park();
    if (p->wait.kind == WAIT_NONE) {
        if (timeout_ms == 0 && LIKELY(!process_is_behind(p)))
            return done(LUN_TIMEOUT);
        if (few)
            memcpy(first, wanted, few * sizeof(*first));
        wait_message(p, first, tag_count, guest_deadline_ms(g, timeout_ms), 0);
        return UNLIKELY(process_is_behind(p)) ? guest_yield() : guest_park();
    }
    return wait_expired(p) ? timed_out(g) : guest_park();
}
