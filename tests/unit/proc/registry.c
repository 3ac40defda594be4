/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names: section 5.4 and get_or_spawn of the reference, 11 D1 to D6. */
#include "base/mem.h"
#include "world.h"
#include <stdio.h>

#define NAME(text) slice_text(text)

/* 5.4: stores, overwrites, removes; the empty name is a name; other nodes' processes are taken on
 * trust. */
TEST(registry_stores_and_overwrites)
{
    struct world w;
    struct registry *r;
    uint64_t node, id, idle;

    CHECK(world_open(&w, 1));
    r = &w.environment->registry;
    idle = world_spawn(&w, role_idle, 0, 0);
    CHECK(!registry_get(r, NAME("a"), &node, &id));
    CHECK(registry_put(r, NAME("a"), 0, idle) && registry_put(r, NAME(""), 7, 999));
    CHECK(registry_get(r, NAME("a"), &node, &id) && node == 0 && id == idle);
    CHECK(registry_get(r, NAME(""), &node, &id) && node == 7 && id == 999);
    CHECK(registry_put(r, NAME("a"), 7, 5));
    CHECK(registry_get(r, NAME("a"), &node, &id) && node == 7 && id == 5);
    registry_remove(r, NAME("a"));
    registry_remove(r, NAME("a"));
    CHECK(!registry_get(r, NAME("a"), &node, &id));
    CHECK(world_close(&w));
}

/* D1: an entry of a dead process of this node is absent, and does not stay for ever. */
static enum task_result main_names(struct process *p, struct actor *self)
{
    struct registry *r = &p->environment->registry;
    uint64_t node, id;
    char name[32];

    if (p->wait.kind == WAIT_NONE) {
        snprintf(name, sizeof(name), "name %d", self->step);
        id = actor_spawn(p, role_return, 0, 0, false, 0);
        EXPECT(registry_put(r, slice_text(name), 0, id));
        EXPECT(registry_get(r, slice_text(name), &node, &id));
    }
    if (!actor_slept(p, MS))
        return TASK_PARK;
    snprintf(name, sizeof(name), "name %d", self->step);
    EXPECT(!registry_get(r, slice_text(name), &node, &id));
    return ++self->step == 1000 ? TASK_DONE : TASK_YIELD;
}

TEST(names_of_the_dead_are_absent)
{
    struct world w;

    CHECK(world_open(&w, 1));
    world_spawn(&w, main_names, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.environment->registry.count < 200);
    CHECK(world_close(&w));
}

/* 5.3.3: of many that ask at once one spawns, and the others find what it spawned; D2: a claim that
 * is given up (here because its holder is killed) goes to another. */
static void give_up(struct process *p, struct wait *wait)
{
    (void)wait;
    registry_release(&p->environment->registry, NAME("the one"), process_id(p));
}

static enum task_result asks_for_the_one(struct process *p, struct actor *self)
{
    struct registry *r = &p->environment->registry;
    uint64_t node, id, child;

    if (self->step == 1) { /* "instantiating" */
        if (!wait_expired(p))
            return TASK_PARK;
        wait_end(p);
        child = actor_spawn(p, role_idle, 0, 0, false, 0);
        registry_fulfil(r, NAME("the one"), process_id(p), 0, child);
        note(self->world, 1);
        return TASK_DONE;
    }
    switch (registry_claim(r, NAME("the one"), process_id(p), &self->count, &node, &id)) {
    case REGISTRY_FOUND:
        EXPECT(node == 0 && process_exists(p->environment, id));
        wait_end(p);
        note(self->world, 2);
        return TASK_DONE;
    case REGISTRY_CLAIMED:
        wait_end(p);
        self->step = 1;
        wait_begin(p, WAIT_OTHER, actors_now_ns(p->environment->actors) + 10 * MS, give_up, NULL);
        if (self->world->events[EVENTS_MAX - 1]++ < self->tag)
            process_kill(p->environment, process_id(p)); /* while it holds the claim */
        return TASK_PARK;
    case REGISTRY_BUSY:
        if (p->wait.kind == WAIT_NONE)
            wait_begin(p, WAIT_NAME, DEADLINE_NEVER, NULL, NULL);
        return TASK_PARK;
    case REGISTRY_FULL:
        break;
    }
    test_failed(__FILE__, __LINE__, "the registry is full");
    return TASK_DONE;
}

static enum task_result main_sleeps(struct process *p, struct actor *self)
{
    (void)self;
    return actor_slept(p, 1000 * MS) ? TASK_DONE : TASK_PARK;
}

TEST(one_of_many_spawns_under_a_name)
{
    struct world w;

    for (uint64_t seed = 0; seed < 30; seed++) {
        int64_t kills = (int64_t)(seed % 4);
        size_t ones = 0;

        CHECK(world_open(&w, seed));
        world_spawn(&w, main_sleeps, 0, 0);
        for (int i = 0; i < 20; i++)
            world_spawn(&w, asks_for_the_one, 0, kills);
        CHECK(world_run(&w));
        CHECK(w.event_count == 20 - (size_t)kills);
        for (size_t i = 0; i < w.event_count; i++)
            ones += w.events[i] == 1;
        CHECK(ones == 1);
        CHECK(world_close(&w));
    }
}

/* A put on a claimed name counts, and wakes those who wait; the claim's own value is then dropped,
 * as if it had been put just before. */
TEST(a_put_on_a_claimed_name_wins)
{
    struct world w;
    struct registry *r;
    uint64_t node, id, ticket = 0, other_ticket = 0, a, b;

    CHECK(world_open(&w, 1));
    r = &w.environment->registry;
    a = world_spawn(&w, role_idle, 0, 0);
    b = world_spawn(&w, role_idle, 0, 0);
    CHECK(registry_claim(r, NAME("x"), a, &ticket, &node, &id) == REGISTRY_CLAIMED);
    CHECK(registry_claim(r, NAME("x"), b, &other_ticket, &node, &id) == REGISTRY_BUSY);
    CHECK(registry_claim(r, NAME("x"), b, &other_ticket, &node, &id) == REGISTRY_BUSY);
    CHECK(!registry_get(r, NAME("x"), &node, &id));
    CHECK(registry_put(r, NAME("x"), 3, 4));
    CHECK(registry_claim(r, NAME("x"), b, &other_ticket, &node, &id) == REGISTRY_FOUND && id == 4);
    registry_fulfil(r, NAME("x"), a, 0, b);
    CHECK(registry_get(r, NAME("x"), &node, &id) && node == 3 && id == 4);
    CHECK(world_close(&w));
}

/* 8.4: names for the log, shortened; D6: those of this node only. */
TEST(names_of_a_process_for_the_log)
{
    struct world w;
    struct registry *r;
    struct bytes text = {0};
    uint64_t id;

    CHECK(world_open(&w, 1));
    r = &w.environment->registry;
    id = world_spawn(&w, role_idle, 0, 0);
    registry_names(r, id, &text);
    CHECK(text.size == 0);
    CHECK(registry_put(r, NAME("process/1/type/counter"), 0, id));
    CHECK(registry_put(r, NAME("elsewhere"), 5, id));
    registry_names(r, id, &text);
    CHECK(slice_equal(slice_make(text.data, text.size), NAME("\"counter\"")));
    bytes_deinit(&text);
    CHECK(world_close(&w));
}

/* Every allocation may fail: the call says so, and the registry is as it was. */
TEST(every_allocation_of_the_registry_may_fail)
{
    struct world w;
    struct registry *r;
    uint64_t node, id, idle;
    char name[32];

    CHECK(world_open(&w, 1));
    r = &w.environment->registry;
    idle = world_spawn(&w, role_idle, 0, 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "%d", i);
        for (size_t n = 1;; n++) {
            uint64_t ticket = 0;
            bool ok;

            CHECK(n < 10);
            mem_fail_after(n);
            if (i % 2)
                ok = registry_put(r, slice_text(name), 0, idle);
            else
                ok = registry_claim(r, slice_text(name), idle, &ticket, &node, &id) ==
                     REGISTRY_CLAIMED;
            mem_fail_after(0);
            if (ok)
                break;
            CHECK(!registry_get(r, slice_text(name), &node, &id));
        }
        registry_fulfil(r, slice_text(name), idle, 0, idle);
        CHECK(registry_get(r, slice_text(name), &node, &id) && id == idle);
    }
    CHECK(r->count == 300);
    CHECK(world_close(&w));
}

TEST(names_have_a_maximal_size)
{
    struct world w;
    uint64_t node, id;
    uint8_t *name = mem_new_array(uint8_t, REGISTRY_NAME_SIZE_MAX + 1);

    CHECK(world_open(&w, 1));
    CHECK(registry_put(&w.environment->registry, slice_make(name, REGISTRY_NAME_SIZE_MAX), 5, 1));
    CHECK(!registry_put(&w.environment->registry, slice_make(name, REGISTRY_NAME_SIZE_MAX + 1), 5,
                        1));
    CHECK(!registry_get(&w.environment->registry, slice_make(name, REGISTRY_NAME_SIZE_MAX + 1),
                        &node, &id));
    mem_free(name);
    CHECK(world_close(&w));
}
