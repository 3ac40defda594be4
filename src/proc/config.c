/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/config.h"
#include "proc/budget.h"
#include "proc/rules.h"

/* What a configuration without strings is charged for. */
#define CONFIG_COST (sizeof(struct config) + 256)

static void release(struct resource *r)
{
    struct config *c = CONTAINER_OF(r, struct config, resource);

    for (size_t i = 0; i < c->dirs.count; i++) {
        mem_free(c->dirs.items[i].host_path);
        mem_free(c->dirs.items[i].guest_path);
        mem_free(c->dirs.items[i].below);
    }
    for (size_t i = 0; i < c->args.count; i++)
        mem_free(c->args.items[i]);
    for (size_t i = 0; i < c->variables.count; i++) {
        mem_free(c->variables.items[i].name);
        mem_free(c->variables.items[i].value);
    }
    vec_deinit(&c->dirs);
    vec_deinit(&c->args);
    vec_deinit(&c->variables);
    rules_unref(c->own_rules);
    rules_unref(c->rules);
    budget_unref(c->budget);
    mem_uncharge(CONFIG_COST + c->string_size);
    mem_free(c);
}

struct config *config_new(void)
{
    struct config *c;

    if (!mem_charge(CONFIG_COST))
        return NULL;
    c = mem_try(struct config);
    if (!c) {
        mem_uncharge(CONFIG_COST);
        return NULL;
    }
    resource_init(&c->resource, RESOURCE_CONFIG, release);
    c->memory_max = CONFIG_MEMORY_MAX_DEFAULT;
    c->cpu_max_ms = CONFIG_UNLIMITED;
    c->process_count_max = CONFIG_UNLIMITED;
    c->mailbox_count_max = CONFIG_UNLIMITED;
    c->mailbox_size_max = CONFIG_UNLIMITED;
    c->descriptor_count_max = CONFIG_UNLIMITED;
    c->timer_count_max = CONFIG_TIMERS_MAX_DEFAULT;
    c->resource_count_max = CONFIG_RESOURCES_MAX_DEFAULT;
    return c;
}

bool config_take_string(struct config *c, size_t size)
{
    uint64_t cost = (uint64_t)size + CONFIG_STRING_COST;

    if (cost > CONFIG_STRINGS_SIZE_MAX - c->string_size || !mem_charge(cost))
        return false;
    c->string_size += cost;
    return true;
}

void config_give_string(struct config *c, size_t size)
{
    c->string_size -= (uint64_t)size + CONFIG_STRING_COST;
    mem_uncharge((uint64_t)size + CONFIG_STRING_COST);
}

static char *add_string(struct config *c, struct slice s)
{
    char *text;

    if ((s.size > 0 && memchr(s.data, 0, s.size)) || !config_take_string(c, s.size))
        return NULL;
    text = mem_try_array(char, s.size + 1);
    if (!text) {
        config_give_string(c, s.size);
        return NULL;
    }
    if (s.size)
        memcpy(text, s.data, s.size);
    return text;
}

static void drop_string(struct config *c, char *text)
{
    if (text)
        config_give_string(c, strlen(text));
    mem_free(text);
}

static bool add_pair(struct config *c, struct slice a, struct slice b, char **a_out, char **b_out)
{
    *a_out = add_string(c, a);
    *b_out = *a_out ? add_string(c, b) : NULL;
    if (*b_out)
        return true;
    drop_string(c, *a_out);
    return false;
}

static void drop_pair(struct config *c, char *a, char *b)
{
    drop_string(c, a);
    drop_string(c, b);
}

bool config_add_dir(struct config *c, struct slice host_path, struct slice guest_path,
                    bool is_read_only)
{
    struct config_dir dir = {.is_read_only = is_read_only};

    if (c->dirs.count >= CONFIG_DIRS_MAX)
        return false;
    if (!add_pair(c, host_path, guest_path, &dir.host_path, &dir.guest_path))
        return false;
    if (vec_push(&c->dirs, dir))
        return true;
    drop_pair(c, dir.host_path, dir.guest_path);
    return false;
}

bool config_add_arg(struct config *c, struct slice arg)
{
    char *text = add_string(c, arg);

    if (!text)
        return false;
    if (vec_push(&c->args, text))
        return true;
    drop_string(c, text);
    return false;
}

bool config_add_variable(struct config *c, struct slice name, struct slice value)
{
    struct config_variable variable;

    if (!add_pair(c, name, value, &variable.name, &variable.value))
        return false;
    if (vec_push(&c->variables, variable))
        return true;
    drop_pair(c, variable.name, variable.value);
    return false;
}

size_t config_below_size(const char *below)
{
    const char *p = below;

    while (*p)
        p += strlen(p) + 1;
    return (size_t)(p - below) + 1;
}

static bool copy_strings(struct config *to, const struct config *from)
{
    for (size_t i = 0; i < from->dirs.count; i++) {
        const struct config_dir *dir = &from->dirs.items[i];
        struct config_dir *copy;

        if (!config_add_dir(to, slice_text(dir->host_path), slice_text(dir->guest_path),
                            dir->is_read_only))
            return false;
        copy = &to->dirs.items[i];
        copy->is_granted = dir->is_granted;
        if (dir->below) {
            size_t size = config_below_size(dir->below);

            if (!config_take_string(to, size))
                return false;
            copy->below = mem_try_array(char, size);
            if (!copy->below) {
                config_give_string(to, size);
                return false;
            }
            memcpy(copy->below, dir->below, size);
        }
    }
    for (size_t i = 0; i < from->args.count; i++) {
        if (!config_add_arg(to, slice_text(from->args.items[i])))
            return false;
    }
    for (size_t i = 0; i < from->variables.count; i++) {
        if (!config_add_variable(to, slice_text(from->variables.items[i].name),
                                 slice_text(from->variables.items[i].value)))
            return false;
    }
    return true;
}

struct config *config_copy(const struct config *c)
{
    struct config *copy = config_new();

    if (!copy)
        return NULL;
    copy->rights = c->rights;
    copy->fuel_max = c->fuel_max;
    copy->memory_max = c->memory_max;
    copy->cpu_max_ms = c->cpu_max_ms;
    copy->process_count_max = c->process_count_max;
    copy->mailbox_count_max = c->mailbox_count_max;
    copy->mailbox_size_max = c->mailbox_size_max;
    copy->descriptor_count_max = c->descriptor_count_max;
    copy->timer_count_max = c->timer_count_max;
    copy->resource_count_max = c->resource_count_max;
    copy->own_rules = rules_ref(c->own_rules);
    copy->rules = rules_ref(c->rules);
    copy->budget = budget_ref(c->budget);
    copy->within = c->within;
    if (!copy_strings(copy, c)) {
        config_unref(copy);
        return NULL;
    }
    return copy;
}

bool config_change(struct config **c)
{
    struct config *copy;

    /* acquire: the holders that have let go have done so for good */
    if (atomic_load_explicit(&(*c)->resource.references, memory_order_acquire) == 1)
        return true;
    copy = config_copy(*c);
    if (!copy)
        return false;
    config_unref(*c);
    *c = copy;
    return true;
}
