/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/signal.h"
#include "proc/environment.h"
#include "proc/process.h"
#include "sched/scheduler.h"

/* Whether a process that is parked wants to be woken for this signal. Its wait may be changing
 * while we read: then it is awake, and looks at its queue before it parks again. */
static bool wants(const struct process *p, uint8_t signal, int64_t tag)
{
    uint8_t kind, tag_count;

    if (signal != SIGNAL_MESSAGE)
        return true;
    kind = __atomic_load_n(&p->wait.kind, __ATOMIC_RELAXED);
    if (kind == WAIT_NONE)
        return true;
    if (kind != WAIT_MESSAGE)
        return false;
    tag_count = __atomic_load_n(&p->wait.tag_count, __ATOMIC_RELAXED);
    if (tag_count == 0 || tag_count > WAIT_TAGS_INLINE)
        return true;
    for (size_t i = 0; i < tag_count && tag != 0; i++) {
        if (__atomic_load_n(&p->wait.tags[i], __ATOMIC_RELAXED) == tag)
            return true;
    }
    return false;
}

/* True once in INBOX_WAKE_ONE_IN calls, on the average. */
static bool lucky(struct actors *a, const struct worker *w)
{
    struct pool_cache *c;

    if (!w)
        return true; /* from outside nothing is frequent */
    c = &a->messages.caches[w->index];
    c->luck = c->luck * 1664525u + 1013904223u;
    return (c->luck >> 8) % INBOX_WAKE_ONE_IN == 0;
}

int32_t inbox_room(uint64_t mailbox_size_max)
{
    uint64_t units = mailbox_size_max / 64;

    /* Half of what there is, so that a sum that is wrong for a moment does not wrap. */
    return units > INT32_MAX / 2 - INBOX_SLACK / 64 ? INT32_MAX / 2
                                                    : (int32_t)(units + INBOX_SLACK / 64);
}

/* Counts a signal that will not be alone in the queue. False: there is no room; the first to find
 * that sends `*m` as SIGNAL_OVERFLOW. */
static bool take_room(struct process *p, struct message *m, bool *overflows)
{
    int32_t weight = inbox_weight(m);
    int32_t before = atomic_fetch_sub_explicit(&p->room, weight, memory_order_relaxed);

    *overflows = before >= 0 && before < weight;
    if (LIKELY(before >= weight) || *overflows)
        return true;
    atomic_fetch_add_explicit(&p->room, weight, memory_order_relaxed);
    return false;
}

/* It cannot be sent; false. */
static bool unsent(struct actors *a, struct message *m)
{
    actors_count(a, COUNT_SIGNALS_UNSENT);
    message_free(a, m);
    return false;
}

/* A pushed node is the receiver's: nothing is read from it afterwards. */
bool signal_send(struct environment *e, uint64_t to, struct message *m)
{
    struct actors *a = e->actors;
    struct process *p = environment_block(e, to);
    uint64_t node = (uint64_t)message_number(a, m) << INBOX_NODE_SHIFT;
    bool is_refused = false;
    int32_t weight = 0;
    uint64_t word, flags;
    uint8_t signal;
    int64_t tag;

    if (UNLIKELY(!p))
        return unsent(a, m);
    word = atomic_load_explicit(&p->inbox, memory_order_relaxed);
    do {
        if (UNLIKELY(INBOX_GENERATION(word) != INBOX_GENERATION(to) || !(word & INBOX_ALIVE))) {
            if (weight)
                atomic_fetch_add_explicit(&p->room, weight, memory_order_relaxed);
            return unsent(a, m);
        }
        if (UNLIKELY((uint32_t)word >> INBOX_NODE_SHIFT != 0 && weight == 0)) {
            bool overflows;

            weight = inbox_weight(m);
            if (!take_room(p, m, &overflows))
                return unsent(a, m);
            if (overflows) {
                /* A message is lost with its receiver; who asks for more is told at once. */
                is_refused = m->signal != SIGNAL_MESSAGE;
                message_empty(m);
                m->signal = SIGNAL_OVERFLOW;
            }
        } else if (UNLIKELY((uint32_t)word >> INBOX_NODE_SHIFT == 0 && weight != 0)) {
            /* The owner has drained meanwhile. It does not give back what the first node took. */
            atomic_fetch_add_explicit(&p->room, weight, memory_order_relaxed);
            weight = 0;
        }
        signal = m->signal;
        tag = m->tag;
        m->next_number = (uint32_t)word >> INBOX_NODE_SHIFT;
        flags = word & (INBOX_ALIVE | INBOX_PARKED);
        /* release: the owner that takes the node sees what is in it; acquire: with PARKED seen, the
         * wait that the owner stored before it */
    } while (UNLIKELY(!atomic_compare_exchange_weak_explicit(
        &p->inbox, &word, (word & ~(uint64_t)UINT32_MAX) | node | flags, memory_order_acq_rel,
        memory_order_relaxed)));
    if (flags & INBOX_PARKED) {
        struct worker *w = actors_current(a);

        if (wants(p, signal, tag) || lucky(a, w))
            task_wake(a->scheduler, w, &p->task);
    }
    return !is_refused;
}

bool process_send(struct environment *e, uint64_t to, struct message *m)
{
    m->signal = SIGNAL_MESSAGE;
    return signal_send(e, to, m);
}

static bool send_new(struct environment *e, uint64_t to, enum signal_kind kind, uint64_t process_id,
                     int64_t tag, uint8_t value)
{
    /* A look first, so that signals to the dead cost no node. */
    return process_exists(e, to) &&
           signal_send(e, to, signal_new(e->actors, kind, process_id, tag, value));
}

void process_link(struct process *p, uint64_t other, int64_t tag)
{
    struct environment *e = p->environment;
    uint64_t self = process_id(p);

    /* Our side first: should the other die at once, its word comes after our link. */
    send_new(e, self, SIGNAL_LINK, other, tag, 0);
    if (other != self && !send_new(e, other, SIGNAL_LINK, self, tag, 0))
        send_new(e, self, SIGNAL_LINK_DIED, other, tag, LINK_NO_PROCESS);
}

void process_unlink(struct process *p, uint64_t other)
{
    struct environment *e = p->environment;
    uint64_t self = process_id(p);

    if (other != self)
        send_new(e, other, SIGNAL_UNLINK, self, 0, 0);
    send_new(e, self, SIGNAL_UNLINK, other, 0, 0);
}

void process_monitor(struct process *p, uint64_t other)
{
    struct environment *e = p->environment;
    uint64_t self = process_id(p);

    if (!send_new(e, other, SIGNAL_MONITOR, self, 0, 0))
        send_new(e, self, SIGNAL_PROCESS_DIED, other, 0, 0);
}

void process_demonitor(struct process *p, uint64_t other)
{
    send_new(p->environment, other, SIGNAL_DEMONITOR, process_id(p), 0, 0);
}

void process_die_when_link_dies(struct process *p, bool die)
{
    send_new(p->environment, process_id(p), SIGNAL_DIE_WHEN_LINK_DIES, 0, 0, die);
}

bool process_kill(struct environment *e, uint64_t process_id)
{
    return send_new(e, process_id, SIGNAL_KILL, 0, 0, 0);
}

void process_answer(struct environment *e, uint64_t to, uint64_t key, uint64_t value)
{
    struct message *m;

    if (!process_exists(e, to))
        return;
    m = signal_new(e->actors, SIGNAL_ANSWER, key, 0, 0);
    m->answer = value;
    signal_send(e, to, m);
}

void process_wake(struct environment *e, uint64_t process_id)
{
    struct process *p = environment_block(e, process_id);

    if (p && process_exists(e, process_id))
        task_wake(e->actors->scheduler, actors_current(e->actors), &p->task);
}

bool process_exists(struct environment *e, uint64_t process_id)
{
    struct process *p = environment_block(e, process_id);
    uint64_t word;

    if (!p)
        return false;
    /* acquire: who sees the process gone sees what it did before */
    word = atomic_load_explicit(&p->inbox, memory_order_acquire);
    return INBOX_GENERATION(word) == INBOX_GENERATION(process_id) && (word & INBOX_ALIVE);
}
