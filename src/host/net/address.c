/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::networking: iterators of addresses. */
#include "host/net/internal.h"

#define UNKNOWN "unknown id of an address iterator"

struct addresses {
    struct resource resource; /* RESOURCE_DNS_ITERATOR */
    size_t next, count;
    struct socket_address items[];
};

static uint64_t cost_of(size_t count)
{
    return sizeof(struct addresses) + count * sizeof(struct socket_address);
}

static void release(struct resource *r)
{
    struct addresses *a = CONTAINER_OF(r, struct addresses, resource);

    mem_uncharge(cost_of(a->count));
    mem_free(a);
}

bool net_add_addresses(struct guest *g, const struct socket_address *addresses, size_t count,
                       uint64_t *id)
{
    struct addresses *a;

    if (!mem_charge(cost_of(count)))
        return false;
    a = mem_try_alloc(1, cost_of(count));
    if (!a) {
        mem_uncharge(cost_of(count));
        return false;
    }
    a->count = count;
    if (count)
        memcpy(a->items, addresses, count * sizeof(a->items[0]));
    resource_init(&a->resource, RESOURCE_DNS_ITERATOR, release);
    if (resource_add(g->process, &a->resource, id))
        return true;
    release(&a->resource);
    return false;
}

struct outcome net_give_address(struct guest *g, const char *function,
                                const struct socket_address *a, uint32_t out)
{
    uint64_t id;

    if (!net_add_addresses(g, a, 1, &id))
        return guest_trap_in(g, function, NET_TOO_MUCH);
    ASSERT(guest_write_u64(g, out, id));
    return done(NET_OK);
}

static bool write_address(struct guest *g, const struct socket_address *a, uint32_t type_out,
                          uint32_t address_out, uint32_t port_out, uint32_t flow_info_out,
                          uint32_t scope_id_out)
{
    const size_t size = a->family == 4 ? 4 : 16;
    uint8_t *bytes, *port;

    if (!guest_bytes(g, address_out, size, &bytes) || !guest_bytes(g, port_out, 2, &port) ||
        !guest_range(g, type_out, 4))
        return false;
    if (a->family == 6 && (!guest_range(g, flow_info_out, 4) || !guest_range(g, scope_id_out, 4)))
        return false;
    memcpy(bytes, a->bytes, size);
    memcpy(port, &a->port, 2);
    return guest_write_u32(g, type_out, a->family) &&
           (a->family == 4 || (guest_write_u32(g, flow_info_out, a->flow_info) &&
                               guest_write_u32(g, scope_id_out, a->scope_id)));
}

struct outcome host_networking_resolve_next(struct guest *g, uint64_t iterator, uint32_t type_out,
                                            uint32_t address_out, uint32_t port_out,
                                            uint32_t flow_info_out, uint32_t scope_id_out)
{
    struct addresses *a =
        (struct addresses *)resource_get(g->process, RESOURCE_DNS_ITERATOR, iterator);

    if (!a)
        return guest_trap(g, UNKNOWN);
    if (a->next == a->count)
        return done(NET_ERROR);
    if (!write_address(g, &a->items[a->next], type_out, address_out, port_out, flow_info_out,
                       scope_id_out))
        return guest_trap_range(g);
    a->next++;
    return done(NET_OK);
}

struct outcome host_networking_drop_dns_iterator(struct guest *g, uint64_t iterator)
{
    struct resource *r = resource_take(g->process, RESOURCE_DNS_ITERATOR, iterator);

    if (!r)
        return guest_trap(g, UNKNOWN);
    resource_unref(r);
    return done(0);
}
