/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Calls into SQLite: on the worker while they are short, on a helper thread when they are not.
 *
 * SQLite calls back wherever it opens, reads, writes or waits, and once in a while when it
 * computes. There the call, which runs on a stack of its own, may leave the thread it is on. What
 * SQLite holds then belongs to the connection, which nobody else uses: it is opened without locks
 * of its own. */
#include "host/sqlite/internal.h"
#include "plat/thread.h"
#include "sched/in_place.h"
#include "sched/scheduler.h"

#define STACKS_KEPT 32u /* idle stacks that wait for the next call */

static _Thread_local struct database *current;

/* Stacks serve all runtimes of this program. */
static struct spinlock stacks_lock;
static struct coroutine *stacks[STACKS_KEPT] GUARDED_BY(stacks_lock);
static size_t stack_count GUARDED_BY(stacks_lock);

/* Not inlined, so that nobody keeps the variable's address while a call changes threads. */
__attribute__((noinline)) struct database *sqlite_current(void)
{
    return current;
}

__attribute__((noinline)) struct database *sqlite_set_current(struct database *db)
{
    struct database *before = current;

    current = db;
    return before;
}

static struct coroutine *stack_take(void)
{
    struct coroutine *c = NULL;

    spinlock_lock(&stacks_lock);
    if (stack_count > 0)
        c = stacks[--stack_count];
    spinlock_unlock(&stacks_lock);
    return c ? c : coroutine_new(SQLITE_STACK_SIZE);
}

static void stack_give(struct coroutine *c)
{
    spinlock_lock(&stacks_lock);
    if (stack_count < STACKS_KEPT) {
        stacks[stack_count++] = c;
        c = NULL;
    }
    spinlock_unlock(&stacks_lock);
    coroutine_free(c);
}

static struct database *database_of(struct sqlite_call *c)
{
    return CONTAINER_OF(c, struct database, call);
}

static struct scheduler *scheduler_of(struct sqlite_call *c)
{
    return database_of(c)->host->scheduler;
}

/* ---- from inside of SQLite ---- */

static void leave(struct sqlite_call *c, uint64_t sleep_ns)
{
    c->sleep_ns = sleep_ns;
    coroutine_leave(c->coroutine);
}

static struct sqlite_call *running(void)
{
    struct database *db = sqlite_current();

    return db && db->call.coroutine ? &db->call : NULL;
}

void call_leave_worker(void)
{
    struct sqlite_call *c = running();

    if (c && !c->is_away)
        leave(c, 0);
}

void call_look_at_clock(void)
{
    struct sqlite_call *c = running();

    if (c && !c->is_away && clock_monotonic_ns() - c->began_ns > SQLITE_HERE_NS)
        leave(c, 0);
}

void call_sleep(uint64_t ns)
{
    struct sqlite_call *c = running();

    if (c && !atomic_load_explicit(&c->is_unwanted, memory_order_relaxed))
        leave(c, ns);
}

struct sqlite_pause call_pause_begin(const struct sqlite_place *place, enum sqlite_pause_kind kind)
{
    struct sqlite_call *c = running();
    struct sqlite_pause p = {.kind = kind};

    if (!c)
        return p;
    p.database = database_of(c);
    if (!c->is_away) {
        /* Elsewhere, across a network, it may take any time. */
        p.is_here = place && !place->may_block &&
                    in_place_begin(worker_current(), p.database->took_ns[kind]);
        if (!p.is_here)
            leave(c, 0);
    }
    p.began_ns = clock_monotonic_ns();
    return p;
}

void call_pause_end(const struct sqlite_pause *p)
{
    uint64_t took_ns;

    if (!p->database)
        return;
    took_ns = clock_monotonic_ns() - p->began_ns;
    p->database->took_ns[p->kind] = took_ns;
    if (p->is_here) {
        in_place_end(worker_current());
        p->database->call.began_ns += took_ns; /* nobody was kept from work */
    }
}

int call_busy(void)
{
    struct sqlite_call *c = running();

    return c && atomic_load_explicit(&c->is_unwanted, memory_order_relaxed) ? SQLITE_INTERRUPT
                                                                            : SQLITE_BUSY;
}

/* ---- running ---- */

static void enter(void *arg)
{
    struct sqlite_call *c = arg;

    c->work(c);
}

/* Runs it until it ends or leaves. */
static void run(struct sqlite_call *c)
{
    struct database *before = sqlite_set_current(database_of(c));

    c->sleep_ns = 0;
    if (c->state == CALL_NEW)
        coroutine_start(c->coroutine, enter, c);
    c->state = CALL_HERE;
    if (coroutine_resume(c->coroutine))
        c->state = CALL_DONE;
    else
        c->state = c->sleep_ns ? CALL_ASLEEP : CALL_AWAY;
    sqlite_set_current(before);
}

static void job_run(struct offload_job *job)
{
    struct sqlite_call *c = CONTAINER_OF(job, struct sqlite_call, job);

    c->is_away = true;
    c->away_ns = clock_thread_cpu_ns();
    run(c);
    c->cpu_ns += clock_thread_cpu_ns() - c->away_ns;
}

static void forget(struct sqlite_call *c)
{
    struct database *db = database_of(c);
    struct statement *st = c->statement;

    stack_give(c->coroutine);
    c->coroutine = NULL;
    c->statement = NULL;
    c->state = CALL_NONE;
    if (st)
        resource_unref(&st->resource);
    resource_unref(&db->resource);
}

/* The process is gone. What SQLite is in the middle of has to come to an end, which is not far,
 * since it is told that it is interrupted. */
static void job_discard(struct offload_job *job)
{
    struct sqlite_call *c = CONTAINER_OF(job, struct sqlite_call, job);
    struct database *db = database_of(c);

    if (c->state == CALL_NEW || c->state == CALL_DONE) {
        bool opens = c->work == database_work_open;

        forget(c);
        if (opens) /* the process that was to have it */
            resource_unref(&db->resource);
        return;
    }
    c->job.run = job_run;
    c->job.discard = job_discard;
    c->job.waiter = NULL;
    offload_submit_alone(scheduler_of(c), worker_current(), &c->job);
}

static void cancel(struct process *p, struct wait *w)
{
    struct sqlite_call *c = w->object;
    struct database *db = database_of(c);

    (void)p;
    atomic_store_explicit(&c->is_unwanted, true, memory_order_relaxed);
    if (c->work != database_work_open && c->work != database_work_close)
        sqlite3_interrupt(db->db);
    if (c->job.run)
        offload_detach(scheduler_of(c), &c->job);
    else
        job_discard(&c->job);
}

/* ---- from the host functions ---- */

bool call_set_text(struct sqlite_call *c, struct slice text)
{
    if (text.size >= c->text_capacity) {
        size_t capacity = text.size + 1 > 512 ? text.size + 1 : 512;
        char *bigger = mem_try_realloc(c->text, capacity, 1);

        if (!bigger)
            return false;
        c->text = bigger;
        c->text_capacity = capacity;
    }
    if (text.size)
        memcpy(c->text, text.data, text.size);
    c->text[text.size] = '\0';
    return true;
}

/* What follows a run. True: it is done. */
static bool ran(struct guest *g, struct sqlite_call *c)
{
    struct process *p = g->process;

    while (c->state == CALL_NEW || c->state == CALL_AWAY) {
        c->job.run = job_run;
        c->job.discard = job_discard;
        c->job.waiter = &p->task;
        wait_begin(p, WAIT_SQLITE, DEADLINE_NEVER, cancel, c);
        offload_submit(scheduler_of(c), guest_worker(g), &c->job);
        if (!offload_finished(&c->job))
            return false;
        wait_end(p); /* it was done in place */
        c->job.run = NULL;
    }
    if (c->state == CALL_DONE)
        return true;
    ASSERT(c->state == CALL_ASLEEP);
    wait_begin(p, WAIT_SQLITE, deadline_after(scheduler_now_ns(g->host->scheduler), c->sleep_ns),
               cancel, c);
    return false;
}

static bool run_here(struct guest *g, struct sqlite_call *c)
{
    c->is_away = false;
    c->began_ns = clock_monotonic_ns();
    run(c);
    return ran(g, c);
}

bool call_begin(struct guest *g, struct database *db, void (*work)(struct sqlite_call *c),
                struct statement *st, bool away)
{
    struct sqlite_call *c = &db->call;
    uint64_t max_ms = g->process->config->cpu_max_ms;

    ASSERT(c->state == CALL_NONE);
    resource_ref(&db->resource);
    if (st)
        resource_ref(&st->resource);
    c->statement = st;
    c->work = work;
    c->job.run = NULL;
    c->code = SQLITE_OK;
    c->prepared = NULL;
    c->is_heavy = false;
    c->cpu_ns = 0;
    c->cpu_max_ns = UINT64_MAX;
    if (UNLIKELY(max_ms < UINT64_MAX / NS_PER_MS)) {
        uint64_t used_ns = process_cpu_ns(g->process);

        c->cpu_max_ns = max_ms * NS_PER_MS > used_ns ? max_ms * NS_PER_MS - used_ns : 0;
    }
    c->coroutine = stack_take();
    if (!c->coroutine) {
        c->code = SQLITE_NOMEM;
        c->state = CALL_DONE;
        return true;
    }
    c->state = CALL_NEW;
    return away ? ran(g, c) : run_here(g, c);
}

struct sqlite_call *call_again(struct guest *g, bool *parked)
{
    struct process *p = g->process;
    struct sqlite_call *c;

    *parked = false;
    if (LIKELY(p->wait.kind != WAIT_SQLITE))
        return NULL;
    c = p->wait.object;
    *parked = true;
    if (c->job.run) {
        if (!offload_finished(&c->job))
            return NULL;
        wait_end(p);
        c->job.run = NULL;
        *parked = !ran(g, c);
    } else if (wait_expired(p)) {
        wait_end(p);
        *parked = !run_here(g, c);
    }
    return *parked ? NULL : c;
}

void call_end(struct guest *g, struct sqlite_call *c)
{
    if (c->cpu_ns)
        process_add_cpu(g->process, c->cpu_ns);
    if (UNLIKELY(!c->coroutine)) { /* there was none */
        struct statement *st = c->statement;

        c->statement = NULL;
        c->state = CALL_NONE;
        if (st)
            resource_unref(&st->resource);
        resource_unref(&database_of(c)->resource);
        return;
    }
    forget(c);
}

/* ---- closing ---- */

static void close_run(struct offload_job *job)
{
    struct sqlite_call *c = CONTAINER_OF(job, struct sqlite_call, job);
    struct database *before = sqlite_set_current(database_of(c));

    database_work_close(c);
    sqlite_set_current(before);
}

static void close_discard(struct offload_job *job)
{
    database_free(database_of(CONTAINER_OF(job, struct sqlite_call, job)));
}

void call_close_alone(struct database *db)
{
    struct sqlite_call *c = &db->call;

    if (!db->db) {
        database_free(db);
        return;
    }
    c->job.run = close_run;
    c->job.discard = close_discard;
    c->job.waiter = NULL;
    offload_submit_alone(db->host->scheduler, worker_current(), &c->job);
}
