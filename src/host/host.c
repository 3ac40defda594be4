/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/host.h"

void host_init(struct host *h, struct scheduler *s, uint32_t outside_index)
{
    *h = (struct host){.scheduler = s};
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
}
