/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "world.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>

static void on_exit_main(struct environment *e, const struct environment_exit *how, void *arg)
{
    struct world *w = arg;

    (void)e;
    w->exit = *how;
    snprintf(w->exit_words, sizeof(w->exit_words), "%s", how->words);
    w->exits++;
    if (w->stop_at_exit)
        scheduler_stop(w->scheduler);
}

static bool open_with(struct world *w, const struct scheduler_options *options)
{
    struct environment_options environment = {
        .id = 1, .process_count_max = 1 << 20, .on_exit = on_exit_main, .on_exit_arg = w};
    struct actors_options actors = {0};
    struct error err = {0};

    log_set_level(LOG_OFF);
    *w = (struct world){0};
    if (!EXPECT(scheduler_new(options, &w->scheduler, &err)))
        return false;
    actors.scheduler = w->scheduler;
    actors.message_count_max = 1 << 22;
    if (!EXPECT(actors_init(&w->actors, &actors, &err)))
        return false;
    w->environment = environment_new(&w->actors, &environment, &err);
    w->config = config_new();
    return EXPECT(w->environment && w->config);
}

bool world_open(struct world *w, uint64_t seed)
{
    struct scheduler_options options = {.deterministic = true,
                                        .virtual_clock = true,
                                        .stop_when_stuck = true,
                                        .seed = seed,
                                        .virtual_start_ns = 1000 * MS,
                                        .virtual_slice_ns = 1000};

    return open_with(w, &options);
}

bool world_open_parallel(struct world *w, uint32_t worker_count)
{
    struct scheduler_options options = {.worker_count = worker_count, .tick = TICK_OFF};

    if (!open_with(w, &options))
        return false;
    w->stop_at_exit = true;
    return true;
}

bool world_run(struct world *w)
{
    struct error err = {0};

    return EXPECT(scheduler_run(w->scheduler, &err));
}

bool world_pair(struct world *w, uint64_t seed, role_fn *main_role, role_fn *second)
{
    if (!world_open(w, seed))
        return false;
    world_spawn(w, main_role, 0, 0);
    world_spawn(w, second, PROCESS_MAIN, 0);
    return world_run(w);
}

bool world_close(struct world *w)
{
    bool ok;

    environment_free(w->environment);
    ok = EXPECT(pool_live(&w->actors.messages) == 0);
    ok = EXPECT(pool_live(&w->actors.bonds) == 0) && ok;
    ok = EXPECT(atomic_load(&w->spawned) == atomic_load(&w->released)) && ok;
    ok = EXPECT(atomic_load(&w->config->resource.references) == 1) && ok;
    config_unref(w->config);
    actors_deinit(&w->actors);
    scheduler_free(w->scheduler);
    return ok;
}

struct actor *actor_of(struct process *p)
{
    return p->body;
}

static enum task_result run(struct process *p, struct worker *w)
{
    (void)w;
    return actor_of(p)->role(p, actor_of(p));
}

static void release(struct process *p, struct worker *w)
{
    (void)w;
    atomic_fetch_add(&actor_of(p)->world->released, 1);
    mem_free(p->body);
    p->body = NULL;
}

static const struct process_class actor_class = {.run = run, .release = release};

static uint64_t spawn(struct world *w, struct process *parent, role_fn *role, uint64_t other,
                      int64_t tag, bool is_linked, int64_t link_tag)
{
    struct spawn_options options = {.class_ = &actor_class,
                                    .config = w->config,
                                    .parent = parent,
                                    .is_linked = is_linked,
                                    .link_tag = link_tag};
    struct actor *actor;
    struct process *p = process_prepare(w->environment, &options, NULL);

    if (!p)
        return 0;
    actor = mem_new(struct actor);
    actor->world = w;
    actor->role = role;
    actor->pid = process_id(p);
    actor->other = other;
    actor->tag = tag;
    actor->random = process_id(p) * 77;
    p->body = actor;
    atomic_fetch_add(&w->spawned, 1);
    return process_start(p, &options);
}

uint64_t world_spawn(struct world *w, role_fn *role, uint64_t other, int64_t tag)
{
    return spawn(w, NULL, role, other, tag, false, 0);
}

uint64_t actor_spawn(struct process *parent, role_fn *role, uint64_t other, int64_t tag,
                     bool is_linked, int64_t link_tag)
{
    return spawn(actor_of(parent)->world, parent, role, other, tag, is_linked, link_tag);
}

void note(struct world *w, int64_t event)
{
    if (EXPECT(w->event_count < EVENTS_MAX))
        w->events[w->event_count++] = event;
}

bool noted(const struct world *w, const int64_t *events, size_t count)
{
    bool same = w->event_count == count && memcmp(w->events, events, count * sizeof(*events)) == 0;

    if (!same) {
        for (size_t i = 0; i < w->event_count; i++)
            fprintf(stderr, "  noted %lld\n", (long long)w->events[i]);
    }
    return same;
}

enum got actor_receive(struct process *p, const int64_t *tags, size_t tag_count,
                       uint64_t timeout_ns, struct message **out)
{
    struct actors *a = p->environment->actors;

    *out = NULL;
    if (!process_handle_signals(p))
        return GOT_NOTHING;
    *out = mailbox_take(&p->mailbox, tags, tag_count, 0);
    if (*out) {
        wait_end(p);
        return GOT_MESSAGE;
    }
    if (p->wait.kind == WAIT_NONE) {
        wait_message(p, tags, tag_count, deadline_after(actors_now_ns(a), timeout_ns), 0);
    } else if (wait_expired(p)) {
        wait_end(p);
        return GOT_TIMEOUT;
    }
    return GOT_NOTHING;
}

void actor_send(struct process *p, uint64_t to, int64_t tag, const void *data, size_t size)
{
    struct message *m = message_new_data(p->environment->actors, tag, data, size);

    if (EXPECT(m != NULL))
        process_send(p->environment, to, m);
}

bool actor_slept(struct process *p, uint64_t delay_ns)
{
    if (p->wait.kind == WAIT_NONE) {
        wait_begin(p, WAIT_TIME, deadline_after(actors_now_ns(p->environment->actors), delay_ns),
                   NULL, NULL);
        return false;
    }
    if (!wait_expired(p))
        return false;
    wait_end(p);
    return true;
}

enum task_result role_idle(struct process *p, struct actor *self)
{
    (void)self;
    if (p->wait.kind == WAIT_NONE)
        wait_begin(p, WAIT_TIME, DEADLINE_NEVER, NULL, NULL);
    return TASK_PARK;
}

enum task_result role_return(struct process *p, struct actor *self)
{
    (void)p;
    (void)self;
    return TASK_DONE;
}

enum task_result role_fail(struct process *p, struct actor *self)
{
    (void)self;
    process_set_exit(p, EXIT_FAILURE, 3);
    return TASK_DONE;
}

enum task_result role_fail_later(struct process *p, struct actor *self)
{
    return actor_slept(p, 10 * MS) ? role_fail(p, self) : TASK_PARK;
}

enum task_result role_end_later(struct process *p, struct actor *self)
{
    return actor_slept(p, 10 * MS) ? role_return(p, self) : TASK_PARK;
}
