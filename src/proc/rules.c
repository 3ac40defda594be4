/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/rules.h"
#include "base/mem.h"
#include "proc/path.h"

/* Counts memory for a layer: all is given back with it. */
static bool charge(struct rules *r, uint64_t bytes)
{
    if (!mem_charge(bytes))
        return false;
    r->charged += bytes;
    return true;
}

struct rules *rules_new(void)
{
    struct rules *r = mem_try(struct rules);

    if (!r)
        return NULL;
    atomic_init(&r->references, 1);
    r->depth = 1;
    if (charge(r, sizeof(*r)))
        return r;
    mem_free(r);
    return NULL;
}

struct rules *rules_ref(struct rules *r)
{
    if (r)
        atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
    return r;
}

void rules_unref(struct rules *r)
{
    while (r) {
        struct rules *under = r->under;

        /* acquire-release: whoever frees has seen all uses */
        if (atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) != 1)
            return;
        for (size_t i = 0; i < r->databases.count; i++)
            mem_free(r->databases.items[i]);
        vec_deinit(&r->allow);
        vec_deinit(&r->deny);
        vec_deinit(&r->databases);
        mem_uncharge(r->charged);
        mem_free(r);
        r = under;
    }
}

struct rules *rules_copy(const struct rules *r, struct rules *under)
{
    struct rules *copy = rules_new();
    bool ok = copy != NULL;

    for (size_t i = 0; ok && i < r->allow.count; i++)
        ok = rules_add_net(copy, true, &r->allow.items[i]);
    for (size_t i = 0; ok && i < r->deny.count; i++)
        ok = rules_add_net(copy, false, &r->deny.items[i]);
    for (size_t i = 0; ok && i < r->databases.count; i++)
        ok = rules_add_database(copy, slice_text(r->databases.items[i]));
    if (!ok) {
        rules_unref(copy);
        return NULL;
    }
    copy->under = rules_ref(under);
    copy->depth = 1 + (under ? under->depth : 0);
    return copy;
}

bool rules_change(struct rules **r)
{
    struct rules *copy;

    /* acquire: the holders that have let go have done so for good */
    if (*r && atomic_load_explicit(&(*r)->references, memory_order_acquire) == 1)
        return true;
    copy = *r ? rules_copy(*r, (*r)->under) : rules_new();
    if (!copy)
        return false;
    rules_unref(*r);
    *r = copy;
    return true;
}

bool rules_add_net(struct rules *r, bool allow, const struct net_rule *rule)
{
    if (r->allow.count + r->deny.count >= RULES_COUNT_MAX)
        return false;
    if (!charge(r, 2 * sizeof(*rule))) /* an array is at most half empty */
        return false;
    return allow ? vec_push(&r->allow, *rule) : vec_push(&r->deny, *rule);
}

bool rules_is_path(struct slice path)
{
    char *text = path.size <= RULES_PATH_MAX ? path_normal(path) : NULL;
    bool ok = text != NULL;

    mem_free(text);
    return ok;
}

bool rules_add_database(struct rules *r, struct slice path)
{
    char *text;

    if (r->databases.count >= RULES_COUNT_MAX || path.size > RULES_PATH_MAX ||
        !charge(r, path.size + 4 * sizeof(text)) || !(text = path_normal(path)))
        return false;
    if (vec_push(&r->databases, text))
        return true;
    mem_free(text);
    return false;
}

static bool layer_allows(const struct rules *r, const struct net_target *t)
{
    bool is_open = true;

    for (size_t i = 0; i < r->deny.count; i++) {
        if (net_rule_matches(&r->deny.items[i], t, false))
            return false;
    }
    for (size_t i = 0; i < r->allow.count; i++) {
        const struct net_rule *rule = &r->allow.items[i];

        if (net_rule_matches(rule, t, true))
            return true;
        if (rule->operations & t->operation)
            is_open = false;
    }
    return is_open;
}

bool rules_allow_net(const struct rules *r, const struct net_target *t)
{
    for (; r; r = r->under) {
        if (!layer_allows(r, t))
            return false;
    }
    return true;
}

bool rules_allow_some(const struct rules *r, enum net_operation operation)
{
    for (; r; r = r->under) {
        for (size_t i = 0; i < r->deny.count; i++) {
            const struct net_rule *rule = &r->deny.items[i];

            if ((rule->operations & operation) && rule->host == NET_ANY && rule->port_first == 0 &&
                rule->port_last == UINT16_MAX)
                return false;
        }
    }
    return true;
}

static bool layer_allows_name(const struct rules *r, struct slice name)
{
    struct net_address unused;
    bool is_open = r->allow.count == 0;

    for (size_t i = 0; i < r->deny.count; i++) {
        const struct net_rule *rule = &r->deny.items[i];

        if (rule->operations == NET_ALL && rule->port_first == 0 && rule->port_last == UINT16_MAX &&
            net_rule_matches_name(rule, name))
            return false;
    }
    if (net_address_parse(name, &unused))
        return true; /* nothing is looked up */
    for (size_t i = 0; i < r->allow.count && !is_open; i++)
        is_open = net_rule_matches_name(&r->allow.items[i], name);
    return is_open;
}

bool rules_allow_name(const struct rules *r, struct slice name)
{
    for (; r; r = r->under) {
        if (!layer_allows_name(r, name))
            return false;
    }
    return true;
}

bool rules_allow_database(const struct rules *r, struct slice path)
{
    char *text;
    bool ok = true;

    for (; r && r->databases.count == 0; r = r->under)
        ;
    if (!r)
        return true;
    text = path_normal(path);
    ok = text != NULL;
    for (; ok && r; r = r->under) {
        bool found = r->databases.count == 0;

        for (size_t i = 0; i < r->databases.count && !found; i++)
            found = path_below(r->databases.items[i], text) != NULL;
        ok = found;
    }
    mem_free(text);
    return ok;
}
