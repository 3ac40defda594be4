/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/turn.h"
#include "plat/random.h"
#include "support.h"

static enum task_result never(struct task *t, struct worker *w)
{
    (void)t, (void)w;
    return TASK_DONE;
}

static const struct task_class never_class = {.run = never};

TEST(turns_go_in_the_order_of_asking)
{
    struct scheduler *s = make_workers(1);
    struct task tasks[4];
    struct turn turn = {0};

    for (size_t i = 0; i < 4; i++)
        task_init(&tasks[i], &never_class);
    CHECK(turn_take(&turn, &tasks[0]) == TURN_MINE);
    CHECK(turn_take(&turn, &tasks[0]) == TURN_MINE);
    for (size_t i = 1; i < 4; i++) {
        CHECK(turn_take(&turn, &tasks[i]) == TURN_WAIT);
        CHECK(turn_take(&turn, &tasks[i]) == TURN_WAIT); /* once in the queue is enough */
    }
    turn_leave(&turn, &tasks[2], s, NULL); /* gives up its place */
    turn_leave(&turn, &tasks[0], s, NULL);
    CHECK(turn_is_held_by(&turn, &tasks[1]));
    CHECK(turn_take(&turn, &tasks[0]) == TURN_WAIT); /* again, at the end */
    turn_leave(&turn, &tasks[1], s, NULL);
    CHECK(turn_is_held_by(&turn, &tasks[3]));
    turn_leave(&turn, &tasks[2], s, NULL); /* has neither: harmless */
    turn_leave(&turn, &tasks[3], s, NULL);
    CHECK(turn_is_held_by(&turn, &tasks[0]));
    turn_leave(&turn, &tasks[0], s, NULL);
    CHECK(atomic_load(&turn.holder) == 0 && turn.first == NULL);
    scheduler_free(s);
}

TEST(a_turn_without_memory_is_not_taken)
{
    struct scheduler *s = make_workers(1);
    struct task a, b;
    struct turn turn = {0};

    task_init(&a, &never_class);
    task_init(&b, &never_class);
    CHECK(turn_take(&turn, &a) == TURN_MINE);
    mem_fail_after(1);
    CHECK(turn_take(&turn, &b) == TURN_NO_MEMORY);
    turn_leave(&turn, &a, s, NULL);
    CHECK(atomic_load(&turn.holder) == 0);
    scheduler_free(s);
}

/* ---- many tasks, several workers ---- */

enum { TASKS = 40, ROUNDS = 400 };

struct crowd {
    struct scheduler *scheduler;
    struct turn turn;
    uint64_t inside; /* by whoever has the turn: a race, if two had it */
    atomic_uint left, given_up;
};

struct visitor {
    struct task task; /* first */
    struct crowd *crowd;
    struct prng prng;
    unsigned rounds;
    bool has_turn; /* it has parked or yielded with it */
};

static enum task_result visit(struct task *t, struct worker *w)
{
    struct visitor *v = (struct visitor *)t;
    struct crowd *c = v->crowd;

    while (v->rounds < ROUNDS) {
        switch (turn_take(&c->turn, t)) {
        case TURN_MINE:
            break;
        case TURN_WAIT:
            if (prng_below(&v->prng, 20) == 0) { /* a timeout */
                turn_leave(&c->turn, t, c->scheduler, w);
                atomic_fetch_add(&c->given_up, 1);
                v->rounds++;
                continue;
            }
            return TASK_PARK;
        case TURN_NO_MEMORY:
        default:
            (void)EXPECT(false);
            return TASK_DONE;
        }
        if (!v->has_turn) {
            c->inside++;
            if (prng_below(&v->prng, 4) == 0) { /* holds it across a wait */
                v->has_turn = true;
                return TASK_YIELD;
            }
        }
        v->has_turn = false;
        (void)EXPECT(turn_is_held_by(&c->turn, t));
        v->rounds++;
        turn_leave(&c->turn, t, c->scheduler, w);
        if (prng_below(&v->prng, 3) == 0)
            return TASK_YIELD;
    }
    return TASK_DONE;
}

static void visited(struct task *t, struct worker *w)
{
    struct visitor *v = (struct visitor *)t;

    (void)w;
    if (atomic_fetch_sub(&v->crowd->left, 1) == 1)
        scheduler_stop(v->crowd->scheduler);
}

static const struct task_class visitor_class = {.run = visit, .done = visited};

TEST(a_turn_belongs_to_one_of_many)
{
    static struct visitor visitors[TASKS];
    struct crowd crowd = {.scheduler = make_workers(3), .left = TASKS};

    for (size_t i = 0; i < TASKS; i++) {
        visitors[i] = (struct visitor){.crowd = &crowd};
        visitors[i].prng.state = i + 1;
        task_init(&visitors[i].task, &visitor_class);
        task_start(crowd.scheduler, NULL, &visitors[i].task);
    }
    CHECK(scheduler_run(crowd.scheduler, NULL));
    CHECK(crowd.inside + atomic_load(&crowd.given_up) == (uint64_t)TASKS * ROUNDS);
    CHECK(atomic_load(&crowd.turn.holder) == 0 && !crowd.turn.first);
    scheduler_free(crowd.scheduler);
}
