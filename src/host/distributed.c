/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::distributed, as a runtime that belongs to no cluster answers it. */
#include "host/internal.h"

struct outcome host_distributed_nodes_count(struct guest *g)
{
    (void)g;
    return done(0);
}

struct outcome host_distributed_get_nodes(struct guest *g, uint32_t ids_out, uint32_t count_max)
{
    if (!guest_range(g, ids_out, (uint64_t)count_max * sizeof(uint64_t)))
        return guest_trap_range(g);
    return done(0);
}

struct outcome host_distributed_node_id(struct guest *g)
{
    return done(g->process->environment->node_id);
}

struct outcome host_distributed_module_id(struct guest *g)
{
    return done(g->module->cluster_id);
}
