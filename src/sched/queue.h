/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Run queues: `ring` (one owner adds and takes without locks, others steal) and `fifo` (a plain
 * list). */
#ifndef SCHED_QUEUE_H
#define SCHED_QUEUE_H

#include "sched/task.h"
#include <stddef.h>
#include <stdint.h>

#define RING_SIZE 256u /* a power of two */

/* First in, first out. `head` and `tail` count for ever; tail - head <= RING_SIZE tasks are in it.
 * The owner moves `tail`; whoever takes moves `head`. */
struct ring {
    _Alignas(64) _Atomic uint32_t head;
    _Alignas(64) _Atomic uint32_t tail;
    _Atomic uintptr_t tasks[RING_SIZE]; /* their addresses, with RING_PREFETCH or without */
};

/* The task's class has `prefetch`, so its storage may be looked at even when it is no longer ours.
 */
#define RING_PREFETCH ((uintptr_t)1)

static inline struct task *ring_task(uintptr_t entry)
{
    return (struct task *)(entry & ~RING_PREFETCH);
}

/* Any thread; a guess for all but the owner. */
static inline uint32_t ring_count(const struct ring *r)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t count = tail - head;

    return count <= RING_SIZE ? count : 0;
}

/* False: full. Owner only. */
static inline bool ring_push(struct ring *r, struct task *t)
{
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

    /* acquire: pairs with the release of who took the task that was in this place */
    if (tail - atomic_load_explicit(&r->head, memory_order_acquire) >= RING_SIZE)
        return false;
    atomic_store_explicit(&r->tasks[tail % RING_SIZE],
                          (uintptr_t)t | (t->class_->prefetch ? RING_PREFETCH : 0),
                          memory_order_relaxed);
    /* release: pairs with the acquire in ring_steal */
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return true;
}

/* The oldest, or NULL. Owner only; `is_shared`: others may steal. */
static inline struct task *ring_pop(struct ring *r, bool is_shared)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

    while (head != tail) {
        uintptr_t entry = atomic_load_explicit(&r->tasks[head % RING_SIZE], memory_order_relaxed);

        if (!is_shared) {
            atomic_store_explicit(&r->head, head + 1, memory_order_relaxed);
            return ring_task(entry);
        }
        if (atomic_compare_exchange_weak_explicit(&r->head, &head, head + 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return ring_task(entry);
    }
    return NULL;
}

/* The task at this place (0: the oldest), if there is one and its class has `prefetch`, or NULL.
 * Others may take it meanwhile. Owner only. */
static inline struct task *ring_peek(const struct ring *r, uint32_t place)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&r->tail, memory_order_relaxed) - head;
    uintptr_t entry;

    if (place >= count)
        return NULL;
    entry = atomic_load_explicit(&r->tasks[(head + place) % RING_SIZE], memory_order_relaxed);
    return entry & RING_PREFETCH ? ring_task(entry) : NULL;
}

/* Moves half of the tasks (rounded up) of `from` to `to`, the thief's own and empty; at most half
 * of what a ring holds. Returns how many. Owner of `to` only. */
static inline uint32_t ring_steal(struct ring *from, struct ring *to)
{
    uint32_t head = atomic_load_explicit(&from->head, memory_order_acquire);

    for (;;) {
        /* acquire: pairs with the release in ring_push */
        uint32_t tail = atomic_load_explicit(&from->tail, memory_order_acquire);
        uint32_t to_tail = atomic_load_explicit(&to->tail, memory_order_relaxed);
        uint32_t count = tail - head;

        count -= count / 2;
        if (count == 0)
            return 0;
        if (count > RING_SIZE / 2) { /* head and tail are of different times */
            head = atomic_load_explicit(&from->head, memory_order_acquire);
            continue;
        }
        for (uint32_t i = 0; i < count; i++)
            atomic_store_explicit(
                &to->tasks[(to_tail + i) % RING_SIZE],
                atomic_load_explicit(&from->tasks[(head + i) % RING_SIZE], memory_order_relaxed),
                memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&from->head, &head, head + count,
                                                  memory_order_acq_rel, memory_order_acquire)) {
            atomic_store_explicit(&to->tail, to_tail + count, memory_order_release);
            return count;
        }
    }
}

/* Linked by task->next. All-zero is empty. */
struct fifo {
    struct task *first, *last;
    _Atomic size_t count; /* written under the list's lock; read by anyone, as a hint */
};

static inline size_t fifo_count(const struct fifo *f)
{
    return atomic_load_explicit(&f->count, memory_order_relaxed);
}

static inline void fifo_push(struct fifo *f, struct task *t)
{
    t->next = NULL;
    if (f->first)
        f->last->next = t;
    else
        f->first = t;
    f->last = t;
    atomic_store_explicit(&f->count, fifo_count(f) + 1, memory_order_relaxed);
}

static inline struct task *fifo_pop(struct fifo *f)
{
    struct task *t = f->first;

    if (t) {
        f->first = t->next;
        atomic_store_explicit(&f->count, fifo_count(f) - 1, memory_order_relaxed);
    }
    return t;
}

#endif
