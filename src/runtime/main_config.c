/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the main process of a program is allowed: the options of an environment as a configuration.
 */
#include "plat/file.h"
#include "proc/config.h"
#include "proc/rules.h"
#include "runtime/internal.h"
#include "vm/region.h"
#include <string.h>

static bool add_variables(struct config *c, const struct lunatic_environment_options *o)
{
    for (size_t i = 0; i < o->variable_count; i++) {
        struct slice all = slice_text(o->variables[i]);
        const char *equals = strchr(o->variables[i], '=');
        size_t name;

        if (!equals || !slice_is_utf8(all))
            continue;
        name = (size_t)(equals - o->variables[i]);
        if (!config_add_variable(c, slice_make(all.data, name), slice_text(equals + 1)))
            return false;
    }
    return true;
}

/* Enough for every ordinary program, and not so much that one takes the machine:
 * docs/permissions.md.
 */
#define MAILBOX_SIZE_DEFAULT     ((uint64_t)1 << 30) /* or a quarter of the memory, if that is less */
#define DESCRIPTOR_COUNT_DEFAULT 65536u              /* or half of what the system lets us open */
#define DESCRIPTOR_COUNT_LEAST   64u
#define TIMER_COUNT_DEFAULT      CONFIG_TIMERS_MAX_DEFAULT

static uint64_t or_default(uint64_t wish, uint64_t normal)
{
    return wish ? wish : normal;
}

static void set_limits(struct config *c, const struct lunatic_environment_options *o)
{
    uint64_t memory = region_commit_limit() / 4, descriptors = file_count_limit() / 2;
    uint64_t mailbox = memory < MAILBOX_SIZE_DEFAULT ? memory : MAILBOX_SIZE_DEFAULT;

    if (descriptors > DESCRIPTOR_COUNT_DEFAULT)
        descriptors = DESCRIPTOR_COUNT_DEFAULT;
    if (descriptors < DESCRIPTOR_COUNT_LEAST)
        descriptors = DESCRIPTOR_COUNT_LEAST;
    c->cpu_max_ms = or_default(o->cpu_max_ms, CONFIG_UNLIMITED);
    c->process_count_max = or_default(o->process_count_max, CONFIG_UNLIMITED);
    c->mailbox_size_max = or_default(o->mailbox_size_max, mailbox);
    c->mailbox_count_max = or_default(o->mailbox_count_max, CONFIG_UNLIMITED);
    c->descriptor_count_max = or_default(o->descriptor_count_max, descriptors);
    c->timer_count_max = or_default(o->timer_count_max, TIMER_COUNT_DEFAULT);
}

static bool add_network(struct config *c, const char *const *rules, size_t count, bool allow,
                        struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct net_rule rule;

        if (!net_rule_parse(slice_text(rules[i]), &rule, err))
            return false;
        if (!rules_change(&c->own_rules) || !rules_add_net(c->own_rules, allow, &rule))
            return fail(err, ERR_LIMIT, "more than %u network rules", RULES_COUNT_MAX);
    }
    return true;
}

static bool check_database(const char *path, struct error *err)
{
    return rules_is_path(slice_text(path)) ||
           fail(err, ERR_USAGE, "path of databases '%s': it must not contain ..", path);
}

static bool add_rules(struct config *c, const struct lunatic_environment_options *o,
                      struct error *err)
{
    if (!add_network(c, o->allow_network, o->allow_network_count, true, err) ||
        !add_network(c, o->deny_network, o->deny_network_count, false, err))
        return false;
    for (size_t i = 0; i < o->database_count; i++) {
        struct slice path = slice_text(o->databases[i]);

        if (!check_database(o->databases[i], err))
            return false;
        if (!rules_change(&c->own_rules) || !rules_add_database(c->own_rules, path))
            return fail(err, ERR_LIMIT, "more than %u paths of databases", RULES_COUNT_MAX);
    }
    return true;
}

struct config *runtime_main_config(const struct lunatic_environment_options *o, struct error *err)
{
    struct config *c = config_new();
    bool ok = c != NULL;

    for (size_t i = 0; ok && i < o->arg_count; i++)
        ok = config_add_arg(c, slice_text(o->args[i]));
    ok = ok && add_variables(c, o);
    for (size_t i = 0; ok && i < o->dir_count; i++) {
        const struct lunatic_dir *d = &o->dirs[i];

        ok = config_add_dir(c, slice_text(d->host_path),
                            slice_text(d->guest_path ? d->guest_path : d->host_path), d->read_only);
    }
    if (!ok) {
        config_unref(c);
        fail(err, ERR_LIMIT, "arguments, variables and directories exceed %u bytes",
             CONFIG_STRINGS_SIZE_MAX);
        return NULL;
    }
    if (o->memory_max)
        c->memory_max = o->memory_max;
    c->fuel_max = o->fuel_max;
    c->rights = (o->deny_compile ? 0u : (unsigned)RIGHT_COMPILE_MODULES) |
                (o->deny_configs ? 0u : (unsigned)RIGHT_CREATE_CONFIGS) |
                (o->deny_spawn ? 0u : (unsigned)RIGHT_SPAWN_PROCESSES);
    set_limits(c, o);
    if (!add_rules(c, o, err) || !config_restrict(c, NULL, NULL, err)) {
        config_unref(c);
        return NULL;
    }
    return c;
}

bool lunatic_check_network_rule(const char *text, struct lunatic_error *err)
{
    struct net_rule rule;
    struct error words;

    return net_rule_parse(slice_text(text), &rule, &words) || runtime_fail(err, &words);
}

bool lunatic_check_database_path(const char *text, struct lunatic_error *err)
{
    struct error words;

    return check_database(text, &words) || runtime_fail(err, &words);
}
