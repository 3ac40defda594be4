/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/net/names.h"
#include "host/net/rights.h"
#include "proc/rules.h"

struct named {
    struct net_address address;
    uint32_t size;
    char name[NET_NAME_SIZE_MAX + 1];
};

struct net_names {
    size_t next;           /* the place that is overwritten next, once all are taken */
    VEC(struct named) all; /* <= NET_NAMES_MAX */
};

static struct slice name_of(const struct named *n)
{
    return slice_make(n->name, n->size);
}

static bool is_same(const struct named *n, const struct net_address *a, struct slice name)
{
    return memcmp(&n->address, a, sizeof(*a)) == 0 && slice_equal(name_of(n), name);
}

static void remember(struct net_names *n, const struct net_address *a, struct slice name)
{
    struct named fresh = {.address = *a, .size = (uint32_t)name.size};

    for (size_t i = 0; i < n->all.count; i++) {
        if (is_same(&n->all.items[i], a, name))
            return;
    }
    memcpy(fresh.name, name.data, name.size);
    if (n->all.count < NET_NAMES_MAX) {
        (void)!vec_push(&n->all, fresh);
        return;
    }
    n->all.items[n->next] = fresh;
    n->next = (n->next + 1) % NET_NAMES_MAX;
}

void net_names_add(struct guest *g, struct slice name, const struct socket_address *addresses,
                   size_t count)
{
    if (!g->process->config->rules)
        return;
    if (name.size > 0 && name.data[name.size - 1] == '.')
        name.size--;
    if (name.size == 0 || name.size > NET_NAME_SIZE_MAX)
        return;
    if (!g->names)
        g->names = mem_try(struct net_names);
    for (size_t i = 0; g->names && i < count; i++) {
        const struct net_address a = net_address_of(&addresses[i]);

        remember(g->names, &a, name);
    }
}

size_t net_names_of(const struct guest *g, const struct net_address *a, struct slice *out,
                    size_t max)
{
    size_t count = 0;

    for (size_t i = 0; g->names && i < g->names->all.count && count < max; i++) {
        if (memcmp(&g->names->all.items[i].address, a, sizeof(*a)) == 0)
            out[count++] = name_of(&g->names->all.items[i]);
    }
    return count;
}

void net_names_free(struct net_names *n)
{
    if (!n)
        return;
    vec_deinit(&n->all);
    mem_free(n);
}
