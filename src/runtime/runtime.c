/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The one place that makes every layer and hands each its neighbours. */
#include "base/log.h"
#include "base/mem.h"
#include "host/metric_table.h"
#include "host/wasi/wasi.h"
#include "net/dns.h"
#include "plat/command.h"
#include "plat/cpu.h"
#include "plat/file_path.h"
#include "plat/vmem.h"
#include "runtime/internal.h"
#include "runtime/metrics_server.h"
#include "vm/preempt.h"
#include "vm/region.h"
#include "vm/worker.h"
#include <stdio.h>
#include <string.h>

/* By how much the virtual clock moves per slice, so that a process that only loops does not stop
 * time. */
#define VIRTUAL_SLICE_NS 10000

const char *lunatic_version(void)
{
    return LUNATIC_VERSION;
}

bool runtime_fail(struct lunatic_error *out, const struct error *err)
{
    static const enum lunatic_error_code codes[] = {
        [ERR_NONE] = LUNATIC_ERROR_SYSTEM,       [ERR_MALFORMED] = LUNATIC_ERROR_MODULE,
        [ERR_INVALID] = LUNATIC_ERROR_MODULE,    [ERR_UNSUPPORTED] = LUNATIC_ERROR_MODULE,
        [ERR_LIMIT] = LUNATIC_ERROR_LIMIT,       [ERR_NO_MEMORY] = LUNATIC_ERROR_MEMORY,
        [ERR_UNLINKABLE] = LUNATIC_ERROR_IMPORT, [ERR_NOT_FOUND] = LUNATIC_ERROR_FILE,
        [ERR_TRAP] = LUNATIC_ERROR_MODULE,       [ERR_OS] = LUNATIC_ERROR_SYSTEM,
        [ERR_USAGE] = LUNATIC_ERROR_USAGE,       [ERR_DENIED] = LUNATIC_ERROR_SYSTEM,
    };

    if (out) {
        out->code = codes[err->code];
        snprintf(out->text, sizeof(out->text), "%s", err->text);
    }
    return false;
}

void lunatic_runtime_options_init(struct lunatic_runtime_options *o)
{
    *o = (struct lunatic_runtime_options){.size = sizeof(*o), .log_level = LUNATIC_LOG_WARN};
}

/* ---- hooks of the scheduler ---- */

static bool tick(struct worker *w, void *ucontext)
{
    struct vm_worker *vw = w->context;

    return vw && preempt_from_signal(ucontext, vw);
}

static bool worker_start(struct worker *w, struct error *err)
{
    struct lunatic_runtime *rt = scheduler_context(w->scheduler);

    (void)err;
    w->context = &rt->workers[w->index];
    return true;
}

/* ---- hooks of the others ---- */

static void output_failed(void *arg, int fd, enum file_error e)
{
    struct lunatic_runtime *rt = arg;
    char words[128];

    snprintf(words, sizeof(words), "standard %s: %s", fd == 2 ? "error" : "output",
             file_error_words(e));
    mutex_lock(&rt->lock);
    for (struct list *l = rt->environments.next; l != &rt->environments; l = l->next)
        runtime_environment_output(CONTAINER_OF(l, struct lunatic_environment, link), words);
    mutex_unlock(&rt->lock);
}

/* ---- the thread that runs the scheduler ---- */

static void run(void *arg)
{
    struct lunatic_runtime *rt = arg;
    struct error err = {0};
    bool ok = scheduler_run(rt->scheduler, &err);

    mutex_lock(&rt->lock);
    rt->has_ended = true;
    rt->end_error = err;
    for (struct list *l = rt->environments.next; l != &rt->environments; l = l->next)
        runtime_environment_stuck(CONTAINER_OF(l, struct lunatic_environment, link),
                                  ok ? "every process waits for another" : err.text);
    mutex_unlock(&rt->lock);
}

static bool options_read(const struct lunatic_runtime_options *from,
                         struct lunatic_runtime_options *to, struct lunatic_error *err)
{
    struct error e;

    lunatic_runtime_options_init(to);
    if (!from)
        return true;
    if (from->size == 0 || from->size > sizeof(*to)) {
        fail(&e, ERR_USAGE, "the options were not made by lunatic_runtime_options_init");
        return runtime_fail(err, &e);
    }
    memcpy(to, from, from->size);
    if (to->workers > WORKERS_MAX) {
        fail(&e, ERR_USAGE, "%u workers, at most %u", to->workers, WORKERS_MAX);
        return runtime_fail(err, &e);
    }
    return true;
}

bool lunatic_runtime_new(const struct lunatic_runtime_options *options,
                         struct lunatic_runtime **out, struct lunatic_error *err)
{
    struct lunatic_runtime_options o;
    struct lunatic_runtime *rt;
    struct actors_options actors = {0};
    struct scheduler_options sched = {0};
    struct error e = {0};
    struct dns *dns = NULL;

    if (!options_read(options, &o, err))
        return false;
    log_set_level((enum log_level)o.log_level);
    log_set_json(o.log_json);
    if (o.raise_descriptors)
        command_raise_descriptors();
    if (o.move_stacks)
        vm_set_move_stacks(true);
    if (o.old_kernel) {
        vmem_set_fallbacks(true);
        file_path_force_walk(true);
    }
    mem_set_charge(region_commit, region_uncommit);
    rt = mem_new(struct lunatic_runtime);
    mutex_init(&rt->lock);
    mutex_lock(&rt->lock);
    list_init(&rt->environments);
    condition_init(&rt->deadlines_changed);
    mutex_unlock(&rt->lock);
    rt->is_deterministic = o.deterministic;

    sched.worker_count = o.workers;
    sched.deterministic = o.deterministic;
    sched.virtual_clock = o.deterministic;
    sched.virtual_slice_ns = VIRTUAL_SLICE_NS;
    sched.stop_when_stuck = o.deterministic;
    sched.seed = o.seed;
    sched.tick = METERED_ONLY || o.metered || o.deterministic ? TICK_OFF : TICK_AUTO;
    sched.hooks.context = rt;
    sched.hooks.tick = tick;
    sched.hooks.worker_start = worker_start;
    if (!scheduler_new(&sched, &rt->scheduler, &e)) {
        condition_deinit(&rt->deadlines_changed);
        mutex_deinit(&rt->lock);
        mem_free(rt);
        return runtime_fail(err, &e);
    }
    if (!dns_new(rt->scheduler, o.dns_servers, &dns, &e)) {
        scheduler_free(rt->scheduler);
        condition_deinit(&rt->deadlines_changed);
        mutex_deinit(&rt->lock);
        mem_free(rt);
        return runtime_fail(err, &e);
    }
    actors.scheduler = rt->scheduler;
    if (!actors_init(&rt->actors, &actors, &e)) {
        dns_free(dns);
        scheduler_free(rt->scheduler);
        condition_deinit(&rt->deadlines_changed);
        mutex_deinit(&rt->lock);
        mem_free(rt);
        return runtime_fail(err, &e);
    }
    rt->worker_count = scheduler_worker_count(rt->scheduler);
    vmem_start();
    if (!o.old_kernel)
        vm_make_lazy();
    rt->workers = mem_new_array(struct vm_worker, rt->worker_count);
    for (uint32_t i = 0; i < rt->worker_count; i++)
        vm_worker_init(&rt->workers[i], i);
    host_init(&rt->host, rt->scheduler, rt->worker_count);
    rt->host.metrics->is_reserved = metrics_is_reserved;
    rt->host.metered = METERED_ONLY || o.metered || o.deterministic ||
                       scheduler_tick_clock(rt->scheduler) == TICK_OFF;
    rt->host.exact = o.exact;
    rt->host.compile_threads = o.deterministic ? 1 : cpu_count();
    rt->host.main_failed = runtime_main_failed;
    rt->host.wasi = wasi_shared_new(rt->scheduler);
    wasi_shared_on_output_error(rt->host.wasi, output_failed, rt);
    net_init(&rt->net, rt->scheduler);
    tls_init(&rt->tls, &rt->net);
    tls_clients_init(&rt->tls_clients);
    rt->host.net = &rt->net;
    rt->host.tls = &rt->tls;
    rt->host.tls_clients = &rt->tls_clients;
    rt->host.dns = dns;
    rt->host.process_count_max = o.process_count_max;
    *out = rt;
    return true;
}

bool runtime_start_thread(struct lunatic_runtime *rt, struct error *err)
{
    bool ok = true;

    mutex_lock(&rt->lock);
    if (!rt->is_running) {
        ok = thread_create(&rt->thread, "lunatic", run, rt, err);
        rt->is_running = ok;
    }
    mutex_unlock(&rt->lock);
    return ok;
}

void lunatic_runtime_free(struct lunatic_runtime *rt)
{
    struct metrics_server *metrics;
    bool is_running;

    if (!rt)
        return;
    mutex_lock(&rt->lock);
    metrics = rt->metrics_server;
    mutex_unlock(&rt->lock);
    metrics_server_stop(metrics);
    deadlines_end(rt);
    scheduler_stop(rt->scheduler);
    mutex_lock(&rt->lock);
    is_running = rt->is_running;
    mutex_unlock(&rt->lock);
    if (is_running)
        thread_join(&rt->thread);
    wasi_shared_free(rt->host.wasi);
    actors_deinit(&rt->actors);
    dns_free(rt->host.dns);
    tls_deinit(&rt->tls);
    net_deinit(&rt->net);
    scheduler_free(rt->scheduler);
    tls_clients_deinit(&rt->tls_clients); /* jobs of the scheduler used them */
    for (uint32_t i = 0; i < rt->worker_count; i++)
        vm_worker_deinit(&rt->workers[i]);
    mem_free(rt->workers);
    host_deinit(&rt->host);
    condition_deinit(&rt->deadlines_changed);
    mutex_deinit(&rt->lock);
    mem_free(rt);
}
