/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* When signals act: before a process first runs, and never out of their order (section 3.3). */
#include "world.h"

static enum task_result notes_that_it_runs(struct process *p, struct actor *self)
{
    (void)p;
    note(self->world, 1);
    return TASK_DONE;
}

static enum task_result kills_before_the_first_run(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        uint64_t victim = actor_spawn(p, notes_that_it_runs, 0, 0, true, 0);

        process_unlink(p, victim);
        actor_send(p, victim, 1, "never read", 10);
        process_kill(p->environment, victim);
    }
    return actor_slept(p, 10 * MS) ? TASK_DONE : TASK_PARK;
}

/* 3.3: signals are handled before the guest runs for the first time. */
TEST(a_process_killed_before_its_first_run_never_runs)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world w;

        CHECK(world_open(&w, seed));
        world_spawn(&w, kills_before_the_first_run, 0, 0);
        CHECK(world_run(&w));
        CHECK(w.event_count == 0 && w.exit.reason == EXIT_NORMAL);
        CHECK(world_close(&w));
    }
}

/* A burst of link and unlink, ended by either: what holds is what was asked for last. */
static enum task_result changes_its_mind(struct process *p, struct actor *self)
{
    if (self->step++ == 0) {
        uint64_t victim = actor_spawn(p, role_fail_later, 0, 0, false, 0);

        for (int i = 0; i < 5; i++) {
            process_link(p, victim, i + 1);
            process_unlink(p, victim);
        }
        if (self->tag)
            process_link(p, victim, 9);
    }
    return actor_slept(p, 100 * MS) ? TASK_DONE : TASK_PARK;
}

TEST(the_last_of_links_and_unlinks_holds)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world w;

        CHECK(world_open(&w, seed));
        world_spawn(&w, changes_its_mind, 0, (int64_t)(seed % 2));
        CHECK(world_run(&w));
        CHECK(w.exit.reason == (seed % 2 ? EXIT_LINK_DIED : EXIT_NORMAL));
        CHECK(world_close(&w));
    }
}
