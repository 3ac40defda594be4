/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Configurations: those functions of lunatic::process and lunatic::wasi that make and change them.
 */
#include "host/internal.h"
#include <stdlib.h>

#define UNKNOWN "unknown configuration id"

struct config *guest_config_own(struct guest *g, uint64_t id)
{
    struct config *c = guest_config(g, id);

    if (!c || atomic_load_explicit(&c->resource.references, memory_order_acquire) == 1)
        return c;
    c = config_copy(c);
    if (c && !resource_replace(g->process, RESOURCE_CONFIG, id, &c->resource)) {
        config_unref(c);
        return NULL;
    }
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
    return done(id);
}

struct outcome host_process_drop_config(struct guest *g, uint64_t config_id)
{
    struct resource *r = resource_take(g->process, RESOURCE_CONFIG, config_id);

    if (!r)
        return guest_trap(g, UNKNOWN);
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
RIGHT(compile_modules, RIGHT_COMPILE_MODULES)
RIGHT(create_configs, RIGHT_CREATE_CONFIGS)
RIGHT(spawn_processes, RIGHT_SPAWN_PROCESSES)

static struct outcome added(struct guest *g, const char *function, bool ok)
{
    return ok ? done(0)
              : guest_trap_in(g, function,
                              "too many strings in a configuration, or a byte 0 inside");
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

struct outcome host_wasi_config_config_preopen_dir(struct guest *g, uint64_t config_id,
                                                   uint32_t path, uint32_t path_size)
{
    const char *home = getenv("HOME");
    struct slice text;
    struct config *c;

    if (!guest_string(g, path, path_size, &text))
        return guest_trap_string(g);
    c = guest_config_own(g, config_id);
    if (!c)
        return guest_trap(g, UNKNOWN);
    if (home && slice_equal(text, slice_text("~")))
        return added(g, __func__, config_add_dir(c, slice_text(home), text));
    return added(g, __func__, config_add_dir(c, text, text));
}
