/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Timed receives (4.4) and messages after a delay (5.5; 11 B1, E1 to E3), on the virtual clock. */
#include "base/mem.h"
#include "world.h"

static uint64_t now(struct process *p)
{
    return actors_now_ns(p->environment->actors);
}

/* 4.4: a receive ends at its deadline, not before; messages of other tags do not end it. */
static enum task_result waits_for_tag(struct process *p, struct actor *self)
{
    const int64_t wanted[] = {5};
    struct message *m;
    enum got got;

    if (self->step == 0) {
        self->step = 1;
        self->count = now(p);
    }
    got = actor_receive(p, wanted, 1, 50 * MS, &m);
    if (got == GOT_NOTHING)
        return TASK_PARK;
    EXPECT(got == GOT_TIMEOUT);
    EXPECT(now(p) - self->count >= 50 * MS && now(p) - self->count < 52 * MS);
    EXPECT(p->mailbox.count == 10);
    note(self->world, 1);
    return TASK_DONE;
}

static enum task_result sends_others(struct process *p, struct actor *self)
{
    if (self->step++ == 10)
        return TASK_DONE;
    actor_send(p, self->other, 6, "x", 1);
    return TASK_YIELD;
}

TEST(receive_by_tag_ends_at_its_deadline)
{
    struct world w;

    CHECK(world_pair(&w, 1, waits_for_tag, sends_others));
    CHECK_NOTED(&w, 1);
    CHECK(world_close(&w));
}

/* 4.4: messages that no receive waits for do not wake the receiver (hardly ever). */
static enum task_result counts_its_runs(struct process *p, struct actor *self)
{
    const int64_t wanted[] = {5};
    struct message *m;

    self->count++;
    if (actor_receive(p, wanted, 1, 1000 * MS, &m) == GOT_NOTHING)
        return TASK_PARK;
    EXPECT(self->count < 50);
    message_free(p->environment->actors, m);
    note(self->world, 1);
    return TASK_DONE;
}

static enum task_result sends_many(struct process *p, struct actor *self)
{
    if (self->step++ == 10000) {
        actor_send(p, self->other, 5, NULL, 0);
        return TASK_DONE;
    }
    actor_send(p, self->other, 6, "x", 1);
    return TASK_YIELD;
}

TEST(messages_of_other_tags_do_not_wake)
{
    struct world w;

    CHECK(world_pair(&w, 1, counts_its_runs, sends_many));
    CHECK_NOTED(&w, 1);
    CHECK(world_close(&w));
}

/* 5.5: delivered after the delay, in the order of expiry; survives its creator (E2); nobody at the
 * time of the call: never (E3). */
static enum task_result sets_timers(struct process *p, struct actor *self)
{
    static const int64_t delays[] = {30, 10, 20, 0};
    struct actors *a = p->environment->actors;
    uint64_t id;

    for (int64_t i = 0; i < 4; i++) {
        EXPECT(send_timer_start(p, self->other, message_new(a, delays[i] + 1, 0),
                                (uint64_t)delays[i] * MS, &id, NULL));
        EXPECT(id == (uint64_t)i);
    }
    EXPECT(send_timer_start(p, 77777, message_new(a, 99, 0), MS, &id, NULL));
    return TASK_DONE;
}

static enum task_result notes_tags(struct process *p, struct actor *self)
{
    struct message *m;

    while (actor_receive(p, NULL, 0, 100 * MS, &m) == GOT_MESSAGE) {
        note(self->world, m->tag);
        message_free(p->environment->actors, m);
    }
    return p->wait.kind == WAIT_NONE ? TASK_DONE : TASK_PARK;
}

TEST(timers_deliver_after_their_creator_has_ended)
{
    struct world w;

    CHECK(world_pair(&w, 1, notes_tags, sets_timers));
    CHECK_NOTED(&w, 1, 11, 21, 31);
    CHECK(environment_timer_count(w.environment) == 0);
    CHECK(world_close(&w));
}

/* E1: cancelling is true only if it prevented the delivery. */
static enum task_result cancels(struct process *p, struct actor *self)
{
    struct actors *a = p->environment->actors;
    uint64_t id;

    if (self->step == 0) {
        EXPECT(send_timer_start(p, self->other, message_new(a, 1, 0), 10 * MS, &id, NULL));
        EXPECT(send_timer_start(p, self->other, message_new(a, 2, 0), 30 * MS, &id, NULL));
        self->step = 1;
    }
    if (!actor_slept(p, 20 * MS))
        return TASK_PARK;
    EXPECT(!send_timer_cancel(p, 0)); /* has fired */
    EXPECT(send_timer_cancel(p, 1));
    EXPECT(!send_timer_cancel(p, 1) && !send_timer_cancel(p, 2));
    return TASK_DONE;
}

TEST(cancel_tells_the_truth)
{
    struct world w;

    CHECK(world_pair(&w, 1, notes_tags, cancels));
    CHECK_NOTED(&w, 1);
    CHECK(world_close(&w));
}

/* A limit of timers that wait; those that have fired do not count. */
static enum task_result many_timers(struct process *p, struct actor *self)
{
    struct actors *a = p->environment->actors;
    struct message *m;
    struct error err = {0};
    uint64_t id;

    if (p->wait.kind == WAIT_NONE) {
        for (int i = 0; i < 100; i++)
            EXPECT(send_timer_start(p, process_id(p), message_new(a, 1, 0), MS, &id, NULL));
        m = message_new(a, 1, 0);
        EXPECT(!send_timer_start(p, process_id(p), m, MS, &id, &err) && err.code == ERR_LIMIT);
        message_free(a, m);
    }
    if (!actor_slept(p, 5 * MS))
        return TASK_PARK;
    return ++self->step == 5 ? TASK_DONE : TASK_YIELD;
}

TEST(timers_of_a_process_are_limited)
{
    struct world w;

    CHECK(world_open(&w, 1));
    w.config->timer_count_max = 100;
    world_spawn(&w, many_timers, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.exit.reason == EXIT_NORMAL);
    CHECK(world_close(&w));
}

/* Timers that wait when the environment is freed are dropped with their messages. */
static enum task_result long_timers(struct process *p, struct actor *self)
{
    uint64_t id;

    (void)self;
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(send_timer_start(p, process_id(p), message_new(p->environment->actors, 1, 0),
                                i * 1000 * MS, &id, NULL));
    return TASK_DONE;
}

TEST(pending_timers_are_dropped_with_the_environment)
{
    struct world w;

    CHECK(world_open(&w, 1));
    w.stop_at_exit = true;
    world_spawn(&w, long_timers, 0, 0);
    CHECK(world_run(&w));
    CHECK(environment_timer_count(w.environment) > 90);
    CHECK(world_close(&w));
}

/* More tags than fit into the wait: every message wakes, and the right one ends it. */
static enum task_result waits_for_many(struct process *p, struct actor *self)
{
    static const int64_t wanted[] = {100, 101, 102, 103, 104, 7};
    struct message *m;

    if (actor_receive(p, wanted, ARRAY_COUNT(wanted), UINT64_MAX, &m) == GOT_NOTHING) {
        EXPECT(p->wait.tag_count == WAIT_TAGS_MANY);
        return TASK_PARK;
    }
    note(self->world, m->tag);
    note(self->world, p->mailbox.count);
    message_free(p->environment->actors, m);
    return TASK_DONE;
}

static enum task_result sends_up_to_nine(struct process *p, struct actor *self)
{
    if (self->count++ == 9)
        return TASK_DONE;
    actor_send(p, self->other, (int64_t)self->count, NULL, 0);
    return TASK_YIELD;
}

TEST(a_receive_may_list_many_tags)
{
    struct world w;

    for (uint64_t seed = 0; seed < 20; seed++) {
        CHECK(world_pair(&w, seed, waits_for_many, sends_up_to_nine));
        CHECK(w.event_count == 2 && w.events[0] == 7 && w.events[1] >= 6);
        CHECK(world_close(&w));
    }
}

/* Without memory for its table or node a timer is refused, and the message stays the caller's. */
static enum task_result starts_without_memory(struct process *p, struct actor *self)
{
    struct message *m = message_new(p->environment->actors, 1, 0);
    uint64_t id;

    for (size_t n = 1; n <= 2; n++) {
        mem_fail_after(n);
        EXPECT(!send_timer_start(p, process_id(p), m, MS, &id, NULL));
        mem_fail_after(0);
    }
    EXPECT(send_timer_start(p, process_id(p), m, MS, &id, NULL) && id == 0);
    EXPECT(send_timer_cancel(p, 0));
    note(self->world, 1);
    return TASK_DONE;
}

TEST(a_timer_without_memory_is_refused)
{
    struct world w;

    CHECK(world_open(&w, 1));
    world_spawn(&w, starts_without_memory, 0, 0);
    CHECK(world_run(&w));
    CHECK_NOTED(&w, 1);
    CHECK(world_close(&w));
}
