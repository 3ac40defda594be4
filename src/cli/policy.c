/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/policy.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/policy_toml.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_SIZE_MAX (1u << 20) /* bytes of a file */

/* One row per option: its name here and in a policy file, and where its number goes. */
enum unit { COUNT, BYTES, MILLISECONDS };

static const struct number {
    int id;
    const char *option, *key; /* of the table [limits] */
    enum unit unit;
    size_t offset; /* in struct lunatic_environment_options */
} numbers[] = {
#define OPTION(id, option, key, unit, field)                                                       \
    {id, option, key, unit, offsetof(struct lunatic_environment_options, field)}
    OPTION(POLICY_MEMORY, "max-memory", "memory", BYTES, memory_max),
    OPTION(POLICY_FUEL, "max-fuel", "fuel", COUNT, fuel_max),
    OPTION(POLICY_CPU, "max-cpu", "cpu", MILLISECONDS, cpu_max_ms),
    OPTION(POLICY_PROCESSES, "max-processes", "processes", COUNT, process_count_max),
    OPTION(POLICY_MAILBOX, "max-mailbox", "mailbox", BYTES, mailbox_size_max),
    OPTION(POLICY_MESSAGES, "max-messages", "messages", COUNT, mailbox_count_max),
    OPTION(POLICY_DESCRIPTORS, "max-descriptors", "descriptors", COUNT, descriptor_count_max),
    OPTION(POLICY_TIMERS, "max-timers", "timers", COUNT, timer_count_max),
#undef OPTION
};

/* The other keys of policy files, as the options they stand for. */
static const struct word {
    const char *table, *key;
    int id;
    bool is_list;
} words[] = {
    {"files", "directories", POLICY_DIR, true},
    {"files", "databases", POLICY_ALLOW_DATABASE, true},
    {"network", "allow", POLICY_ALLOW_NET, true},
    {"network", "deny", POLICY_DENY_NET, true},
    {"environment", "set", POLICY_ENV, true},
    {"environment", "inherit", POLICY_INHERIT_ENV, true},
    {"files", "current-directory", POLICY_NO_CURRENT_DIR, false},
    {"rights", "compile", POLICY_NO_COMPILE, false},
    {"rights", "configs", POLICY_NO_CONFIGS, false},
    {"rights", "spawn", POLICY_NO_SPAWN, false},
};

void policy_init(struct policy *p)
{
    *p = (struct policy){.inherits_all = true};
}

void policy_deinit(struct policy *p)
{
    for (size_t i = 0; i < p->texts.count; i++)
        mem_free(p->texts.items[i]);
    vec_deinit(&p->dirs);
    vec_deinit(&p->allow_network);
    vec_deinit(&p->deny_network);
    vec_deinit(&p->databases);
    vec_deinit(&p->variables);
    vec_deinit(&p->inherited);
    vec_deinit(&p->texts);
}

static bool no_memory(struct error *err)
{
    return fail(err, ERR_NO_MEMORY, "no memory for the options");
}

/* A copy that lives as long as the policy. */
static const char *keep(struct policy *p, const char *text, size_t size)
{
    char *copy = mem_try_array(char, size + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    if (vec_push(&p->texts, copy))
        return copy;
    mem_free(copy);
    return NULL;
}

/* ---- numbers ---- */

/* "250", "250ms", "10s", "5m", "2h". */
static bool parse_time(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = strspn(text, "0123456789");
    char number[24];

    if (digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strcmp(text + digits, units[i].unit) == 0)
            return args_number(number, UINT64_MAX, out) &&
                   !__builtin_mul_overflow(*out, units[i].ms, out);
    }
    return false;
}

static bool set_number(struct lunatic_environment_options *o, const struct number *n,
                       const char *text, struct error *err)
{
    static const char *const wanted[] = {[COUNT] = "a number",
                                         [BYTES] = "a number of bytes like 64M",
                                         [MILLISECONDS] = "a time like 500ms, 10s or 2m"};
    uint64_t value;

    if (strcmp(text, "none") == 0)
        value = n->id == POLICY_FUEL ? 0 : UINT64_MAX;
    else if (!(n->unit == MILLISECONDS ? parse_time(text, &value)
                                       : args_number(text, UINT64_MAX, &value)))
        return fail(err, ERR_USAGE, "option '--%s' wants %s, or none, not '%s'", n->option,
                    wanted[n->unit], text);
    else if (value == 0)
        return fail(err, ERR_USAGE, "option '--%s' wants at least 1 (or none)", n->option);
    memcpy((char *)o + n->offset, &value, sizeof(value));
    return true;
}

/* ---- words ---- */

/* HOST[::GUEST][:ro] */
static bool add_dir(struct policy *p, const char *text, struct error *err)
{
    const char *home = getenv("HOME"), *guest;
    size_t size = strlen(text);
    struct lunatic_dir dir = {0};

    if (size >= 3 && strcmp(text + size - 3, ":ro") == 0) {
        dir.read_only = true;
        size -= 3;
    }
    dir.host_path = keep(p, text, size);
    if (!dir.host_path)
        return no_memory(err);
    guest = strstr(dir.host_path, "::");
    if (guest) {
        dir.guest_path = guest + 2;
        dir.host_path = keep(p, dir.host_path, (size_t)(guest - dir.host_path));
        if (!dir.host_path)
            return no_memory(err);
    } else {
        dir.guest_path = dir.host_path;
    }
    if (dir.host_path[0] == '\0' || dir.guest_path[0] == '\0')
        return fail(err, ERR_USAGE, "a directory is HOST[::GUEST][:ro], not '%s'", text);
    if (strcmp(dir.host_path, "~") == 0 && home)
        dir.host_path = home;
    return vec_push(&p->dirs, dir) || no_memory(err);
}

static bool add_inherited(struct policy *p, const char *text, struct error *err)
{
    p->inherits_all = strcmp(text, "all") == 0;
    if (p->inherits_all || strcmp(text, "none") == 0)
        return true;
    while (*text) {
        size_t size = strcspn(text, ",");
        const char *name = keep(p, text, size);

        if (!name || !vec_push(&p->inherited, name))
            return no_memory(err);
        if (size == 0 || strchr(name, '='))
            return fail(err, ERR_USAGE,
                        "option '--inherit-env' wants names with commas between, all or none, "
                        "not '%s'",
                        text);
        text += size + (text[size] == ',');
    }
    return true;
}

static bool add_rule(struct policy *p, bool allow, const char *text, struct error *err)
{
    struct lunatic_error why;

    if (!lunatic_check_network_rule(text, &why))
        return fail(err, ERR_USAGE, "%s", why.text);
    return (allow ? vec_push(&p->allow_network, text) : vec_push(&p->deny_network, text)) ||
           no_memory(err);
}

static bool read_file(struct policy *p, struct lunatic_environment_options *o, const char *name,
                      struct error *err)
{
    struct bytes text = {0};
    FILE *f = fopen(name, "re");
    char piece[4096];
    bool ok = true;
    size_t size;

    if (!f)
        return fail_os(err, errno, "--policy %s", name);
    while (ok && !feof(f) && !ferror(f)) {
        size = fread(piece, 1, sizeof(piece), f);
        if (text.size + size > POLICY_SIZE_MAX)
            ok = fail(err, ERR_LIMIT, "--policy %s: more than %u bytes", name, POLICY_SIZE_MAX);
        else
            ok = bytes_append(&text, piece, size) || no_memory(err);
    }
    if (ok && ferror(f))
        ok = fail_os(err, errno, "--policy %s", name);
    fclose(f);
    ok = ok && policy_read(p, o, name, slice_make(text.data, text.size), err);
    bytes_deinit(&text);
    return ok;
}

bool policy_take(struct policy *p, struct lunatic_environment_options *o, int id, const char *value,
                 struct error *err)
{
    struct lunatic_error why;

    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        if (numbers[i].id == id)
            return set_number(o, &numbers[i], value, err);
    }
    switch (id) {
    case POLICY_FILE:
        return read_file(p, o, value, err);
    case POLICY_DIR:
        return add_dir(p, value, err);
    case POLICY_NO_CURRENT_DIR:
        p->no_current_dir = true;
        return true;
    case POLICY_ENV:
        if (value[0] == '=' || !strchr(value, '='))
            return fail(err, ERR_USAGE, "option '--env' wants NAME=VALUE, not '%s'", value);
        return vec_push(&p->variables, value) || no_memory(err);
    case POLICY_INHERIT_ENV:
        return add_inherited(p, value, err);
    case POLICY_ALLOW_NET:
    case POLICY_DENY_NET:
        return add_rule(p, id == POLICY_ALLOW_NET, value, err);
    case POLICY_ALLOW_DATABASE:
        if (!lunatic_check_database_path(value, &why))
            return fail(err, ERR_USAGE, "%s", why.text);
        return vec_push(&p->databases, value) || no_memory(err);
    case POLICY_NO_COMPILE:
        o->deny_compile = true;
        return true;
    case POLICY_NO_CONFIGS:
        o->deny_configs = true;
        return true;
    default:
        ASSERT(id == POLICY_NO_SPAWN);
        o->deny_spawn = true;
        return true;
    }
}

/* ---- files ---- */

struct reading {
    struct policy *policy;
    struct lunatic_environment_options *options;
    const char *name;
    struct error *err;
};

static bool take_number(struct reading *r, const struct policy_value *v, const struct number *n,
                        struct error *err)
{
    char text[32];

    if (v->in_list || v->kind == POLICY_TRUTH || (v->kind == POLICY_NUMBER && v->number < 0))
        return fail(err, ERR_USAGE, "'%s.%s' must be a number, or a string like \"64M\" or \"10s\"",
                    v->table, v->key);
    snprintf(text, sizeof(text), "%lld", (long long)v->number);
    return set_number(r->options, n, v->kind == POLICY_TEXT ? v->text : text, err);
}

static bool take_word(struct reading *r, const struct policy_value *v, const struct word *w,
                      struct error *err)
{
    const char *text;

    if (!w->is_list) {
        if (v->in_list || v->kind != POLICY_TRUTH)
            return fail(err, ERR_USAGE, "'%s.%s' must be true or false", v->table, v->key);
        return v->truth || policy_take(r->policy, r->options, w->id, "", err);
    }
    if (w->id == POLICY_INHERIT_ENV && v->kind == POLICY_TRUTH && !v->in_list)
        return policy_take(r->policy, r->options, w->id, v->truth ? "all" : "none", err);
    if (v->kind == POLICY_EMPTY) {
        switch (w->id) { /* nothing at all, rather than nothing said */
        case POLICY_INHERIT_ENV:
            return policy_take(r->policy, r->options, w->id, "none", err);
        case POLICY_ALLOW_NET:
            return policy_take(r->policy, r->options, POLICY_DENY_NET, "*", err);
        case POLICY_ALLOW_DATABASE:
            return fail(err, ERR_USAGE, "'%s.%s' must not be empty", v->table, v->key);
        default:
            return true;
        }
    }
    if (!v->in_list || v->kind != POLICY_TEXT)
        return fail(err, ERR_USAGE, "'%s.%s' must be a list of strings", v->table, v->key);
    text = keep(r->policy, v->text, strlen(v->text));
    return text ? policy_take(r->policy, r->options, w->id, text, err) : no_memory(err);
}

static bool take_unlocated(struct reading *r, const struct policy_value *v, struct error *err)
{
    bool is_known = strcmp(v->table, "limits") == 0;

    for (size_t i = 0; is_known && i < ARRAY_COUNT(numbers); i++) {
        if (strcmp(v->key, numbers[i].key) == 0)
            return take_number(r, v, &numbers[i], err);
    }
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strcmp(v->table, words[i].table) != 0)
            continue;
        is_known = true;
        if (strcmp(v->key, words[i].key) == 0)
            return take_word(r, v, &words[i], err);
    }
    if (is_known)
        return fail(err, ERR_USAGE, "table [%s] has no key '%s'", v->table, v->key);
    return fail(err, ERR_USAGE,
                "there is no table [%s], only limits, rights, files, network and environment",
                v->table);
}

static bool take_value(void *arg, const struct policy_value *v)
{
    struct reading *r = arg;
    struct error why = {0};

    if (take_unlocated(r, v, &why))
        return true;
    return fail(r->err, why.code, "%s:%u: %s", r->name, v->line, why.text);
}

bool policy_read(struct policy *p, struct lunatic_environment_options *o, const char *name,
                 struct slice text, struct error *err)
{
    struct reading r = {p, o, name, err};
    char why[256];
    unsigned line;

    if (policy_toml_read(text.size ? (const char *)text.data : "", text.size, take_value, &r, why,
                         sizeof(why), &line))
        return true;
    if (why[0] == '\0')
        return false; /* take_value has said what */
    if (line == 0)
        return fail(err, ERR_USAGE, "%s: %s", name, why);
    return fail(err, ERR_USAGE, "%s:%u: %s", name, line, why);
}

/* ---- the end ---- */

static bool is_inherited(const struct policy *p, const char *variable)
{
    size_t size = strcspn(variable, "=");

    if (p->inherits_all)
        return true;
    for (size_t i = 0; i < p->inherited.count; i++) {
        if (strlen(p->inherited.items[i]) == size &&
            memcmp(p->inherited.items[i], variable, size) == 0)
            return true;
    }
    return false;
}

/* Those that are set replace ours of the same name, and each other. */
static bool add_variables(struct policy *p, struct error *err)
{
    extern char **environ;
    size_t set = 0;

    for (size_t i = 0; i < p->variables.count; i++) { /* the last one of a name stays */
        const char *text = p->variables.items[i];
        bool again = false;

        for (size_t k = i + 1; k < p->variables.count && !again; k++)
            again = strncmp(text, p->variables.items[k], strcspn(text, "=") + 1) == 0;
        if (!again)
            p->variables.items[set++] = text;
    }
    p->variables.count = set;
    for (size_t i = 0; environ[i]; i++) {
        bool replaced = !is_inherited(p, environ[i]);

        for (size_t k = 0; k < set && !replaced; k++)
            replaced = strncmp(environ[i], p->variables.items[k],
                               strcspn(p->variables.items[k], "=") + 1) == 0;
        if (!replaced && !vec_push(&p->variables, environ[i]))
            return no_memory(err);
    }
    return true;
}

bool policy_finish(struct policy *p, struct lunatic_environment_options *o, struct error *err)
{
    const struct lunatic_dir here = {".", ".", false};

    if (!add_variables(p, err))
        return false;
    if (!p->no_current_dir) {
        if (!vec_push(&p->dirs, here))
            return no_memory(err);
        memmove(p->dirs.items + 1, p->dirs.items, (p->dirs.count - 1) * sizeof(here));
        p->dirs.items[0] = here;
    }
    o->dirs = p->dirs.items;
    o->dir_count = p->dirs.count;
    o->variables = p->variables.items;
    o->variable_count = p->variables.count;
    o->allow_network = p->allow_network.items;
    o->allow_network_count = p->allow_network.count;
    o->deny_network = p->deny_network.items;
    o->deny_network_count = p->deny_network.count;
    o->databases = p->databases.items;
    o->database_count = p->databases.count;
    return true;
}
