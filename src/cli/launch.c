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

void launch_init(struct launch *l)
{
    *l = (struct launch){0};
    policy_init(&l->policy);
    lunatic_runtime_options_init(&l->runtime);
    lunatic_environment_options_init(&l->environment);
    l->runtime.raise_descriptors = true;
    l->runtime.dns_servers = getenv("LUNATIC_DNS_SERVERS");
}

void launch_deinit(struct launch *l)
{
    policy_deinit(&l->policy);
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

    if (id < POLICY_END)
        return policy_take(&l->policy, &l->environment, id, value, err);
    switch (id) {
    case LAUNCH_WORKERS:
        if (!launch_number("workers", value, WORKERS_MAX, &n, err))
            return false;
        if (n == 0)
            return fail(err, ERR_USAGE, "option '--workers' wants at least 1");
        l->runtime.workers = (unsigned)n;
        return true;
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
    if (!policy_finish(&l->policy, &l->environment, err))
        return false;
    for (i = 0; i < l->environment.dir_count; i++) {
        const char *path = l->environment.dirs[i].host_path;
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return fail_os(err, errno, "--dir %s", path);
        close(fd);
    }
    return true;
}
