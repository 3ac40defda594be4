/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Programs that run. */
#include "base/mem.h"
#include "plat/clock.h"
#include "plat/file.h"
#include "plat/file_path.h"
#include "runtime/internal.h"
#include <stdio.h>
#include <string.h>

#define STATUS_FAILED  134
#define STATUS_KILLED  137
#define STATUS_TIMEOUT 124

void lunatic_environment_options_init(struct lunatic_environment_options *o)
{
    *o = (struct lunatic_environment_options){.size = sizeof(*o)};
}

/* ---- how it ends ---- */

/* Under e->lock, as end_stopped. */
static void end(struct lunatic_environment *e, enum lunatic_exit_kind kind, int status,
                const char *words)
{
    if (e->has_ended)
        return;
    e->has_ended = true;
    e->how.kind = kind;
    e->how.status = status;
    if (words)
        snprintf(e->how.text, sizeof(e->how.text), "%s", words);
    condition_broadcast(&e->changed);
}

static void end_stopped(struct lunatic_environment *e)
{
    if (e->stop_kind == LUNATIC_EXIT_TIMEOUT)
        end(e, LUNATIC_EXIT_TIMEOUT, STATUS_TIMEOUT, "the time is over");
    else if (e->stop_kind == LUNATIC_EXIT_OUTPUT)
        end(e, LUNATIC_EXIT_OUTPUT, 1, NULL); /* the text is there */
    else
        end(e, LUNATIC_EXIT_STOPPED, STATUS_KILLED, "stopped");
}

/* proc: the main process has ended. On the worker that ran it. */
static void on_exit_of_main(struct environment *env, const struct environment_exit *how, void *arg)
{
    struct lunatic_environment *e = arg;

    (void)env;
    mutex_lock(&e->lock);
    /* What it has written is lost, also if it has not noticed and ended before the kill came. */
    if (e->was_stopped && (how->reason == EXIT_KILLED || e->stop_kind == LUNATIC_EXIT_OUTPUT)) {
        end_stopped(e);
    } else {
        switch (how->reason) {
        case EXIT_NORMAL:
            end(e, LUNATIC_EXIT_NORMAL, 0, NULL);
            break;
        case EXIT_FAILURE:
        case EXIT_STILLBORN:
            if (e->how.text[0] != '\0') /* runtime_main_failed was told why */
                end(e, LUNATIC_EXIT_FAILED, STATUS_FAILED, NULL);
            else
                end(e, LUNATIC_EXIT_NORMAL, how->status, NULL); /* proc_exit */
            break;
        case EXIT_KILLED:
            end(e, LUNATIC_EXIT_KILLED, STATUS_KILLED, "the main process was killed");
            break;
        case EXIT_LINK_DIED:
            end(e, LUNATIC_EXIT_KILLED, STATUS_KILLED,
                "a process that the main process is linked to failed");
            break;
        case EXIT_LIMIT:
            end(e, LUNATIC_EXIT_KILLED, STATUS_KILLED, how->words);
            break;
        }
    }
    mutex_unlock(&e->lock);
}

void runtime_main_failed(struct environment *env, const char *words)
{
    struct lunatic_environment *e = env->owner;

    mutex_lock(&e->lock);
    if (!e->was_stopped)
        snprintf(e->how.text, sizeof(e->how.text), "%s", words);
    mutex_unlock(&e->lock);
}

void runtime_environment_stuck(struct lunatic_environment *e, const char *words)
{
    mutex_lock(&e->lock);
    if (e->was_stopped)
        end_stopped(e);
    end(e, LUNATIC_EXIT_STUCK, 1, words);
    mutex_unlock(&e->lock);
}

static void stop(struct lunatic_environment *e, enum lunatic_exit_kind kind, const char *words)
{
    mutex_lock(&e->lock);
    if (!e->was_stopped && !e->has_ended) {
        e->was_stopped = true;
        e->stop_kind = kind;
        if (words)
            snprintf(e->how.text, sizeof(e->how.text), "%s", words);
    }
    mutex_unlock(&e->lock);
    environment_end(e->environment);
}

void runtime_environment_output(struct lunatic_environment *e, const char *words)
{
    stop(e, LUNATIC_EXIT_OUTPUT, words);
}

void runtime_environment_timeout(struct lunatic_environment *e)
{
    stop(e, LUNATIC_EXIT_TIMEOUT, NULL);
}

void lunatic_environment_stop(struct lunatic_environment *e)
{
    stop(e, LUNATIC_EXIT_STOPPED, NULL);
}

/* ---- its beginning ---- */

/* Directories are opened when they are first used; whoever starts a program learns now that one
 * cannot be. */
static bool check_dirs(const struct lunatic_environment_options *o, struct error *err)
{
    for (size_t i = 0; i < o->dir_count; i++) {
        enum file_error e;
        int fd = -1;

        e = file_root_open(o->dirs[i].host_path, &fd);
        if (e)
            return fail(err, e == FERR_NOENT ? ERR_NOT_FOUND : ERR_OS, "directory %s: %s",
                        o->dirs[i].host_path, file_error_words(e));
        file_close(fd);
    }
    return true;
}

static void write_output(void *context, uint64_t process_id, enum output_stream stream,
                         const void *data, size_t size)
{
    struct lunatic_environment *e = context;

    e->output(e->output_context, process_id, (enum lunatic_output)stream, data, size);
}

static void environment_discard(struct lunatic_environment *e)
{
    environment_free(e->environment);
    condition_deinit(&e->changed);
    mutex_deinit(&e->look_lock);
    mutex_deinit(&e->lock);
    mem_free(e);
}

/* False if the runtime does not run any more. */
static bool list_add(struct lunatic_environment *e, struct error *err)
{
    struct lunatic_runtime *rt = e->runtime;
    bool ok;

    mutex_lock(&rt->lock);
    ok = !rt->has_ended;
    if (ok)
        list_push_back(&rt->environments, &e->link);
    mutex_unlock(&rt->lock);
    return ok || fail(err, ERR_USAGE, "the runtime has stopped");
}

static void list_take(struct lunatic_environment *e)
{
    mutex_lock(&e->runtime->lock);
    list_remove(&e->link);
    e->runtime->spawned_before += environment_spawn_count(e->environment);
    mutex_unlock(&e->runtime->lock);
}

static bool options_read(const struct lunatic_environment_options *from,
                         struct lunatic_environment_options *to, struct error *err)
{
    lunatic_environment_options_init(to);
    if (!from)
        return true;
    if (from->size == 0 || from->size > sizeof(*to))
        return fail(err, ERR_USAGE,
                    "the options were not made by lunatic_environment_options_init");
    memcpy(to, from, from->size);
    return true;
}

bool lunatic_environment_start(struct lunatic_runtime *rt, struct lunatic_module *m,
                               const struct lunatic_environment_options *options,
                               struct lunatic_environment **out, struct lunatic_error *err)
{
    struct lunatic_environment_options o;
    struct environment_options eo = {.id = 1, .on_exit = on_exit_of_main};
    struct lunatic_environment *e;
    struct error words = {0};
    struct config *c;
    uint64_t id;
    bool ok;

    if (!options_read(options, &o, &words) || !check_dirs(&o, &words) ||
        !(c = runtime_main_config(&o, &words)))
        return runtime_fail(err, &words);
    e = mem_new(struct lunatic_environment);
    e->runtime = rt;
    mutex_init(&e->lock);
    mutex_init(&e->look_lock);
    condition_init(&e->changed);
    eo.process_count_max = rt->host.process_count_max;
    eo.on_exit_arg = e;
    e->environment = environment_new(&rt->actors, &eo, &words);
    if (!e->environment) {
        config_unref(c);
        condition_deinit(&e->changed);
        mutex_deinit(&e->look_lock);
        mutex_deinit(&e->lock);
        mem_free(e);
        return runtime_fail(err, &words);
    }
    e->environment->owner = e;
    if (o.output) {
        e->output = o.output;
        e->output_context = o.output_context;
        e->environment->output =
            (struct output){.write = write_output, .context = e, .is_copied = o.output_is_copied};
    }
    ok = list_add(e, &words);
    if (ok && !host_spawn(&rt->host, e->environment, m->module, c,
                          slice_text(o.entry ? o.entry : "_start"), &id, &words)) {
        runtime_environment_unpinned(e);
        list_take(e);
        ok = false;
    }
    config_unref(c);
    if (!ok) {
        environment_discard(e);
        return runtime_fail(err, &words);
    }
    if ((o.timeout_ms && !deadline_set(e, o.timeout_ms, &words)) ||
        !runtime_start_thread(rt, &words)) {
        runtime_environment_unpinned(e);
        list_take(e);
        environment_discard(e);
        return runtime_fail(err, &words);
    }
    *out = e;
    return true;
}

bool lunatic_environment_wait(struct lunatic_environment *e, uint64_t timeout_ms,
                              struct lunatic_exit *how)
{
    uint64_t deadline = DEADLINE_NEVER, delay;
    bool ended;

    if (!__builtin_mul_overflow(timeout_ms, NS_PER_MS, &delay))
        deadline = deadline_after(clock_monotonic_ns(), delay);
    mutex_lock(&e->lock);
    while (!e->has_ended) {
        uint64_t now;

        if (deadline == DEADLINE_NEVER) {
            condition_wait(&e->changed, &e->lock);
            continue;
        }
        now = clock_monotonic_ns();
        if (now >= deadline)
            break;
        condition_wait_for(&e->changed, &e->lock, deadline - now);
    }
    ended = e->has_ended;
    if (ended && how)
        *how = e->how;
    mutex_unlock(&e->lock);
    return ended;
}

#define DRAIN_LOOK_NS (100 * NS_PER_MS) /* how often it is asked whether anything runs */

/* Waits until no process and no timer of the environment is left, or nothing runs any more. */
static void drain(struct lunatic_environment *e)
{
    struct lunatic_runtime *rt = e->runtime;
    bool is_over;

    do {
        mutex_lock(&rt->lock);
        is_over = rt->has_ended || !rt->is_running;
        mutex_unlock(&rt->lock);
    } while (!is_over && !environment_wait_empty(e->environment, DRAIN_LOOK_NS));
}

void lunatic_environment_free(struct lunatic_environment *e)
{
    if (!e)
        return;
    lunatic_environment_stop(e);
    lunatic_environment_wait(e, UINT64_MAX, NULL);
    drain(e);
    runtime_environment_unpinned(e);
    list_take(e);
    environment_discard(e);
}

bool lunatic_runtime_run(struct lunatic_runtime *rt, struct lunatic_module *m,
                         const struct lunatic_environment_options *options,
                         struct lunatic_exit *how, struct lunatic_error *err)
{
    struct lunatic_environment *e = NULL;

    if (!lunatic_environment_start(rt, m, options, &e, err))
        return false;
    ASSERT(e);
    lunatic_environment_wait(e, UINT64_MAX, how);
    lunatic_environment_free(e);
    return true;
}
