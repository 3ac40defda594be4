/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The metrics of a runtime and of its guests, gathered from whoever counts them. */
#include "base/mem.h"
#include "host/metric_table.h"
#include "net/dns.h"
#include "plat/clock.h"
#include "plat/usage.h"
#include "proc/process.h"
#include "runtime/internal.h"
#include "runtime/metrics_text.h"
#include "vm/region.h"
#include "vm/slot.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum family {
#define FAMILY(token, kind, name, help) FAMILY_##token,
#include "runtime/metrics.def"
#undef FAMILY
    FAMILY_COUNT
};

static const struct {
    const char *name, *help;
    enum metrics_kind kind;
} families[FAMILY_COUNT] = {
#define FAMILY(token, kind, name, help) {name, help, METRICS_##kind},
#include "runtime/metrics.def"
#undef FAMILY
};

/* Where the numbers come from. */
struct gathering {
    struct lunatic_runtime *runtime;
    struct metrics_text text;
    const struct counts *actors, *host;
    struct scheduler_stats stats;
    struct scheduler_load load;
    struct usage usage;
    bool has_usage;
    uint64_t environments, processes, spawned, names, timers;
    uint64_t idle_ns, scrapes;
};

/* ---- names ---- */

bool metrics_is_reserved(const char *name)
{
    static const char *const parts[] = {"", "_bucket", "_sum", "_count"};

    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        size_t size = strlen(families[f].name);
        size_t part_count = families[f].kind == METRICS_HISTOGRAM ? ARRAY_COUNT(parts) : 1;

        if (strncmp(name, families[f].name, size) != 0)
            continue;
        for (size_t p = 0; p < part_count; p++) {
            if (strcmp(name + size, parts[p]) == 0)
                return true;
        }
    }
    return false;
}

/* ---- writing ---- */

static void begin(struct gathering *g, enum family f)
{
    metrics_text_family(&g->text, families[f].name, families[f].kind, families[f].help);
}

static void one(struct gathering *g, enum family f, uint64_t value)
{
    begin(g, f);
    metrics_text_count(&g->text, NULL, NULL, value);
}

static void seconds(struct gathering *g, enum family f, uint64_t ns)
{
    begin(g, f);
    metrics_text_number(&g->text, NULL, NULL, (double)ns / (double)NS_PER_SEC);
}

static uint64_t actor(const struct gathering *g, uint32_t kind)
{
    return counts_sum(g->actors, kind);
}

static uint64_t host(const struct gathering *g, uint32_t kind)
{
    return counts_sum(g->host, kind);
}

/* What is there, if `more` have come and `fewer` have gone, read one after the other. */
static uint64_t difference(uint64_t more, uint64_t fewer)
{
    return more > fewer ? more - fewer : 0;
}

/* A histogram with counts_class's classes, of which the first has `extra` values more. `sum`: of
 * all. */
static void classes(struct gathering *g, enum family f, uint32_t kind, uint32_t class_count,
                    uint32_t first_bits, uint64_t extra, uint64_t sum)
{
    uint64_t count = extra;

    begin(g, f);
    for (uint32_t i = 0; i < class_count; i++) {
        count += actor(g, kind + i);
        if (i < class_count - 1)
            metrics_text_bucket(&g->text, ldexp(1, (int)(first_bits + 2 * i)), count);
    }
    metrics_text_sum(&g->text, count, (double)sum);
}

static void compile_times(struct gathering *g)
{
    uint64_t count = 0;

    begin(g, FAMILY_COMPILE_TIME);
    for (uint32_t i = 0; i < COMPILE_CLASSES; i++) {
        count += host(g, COUNT_COMPILES + i);
        if (i < COMPILE_CLASSES - 1)
            metrics_text_bucket(&g->text, host_compile_bound(i), count);
    }
    metrics_text_sum(&g->text, count, (double)host(g, COUNT_COMPILE_NS) / (double)NS_PER_SEC);
}

/* ---- parts ---- */

static void write_messages(struct gathering *g)
{
    uint64_t data = 0, deep = 0, more = 0, messages, others, lost;

    /* First what has gone, so that it is not more than what has come. */
    uint64_t gone = actor(g, COUNT_MESSAGES_TAKEN) + actor(g, COUNT_MESSAGES_DROPPED);

    for (uint32_t i = 0; i < DEPTH_CLASSES; i++)
        deep += actor(g, COUNT_DEPTHS + i);
    for (uint32_t i = 0; i < RESOURCE_CLASSES; i++)
        more += actor(g, COUNT_RESOURCES + i);
    for (uint32_t i = 0; i < SIZE_CLASSES; i++)
        data += actor(g, COUNT_SIZES + i);
    messages = data + actor(g, COUNT_LINK_DEATHS) + actor(g, COUNT_PROCESS_DEATHS);
    others = actor(g, COUNT_OTHERS_HANDLED);
    lost = actor(g, COUNT_SIGNALS_UNSENT) + actor(g, COUNT_SIGNALS_LATE);
    begin(g, FAMILY_SIGNALS_SENT);
    metrics_text_count(&g->text, "process_kind", "wasm", messages + others + lost);
    one(g, FAMILY_SIGNALS_RECEIVED, messages + others);
    one(g, FAMILY_SIGNALS_LOST, lost);
    one(g, FAMILY_MESSAGES_SENT, messages);
    one(g, FAMILY_MESSAGES_OUTSTANDING, difference(messages, gone));
    one(g, FAMILY_MESSAGES_DROPPED, actor(g, COUNT_MESSAGES_DROPPED));
    one(g, FAMILY_DATA_COUNT, data);
    classes(g, FAMILY_DATA_SIZE, COUNT_SIZES, SIZE_CLASSES, SIZE_CLASS_BITS, 0,
            actor(g, COUNT_MESSAGE_BYTES));
    begin(g, FAMILY_DATA_RESOURCES);
    metrics_text_bucket(&g->text, 0, difference(data, more));
    more = difference(data, more);
    for (uint32_t i = 0; i < RESOURCE_CLASSES; i++) {
        more += actor(g, COUNT_RESOURCES + i);
        if (i < RESOURCE_CLASSES - 1)
            metrics_text_bucket(&g->text, ldexp(1, (int)(2 * i)), more);
    }
    metrics_text_sum(&g->text, more, (double)actor(g, COUNT_MESSAGE_RESOURCES));
    one(g, FAMILY_LINK_DEATHS, actor(g, COUNT_LINK_DEATHS));
    one(g, FAMILY_MONITOR_DEATHS, actor(g, COUNT_PROCESS_DEATHS));
    /* What came into an empty mailbox was not counted by class. */
    classes(g, FAMILY_MAILBOX_DEPTH, COUNT_DEPTHS, DEPTH_CLASSES, 0, difference(messages, deep),
            difference(messages, deep) + actor(g, COUNT_DEPTH_SUM));
}

static void write_processes(struct gathering *g)
{
    static const char *const reasons[EXIT_REASONS] = {
        [EXIT_NORMAL] = "normal",       [EXIT_FAILURE] = "failure", [EXIT_KILLED] = "killed",
        [EXIT_LINK_DIED] = "link_died", [EXIT_LIMIT] = "limit",     [EXIT_STILLBORN] = "stillborn",
    };
    uint64_t ended = actor(g, COUNT_LINKS_ENDED);

    begin(g, FAMILY_BUILD);
    metrics_text_count(&g->text, "version", lunatic_version(), 1);
    one(g, FAMILY_ENVIRONMENTS, g->environments);
    one(g, FAMILY_PROCESSES, g->processes);
    one(g, FAMILY_SPAWNED, g->spawned);
    begin(g, FAMILY_EXITED);
    for (uint32_t i = 0; i < EXIT_REASONS; i++)
        metrics_text_count(&g->text, "reason", reasons[i], actor(g, COUNT_EXITS + i));
    one(g, FAMILY_LINKS, difference(actor(g, COUNT_LINKS_MADE), ended));
    write_messages(g);
}

static void by_module(struct gathering *g, enum family f, uint32_t kind, uint32_t module_count)
{
    static const char *const modules[] = {
#define MODULE(token, name, words) #token,
        ABI_MODULES(MODULE)
#undef MODULE
            "other"};

    begin(g, f);
    for (uint32_t i = 0; i < module_count; i++)
        metrics_text_count(&g->text, "module", modules[i], host(g, kind + i));
}

static void write_host(struct gathering *g)
{
    uint64_t dropped = host(g, COUNT_MODULES_DROPPED), gone = host(g, COUNT_CONFIGS_DROPPED);
    uint64_t modules = host(g, COUNT_MODULES_COMPILED), made = host(g, COUNT_CONFIGS_CREATED);

    one(g, FAMILY_MODULES_COMPILED, modules);
    one(g, FAMILY_MODULES_DROPPED, dropped);
    one(g, FAMILY_MODULES_ACTIVE, difference(modules, dropped));
    compile_times(g);
    one(g, FAMILY_CONFIGS_CREATED, made);
    one(g, FAMILY_CONFIGS_DROPPED, gone);
    one(g, FAMILY_CONFIGS_ACTIVE, difference(made, gone));
    one(g, FAMILY_NAMES_PUT, actor(g, COUNT_NAMES_PUT));
    one(g, FAMILY_NAMES_GOT, actor(g, COUNT_NAMES_GOT));
    one(g, FAMILY_NAMES_REMOVED, actor(g, COUNT_NAMES_REMOVED));
    one(g, FAMILY_NAMES, g->names);
    one(g, FAMILY_TIMERS_STARTED, actor(g, COUNT_TIMERS_STARTED));
    one(g, FAMILY_TIMERS_COMPLETED, actor(g, COUNT_TIMERS_FIRED));
    one(g, FAMILY_TIMERS_CANCELLED, actor(g, COUNT_TIMERS_CANCELLED));
    one(g, FAMILY_TIMERS, g->timers);
    by_module(g, FAMILY_ERRORS, COUNT_ERRORS, ABI_MODULE_COUNT);
    by_module(g, FAMILY_TRAPS, COUNT_TRAPS, ABI_MODULE_COUNT + 1);
}

static uint64_t ever(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void write_network(struct gathering *g)
{
    const struct net *n = &g->runtime->net;
    const struct tls *tls = &g->runtime->tls;
    uint64_t resumed = ever(&tls->resumed_count);
    struct dns_stats dns;

    one(g, FAMILY_SOCKETS, ever(&n->socket_count));
    one(g, FAMILY_SOCKETS_MAX, n->socket_count_max);
    one(g, FAMILY_ACCEPTED, ever(&n->accepted_count));
    one(g, FAMILY_CONNECTED, ever(&n->connected_count));
    one(g, FAMILY_REFUSED, ever(&n->refused_count));
    one(g, FAMILY_RECEIVED, counts_sum(&n->counts, COUNT_BYTES_RECEIVED));
    one(g, FAMILY_SENT, counts_sum(&n->counts, COUNT_BYTES_SENT));
    one(g, FAMILY_DATAGRAMS_RECEIVED, counts_sum(&n->counts, COUNT_DATAGRAMS_RECEIVED));
    one(g, FAMILY_DATAGRAMS_SENT, counts_sum(&n->counts, COUNT_DATAGRAMS_SENT));
    dns_stats(g->runtime->host.dns, &dns);
    one(g, FAMILY_DNS_LOOKUPS, dns.lookups);
    one(g, FAMILY_DNS_KNOWN, dns.known);
    one(g, FAMILY_DNS_QUESTIONS, dns.questions);
    one(g, FAMILY_DNS_FAILURES, dns.failures);
    one(g, FAMILY_DNS_ANSWERS, dns.answers);
    one(g, FAMILY_TLS_SESSIONS, ever(&tls->session_count));
    one(g, FAMILY_TLS_HANDSHAKES, ever(&tls->handshake_count));
    one(g, FAMILY_TLS_RESUMED, resumed);
    one(g, FAMILY_TLS_FAILED, ever(&tls->failed_count));
}

static void write_scheduler(struct gathering *g)
{
    const struct scheduler_stats *s = &g->stats;
    const struct scheduler_load *l = &g->load;

    one(g, FAMILY_WORKERS, l->worker_count);
    one(g, FAMILY_SLEEPING, l->sleeping_count);
    one(g, FAMILY_READY, l->ready_count);
    one(g, FAMILY_RUNS, s->runs);
    one(g, FAMILY_PREEMPTIONS, s->used_up);
    one(g, FAMILY_WAKES, s->wakes);
    one(g, FAMILY_STEALS, s->stolen);
    one(g, FAMILY_SLEEPS, s->sleeps);
    seconds(g, FAMILY_IDLE, g->idle_ns);
    one(g, FAMILY_TICKS, s->ticks);
    one(g, FAMILY_DEADLINES, s->timers_fired);
    one(g, FAMILY_IO_DESCRIPTORS, l->io_count);
    one(g, FAMILY_IO_EVENTS, s->io_events);
    one(g, FAMILY_JOBS, l->jobs);
    one(g, FAMILY_JOBS_IN_PLACE, s->in_place);
    one(g, FAMILY_JOBS_RUNNING, l->job_count);
    one(g, FAMILY_JOBS_QUEUED, l->queued_count);
    one(g, FAMILY_HELPERS, l->helper_count);
}

static void write_memory(struct gathering *g)
{
    uint64_t live = slots_live(), retained = slots_retained();

    one(g, FAMILY_MEMORY_COMMITTED, region_committed());
    one(g, FAMILY_MEMORY_LIMIT, region_commit_limit());
    one(g, FAMILY_SLOTS, live);
    one(g, FAMILY_SLOTS_FREE, retained);
    one(g, FAMILY_MESSAGE_NODES, pool_live(&g->runtime->actors.messages));
}

static void write_program(struct gathering *g)
{
    const struct usage *u = &g->usage;

    seconds(g, FAMILY_CPU, u->cpu_ns);
    if (u->descriptors_max != UINT64_MAX)
        one(g, FAMILY_DESCRIPTORS_MAX, u->descriptors_max);
    if (!g->has_usage)
        return;
    seconds(g, FAMILY_START, u->start_ns);
    one(g, FAMILY_RESIDENT, u->resident);
    one(g, FAMILY_ADDRESS_SPACE, u->address_space);
    one(g, FAMILY_DESCRIPTORS, u->descriptors);
    one(g, FAMILY_THREADS, u->threads);
}

/* ---- what guests count ---- */

static void write_histogram(struct gathering *g, const struct metric *m)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i <= METRIC_BOUNDS; i++) {
        count += atomic_load_explicit(&m->histogram->classes[i], memory_order_relaxed);
        if (i < METRIC_BOUNDS)
            metrics_text_bucket(&g->text, metric_bound(i), count);
    }
    metrics_text_sum(&g->text, count, metric_sum(m));
}

static void write_guests(struct gathering *g)
{
    static const char *const reasons[METRIC_DROP_COUNT] = {
        [METRIC_DROPPED_LIMIT] = "limit",
        [METRIC_DROPPED_KIND] = "kind",
        [METRIC_DROPPED_NAME] = "name",
        [METRIC_DROPPED_VALUE] = "value",
    };
    static const enum metrics_kind kinds[] = {[METRIC_COUNTER] = METRICS_COUNTER,
                                              [METRIC_GAUGE] = METRICS_GAUGE,
                                              [METRIC_HISTOGRAM] = METRICS_HISTOGRAM};
    const struct metric_table *t = g->runtime->host.metrics;
    const struct metric *m;
    uint32_t count = 0;

    for (; (m = metric_at(t, count)); count++) {
        metrics_text_family(&g->text, m->name, kinds[m->kind], NULL);
        if (m->kind == METRIC_COUNTER)
            metrics_text_count(&g->text, NULL, NULL, metric_counter(m));
        else if (m->kind == METRIC_GAUGE)
            metrics_text_number(&g->text, NULL, NULL, metric_gauge(m));
        else
            write_histogram(g, m);
    }
    one(g, FAMILY_METRICS, count);
    begin(g, FAMILY_METRICS_DROPPED);
    for (uint32_t i = 0; i < METRIC_DROP_COUNT; i++)
        metrics_text_count(&g->text, "reason", reasons[i], metric_dropped(t, (enum metric_drop)i));
    one(g, FAMILY_SCRAPES, g->scrapes);
}

/* ---- all of it ---- */

/* What needs the runtime's lock. */
static void look(struct gathering *g)
{
    struct lunatic_runtime *rt = g->runtime;

    mutex_lock(&rt->lock);
    g->spawned = rt->spawned_before;
    for (struct list *l = rt->environments.next; l != &rt->environments; l = l->next) {
        struct environment *e = CONTAINER_OF(l, struct lunatic_environment, link)->environment;

        g->environments++;
        g->processes += environment_process_count(e);
        g->spawned += environment_spawn_count(e);
        g->names += registry_count(&e->registry);
        g->timers += environment_timer_count(e);
    }
    if (g->stats.idle_ns > rt->idle_ns) /* a counter must never go back */
        rt->idle_ns = g->stats.idle_ns;
    g->idle_ns = rt->idle_ns;
    g->scrapes = ++rt->scrapes;
    mutex_unlock(&rt->lock);
}

bool metrics_write(struct lunatic_runtime *rt, struct bytes *out)
{
    struct gathering *g = mem_try(struct gathering);
    bool ok;

    if (!g)
        return false;
    g->runtime = rt;
    g->actors = &rt->actors.counts;
    g->host = &rt->host.counts;
    scheduler_stats(rt->scheduler, &g->stats);
    scheduler_load(rt->scheduler, &g->load);
    g->has_usage = usage_read(&g->usage);
    look(g);
    write_processes(g);
    write_host(g);
    write_network(g);
    write_scheduler(g);
    write_memory(g);
    write_guests(g);
    write_program(g);
    ok = !g->text.has_failed;
    if (ok)
        *out = g->text.out;
    else
        bytes_deinit(&g->text.out);
    mem_free(g);
    return ok;
}

bool lunatic_runtime_metrics(struct lunatic_runtime *rt, lunatic_metrics_fn *write, void *context,
                             struct lunatic_error *err)
{
    struct bytes text = {0};
    struct error words;
    bool ok;

    if (!metrics_write(rt, &text)) {
        fail(&words, ERR_NO_MEMORY, "no memory for the metrics");
        return runtime_fail(err, &words);
    }
    ok = write(context, (const char *)text.data, text.size);
    bytes_deinit(&text);
    if (!ok) {
        fail(&words, ERR_OS, "the metrics were not taken");
        return runtime_fail(err, &words);
    }
    return true;
}
