/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A whole module: stubs first, then the functions in order, compiled by several threads in
 * contiguous ranges of about equal size. No function's code depends on where it lies or on who
 * compiled it, so the block is the same for every number of threads. */
#include "baseline/internal.h"
#include "plat/thread.h"

#define THREADS_MAX     64u
#define CODE_SIZE_MAX   (UINT32_C(1) << 30)
#define RANGE_BYTES_MIN 32768u /* of bodies; less is not worth a thread */

struct job {
    struct fn fn;
    struct error err;
    uint32_t first, last; /* bodies [first, last) */
    struct thread thread;
    bool has_thread, ok;
};

static void fn_deinit(struct fn *f)
{
    mem_free(f->m.start);
    mem_free(f->locals);
    mem_free(f->stack);
    mem_free(f->stack_slots);
    vec_deinit(&f->group_ends);
    vec_deinit(&f->labels);
    vec_deinit(&f->open_loops);
    vec_deinit(&f->loop_starts);
    vec_deinit(&f->table_fixups);
    vec_deinit(&f->traps);
    vec_deinit(&f->literal_fixups);
    vec_deinit(&f->literals);
    vec_deinit(&f->param_fixups);
    vec_deinit(&f->fuel_fixups);
    vec_deinit(&f->loops);
    vec_deinit(&f->uses);
    vec_deinit(&f->open_uses);
    vec_deinit(&f->scan_blocks);
    vec_deinit(&f->scan_loops);
    vec_deinit(&f->scan_ifs);
    vec_deinit(&f->ifs);
    vec_deinit(&f->zero_locals);
    vec_deinit(&f->relocs);
    vec_deinit(&f->sites);
    vec_deinit(&f->ranges);
    vec_deinit(&f->entries);
}

static void run_job(void *arg)
{
    struct job *j = (struct job *)arg;
    struct fn *f = &j->fn;

    f->err = &j->err;
    f->m.limit = CODE_SIZE_MAX;
    masm_reserve(&f->m, MASM_ROOM);
    if (f->m.failed) {
        (void)fail(&j->err, ERR_NO_MEMORY, "no memory to compile");
        return;
    }
    for (uint32_t i = j->first; i < j->last; i++)
        if (!fn_compile(f, i))
            return;
    j->ok = true;
}

/* ---- what is refused ---- */

static bool refuse_v128(const struct module *m, struct error *err)
{
    for (uint32_t i = 0; i < m->body_count; i++) {
        const struct body *b = &m->bodies[i];
        const struct functype *t = &m->types[m->functions[m->imported_functions + i].type];
        const char *name = NULL;
        char function[80];
        bool uses = b->uses_v128;

        for (uint32_t k = 0; k < t->param_count; k++)
            uses |= t->params[k] == VALTYPE_V128;
        for (uint32_t k = 0; k < t->result_count; k++)
            uses |= t->results[k] == VALTYPE_V128;
        if (!uses)
            continue;
        if (b->uses_v128 && b->v128_offset + 1u < m->bytes.size &&
            m->bytes.data[b->v128_offset] == 0xfd) {
            struct reader r;

            reader_init(&r, slice_make(m->bytes.data + b->v128_offset + 1,
                                       m->bytes.size - b->v128_offset - 1));
            name = opcode_name(0xfd00 + reader_leb_u32(&r));
        }
        return fail(err, ERR_UNSUPPORTED,
                    "function %u \"%s\" uses %s (at byte %u): v128 is not supported",
                    m->imported_functions + i,
                    name_text(module_function_name(m, m->imported_functions + i), function,
                              sizeof(function)),
                    name ? name : "a v128 value", b->uses_v128 ? b->v128_offset : b->offset);
    }
    for (uint32_t i = m->imported_globals; i < m->global_count; i++)
        if (m->globals[i].type == VALTYPE_V128)
            return fail(err, ERR_UNSUPPORTED, "global %u is a v128 value, which is not supported",
                        i);
    return true;
}

static bool check_processor(struct error *err)
{
    if (__builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("popcnt"))
        return true;
    return fail(err, ERR_UNSUPPORTED, "this processor lacks SSE4.1 or POPCNT");
}

/* ---- assembling the parts ---- */

static uint32_t align16(uint32_t v)
{
    return (v + 15) & ~UINT32_C(15);
}

static bool join(const struct module *m, struct job *jobs, unsigned job_count, struct masm *stubs,
                 struct code *c, struct error *err)
{
    uint64_t size = masm_pos(stubs);
    size_t ranges = c->range_count, sites = 0;
    uint32_t base = masm_pos(stubs), at = base;
    struct code_range *all;

    for (unsigned i = 0; i < job_count; i++) {
        size = (size + 15) / 16 * 16 + masm_pos(&jobs[i].fn.m);
        ranges += jobs[i].fn.ranges.count;
        sites += jobs[i].fn.sites.count;
    }
    if (size > CODE_SIZE_MAX)
        return fail(err, ERR_LIMIT, "machine code of %llu bytes, at most %u",
                    (unsigned long long)size, CODE_SIZE_MAX);
    c->bytes = (uint8_t *)mem_try_alloc(size, 1);
    all = (struct code_range *)mem_try_realloc(c->ranges, ranges, sizeof(*all));
    if (all)
        c->ranges = all;
    c->sites = mem_try_array(struct code_site, sites + 1);
    c->entries = mem_try_array(uint32_t, (size_t)m->body_count + 1);
    if (!c->bytes || !all || !c->sites || !c->entries)
        return fail(err, ERR_NO_MEMORY, "no memory for %llu bytes of machine code",
                    (unsigned long long)size);
    memcpy(c->bytes, stubs->start, base);
    c->stubs_size = base;
    c->size = size;
    for (unsigned i = 0; i < job_count; i++) {
        struct fn *f = &jobs[i].fn;
        uint32_t begin = align16(at);

        memset(c->bytes + at, 0xcc, begin - at);
        memcpy(c->bytes + begin, f->m.start, masm_pos(&f->m));
        for (size_t k = 0; k < f->ranges.count; k++) {
            struct code_range r = f->ranges.items[k];

            r.begin += begin;
            r.end += begin;
            r.entry += begin;
            c->ranges[c->range_count++] = r;
        }
        for (size_t k = 0; k < f->sites.count; k++) {
            struct code_site s = f->sites.items[k];

            s.pc += begin;
            c->sites[c->site_count++] = s;
        }
        for (size_t k = 0; k < f->entries.count; k++)
            c->entries[c->entry_count++] = f->entries.items[k] + begin;
        at = begin + masm_pos(&f->m);
    }
    at = base;
    for (unsigned i = 0; i < job_count; i++) {
        struct fn *f = &jobs[i].fn;
        uint32_t begin = align16(at);

        for (size_t k = 0; k < f->relocs.count; k++) {
            struct reloc r = f->relocs.items[k];
            uint32_t place = begin + r.at;
            uint32_t target = r.target & RELOC_STUB ? r.target & ~RELOC_STUB
                                                    : c->entries[r.target - m->imported_functions];
            uint32_t distance = target - (place + 4);

            memcpy(c->bytes + place, &distance, 4);
        }
        at = begin + masm_pos(&f->m);
    }
    return true;
}

/* Ends each range when its share of the bodies' bytes is full. */
static unsigned split(const struct module *m, unsigned thread_count, struct job *jobs)
{
    uint64_t total = 0, done = 0;
    unsigned n;
    uint32_t next = 0;

    for (uint32_t i = 0; i < m->body_count; i++)
        total += m->bodies[i].code.size;
    n = (unsigned)(total / RANGE_BYTES_MIN);
    n = n > thread_count ? thread_count : n;
    n = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
    for (unsigned k = 0; k < n; k++) {
        jobs[k].first = next;
        while (next < m->body_count && (k == n - 1 || done < total * (k + 1) / n))
            done += m->bodies[next++].code.size;
        jobs[k].last = next;
    }
    return n;
}

bool baseline_compile(const struct module *m, const struct baseline_options *options,
                      struct code **out, struct error *err)
{
    struct masm stubs = {.limit = CODE_SIZE_MAX};
    struct stubs places;
    struct job *jobs = NULL;
    uint32_t *type_ids = NULL;
    struct code *c;
    unsigned n = 0;
    bool ok = false;

    if (!check_processor(err) || !refuse_v128(m, err))
        return false;
    c = mem_try(struct code);
    jobs = mem_try_array(struct job, THREADS_MAX);
    type_ids = mem_try_array(uint32_t, (size_t)m->type_count + 1);
    if (c) {
        c->thunks = mem_try_array(struct code_thunks, (size_t)m->type_count + 1);
        c->ranges = mem_try_array(struct code_range, (size_t)m->type_count * 3 + BUILTIN_COUNT + 1);
    }
    if (!c || !jobs || !type_ids || !c->thunks || !c->ranges) {
        (void)fail(err, ERR_NO_MEMORY, "no memory to compile");
        goto out;
    }
    c->is_metered = options->metered;
    c->type_count = m->type_count;
    for (uint32_t i = 0; i < m->type_count; i++) {
        type_ids[i] = type_intern(&m->types[i]);
        if (type_ids[i] == 0) {
            (void)fail(err, ERR_LIMIT, "too many different function types");
            goto out;
        }
        c->thunks[i].type_id = type_ids[i];
    }
    masm_reserve(&stubs, MASM_ROOM);
    if (stubs.failed || !stubs_emit(&stubs, m, &places, c)) {
        (void)fail(err, stubs.too_large ? ERR_LIMIT : ERR_NO_MEMORY,
                   "no memory for the stubs of %u types", m->type_count);
        goto out;
    }
    n = split(m, options->thread_count, jobs);
    for (unsigned i = 0; i < n; i++) {
        struct fn *f = &jobs[i].fn;

        f->module = m;
        f->options = options;
        f->stubs = &places;
        f->type_ids = type_ids;
        if (i + 1 < n)
            jobs[i].has_thread = thread_create(&jobs[i].thread, "compile", run_job, &jobs[i], NULL);
        if (!jobs[i].has_thread)
            run_job(&jobs[i]); /* the last one, and any that got no thread, here */
    }
    ok = true;
    for (unsigned i = 0; i < n; i++) {
        if (jobs[i].has_thread)
            thread_join(&jobs[i].thread);
        if (ok && !jobs[i].ok) {
            if (err)
                *err = jobs[i].err;
            ok = false;
        }
    }
    if (ok)
        ok = join(m, jobs, n, &stubs, c, err);
out:
    for (unsigned i = 0; i < n; i++)
        fn_deinit(&jobs[i].fn);
    mem_free(jobs);
    mem_free(type_ids);
    mem_free(stubs.start);
    if (ok)
        *out = c;
    else
        code_free(c);
    return ok;
}
