/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI: arguments, environment, clocks, randomness, and the end of a process. */
#include "host/prototypes.h"
#include "host/wasi/internal.h"

#define RANDOM_PIECE (256u << 10) /* bytes made before others get their turn */

/* Stores two counts. */
static struct outcome put_sizes(struct guest *g, uint32_t out_count, uint32_t out_size,
                                uint64_t count, uint64_t size)
{
    uint8_t *c = wasi_bytes(g, out_count, 4), *s = wasi_bytes(g, out_size, 4);

    if (!c || !s)
        return wasi_done(FERR_FAULT);
    if (count > UINT32_MAX || size > UINT32_MAX)
        return wasi_done(FERR_OVERFLOW);
    wasi_put32(c, (uint32_t)count);
    wasi_put32(s, (uint32_t)size);
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_args_sizes_get(struct guest *g, uint32_t out_argc, uint32_t out_buf_size)
{
    const struct config *c = g->process->config;
    uint64_t size = 0;

    for (size_t i = 0; i < c->args.count; i++)
        size += strlen(c->args.items[i]) + 1;
    return put_sizes(g, out_argc, out_buf_size, c->args.count, size);
}

struct outcome host_wasi_args_get(struct guest *g, uint32_t argv, uint32_t argv_buf)
{
    const struct config *c = g->process->config;
    uint8_t *pointers = wasi_bytes(g, argv, (uint64_t)c->args.count * 4);
    uint64_t at = argv_buf;

    if (!pointers)
        return wasi_done(FERR_FAULT);
    for (size_t i = 0; i < c->args.count; i++) {
        size_t size = strlen(c->args.items[i]) + 1;
        uint8_t *to = at <= UINT32_MAX ? wasi_bytes(g, (uint32_t)at, size) : NULL;

        if (!to)
            return wasi_done(FERR_FAULT);
        memcpy(to, c->args.items[i], size);
        wasi_put32(pointers + i * 4, (uint32_t)at);
        at += size;
    }
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_environ_sizes_get(struct guest *g, uint32_t out_count,
                                           uint32_t out_buf_size)
{
    const struct config *c = g->process->config;
    uint64_t size = 0;

    for (size_t i = 0; i < c->variables.count; i++)
        size += strlen(c->variables.items[i].name) + strlen(c->variables.items[i].value) + 2;
    return put_sizes(g, out_count, out_buf_size, c->variables.count, size);
}

struct outcome host_wasi_environ_get(struct guest *g, uint32_t environ, uint32_t environ_buf)
{
    const struct config *c = g->process->config;
    uint8_t *pointers = wasi_bytes(g, environ, (uint64_t)c->variables.count * 4);
    uint64_t at = environ_buf;

    if (!pointers)
        return wasi_done(FERR_FAULT);
    for (size_t i = 0; i < c->variables.count; i++) {
        size_t name = strlen(c->variables.items[i].name);
        size_t value = strlen(c->variables.items[i].value);
        uint8_t *to =
            at <= UINT32_MAX ? wasi_bytes(g, (uint32_t)at, (uint64_t)name + value + 2) : NULL;

        if (!to)
            return wasi_done(FERR_FAULT);
        memcpy(to, c->variables.items[i].name, name);
        to[name] = '=';
        memcpy(to + name + 1, c->variables.items[i].value, value + 1);
        wasi_put32(pointers + i * 4, (uint32_t)at);
        at += name + value + 2;
    }
    return wasi_done(FERR_OK);
}

/* The two clocks of the machine; CPU time of a process is not kept. */
enum { CLOCK_ID_REALTIME, CLOCK_ID_MONOTONIC, CLOCK_ID_PROCESS_CPU, CLOCK_ID_THREAD_CPU };

static enum file_error clock_check(uint32_t id)
{
    if (id <= CLOCK_ID_MONOTONIC)
        return FERR_OK;
    return id <= CLOCK_ID_THREAD_CPU ? FERR_BADF : FERR_INVAL;
}

struct outcome host_wasi_clock_res_get(struct guest *g, uint32_t id, uint32_t out_timestamp)
{
    uint8_t *out = wasi_bytes(g, out_timestamp, 8);
    enum file_error e = clock_check(id);

    if (e)
        return wasi_done(e);
    if (!out)
        return wasi_done(FERR_FAULT);
    wasi_put64(out, id == CLOCK_ID_REALTIME ? clock_realtime_resolution_ns()
                                            : clock_monotonic_resolution_ns());
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_clock_time_get(struct guest *g, uint32_t id, uint64_t precision,
                                        uint32_t out_timestamp)
{
    struct wasi_shared *sh = guest_wasi_shared(g);
    uint8_t *out = wasi_bytes(g, out_timestamp, 8);
    enum file_error e = clock_check(id);

    (void)precision;
    if (e)
        return wasi_done(e);
    if (!out)
        return wasi_done(FERR_FAULT);
    wasi_put64(out, id == CLOCK_ID_REALTIME ? scheduler_realtime_ns(sh->scheduler)
                                            : scheduler_now_ns(sh->scheduler) - sh->start_ns);
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_random_get(struct guest *g, uint32_t buf, uint32_t buf_len)
{
    struct process *p = g->process;
    uint8_t *out = wasi_bytes(g, buf, buf_len);
    uint64_t at = p->wait.kind == WAIT_WASI_RANDOM ? p->wait.value : 0;
    uint64_t size;

    if (!out)
        return wasi_done(FERR_FAULT);
    size = buf_len - at < RANDOM_PIECE ? buf_len - at : RANDOM_PIECE;
    scheduler_random(worker_current(), out + at, (size_t)size);
    if (at + size < buf_len) {
        if (at == 0)
            wait_begin(p, WAIT_WASI_RANDOM, DEADLINE_NEVER, NULL, NULL);
        p->wait.value = at + size;
        return (struct outcome){0, OUTCOME_YIELD};
    }
    if (at)
        wait_end(p);
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_sched_yield(struct guest *g)
{
    struct process *p = g->process;

    if (p->wait.kind != WAIT_WASI_YIELD) {
        wait_begin(p, WAIT_WASI_YIELD, DEADLINE_NEVER, NULL, NULL);
        return (struct outcome){0, OUTCOME_YIELD};
    }
    wait_end(p);
    return wasi_done(FERR_OK);
}

struct outcome host_wasi_proc_exit(struct guest *g, uint32_t rval)
{
    (void)g;
    return (struct outcome){rval, OUTCOME_EXIT};
}

struct outcome host_wasi_proc_raise(struct guest *g, uint32_t sig)
{
    (void)g;
    (void)sig;
    return wasi_done(FERR_NOTSUP);
}
