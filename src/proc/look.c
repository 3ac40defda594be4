/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/look.h"
#include "proc/internal.h"
#include "sched/scheduler.h"
#include <string.h>

/* Numbers of a process that runs are read as they are; each is one word, and may be old. */
#if defined(__clang__) || defined(__GNUC__)
#define RACY __attribute__((no_sanitize("thread"), noinline))
#else
#define RACY
#endif

void look_begin(struct look *l, struct environment *e, look_fn *body, void *rows, size_t row_size,
                uint64_t wait_ns)
{
    *l = (struct look){.environment = e,
                       .body = body,
                       .rows = rows,
                       .row_size = row_size,
                       .wait_ns = wait_ns,
                       .next = 1};
    condition_init(&l->answered);
}

void look_end(struct look *l)
{
    condition_deinit(&l->answered);
}

static void *row_at(struct look *l, size_t index)
{
    return (uint8_t *)l->rows + index * l->row_size;
}

RACY static void read_numbers(struct process_view *v, const struct process *p)
{
    const volatile struct process *q = p;
    uint32_t count = q->bonds.count, links = q->bonds.link_count;

    v->cpu_ns = process_cpu_ns(p);
    v->queue_count = q->mailbox.count;
    v->queue_size = q->mailbox.size;
    v->link_count = links;
    v->monitor_count = count > links ? count - links : 0;
}

static bool is_alive(const struct process *p, uint32_t number, uint64_t *id)
{
    /* acquire: pairs with the release in process_start */
    uint64_t word = atomic_load_explicit(&p->inbox, memory_order_acquire);

    *id = (word & ~(uint64_t)UINT32_MAX) | number;
    return word & INBOX_ALIVE;
}

static void ask(struct look *l, size_t index, uint64_t ticket)
{
    struct environment *e = l->environment;
    struct message *m = signal_new(e->actors, SIGNAL_LOOK, ticket, 0, 0);

    m->answer = index;
    mutex_lock(&e->look_lock);
    l->asked++;
    mutex_unlock(&e->look_lock);
    if (signal_send(e, l->views[index].id, m))
        return;
    mutex_lock(&e->look_lock);
    l->asked--;
    mutex_unlock(&e->look_lock);
}

void process_looked_at(struct process *p, uint64_t ticket, uint64_t index, bool at_rest)
{
    struct environment *e = p->environment;
    struct look *l;

    mutex_lock(&e->look_lock);
    l = e->look;
    if (l && e->look_ticket == ticket) {
        read_numbers(&l->views[index], p);
        l->body(p, at_rest, row_at(l, index));
        l->has_body[index] = true;
        if (--l->asked == 0)
            condition_signal(&l->answered);
    }
    mutex_unlock(&e->look_lock);
}

/* Takes note of the process in this control block, if there is one. */
static void look_at(struct look *l, uint32_t number, uint64_t ticket)
{
    struct process *p = environment_block(l->environment, number);
    struct scheduler *s = l->environment->actors->scheduler;
    struct process_view *v = &l->views[l->count];
    size_t index = l->count;

    if (!is_alive(p, number, &v->id))
        return;
    memset(row_at(l, index), 0, l->row_size);
    l->has_body[index] = false;
    /* In a deterministic run a claim could be what the scheduler's order depends on. */
    if (!scheduler_is_deterministic(s) && task_claim(&p->task)) {
        bool alive = is_alive(p, number, &v->id); /* maybe another process by now */

        if (alive) {
            v->activity = PROCESS_WAITING;
            read_numbers(v, p);
            l->body(p, true, row_at(l, index));
            l->has_body[index] = true;
            l->count++;
        }
        task_release(s, &p->task);
        return;
    }
    switch (atomic_load_explicit(&p->task.state, memory_order_relaxed)) {
    case TASK_PARKED:
        v->activity = PROCESS_WAITING;
        break;
    case TASK_QUEUED:
        v->activity = PROCESS_READY;
        break;
    case TASK_DEAD:
        return;
    default:
        v->activity = PROCESS_RUNNING;
        break;
    }
    read_numbers(v, p);
    l->count++;
    if (l->wait_ns > 0 && !scheduler_is_deterministic(s))
        ask(l, index, ticket);
}

static uint64_t open_batch(struct look *l)
{
    struct environment *e = l->environment;
    uint64_t ticket;

    l->count = 0;
    mutex_lock(&e->look_lock);
    ticket = ++e->look_ticket;
    e->look = l;
    l->asked = 0;
    mutex_unlock(&e->look_lock);
    return ticket;
}

/* Waits for the answers, and takes no more afterwards. */
static void close_batch(struct look *l)
{
    struct environment *e = l->environment;
    uint64_t begin = clock_monotonic_ns(), spent = 0;

    mutex_lock(&e->look_lock);
    while (l->asked > 0 && spent < l->wait_ns) {
        condition_wait_for(&l->answered, &e->look_lock, l->wait_ns - spent);
        spent = clock_monotonic_ns() - begin;
    }
    e->look = NULL;
    mutex_unlock(&e->look_lock);
    l->wait_ns = spent < l->wait_ns ? l->wait_ns - spent : 0;
}

bool look_next(struct look *l)
{
    struct environment *e = l->environment;
    uint32_t end = pool_fresh(e->processes);
    uint64_t ticket;

    if (l->next >= end)
        return false;
    ticket = open_batch(l);
    while (l->next < end && l->count < LOOK_BATCH)
        look_at(l, l->next++, ticket);
    close_batch(l);
    return true;
}

bool look_one(struct look *l, uint64_t process_id)
{
    if (!process_exists(l->environment, process_id))
        return false;
    look_at(l, (uint32_t)process_id, open_batch(l));
    close_batch(l);
    return l->count == 1 && l->views[0].id == process_id;
}
