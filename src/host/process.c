/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::process: modules, life and death of processes. Configurations are in config.c, spawning
 * is in spawn.c. */
#include "host/internal.h"
#include "proc/signal.h"
#include "sched/offload.h"
#include "wasm/limits.h"

/* ---- modules ---- */

struct compile_job {
    struct offload_job job;
    struct host *host;
    struct bytes input;
    struct host_module *module; /* the result */
    struct error err;
};

static void compile_run(struct offload_job *job)
{
    struct compile_job *c = CONTAINER_OF(job, struct compile_job, job);

    if (!host_module_new(c->host, &c->input, &c->module, NULL, &c->err))
        c->module = NULL;
    c->input = (struct bytes){0}; /* taken */
}

static void compile_discard(struct offload_job *job)
{
    struct compile_job *c = CONTAINER_OF(job, struct compile_job, job);

    host_module_unref(c->module);
    bytes_deinit(&c->input);
    mem_free(c);
}

/* Tells the guest of a failure: result 1 and an error id. `id_out` has been checked. */
static struct outcome failed(struct guest *g, const char *function, const char *words,
                             uint32_t id_out)
{
    uint64_t id;

    guest_count_error(g, ABI_NUMBER_process);
    if (!guest_add_error(g, words, &id))
        return guest_trap_in(g, function, "this process holds too much");
    guest_write_u64(g, id_out, id);
    return done(LUN_FAILED);
}

static struct outcome compiled(struct guest *g, struct compile_job *c, uint32_t id_out)
{
    struct outcome result;
    uint64_t id;

    if (!c->module) {
        result = failed(g, "host_process_compile_module", c->err.text, id_out);
    } else if (!resource_add(g->process, &c->module->resource, &id)) {
        result = failed(g, "host_process_compile_module", "this process holds too much", id_out);
    } else {
        c->module = NULL; /* the table's */
        guest_write_u64(g, id_out, id);
        result = done(LUN_OK);
    }
    compile_discard(&c->job);
    return result;
}

struct outcome host_process_compile_module(struct guest *g, uint32_t data, uint32_t size,
                                           uint32_t id_out)
{
    struct offload_job *job;
    struct compile_job *c;
    uint8_t *bytes;

    if (guest_wait(g)->kind == WAIT_NONE) {
        if (!config_allows(g->process->config, RIGHT_COMPILE_MODULES))
            return done(LUN_DENIED);
        if (!guest_bytes(g, data, size, &bytes) || !guest_range(g, id_out, sizeof(uint64_t)))
            return guest_trap_range(g);
        if (size > MODULE_SIZE_MAX) /* before it is copied */
            return failed(g, __func__, "the module is larger than 1 GiB", id_out);
        c = mem_new(struct compile_job);
        c->host = g->host;
        c->job.run = compile_run;
        c->job.discard = compile_discard;
        if (!bytes_append(&c->input, bytes, size)) {
            compile_discard(&c->job);
            return failed(g, __func__, "no memory for the module", id_out);
        }
        guest_submit(g, &c->job);
    }
    job = guest_job_finished(g);
    if (!job)
        return guest_park();
    return compiled(g, CONTAINER_OF(job, struct compile_job, job), id_out);
}

struct outcome host_process_drop_module(struct guest *g, uint64_t module_id)
{
    struct resource *r = resource_take(g->process, RESOURCE_MODULE, module_id);

    if (!r)
        return guest_trap(g, "unknown module id");
    resource_unref(r);
    return done(0);
}

/* ---- life ---- */

struct outcome host_process_sleep_ms(struct guest *g, uint64_t duration_ms)
{
    struct process *p = g->process;

    if (p->wait.kind == WAIT_NONE) {
        wait_begin(p, WAIT_TIME, guest_deadline_ms(g, duration_ms), NULL, NULL);
        return guest_park();
    }
    if (!wait_expired(p))
        return guest_park();
    wait_end(p);
    return done(0);
}

struct outcome host_process_die_when_link_dies(struct guest *g, uint32_t die)
{
    process_die_when_link_dies(g->process, die != 0);
    return done(0);
}

struct outcome host_process_process_id(struct guest *g)
{
    return done(process_id(g->process));
}

struct outcome host_process_environment_id(struct guest *g)
{
    return done(g->process->environment->id);
}

struct outcome host_process_link(struct guest *g, uint64_t tag, uint64_t process_id)
{
    process_link(g->process, process_id, (int64_t)tag);
    return done(0);
}

struct outcome host_process_unlink(struct guest *g, uint64_t process_id)
{
    process_unlink(g->process, process_id);
    return done(0);
}

struct outcome host_process_monitor(struct guest *g, uint64_t process_id)
{
    process_monitor(g->process, process_id);
    return done(0);
}

struct outcome host_process_stop_monitoring(struct guest *g, uint64_t process_id)
{
    process_demonitor(g->process, process_id);
    return done(0);
}

struct outcome host_process_kill(struct guest *g, uint64_t process_id)
{
    struct process *p = g->process;

    process_kill(p->environment, process_id);
    /* A process that kills itself stops here rather than at the end of its slice; before it could
     * go on it finds the signal. */
    if (process_id == host_process_process_id(g).value)
        return guest_park();
    return done(0);
}

struct outcome host_process_exists(struct guest *g, uint64_t process_id)
{
    return done(process_exists(g->process->environment, process_id));
}
