/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/scheduler.h"
#include "plat/cpu.h"
#include "sched/internal.h"
#include <stdlib.h>
#include <string.h>

#define VIRTUAL_EPOCH_NS 1577836800000000000ull /* 2020-01-01, in ns since 1970 */

static void cores_close(struct scheduler *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        core_release_closed(&s->cores[i]);
        core_deinit_relief(&s->cores[i]);
        poller_close(&s->cores[i].poller);
        vec_deinit(&s->cores[i].ready);
    }
    free(s->cores);
}

bool scheduler_new(const struct scheduler_options *options, struct scheduler **out,
                   struct error *err)
{
    struct scheduler *s = mem_new(struct scheduler);
    uint64_t now;

    s->options = *options;
    ASSERT(!options->virtual_clock || options->deterministic);
    ASSERT(!options->stop_when_stuck || options->virtual_clock);
    s->worker_count = options->deterministic ? 1 : options->worker_count;
    if (s->worker_count == 0)
        s->worker_count = cpu_count();
    if (s->worker_count > WORKERS_MAX)
        s->worker_count = WORKERS_MAX;
    s->is_shared = s->worker_count > 1;
    if (options->deterministic)
        s->options.tick = TICK_OFF;
    else if (options->tick == TICK_AUTO)
        s->options.tick = tick_clock_choose();
    atomic_init(&s->virtual_ns, options->virtual_start_ns);
    mutex_init(&s->lock);
    condition_init(&s->stopped);
    offload_init(&s->offload, options->offload_thread_max);

    s->cores = aligned_alloc(_Alignof(struct core), sizeof(struct core) * s->worker_count);
    ASSERT(s->cores && "out of memory");
    memset(s->cores, 0, sizeof(struct core) * s->worker_count);
    now = scheduler_now_ns(s);
    for (uint32_t i = s->worker_count; i-- > 0;) { /* so that worker 0 is the first of the idle */
        struct core *c = &s->cores[i];

        c->pub.scheduler = s;
        c->pub.index = i;
        c->prng.state = options->seed + i;
        c->cycles_per_ms = 1000000;
        c->alarm_ns = c->alarm_for_ns = DEADLINE_NEVER;
        atomic_init(&c->earliest_ns, DEADLINE_NEVER);
        wheel_init(&c->wheel, now);
        c->idle_next = s->idle;
        c->is_idle = true;
        s->idle = c;
        atomic_fetch_add_explicit(&s->idle_count, 1, memory_order_relaxed);
        c->poller.epoll_fd = c->poller.wake_fd = -1;
    }
    for (uint32_t i = 0; i < s->worker_count; i++) {
        if (!core_init_relief(&s->cores[i], err) || !poller_open(&s->cores[i].poller, err)) {
            cores_close(s, i + 1);
            offload_deinit(&s->offload);
            mem_free(s);
            return false;
        }
    }
    *out = s;
    return true;
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    /* acquire: pairs with the release in scheduler_push */
    while (atomic_load_explicit(&s->waker_count, memory_order_acquire) > 0)
        thread_yield();
    offload_deinit(&s->offload);
    cores_close(s, s->worker_count);
    condition_deinit(&s->stopped);
    mutex_deinit(&s->lock);
    mem_free(s);
}

/* Takes `c` out of the idle list. */
static void idle_remove(struct scheduler *s, struct core *c)
{
    for (struct core **at = &s->idle; *at; at = &(*at)->idle_next) {
        if (*at == c) {
            *at = c->idle_next;
            c->is_idle = false;
            atomic_fetch_sub_explicit(&s->idle_count, 1, memory_order_relaxed);
            return;
        }
    }
}

/* Starts the worker's thread; the lock is held. */
static bool core_start(struct core *c)
{
    struct scheduler *s = c->pub.scheduler;
    char name[16] = "lun-worker";

    if (c->pub.index < 1000) {
        name[10] = (char)('0' + c->pub.index / 100);
        name[11] = (char)('0' + c->pub.index / 10 % 10);
        name[12] = (char)('0' + c->pub.index % 10);
    }
    if (!thread_create(&c->thread, name, core_main, c, c->pub.index == 0 ? &s->error : NULL))
        return false;
    c->is_started = true;
    s->running_count++;
    return true;
}

/* The first of the idle but the caller (NULL: he is no worker; one that has just slept is still
 * among them), out of their list. If it has a thread yet it is returned, to be woken when the lock
 * is free again (who is woken may run at once, on the same core, and wants it); else it gets one.
 * The lock is held. */
static struct core *call_idle(struct scheduler *s, const struct core *caller)
{
    struct core *c = s->idle;

    if (c && c == caller)
        c = c->idle_next;
    if (!c)
        return NULL;
    idle_remove(s, c);
    if (c->is_started)
        return c;
    (void)core_start(c); /* no thread to be had: the others do the work */
    return NULL;
}

void scheduler_stop_locked(struct scheduler *s)
{
    atomic_store_explicit(&s->stopping, true, memory_order_release);
    for (uint32_t i = 0; i < s->worker_count; i++)
        poller_wake(&s->cores[i].poller);
}

void scheduler_stop(struct scheduler *s)
{
    mutex_lock(
        &s->lock); /* no worker ends, so nobody frees the scheduler, before we are done with it */
    scheduler_stop_locked(s);
    mutex_unlock(&s->lock);
}

bool scheduler_run(struct scheduler *s, struct error *err)
{
    bool ok = true;

    if (s->options.tick != TICK_OFF && !tick_install(core_tick, err))
        return false;
    mutex_lock(&s->lock);
    if (!scheduler_stopping(s)) {
        idle_remove(s, &s->cores[0]);
        if (!core_start(&s->cores[0])) {
            s->has_failed = true;
            scheduler_stop_locked(s);
        }
    }
    while (!scheduler_stopping(s) || s->running_count > 0)
        condition_wait(&s->stopped, &s->lock);
    mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < s->worker_count; i++)
        if (s->cores[i].is_started)
            thread_join(&s->cores[i].thread);
    if (s->has_failed)
        ok = fail(err, s->error.code, "%s", s->error.text);
    return ok;
}

bool scheduler_stopping(const struct scheduler *s)
{
    return atomic_load_explicit(&s->stopping, memory_order_acquire);
}

void core_poke(struct core *c)
{
    uint64_t now;

    if (!c->has_tick)
        return;
    now = clock_monotonic_ns();
    if (now - atomic_load_explicit(&c->poked_ns, memory_order_relaxed) < SLICE_LEAST_NS)
        return; /* the worker sets an alarm for the end of this time */
    atomic_store_explicit(&c->poked_ns, now, memory_order_relaxed);
    tick_poke(&c->tick);
}

void scheduler_push(struct scheduler *s, struct task *t)
{
    struct core *c = NULL;

    mutex_lock(&s->lock);
    fifo_push(&s->global, t);
    /* Whoever goes to sleep enters the list under the lock and looks at the queue after that, so
     * one of the two sees the other. Before scheduler_run there is nobody to wake. */
    if (s->idle && s->running_count > 0)
        c = call_idle(s, NULL);
    else if (atomic_load_explicit(&s->cores[t->worker].is_busy, memory_order_relaxed))
        core_poke(&s->cores[t->worker]);
    /* The task may be what somebody waits for before he frees the scheduler. */
    if (c)
        atomic_fetch_add_explicit(&s->waker_count, 1, memory_order_relaxed);
    mutex_unlock(&s->lock);
    if (c) {
        poller_wake(&c->poller);
        /* release: pairs with the acquire in scheduler_free */
        atomic_fetch_sub_explicit(&s->waker_count, 1, memory_order_release);
    }
}

void scheduler_notify(struct scheduler *s, const struct core *caller)
{
    struct core *c;

    if (atomic_load_explicit(&s->searching, memory_order_relaxed) > 0 || scheduler_stopping(s))
        return; /* one looks already, and calls the next if it finds more than it needs */
    mutex_lock(&s->lock);
    c = call_idle(s, caller);
    mutex_unlock(&s->lock);
    if (c)
        poller_wake(&c->poller);
}

uint32_t scheduler_worker_count(const struct scheduler *s)
{
    return s->worker_count;
}

void *scheduler_context(const struct scheduler *s)
{
    return s->options.hooks.context;
}

bool scheduler_is_deterministic(const struct scheduler *s)
{
    return s->options.deterministic;
}

enum tick_clock scheduler_tick_clock(const struct scheduler *s)
{
    return s->options.tick;
}

uint64_t scheduler_now_ns(const struct scheduler *s)
{
    return s->options.virtual_clock ? atomic_load_explicit(&s->virtual_ns, memory_order_relaxed)
                                    : clock_monotonic_ns();
}

uint64_t scheduler_realtime_ns(const struct scheduler *s)
{
    if (!s->options.virtual_clock)
        return clock_realtime_ns();
    return VIRTUAL_EPOCH_NS + scheduler_now_ns(s) - s->options.virtual_start_ns;
}

uint64_t scheduler_slice_begin(struct worker *w)
{
    core_of(w)->waited_cycles = 0;
    return w->scheduler->options.deterministic ? 0 : clock_cycles();
}

uint64_t scheduler_slice_ns(struct worker *w, uint64_t begin)
{
    struct core *c = core_of(w);
    uint64_t ns, cpu_ns, used_ns;

    if (w->scheduler->options.deterministic)
        return w->scheduler->options.virtual_slice_ns;
    ns = (clock_cycles() - begin - c->waited_cycles) * 1000 / (c->cycles_per_ms / 1000 + 1);
    if (ns < SLICE_TRUSTED_NS)
        return ns;
    cpu_ns = clock_thread_cpu_ns();
    used_ns = cpu_ns - c->cpu_seen_ns;
    c->cpu_seen_ns = cpu_ns;
    return ns < used_ns ? ns : used_ns;
}

void scheduler_random(struct worker *w, void *data, size_t size)
{
    char *to = data;

    if (!w->scheduler->options.deterministic) {
        random_bytes(data, size);
        return;
    }
    while (size > 0) {
        uint64_t value = prng_next(&core_of(w)->prng);
        size_t part = size < sizeof(value) ? size : sizeof(value);

        memcpy(to, &value, part);
        to += part;
        size -= part;
    }
}

bool scheduler_has_batch(const struct worker *w)
{
    const struct core *c = (const struct core *)w;

    return ring_count(&c->ring) >= BATCH_LEAST &&
           !atomic_load_explicit(&c->is_busy, memory_order_relaxed);
}

/* What COUNT of another thread has stored. */
static uint64_t look(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void scheduler_stats(const struct scheduler *s, struct scheduler_stats *out)
{
    uint64_t now = clock_monotonic_ns();

    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < s->worker_count; i++) {
        const struct core *c = &s->cores[i];
        const struct scheduler_stats *from = &c->stats;
        uint64_t asleep = atomic_load_explicit(&c->asleep_ns, memory_order_relaxed);

        out->runs += look(&from->runs);
        out->wakes += look(&from->wakes);
        out->stolen += look(&from->stolen);
        out->sleeps += look(&from->sleeps);
        out->ticks += __atomic_load_n(&c->tick_count, __ATOMIC_RELAXED);
        out->used_up += look(&from->used_up);
        out->timers_fired += look(&from->timers_fired);
        out->in_place += look(&from->in_place);
        out->io_events += look(&from->io_events);
        out->idle_ns += look(&from->idle_ns) + (asleep != 0 && asleep < now ? now - asleep : 0);
    }
}

void scheduler_load(struct scheduler *s, struct scheduler_load *out)
{
    struct offload_pool *p = &s->offload;

    memset(out, 0, sizeof(*out));
    mutex_lock(&s->lock);
    out->worker_count = s->running_count;
    mutex_unlock(&s->lock);
    out->ready_count = fifo_count(&s->global);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        const struct core *c = &s->cores[i];

        out->sleeping_count += atomic_load_explicit(&c->asleep_ns, memory_order_relaxed) != 0;
        out->ready_count += ring_count(&c->ring) + fifo_count(&c->overflow) +
                            fifo_count(&c->used_up) + (core_slot(c) ? 1 : 0);
        out->io_count += atomic_load_explicit(&c->io_count, memory_order_relaxed);
    }
    mutex_lock(&p->lock);
    out->jobs = p->begun - p->running_count;
    out->job_count = p->running_count;
    out->queued_count = p->queue_size;
    out->helper_count = p->thread_count;
    mutex_unlock(&p->lock);
}
