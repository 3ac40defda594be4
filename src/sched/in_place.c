/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/in_place.h"
#include "plat/alarm.h"
#include "plat/cpu.h"
#include "sched/internal.h"

/* What comes from outside goes to other workers anyway, but only a worker's own thread looks at its
 * wheel and its poller. So when a wait takes too long, a reliever does: a task of its own, woken by
 * an alarm that is registered with the poller of another worker. The alarm is left as it is after a
 * wait, and put off by the next one that it could disturb: a system call in several waits, and no
 * wake as long as they are short. */
#define RELIEF_NS       NS_PER_MS        /* from the beginning of a wait, or from look to look */
#define RELIEF_LEAST_NS (50 * NS_PER_US) /* a look is no closer */

static bool has_ready(const struct core *c)
{
    return core_slot(c) || ring_count(&c->ring) > 0 || fifo_count(&c->overflow) > 0 ||
           fifo_count(&c->used_up) > 0 || fifo_count(&c->pub.scheduler->global) > 0;
}

/* Whether it has nothing to do before `until_ns`, as far as can be said now. */
static bool has_time(struct core *c, uint64_t until_ns)
{
    /* Too early is what it may be, so it is looked up only if that matters. */
    if (atomic_load_explicit(&c->earliest_ns, memory_order_relaxed) <= until_ns &&
        core_next_deadline(c) <= until_ns)
        return false;
    return atomic_load_explicit(&c->io_count, memory_order_relaxed) == 0 ||
           !poller_is_ready(&c->poller);
}

/* ---- The reliever ---- */

static void set_alarm(struct core *c, uint64_t ns)
{
    atomic_store_explicit(&c->relief.alarm_ns, ns, memory_order_relaxed);
    alarm_set(c->relief.io.fd, ns);
}

/* One look at the wheel and the poller of `c`, on `by`. Its alarm is set anew. */
static void look_after(struct core *c, struct core *by)
{
    const bool has_more = core_poll_for(by, c);
    uint64_t now, earliest, next;

    now = clock_monotonic_ns();
    if (atomic_load_explicit(&c->earliest_ns, memory_order_relaxed) <= now)
        (void)core_fire_late(by, c, now);
    earliest = atomic_load_explicit(&c->earliest_ns, memory_order_relaxed);
    next = deadline_after(earliest, 1u << WHEEL_TICK_SHIFT); /* the wheel rounds up */
    if (next < now + RELIEF_LEAST_NS || has_more)
        next = now + RELIEF_LEAST_NS;
    if (next > now + RELIEF_NS)
        next = now + RELIEF_NS;
    set_alarm(c, next);
}

static enum task_result relieve(struct task *t, struct worker *w)
{
    struct core *c = CONTAINER_OF(t, struct core, relief.task);

    while (io_wait(&c->relief.io, IO_READ, t) == IO_READY) {
        /* seq_cst, both: pairs with the worker's store to is_blocked and look at is_there. Either
         * it sees us and lets us finish, or we see what it is about to do. */
        atomic_store(&c->relief.is_there, true);
        if (atomic_load(&c->is_blocked))
            look_after(c, core_of(w));
        else
            atomic_store_explicit(&c->relief.alarm_ns, 0, memory_order_relaxed);
        atomic_store_explicit(&c->relief.is_there, false, memory_order_release);
    }
    return TASK_PARK;
}

static const struct task_class relief_class = {.run = relieve};

static struct core *another(struct core *c)
{
    struct scheduler *s = c->pub.scheduler;
    struct core *found = NULL;

    mutex_lock(&s->lock);
    for (uint32_t i = 1; i < s->worker_count && !found; i++) {
        struct core *other = &s->cores[(c->pub.index + i) % s->worker_count];

        if (other->is_started)
            found = other;
    }
    mutex_unlock(&s->lock);
    return found;
}

/* Nobody waits for the alarm but the task, and both live as long as the core. */
static void keep(struct io *io)
{
    (void)io;
}

static bool find_reliever(struct core *c)
{
    struct scheduler *s = c->pub.scheduler;
    struct core *by = another(c);
    struct error err;

    if (!by) {
        scheduler_notify(s, c); /* for the next time */
        return false;
    }
    if (!io_open(&c->relief.io, s, &by->pub, c->relief.io.fd, keep, &err))
        return false;
    c->relief.by = by;
    task_init(&c->relief.task, &relief_class);
    task_start(s, NULL, &c->relief.task);
    return true;
}

bool core_init_relief(struct core *c, struct error *err)
{
    c->relief.io.fd = -1;
    return !c->pub.scheduler->is_shared || alarm_open(&c->relief.io.fd, err);
}

void core_deinit_relief(struct core *c)
{
    if (c->relief.io.fd >= 0)
        alarm_close(c->relief.io.fd);
}

/* ---- Waiting ---- */

/* Until the reliever has gone, if it is there. */
static void meet_reliever(struct core *c)
{
    for (unsigned i = 0; atomic_load(&c->relief.is_there); i++) {
        if (i < 1000) /* for one batch of its poller, and one of timers */
            cpu_relax();
        else
            thread_yield(); /* the system does not run it */
    }
}

static void unblock(struct core *c)
{
    atomic_store(&c->is_blocked, false);
    meet_reliever(c);
}

bool in_place_begin(struct worker *w, uint64_t expected_ns)
{
    struct core *c = core_of(w);
    struct scheduler *s = w->scheduler;
    uint64_t now;

    if (!s->is_shared || expected_ns > IN_PLACE_MAX_NS || has_ready(c) ||
        atomic_load_explicit(&s->idle_count, memory_order_relaxed) == 0)
        return false;
    now = clock_monotonic_ns();
    if (!has_time(c, now + expected_ns) || (!c->relief.by && !find_reliever(c)))
        return false;
    /* seq_cst, both: of workers of which each looks after the next, in a circle, the last one to
     * come here sees that its own reliever waits too. So from each that waits the way leads to one
     * that does not. */
    atomic_store(&c->is_blocked, true);
    if (atomic_load(&c->relief.by->is_blocked)) {
        unblock(c);
        return false;
    }
    meet_reliever(c); /* it may be about to say that the alarm has gone off */
    if (atomic_load_explicit(&c->relief.alarm_ns, memory_order_relaxed) <
        now + expected_ns + RELIEF_LEAST_NS)
        set_alarm(c, now + RELIEF_NS);
    COUNT(c->stats.in_place, 1);
    tick_pause(&c->tick);
    c->blocked_cycles = clock_cycles();
    return true;
}

void in_place_end(struct worker *w)
{
    struct core *c = core_of(w);
    uint64_t waited = clock_cycles() - c->blocked_cycles;

    tick_resume(&c->tick);
    unblock(c);
    c->waited_cycles += waited;
    c->check_cycles += waited; /* it is not the length of a slice */
}
