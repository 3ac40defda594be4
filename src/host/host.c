/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/host.h"
#include "base/mem.h"
#include "host/metric_table.h"
#include "sched/scheduler.h"

void host_init(struct host *h, struct scheduler *s, uint32_t outside_index)
{
    *h = (struct host){.scheduler = s};
    h->metrics = mem_new(struct metric_table);
    metric_table_init(h->metrics);
    counts_init(&h->counts, scheduler_worker_count(s), HOST_COUNTS);
    mutex_init(&h->lock);
    mutex_lock(&h->lock);
    vm_worker_init(&h->outside, outside_index);
    mutex_unlock(&h->lock);
}

void host_deinit(struct host *h)
{
    mutex_lock(&h->lock);
    vm_worker_deinit(&h->outside);
    mutex_unlock(&h->lock);
    mutex_deinit(&h->lock);
    counts_deinit(&h->counts);
    metric_table_deinit(h->metrics);
    mem_free(h->metrics);
}
