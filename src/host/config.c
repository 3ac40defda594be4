/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Configurations: those functions of lunatic::process and lunatic::wasi that make and change them.
 */
#include "host/internal.h"
#include "proc/output.h"
#include "proc/rules.h"
#include <stdlib.h>

#define UNKNOWN "unknown configuration id"

struct config *guest_config_own(struct guest *g, uint64_t id)
{
    struct config *c = guest_config(g, id);

    if (!c)
        return NULL;
    if (atomic_load_explicit(&c->resource.references, memory_order_acquire) != 1) {
        c = config_copy(c);
        if (!c)
            return NULL;
        if (!resource_replace(g->process, RESOURCE_CONFIG, id, &c->resource)) {
            config_unref(c);
            return NULL;
        }
    }
    config_changed(c);
    return c;
}

struct config *guest_config_granted(struct guest *g, uint64_t id, struct error *err)
{
    struct process *p = g->process;
    struct config *c = guest_config(g, id);
    struct bytes lost = {0};

    if (LIKELY(c->within == p->config))
        return c;
    c = guest_config_own(g, id);
    if (!c) {
        fail(err, ERR_NO_MEMORY, "no memory for the configuration");
        return NULL;
    }
    if (!config_restrict(c, p->config, &lost, err))
        c = NULL;
    else if (lost.size && output_wants_reports(p->environment))
        output_report(p->environment, process_id(p), "lunatic_process",
                      "Process %llu has not got what it wants to give to a child, which does "
                      "without: %.*s",
                      (unsigned long long)process_id(p), (int)lost.size, (const char *)lost.data);
    bytes_deinit(&lost);
    return c;
}

struct outcome host_process_create_config(struct guest *g)
{
    struct config *c;
    uint64_t id;

    if (!config_allows(g->process->config, RIGHT_CREATE_CONFIGS))
        return done(LUN_DENIED_I64);
    c = config_new();
    if (!c || !resource_add(g->process, &c->resource, &id)) {
        config_unref(c);
        return guest_trap(g, "this process holds too much");
    }
    guest_count(g, COUNT_CONFIGS_CREATED, 1);
    return done(id);
}

struct outcome host_process_drop_config(struct guest *g, uint64_t config_id)
{
    struct resource *r = resource_take(g->process, RESOURCE_CONFIG, config_id);

    if (!r)
        return guest_trap(g, UNKNOWN);
    guest_count(g, COUNT_CONFIGS_DROPPED, 1);
    resource_unref(r);
    return done(0);
}

#define GETTER(name, field)                                                                        \
    struct outcome host_process_config_get_##name(struct guest *g, uint64_t config_id)             \
    {                                                                                              \
        const struct config *c = guest_config(g, config_id);                                       \
                                                                                                   \
        return c ? done(c->field) : guest_trap(g, UNKNOWN);                                        \
    }
#define SETTER(name, field)                                                                        \
    struct outcome host_process_config_set_##name(struct guest *g, uint64_t config_id,             \
                                                  uint64_t value)                                  \
    {                                                                                              \
        struct config *c = guest_config_own(g, config_id);                                         \
                                                                                                   \
        if (!c)                                                                                    \
            return guest_trap(g, UNKNOWN);                                                         \
        c->field = value;                                                                          \
        return done(0);                                                                            \
    }
#define RIGHT(name, right)                                                                         \
    struct outcome host_process_config_can_##name(struct guest *g, uint64_t config_id)             \
    {                                                                                              \
        const struct config *c = guest_config(g, config_id);                                       \
                                                                                                   \
        return c ? done(config_allows(c, right)) : guest_trap(g, UNKNOWN);                         \
    }                                                                                              \
    struct outcome host_process_config_set_can_##name(struct guest *g, uint64_t config_id,         \
                                                      uint32_t can)                                \
    {                                                                                              \
        struct config *c = guest_config_own(g, config_id);                                         \
                                                                                                   \
        if (!c)                                                                                    \
            return guest_trap(g, UNKNOWN);                                                         \
        c->rights = can ? c->rights | right : c->rights & ~(uint32_t)right;                        \
        return done(0);                                                                            \
    }

GETTER(max_memory, memory_max)
SETTER(max_memory, memory_max)
GETTER(max_fuel, fuel_max)
SETTER(max_fuel, fuel_max)
GETTER(max_cpu, cpu_max_ms)
SETTER(max_cpu, cpu_max_ms)
GETTER(max_processes, process_count_max)
SETTER(max_processes, process_count_max)
GETTER(max_mailbox_size, mailbox_size_max)
SETTER(max_mailbox_size, mailbox_size_max)
GETTER(max_mailbox_messages, mailbox_count_max)
SETTER(max_mailbox_messages, mailbox_count_max)
GETTER(max_descriptors, descriptor_count_max)
SETTER(max_descriptors, descriptor_count_max)
GETTER(max_timers, timer_count_max)
SETTER(max_timers, timer_count_max)
RIGHT(compile_modules, RIGHT_COMPILE_MODULES)
RIGHT(create_configs, RIGHT_CREATE_CONFIGS)
RIGHT(spawn_processes, RIGHT_SPAWN_PROCESSES)

/* ---- rules ---- */

static struct outcome add_network(struct guest *g, const char *function, uint64_t config_id,
                                  uint32_t rule, uint32_t rule_size, bool allow)
{
    struct net_rule parsed;
    struct slice text;
    struct config *c;
    struct error err;

    if (!guest_string(g, rule, rule_size, &text))
        return guest_trap_in(g, function, "a string leaves the memory or is not UTF-8");
    if (!guest_config(g, config_id))
        return guest_trap_in(g, function, UNKNOWN);
    if (!net_rule_parse(text, &parsed, &err))
        return done(LUN_FAILED);
    c = guest_config_own(g, config_id);
    if (!c || !rules_change(&c->own_rules) || !rules_add_net(c->own_rules, allow, &parsed))
        return guest_trap_in(g, function,
                             "too many rules in a configuration, or memory runs short");
    return done(LUN_OK);
}

struct outcome host_process_config_allow_network(struct guest *g, uint64_t config_id, uint32_t rule,
                                                 uint32_t rule_size)
{
    return add_network(g, __func__, config_id, rule, rule_size, true);
}

struct outcome host_process_config_deny_network(struct guest *g, uint64_t config_id, uint32_t rule,
                                                uint32_t rule_size)
{
    return add_network(g, __func__, config_id, rule, rule_size, false);
}

struct outcome host_process_config_allow_database(struct guest *g, uint64_t config_id,
                                                  uint32_t path, uint32_t path_size)
{
    struct slice text;
    struct config *c;

    if (!guest_string(g, path, path_size, &text))
        return guest_trap_string(g);
    if (!guest_config(g, config_id))
        return guest_trap(g, UNKNOWN);
    if (!rules_is_path(text))
        return done(LUN_FAILED);
    c = guest_config_own(g, config_id);
    if (!c || !rules_change(&c->own_rules) || !rules_add_database(c->own_rules, text))
        return guest_trap(g, "too many rules in a configuration, or memory runs short");
    return done(LUN_OK);
}

/* ---- files, arguments, variables ---- */

static struct outcome added(struct guest *g, const char *function, bool ok)
{
    return ok ? done(0)
              : guest_trap_in(
                    g, function,
                    "too many strings in a configuration, a byte 0 inside, or memory runs short");
}

struct outcome host_wasi_config_config_add_environment_variable(struct guest *g, uint64_t config_id,
                                                                uint32_t key, uint32_t key_size,
                                                                uint32_t value, uint32_t value_size)
{
    struct slice name, text;
    struct config *c;

    if (!guest_string(g, key, key_size, &name) || !guest_string(g, value, value_size, &text))
        return guest_trap_string(g);
    c = guest_config_own(g, config_id);
    if (!c)
        return guest_trap(g, UNKNOWN);
    return added(g, __func__, config_add_variable(c, name, text));
}

struct outcome host_wasi_config_config_add_command_line_argument(struct guest *g,
                                                                 uint64_t config_id,
                                                                 uint32_t argument,
                                                                 uint32_t argument_size)
{
    struct slice text;
    struct config *c;

    if (!guest_string(g, argument, argument_size, &text))
        return guest_trap_string(g);
    c = guest_config_own(g, config_id);
    if (!c)
        return guest_trap(g, UNKNOWN);
    return added(g, __func__, config_add_arg(c, text));
}

static struct outcome preopen(struct guest *g, const char *function, uint64_t config_id,
                              uint32_t path, uint32_t path_size, bool is_read_only)
{
    const char *home = getenv("HOME");
    struct slice text, host_path;
    struct config *c;

    if (!guest_string(g, path, path_size, &text))
        return guest_trap_in(g, function, "a string leaves the memory or is not UTF-8");
    c = guest_config_own(g, config_id);
    if (!c)
        return guest_trap_in(g, function, UNKNOWN);
    host_path = home && slice_equal(text, slice_text("~")) ? slice_text(home) : text;
    return added(g, function, config_add_dir(c, host_path, text, is_read_only));
}

struct outcome host_wasi_config_config_preopen_dir(struct guest *g, uint64_t config_id,
                                                   uint32_t path, uint32_t path_size)
{
    return preopen(g, __func__, config_id, path, path_size, false);
}

struct outcome host_wasi_config_config_preopen_dir_read_only(struct guest *g, uint64_t config_id,
                                                             uint32_t path, uint32_t path_size)
{
    return preopen(g, __func__, config_id, path, path_size, true);
}
