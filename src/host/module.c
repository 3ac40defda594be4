/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Modules: from bytes to a linked program, in the variants that processes need. */
#include "baseline/baseline.h"
#include "host/guest.h"
#include "host/host.h"
#include "plat/clock.h"
#include "sched/scheduler.h"
#include "vm/code.h"
#include "vm/program.h"

static void count(const struct host *h, uint32_t kind, uint64_t n)
{
    const struct worker *w = worker_current();

    counts_add(&h->counts, w && w->scheduler == h->scheduler ? w->index : UINT32_MAX, kind, n);
}

static void release(struct resource *r)
{
    struct host_module *m = (struct host_module *)r;

    for (int v = 0; v < VARIANT_COUNT; v++) {
        program_unref(atomic_load_explicit(&m->variants[v].program, memory_order_relaxed));
        code_free(m->variants[v].code);
    }
    module_free(m->module);
    mem_uncharge(m->charged);
    mutex_deinit(&m->lock);
    count(m->host, COUNT_MODULES_DROPPED, 1);
    mem_free(m);
}

static bool charge(struct host_module *m, uint64_t bytes, struct error *err)
{
    if (!mem_charge(bytes))
        return fail(err, ERR_NO_MEMORY, "no memory for a module of %llu bytes",
                    (unsigned long long)bytes);
    m->charged += bytes;
    return true;
}

static bool compile(struct host_module *m, enum host_variant v, struct bytes *report,
                    struct error *err)
{
    const struct host *h = m->host;
    const struct baseline_options options = {
        .metered = v == VARIANT_METERED, .exact = h->exact, .thread_count = h->compile_threads};
    const struct program_options linking = {.resolve = host_resolve,
                                            .extra_size = sizeof(struct guest)};
    struct program *program;
    struct code *code;

    if (!baseline_compile(m->module, &options, &code, err))
        return false;
    if (!charge(m, code_memory(code), err)) {
        code_free(code);
        return false;
    }
    if (!program_new(m->module, code, &linking, &program, report, err)) {
        m->charged -= code_memory(code);
        mem_uncharge(code_memory(code));
        code_free(code);
        return false;
    }
    m->variants[v].code = code;
    /* release: pairs with the acquire of whoever finds it compiled */
    atomic_store_explicit(&m->variants[v].program, program, memory_order_release);
    return true;
}

static bool load(struct host *h, struct bytes *bytes, struct host_module **out,
                 struct bytes *report, struct error *err)
{
    struct host_module *m;
    struct module *module;

    if (!module_decode(bytes, &module, err)) {
        count(h, COUNT_MODULES_DROPPED, 1);
        return false;
    }
    m = mem_new(struct host_module);
    resource_init(&m->resource, RESOURCE_MODULE, release);
    mutex_init(&m->lock);
    m->host = h;
    m->module = module;
    if (!charge(m, module_memory(module), err) || !module_validate(module, err) ||
        !compile(m, h->metered ? VARIANT_METERED : VARIANT_PLAIN, report, err)) {
        host_module_unref(m);
        return false;
    }
    *out = m;
    return true;
}

static const double compile_bounds[COMPILE_CLASSES - 1] = {0.001, 0.005, 0.01, 0.05, 0.1,
                                                           0.5,   1,     5,    10};

double host_compile_bound(uint32_t index)
{
    return compile_bounds[index];
}

bool host_module_new(struct host *h, struct bytes *bytes, struct host_module **out,
                     struct bytes *report, struct error *err)
{
    uint64_t begin = clock_monotonic_ns(), ns;
    bool ok = load(h, bytes, out, report, err);
    uint32_t i = 0;

    ns = clock_monotonic_ns() - begin;
    while (i < COMPILE_CLASSES - 1 && (double)ns / (double)NS_PER_SEC > compile_bounds[i])
        i++;
    count(h, COUNT_MODULES_COMPILED, 1);
    count(h, COUNT_COMPILES + i, 1);
    count(h, COUNT_COMPILE_NS, ns);
    return ok;
}

enum host_variant host_module_variant(const struct host_module *m, const struct config *c)
{
    return m->host->metered || c->fuel_max != 0 ? VARIANT_METERED : VARIANT_PLAIN;
}

bool host_module_compile(struct host_module *m, enum host_variant v, struct program **out,
                         struct error *err)
{
    bool ok = true;

    mutex_lock(&m->lock);
    if (!atomic_load_explicit(&m->variants[v].program, memory_order_relaxed))
        ok = compile(m, v, NULL, err);
    *out = atomic_load_explicit(&m->variants[v].program, memory_order_relaxed);
    mutex_unlock(&m->lock);
    return ok;
}
