/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::process::spawn and get_or_spawn.
 *
 * Most spawns are done in one call. Two things make them wait: a variant of the module that must be
 * compiled first (WAIT_JOB), and a module with a start function, which runs in the child while the
 * parent waits to hear how it ended (WAIT_ANSWER). get_or_spawn may also wait for another process
 * that is spawning the same name (WAIT_NAME). Everything is checked before anything is done. */
#include "host/internal.h"
#include "proc/registry.h"
#include "sched/offload.h"
#include "sched/scheduler.h"
#include "vm/program.h"
#include "wasm/limits.h"
#include <stdio.h>

struct spawn_args {
    uint64_t link, config_id, module_id;
    uint32_t function, function_size, params, params_size;
};

enum spawn_state { SPAWN_DONE, SPAWN_TRAPPED, SPAWN_WAITS };

/* What a spawn has come to. */
struct spawn_result {
    enum spawn_state state;
    const char *words; /* SPAWN_TRAPPED: static */
    bool failed;       /* SPAWN_DONE: not instantiated; `id` is an error id */
    uint64_t id;
};

static struct spawn_result trapped(const char *words)
{
    return (struct spawn_result){.state = SPAWN_TRAPPED, .words = words};
}

static struct spawn_result waits(void)
{
    return (struct spawn_result){.state = SPAWN_WAITS};
}

static struct spawn_result failed(struct guest *g, const char *words)
{
    struct spawn_result r = {.state = SPAWN_DONE, .failed = true};

    guest_count_error(g, ABI_NUMBER_process);
    return guest_add_error(g, words, &r.id) ? r : trapped("this process holds too much");
}

/* ---- variants ---- */

struct variant_job {
    struct offload_job job;
    struct host_module *module;
    enum host_variant variant;
    bool ok;
    struct error err;
};

static void variant_run(struct offload_job *job)
{
    struct variant_job *v = CONTAINER_OF(job, struct variant_job, job);
    struct program *program;

    v->ok = host_module_compile(v->module, v->variant, &program, &v->err);
}

static void variant_discard(struct offload_job *job)
{
    struct variant_job *v = CONTAINER_OF(job, struct variant_job, job);

    host_module_unref(v->module);
    mem_free(v);
}

struct offload_job *variant_job(struct host_module *m, enum host_variant variant)
{
    struct variant_job *v = mem_new(struct variant_job);

    v->job.run = variant_run;
    v->job.discard = variant_discard;
    v->module = host_module_ref(m);
    v->variant = variant;
    return &v->job;
}

bool variant_job_end(struct offload_job *job, struct error *err)
{
    struct variant_job *v = CONTAINER_OF(job, struct variant_job, job);
    bool ok = v->ok;

    if (!ok)
        *err = v->err;
    variant_discard(job);
    return ok;
}

/* ---- spawning ---- */

struct params {
    uint8_t types[ENTRY_PARAMS_MAX];
    uint64_t values[ENTRY_PARAMS_MAX];
};

/* NULL, or what is wrong with the encoded parameters. More than any function has are cut: the child
 * will fail. */
static const char *decode_params(const uint8_t *data, uint32_t size, struct params *out,
                                 struct guest_args *args)
{
    if (size % LUN_PARAM_SIZE != 0)
        return "parameters are records of 17 bytes";
    if (size / LUN_PARAM_SIZE > FUNCTION_PARAMS_MAX)
        return "more than 1,000 parameters";
    for (uint32_t at = 0; at < size; at += LUN_PARAM_SIZE) {
        uint8_t type = data[at];
        uint32_t low;

        if (type != LUN_PARAM_I32 && type != LUN_PARAM_I64 && type != LUN_PARAM_V128)
            return "a parameter is neither i32, i64 nor v128";
        if (args->count == ENTRY_PARAMS_MAX)
            continue;
        out->types[args->count] = type;
        memcpy(&out->values[args->count], data + at + 1, sizeof(uint64_t));
        if (type == LUN_PARAM_I32) {
            memcpy(&low, data + at + 1, sizeof(low));
            out->values[args->count] = low;
        }
        args->count++;
    }
    args->types = out->types;
    args->values = out->values;
    return NULL;
}

/* The child has told how its start function ended. */
static struct spawn_result child_answered(struct guest *g)
{
    struct process *p = g->process;
    uint64_t child = p->wait.key, how = p->wait.value;
    char text[128];

    if (!(p->wait.flags & WAIT_ANSWERED))
        return waits();
    wait_end(p);
    if (how == GUEST_START_DONE)
        return (struct spawn_result){.state = SPAWN_DONE, .id = child};
    process_forget_link(p, child);
    snprintf(text, sizeof(text), "the start function failed: %s",
             how > GUEST_START_TRAPPED && how < GUEST_START_TRAPPED + TRAP_COUNT
                 ? trap_words((enum trap)(how - GUEST_START_TRAPPED))
                 : "killed");
    return failed(g, text);
}

static struct spawn_result make_child(struct guest *g, const struct spawn_args *a,
                                      struct host_module *m, struct program *program,
                                      struct config *config, struct slice name,
                                      const struct guest_args *args)
{
    struct process *p = g->process;
    const struct spawn_options options = {.class_ = &guest_class,
                                          .config = config,
                                          .parent = p,
                                          .is_linked = a->link != 0,
                                          .link_tag = (int64_t)a->link};
    struct vm_worker *w = guest_worker(g)->context;
    struct process *child;
    struct guest *body;
    struct error err;
    bool has_start;
    uint64_t id;

    child = process_prepare(p->environment, &options, &err);
    if (UNLIKELY(!child))
        return failed(g, err.text);
    if (UNLIKELY(!guest_new(g->host, w, m, program, config, &body, &err))) {
        process_discard(child);
        return failed(g, err.text);
    }
    process_set_body(child, body);
    body->process = child;
    has_start = guest_enter(body, name, args, process_id(p));
    id = process_start(child, &options);
    if (LIKELY(!has_start))
        return (struct spawn_result){.state = SPAWN_DONE, .id = id};
    wait_answer(p, id, DEADLINE_NEVER);
    return waits();
}

static struct spawn_result spawn(struct guest *g, const struct spawn_args *a)
{
    struct process *p = g->process;
    struct config *config = p->config;
    struct host_module *m = g->module;
    struct guest_args args = {0};
    struct program *program;
    struct slice name;
    uint8_t *params;
    struct params decoded;
    const char *wrong;
    struct error err;

    if (p->wait.kind == WAIT_ANSWER)
        return child_answered(g);
    if (p->wait.kind == WAIT_JOB) {
        struct offload_job *job = guest_job_finished(g);

        if (!job)
            return waits();
        if (!variant_job_end(job, &err))
            return failed(g, err.text);
    }
    if (UNLIKELY(!config_allows(config, RIGHT_SPAWN_PROCESSES)))
        return trapped("this process may not spawn others");
    if (UNLIKELY(g->start != NULL))
        return trapped("a start function may not spawn");
    if (a->config_id != LUN_OWN && !guest_config(g, a->config_id))
        return trapped("unknown configuration id");
    if (a->module_id != LUN_OWN &&
        !(m = (struct host_module *)resource_get(p, RESOURCE_MODULE, a->module_id)))
        return trapped("unknown module id");
    if (UNLIKELY(!guest_string(g, a->function, a->function_size, &name)))
        return trapped("the function's name leaves the memory, is not UTF-8, or exceeds 16 MiB");
    if (UNLIKELY(!guest_bytes(g, a->params, a->params_size, &params)))
        return trapped("the parameters leave the memory");
    wrong = decode_params(params, a->params_size, &decoded, &args);
    if (UNLIKELY(wrong != NULL))
        return trapped(wrong);
    if (a->config_id != LUN_OWN && !(config = guest_config_granted(g, a->config_id, &err)))
        return failed(g, err.text);
    /* acquire: pairs with the release in module.c */
    program = atomic_load_explicit(&m->variants[host_module_variant(m, config)].program,
                                   memory_order_acquire);
    if (UNLIKELY(!program)) {
        guest_submit(g, variant_job(m, host_module_variant(m, config)));
        return waits();
    }
    return make_child(g, a, m, program, config, name, &args);
}

struct outcome host_process_spawn(struct guest *g, uint64_t link, uint64_t config_id,
                                  uint64_t module_id, uint32_t function, uint32_t function_size,
                                  uint32_t params, uint32_t params_size, uint32_t id_out)
{
    const struct spawn_args a = {.link = link,
                                 .config_id = config_id,
                                 .module_id = module_id,
                                 .function = function,
                                 .function_size = function_size,
                                 .params = params,
                                 .params_size = params_size};
    struct spawn_result r;

    if (UNLIKELY(!guest_range(g, id_out, sizeof(uint64_t))))
        return guest_trap_range(g);
    r = spawn(g, &a);
    if (r.state == SPAWN_WAITS)
        return guest_park();
    if (r.state == SPAWN_TRAPPED)
        return guest_trap(g, r.words);
    guest_write_u64(g, id_out, r.id);
    return done(r.failed ? LUN_FAILED : LUN_OK);
}

/* ---- by name ---- */

static struct registry *registry_of(const struct guest *g)
{
    return &g->process->environment->registry;
}

void guest_release_claim(struct guest *g)
{
    registry_release(registry_of(g), slice_make(g->claim->data, g->claim->size),
                     process_id(g->process));
    bytes_deinit(g->claim);
    mem_free(g->claim);
    g->claim = NULL;
}

static bool keep_claim(struct guest *g, struct slice name)
{
    g->claim = mem_new(struct bytes);
    if (bytes_append(g->claim, name.data, name.size))
        return true;
    /* Nobody could find the entry without its name. */
    registry_release(registry_of(g), name, process_id(g->process));
    mem_free(g->claim);
    g->claim = NULL;
    return false;
}

enum claimed { CLAIM_OURS, CLAIM_FOUND, CLAIM_WAITS, CLAIM_FAILED };

static enum claimed claim(struct guest *g, struct slice name, uint64_t *node_id, uint64_t *id)
{
    struct process *p = g->process;
    uint64_t ticket = p->wait.kind == WAIT_NAME ? p->wait.value : 0;

    switch (registry_claim(registry_of(g), name, process_id(p), &ticket, node_id, id)) {
    case REGISTRY_FOUND:
        wait_end(p);
        return CLAIM_FOUND;
    case REGISTRY_BUSY:
        if (p->wait.kind == WAIT_NONE)
            wait_begin(p, WAIT_NAME, DEADLINE_NEVER, NULL, NULL);
        p->wait.value = ticket;
        return CLAIM_WAITS;
    case REGISTRY_CLAIMED:
        wait_end(p);
        return keep_claim(g, name) ? CLAIM_OURS : CLAIM_FAILED;
    case REGISTRY_FULL:
        wait_end(p);
        return CLAIM_FAILED;
    }
    return CLAIM_FAILED;
}

struct outcome host_process_get_or_spawn(struct guest *g, uint32_t name, uint32_t name_size,
                                         uint64_t link, uint64_t config_id, uint64_t module_id,
                                         uint32_t function, uint32_t function_size, uint32_t params,
                                         uint32_t params_size, uint32_t node_id_out,
                                         uint32_t id_out)
{
    const struct spawn_args a = {.link = link,
                                 .config_id = config_id,
                                 .module_id = module_id,
                                 .function = function,
                                 .function_size = function_size,
                                 .params = params,
                                 .params_size = params_size};
    uint64_t node_id = 0, id = 0;
    struct spawn_result r;
    struct slice text;

    if (UNLIKELY(!guest_string(g, name, name_size, &text)))
        return guest_trap_string(g);
    if (UNLIKELY(!guest_range(g, node_id_out, sizeof(uint64_t)) ||
                 !guest_range(g, id_out, sizeof(uint64_t))))
        return guest_trap_range(g);
    if (!g->claim) {
        switch (claim(g, text, &node_id, &id)) {
        case CLAIM_FOUND:
            guest_write_u64(g, node_id_out, node_id);
            guest_write_u64(g, id_out, id);
            return done(LUN_FOUND);
        case CLAIM_WAITS:
            return guest_park();
        case CLAIM_FAILED:
            return guest_trap(g,
                              "the registry is full, the name is too long, or memory runs short");
        case CLAIM_OURS:
            break;
        }
    }
    r = spawn(g, &a);
    if (r.state == SPAWN_WAITS)
        return guest_park();
    if (r.state == SPAWN_DONE && !r.failed) {
        node_id = g->process->environment->node_id;
        registry_fulfil(registry_of(g), slice_make(g->claim->data, g->claim->size),
                        process_id(g->process), node_id, r.id);
    }
    guest_release_claim(g); /* nothing is left of one that was fulfilled but the name's copy */
    if (r.state == SPAWN_TRAPPED)
        return guest_trap(g, r.words);
    guest_write_u64(g, node_id_out, node_id);
    guest_write_u64(g, id_out, r.id);
    return done(r.failed ? LUN_FAILED : LUN_OK);
}
