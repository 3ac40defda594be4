/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a worker does when nothing is ready on it: looks for work of others, and sleeps. */
#include "sched/internal.h"

static void search_begin(struct core *c)
{
    if (!c->is_searching) {
        c->is_searching = true;
        atomic_fetch_add_explicit(&c->pub.scheduler->searching, 1, memory_order_relaxed);
    }
}

/* `found`: work, so another may search for more. */
static void search_end(struct core *c, bool found)
{
    if (!c->is_searching)
        return;
    c->is_searching = false;
    atomic_fetch_sub_explicit(&c->pub.scheduler->searching, 1, memory_order_relaxed);
    if (found && ring_count(&c->ring) > 0)
        core_notify_if_idle(c);
}

/* One task of another worker, more of them to our ring. With `seen` (slices of each worker some
 * time ago) also the only task of a worker that has been in the same slice since then. */
static struct task *steal(struct core *c, const uint64_t *seen, bool *has_surplus)
{
    struct scheduler *s = c->pub.scheduler;
    uint32_t start = (uint32_t)prng_below(&c->prng, s->worker_count);

    for (uint32_t i = 0; i < s->worker_count; i++) {
        uint32_t index = (start + i) % s->worker_count;
        struct core *victim = &s->cores[index];
        uint32_t ready = ring_count(&victim->ring);
        bool is_stuck;
        struct task *t;

        if (victim == c)
            continue;
        is_stuck =
            seen && seen[index] == atomic_load_explicit(&victim->slices, memory_order_relaxed);
        if (is_stuck && core_slot(victim)) { /* which is its own: it shall change over to it */
            mutex_lock(&s->lock);
            core_poke(victim);
            mutex_unlock(&s->lock);
        }
        if (ready >= 2 || (ready == 1 && is_stuck)) {
            uint32_t count = ring_steal(&victim->ring, &c->ring);

            COUNT(c->stats.stolen, count);
            if (count > 0 && (t = core_pop_ring(c)))
                return t;
        }
        if ((t = core_pop_used_up(victim))) {
            COUNT(c->stats.stolen, 1);
            return t;
        }
        if (has_surplus && (ready > 0 || (c->search_was_short && core_slot(victim))))
            *has_surplus = true;
    }
    return NULL;
}

/* How long the search that begins now may take, in cycles. It is a share of the time: where work
 * comes in many short pieces (a server's, from the network) workers that looked each time would
 * take the cores from those who have some. */
static uint64_t search_time(struct core *c, uint64_t now)
{
    const uint64_t most = c->cycles_per_ms * SEARCH_TIME_NS / NS_PER_MS;

    c->search_credit += (now - c->search_counted) / SEARCH_SHARE;
    c->search_counted = now;
    if (c->search_credit > most)
        c->search_credit = most;
    return c->search_credit;
}

static void search_over(struct core *c)
{
    uint64_t now = clock_cycles(), spent = now - c->search_counted;

    c->search_counted = now;
    c->search_credit -= spent < c->search_credit ? spent : c->search_credit;
}

/* Looks for work of others for a while. */
static struct task *search(struct core *c, uint64_t *seen)
{
    struct scheduler *s = c->pub.scheduler;
    uint64_t now = clock_cycles(), time = search_time(c, now), until = now + time;
    struct task *t = NULL;

    if (!s->is_shared)
        return NULL;
    c->search_was_short = time < c->cycles_per_ms * SEARCH_TIME_NS / NS_PER_MS;
    search_begin(c);
    for (uint32_t i = 0; i < s->worker_count; i++)
        seen[i] = atomic_load_explicit(&s->cores[i].slices, memory_order_relaxed);
    while (!(t = steal(c, NULL, NULL)) && !scheduler_stopping(s) && clock_cycles() < until &&
           fifo_count(&s->global) == 0 &&
           atomic_load_explicit(&s->idle_count, memory_order_relaxed) + 1 < s->worker_count) {
        for (int i = 0; i < 32; i++)
            cpu_relax();
    }
    /* Who has been in one slice for the whole of a full search is stuck in it. */
    if (!t)
        t = steal(c, c->search_was_short ? NULL : seen, NULL);
    search_over(c);
    return t;
}

static void announce(struct core *c)
{
    struct scheduler *s = c->pub.scheduler;

    mutex_lock(&s->lock);
    if (!c->is_idle) {
        c->is_idle = true;
        c->idle_next = s->idle;
        s->idle = c;
        atomic_fetch_add_explicit(&s->idle_count, 1, memory_order_relaxed);
    }
    mutex_unlock(&s->lock);
}

static void renounce(struct core *c)
{
    struct scheduler *s = c->pub.scheduler;

    mutex_lock(&s->lock);
    if (c->is_idle) {
        for (struct core **at = &s->idle; *at; at = &(*at)->idle_next) {
            if (*at == c) {
                *at = c->idle_next;
                break;
            }
        }
        c->is_idle = false;
        atomic_fetch_sub_explicit(&s->idle_count, 1, memory_order_relaxed);
    }
    mutex_unlock(&s->lock);
}

/* Looks at the timers of those who are in long slices, and fires what is late. How long this may be
 * left alone now; 0: something was fired. */
static uint64_t watch(struct core *c, uint64_t now)
{
    struct scheduler *s = c->pub.scheduler;
    uint64_t timeout = UINT64_MAX, fired = c->stats.timers_fired;

    for (uint32_t i = 0; i < s->worker_count; i++) {
        struct core *other = &s->cores[i];
        uint64_t late, left = WATCH_NS;

        if (other == c || !atomic_load_explicit(&other->is_busy, memory_order_relaxed) ||
            atomic_load_explicit(&other->asleep_ns, memory_order_relaxed) != 0)
            continue;
        late = deadline_after(atomic_load_explicit(&other->earliest_ns, memory_order_relaxed),
                              LATE_IDLE_NS);
        if (late <= now)
            (void)core_fire_late(c, other, now);
        else if (late - now < left)
            left = late - now;
        if (left < timeout)
            timeout = left;
    }
    if (c->stats.timers_fired != fired)
        return 0;
    return timeout < WATCH_LEAST_NS ? WATCH_LEAST_NS : timeout;
}

static bool is_idle(struct core *c)
{
    bool is;

    mutex_lock(&c->pub.scheduler->lock);
    is = c->is_idle;
    mutex_unlock(&c->pub.scheduler->lock);
    return is;
}

static void poll_asleep(struct core *c, uint64_t timeout)
{
    uint64_t begin = clock_monotonic_ns();

    COUNT(c->stats.sleeps, 1);
    atomic_store_explicit(&c->asleep_ns, begin, memory_order_relaxed);
    tick_pause(&c->tick);
    core_poll(c, timeout);
    tick_resume(&c->tick);
    atomic_store_explicit(&c->asleep_ns, 0, memory_order_relaxed);
    COUNT(c->stats.idle_ns, clock_monotonic_ns() - begin);
}

/* Sleeps for at most `timeout`, a watcher of those who are busy meanwhile. */
static void sleep_watching(struct core *c, uint64_t timeout)
{
    struct scheduler *s = c->pub.scheduler;
    uint64_t begin = clock_monotonic_ns(), now = begin, piece;

    while ((piece = watch(c, now)) > 0) {
        uint64_t left = timeout - (now - begin), before = now;

        poll_asleep(c, piece < left ? piece : left);
        now = clock_monotonic_ns();
        /* Woken before its time, maybe for a timer of its own. */
        if (now - before < piece || now - begin >= timeout || scheduler_stopping(s) ||
            !is_idle(c) || core_slot(c) || ring_count(&c->ring) > 0 || fifo_count(&s->global) > 0)
            return;
    }
}

/* Sleeps until something may have come: announced before, all queues looked at since. */
static void sleep_until_event(struct core *c, bool has_surplus)
{
    struct scheduler *s = c->pub.scheduler;
    uint64_t next, now, timeout = UINT64_MAX;

    if (s->options.hooks.before_sleep)
        s->options.hooks.before_sleep(&c->pub);
    next = core_next_deadline(c);
    if (next != DEADLINE_NEVER) {
        now = scheduler_now_ns(s);
        timeout = next > now ? next - now : 0;
    }
    if (has_surplus && timeout > SURPLUS_SLEEP_NS)
        timeout = SURPLUS_SLEEP_NS;
    if (scheduler_stopping(s)) /* a stop after this look ends the wait */
        return;
    if (s->is_shared && !s->options.virtual_clock && timeout > 0 &&
        !atomic_exchange_explicit(&s->has_watcher, true, memory_order_relaxed)) {
        sleep_watching(c, timeout);
        atomic_store_explicit(&s->has_watcher, false, memory_order_relaxed);
    } else {
        poll_asleep(c, timeout);
    }
}

/* After a sleep: what ended it may be a long slice, for which a timer that is due would wait. */
static void fire_what_is_due(struct core *c)
{
    uint64_t earliest = atomic_load_explicit(&c->earliest_ns, memory_order_relaxed), now;

    if (earliest == DEADLINE_NEVER)
        return;
    now = scheduler_now_ns(c->pub.scheduler);
    if (earliest <= now)
        core_run_timers(c, now);
}

/* Deterministic runs: time goes on when nothing is ready. */
static void idle_seeded(struct core *c)
{
    struct scheduler *s = c->pub.scheduler;
    uint64_t next;

    core_poll(c, 0);
    core_run_timers(c, scheduler_now_ns(s));
    core_take_global(c);
    if (c->ready.count > 0)
        return;
    if (!s->options.virtual_clock) {
        sleep_until_event(c, false);
        return;
    }
    next = core_next_deadline(c);
    if (next != DEADLINE_NEVER) {
        if (next > scheduler_now_ns(s))
            atomic_store_explicit(&s->virtual_ns, next, memory_order_relaxed);
        core_run_timers(c, next);
    } else if (s->options.stop_when_stuck &&
               atomic_load_explicit(&c->io_count, memory_order_relaxed) == 0) {
        scheduler_stop(s);
    } else {
        sleep_until_event(c, false);
    }
}

struct task *core_idle(struct core *c, uint64_t *seen)
{
    bool has_surplus = false;
    struct task *t;

    if (c->pub.scheduler->options.deterministic) {
        idle_seeded(c);
        return NULL;
    }
    core_look(c, true);
    if ((t = core_pick(c)) || (t = search(c, seen)) || (t = core_pick(c))) {
        search_end(c, true);
        return t;
    }
    search_end(c, false);
    announce(c);
    if (!(t = core_pick(c)) && !(t = steal(c, NULL, &has_surplus))) {
        sleep_until_event(c, has_surplus);
        fire_what_is_due(c);
    }
    renounce(c);
    return t;
}
