/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/environment.h"
#include "base/mem.h"
#include "plat/clock.h"
#include "proc/grave.h"
#include "proc/internal.h"
#include "sched/scheduler.h"
#include "sched/timer.h"

/* The control blocks of an environment. They outlive it, for the next one: a wake that comes very
 * late still finds a task there. */
struct spare_blocks {
    struct spare_blocks *next;
    struct pool pool;
    uint32_t count_max;
};

static struct spare_blocks *take_blocks(struct actors *a, uint32_t count_max, struct error *err)
{
    struct spare_blocks **at, *blocks;

    spinlock_lock(&a->lock);
    for (at = &a->spare; *at && (*at)->count_max != count_max; at = &(*at)->next)
        ;
    blocks = *at;
    if (blocks)
        *at = blocks->next;
    spinlock_unlock(&a->lock);
    if (blocks)
        return blocks;
    blocks = mem_new(struct spare_blocks);
    blocks->count_max = count_max;
    /* A free block is still a task, at which a late wake or a hint may look. */
    if (!pool_init(&blocks->pool, sizeof(struct process), offsetof(struct process, mailbox),
                   count_max + 1, 0, a->worker_count, err)) {
        mem_free(blocks);
        return NULL;
    }
    return blocks;
}

static void give_blocks(struct actors *a, struct spare_blocks *blocks)
{
    pool_reset(&blocks->pool);
    spinlock_lock(&a->lock);
    blocks->next = a->spare;
    a->spare = blocks;
    spinlock_unlock(&a->lock);
}

void spare_blocks_free(struct actors *a)
{
    struct spare_blocks *next;

    for (struct spare_blocks *b = a->spare; b; b = next) {
        next = b->next;
        pool_deinit(&b->pool);
        mem_free(b);
    }
    a->spare = NULL;
}

struct environment *environment_new(struct actors *a, const struct environment_options *options,
                                    struct error *err)
{
    struct environment *e = mem_new(struct environment);
    uint32_t count_max = options->process_count_max;

    if (count_max == 0)
        count_max = PROCESSES_MAX_DEFAULT;
    if (count_max < 2 * POOL_BATCH)
        count_max = 2 * POOL_BATCH; /* what the caches of a few workers hold anyway */
    if (count_max > PROCESSES_MAX)
        count_max = PROCESSES_MAX;
    e->blocks = take_blocks(a, count_max, err);
    if (!e->blocks) {
        mem_free(e);
        return NULL;
    }
    e->processes = &e->blocks->pool;
    e->id = options->id;
    e->node_id = options->node_id;
    e->actors = a;
    e->on_exit = options->on_exit;
    e->on_exit_arg = options->on_exit_arg;
    list_init(&e->timers);
    mutex_init(&e->look_lock);
    registry_init(&e->registry, e);
    return e;
}

static bool kill_one(void *arg, uint64_t process_id)
{
    process_kill(arg, process_id);
    return true;
}

void environment_end(struct environment *e)
{
    atomic_store(&e->is_ending, true);
    environment_list(e, kill_one, e);
}

void environment_free(struct environment *e)
{
    if (!e)
        return;
    atomic_store(&e->is_ending, true);
    for (uint32_t i = 1; i < pool_fresh(e->processes); i++) {
        struct process *p = environment_block(e, i);

        if ((atomic_load_explicit(&p->inbox, memory_order_acquire) & INBOX_ALIVE) || p->ending)
            process_drop(p);
        if (p->timer.fire)
            timer_cancel(e->actors->scheduler, &p->timer);
    }
    send_timers_drop(e);
    registry_deinit(&e->registry);
    graves_empty(e->actors);
    mutex_deinit(&e->look_lock);
    give_blocks(e->actors, e->blocks);
    mem_free(e);
}

uint64_t environment_process_count(const struct environment *e)
{
    /* acquire: pairs with the release of the last thing each process did; retired first, as
     * pool_live may only be too great */
    uint64_t retired = atomic_load_explicit(&e->retired, memory_order_acquire);

    return pool_live(e->processes) - retired;
}

uint64_t environment_spawn_count(const struct environment *e)
{
    return pool_taken(e->processes);
}

uint64_t environment_timer_count(struct environment *e)
{
    uint64_t count;

    spinlock_lock(&e->timers_lock);
    count = e->timer_count;
    spinlock_unlock(&e->timers_lock);
    return count;
}

/* How long a waiter sleeps at most. A process that was about to end when its environment was told
 * to does not look for waiters; nor need it see one that began to wait in the same moment. */
#define EMPTY_LOOK_NS (10 * NS_PER_MS)

bool environment_wait_empty(struct environment *e, uint64_t timeout_ns)
{
    struct actors *a = e->actors;
    uint64_t left = timeout_ns;
    bool is_empty;

    mutex_lock(&a->empty_lock);
    for (;;) {
        uint64_t piece = left < EMPTY_LOOK_NS ? left : EMPTY_LOOK_NS;

        /* acquire-release: who said true has ended before */
        (void)atomic_exchange_explicit(&a->nobody_waits, false, memory_order_acq_rel);
        is_empty = environment_process_count(e) == 0;
        if (is_empty && atomic_load_explicit(&e->is_ending, memory_order_relaxed))
            send_timers_cancel(e); /* they may be for tomorrow */
        is_empty = is_empty && environment_timer_count(e) == 0;
        if (is_empty || left == 0)
            break;
        if (!condition_wait_for(&a->emptied, &a->empty_lock, piece))
            left -= piece;
    }
    mutex_unlock(&a->empty_lock);
    return is_empty;
}

void environment_list(struct environment *e, bool (*each)(void *arg, uint64_t process_id),
                      void *arg)
{
    uint32_t end = pool_fresh(e->processes);

    for (uint32_t i = 1; i < end; i++) {
        struct process *p = environment_block(e, i);
        uint64_t word = atomic_load(&p->inbox);

        if ((word & INBOX_ALIVE) && !each(arg, (word & ~(uint64_t)UINT32_MAX) | i))
            return;
    }
}
