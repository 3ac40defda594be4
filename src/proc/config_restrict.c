/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A child's configuration, cut down to its parent's. */
#include "base/mem.h"
#include "base/printable.h"
#include "proc/budget.h"
#include "proc/config.h"
#include "proc/path.h"
#include "proc/rules.h"

void config_changed(struct config *c)
{
    c->within = NULL;
}

static void take_smaller(uint64_t *limit, uint64_t parent)
{
    if (*limit > parent)
        *limit = parent;
}

static void note(struct bytes *lost, const char *what, const char *name)
{
    if (lost && !(bytes_printf(lost, "%s%s", lost->size ? ", " : "", what) &&
                  printable_append(lost, slice_text(name), PRINTABLE_ONE_LINE)))
        lost->size = 0; /* only words */
}

static void restrict_numbers(struct config *c, const struct config *parent, struct bytes *lost)
{
    static const struct {
        enum config_right right;
        const char *words;
    } rights[] = {{RIGHT_COMPILE_MODULES, "the right to compile modules"},
                  {RIGHT_CREATE_CONFIGS, "the right to create configurations"},
                  {RIGHT_SPAWN_PROCESSES, "the right to spawn"}};

    for (size_t i = 0; i < ARRAY_COUNT(rights); i++) {
        if (config_allows(c, rights[i].right) && !config_allows(parent, rights[i].right))
            note(lost, rights[i].words, "");
    }
    c->rights &= parent->rights;
    if (parent->fuel_max && (c->fuel_max == 0 || c->fuel_max > parent->fuel_max))
        c->fuel_max = parent->fuel_max;
    take_smaller(&c->memory_max, parent->memory_max);
    take_smaller(&c->cpu_max_ms, parent->cpu_max_ms);
    take_smaller(&c->process_count_max, parent->process_count_max);
    take_smaller(&c->mailbox_count_max, parent->mailbox_count_max);
    take_smaller(&c->mailbox_size_max, parent->mailbox_size_max);
    take_smaller(&c->descriptor_count_max, parent->descriptor_count_max);
    take_smaller(&c->timer_count_max, parent->timer_count_max);
    take_smaller(&c->resource_count_max, parent->resource_count_max);
}

/* ---- directories ---- */

/* What is left of `path` below `dir`, both as they were written: *rest is the caller's. False: not
 * below, or no memory. */
static bool is_below(const char *dir, const char *path, char **rest)
{
    char *above = path_normal(slice_text(dir)), *name = path_normal(slice_text(path));
    const char *left = above && name ? path_below(above, name) : NULL;

    *rest = left ? path_normal(slice_text(left)) : NULL;
    mem_free(above);
    mem_free(name);
    return *rest != NULL;
}

/* The parent's directory that `wish` is in, and where: the deepest one by the names the parent has
 * for them, else by those of the host. */
static const struct config_dir *find_dir(const struct config *parent, const struct config_dir *wish,
                                         char **rest)
{
    const struct config_dir *best = NULL;
    bool is_home = strcmp(wish->guest_path, "~") == 0;

    *rest = NULL;
    for (size_t i = 0; i < parent->dirs.count; i++) {
        const struct config_dir *d = &parent->dirs.items[i];
        char *left;

        if (is_home && strcmp(d->guest_path, "~") != 0)
            continue;
        if (!is_below(d->guest_path, wish->guest_path, &left))
            continue;
        if (best && strlen(left) >= strlen(*rest)) {
            mem_free(left);
            continue;
        }
        mem_free(*rest);
        *rest = left;
        best = d;
    }
    for (size_t i = 0; i < parent->dirs.count && !best; i++) {
        const struct config_dir *d = &parent->dirs.items[i];

        if (d->host_path[0] == '/' && !d->below && is_below(d->host_path, wish->host_path, rest))
            best = d;
    }
    return best;
}

/* The names of `first` (may be NULL) and `last` behind them, unless that is "."; a string of `c`.
 */
static bool append_name(struct config *c, const char *first, const char *last, char **out)
{
    size_t size = first ? config_below_size(first) : 1, extra = strlen(last) + 1;

    if (strcmp(last, ".") == 0)
        extra = 0;
    *out = NULL;
    if (size + extra == 1)
        return true;
    if (!config_take_string(c, size + extra))
        return false;
    *out = mem_try_array(char, size + extra);
    if (!*out) {
        config_give_string(c, size + extra);
        return false;
    }
    if (first)
        memcpy(*out, first, size);
    if (extra)
        memcpy(*out + size - 1, last, extra);
    return true; /* the array was zero */
}

static void drop_dir(struct config *c, size_t index)
{
    struct config_dir *d = &c->dirs.items[index];

    config_give_string(c, strlen(d->host_path));
    config_give_string(c, strlen(d->guest_path));
    if (d->below)
        config_give_string(c, config_below_size(d->below));
    mem_free(d->host_path);
    mem_free(d->guest_path);
    mem_free(d->below);
    c->dirs.count--;
    memmove(d, d + 1, (c->dirs.count - index) * sizeof(*d));
}

static bool grant(struct config *c, struct config_dir *wish, const struct config_dir *d,
                  const char *rest)
{
    size_t size = strlen(d->host_path);
    char *host_path, *below = NULL;

    if (!config_take_string(c, size))
        return false;
    host_path = mem_try_array(char, size + 1);
    if (!host_path || !append_name(c, d->below, rest, &below)) {
        mem_free(host_path);
        config_give_string(c, size);
        return false;
    }
    memcpy(host_path, d->host_path, size);
    config_give_string(c, strlen(wish->host_path));
    mem_free(wish->host_path);
    wish->host_path = host_path;
    wish->below = below;
    wish->is_read_only = wish->is_read_only || d->is_read_only;
    wish->is_granted = true;
    return true;
}

static bool restrict_dirs(struct config *c, const struct config *parent, struct bytes *lost)
{
    for (size_t i = 0; i < c->dirs.count;) {
        struct config_dir *wish = &c->dirs.items[i];
        const struct config_dir *d;
        char *rest;
        bool ok;

        if (wish->is_granted || !parent) {
            wish->is_granted = true;
            i++;
            continue;
        }
        d = find_dir(parent, wish, &rest);
        if (!d) {
            note(lost, "directory ", wish->guest_path);
            drop_dir(c, i);
            continue;
        }
        ok = grant(c, wish, d, rest);
        mem_free(rest);
        if (!ok)
            return false;
        i++;
    }
    return true;
}

/* ---- rules and budget ---- */

static bool restrict_rules(struct config *c, struct rules *above, struct error *err)
{
    struct rules *r = NULL;

    if (!c->own_rules) {
        r = rules_ref(above);
    } else {
        if (above && above->depth >= RULES_DEPTH_MAX)
            return fail(err, ERR_LIMIT, "rules in more than %u layers", RULES_DEPTH_MAX);
        r = rules_copy(c->own_rules, above);
        if (!r)
            return fail(err, ERR_NO_MEMORY, "no memory for rules");
    }
    rules_unref(c->rules);
    c->rules = r;
    return true;
}

static bool restrict_budget(struct config *c, struct budget *above, uint64_t above_max)
{
    struct budget *b;

    /* One of its own stays, as long as the number does. */
    if (c->budget && c->budget != above && c->budget->above == above &&
        c->budget->count_max == c->process_count_max)
        return true;
    b = c->process_count_max < above_max ? budget_new(above, c->process_count_max)
                                         : budget_ref(above);
    if (c->process_count_max < above_max && !b)
        return false;
    budget_unref(c->budget);
    c->budget = b;
    return true;
}

bool config_restrict(struct config *c, const struct config *parent, struct bytes *lost,
                     struct error *err)
{
    if (parent)
        restrict_numbers(c, parent, lost);
    if (!restrict_dirs(c, parent, lost))
        return fail(err, ERR_NO_MEMORY, "no memory for directories");
    if (!restrict_rules(c, parent ? parent->rules : NULL, err))
        return false;
    if (!restrict_budget(c, parent ? parent->budget : NULL,
                         parent ? parent->process_count_max : CONFIG_UNLIMITED))
        return fail(err, ERR_NO_MEMORY, "no memory for a limit of processes");
    c->within = parent ? parent : c;
    return true;
}
