/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Processes that do everything at random times, with many seeds and with several workers: whatever
 * happens, nothing is left behind, and nobody waits for a death that has happened. */
#include "base/mem.h"
#include "plat/random.h"
#include "world.h"
#include <stdio.h>
#include <stdlib.h>

#define IDS 64

struct storm {
    _Atomic uint64_t ids[IDS]; /* of some processes, dead or alive */
    _Atomic int64_t budget;    /* spawns that are left */
    uint64_t steps;            /* of each process */
};

static enum task_result stormy(struct process *p, struct actor *self);

static uint64_t some_id(struct storm *s, struct prng *random)
{
    return atomic_load(&s->ids[prng_below(random, IDS)]);
}

static void act(struct process *p, struct storm *s, struct prng *random)
{
    struct environment *e = p->environment;
    struct actors *a = e->actors;
    struct message *m;
    uint64_t id;
    char name[16];

    snprintf(name, sizeof(name), "%d", (int)prng_below(random, 16));
    switch (prng_below(random, 20)) {
    case 0:
    case 1:
    case 2:
        if (atomic_fetch_sub(&s->budget, 1) <= 0)
            break;
        id = actor_spawn(p, stormy, 0, 0, prng_below(random, 2), (int64_t)prng_below(random, 3));
        if (id) {
            atomic_store(&s->ids[prng_below(random, IDS)], id);
            actor_send(p, id, 1, &id, sizeof(id));
        }
        break;
    case 3:
        process_link(p, some_id(s, random), (int64_t)prng_below(random, 5));
        break;
    case 4:
        process_unlink(p, some_id(s, random));
        break;
    case 5:
        process_monitor(p, some_id(s, random));
        break;
    case 6:
        process_demonitor(p, some_id(s, random));
        break;
    case 7:
        process_die_when_link_dies(p, prng_below(random, 4) == 0);
        break;
    case 8:
        if (prng_below(random, 4) == 0)
            process_kill(e, some_id(s, random));
        break;
    case 9:
        m = message_new(a, 2, 0);
        if (m && !send_timer_start(p, some_id(s, random), m, prng_below(random, MS), &id, NULL))
            message_free(a, m);
        break;
    case 10:
        send_timer_cancel(p, prng_below(random, 10));
        break;
    case 11:
        EXPECT(registry_put(&e->registry, slice_text(name), 0, some_id(s, random)));
        break;
    case 12:
        registry_get(&e->registry, slice_text(name), &id, &id);
        break;
    default: {
        uint8_t data[300] = {0};

        actor_send(p, some_id(s, random), (int64_t)prng_below(random, 4), data,
                   prng_below(random, sizeof(data)));
        break;
    }
    }
}

static enum task_result stormy(struct process *p, struct actor *self)
{
    struct storm *s = self->world->actors.scheduler ? self->world->environment->owner : NULL;
    struct prng random = {self->random};
    const int64_t tags[] = {1, 2, 3};
    struct message *m;
    enum task_result result = TASK_YIELD;

    switch (actor_receive(p, tags, prng_below(&random, 2) && p->wait.kind == WAIT_NONE ? 3 : 0,
                          prng_below(&random, MS), &m)) {
    case GOT_NOTHING:
        if (p->is_dying)
            return TASK_DONE;
        result = TASK_PARK;
        break;
    case GOT_MESSAGE:
        message_free(p->environment->actors, m);
        break;
    case GOT_TIMEOUT:
        break;
    }
    if (result != TASK_PARK) {
        act(p, s, &random);
        if (self->count++ > s->steps) {
            if (prng_below(&random, 2))
                process_set_exit(p, EXIT_FAILURE, 1);
            result = TASK_DONE;
        }
    }
    self->random = prng_next(&random);
    return result;
}

static enum task_result main_storm(struct process *p, struct actor *self)
{
    struct storm *s = p->environment->owner;

    if (self->step++ == 0) {
        for (size_t i = 0; i < IDS; i++) {
            uint64_t id = actor_spawn(p, stormy, 0, 0, false, 0);

            atomic_store(&s->ids[i], id);
            if (i % 8 == 0)
                process_link(p, id, 1);
        }
        process_die_when_link_dies(p, false);
        return TASK_YIELD;
    }
    if (!process_handle_signals(p))
        return TASK_DONE;
    /* Ends when the others have. */
    if (p->wait.kind != WAIT_NONE && actor_slept(p, MS) &&
        environment_process_count(p->environment) == 1)
        return TASK_DONE;
    if (p->wait.kind == WAIT_NONE)
        actor_slept(p, MS);
    return TASK_PARK;
}

TEST(a_storm_leaves_nothing_behind)
{
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct storm s = {.budget = 200, .steps = 30};
        struct world w;

        CHECK(world_open(&w, seed));
        w.environment->owner = &s;
        world_spawn(&w, main_storm, 0, 0);
        CHECK(world_run(&w));
        CHECK(w.exits == 1);
        CHECK(environment_process_count(w.environment) == 0);
        CHECK(world_close(&w));
    }
}

/* The same seed gives the same run. */
TEST(a_storm_can_be_replayed)
{
    uint64_t taken[2];

    for (int i = 0; i < 2; i++) {
        struct storm s = {.budget = 300, .steps = 30};
        struct world w;

        CHECK(world_open(&w, 99));
        w.environment->owner = &s;
        world_spawn(&w, main_storm, 0, 0);
        CHECK(world_run(&w));
        taken[i] = pool_taken(&w.actors.messages);
        CHECK(world_close(&w));
    }
    CHECK(taken[0] == taken[1]);
}

TEST(a_storm_on_several_workers_leaves_nothing_behind)
{
    for (uint32_t round = 0; round < 5; round++) {
        struct storm s = {.budget = 3000, .steps = 100};
        struct world w;

        CHECK(world_open_parallel(&w, 2 + round % 3));
        w.environment->owner = &s;
        world_spawn(&w, main_storm, 0, 0);
        CHECK(world_run(&w));
        CHECK(w.exits == 1);
        CHECK(world_close(&w));
    }
}

/* Every monitor hears of the death once, whenever the two happen. */
static enum task_result monitor_race(struct process *p, struct actor *self)
{
    struct message *m;

    switch (self->step) {
    case 0:
        self->other = actor_spawn(p, self->count % 2 ? role_fail : role_return, 0, 0, false, 0);
        process_monitor(p, self->other);
        self->step = 1;
        return TASK_YIELD;
    default:
        if (actor_receive(p, NULL, 0, UINT64_MAX, &m) == GOT_NOTHING)
            return TASK_PARK;
        EXPECT(m->kind == MESSAGE_PROCESS_DIED && m->process_id == self->other);
        message_free(p->environment->actors, m);
        self->step = 0;
        return ++self->count == 2000 ? TASK_DONE : TASK_YIELD;
    }
}

static enum task_result main_monitor_race(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        for (int i = 0; i < 4; i++)
            process_monitor(p, actor_spawn(p, monitor_race, 0, 0, false, 0));
        self->count = 4;
    }
    for (;;) {
        struct message *m;

        if (actor_receive(p, NULL, 0, UINT64_MAX, &m) == GOT_NOTHING)
            return TASK_PARK;
        message_free(p->environment->actors, m);
        if (--self->count == 0)
            return TASK_DONE;
    }
}

TEST(every_monitor_hears_of_the_death_once)
{
    struct world w;

    CHECK(world_open_parallel(&w, 3));
    world_spawn(&w, main_monitor_race, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.exits == 1 && w.exit.reason == EXIT_NORMAL);
    CHECK(world_close(&w));
}

/* Round trips between workers: no wake is lost, whichever way they interleave. */
static enum task_result pong(struct process *p, struct actor *self)
{
    const int64_t wanted[] = {self->tag};

    for (;;) {
        struct message *m;
        uint64_t from;
        size_t done;

        if (actor_receive(p, wanted, 1, UINT64_MAX, &m) == GOT_NOTHING)
            return TASK_PARK;
        EXPECT(message_read(m, &from, sizeof(from), &done) && done == sizeof(from));
        m->position = 0;
        process_send(p->environment, from, m); /* B5: forwarded as it is */
    }
}

static enum task_result ping(struct process *p, struct actor *self)
{
    uint64_t id = process_id(p);

    if (self->step++ == 0) {
        self->tag = 5;
        self->other = actor_spawn(p, pong, 0, 5, true, 0);
        actor_send(p, self->other, 5, &id, sizeof(id));
    }
    for (;;) {
        struct message *m;
        const int64_t wanted[] = {5};

        if (actor_receive(p, wanted, 1, UINT64_MAX, &m) == GOT_NOTHING)
            return TASK_PARK;
        if (++self->count == 20000) {
            message_free(p->environment->actors, m);
            return TASK_DONE;
        }
        actor_send(p, self->other, 9, NULL, 0); /* noise that no one receives */
        if (self->count % 2) {
            message_free(p->environment->actors, m);
            actor_send(p, self->other, 5, &id, sizeof(id));
        } else {
            m->position = 0;
            process_send(p->environment, self->other, m);
        }
    }
}

static enum task_result main_ping(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        for (int i = 0; i < 4; i++)
            process_monitor(p, actor_spawn(p, ping, 0, 0, false, 0));
        self->count = 4;
    }
    return main_monitor_race(p, self);
}

TEST(no_wake_is_lost_between_workers)
{
    struct world w;

    CHECK(world_open_parallel(&w, 4));
    world_spawn(&w, main_ping, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.exits == 1 && w.exit.reason == EXIT_NORMAL);
    CHECK(world_close(&w));
}

/* The warm path of send and receive allocates nothing. */
static enum task_result sends_to_itself(struct process *p, struct actor *self)
{
    size_t before = 0;

    (void)self;
    for (int i = 0; i < 12000; i++) {
        struct message *m;

        if (i == 2000)
            before = mem_allocation_count();
        actor_send(p, process_id(p), 3, &i, sizeof(i));
        EXPECT(actor_receive(p, NULL, 0, 0, &m) == GOT_MESSAGE);
        message_free(p->environment->actors, m);
    }
    EXPECT(mem_allocation_count() == before);
    return TASK_DONE;
}

TEST(send_and_receive_allocate_nothing)
{
    struct world w;

    CHECK(world_open(&w, 1));
    world_spawn(&w, sends_to_itself, 0, 0);
    CHECK(world_run(&w));
    CHECK(world_close(&w));
}
