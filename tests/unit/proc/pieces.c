/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a process has much of is handled in pieces: others run in between. */
#include "base/mem.h"
#include "proc/resource.h"
#include "proc/signal.h"
#include "world.h"

#define MANY 20000

/* How often `counts` has run, which is always ready. */
static uint64_t turns;
static bool is_over;

static enum task_result counts(struct process *p, struct actor *self)
{
    (void)p;
    (void)self;
    turns++;
    return is_over ? TASK_DONE : TASK_YIELD;
}

/* Ends when it has run once more, after what it was sent. */
static enum task_result ends(struct process *p, struct actor *self)
{
    self->count = p->mailbox.count;
    note(self->world, (int64_t)p->mailbox.count);
    return TASK_DONE;
}

static enum task_result is_told(struct process *p, struct actor *self)
{
    struct message *m;

    while (actor_receive(p, NULL, 0, UINT64_MAX, &m) == GOT_MESSAGE) {
        EXPECT(m->kind == MESSAGE_PROCESS_DIED);
        message_free(&self->world->actors, m);
        is_over = true;
        return TASK_DONE;
    }
    return TASK_PARK;
}

static void begin(struct world *w)
{
    EXPECT(world_open(w, 5));
    turns = 0;
    is_over = false;
}

TEST(much_that_has_come_is_handled_in_pieces_and_in_order)
{
    struct world w;
    struct process *p;
    uint64_t id, watcher;

    begin(&w);
    watcher = world_spawn(&w, is_told, 0, 0);
    id = world_spawn(&w, ends, 0, 0);
    p = environment_block(w.environment, id);
    world_spawn(&w, counts, 0, 0);
    for (int64_t i = 1; i <= MANY; i++)
        EXPECT(process_send(w.environment, id, message_new_data(&w.actors, i, "x", 1)));
    EXPECT(signal_send(w.environment, id, signal_new(&w.actors, SIGNAL_MONITOR, watcher, 0, 0)));
    CHECK(process_handle_signals(p) && process_is_behind(p));
    for (int64_t i = 1; process_is_behind(p) || i <= MANY; i++) {
        struct message *m = mailbox_take(&p->mailbox, NULL, 0, 0);

        while (!m && process_is_behind(p)) {
            CHECK(process_handle_signals(p));
            m = mailbox_take(&p->mailbox, NULL, 0, 0);
        }
        if (!m)
            break;
        CHECK(m->tag == i);
        message_free(&w.actors, m);
    }
    CHECK(p->mailbox.arrivals == MANY && !process_is_behind(p));
    CHECK(world_run(&w));
    CHECK(world_close(&w));
}

/* A body does not run before all is handled that had come when it was to run. */
TEST(others_run_while_much_is_handled)
{
    struct world w;
    uint64_t id, watcher;

    begin(&w);
    watcher = world_spawn(&w, is_told, 0, 0);
    id = world_spawn(&w, ends, 0, 0);
    world_spawn(&w, counts, 0, 0);
    for (int64_t i = 1; i <= MANY; i++)
        EXPECT(process_send(w.environment, id, message_new_data(&w.actors, i, "x", 1)));
    EXPECT(signal_send(w.environment, id, signal_new(&w.actors, SIGNAL_MONITOR, watcher, 0, 0)));
    CHECK(world_run(&w));
    CHECK_NOTED(&w, MANY);
    CHECK(turns > MANY / 256);
    CHECK(world_close(&w));
}

/* Many bonds, many resources and what comes late: the end of a process is in pieces too, and its
 * resources are gone before anybody hears of it. */
struct probe {
    struct resource resource;
    uint64_t *left;
};

static void probe_release(struct resource *r)
{
    struct probe *probe = CONTAINER_OF(r, struct probe, resource);

    --*probe->left;
    mem_free(probe);
}

static uint64_t resources_left, told, stop_after;

static enum task_result hears(struct process *p, struct actor *self)
{
    struct message *m;

    while (actor_receive(p, NULL, 0, UINT64_MAX, &m) == GOT_MESSAGE) {
        EXPECT(m->kind == (self->tag ? MESSAGE_PROCESS_DIED : MESSAGE_LINK_DIED));
        EXPECT(resources_left == 0);
        message_free(&self->world->actors, m);
        if (++told == stop_after)
            is_over = true;
        return TASK_DONE;
    }
    return TASK_PARK;
}

static enum task_result fails_with_much(struct process *p, struct actor *self)
{
    uint64_t id;

    (void)self;
    for (int i = 0; i < MANY; i++) {
        struct probe *probe = mem_new(struct probe);

        resource_init(&probe->resource, RESOURCE_ERROR, probe_release);
        probe->left = &resources_left;
        resources_left++;
        EXPECT(resource_add(p, &probe->resource, &id));
    }
    process_set_exit(p, EXIT_FAILURE, 1);
    return TASK_DONE;
}

TEST(the_end_of_a_process_is_in_pieces)
{
    struct world w;
    uint64_t id;

    begin(&w);
    told = resources_left = 0;
    stop_after = 2 * 3000;
    w.config->resource_count_max = MANY;
    world_spawn(&w, counts, 0, 0); /* the main process: ends last */
    id = world_spawn(&w, fails_with_much, 0, 0);
    for (int i = 0; i < 3000; i++) {
        uint64_t linked = world_spawn(&w, hears, 0, 0), monitor = world_spawn(&w, hears, 0, 1);

        EXPECT(signal_send(w.environment, linked, signal_new(&w.actors, SIGNAL_LINK, id, 0, 0)));
        EXPECT(signal_send(w.environment, linked,
                           signal_new(&w.actors, SIGNAL_DIE_WHEN_LINK_DIES, 0, 0, 0)));
        EXPECT(signal_send(w.environment, id, signal_new(&w.actors, SIGNAL_LINK, linked, 0, 0)));
        EXPECT(
            signal_send(w.environment, id, signal_new(&w.actors, SIGNAL_MONITOR, monitor, 0, 0)));
    }
    CHECK(world_run(&w));
    CHECK(told == stop_after && w.exits == 1 && w.exit.reason == EXIT_NORMAL);
    CHECK(turns > MANY / 256);
    CHECK(world_close(&w));
}

/* An environment that is freed while processes are amid their end. */
TEST(a_process_amid_its_end_is_dropped_whole)
{
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct world w;
        uint64_t id;

        EXPECT(world_open(&w, seed));
        told = resources_left = 0;
        stop_after = 1;
        turns = 0;
        is_over = true;
        w.config->resource_count_max = MANY;
        w.stop_at_exit = true;
        id = world_spawn(&w, hears, 0, 0); /* the main process: the first to be told is the end */
        id = world_spawn(&w, fails_with_much, 0, 0);
        for (int i = 0; i < 1000; i++) {
            EXPECT(signal_send(w.environment, id,
                               signal_new(&w.actors, SIGNAL_MONITOR, 1000000 + (uint64_t)i, 0, 0)));
            EXPECT(process_send(w.environment, id, message_new_data(&w.actors, i, "x", 1)));
        }
        world_spawn(&w, role_idle, 0, 0);
        CHECK(process_kill(w.environment, 1));
        CHECK(world_run(&w));
        CHECK(world_close(&w));
        CHECK(resources_left == 0);
    }
}
