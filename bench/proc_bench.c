/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What actors cost when their bodies are a few lines of C, on one worker: messages to oneself,
 * round trips of a pair, spawn and exit, spawn with a message and exit. Prints nanoseconds of one.
 */
#include "plat/clock.h"
#include "proc/environment.h"
#include "proc/process.h"
#include "sched/scheduler.h"
#include <stdio.h>
#include <stdlib.h>

#define COUNT 5000000u

static struct actors actors;
static struct scheduler *scheduler;
static struct config *config;
static uint64_t partner, left;

static void no_release(struct process *p, struct worker *w)
{
    (void)p;
    (void)w;
}

/* The next message of tag 5, or NULL when the wait has begun. */
static struct message *receive(struct process *p)
{
    const int64_t wanted[] = {5};
    struct message *m;

    if (!process_handle_signals(p))
        return NULL;
    m = mailbox_take(&p->mailbox, wanted, 1, 0);
    if (m)
        wait_end(p);
    else if (p->wait.kind == WAIT_NONE)
        wait_message(p, wanted, 1, DEADLINE_NEVER, 0);
    return m;
}

static void send(struct process *p, uint64_t to)
{
    struct message *m = message_new(&actors, 5, 0);

    if (!m || !message_write(m, &left, sizeof(left)))
        abort();
    process_send(p->environment, to, m);
}

static enum task_result run_self(struct process *p, struct worker *w)
{
    (void)w;
    for (; left > 0; left--) {
        struct message *m;

        send(p, process_id(p));
        m = receive(p);
        if (!m)
            abort();
        message_free(&actors, m);
    }
    return TASK_DONE;
}

static enum task_result run_pong(struct process *p, struct worker *w)
{
    struct message *m;

    (void)w;
    while ((m = receive(p))) {
        message_free(&actors, m);
        send(p, PROCESS_MAIN);
    }
    return TASK_PARK;
}

static enum task_result run_ping(struct process *p, struct worker *w)
{
    struct message *m;

    (void)w;
    if (left == COUNT) {
        left--;
        send(p, partner);
    }
    while ((m = receive(p))) {
        message_free(&actors, m);
        if (--left == 0)
            return TASK_DONE;
        send(p, partner);
    }
    return TASK_PARK;
}

static enum task_result run_child(struct process *p, struct worker *w)
{
    (void)p;
    (void)w;
    return TASK_DONE;
}

static enum task_result run_reader(struct process *p, struct worker *w)
{
    struct message *m = receive(p);

    (void)w;
    if (!m)
        return TASK_PARK;
    message_free(&actors, m);
    return TASK_DONE;
}

static uint64_t spawn(struct environment *e, const struct process_class *class_)
{
    struct spawn_options options = {.class_ = class_, .config = config};
    uint64_t id;

    if (!process_spawn(e, &options, &id, NULL))
        abort();
    return id;
}

static const struct process_class self_class = {.run = run_self, .release = no_release};
static const struct process_class ping_class = {.run = run_ping, .release = no_release};
static const struct process_class pong_class = {.run = run_pong, .release = no_release};
static const struct process_class child_class = {.run = run_child, .release = no_release};
static const struct process_class reader_class = {.run = run_reader, .release = no_release};

static enum task_result run_spawner(struct process *p, struct worker *w)
{
    (void)w;
    spawn(p->environment, &child_class);
    return --left == 0 ? TASK_DONE : TASK_YIELD;
}

static enum task_result run_spawn_send(struct process *p, struct worker *w)
{
    (void)w;
    send(p, spawn(p->environment, &reader_class));
    return --left == 0 ? TASK_DONE : TASK_YIELD;
}

static const struct process_class spawner_class = {.run = run_spawner, .release = no_release};
static const struct process_class spawn_send_class = {.run = run_spawn_send, .release = no_release};

static void stop(struct environment *e, const struct environment_exit *how, void *arg)
{
    (void)e;
    (void)how;
    (void)arg;
    scheduler_stop(scheduler);
}

static void measure(const char *what, const struct process_class *main_class, bool has_partner)
{
    struct scheduler_options options = {.worker_count = 1, .tick = TICK_OFF};
    struct actors_options actors_options = {0};
    struct environment_options environment_options = {.id = 1, .on_exit = stop};
    struct environment *e;
    struct error err;
    uint64_t begin;

    if (!scheduler_new(&options, &scheduler, &err))
        abort();
    actors_options.scheduler = scheduler;
    if (!actors_init(&actors, &actors_options, &err) ||
        !(e = environment_new(&actors, &environment_options, &err)))
        abort();
    config = config_new();
    left = COUNT;
    spawn(e, main_class);
    if (has_partner)
        partner = spawn(e, &pong_class);
    begin = clock_monotonic_ns();
    if (!scheduler_run(scheduler, &err))
        abort();
    printf("%-28s %6.1f ns\n", what, (double)(clock_monotonic_ns() - begin) / COUNT);
    environment_free(e);
    config_unref(config);
    actors_deinit(&actors);
    scheduler_free(scheduler);
}

int main(void)
{
    measure("send to self, receive", &self_class, false);
    measure("round trip of a pair", &ping_class, true);
    measure("spawn, exit", &spawner_class, false);
    measure("spawn, message, exit", &spawn_send_class, false);
    return 0;
}
