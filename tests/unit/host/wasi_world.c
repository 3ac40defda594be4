/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wasi_world.h"
#include "proc/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct wasi_world *world_of(struct process *p)
{
    return p->body;
}

static enum task_result run(struct process *p, struct worker *worker)
{
    struct wasi_world *w = world_of(p);

    (void)worker;
    if (!process_handle_signals(p))
        return TASK_DONE;
    w->guest.process = p;
    w->runs++;
    return w->body(&w->guest, w);
}

static void release(struct process *p, struct worker *worker)
{
    (void)worker;
    wasi_free(world_of(p)->guest.wasi);
    world_of(p)->guest.wasi = NULL;
}

static const struct process_class body_class = {.run = run, .release = release};

static void on_exit_stop(struct environment *e, const struct environment_exit *how, void *arg)
{
    struct wasi_world *w = arg;

    (void)e;
    w->exit = *how;
    scheduler_stop(w->scheduler);
}

bool wasi_world_open(struct wasi_world *w)
{
    *w = (struct wasi_world){0};
    snprintf(w->dir, sizeof(w->dir), "/tmp/wasi-test-XXXXXX");
    return mkdtemp(w->dir) != NULL;
}

void wasi_world_close(struct wasi_world *w)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
    EXPECT(system(command) == 0);
}

const char *wasi_outside_path(const struct wasi_world *w, const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    return path;
}

static void kill_later(void *arg)
{
    struct wasi_world *w = arg;

    usleep(w->kill_after_ms * 1000);
    environment_end(w->environment);
}

bool wasi_run(struct wasi_world *w, bool deterministic, wasi_body *body)
{
    struct scheduler_options options = {.worker_count = 2,
                                        .deterministic = deterministic,
                                        .virtual_clock = deterministic,
                                        .seed = 7};
    struct environment_options env = {.on_exit = on_exit_stop, .on_exit_arg = w};
    struct config *c = config_new();
    struct spawn_options spawn = {.class_ = &body_class, .body = w, .config = c};
    struct thread killer;
    struct error err;
    uint64_t id;
    bool ok = false;

    w->body = body;
    w->step = w->runs = 0;
    w->memory = mem_alloc(1, WASI_MEMORY);
    w->instance = mem_new(struct instance);
    w->instance->memory_base = w->memory;
    w->instance->memory_length = WASI_MEMORY;
    if (!config_add_dir(c, slice_text(w->below ? wasi_outside_path(w, w->below) : w->dir),
                        slice_text("/sandbox"), false) ||
        (w->extra && !config_add_dir(c, slice_text(w->extra), slice_text("/extra"), false)) ||
        !config_add_arg(c, slice_text("prog")) || !config_add_arg(c, slice_text("two words")) ||
        !config_add_variable(c, slice_text("KEY"), slice_text("a=b")) ||
        !config_add_variable(c, slice_text("KEY"), slice_text("")))
        return EXPECT(false);
    if (!EXPECT(scheduler_new(&options, &w->scheduler, &err)))
        return false;
    w->host = (struct host){.scheduler = w->scheduler, .wasi = wasi_shared_new(w->scheduler)};
    w->guest = (struct guest){.instance = w->instance, .host = &w->host};
    if (EXPECT(
            actors_init(&w->actors, &(struct actors_options){.scheduler = w->scheduler}, &err)) &&
        EXPECT((w->environment = environment_new(&w->actors, &env, &err)) != NULL) &&
        EXPECT(process_spawn(w->environment, &spawn, &id, &err) != NULL)) {
        if (w->kill_after_ms)
            EXPECT(thread_create(&killer, "killer", kill_later, w, &err));
        ok = EXPECT(scheduler_run(w->scheduler, &err));
        if (w->kill_after_ms)
            thread_join(&killer);
    }
    environment_free(w->environment);
    actors_deinit(&w->actors);
    wasi_shared_free(w->host.wasi);
    scheduler_free(w->scheduler);
    config_unref(c);
    mem_free(w->instance);
    mem_free(w->memory);
    return ok;
}

uint32_t put(struct guest *g, uint32_t at, const char *text)
{
    memcpy(g->instance->memory_base + at, text, strlen(text));
    return (uint32_t)strlen(text);
}

int errno_of(struct outcome o)
{
    return EXPECT(o.kind == OUTCOME_DONE) ? (int)o.value : -1;
}
