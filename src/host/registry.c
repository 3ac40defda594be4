/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::registry: processes by name. */
#include "proc/registry.h"
#include "host/internal.h"

static struct registry *registry_of(const struct guest *g)
{
    return &g->process->environment->registry;
}

struct outcome host_registry_put(struct guest *g, uint32_t name, uint32_t name_size,
                                 uint64_t node_id, uint64_t process_id)
{
    struct slice text;

    if (!guest_string(g, name, name_size, &text))
        return guest_trap_string(g);
    if (!registry_put(registry_of(g), text, node_id, process_id))
        return guest_trap(g, "the registry is full, the name is too long, or memory runs short");
    return done(0);
}

struct outcome host_registry_get(struct guest *g, uint32_t name, uint32_t name_size,
                                 uint32_t node_id_out, uint32_t process_id_out)
{
    uint64_t node_id, process_id;
    struct slice text;

    if (!guest_string(g, name, name_size, &text))
        return guest_trap_string(g);
    if (!registry_get(registry_of(g), text, &node_id, &process_id))
        return done(1);
    if (!guest_range(g, node_id_out, sizeof(uint64_t)) ||
        !guest_range(g, process_id_out, sizeof(uint64_t)))
        return guest_trap_range(g);
    guest_write_u64(g, node_id_out, node_id);
    guest_write_u64(g, process_id_out, process_id);
    return done(0);
}

struct outcome host_registry_remove(struct guest *g, uint32_t name, uint32_t name_size)
{
    struct slice text;

    if (!guest_string(g, name, name_size, &text))
        return guest_trap_string(g);
    registry_remove(registry_of(g), text);
    return done(0);
}
