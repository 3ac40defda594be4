/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/clock.h"
#include "plat/thread.h"
#include "support.h"
#include <unistd.h>

struct job {
    struct offload_job job; /* first */
    uint32_t input, output;
    uint32_t delay_us;
    atomic_uint *discarded;
};

static void job_run(struct offload_job *j)
{
    struct job *job = (struct job *)j;

    if (job->delay_us)
        usleep(job->delay_us);
    job->output = job->input * 2;
}

static void job_discard(struct offload_job *j)
{
    struct job *job = (struct job *)j;

    if (job->discarded)
        atomic_fetch_add(job->discarded, 1);
    mem_free(job);
}

static struct job *job_new(uint32_t input, uint32_t delay_us, struct task *waiter)
{
    struct job *job = mem_new(struct job);

    job->job.run = job_run;
    job->job.discard = job_discard;
    job->job.waiter = waiter;
    job->input = input;
    job->delay_us = delay_us;
    return job;
}

struct client {
    struct task task; /* first */
    struct scheduler *scheduler;
    struct job *job;
    uint32_t round, rounds, sum;
    atomic_uint *left;
};

static enum task_result client_run(struct task *t, struct worker *w)
{
    struct client *c = (struct client *)t;

    for (;;) {
        if (c->job) {
            if (!offload_finished(&c->job->job))
                return TASK_PARK;
            c->sum += c->job->output;
            mem_free(c->job);
            c->job = NULL;
            c->round++;
        }
        if (c->round == c->rounds)
            return TASK_DONE;
        c->job = job_new(c->round, 0, t);
        offload_submit(c->scheduler, w, &c->job->job);
    }
}

static void client_done(struct task *t, struct worker *w)
{
    struct client *c = (struct client *)t;

    (void)w;
    if (atomic_fetch_sub(c->left, 1) == 1)
        scheduler_stop(c->scheduler);
}

static const struct task_class client_class = {client_run, client_done, NULL};

static void run_clients(struct scheduler *s)
{
    enum { COUNT = 50, ROUNDS = 40 };
    struct client all[COUNT];
    atomic_uint left = COUNT;

    for (uint32_t i = 0; i < COUNT; i++) {
        all[i] = (struct client){.scheduler = s, .rounds = ROUNDS, .left = &left};
        task_init(&all[i].task, &client_class);
        task_start(s, NULL, &all[i].task);
    }
    EXPECT(scheduler_run(s, NULL));
    for (uint32_t i = 0; i < COUNT; i++)
        EXPECT(all[i].sum == ROUNDS * (ROUNDS - 1));
    scheduler_free(s);
}

TEST(jobs_wake_the_tasks_that_wait_for_them)
{
    run_clients(make_workers(2));
}

TEST(few_helpers_do_many_jobs)
{
    struct scheduler_options options = {.worker_count = 1, .offload_thread_max = 2};
    struct scheduler *s = NULL;

    CHECK(scheduler_new(&options, &s, NULL));
    run_clients(s);
}

TEST(seeded_runs_do_jobs_in_place)
{
    run_clients(make_seeded(5));
}

/* Detached jobs are discarded exactly once, whether they wait, run or have ended. */
TEST(a_detached_job_is_discarded_once)
{
    struct scheduler_options options = {.worker_count = 1, .offload_thread_max = 2};
    struct scheduler *s = NULL;
    struct job *jobs[60];
    atomic_uint discarded = 0;

    CHECK(scheduler_new(&options, &s, NULL));
    for (uint32_t i = 0; i < 60; i++) {
        jobs[i] = job_new(i, 500, NULL);
        jobs[i]->discarded = &discarded;
        offload_submit(s, NULL, &jobs[i]->job);
    }
    while (!offload_finished(&jobs[4]->job))
        thread_yield();
    for (uint32_t i = 0; i < 50; i++)
        offload_detach(s, &jobs[i]->job);
    usleep(700);
    for (uint32_t i = 50; i < 55; i++) { /* five end, five are left in the queue at most */
        while (!offload_finished(&jobs[i]->job))
            thread_yield();
        offload_detach(s, &jobs[i]->job);
    }
    for (uint32_t i = 55; i < 60; i++)
        offload_detach(s, &jobs[i]->job);
    scheduler_free(s);
    CHECK(atomic_load(&discarded) == 60);
}

TEST(freeing_the_scheduler_discards_jobs_that_wait)
{
    struct scheduler_options options = {.worker_count = 1, .offload_thread_max = 1};
    struct scheduler *s = NULL;
    atomic_uint discarded = 0;
    struct job *first = job_new(1, 20000, NULL);

    CHECK(scheduler_new(&options, &s, NULL));
    first->discarded = &discarded;
    offload_submit(s, NULL, &first->job);
    for (uint32_t i = 0; i < 5; i++) {
        struct job *job = job_new(i, 0, NULL);

        job->discarded = &discarded;
        offload_submit(s, NULL, &job->job);
    }
    offload_detach(s, &first->job);
    scheduler_free(s);
    CHECK(atomic_load(&discarded) == 6);
}

static atomic_uint runs;

static void counted_run(struct offload_job *j)
{
    job_run(j);
    atomic_fetch_add(&runs, 1);
}

/* Jobs submitted alone run in any case, and are discarded then: by helpers, by whoever frees the
 * scheduler, and in place. */
TEST(jobs_that_nobody_waits_for_run_and_are_discarded)
{
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct scheduler_options options = {
            .worker_count = 1, .offload_thread_max = 2, .deterministic = deterministic};
        struct scheduler *s = NULL;
        atomic_uint discarded = 0;

        atomic_store(&runs, 0);
        CHECK(scheduler_new(&options, &s, NULL));
        for (uint32_t i = 0; i < 40; i++) {
            struct job *job = job_new(i, 500, NULL);

            job->job.run = counted_run;
            job->discarded = &discarded;
            offload_submit_alone(s, NULL, &job->job);
            while (i == 19 && atomic_load(&discarded) < 20)
                thread_yield();
        }
        scheduler_free(s);
        CHECK(atomic_load(&runs) == 40);
        CHECK(atomic_load(&discarded) == 40);
    }
}
