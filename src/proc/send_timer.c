/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/send_timer.h"
#include "proc/internal.h"
#include "sched/timer.h"

enum send_state { SEND_PENDING, SEND_FIRED, SEND_CANCELLED };

/* Lives in a node of the message pool. Two references: the wheel's and that of the table of the
 * process that started it. Whoever changes the state from PENDING has the message. */
struct send_timer {
    struct resource resource;
    struct timer timer;
    struct list link; /* in the environment's list, until it has fired or left the wheel */
    struct environment *environment;
    struct message *message; /* NULL: there was nobody to send it to */
    uint64_t to;
    _Atomic uint32_t state; /* enum send_state */
};

static_assert(sizeof(struct send_timer) <= sizeof(struct message), "lives in a node of theirs");

static void release(struct resource *r)
{
    struct send_timer *t = CONTAINER_OF(r, struct send_timer, resource);
    struct actors *a = t->environment->actors;

    pool_give(&a->messages, actors_worker(a), t);
}

static bool change_state(struct send_timer *t, enum send_state to)
{
    uint32_t expected = SEND_PENDING;

    /* acquire-release: the message goes from one hand to the other */
    return atomic_compare_exchange_strong_explicit(&t->state, &expected, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

/* The wheel has let go of it. */
static void leave(struct send_timer *t)
{
    struct environment *e = t->environment;
    struct actors *a = e->actors;
    bool is_ending = atomic_load_explicit(&e->is_ending, memory_order_relaxed);

    /* All under the lock: who then sees no timers left may free the environment. */
    spinlock_lock(&e->timers_lock);
    list_remove(&t->link);
    e->timer_count--;
    resource_unref(&t->resource);
    spinlock_unlock(&e->timers_lock);
    if (is_ending)
        actors_ended(a);
}

static void fired(struct timer *timer, struct worker *w)
{
    struct send_timer *t = CONTAINER_OF(timer, struct send_timer, timer);

    (void)w;
    if (change_state(t, SEND_FIRED) && t->message) {
        actors_count(t->environment->actors, COUNT_TIMERS_FIRED);
        process_send(t->environment, t->to, t->message);
    }
    leave(t);
}

static bool is_over(const struct resource *r)
{
    const struct send_timer *t = (const struct send_timer *)(const void *)r;

    return atomic_load_explicit(&t->state, memory_order_acquire) != SEND_PENDING;
}

bool send_timer_start(struct process *p, uint64_t to, struct message *m, uint64_t delay_ns,
                      uint64_t *id, struct error *err)
{
    struct environment *e = p->environment;
    struct actors *a = e->actors;
    uint64_t count_max = p->config->timer_count_max;
    struct worker *w = actors_current(a);
    struct send_timer *t;

    resource_expire(p, RESOURCE_TIMER, count_max, is_over);
    if (resource_count(p, RESOURCE_TIMER) >= count_max)
        return fail(err, ERR_LIMIT, "no more than %llu timers at a time",
                    (unsigned long long)count_max);
    t = pool_take(&a->messages, actors_worker(a));
    if (!t)
        return fail(err, ERR_NO_MEMORY, "no memory for a timer");
    resource_init(&t->resource, RESOURCE_TIMER, release);
    if (!resource_add(p, &t->resource, id)) {
        pool_give(&a->messages, actors_worker(a), t);
        return fail(err, ERR_LIMIT, "no room for another timer");
    }
    t->environment = e;
    t->to = to;
    t->message = m;
    atomic_init(&t->state, SEND_PENDING);
    if (!process_exists(e, to)) {
        t->message = NULL;
        message_free(a, m);
    }
    actors_count(a, COUNT_TIMERS_STARTED);
    timer_init(&t->timer, fired);
    resource_ref(&t->resource);
    spinlock_lock(&e->timers_lock);
    list_push_back(&e->timers, &t->link);
    e->timer_count++;
    spinlock_unlock(&e->timers_lock);
    timer_set(a->scheduler, w, &t->timer, deadline_after(actors_now_ns(a), delay_ns));
    return true;
}

bool send_timer_cancel(struct process *p, uint64_t id)
{
    struct actors *a = p->environment->actors;
    struct resource *r = resource_take(p, RESOURCE_TIMER, id);
    struct send_timer *t;
    bool prevented;

    if (!r)
        return false;
    t = CONTAINER_OF(r, struct send_timer, resource);
    prevented = change_state(t, SEND_CANCELLED);
    if (prevented) {
        actors_count(a, COUNT_TIMERS_CANCELLED);
        message_free(a, t->message);
        t->message = NULL;
        /* If it is firing at this moment, that does the rest. */
        if (timer_cancel(a->scheduler, &t->timer))
            leave(t);
    }
    resource_unref(r);
    return prevented;
}

#define CANCEL_BATCH 64 /* timers that are cancelled in one hold of the lock */

void send_timers_cancel(struct environment *e)
{
    struct actors *a = e->actors;
    struct message *messages[CANCEL_BATCH];
    size_t count;

    do {
        struct list *next;

        count = 0;
        spinlock_lock(&e->timers_lock);
        for (struct list *l = e->timers.next; l != &e->timers && count < CANCEL_BATCH; l = next) {
            struct send_timer *t = CONTAINER_OF(l, struct send_timer, link);

            next = l->next;
            if (!change_state(t, SEND_CANCELLED))
                continue; /* whoever was quicker lets it leave */
            messages[count++] = t->message;
            t->message = NULL;
            if (timer_cancel(a->scheduler, &t->timer)) {
                list_remove(&t->link);
                e->timer_count--;
                resource_unref(&t->resource);
            }
        }
        spinlock_unlock(&e->timers_lock);
        for (size_t i = 0; i < count; i++)
            message_free(a, messages[i]);
    } while (count == CANCEL_BATCH);
}

/* Nothing fires any more: the scheduler has stopped, or else there are no timers. */
void send_timers_drop(struct environment *e)
{
    struct actors *a = e->actors;

    while (!list_empty(&e->timers)) {
        struct send_timer *t = CONTAINER_OF(e->timers.next, struct send_timer, link);

        if (change_state(t, SEND_CANCELLED))
            message_free(a, t->message);
        timer_cancel(a->scheduler, &t->timer);
        leave(t);
    }
}
