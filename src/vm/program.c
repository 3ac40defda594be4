/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/program.h"
#include "base/mem.h"
#include "base/vec.h"
#include "plat/vmem.h"
#include "vm/code.h"
#include "vm/link.h"
#include "vm/program_internal.h"

#include <stdlib.h>
#include <string.h>

static uint32_t align_up(uint64_t value, uint32_t align)
{
    return (uint32_t)((value + align - 1) & ~(uint64_t)(align - 1));
}

struct program *program_alloc(const struct module *m, struct code *code, size_t extra_size)
{
    struct program *p = mem_try(struct program);

    if (!p)
        return NULL;
    p->module = m;
    p->code = code;
    code->module = m;
    p->extra_size = extra_size;
    p->global_count = m->global_count - m->imported_globals;
    p->table_count = m->table_count;
    atomic_store(&p->references, 1);
    for (uint32_t t = 0; t < m->type_count; t++)
        if (m->types[t].result_count > p->results_max + 2)
            p->results_max = m->types[t].result_count - 2;
    p->globals = mem_try_array(uint64_t, p->global_count + 1);
    if (!p->globals) {
        program_free(p);
        return NULL;
    }
    if (m->memory_count > m->imported_memories) {
        const struct limits *l = &m->memories[0].limits;

        p->has_memory = true;
        p->memory_size = (uint64_t)l->min * MEMORY_PAGE_SIZE;
        p->memory_max =
            (uint64_t)(l->has_max && l->max < MEMORY_PAGES_MAX ? l->max : MEMORY_PAGES_MAX) *
            MEMORY_PAGE_SIZE;
    }
    return p;
}

/* Everything but module and code. */
void program_free(struct program *p)
{
    if (!p)
        return;
    for (uint32_t t = 0; p->tables && t < p->table_count; t++)
        mem_free(p->tables[t].elements);
    mem_free(p->tables);
    mem_free(p->table_array);
    mem_free(p->functions);
    mem_free(p->globals);
    mem_free((void *)(uintptr_t)p->layout.pages);
    mem_free((void *)(uintptr_t)p->layout.contents);
    mem_free(p->lazy.usual);
    mem_free(p);
}

/* Where C compilers keep their stack pointer: the first mutable i32 global; 0: there is none. */
static uint64_t shadow_stack_top(const struct program *p)
{
    const struct module *m = p->module;

    for (uint32_t g = m->imported_globals; g < m->global_count; g++) {
        const struct global_decl *d = &m->globals[g];

        if (d->is_mutable && d->type == VALTYPE_I32)
            return d->init.kind == CONSTEXPR_VALUE ? (uint32_t)d->init.bits : 0;
    }
    return 0;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct image_range *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

/* How many pages a process is sure to touch if its memory begins at `offset` from the hot page: the
 * hot pages, those of the image, and that of the shadow stack's top. `ranges` ascend. */
static uint64_t pages_touched(const struct program *p, const struct image_range *ranges,
                              size_t count, uint64_t stack_top, uint64_t offset)
{
    uint64_t touched = (p->layout.end + VMEM_PAGE - 1) / VMEM_PAGE;
    uint64_t next = touched; /* the first page that is not counted yet */
    bool stack_is_counted = stack_top < 512;

    for (size_t r = 0; r <= count; r++) {
        uint64_t first, last;

        if (!stack_is_counted && (r == count || ranges[r].at >= stack_top - 320)) {
            first = stack_top - 320;
            last = stack_top - 1;
            stack_is_counted = true;
            r--;
        } else if (r < count) {
            first = ranges[r].at;
            last = ranges[r].at + ranges[r].size - 1;
        } else {
            break;
        }
        first = (offset + first) / VMEM_PAGE;
        last = (offset + last) / VMEM_PAGE;
        if (first < next)
            first = next;
        if (last >= first) {
            touched += last - first + 1;
            next = last + 1;
        }
    }
    return touched;
}

#define PHASE_RANGES_MAX 256u  /* with more the phase is not worth the time */
#define PHASE_ROOM_MAX   1536u /* bytes of room at a place that are worth anything */

/* How much room the busy places have before they touch one page more: the stack below its top, and
 * whatever follows the image (zeroed data, the heap). */
static uint64_t phase_room(const struct image_range *ranges, size_t count, uint64_t stack_top,
                           uint64_t offset)
{
    uint64_t below = stack_top ? (offset + stack_top - 1) % VMEM_PAGE + 1 : 0, after = 0;

    if (count) {
        const struct image_range *last = &ranges[count - 1];

        after = VMEM_PAGE - 1 - (offset + last->at + last->size - 1) % VMEM_PAGE;
    }
    return (below < PHASE_ROOM_MAX ? below : PHASE_ROOM_MAX) +
           (after < PHASE_ROOM_MAX ? after : PHASE_ROOM_MAX);
}

static void choose_phase(struct program *p, const struct image_range *ranges, size_t count)
{
    uint32_t least = align_up(p->layout.end, 64);
    uint64_t stack_top = shadow_stack_top(p);
    uint64_t best = UINT64_MAX, best_room = 0;

    p->layout.memory_offset = least;
    if (count > PHASE_RANGES_MAX)
        return;
    for (uint32_t offset = least; offset < least + VMEM_PAGE; offset += 64) {
        uint64_t touched = pages_touched(p, ranges, count, stack_top, offset);
        uint64_t room = phase_room(ranges, count, stack_top, offset);

        if (touched < best || (touched == best && room > best_room)) {
            best = touched;
            best_room = room;
            p->layout.memory_offset = offset;
        }
    }
}

static int compare_pages(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Lays the ranges out page by page. */
static bool image_build(struct slot_layout *l, const struct image_range *ranges, size_t count)
{
    VEC(uint32_t) pages = {0};
    uint8_t *contents = NULL;
    size_t distinct = 0;
    bool ok = false;

    for (size_t r = 0; r < count; r++) {
        uint64_t first = (l->memory_offset + ranges[r].at) / VMEM_PAGE;
        uint64_t last = (l->memory_offset + ranges[r].at + ranges[r].size - 1) / VMEM_PAGE;

        for (uint64_t page = first; page <= last; page++)
            if (!vec_push(&pages, (uint32_t)page))
                goto out;
    }
    if (pages.count)
        qsort(pages.items, pages.count, sizeof(uint32_t), compare_pages);
    for (size_t n = 0; n < pages.count; n++)
        if (n == 0 || pages.items[n] != pages.items[n - 1])
            pages.items[distinct++] = pages.items[n];
    contents = mem_try_alloc(distinct + 1, VMEM_PAGE);
    if (!contents)
        goto out;
    for (size_t r = 0; r < count; r++) {
        uint64_t at = l->memory_offset + ranges[r].at, done = 0;

        while (done < ranges[r].size) {
            uint32_t page = (uint32_t)((at + done) / VMEM_PAGE);
            uint64_t in_page = (at + done) % VMEM_PAGE;
            uint64_t n = VMEM_PAGE - in_page;
            uint32_t *found =
                bsearch(&page, pages.items, distinct, sizeof(uint32_t), compare_pages);

            if (n > ranges[r].size - done)
                n = ranges[r].size - done;
            memcpy(contents + (size_t)(found - pages.items) * VMEM_PAGE + in_page,
                   ranges[r].data + done, n);
            done += n;
        }
    }
    l->page_count = (uint32_t)distinct;
    l->pages = pages.items;
    l->contents = contents;
    pages.items = NULL;
    contents = NULL;
    ok = true;
out:
    vec_deinit(&pages);
    mem_free(contents);
    return ok;
}

#define LAZY_PAGES 3u /* an image of fewer is not worth faults */

static _Atomic uint64_t last_image_id;

bool program_layout(struct program *p, const struct image_range *ranges, size_t count,
                    struct error *err)
{
    struct slot_layout *l = &p->layout;
    struct image_range *sorted = NULL;
    uint64_t size;

    l->fiber = SLOT_FIBER;
    l->extra = SLOT_EXTRA;
    l->instance = align_up(l->extra + p->extra_size, 64);
    l->end = align_up(l->instance + sizeof(struct instance) +
                          ((uint64_t)p->global_count + p->results_max) * sizeof(uint64_t),
                      16);
    l->image_id = atomic_fetch_add(&last_image_id, 1) + 1;
    if (count) { /* a copy: of overlapping segments the later one must stay the later */
        sorted = mem_try_array(struct image_range, count);
        if (!sorted)
            return fail(err, ERR_NO_MEMORY, "no memory for the image");
        memcpy(sorted, ranges, count * sizeof(*ranges));
        qsort(sorted, count, sizeof(*sorted), compare_ranges);
    }
    choose_phase(p, sorted, count);
    mem_free(sorted);
    /* The stack's low part belongs to the block as well. */
    size = l->memory_offset + (p->has_memory ? p->memory_size : 0);
    l->region = REGION_96K;
    for (;;) {
        enum region r = region_for(size + region_low(l->region));

        if (r == REGION_COUNT)
            return fail(err, ERR_LIMIT, "memory of %llu bytes is too large for this host",
                        (unsigned long long)p->memory_size);
        if (r <= l->region)
            break;
        l->region = r;
    }
    if (!image_build(l, ranges, count))
        return fail(err, ERR_NO_MEMORY, "no memory for the image");
    p->large = *l;
    p->lazy = *l;
    if (region_is_plentiful() && p->has_memory && l->region < REGION_64M)
        p->large.region = REGION_64M;
    if (slots_are_lazy() && p->has_memory && l->page_count >= LAZY_PAGES &&
        (l->region == REGION_1216K || l->region == REGION_64M))
        p->lazy.usual = mem_try(struct usual);
    if (p->lazy.usual) {
        p->lazy.region = l->region == REGION_64M ? REGION_LAZY_64M : REGION_LAZY;
        p->large = p->lazy;
        p->large.region = REGION_LAZY_64M;
    }
    return true;
}

/* The non-zero part of every active data segment. */
static bool collect_ranges(struct program *p, uint64_t *const *globals, struct image_range **out,
                           size_t *count, struct error *err)
{
    const struct module *m = p->module;
    struct image_range *ranges = mem_try_array(struct image_range, m->data_count + 1);

    if (!ranges)
        return fail(err, ERR_NO_MEMORY, "no memory for the image");
    *out = ranges;
    *count = 0;
    for (uint32_t d = 0; d < m->data_count; d++) {
        const struct data_segment *s = &m->datas[d];
        uint64_t at;

        if (s->mode != SEGMENT_ACTIVE)
            continue;
        at = (uint32_t)constexpr_eval(&s->offset, globals, p->functions);
        if (at + s->bytes.size > p->memory_size)
            return fail(err, ERR_TRAP, "out of bounds memory access: data segment %u", d);
        if (s->bytes.size)
            ranges[(*count)++] = (struct image_range){at, s->bytes.data, s->bytes.size};
    }
    return true;
}

static bool tables_build(struct program *p, uint64_t *const *globals, struct error *err)
{
    const struct module *m = p->module;

    p->tables = mem_try_array(struct table, m->table_count + 1);
    p->table_array = mem_try_array(struct table *, m->table_count + 1);
    if (!p->tables || !p->table_array)
        return fail(err, ERR_NO_MEMORY, "no memory for tables");
    for (uint32_t t = 0; t < m->table_count; t++) {
        const struct table_decl *d = &m->tables[t];

        if (d->limits.min > TABLE_ELEMENTS_MAX)
            return fail(err, ERR_LIMIT, "table %u of %u elements, at most %u", t, d->limits.min,
                        TABLE_ELEMENTS_MAX);
        p->tables[t] = (struct table){
            .elements = mem_try_array(uint64_t, (size_t)d->limits.min + 1),
            .length = d->limits.min,
            .max = d->limits.has_max ? d->limits.max : UINT32_MAX,
            .type = d->type,
            .is_shared = 1,
            .references = 1,
        };
        if (!p->tables[t].elements)
            return fail(err, ERR_NO_MEMORY, "no memory for tables");
        if (d->limits.min > p->table_largest)
            p->table_largest = d->limits.min;
        p->table_array[t] = &p->tables[t];
    }
    for (uint32_t e = 0; e < m->elem_count; e++) {
        const struct elem_segment *s = &m->elems[e];
        struct table *t;
        uint64_t at;

        if (s->mode != SEGMENT_ACTIVE)
            continue;
        t = &p->tables[s->table];
        at = (uint32_t)constexpr_eval(&s->offset, globals, p->functions);
        if (at + s->count > t->length)
            return fail(err, ERR_TRAP, "out of bounds table access: element segment %u", e);
        for (uint32_t n = 0; n < s->count; n++)
            t->elements[at + n] = constexpr_eval(&s->items[n], globals, p->functions);
    }
    return true;
}

bool program_new(const struct module *m, struct code *code, const struct program_options *options,
                 struct program **out, struct bytes *report, struct error *err)
{
    struct program *p = program_alloc(m, code, options->extra_size);
    uint64_t **globals = mem_try_array(uint64_t *, m->global_count + 1);
    struct image_range *ranges = NULL;
    size_t range_count = 0;
    bool ok = false;

    if (!p || !globals) {
        fail(err, ERR_NO_MEMORY, "no memory for a program");
        goto out;
    }
    p->functions = mem_try_array(struct function, m->function_count + 1);
    if (!p->functions) {
        fail(err, ERR_NO_MEMORY, "no memory for %u functions", m->function_count);
        goto out;
    }
    if (!link_imports(m, code, options, p->functions, report, err))
        goto out;
    if (!code->base && !code_publish(code, err))
        goto out;
    link_functions(m, code, p->functions);
    for (uint32_t g = 0; g < p->global_count; g++) {
        globals[g] = &p->globals[g]; /* there are no imported ones */
        p->globals[g] = constexpr_eval(&m->globals[g].init, globals, p->functions);
    }
    if (p->has_memory && p->memory_size > (uint64_t)MEMORY_PAGES_MAX * MEMORY_PAGE_SIZE) {
        fail(err, ERR_LIMIT, "memory of more than %u pages", MEMORY_PAGES_MAX);
        goto out;
    }
    if (!tables_build(p, globals, err) || !collect_ranges(p, globals, &ranges, &range_count, err) ||
        !program_layout(p, ranges, range_count, err))
        goto out;
    p->owns = options->takes_ownership;
    *out = p;
    p = NULL;
    ok = true;
out:
    mem_free(ranges);
    mem_free(globals);
    program_free(p);
    return ok;
}

struct program *program_ref(struct program *p)
{
    atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
    return p;
}

void program_unref(struct program *p)
{
    /* acq_rel: what others did with the program comes before its end */
    if (!p || atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) != 1)
        return;
    if (p->owns) {
        code_free(p->code);
        module_free((struct module *)(uintptr_t)p->module);
    }
    program_free(p);
}

const struct module *program_module(const struct program *p)
{
    return p->module;
}

const struct code *program_code(const struct program *p)
{
    return p->code;
}

const struct function *program_export(const struct program *p, struct slice name)
{
    const struct export_ *e = module_export(p->module, name, EXTERN_FUNC);

    return e ? &p->functions[e->index] : NULL;
}

const struct function *program_function(const struct program *p, uint32_t index)
{
    return index < p->module->function_count ? &p->functions[index] : NULL;
}

const struct function *program_start(const struct program *p)
{
    return p->module->has_start ? &p->functions[p->module->start] : NULL;
}

const struct functype *program_function_type(const struct program *p, const struct function *f)
{
    return module_function_type(p->module, (uint32_t)(f - p->functions));
}
