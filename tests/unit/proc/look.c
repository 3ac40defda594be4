/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Looking at processes while they run. */
#include "proc/look.h"
#include "base/mem.h"
#include "plat/random.h"
#include "world.h"

/* What the body of an actor tells. */
struct row {
    uint8_t wait_kind;
    bool at_rest;
    bool is_filled;
    uint64_t id;
};

static void look_at_actor(const struct process *p, bool at_rest, void *out)
{
    struct row *row = out;

    row->wait_kind = p->wait.kind;
    row->at_rest = at_rest;
    row->is_filled = true;
    row->id = process_id(p);
}

static enum task_result keeps_running(struct process *p, struct actor *self)
{
    (void)p;
    self->count++;
    return TASK_USED_UP;
}

/* Tells the looking thread that all is set up, and ends when that thread says so. */
struct scene {
    struct world world;
    _Atomic int ready; /* roles that have parked or run */
    _Atomic uint64_t sleeper, receiver, runner, main;
    struct thread thread;
    int64_t results[8];
};

static struct scene *scene_of(struct process *p)
{
    return p->environment->owner;
}

static enum task_result sleeper(struct process *p, struct actor *self)
{
    if (self->step++ == 0)
        atomic_fetch_add(&scene_of(p)->ready, 1);
    return actor_slept(p, 3600 * NS_PER_SEC) ? TASK_DONE : TASK_PARK;
}

static enum task_result receiver(struct process *p, struct actor *self)
{
    const int64_t tags[] = {77};
    struct message *m;

    if (self->step++ == 0)
        atomic_fetch_add(&scene_of(p)->ready, 1);
    if (actor_receive(p, tags, 1, UINT64_MAX, &m) == GOT_NOTHING)
        return TASK_PARK;
    message_free(p->environment->actors, m);
    return TASK_DONE;
}

static enum task_result runner(struct process *p, struct actor *self)
{
    if (self->step++ == 0)
        atomic_fetch_add(&scene_of(p)->ready, 1);
    return keeps_running(p, self);
}

static enum task_result main_of_scene(struct process *p, struct actor *self)
{
    struct scene *s = scene_of(p);
    struct message *m;

    if (self->step++ == 0) {
        atomic_store(&s->main, process_id(p));
        atomic_store(&s->sleeper, actor_spawn(p, sleeper, 0, 0, true, 0));
        atomic_store(&s->receiver, actor_spawn(p, receiver, 0, 0, false, 0));
        atomic_store(&s->runner, actor_spawn(p, runner, 0, 0, false, 0));
        for (int i = 0; i < 3; i++)
            actor_send(p, atomic_load(&s->receiver), 5, "x", 1);
    }
    if (actor_receive(p, NULL, 0, UINT64_MAX, &m) == GOT_NOTHING)
        return TASK_PARK;
    message_free(p->environment->actors, m);
    return TASK_DONE;
}

static void send_stop(struct world *w, uint64_t id)
{
    struct message *m = message_new_data(&w->actors, 0, NULL, 0);

    if (EXPECT(m))
        process_send(w->environment, id, m);
}

static void look_at_scene(void *arg)
{
    struct scene *s = arg;
    struct row *rows = mem_new_array(struct row, LOOK_BATCH);
    struct look *l = mem_new(struct look);
    bool receiver_is_seen = false;
    unsigned seen;

    while (atomic_load(&s->ready) < 3)
        thread_yield();
    /* The receiver's messages are sorted when it is woken for them next; those not wanted wait. */
    while (!receiver_is_seen) {
        seen = 0;
        look_begin(l, s->world.environment, look_at_actor, rows, sizeof(*rows), 10 * NS_PER_SEC);
        while (look_next(l)) {
            for (size_t i = 0; i < l->count; i++) {
                const struct process_view *v = &l->views[i];

                EXPECT(l->has_body[i] && rows[i].is_filled && rows[i].id == v->id);
                if (v->id == atomic_load(&s->sleeper) && rows[i].wait_kind == WAIT_TIME) {
                    EXPECT(v->link_count == 1 && v->activity != PROCESS_RUNNING);
                    seen |= 1;
                } else if (v->id == atomic_load(&s->receiver)) {
                    receiver_is_seen =
                        v->activity == PROCESS_WAITING && rows[i].wait_kind == WAIT_MESSAGE;
                    seen |= 2;
                } else if (v->id == atomic_load(&s->runner)) {
                    EXPECT(v->activity != PROCESS_WAITING && rows[i].at_rest);
                    seen |= 4;
                } else if (v->id == atomic_load(&s->main)) {
                    seen |= 8;
                }
            }
        }
        look_end(l);
    }
    EXPECT((seen & 14) == 14);
    look_begin(l, s->world.environment, look_at_actor, rows, sizeof(*rows), 10 * NS_PER_SEC);
    EXPECT(look_one(l, atomic_load(&s->sleeper)) && l->views[0].id == atomic_load(&s->sleeper));
    EXPECT(!look_one(l, atomic_load(&s->sleeper) + (1ull << 32)));
    EXPECT(!look_one(l, 1u << 20));
    look_end(l);
    mem_free(l);
    mem_free(rows);
    send_stop(&s->world, atomic_load(&s->main));
}

TEST(a_look_tells_what_processes_wait_for_and_asks_those_that_run)
{
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct scene s = {0};
        struct error err;

        CHECK(world_open_parallel(&s.world, workers));
        s.world.environment->owner = &s;
        world_spawn(&s.world, main_of_scene, 0, 0);
        CHECK(thread_create(&s.thread, "look", look_at_scene, &s, &err));
        CHECK(world_run(&s.world));
        thread_join(&s.thread);
        CHECK(world_close(&s.world));
    }
}

/* ---- a crowd that comes and goes under the eyes of a thread ---- */

struct crowd {
    struct world world;
    _Atomic bool is_over;
    _Atomic uint64_t looks;
    struct thread thread;
};

static enum task_result restless(struct process *p, struct actor *self)
{
    struct prng random = {self->random ? self->random : process_id(p) * 77};
    struct message *m;
    enum task_result result = TASK_YIELD;

    switch (actor_receive(p, NULL, 0, prng_below(&random, MS), &m)) {
    case GOT_NOTHING:
        return p->is_dying ? TASK_DONE : TASK_PARK;
    case GOT_MESSAGE:
        message_free(p->environment->actors, m);
        break;
    case GOT_TIMEOUT:
        break;
    }
    actor_send(p, self->other, 0, &self, sizeof(self));
    if (prng_below(&random, 8) == 0) {
        actor_spawn(p, restless, process_id(p), 0, prng_below(&random, 2), 0);
        result = TASK_DONE;
    } else if (prng_below(&random, 4) == 0) {
        result = TASK_USED_UP;
    }
    self->random = prng_next(&random);
    return result;
}

static enum task_result main_of_crowd(struct process *p, struct actor *self)
{
    struct crowd *c = p->environment->owner;

    if (self->step++ == 0) {
        for (int i = 0; i < 400; i++)
            actor_spawn(p, restless, process_id(p), 0, false, 0);
    }
    if (!process_handle_signals(p))
        return TASK_DONE;
    if (p->wait.kind != WAIT_NONE && actor_slept(p, MS) && atomic_load(&c->looks) >= 200) {
        atomic_store(&c->is_over, true);
        return TASK_DONE;
    }
    if (p->wait.kind == WAIT_NONE)
        actor_slept(p, MS);
    return TASK_PARK;
}

static void look_at_crowd(void *arg)
{
    struct crowd *c = arg;
    struct row *rows = mem_new_array(struct row, LOOK_BATCH);
    struct look *l = mem_new(struct look);

    while (!atomic_load(&c->is_over)) {
        look_begin(l, c->world.environment, look_at_actor, rows, sizeof(*rows), MS / 10);
        while (look_next(l)) {
            for (size_t i = 0; i < l->count; i++)
                EXPECT(!l->has_body[i] || rows[i].id == l->views[i].id);
        }
        look_end(l);
        atomic_fetch_add(&c->looks, 1);
    }
    mem_free(l);
    mem_free(rows);
}

TEST(looks_beside_a_crowd_lose_no_wake_and_leave_nothing)
{
    struct crowd c = {0};
    struct error err;

    CHECK(world_open_parallel(&c.world, 3));
    c.world.environment->owner = &c;
    world_spawn(&c.world, main_of_crowd, 0, 0);
    CHECK(thread_create(&c.thread, "look", look_at_crowd, &c, &err));
    CHECK(world_run(&c.world));
    atomic_store(&c.is_over, true);
    thread_join(&c.thread);
    CHECK(world_close(&c.world));
}
