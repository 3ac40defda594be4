/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The loop of a worker: which task is next, and running it. What it does when there is none is in
 * idle.c. */
#include "sched/internal.h"
#include <string.h>

static _Thread_local struct worker *current_worker;

struct worker *worker_current(void)
{
    return current_worker;
}

/* The tick, in signal context. */
void core_tick(void *data, void *ucontext)
{
    struct core *c = data;
    const struct scheduler_hooks *hooks = &c->pub.scheduler->options.hooks;

    COUNT(c->tick_count, 1);
    if (!hooks->tick || !hooks->tick(&c->pub, ucontext))
        c->pub.tick = 1;
}

/* ---- Queues ---- */

static struct task *take_slot(struct core *c)
{
    struct task *t = core_slot(c);

    atomic_store_explicit(&c->slot, NULL, memory_order_relaxed);
    return t;
}

void core_push(struct core *c, struct task *t, bool is_woken)
{
    struct scheduler *s = c->pub.scheduler;

    if (UNLIKELY(s->options.deterministic)) {
        ASSERT(vec_push(&c->ready, t));
        return;
    }
    /* Woken by a task, that is: what the poller and the timers have to tell is for many, and the
     * first of them shall not come before all that wait. */
    if (is_woken && c->pub.current && !core_slot(c)) {
        atomic_store_explicit(&c->slot, t, memory_order_relaxed);
        return;
    }
    if (fifo_count(&c->overflow) > 0 || UNLIKELY(!ring_push(&c->ring, t))) {
        spinlock_lock(&c->lock);
        fifo_push(&c->overflow, t);
        spinlock_unlock(&c->lock);
    }
    /* The first will be run here, and soon; the second is worth another core (the third, if nothing
     * runs now: then the first has not gone to the slot). A wake-up that is
     * missed because the other worker goes to sleep at this moment is made good by the next push or
     * tick. */
    if (s->is_shared && ring_count(&c->ring) >= (c->pub.current ? 2u : 3u))
        core_notify_if_idle(c);
}

static void push_used_up(struct core *c, struct task *t)
{
    spinlock_lock(&c->lock);
    fifo_push(&c->used_up, t);
    spinlock_unlock(&c->lock);
    if (c->pub.scheduler->is_shared)
        core_notify_if_idle(c);
}

struct task *core_pop_used_up(struct core *c)
{
    struct task *t;

    if (fifo_count(&c->used_up) == 0)
        return NULL;
    spinlock_lock(&c->lock);
    t = fifo_pop(&c->used_up);
    spinlock_unlock(&c->lock);
    return t;
}

struct task *core_pop_ring(struct core *c)
{
    struct task *t = ring_pop(&c->ring, c->pub.scheduler->is_shared);

    if (UNLIKELY(fifo_count(&c->overflow) > 0) && ring_count(&c->ring) < RING_SIZE / 2) {
        struct task *more;

        spinlock_lock(&c->lock);
        while (ring_count(&c->ring) < RING_SIZE && (more = fifo_pop(&c->overflow)))
            ASSERT(ring_push(&c->ring, more));
        spinlock_unlock(&c->lock);
        if (!t)
            t = ring_pop(&c->ring, c->pub.scheduler->is_shared);
    }
    return t;
}

/* Our share of what came from outside. */
bool core_take_global(struct core *c)
{
    struct scheduler *s = c->pub.scheduler;
    size_t count;

    if (LIKELY(fifo_count(&s->global) == 0))
        return false;
    mutex_lock(&s->lock);
    count = fifo_count(&s->global) / s->worker_count + 1;
    for (size_t i = 0; i < count && (i < GLOBAL_BATCH || s->options.deterministic); i++) {
        struct task *t = fifo_pop(&s->global);

        if (!t)
            break;
        if (s->options.deterministic) {
            ASSERT(vec_push(&c->ready, t));
        } else if (!ring_push(&c->ring, t)) {
            spinlock_lock(&c->lock);
            fifo_push(&c->overflow, t);
            spinlock_unlock(&c->lock);
        }
    }
    mutex_unlock(&s->lock);
    return true;
}

static struct task *pick_seeded(struct core *c)
{
    size_t index;
    struct task *t;

    core_take_global(c);
    if (c->ready.count == 0)
        return NULL;
    index = (size_t)prng_below(&c->prng, c->ready.count);
    t = c->ready.items[index];
    c->ready.items[index] = c->ready.items[--c->ready.count];
    return t;
}

static bool used_up_is_due(struct core *c)
{
    return c->woken_runs >= WOKEN_RUNS_MAX ||
           (c->woken_runs > 0 &&
            clock_cycles() - c->woken_since > c->cycles_per_ms * (WOKEN_TIME_NS / NS_PER_MS));
}

/* Counts a pick of a woken task. Their time begins with the first after a used-up one: counted from
 * that one's own begin, its slice would be their time, and they would never run. */
static void count_woken(struct core *c)
{
    if (c->woken_runs++ == 0)
        c->woken_since = clock_cycles();
}

/* The next task of our own queues, or NULL. */
struct task *core_pick(struct core *c)
{
    struct task *t;

    if (UNLIKELY(c->pub.scheduler->options.deterministic))
        return pick_seeded(c);
    if (UNLIKELY(fifo_count(&c->used_up) > 0) && used_up_is_due(c) && (t = core_pop_used_up(c)))
        goto used_up;
    if (core_slot(c) && (c->slot_runs < SLOT_RUNS_MAX || ring_count(&c->ring) == 0)) {
        t = take_slot(c);
        c->slot_runs++;
        count_woken(c);
        return t;
    }
    c->slot_runs = 0;
    t = core_pop_ring(c);
    if (t) {
        count_woken(c);
        return t;
    }
    if (core_slot(c)) /* the ring was emptied by a thief */
        return take_slot(c);
    t = core_pop_used_up(c);
    if (!t) {
        t = core_take_global(c) ? core_pop_ring(c) : NULL;
        if (t)
            count_woken(c);
        return t;
    }
used_up:
    c->woken_runs = 0;
    return t;
}

static void prefetch(struct task *t, enum task_distance distance)
{
    /* Relaxed: storage of a task that has ended may be made the next at this moment. */
    const struct task_class *class_ = __atomic_load_n(&t->class_, __ATOMIC_RELAXED);

    if (class_->prefetch)
        class_->prefetch(t, distance);
}

/* Hints at the tasks after this one. */
static void prefetch_next(struct core *c)
{
    struct task *t = core_slot(c); /* which nobody takes from us */

    if (t) {
        prefetch(t, TASK_NEXT);
        return;
    }
    if ((t = ring_peek(&c->ring, 0)))
        prefetch(t, TASK_NEXT);
    if ((t = ring_peek(&c->ring, 1)))
        prefetch(t, TASK_NEXT_BUT_ONE);
}

/* ---- Extra ticks ---- */

/* Sees to it that a tick comes at the next deadline, for the tick of CPU time may be long in
 * coming; but not at once, lest slices get too short to get on. */
static void set_alarm(struct core *c)
{
    uint64_t deadline = atomic_load_explicit(&c->earliest_ns, memory_order_relaxed), least;
    uint64_t poked = atomic_load_explicit(&c->poked_ns, memory_order_relaxed);
    bool was_poked = poked != c->poke_seen_ns;

    if (c->tick.clock == TICK_OFF)
        return;
    /* Others were woken, but it is the turn of one that uses up what it gets. */
    if (c->woken_runs == 0 && (core_slot(c) || ring_count(&c->ring) > 0)) {
        least = clock_monotonic_ns() + SLICE_SHARED_NS;
        if (least < c->alarm_ns && tick_alarm(&c->tick, least))
            c->alarm_ns = least;
    }
    if (deadline >= c->alarm_for_ns && !was_poked)
        return;
    c->poke_seen_ns = poked;
    if (deadline < c->alarm_for_ns)
        c->alarm_for_ns = deadline;
    least = clock_monotonic_ns() + SLICE_LEAST_NS;
    /* The wheel rounds up. */
    deadline = deadline_after(deadline, 1u << WHEEL_TICK_SHIFT);
    /* The poke may have come before this slice, and those that follow soon are not sent. */
    if (deadline < least || was_poked)
        deadline = least;
    if (deadline < c->alarm_ns && tick_alarm(&c->tick, deadline))
        c->alarm_ns = deadline;
}

/* A slice was long: others that wait for this worker have to stop the next ones. */
static void mark_busy(struct core *c, uint64_t now)
{
    c->busy_ns = now;
    c->busy_runs = c->stats.runs;
    if (atomic_load_explicit(&c->is_busy, memory_order_relaxed))
        return;
    atomic_store_explicit(&c->is_busy, true, memory_order_relaxed);
    c->alarm_ns = c->alarm_for_ns = DEADLINE_NEVER; /* of the last time */
    if (c->pub.scheduler->is_shared)                /* somebody shall look after our timers */
        core_notify_if_idle(c);
}

/* After a look: what the alarm was for is over. */
static void renew_alarm(struct core *c, uint64_t now)
{
    if (now - c->busy_ns > BUSY_TIME_NS && c->stats.runs - c->busy_runs > BUSY_RUNS &&
        fifo_count(&c->used_up) == 0) {
        atomic_store_explicit(&c->is_busy, false, memory_order_relaxed);
        return;
    }
    core_next_deadline(c);
    c->alarm_for_ns = DEADLINE_NEVER;
    if (c->alarm_ns <= now)
        c->alarm_ns = DEADLINE_NEVER;
}

/* A slice was stopped. Whether to take the task for one that uses slices up: it may have begun just
 * before the tick, and must not wait behind those then, nor make its worker a busy one. It began
 * after the loop has read the counter last. */
static bool is_used_up(struct core *c)
{
    const uint64_t now = clock_cycles(), least = c->cycles_per_ms * SLICE_LEAST_NS / NS_PER_MS;

    return c->woken_runs == 0 || (now - c->woken_since > least && now - c->check_cycles > least);
}

/* ---- Running ---- */

/* When the next look is due: with the next timer, but soon in any case. */
static void plan_look(struct core *c, uint64_t now, uint64_t cycles)
{
    uint64_t next = atomic_load_explicit(&c->earliest_ns, memory_order_relaxed);
    uint64_t delay = LOOK_TIME_NS;

    if (next < now + delay)
        delay = next > now ? next - now : 0;
    c->look_ns = now;
    c->looked_cycles = cycles;
    c->look_cycles = cycles + c->cycles_per_ms * delay / NS_PER_MS;
}

/* Fires what other workers leave for too long: the system may not run them. */
static void look_at_others(struct core *c, uint64_t now)
{
    struct scheduler *s = c->pub.scheduler;

    for (uint32_t i = 0; i < s->worker_count; i++) {
        struct core *other = &s->cores[i];

        if (other != c &&
            UNLIKELY(deadline_after(atomic_load_explicit(&other->earliest_ns, memory_order_relaxed),
                                    LATE_BUSY_NS) < now))
            (void)core_fire_late(c, other, now);
    }
}

/* What happens every now and then while there is work. */
void core_look(struct core *c, bool after_tick)
{
    uint64_t now = scheduler_now_ns(c->pub.scheduler);
    uint64_t cycles = clock_cycles();

    c->switches = 0;
    if (!c->pub.scheduler->options.virtual_clock) {
        if (c->base_ns == 0) {
            c->base_ns = now;
            c->base_cycles = cycles;
        } else if (now - c->base_ns > NS_PER_MS) {
            double ms = (double)(now - c->base_ns) / (double)NS_PER_MS;

            c->cycles_per_ms = (uint64_t)((double)(cycles - c->base_cycles) / ms) + 1;
        }
    }
    core_run_timers(c, now);
    plan_look(c, now, cycles);
    if (atomic_load_explicit(&c->io_count, memory_order_relaxed) > 0 ||
        atomic_load_explicit(&c->io_closed, memory_order_relaxed)) {
        /* What is ready comes to an end before the next batch is asked for, while it is still in
         * the cache. */
        uint64_t pause = ring_count(&c->ring) > POLL_ENOUGH ? POLL_LATE_NS : POLL_TIME_NS;

        if (after_tick || now - c->polled_ns >= pause) {
            c->polled_ns = now;
            core_poll(c, 0);
        }
    }
    if (UNLIKELY(atomic_load_explicit(&c->is_busy, memory_order_relaxed)))
        renew_alarm(c, now);
    if (c->pub.scheduler->is_shared)
        look_at_others(c, now);
    core_take_global(c);
    if (after_tick && c->pub.scheduler->is_shared &&
        ring_count(&c->ring) + fifo_count(&c->used_up) > 0)
        core_notify_if_idle(c);
}

static void run_task(struct core *c, struct task *t)
{
    struct scheduler *s = c->pub.scheduler;
    uint32_t old, expected = TASK_RUNNING;
    enum task_result result;
    struct task *next;
    bool is_short;

again:
    if (UNLIKELY(t->worker != c->pub.index)) {
        /* If slices are long where it comes from, this one is going to be. */
        if (atomic_load_explicit(&s->cores[t->worker].is_busy, memory_order_relaxed))
            mark_busy(c, clock_monotonic_ns());
        t->worker = c->pub.index;
    }
    c->pub.current = t;
    c->pub.tick = 0;
    COUNT(c->stats.runs, 1);
    atomic_store_explicit(&c->slices, c->stats.runs, memory_order_relaxed);
    /* acq_rel: pairs with the exchange in task_wake, in both directions */
    old = atomic_exchange_explicit(&t->state, TASK_RUNNING, memory_order_acq_rel);
    ASSERT(old == TASK_QUEUED);
    if (UNLIKELY(atomic_load_explicit(&c->is_busy, memory_order_relaxed)))
        set_alarm(c);
    prefetch_next(c);
    result = t->class_->run(t, &c->pub);
    c->pub.current = NULL;
    if (s->options.virtual_slice_ns)
        atomic_fetch_add_explicit(&s->virtual_ns, s->options.virtual_slice_ns,
                                  memory_order_relaxed);
    switch (result) {
    case TASK_PARK:
        /* acq_rel: as above. Once it is parked, it may be running elsewhere. */
        if (LIKELY(atomic_compare_exchange_strong_explicit(
                &t->state, &expected, TASK_PARKED, memory_order_acq_rel, memory_order_acquire)))
            break;
        ASSERT(expected == TASK_RUNNING_WOKEN);
        atomic_exchange_explicit(&t->state, TASK_QUEUED, memory_order_acq_rel);
        core_push(c, t, true);
        break;
    case TASK_YIELD:
        atomic_exchange_explicit(&t->state, TASK_QUEUED, memory_order_acq_rel);
        core_push(c, t, false);
        break;
    case TASK_USED_UP:
        atomic_exchange_explicit(&t->state, TASK_QUEUED, memory_order_acq_rel);
        COUNT(c->stats.used_up, 1);
        is_short = !is_used_up(c);
        if (!s->options.deterministic) {
            c->pub.used_up_ns = clock_monotonic_ns();
            if (!is_short)
                mark_busy(c, c->pub.used_up_ns);
        }
        core_look(c, true);
        if (is_short) {
            core_push(c, t, false);
            break;
        }
        /* The slice just ended is not time the woken had. */
        c->woken_since = c->check_cycles = clock_cycles();
        if (s->options.deterministic) {
            core_push(c, t, false);
            break;
        }
        if (scheduler_stopping(s)) {
            push_used_up(c, t);
            break;
        }
        next = core_pick(c); /* so that a single busy task never lies about to be stolen */
        if (next)
            push_used_up(c, t);
        else
            next = t;
        t = next;
        goto again;
    case TASK_DONE:
        atomic_store_explicit(&t->state, TASK_DEAD, memory_order_release);
        t->class_->done(t, &c->pub);
        break;
    }
}

/* Reads the cycle counter: after every run when runs are long, else after some. */
static bool look_is_due(struct core *c)
{
    uint64_t cycles = clock_cycles(), took = cycles - c->check_cycles;

    if (UNLIKELY(took > c->cycles_per_ms * LONG_RUN_NS / NS_PER_MS) && c->check_mask == 0)
        mark_busy(c, clock_monotonic_ns());
    c->check_cycles = cycles;
    if (took > c->cycles_per_ms / 16)
        c->checks_left = CHECKS_EACH;
    else if (c->checks_left > 0)
        c->checks_left--;
    c->check_mask = c->checks_left > 0 ? 0 : 3;
    return (int64_t)(cycles - c->look_cycles) > 0;
}

static void loop(struct core *c, uint64_t *seen)
{
    struct scheduler *s = c->pub.scheduler;

    while (!scheduler_stopping(s)) {
        struct task *t = core_pick(c);

        if (UNLIKELY(!t)) {
            t = core_idle(c, seen);
            c->check_cycles = clock_cycles();
            c->check_mask = 0;
            if (!t)
                continue;
        }
        run_task(c, t);
        c->switches++;
        /* Real time must not decide in deterministic runs. */
        if (UNLIKELY(c->switches >= LOOK_SWITCHES || c->pub.tick ||
                     ((c->switches & c->check_mask) == 0 && !s->options.deterministic &&
                      look_is_due(c))))
            core_look(c, c->pub.tick != 0);
    }
}

static void set_has_tick(struct core *c, bool has_tick)
{
    mutex_lock(&c->pub.scheduler->lock);
    c->has_tick = has_tick;
    mutex_unlock(&c->pub.scheduler->lock);
}

void core_main(void *arg)
{
    struct core *c = arg;
    struct scheduler *s = c->pub.scheduler;
    const struct scheduler_hooks *hooks = &s->options.hooks;
    uint64_t *seen = mem_new_array(uint64_t, s->worker_count);
    struct error err = {0};
    bool ok;

    current_worker = &c->pub;
    c->woken_since = c->check_cycles = clock_cycles();
    ok = thread_signals_init(&c->signal_stack, &err);
    if (ok) {
        ok = !hooks->worker_start || hooks->worker_start(&c->pub, &err);
        if (ok) {
            ok = tick_start(&c->tick, s->options.tick, s->options.tick_period_ns, c, &err);
            if (ok) {
                set_has_tick(c, c->tick.clock != TICK_OFF);
                loop(c, seen);
                set_has_tick(c, false);
                tick_stop(&c->tick);
            }
            if (hooks->worker_stop)
                hooks->worker_stop(&c->pub);
        }
        thread_signals_deinit(&c->signal_stack);
    }
    current_worker = NULL;
    mem_free(seen);
    mutex_lock(&s->lock);
    if (!ok) {
        s->has_failed = true;
        s->error = err;
        scheduler_stop_locked(s);
    }
    s->running_count--;
    condition_broadcast(&s->stopped);
    mutex_unlock(&s->lock);
}
