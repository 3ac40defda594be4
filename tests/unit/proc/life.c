/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Life and death of processes: sections 3.1 to 3.6 of the reference, with the repairs of
 * section 11. */
#include "world.h"

enum { TIMED_OUT = -1 };

/* Notes kind * 1000 + tag of every message for 100 ms after the last, then ends. */
static enum task_result note_messages(struct process *p, struct actor *self)
{
    struct message *m;

    for (;;) {
        switch (actor_receive(p, NULL, 0, 100 * MS, &m)) {
        case GOT_NOTHING:
            return TASK_PARK;
        case GOT_TIMEOUT:
            note(self->world, TIMED_OUT);
            return TASK_DONE;
        case GOT_MESSAGE:
            note(self->world, m->kind * 1000 + m->tag);
            if (m->kind == MESSAGE_PROCESS_DIED)
                EXPECT(!process_exists(p->environment, m->process_id));
            message_free(p->environment->actors, m);
        }
    }
}

/* 3.1: ids start at 1 and are never reused, though the storage is. */
static enum task_result spawn_many(struct process *p, struct actor *self)
{
    uint64_t id;

    EXPECT(process_id(p) == PROCESS_MAIN);
    if (p->wait.kind != WAIT_NONE) {
        if (!actor_slept(p, 0))
            return TASK_PARK;
        EXPECT(!process_exists(p->environment, self->other));
    }
    if (self->step++ == 1000)
        return TASK_DONE;
    id = actor_spawn(p, role_return, 0, 0, false, 0);
    EXPECT(id > self->other && id != PROCESS_MAIN && process_exists(p->environment, id));
    self->other = id;
    actor_slept(p, MS);
    return TASK_PARK;
}

TEST(process_ids_start_at_1_and_are_never_reused)
{
    struct world w;

    CHECK(world_open(&w, 1));
    CHECK(world_spawn(&w, spawn_many, 0, 0) == PROCESS_MAIN);
    CHECK(world_run(&w));
    CHECK(w.exits == 1 && w.exit.reason == EXIT_NORMAL);
    CHECK(pool_fresh(w.environment->processes) < 200);
    CHECK(world_close(&w));
}

/* 3.1: a pid is consumed even when the spawn fails later. */
TEST(the_id_of_a_discarded_process_is_consumed)
{
    struct world w;
    struct spawn_options options = {0};
    struct process *p;
    uint64_t id;

    CHECK(world_open(&w, 1));
    options.config = w.config;
    p = process_prepare(w.environment, &options, NULL);
    CHECK(p);
    id = process_id(p);
    CHECK(id == PROCESS_MAIN && !process_exists(w.environment, id));
    process_discard(p);
    CHECK(world_spawn(&w, role_return, 0, 0) != id);
    CHECK(!process_exists(w.environment, id));
    CHECK(world_run(&w));
    CHECK(world_close(&w));
}

/* 3.1: an index whose generations are used up is retired. */
TEST(a_block_without_generations_left_is_retired)
{
    struct world w;
    struct spawn_options options = {0};
    struct process *p;
    uint64_t id;

    CHECK(world_open(&w, 1));
    options.config = w.config;
    p = process_prepare(w.environment, &options, NULL);
    CHECK(p);
    atomic_store(&p->inbox, (uint64_t)UINT32_MAX << 32);
    process_discard(p);
    id = world_spawn(&w, role_return, 0, 0);
    CHECK((uint32_t)id == 2);
    CHECK(environment_process_count(w.environment) == 1);
    CHECK(world_run(&w));
    CHECK(world_close(&w));
}

/* 3.3: messages keep the order of one sender, and of all. 4.4: received as they came. */
static enum task_result send_ten(struct process *p, struct actor *self)
{
    for (int64_t i = 1; i <= 10; i++)
        actor_send(p, self->other, i, &i, sizeof(i));
    return TASK_DONE;
}

TEST(messages_arrive_in_sending_order)
{
    struct world w;

    for (uint64_t seed = 0; seed < 20; seed++) {
        CHECK(world_pair(&w, seed, note_messages, send_ten));
        CHECK_NOTED(&w, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, TIMED_OUT);
        CHECK(world_close(&w));
    }
}

/* A parent that spawns self->data (a role), linked with tag 7, optionally without dying of it. */
static enum task_result parent_tolerant(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        process_die_when_link_dies(p, false);
        actor_spawn(p, self->tag ? role_fail : role_return, 0, 0, true, 7);
        return TASK_YIELD;
    }
    return note_messages(p, self);
}

/* 3.3 (LinkDied, Failure, flag false) and 3.6: the spawner gets the tag it passed. */
TEST(failure_of_a_linked_child_becomes_a_message_with_the_links_tag)
{
    struct world w;

    for (uint64_t seed = 0; seed < 20; seed++) {
        CHECK(world_open(&w, seed));
        world_spawn(&w, parent_tolerant, 0, 1);
        CHECK(world_run(&w));
        CHECK_NOTED(&w, 1007, TIMED_OUT);
        CHECK(w.exit.reason == EXIT_NORMAL);
        CHECK(world_close(&w));
    }
}

/* Both ends of a link are counted when it is made, and when a process ends that has it. */
TEST(links_end_with_their_processes_in_what_is_counted)
{
    struct world w;

    CHECK(world_open(&w, 3));
    world_spawn(&w, parent_tolerant, 0, 1);
    CHECK(world_run(&w));
    CHECK(counts_sum(&w.actors.counts, COUNT_LINKS_MADE) == 2);
    CHECK(counts_sum(&w.actors.counts, COUNT_LINKS_ENDED) == 2);
    CHECK(world_close(&w));
}

/* 3.3 (LinkDied, Normal); 11 A4: invisible. */
TEST(normal_end_of_a_linked_child_is_invisible)
{
    struct world w;

    CHECK(world_open(&w, 3));
    world_spawn(&w, parent_tolerant, 0, 0);
    CHECK(world_run(&w));
    CHECK_NOTED(&w, TIMED_OUT);
    CHECK(world_close(&w));
}

static enum task_result parent_fragile(struct process *p, struct actor *self)
{
    if (self->step++ == 0)
        self->other = actor_spawn(p, role_fail_later, 0, 0, true, 7);
    return note_messages(p, self);
}

/* 3.3 (LinkDied, Failure, flag true): ends as if killed. */
TEST(failure_of_a_linked_child_ends_the_parent)
{
    struct world w;

    CHECK(world_open(&w, 3));
    world_spawn(&w, parent_fragile, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.event_count == 0);
    CHECK(w.exits == 1 && w.exit.reason == EXIT_LINK_DIED);
    CHECK(world_close(&w));
}

static enum task_result child_tolerant(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        process_die_when_link_dies(p, false);
        return TASK_YIELD;
    }
    return note_messages(p, self);
}

static enum task_result parent_dies(struct process *p, struct actor *self)
{
    if (self->step == 0)
        actor_spawn(p, child_tolerant, 0, 0, true, 7);
    self->step = 1;
    return role_fail_later(p, self);
}

static enum task_result keeper(struct process *p, struct actor *self)
{
    if (self->step == 0)
        actor_spawn(p, parent_dies, 0, 0, false, 0);
    self->step = 1;
    return actor_slept(p, 1000 * MS) ? TASK_DONE : TASK_PARK;
}

/* 3.6: when the spawner fails, the child is told without a tag. 11 A12. */
TEST(failure_of_the_parent_reaches_the_child_without_a_tag)
{
    struct world w;

    CHECK(world_open(&w, 3));
    world_spawn(&w, keeper, 0, 0);
    CHECK(world_run(&w));
    CHECK_NOTED(&w, 1000, TIMED_OUT);
    CHECK(world_close(&w));
}

/* 3.4: link, then one side dies: the tag that the caller chose is on both sides. */
static enum task_result linker(struct process *p, struct actor *self)
{
    switch (self->step++) {
    case 0:
        process_die_when_link_dies(p, false);
        process_link(p, self->other, 5);
        process_link(p, self->other, self->tag); /* replaces the tag on both sides */
        return TASK_YIELD;
    default:
        return note_messages(p, self);
    }
}

static enum task_result main_link(struct process *p, struct actor *self)
{
    if (self->step == 0) {
        uint64_t victim = actor_spawn(p, role_fail_later, 0, 0, false, 0);

        actor_spawn(p, linker, victim, 9, false, 0);
        self->step = 1;
    }
    return actor_slept(p, 1000 * MS) ? TASK_DONE : TASK_PARK;
}

TEST(linking_again_replaces_the_tag)
{
    struct world w;

    for (uint64_t seed = 0; seed < 10; seed++) {
        CHECK(world_open(&w, seed));
        world_spawn(&w, main_link, 0, 0);
        CHECK(world_run(&w));
        CHECK_NOTED(&w, 1009, TIMED_OUT);
        CHECK(world_close(&w));
    }
}

/* 3.4: link to a process that does not exist: LinkDied(NoProcess), with the tag. */
static enum task_result links_nobody(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        process_die_when_link_dies(p, false);
        process_link(p, 0xdead0001, 4);
        process_link(p, process_id(p), 6); /* 3.4: to oneself: no effect */
        process_unlink(p, 0xdead0002);
        process_demonitor(p, 0xdead0003);
        process_monitor(p, 0xdead0004); /* 11 A2: told at once */
        EXPECT(!process_kill(p->environment, 0xdead0005));
        return TASK_YIELD;
    }
    return note_messages(p, self);
}

TEST(link_and_monitor_of_nobody_are_answered_at_once)
{
    struct world w;

    CHECK(world_open(&w, 5));
    world_spawn(&w, links_nobody, 0, 0);
    CHECK(world_run(&w));
    CHECK_NOTED(&w, 1004, 2000, TIMED_OUT);
    CHECK(world_close(&w));
}

static enum task_result links_nobody_fragile(struct process *p, struct actor *self)
{
    if (self->step++ == 0)
        process_link(p, 0xdead0001, 4);
    return note_messages(p, self);
}

/* 3.3: NoProcess is the same as Failure. */
TEST(link_to_nobody_ends_a_process_that_dies_with_its_links)
{
    struct world w;

    CHECK(world_open(&w, 5));
    world_spawn(&w, links_nobody_fragile, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.event_count == 0);
    CHECK(w.exit.reason == EXIT_LINK_DIED);
    CHECK(world_close(&w));
}

/* 3.4: unlink: neither side hears of the other's death. 11 A3: not even of one under way. */
static enum task_result unlinks(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        self->other = actor_spawn(p, role_fail_later, 0, 0, true, 1);
        process_unlink(p, self->other);
    }
    return note_messages(p, self);
}

TEST(unlink_cuts_both_sides)
{
    struct world w;

    CHECK(world_open(&w, 5));
    world_spawn(&w, unlinks, 0, 0);
    CHECK(world_run(&w));
    CHECK_NOTED(&w, TIMED_OUT);
    CHECK(w.exit.reason == EXIT_NORMAL);
    CHECK(world_close(&w));
}

/* 3.4: monitors fire for every kind of death, once per monitor; stop_monitoring ends them. */
static enum task_result monitors(struct process *p, struct actor *self)
{
    struct environment *e = p->environment;

    if (self->step++ == 0) {
        uint64_t a = actor_spawn(p, role_end_later, 0, 0, false, 0);
        uint64_t b = actor_spawn(p, role_fail_later, 0, 0, false, 0);
        uint64_t c = actor_spawn(p, role_idle, 0, 0, false, 0);
        uint64_t d = actor_spawn(p, role_idle, 0, 0, false, 0);

        process_monitor(p, a);
        process_monitor(p, a); /* there is at most one */
        process_monitor(p, b);
        process_monitor(p, c);
        process_monitor(p, d);
        process_monitor(p, process_id(p)); /* no effect */
        process_demonitor(p, d);
        EXPECT(process_kill(e, c));
        EXPECT(process_kill(e, d));
    }
    return note_messages(p, self);
}

TEST(monitors_fire_for_every_death)
{
    struct world w;

    CHECK(world_open(&w, 5));
    world_spawn(&w, monitors, 0, 0);
    CHECK(world_run(&w));
    CHECK_NOTED(&w, 2000, 2000, 2000, TIMED_OUT);
    CHECK(world_close(&w));
}

/* 3.3: Kill: ends at once, later signals are not looked at. A5: signals to oneself stay in order.
 */
static enum task_result kills_itself(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        process_kill(p->environment, process_id(p));
        process_die_when_link_dies(p, false);
        note(self->world, 1); /* it runs on until it handles signals */
        EXPECT(!process_handle_signals(p));
        EXPECT(p->die_when_link_dies);
        return TASK_YIELD;
    }
    note(self->world, 2);
    return TASK_DONE;
}

TEST(a_kill_ends_at_the_next_look_at_the_signals)
{
    struct world w;

    CHECK(world_open(&w, 5));
    world_spawn(&w, kills_itself, 0, 0);
    CHECK(world_run(&w));
    CHECK_NOTED(&w, 1);
    CHECK(w.exit.reason == EXIT_KILLED);
    CHECK(world_close(&w));
}

/* 3.5 and 11 A10, A11: resources are released before anyone is told; links in the order they were
 * made, then monitors. */
struct probe {
    struct resource resource;
    struct world *world;
};

static void probe_release(struct resource *r)
{
    note(CONTAINER_OF(r, struct probe, resource)->world, 100);
}

static enum task_result watcher(struct process *p, struct actor *self)
{
    struct message *m;

    if (self->step++ == 0) {
        process_die_when_link_dies(p, false);
        if (self->tag < 50)
            process_link(p, self->other, self->tag);
        else
            process_monitor(p, self->other);
        return TASK_YIELD;
    }
    if (actor_receive(p, NULL, 0, 500 * MS, &m) == GOT_NOTHING)
        return TASK_PARK;
    EXPECT(m && !process_exists(p->environment, self->other));
    message_free(p->environment->actors, m);
    note(self->world, self->tag);
    return TASK_DONE;
}

static enum task_result holder(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        uint64_t id;

        EXPECT(resource_add(p, self->data, &id) && id == 0);
    }
    return role_idle(p, self);
}

static enum task_result main_order(struct process *p, struct actor *self)
{
    switch (self->step) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (p->wait.kind == WAIT_NONE)
            actor_spawn(p, watcher, self->other, self->step == 1 ? 50 : 10 + self->step, false, 0);
        if (!actor_slept(p, MS))
            return TASK_PARK;
        self->step++;
        return TASK_YIELD;
    case 4:
        process_kill(p->environment, self->other);
        self->step++;
        return TASK_YIELD;
    default:
        return actor_slept(p, 100 * MS) ? TASK_DONE : TASK_PARK;
    }
}

/* The watchers run one after the other only if nobody shuffles them: seeds differ in who runs
 * first, so the order of the notifications is read off the queue of a single receiver in the test
 * below; here only "released, then told" is. */
TEST(resources_are_released_before_anyone_is_told)
{
    struct world w;
    struct probe probe;

    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t victim;

        CHECK(world_open(&w, seed));
        resource_init(&probe.resource, RESOURCE_TCP_LISTENER, probe_release);
        probe.world = &w;
        CHECK(world_spawn(&w, main_order, (uint64_t)2, 0) == PROCESS_MAIN);
        victim = world_spawn(&w, holder, 0, 0);
        CHECK(victim == 2);
        actor_of(environment_block(w.environment, victim))->data = &probe;
        CHECK(world_run(&w));
        CHECK(w.event_count == 5 && w.events[0] == 100);
        CHECK(world_close(&w));
    }
}

/* One process with several bonds of its own kind cannot see the order, so look at the bonds. */
TEST(bonds_keep_the_order_in_which_they_were_made)
{
    struct world w;
    struct bonds b = {0};
    uint64_t expected = 0;

    CHECK(world_open(&w, 1));
    for (uint64_t i = 0; i < 1000; i++)
        bonds_set(&b, &w.actors, i % 3 ? BOND_LINK : BOND_MONITOR, i, (int64_t)i);
    for (uint64_t i = 0; i < 1000; i += 2)
        CHECK(bonds_remove(&b, &w.actors, i % 3 ? BOND_LINK : BOND_MONITOR, i));
    CHECK(!bonds_remove(&b, &w.actors, BOND_LINK, 2));
    CHECK(!bonds_find(&b, BOND_MONITOR, 1) && bonds_find(&b, BOND_LINK, 1)->tag == 1);
    bonds_set(&b, &w.actors, BOND_LINK, 1, 77);
    CHECK(b.first->process_id == 1 && b.first->tag == 77 && b.count == 500);
    for (struct bond *x = b.first; x; x = x->next) {
        CHECK(x->process_id > expected || x == b.first);
        expected = x->process_id;
    }
    bonds_deinit(&b, &w.actors);
    CHECK(world_close(&w));
}

/* 11 A1: a link or monitor wanted while the process was already ending is answered. */
static enum task_result late_victim(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        self->world->events[EVENTS_MAX - 1] = (int64_t)process_id(p);
        return TASK_YIELD; /* the others' signals come after our last look at the queue */
    }
    return actor_slept(p, 5 * MS) ? TASK_DONE : TASK_PARK;
}

static enum task_result late_linker(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        process_die_when_link_dies(p, false);
        process_kill(p->environment, self->other);
        process_link(p, self->other, 3); /* behind the kill in its queue */
        process_monitor(p, self->other);
        return TASK_YIELD;
    }
    return note_messages(p, self);
}

TEST(requests_behind_the_end_of_a_process_are_answered)
{
    struct world w;

    for (uint64_t seed = 0; seed < 20; seed++) {
        CHECK(world_open(&w, seed));
        CHECK(world_spawn(&w, late_linker, 2, 0) == PROCESS_MAIN);
        CHECK(world_spawn(&w, late_victim, 0, 0) == 2);
        CHECK(world_run(&w));
        CHECK_NOTED(&w, 1003, 2000, TIMED_OUT);
        CHECK(world_close(&w));
    }
}

/* 11 A14: the end of the main process discards the others without a word. */
static enum task_result main_leaves(struct process *p, struct actor *self)
{
    if (self->step == 0) {
        for (int i = 0; i < 100; i++) {
            uint64_t child = actor_spawn(p, note_messages, 0, 0, true, 0);

            actor_spawn(p, watcher, child, 60, false, 0);
        }
        self->step = 1;
    }
    return actor_slept(p, 5 * MS) ? TASK_DONE : TASK_PARK;
}

TEST(the_end_of_the_main_process_ends_the_environment)
{
    struct world w;

    CHECK(world_open(&w, 5));
    world_spawn(&w, main_leaves, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.event_count == 0);
    CHECK(w.exits == 1 && environment_process_count(w.environment) == 0);
    CHECK(world_spawn(&w, role_idle, 0, 0) == 0);
    CHECK(world_close(&w));
}

/* What is left when the scheduler stops is dropped with the environment. */
TEST(freeing_an_environment_drops_what_lives)
{
    struct world w;

    CHECK(world_open(&w, 5));
    for (int i = 0; i < 300; i++)
        world_spawn(&w, i % 2 ? role_idle : send_ten, (uint64_t)i, 0);
    CHECK(environment_process_count(w.environment) == 300);
    CHECK(world_close(&w));
}

/* Limits of the mailbox are the process's end (11 B8). */
TEST(a_full_mailbox_ends_the_process)
{
    struct world w;

    CHECK(world_open(&w, 5));
    w.config->mailbox_count_max = 9;
    world_spawn(&w, role_idle, 0, 0);
    world_spawn(&w, send_ten, PROCESS_MAIN, 0);
    CHECK(world_run(&w));
    CHECK(w.exits == 0); /* asleep, it does not look */
    CHECK(world_close(&w));

    CHECK(world_open(&w, 5));
    w.config->mailbox_count_max = 0;
    world_spawn(&w, note_messages, 0, 0);
    world_spawn(&w, send_ten, PROCESS_MAIN, 0);
    CHECK(world_run(&w));
    CHECK(w.exits == 1 && w.exit.reason == EXIT_LIMIT);
    CHECK(world_close(&w));
}

/* The table of processes has its limit, and room again when some have ended. */
TEST(as_many_processes_as_the_environment_may_have)
{
    struct world w;
    struct environment_options options = {.id = 2, .process_count_max = 128};
    struct environment *small;
    struct error err = {0};
    struct spawn_options spawn = {0};
    struct process *p[128];

    CHECK(world_open(&w, 5));
    small = environment_new(&w.actors, &options, &err);
    CHECK(small);
    spawn.config = w.config;
    for (size_t i = 0; i < 128; i++) {
        p[i] = process_prepare(small, &spawn, &err);
        CHECK(p[i]);
    }
    CHECK(!process_prepare(small, &spawn, &err) && err.code == ERR_LIMIT);
    process_discard(p[5]);
    CHECK((p[5] = process_prepare(small, &spawn, &err)));
    for (size_t i = 0; i < 128; i++)
        process_discard(p[i]);
    environment_free(small);
    CHECK(world_close(&w));
}

/* An answer reaches the wait with its key and no other. */
static enum task_result asks(struct process *p, struct actor *self)
{
    if (p->wait.kind == WAIT_NONE) {
        wait_answer(p, 42, DEADLINE_NEVER);
        return TASK_PARK;
    }
    if (!(p->wait.flags & WAIT_ANSWERED))
        return TASK_PARK;
    note(self->world, (int64_t)p->wait.value);
    wait_end(p);
    return TASK_DONE;
}

static enum task_result answers(struct process *p, struct actor *self)
{
    if (!actor_slept(p, MS))
        return TASK_PARK;
    process_answer(p->environment, self->other, 41, 1);
    process_answer(p->environment, self->other, 42, 2);
    return TASK_DONE;
}

TEST(an_answer_ends_the_wait_with_its_key)
{
    struct world w;

    CHECK(world_pair(&w, 5, asks, answers));
    CHECK_NOTED(&w, 2);
    CHECK(world_close(&w));
}

/* Death cancels the wait in the control block, once. */
static void count_cancel(struct process *p, struct wait *wait)
{
    (void)wait;
    note(actor_of(p)->world, 5);
}

static enum task_result waits_cancellably(struct process *p, struct actor *self)
{
    struct wait kept;

    (void)self;
    if (p->wait.kind == WAIT_NONE) {
        wait_begin(p, WAIT_OTHER, DEADLINE_NEVER, count_cancel, NULL);
        wait_save(p, &kept);
        EXPECT(p->wait.kind == WAIT_NONE);
        wait_restore(p, &kept);
    }
    return TASK_PARK;
}

static enum task_result kills_other(struct process *p, struct actor *self)
{
    if (!actor_slept(p, MS))
        return TASK_PARK;
    process_kill(p->environment, self->other);
    return TASK_DONE;
}

TEST(a_kill_cancels_the_wait)
{
    struct world w;

    CHECK(world_pair(&w, 5, waits_cancellably, kills_other));
    CHECK_NOTED(&w, 5);
    CHECK(w.exit.reason == EXIT_KILLED);
    CHECK(world_close(&w));
}

/* 5.3.2, result 1: a child that fails before its entry function is told of by its result code: the
 * parent takes its link back and does not die; a monitor hears of it. */
static enum task_result stillborn(struct process *p, struct actor *self)
{
    process_answer(p->environment, self->other, process_id(p), 1);
    process_set_exit(p, EXIT_STILLBORN, 0);
    return TASK_DONE;
}

static enum task_result waits_for_child(struct process *p, struct actor *self)
{
    if (self->step == 0) {
        self->step = 1;
        self->other = actor_spawn(p, stillborn, process_id(p), 0, true, 7);
        process_monitor(p, self->other);
        wait_answer(p, self->other, DEADLINE_NEVER);
        return TASK_PARK;
    }
    if (self->step == 1) {
        if (!(p->wait.flags & WAIT_ANSWERED))
            return TASK_PARK;
        EXPECT(p->wait.value == 1);
        wait_end(p);
        process_forget_link(p, self->other);
        EXPECT(p->bonds.count == 0);
        self->step = 2;
    }
    return note_messages(p, self);
}

TEST(a_stillborn_child_does_not_end_its_parent)
{
    struct world w;

    for (uint64_t seed = 0; seed < 10; seed++) {
        CHECK(world_open(&w, seed));
        world_spawn(&w, waits_for_child, 0, 0);
        CHECK(world_run(&w));
        CHECK_NOTED(&w, 2000, TIMED_OUT);
        CHECK(world_close(&w));
    }
}

/* 3.1: environments are isolated: the same ids mean other processes. Their storage serves the next
 * one. */
TEST(environments_are_isolated)
{
    struct world w;
    struct environment_options options = {.id = 2, .process_count_max = 1000};
    struct spawn_options spawn = {0};

    CHECK(world_open(&w, 5));
    spawn.config = w.config;
    CHECK(world_spawn(&w, role_idle, 0, 0) == PROCESS_MAIN);
    for (int i = 0; i < 3; i++) {
        struct environment *other = environment_new(&w.actors, &options, NULL);
        struct process *p;

        CHECK(other && !process_exists(other, PROCESS_MAIN));
        CHECK(!process_kill(other, PROCESS_MAIN) && process_exists(w.environment, PROCESS_MAIN));
        p = process_prepare(other, &spawn, NULL);
        CHECK(p && process_id(p) == PROCESS_MAIN);
        process_discard(p);
        environment_free(other);
    }
    CHECK(world_close(&w));
}
