/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/actors.h"
#include "base/mem.h"
#include "proc/bond.h"
#include "proc/grave.h"
#include "proc/internal.h"
#include "proc/message.h"
#include "sched/scheduler.h"

bool actors_init(struct actors *a, const struct actors_options *options, struct error *err)
{
    uint32_t count = options->message_count_max;

    if (count == 0)
        count = MESSAGES_MAX_DEFAULT;
    if (count > MESSAGES_MAX)
        count = MESSAGES_MAX;
    if (count < 2 * POOL_BATCH)
        count = 2 * POOL_BATCH;
    *a = (struct actors){0};
    a->scheduler = options->scheduler;
    a->is_tickless = scheduler_is_deterministic(options->scheduler) ||
                     scheduler_tick_clock(options->scheduler) == TICK_OFF;
    a->worker_count = scheduler_worker_count(options->scheduler);
    atomic_init(&a->nobody_waits, true);
    if (!pool_init(&a->messages, sizeof(struct message), 0, count, count / 16, a->worker_count,
                   err))
        return false;
    if (!pool_init(&a->bonds, sizeof(struct bond), 0, count, count / 16, a->worker_count, err)) {
        pool_deinit(&a->messages);
        return false;
    }
    counts_init(&a->counts, a->worker_count, ACTOR_COUNTS);
    mutex_init(&a->empty_lock);
    condition_init(&a->emptied);
    a->graves = mem_new_array(struct grave, a->worker_count);
    for (uint32_t i = 0; i < a->worker_count; i++)
        grave_init(&a->graves[i], a);
    return true;
}

void actors_tell_waiters(struct actors *a)
{
    mutex_lock(&a->empty_lock);
    condition_broadcast(&a->emptied);
    mutex_unlock(&a->empty_lock);
}

void actors_deinit(struct actors *a)
{
    spare_blocks_free(a);
    graves_empty(a);
    mem_free(a->graves);
    counts_deinit(&a->counts);
    condition_deinit(&a->emptied);
    mutex_deinit(&a->empty_lock);
    pool_deinit(&a->bonds);
    pool_deinit(&a->messages);
}

uint64_t actors_now_ns(const struct actors *a)
{
    return scheduler_now_ns(a->scheduler);
}

struct worker *actors_current(const struct actors *a)
{
    struct worker *w = worker_current();

    return w && w->scheduler == a->scheduler ? w : NULL;
}

uint32_t actors_worker(const struct actors *a)
{
    struct worker *w = actors_current(a);

    return w ? w->index : POOL_OUTSIDE;
}
