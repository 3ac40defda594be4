/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Environments whose time is limited. One thread keeps the time of all of them; it is started with
 * the first. Their time is that of the real clock, in deterministic runs too: it is a bound on what
 * the caller waits, not an event of the program. */
#include "plat/clock.h"
#include "runtime/internal.h"

/* Stops those whose time is over; the earliest deadline of the others. Under the runtime's lock. */
static uint64_t stop_late(struct lunatic_runtime *rt, uint64_t now_ns)
{
    uint64_t next_ns = DEADLINE_NEVER;

    for (struct list *l = rt->environments.next; l != &rt->environments; l = l->next) {
        struct lunatic_environment *e = CONTAINER_OF(l, struct lunatic_environment, link);

        if (e->deadline_ns == 0)
            continue;
        if (e->deadline_ns <= now_ns) {
            e->deadline_ns = 0;
            runtime_environment_timeout(e);
        } else if (e->deadline_ns < next_ns) {
            next_ns = e->deadline_ns;
        }
    }
    return next_ns;
}

static void keep_time(void *arg)
{
    struct lunatic_runtime *rt = arg;

    mutex_lock(&rt->lock);
    while (!rt->is_freed) {
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t next_ns = stop_late(rt, now_ns);

        if (next_ns == DEADLINE_NEVER)
            condition_wait(&rt->deadlines_changed, &rt->lock);
        else
            condition_wait_for(&rt->deadlines_changed, &rt->lock, next_ns - now_ns);
    }
    mutex_unlock(&rt->lock);
}

bool deadline_set(struct lunatic_environment *e, uint64_t timeout_ms, struct error *err)
{
    struct lunatic_runtime *rt = e->runtime;
    uint64_t delay_ns;
    bool ok = true;

    if (__builtin_mul_overflow(timeout_ms, NS_PER_MS, &delay_ns))
        return true; /* for ever */
    mutex_lock(&rt->lock);
    if (!rt->has_timekeeper) {
        ok = thread_create(&rt->timekeeper, "deadlines", keep_time, rt, err);
        rt->has_timekeeper = ok;
    }
    e->deadline_ns = deadline_after(clock_monotonic_ns(), delay_ns);
    condition_signal(&rt->deadlines_changed);
    mutex_unlock(&rt->lock);
    return ok;
}

void deadlines_end(struct lunatic_runtime *rt)
{
    bool has_timekeeper;

    mutex_lock(&rt->lock);
    rt->is_freed = true;
    has_timekeeper = rt->has_timekeeper;
    condition_signal(&rt->deadlines_changed);
    mutex_unlock(&rt->lock);
    if (has_timekeeper)
        thread_join(&rt->timekeeper);
}
