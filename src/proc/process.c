/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/process.h"
#include "base/log.h"
#include "proc/budget.h"
#include "proc/grave.h"
#include "proc/internal.h"
#include "proc/look.h"
#include "sched/scheduler.h"
#include "sched/timer.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

/* How often a process that finds new signals when it wants to park is run again before others are.
 */
#define ROUNDS_MAX 4

#define SIGNALS_PIECE   64u  /* signals that are handled without a pause */
#define RESOURCES_PIECE 64u  /* resources that are dropped */
#define BONDS_PIECE     256u /* links and monitors that are told */

/* How far the end of a process has come: process.ending. What it waited for is over then, so the
 * words of its wait keep what is left. */
enum ending {
    ENDING_NOT,
    ENDING_SIGNALS,   /* the inbox is closed; wait.value: the number of what was in it */
    ENDING_BODY,      /* the body is to be released */
    ENDING_RESOURCES, /* and what else it holds */
    ENDING_LINKS,     /* bonds are told; wait.value: the next one to look at */
    ENDING_LATE,
    ENDING_MONITORS, /* and are freed with that */
    ENDING_LAST,
};

static struct process *of_task(struct task *t)
{
    return CONTAINER_OF(t, struct process, task);
}

static void die(struct process *p, enum exit_reason reason)
{
    p->is_dying = true;
    p->exit_reason = (uint8_t)reason;
}

static void die_of_limit(struct process *p, enum exit_limit limit)
{
    die(p, EXIT_LIMIT);
    p->exit_limit = (uint8_t)limit;
}

const char *process_limit_words(const struct process *p, char *text, size_t size)
{
    const struct config *c = p->config;

    switch ((enum exit_limit)p->exit_limit) {
    case LIMIT_MAILBOX_COUNT:
        snprintf(text, size, "mailbox of %" PRIu64 " messages exceeded", c->mailbox_count_max);
        break;
    case LIMIT_MAILBOX_SIZE:
        snprintf(text, size, "mailbox of %" PRIu64 " bytes exceeded", c->mailbox_size_max);
        break;
    case LIMIT_CPU:
        snprintf(text, size, "CPU time of %" PRIu64 " ms used up", c->cpu_max_ms);
        break;
    case LIMIT_NONE:
    case LIMIT_MEMORY:
        snprintf(text, size, "no memory for its mailbox");
        break;
    }
    return text;
}

/* Where the owner of `p` counts. */
static inline _Atomic uint64_t *counts_of(const struct process *p)
{
    return counts_row(&p->environment->actors->counts, p->task.worker);
}

/* A message is in the mailbox. What is usual costs two additions. Who adds the counts up reads
 * those of depths and resources first, so that they are not more than those of sizes. */
static inline void count_message(const struct process *p, const struct message *m)
{
    _Atomic uint64_t *row = counts_of(p);
    const struct message_resources *r = m->resources;
    uint32_t depth = p->mailbox.count;

    if (UNLIKELY(m->kind != MESSAGE_DATA)) {
        counts_add_to(row, m->kind == MESSAGE_LINK_DIED ? COUNT_LINK_DEATHS : COUNT_PROCESS_DEATHS,
                      1);
    } else {
        counts_add_to(row, COUNT_SIZES + counts_class(m->size, SIZE_CLASS_BITS, SIZE_CLASSES), 1);
        counts_add_to(row, COUNT_MESSAGE_BYTES, m->size);
        if (UNLIKELY(r != NULL && r->count > 0)) {
            counts_add_to(row, COUNT_MESSAGE_RESOURCES, r->count);
            counts_add_to(row, COUNT_RESOURCES + counts_class(r->count, 0, RESOURCE_CLASSES), 1);
        }
    }
    if (UNLIKELY(depth > 1)) {
        counts_add_to(row, COUNT_DEPTH_SUM, depth);
        counts_add_to(row, COUNT_DEPTHS + counts_class(depth, 0, DEPTH_CLASSES), 1);
    }
}

/* A message for the mailbox. */
static void receive(struct process *p, struct message *m)
{
    const struct config *c = p->config;
    enum exit_limit limit;

    m->signal = SIGNAL_MESSAGE;
    if (UNLIKELY(p->mailbox.count >= c->mailbox_count_max))
        limit = LIMIT_MAILBOX_COUNT;
    else if (UNLIKELY(c->mailbox_size_max - p->mailbox.size < message_weight(m)))
        limit = LIMIT_MAILBOX_SIZE;
    else if (UNLIKELY(!mailbox_add(&p->mailbox, m)))
        limit = LIMIT_MEMORY;
    else {
        count_message(p, m);
        return;
    }
    message_free(p->environment->actors, m);
    die_of_limit(p, limit);
}

static void handle_link_died(struct process *p, struct message *m)
{
    struct actors *a = p->environment->actors;
    /* One that is no longer in the table has been unlinked while the word was on its way. */
    bool linked = bonds_remove(&p->bonds, a, BOND_LINK, m->process_id);

    if (!linked || m->value == LINK_NORMAL) {
        message_free(a, m);
    } else if (p->die_when_link_dies) {
        message_free(a, m);
        die(p, EXIT_LINK_DIED);
    } else {
        m->kind = MESSAGE_LINK_DIED;
        m->process_id = 0;
        receive(p, m);
    }
}

static void handle_answer(struct process *p, const struct message *m)
{
    if (p->wait.kind != WAIT_ANSWER || p->wait.key != m->process_id)
        return;
    p->wait.value = m->answer;
    p->wait.flags |= WAIT_ANSWERED;
}

/* `at_rest`: the body is between two slices. */
static void handle(struct process *p, struct message *m, bool at_rest)
{
    struct actors *a = p->environment->actors;

    switch ((enum signal_kind)m->signal) {
    case SIGNAL_MESSAGE:
        receive(p, m);
        return;
    case SIGNAL_LINK_DIED:
        handle_link_died(p, m);
        return;
    case SIGNAL_PROCESS_DIED:
        m->kind = MESSAGE_PROCESS_DIED;
        receive(p, m);
        return;
    case SIGNAL_KILL:
        die(p, EXIT_KILLED);
        break;
    case SIGNAL_DIE_WHEN_LINK_DIES:
        p->die_when_link_dies = m->value != 0;
        break;
    case SIGNAL_LINK:
        bonds_set(&p->bonds, a, BOND_LINK, m->process_id, m->tag);
        break;
    case SIGNAL_UNLINK:
        bonds_remove(&p->bonds, a, BOND_LINK, m->process_id);
        break;
    case SIGNAL_MONITOR:
        bonds_set(&p->bonds, a, BOND_MONITOR, m->process_id, 0);
        break;
    case SIGNAL_DEMONITOR:
        bonds_remove(&p->bonds, a, BOND_MONITOR, m->process_id);
        break;
    case SIGNAL_ANSWER:
        handle_answer(p, m);
        break;
    case SIGNAL_LOOK:
        process_looked_at(p, m->process_id, m->answer, at_rest);
        break;
    case SIGNAL_OVERFLOW:
        die_of_limit(p, LIMIT_MAILBOX_SIZE);
        break;
    }
    counts_add_to(counts_of(p), COUNT_OTHERS_HANDLED, 1);
    message_free(a, m);
}

/* A signal that comes when the end is decided: only who wants to be told still counts. */
static void handle_late(struct process *p, struct message *m)
{
    struct actors *a = p->environment->actors;

    switch ((enum signal_kind)m->signal) {
    case SIGNAL_LINK:
        if (!bonds_find(&p->bonds, BOND_LINK, m->process_id))
            bonds_set(&p->bonds, a, BOND_LATE, m->process_id, m->tag);
        break;
    case SIGNAL_UNLINK:
        bonds_remove(&p->bonds, a, BOND_LATE, m->process_id);
        bonds_remove(&p->bonds, a, BOND_LINK, m->process_id);
        break;
    case SIGNAL_LINK_DIED:
        bonds_remove(&p->bonds, a, BOND_LINK, m->process_id);
        break;
    case SIGNAL_MONITOR:
        bonds_set(&p->bonds, a, BOND_MONITOR, m->process_id, 0);
        break;
    case SIGNAL_DEMONITOR:
        bonds_remove(&p->bonds, a, BOND_MONITOR, m->process_id);
        break;
    case SIGNAL_MESSAGE:
    case SIGNAL_KILL:
    case SIGNAL_DIE_WHEN_LINK_DIES:
    case SIGNAL_PROCESS_DIED:
    case SIGNAL_ANSWER:
    case SIGNAL_LOOK:
    case SIGNAL_OVERFLOW:
        break;
    }
    actors_count(a, COUNT_SIGNALS_LATE);
    message_free(a, m);
}

/* Signals that are not handled yet are a list, oldest first; while it is being made out of the
 * stack that the inbox was, `next_number` of its first is the rest of the stack. */

/* Turns a piece of the stack that begins at `number` round, in front of `first`. */
static struct message *turn_round(struct process *p, struct message *first, uint32_t number)
{
    struct actors *a = p->environment->actors;
    int32_t weight = 0;

    for (uint32_t i = 0; i < SIGNALS_PIECE && number != 0; i++) {
        struct message *m = message_at(a, number);

        number = m->next_number;
        if (UNLIKELY(number != 0)) /* the first one in was not counted */
            weight += inbox_weight(m);
        m->next = first;
        first = m;
    }
    if (UNLIKELY(weight != 0))
        atomic_fetch_add_explicit(&p->room, weight, memory_order_relaxed);
    first->next_number = number;
    return first;
}

/* Handles a piece of the list, or leaves it for later if it is not complete yet. */
static void handle_some(struct process *p, struct message *first, bool at_rest)
{
    if (LIKELY(first->next_number == 0)) {
        for (uint32_t i = 0; i < SIGNALS_PIECE && first; i++) {
            struct message *m = first;

            first = m->next;
            if (LIKELY(!p->is_dying))
                handle(p, m, at_rest);
            else
                handle_late(p, m);
        }
        if (UNLIKELY(first != NULL))
            first->next_number = 0;
    }
    p->is_behind = first != NULL;
    if (UNLIKELY(first != NULL))
        p->timer.generation = message_number(p->environment->actors, first);
}

/* The same for signals that were left. */
static void handle_more(struct process *p, bool at_rest)
{
    struct message *first = message_at(p->environment->actors, p->timer.generation);

    if (first->next_number != 0)
        first = turn_round(p, first, first->next_number);
    handle_some(p, first, at_rest);
}

static bool handle_signals(struct process *p, bool at_rest)
{
    uint64_t word = atomic_load_explicit(&p->inbox, memory_order_relaxed);

    if (UNLIKELY(process_is_behind(p))) {
        handle_more(p, at_rest);
    } else if ((uint32_t)word != INBOX_ALIVE) {
        struct message *newest;
        uint32_t number;

        /* acquire: pairs with the release in signal_send */
        word = atomic_exchange_explicit(&p->inbox, (word & ~(uint64_t)UINT32_MAX) | INBOX_ALIVE,
                                        memory_order_acquire);
        number = (uint32_t)word >> INBOX_NODE_SHIFT;
        if (number == 0)
            return !p->is_dying;
        newest = message_at(p->environment->actors, number);
        if (LIKELY(newest->next_number == 0 && !p->is_dying))
            handle(p, newest, at_rest);
        else
            handle_some(p, turn_round(p, NULL, number), at_rest);
    }
    return !p->is_dying;
}

bool process_handle_signals(struct process *p)
{
    return handle_signals(p, false);
}

/* Makes the process one that senders must wake. False: there are signals to handle first. */
static bool park(struct process *p, struct worker *w)
{
    uint64_t word = (process_id(p) & ~(uint64_t)UINT32_MAX) | INBOX_ALIVE;

    if (p->wait.kind != WAIT_NONE && p->wait.deadline_ns != DEADLINE_NEVER) {
        timer_set(w->scheduler, w, &p->timer, p->wait.deadline_ns);
        p->has_timer = true;
    }
    /* release: a sender that sees PARKED sees the wait. Sequentially consistent, as is the look at
     * is_ending: either environment_end finds us alive and kills us, or we see its flag. */
    return atomic_compare_exchange_strong(&p->inbox, &word, word | INBOX_PARKED) &&
           !atomic_load(&p->environment->is_ending);
}

static enum link_reason reason_for_links(const struct process *p)
{
    return p->exit_reason == EXIT_NORMAL || p->exit_reason == EXIT_STILLBORN ? LINK_NORMAL
                                                                             : LINK_FAILURE;
}

static void tell(struct process *p, const struct bond *b, enum signal_kind signal, uint8_t value)
{
    struct environment *e = p->environment;

    if (process_exists(e, b->process_id))
        signal_send(e, b->process_id, signal_new(e->actors, signal, process_id(p), b->tag, value));
}

static void log_death(struct process *p)
{
    struct bytes names = {0};
    char words[80];

    if (p->exit_reason < EXIT_KILLED || p->exit_reason > EXIT_LIMIT ||
        !output_wants_reports(p->environment))
        return;
    registry_names(&p->environment->registry, process_id(p), &names);
    if (names.size == 0 && !bytes_printf(&names, "%" PRIu64, process_id(p)))
        return;
    if (p->exit_reason == EXIT_LIMIT)
        output_report(p->environment, process_id(p), "lunatic_process",
                      "Process %.*s failed: %s, notifying: %u links", (int)names.size,
                      (const char *)names.data, process_limit_words(p, words, sizeof(words)),
                      p->bonds.link_count);
    else
        output_report(p->environment, process_id(p), "lunatic_process",
                      "Process %.*s was killed%s, notifying: %u links", (int)names.size,
                      (const char *)names.data,
                      p->exit_reason == EXIT_LINK_DIED ? " (a linked process failed)" : "",
                      p->bonds.link_count);
    bytes_deinit(&names);
}

/* Counts for the process that ends on `w`, NULL: on a thread that is no worker. */
static void actors_count_at(const struct actors *a, const struct worker *w, uint32_t kind,
                            uint64_t n)
{
    counts_add(&a->counts, w ? w->index : POOL_OUTSIDE, kind, n);
}

/* Closes the inbox, by which the id ceases to exist. */
static void close_inbox(struct process *p)
{
    uint64_t word = process_id(p) & ~(uint64_t)UINT32_MAX;

    p->is_dying = true;
    p->ending = ENDING_SIGNALS;
    /* acquire: as in handle_signals; release: as in process_exists */
    word = atomic_exchange_explicit(&p->inbox, word, memory_order_acq_rel);
    wait_cancel(p);
    p->wait.value = (uint32_t)word >> INBOX_NODE_SHIFT;
}

/* A piece of what has come before the end. False: there is more. */
static bool handle_last(struct process *p)
{
    uint32_t number;

    if (process_is_behind(p)) {
        handle_more(p, false);
    } else if (p->wait.value != 0) {
        number = (uint32_t)p->wait.value;
        p->wait.value = 0;
        handle_some(p, turn_round(p, NULL, number), false);
    }
    return !process_is_behind(p) && p->wait.value == 0;
}

/* A piece of releasing what the process holds. False: there is more. `w`: NULL where the scheduler
 * has stopped. */
static bool release(struct process *p, struct worker *w)
{
    struct actors *a = p->environment->actors;

    switch ((enum ending)p->ending) {
    case ENDING_NOT:
        close_inbox(p);
        __attribute__((fallthrough));
    case ENDING_SIGNALS:
        if (!handle_last(p))
            return false;
        p->ending = ENDING_BODY;
        __attribute__((fallthrough));
    case ENDING_BODY:
        if (p->class_->release_some && !p->class_->release_some(p))
            return false;
        p->class_->release(p, w);
        p->ending = ENDING_RESOURCES;
        __attribute__((fallthrough));
    case ENDING_RESOURCES:
        if (!resources_sweep(p, RESOURCES_PIECE))
            return false;
        actors_count_at(a, w, COUNT_EXITS + p->exit_reason, 1);
        if (UNLIKELY(p->mailbox.count > 0))
            actors_count_at(a, w, COUNT_MESSAGES_DROPPED, p->mailbox.count);
        grave_bury(a, w, &p->mailbox);
        p->ending = ENDING_LINKS;
        p->wait.value = (uintptr_t)p->bonds.first;
        break;
    case ENDING_LINKS:
    case ENDING_LATE:
    case ENDING_MONITORS:
    case ENDING_LAST:
        break;
    }
    return true;
}

/* Tells one bond in one of three rounds through all of them; the next one. */
static struct bond *tell_one(struct process *p, struct bond *b)
{
    struct bond *next = b->next;

    if (p->ending == ENDING_LINKS) {
        if (b->kind == BOND_LINK)
            tell(p, b, SIGNAL_LINK_DIED, (uint8_t)reason_for_links(p));
    } else if (p->ending == ENDING_LATE) {
        if (b->kind == BOND_LATE)
            tell(p, b, SIGNAL_LINK_DIED, LINK_NO_PROCESS);
    } else {
        if (b->kind == BOND_MONITOR)
            tell(p, b, SIGNAL_PROCESS_DIED, 0);
        bonds_drop_first(&p->bonds, p->environment->actors);
    }
    return next;
}

/* A piece of telling those who are to hear of the death. False: there is more. */
static bool tell_some(struct process *p)
{
    struct bond *b = (struct bond *)(uintptr_t)p->wait.value;

    for (uint32_t i = 0; i < BONDS_PIECE; i++) {
        while (!b && p->ending < ENDING_MONITORS && p->bonds.first) {
            p->ending++;
            b = p->bonds.first;
        }
        if (!b)
            return true;
        b = tell_one(p, b);
    }
    p->wait.value = (uintptr_t)b;
    return false;
}

/* A piece of what is done instead where nobody is told. */
static bool drop_bonds(struct process *p)
{
    for (uint32_t i = 0; i < BONDS_PIECE && p->bonds.first; i++)
        bonds_drop_first(&p->bonds, p->environment->actors);
    return !p->bonds.first;
}

static void drop_config(struct process *p)
{
    if (UNLIKELY(p->config->budget != NULL))
        budget_give(p->config->budget);
    config_unref(p->config);
    p->config = NULL;
}

/* A piece of the end. False: there is more. */
static bool end(struct process *p, struct worker *w)
{
    struct environment *e = p->environment;
    bool is_silent = atomic_load_explicit(&e->is_ending, memory_order_relaxed);
    char words[80] = "";

    if (p->ending < ENDING_LINKS) {
        if (!release(p, w))
            return false;
        if (UNLIKELY(p->exit_reason >= EXIT_KILLED) && !is_silent)
            log_death(p);
    }
    if (is_silent ? !drop_bonds(p) : p->bonds.first && !tell_some(p))
        return false;
    p->ending = ENDING_LAST;
    if (UNLIKELY(p->exit_reason == EXIT_LIMIT))
        process_limit_words(p, words, sizeof(words));
    drop_config(p);
    if (UNLIKELY(process_id(p) == PROCESS_MAIN)) {
        struct environment_exit how = {(enum exit_reason)p->exit_reason, p->exit_status, words};

        atomic_store(&e->is_ending, true);
        if (e->on_exit)
            e->on_exit(e, &how, e->on_exit_arg);
        /* Where that has stopped the scheduler, the others are dropped with the environment. */
        if (!scheduler_stopping(e->actors->scheduler))
            environment_end(e);
    }
    return true;
}

void process_drop(struct process *p)
{
    if (p->ending == ENDING_NOT)
        p->exit_reason = EXIT_KILLED;
    while (!release(p, NULL))
        ;
    bonds_deinit(&p->bonds, p->environment->actors);
    drop_config(p);
    p->ending = ENDING_NOT;
}

/* ---- CPU time ---- */

void process_add_cpu(struct process *p, uint64_t ns)
{
    atomic_store_explicit(&p->cpu_ns, process_cpu_ns(p) + ns, memory_order_relaxed);
}

/* A tick has ended the slice: since the last slice of this worker that one ended it has run, or
 * others have for a part of that. */
static void count_tick(struct process *p, const struct worker *w)
{
    uint64_t ns = clock_monotonic_ns() - w->used_up_ns;

    process_add_cpu(p, ns < TICK_PERIOD_NS ? ns : TICK_PERIOD_NS);
}

/* Runs the body for a slice, with a watch. */
static enum task_result run_clocked(struct process *p, struct worker *w)
{
    uint64_t begin = scheduler_slice_begin(w), max_ms = p->config->cpu_max_ms;
    enum task_result result = p->class_->run(p, w);

    process_add_cpu(p, scheduler_slice_ns(w, begin));
    if (UNLIKELY(process_cpu_ns(p) / NS_PER_MS >= max_ms) && !p->is_dying && result != TASK_DONE)
        die_of_limit(p, LIMIT_CPU);
    return result;
}

static enum task_result run(struct task *t, struct worker *w)
{
    struct process *p = of_task(t);
    enum task_result result = TASK_YIELD;

    for (unsigned round = 0; round < ROUNDS_MAX && !p->is_dying; round++) {
        if (UNLIKELY(atomic_load_explicit(&p->environment->is_ending, memory_order_relaxed)) &&
            !p->is_dying)
            die(p, EXIT_KILLED);
        if (!handle_signals(p, true))
            break;
        if (UNLIKELY(process_is_behind(p)))
            return TASK_YIELD;
        if (UNLIKELY(p->is_clocked)) {
            result = run_clocked(p, w);
        } else {
            result = p->class_->run(p, w);
            if (UNLIKELY(result == TASK_USED_UP))
                count_tick(p, w);
        }
        if (result == TASK_DONE && !p->is_dying)
            die(p, EXIT_NORMAL);
        if (p->is_dying)
            break;
        if (result != TASK_PARK)
            return result;
        if (LIKELY(!process_is_behind(p)) && park(p, w))
            return TASK_PARK;
        result = TASK_YIELD;
    }
    if (!p->is_dying)
        return result;
    return end(p, w) ? TASK_DONE : TASK_YIELD;
}

/* Gives the control block back, for a process with the next generation. */
static void give_back(struct process *p, uint32_t worker)
{
    struct environment *e = p->environment;
    struct actors *a = e->actors;
    bool is_ending = atomic_load_explicit(&e->is_ending, memory_order_relaxed);
    uint32_t generation = INBOX_GENERATION(process_id(p));

    p->ending = ENDING_NOT;
    if (UNLIKELY(generation == UINT32_MAX)) {
        /* release: as in pool_give */
        atomic_fetch_add_explicit(&e->retired, 1, memory_order_release);
    } else {
        atomic_store_explicit(&p->inbox, (uint64_t)(generation + 1) << 32, memory_order_relaxed);
        pool_give(e->processes, worker, p);
    }
    if (UNLIKELY(is_ending)) /* the environment may be gone by now */
        actors_ended(a);
}

static void done(struct task *t, struct worker *w)
{
    give_back(of_task(t), w->index);
}

/* The task may have been taken by another worker meanwhile, run, ended, and be another process. */
static void prefetch(struct task *t, enum task_distance distance)
{
    struct process *p = of_task(t);
    const struct process_class *class_ = __atomic_load_n(&p->class_, __ATOMIC_RELAXED);
    const void *body;

    __builtin_prefetch(&p->wait);
    if (!class_ || !class_->prefetch)
        return;
    body = __atomic_load_n(&p->body, __ATOMIC_RELAXED);
    if (distance == TASK_NEXT_BUT_ONE) {
        __builtin_prefetch(&p->resources);
        class_->prefetch(body);
    } else {
        __builtin_prefetch(body);
        __builtin_prefetch(__atomic_load_n(&p->resources, __ATOMIC_RELAXED));
    }
}

static const struct task_class process_task = {run, done, prefetch};

static void timer_fired(struct timer *t, struct worker *w)
{
    task_wake(w->scheduler, w, &CONTAINER_OF(t, struct process, timer)->task);
}

struct process *process_prepare(struct environment *e, const struct spawn_options *options,
                                struct error *err)
{
    const struct config *c = options->config;
    struct process *p;
    uint64_t limit;

    if (UNLIKELY(atomic_load_explicit(&e->is_ending, memory_order_relaxed))) {
        fail(err, ERR_DENIED, "the environment is ending");
        return NULL;
    }
    if (UNLIKELY(c->budget != NULL) && !budget_take(c->budget, &limit)) {
        fail(err, ERR_LIMIT, "no more than %" PRIu64 " processes allowed", limit);
        return NULL;
    }
    p = pool_take(e->processes, actors_worker(e->actors));
    if (UNLIKELY(!p)) {
        if (c->budget)
            budget_give(c->budget);
        fail(err, ERR_LIMIT, "no more than %" PRIu64 " processes at a time",
             environment_process_count(e));
        return NULL;
    }
    if (UNLIKELY(!p->timer.fire)) {
        /* The block's first use; later ones find the timer as it was, maybe still armed for
         * nothing. */
        timer_init(&p->timer, timer_fired);
        p->mailbox.holder = pool_number(e->processes, p);
    }
    task_init(&p->task, &process_task);
    p->exit_reason = EXIT_NORMAL;
    p->exit_status = 0;
    p->exit_limit = LIMIT_NONE;
    p->is_dying = false;
    p->ending = ENDING_NOT;
    p->is_behind = false;
    p->die_when_link_dies = true;
    p->has_timer = false;
    p->is_clocked = c->cpu_max_ms != CONFIG_UNLIMITED || c->fuel_max != 0 || e->actors->is_tickless;
    atomic_store_explicit(&p->room, inbox_room(c->mailbox_size_max), memory_order_relaxed);
    atomic_store_explicit(&p->cpu_ns, 0, memory_order_relaxed);
    __atomic_store_n(&p->class_, options->class_, __ATOMIC_RELAXED);
    p->environment = e;
    __atomic_store_n(&p->body, options->body, __ATOMIC_RELAXED);
    p->config = config_ref(options->config);
    wait_end(p);
    p->mailbox = (struct mailbox){.holder = p->mailbox.holder};
    p->bonds = (struct bonds){0};
    __atomic_store_n(&p->resources, NULL, __ATOMIC_RELAXED); /* prefetch reads it, like the body */
    return p;
}

void process_discard(struct process *p)
{
    drop_config(p);
    give_back(p, actors_worker(p->environment->actors));
}

uint64_t process_start(struct process *p, const struct spawn_options *options)
{
    struct environment *e = p->environment;
    uint64_t id = process_id(p);

    if (options->is_linked) {
        bonds_set(&options->parent->bonds, e->actors, BOND_LINK, id, 0);
        bonds_set(&p->bonds, e->actors, BOND_LINK, process_id(options->parent), options->link_tag);
    }
    /* release: a sender, and the worker that runs it, see the block as it is now */
    atomic_store_explicit(&p->inbox, (id & ~(uint64_t)UINT32_MAX) | INBOX_ALIVE,
                          memory_order_release);
    task_start(e->actors->scheduler, actors_current(e->actors), &p->task);
    return id;
}

struct process *process_spawn(struct environment *e, const struct spawn_options *options,
                              uint64_t *id, struct error *err)
{
    struct process *p = process_prepare(e, options, err);

    if (p)
        *id = process_start(p, options);
    return p;
}

void process_set_exit(struct process *p, enum exit_reason reason, int32_t status)
{
    if (p->is_dying)
        return;
    die(p, reason);
    p->exit_status = (uint8_t)status;
}

void process_forget_link(struct process *p, uint64_t other)
{
    bonds_remove(&p->bonds, p->environment->actors, BOND_LINK, other);
}
