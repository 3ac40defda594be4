/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The life of a guest: made, run slice by slice, ended.
 *
 * A host function that returns OUTCOME_CALL is suspended while the guest runs: what it waited for
 * is kept with it. wait_save moves the wait to `kept_wait`, from where the vm copies it to the
 * guest's stack, and when the call goes on (or is dropped) the vm copies it back there. */
#include "host/guest.h"
#include "abi/values.h"
#include "base/log.h"
#include "host/internal.h"
#include "host/net/names.h"
#include "host/wasi/wasi.h"
#include "sched/offload.h"
#include "sched/scheduler.h"
#include "vm/activation.h"
#include "vm/preempt.h"
#include "vm/program.h"
#include <inttypes.h>
#include <stdio.h>

#define FUEL_UNIT 100000 /* instructions; what config->fuel_max counts */

/* What is left to do before the entry function runs, or why it never will. */
struct guest_start {
    uint64_t parent; /* waits to hear how the start function ended; 0: nobody */
    bool is_running; /* the start function */
    bool is_failure; /* there is no such entry: `words` say why */
    char words[256];
    const struct function *entry;
    uint32_t arg_count;
    uint64_t args[];
};

struct outcome guest_trap_in(struct guest *g, const char *function, const char *words)
{
    g->trap_function = function;
    g->instance->fiber->trap_text = words;
    guest_count(g, COUNT_TRAPS + host_function_module(function), 1);
    return trap(TRAP_HOST);
}

uint64_t guest_deadline_ms(const struct guest *g, uint64_t timeout_ms)
{
    uint64_t delay_ns;

    if (timeout_ms == LUN_FOREVER || __builtin_mul_overflow(timeout_ms, NS_PER_MS, &delay_ns))
        return DEADLINE_NEVER;
    return deadline_after(scheduler_now_ns(g->host->scheduler), delay_ns);
}

struct worker *guest_worker(const struct guest *g)
{
    return actors_current(g->process->environment->actors);
}

/* ---- jobs ---- */

static void cancel_job(struct process *p, struct wait *w)
{
    offload_detach(p->environment->actors->scheduler, w->object);
}

void guest_submit(struct guest *g, struct offload_job *job)
{
    job->waiter = &g->process->task;
    wait_begin(g->process, WAIT_JOB, DEADLINE_NEVER, cancel_job, job);
    offload_submit(g->host->scheduler, guest_worker(g), job);
    if (offload_finished(job)) { /* done in place: that was this slice's work */
        struct vm_worker *w = guest_worker(g)->context;

        w->tick = 1;
    }
}

struct offload_job *guest_job_finished(struct guest *g)
{
    struct offload_job *job = guest_wait(g)->object;

    if (!offload_finished(job))
        return NULL;
    wait_end(g->process);
    return job;
}

/* ---- birth ---- */

bool guest_new(struct host *h, struct vm_worker *w, struct host_module *m, struct program *program,
               const struct config *c, struct guest **out, struct error *err)
{
    const struct instance_limits limits = {
        .memory_max = c->memory_max, .table_max = 0, .stack_max = h->stack_max};
    enum instance_failure why;
    struct instance *i = instance_new(program, w, &limits, &why);
    const struct memory_decl *memory = m->module->memories;
    struct guest *g;

    if (UNLIKELY(!i)) {
        if (why == INSTANCE_OVER_LIMIT && memory &&
            (uint64_t)memory->limits.min * MEMORY_PAGE_SIZE > c->memory_max)
            return fail(err, ERR_LIMIT, "memory minimum size of %u pages exceeds memory limits",
                        memory->limits.min);
        if (why == INSTANCE_OVER_LIMIT)
            return fail(err, ERR_LIMIT, "memory or table exceeds the limits");
        return fail(err, ERR_NO_MEMORY, "no memory for another process");
    }
    g = instance_extra(i);
    g->instance = i;
    g->host = h;
    g->module = host_module_ref(m);
    i->fiber->guest = g;
    i->fuel = FUEL_UNIT;
    g->fuel_used = 1;
    fiber_set_state(i->fiber, &g->kept_wait, sizeof(g->kept_wait));
    *out = g;
    return true;
}

static struct guest_start *start_new(struct guest *g, uint32_t arg_count)
{
    struct guest_start *s = mem_alloc(1, sizeof(struct guest_start) + arg_count * sizeof(uint64_t));

    g->start = s;
    return s;
}

static void start_fails(struct guest *g, const char *what, struct slice name)
{
    struct guest_start *s = g->start ? g->start : start_new(g, 0);
    char text[160];

    s->is_failure = true;
    snprintf(s->words, sizeof(s->words), "%s \"%s\"", what, name_text(name, text, sizeof(text)));
}

/* The export `name` if it can be called with these arguments; else notes why not. */
static const struct function *find_entry(struct guest *g, struct slice name,
                                         const struct guest_args *args)
{
    const struct program *program = g->instance->program;
    const struct function *f = program_export(program, name);
    const struct functype *type;

    if (UNLIKELY(!f)) {
        start_fails(g, "no exported function", name);
        return NULL;
    }
    type = program_function_type(program, f);
    if (UNLIKELY(type->param_count != args->count || type->result_count != 0 ||
                 (args->count && memcmp(type->params, args->types, args->count) != 0))) {
        start_fails(g, "other parameters or results than spawn wants in", name);
        return NULL;
    }
    return f;
}

bool guest_enter(struct guest *g, struct slice name, const struct guest_args *args, uint64_t parent)
{
    struct fiber *f = g->instance->fiber;
    const struct function *start = program_start(g->instance->program);
    struct guest_start *s;

    if (LIKELY(!start)) {
        const struct function *entry = find_entry(g, name, args);

        if (entry && fiber_activate(f, entry, args->values, args->count, false) != TRAP_NONE)
            start_fails(g, "cannot enter", name);
        return false;
    }
    s = start_new(g, args->count);
    s->parent = parent;
    s->is_running = true;
    s->entry = find_entry(g, name, args);
    s->arg_count = args->count;
    if (args->count)
        memcpy(s->args, args->values, args->count * sizeof(*s->args));
    if (fiber_activate(f, start, NULL, 0, false) != TRAP_NONE) {
        start_fails(g, "cannot run the start function before", name);
        s->is_running = false;
    }
    return true;
}

/* ---- the end ---- */

static void answer_parent(struct guest *g, uint64_t how)
{
    struct process *p = g->process;

    if (g->start->parent)
        process_answer(p->environment, g->start->parent, process_id(p), how);
    g->start->parent = 0;
}

void guest_free(struct guest *g, struct vm_worker *w)
{
    struct host_module *m = g->module;
    struct instance *i = g->instance;

    mem_free(g->start);
    preempt_forget(w, i->fiber);
    instance_free(i, w);
    host_module_unref(m);
}

static bool release_some(struct process *p)
{
    struct guest *g = p->body;

    if (UNLIKELY(g->wasi != NULL) && !wasi_free_some(g->wasi))
        return false;
    return instance_free_some(g->instance);
}

static void release(struct process *p, struct worker *w)
{
    struct guest *g = p->body;
    struct host *h = g->host;

    if (UNLIKELY(p->resources != NULL)) /* its configurations go with it */
        counts_add(&h->counts, w ? w->index : POOL_OUTSIDE, COUNT_CONFIGS_DROPPED,
                   resource_count(p, RESOURCE_CONFIG));
    /* The waits of suspended host calls, innermost first; the one in the control block is gone. */
    while (UNLIKELY(fiber_depth(g->instance->fiber) > 1)) {
        uint64_t none;

        if (!fiber_return(g->instance->fiber, &none, 0))
            break;
        wait_cancel_saved(p, &g->kept_wait);
    }
    if (g->message)
        message_free(p->environment->actors, g->message);
    if (UNLIKELY(g->claim != NULL))
        guest_release_claim(g);
    if (UNLIKELY(g->wasi != NULL))
        wasi_free(g->wasi);
    if (UNLIKELY(g->names != NULL))
        net_names_free(g->names);
    if (UNLIKELY(g->sent != NULL))
        net_sent_unref(g->sent);
    if (UNLIKELY(g->start != NULL))
        answer_parent(g, GUEST_START_TRAPPED);
    if (LIKELY(w != NULL)) {
        guest_free(g, w->context);
        return;
    }
    mutex_lock(&h->lock);
    guest_free(g, &h->outside);
    mutex_unlock(&h->lock);
}

/* ---- running ---- */

/* A suspended host call is dropped because a trap unwinds it. */
static void crossed(void *context)
{
    struct guest *g = context;

    wait_cancel_saved(g->process, &g->kept_wait);
}

/* The guest has trapped. True: some trap::catch goes on with it. */
static bool trapped(struct guest *g)
{
    struct fiber *f = g->instance->fiber;
    struct process *p = g->process;
    enum trap kind = (enum trap)f->trap_kind;

    wait_cancel(p); /* of the host function that trapped */
    if (log_enabled(LOG_DEBUG))
        report_trap(g, LOG_DEBUG);
    if (fiber_catch(f, crossed, g)) {
        wait_restore(p, &g->kept_wait);
        return true;
    }
    if (g->start && g->start->is_running) {
        if (g->start->parent) {
            answer_parent(g, GUEST_START_TRAPPED + kind);
            process_set_exit(p, EXIT_STILLBORN, STATUS_TRAP);
            return false;
        }
    }
    report_failure(g, NULL);
    process_set_exit(p, EXIT_FAILURE, STATUS_TRAP);
    return false;
}

/* The outermost function has returned. True: there is another one to run. */
static bool returned(struct guest *g)
{
    struct process *p = g->process;
    struct guest_start *s = g->start;

    if (LIKELY(!s)) {
        process_set_exit(p, EXIT_NORMAL, 0);
        return false;
    }
    /* It was the start function. */
    s->is_running = false;
    answer_parent(g, GUEST_START_DONE);
    if (!s->is_failure &&
        fiber_activate(g->instance->fiber, s->entry, s->args, s->arg_count, false) != TRAP_NONE)
        start_fails(g, "cannot enter the entry function", slice_text(""));
    if (s->is_failure)
        return true; /* `run` looks at it */
    g->start = NULL;
    mem_free(s);
    return true;
}

/* Metered code has used up what it had. True: it may go on. */
static bool refuel(struct guest *g)
{
    struct process *p = g->process;
    uint64_t max = p->config->fuel_max;

    if (max && g->fuel_used >= max) {
        g->instance->fiber->trap_kind = TRAP_OUT_OF_FUEL;
        return false;
    }
    g->fuel_used++;
    g->instance->fuel += FUEL_UNIT;
    return true;
}

/* proc_exit. */
static void exited(struct guest *g, uint32_t status)
{
    struct process *p = g->process;
    int32_t low = (int32_t)(status & 0xff);

    wait_cancel(p);
    if (status != 0)
        report_exit(g, status);
    process_set_exit(p, status == 0 ? EXIT_NORMAL : EXIT_FAILURE,
                     status != 0 && low == 0 ? 1 : low);
}

static enum task_result run(struct process *p, struct worker *w)
{
    struct guest *g = p->body;
    struct fiber *f = g->instance->fiber;

    for (;;) {
        if (UNLIKELY(g->start && g->start->is_failure && !g->start->is_running)) {
            report_failure(g, g->start->words);
            process_set_exit(p, EXIT_FAILURE, STATUS_TRAP);
            return TASK_DONE;
        }
        switch (vm_run(w->context, f)) {
        case STOP_RETURNED:
            if (fiber_return(f, NULL, 0)) {
                wait_restore(p, &g->kept_wait);
                break;
            }
            if (returned(g))
                break;
            return TASK_DONE;
        case STOP_TRAPPED:
            if (trapped(g))
                break;
            return TASK_DONE;
        case STOP_OUTCOME:
            switch ((enum outcome_kind)f->outcome.kind) {
            case OUTCOME_PARK:
                return TASK_PARK;
            case OUTCOME_CALL:
                wait_save(p, &g->kept_wait);
                if (!fiber_call(f, crossed, g)) {
                    if (trapped(g))
                        break;
                    return TASK_DONE;
                }
                if (f->answer.returned)
                    wait_restore(p, &g->kept_wait);
                break;
            case OUTCOME_EXIT:
                exited(g, (uint32_t)f->outcome.value);
                return TASK_DONE;
            case OUTCOME_YIELD:
            case OUTCOME_DONE:
            case OUTCOME_TRAP:
                return TASK_YIELD;
            }
            break;
        case STOP_PREEMPTED:
        case STOP_TICK:
            return TASK_USED_UP;
        case STOP_FUEL:
            if (refuel(g))
                return TASK_USED_UP;
            if (trapped(g))
                break;
            return TASK_DONE;
        }
    }
}

static void prefetch(const void *body)
{
    instance_prefetch(body);
}

const struct process_class guest_class = {run, release, prefetch, release_some};

bool host_spawn(struct host *h, struct environment *e, struct host_module *m, struct config *config,
                struct slice entry, uint64_t *id, struct error *err)
{
    const struct guest_args none = {0};
    struct spawn_options options = {.class_ = &guest_class, .config = config};
    struct program *program;
    struct process *p;
    struct guest *g = NULL;
    bool ok;

    if (!host_module_compile(m, host_module_variant(m, config), &program, err))
        return false;
    p = process_prepare(e, &options, err);
    if (!p)
        return false;
    mutex_lock(&h->lock);
    ok = guest_new(h, &h->outside, m, program, config, &g, err);
    mutex_unlock(&h->lock);
    if (!ok) {
        process_discard(p);
        return false;
    }
    ASSERT(g);
    process_set_body(p, g);
    g->process = p;
    guest_enter(g, entry, &none, 0);
    *id = process_start(p, &options);
    return true;
}
