/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "cli/launch.h"
#include "base/assert.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/log_options.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 1024

static void add_dir(struct launch *l, const char *path)
{
    const char *home = getenv("HOME");

    l->dirs[l->dir_count].guest_path = path;
    l->dirs[l->dir_count].host_path = strcmp(path, "~") == 0 && home ? home : path;
    l->dir_count++;
}

/* Adds "NAME=value" to the variables, or replaces the one of that name. */
static void set_variable(struct launch *l, const char *text)
{
    size_t name = strcspn(text, "=") + 1, i;

    for (i = 0; i < l->variable_count; i++) {
        if (strncmp(l->variables[i], text, name) == 0) {
            l->variables[i] = text;
            return;
        }
    }
    l->variables[l->variable_count++] = text;
}

void launch_init(struct launch *l, int word_count)
{
    extern char **environ;
    size_t room = (size_t)word_count + 2, inherited = 0, i;

    *l = (struct launch){0};
    while (environ[inherited])
        inherited++;
    l->dirs = mem_new_array(struct lunatic_dir, room);
    l->variables = mem_new_array(const char *, room + inherited);
    for (i = 0; i < inherited; i++)
        l->variables[l->variable_count++] = environ[i];
    lunatic_runtime_options_init(&l->runtime);
    lunatic_environment_options_init(&l->environment);
    l->runtime.raise_descriptors = true;
    add_dir(l, ".");
}

void launch_deinit(struct launch *l)
{
    mem_free(l->variables);
    mem_free(l->dirs);
}

bool launch_number(const char *name, const char *text, uint64_t max, uint64_t *out,
                   struct error *err)
{
    if (!args_number(text, max, out))
        return fail(err, ERR_USAGE, "option '--%s' wants a number of at most %llu, not '%s'", name,
                    (unsigned long long)max, text);
    return true;
}

bool launch_take(struct launch *l, int id, const char *value, struct error *err)
{
    uint64_t n = 0;

    switch (id) {
    case LAUNCH_DIR:
        add_dir(l, value);
        return true;
    case LAUNCH_NO_CURRENT_DIR:
        l->no_current_dir = true;
        return true;
    case LAUNCH_ENV:
        if (value[0] == '=' || !strchr(value, '='))
            return fail(err, ERR_USAGE, "option '--env' wants NAME=VALUE, not '%s'", value);
        set_variable(l, value);
        return true;
    case LAUNCH_WORKERS:
        if (!launch_number("workers", value, WORKERS_MAX, &n, err))
            return false;
        if (n == 0)
            return fail(err, ERR_USAGE, "option '--workers' wants at least 1");
        l->runtime.workers = (unsigned)n;
        return true;
    case LAUNCH_MEMORY:
        return launch_number("max-memory", value, UINT64_MAX, &l->environment.memory_max, err);
    case LAUNCH_FUEL:
        return launch_number("max-fuel", value, UINT64_MAX, &l->environment.fuel_max, err);
    case LAUNCH_LOG:
        l->runtime.log_level = LUNATIC_LOG_WARN;
        l->has_log_level = true;
        return log_level_parse(value, &l->runtime.log_level, err);
    case LAUNCH_LOG_FORMAT:
        return log_format_parse(value, &l->runtime.log_json, err);
    case LAUNCH_METERED:
        l->runtime.metered = true;
        return true;
    case LAUNCH_MOVE:
        l->runtime.move_stacks = true;
        return true;
    default:
        ASSERT(id == LAUNCH_OLD_KERNEL);
        l->runtime.old_kernel = true;
        return true;
    }
}

bool launch_finish(struct launch *l, struct error *err)
{
    size_t i;

    if (!l->has_log_level && !log_level_from_environment(&l->runtime.log_level, err))
        return false;
    if (l->no_current_dir)
        memmove(l->dirs, l->dirs + 1, --l->dir_count * sizeof(l->dirs[0]));
    for (i = 0; i < l->dir_count; i++) {
        int fd = open(l->dirs[i].host_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return fail_os(err, errno, "--dir %s", l->dirs[i].host_path);
        close(fd);
    }
    l->environment.dirs = l->dirs;
    l->environment.dir_count = l->dir_count;
    l->environment.variables = l->variables;
    l->environment.variable_count = l->variable_count;
    return true;
}
