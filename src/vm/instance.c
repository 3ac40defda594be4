/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/mem.h"
#include "plat/thread.h"
#include "plat/vmem.h"
#include "vm/code.h"
#include "vm/internal.h"
#include "vm/memory.h"
#include "vm/preempt.h"
#include "vm/program_internal.h"
#include "vm/stack.h"
#include "vm/table.h"
#include "vm/worker.h"

#include <string.h>

static volatile uint32_t no_tick; /* what fibers point to before a worker runs them */

struct slot *instance_slot(struct instance *i)
{
    return slot_at_hot((uint8_t *)i - i->program->layout.instance);
}

void *instance_extra(struct instance *i)
{
    return (uint8_t *)i - i->program->layout.instance + i->program->layout.extra;
}

/* Colours the top of the stack, so that the stacks of many slots do not share few cache sets. */
static uint32_t stack_colour(uintptr_t hot)
{
    return ((uint32_t)(hot >> 12) * 0x9e3779b1u >> 29) * CACHE_LINE;
}

void instance_prefetch(const void *extra)
{
    const uintptr_t hot = (uintptr_t)extra - SLOT_EXTRA;
    const uintptr_t stack_top = hot + SLOT_STACK_AREA - stack_colour(hot);

    for (size_t line = 1; line <= 4; line++) /* what a host call that waits has on it */
        __builtin_prefetch((const void *)(stack_top - line * CACHE_LINE));
    for (size_t line = 0; line < 8; line++) /* fiber, extra, instance, the first globals */
        __builtin_prefetch((const void *)(hot + SLOT_FIBER + line * CACHE_LINE));
}

/* A move costs as much as many births in small slots save. */
static const struct slot_layout *choose_layout(struct program *p)
{
    uint32_t births = atomic_load_explicit(&p->births, memory_order_relaxed);
    uint32_t moves = atomic_load_explicit(&p->moves, memory_order_relaxed);

    if (births == 1u << 20) { /* forget slowly */
        births /= 2;
        atomic_store_explicit(&p->moves, moves / 2, memory_order_relaxed);
    }
    atomic_store_explicit(&p->births, births + 1, memory_order_relaxed);
    return moves > 4 && moves > births / 8 ? &p->large : &p->lazy;
}

struct instance *instance_new(struct program *p, struct vm_worker *w,
                              const struct instance_limits *limits, enum instance_failure *why)
{
    const struct slot_layout *l = choose_layout(p);
    struct slot *s;
    struct instance *i;
    struct fiber *f;
    uint8_t *hot;

    if ((limits->memory_max && p->memory_size > limits->memory_max) ||
        (limits->table_max && p->table_largest > limits->table_max)) {
        *why = INSTANCE_OVER_LIMIT;
        return NULL;
    }
    s = slot_take(w->slots, l, p->has_memory ? p->memory_size : 0);
    if (!s && region_is_lazy(l->region)) {
        l = &p->layout;
        s = slot_take(w->slots, l, p->has_memory ? p->memory_size : 0);
    }
    if (!s) {
        *why = INSTANCE_NO_MEMORY;
        return NULL;
    }
    hot = slot_hot(s);
    f = (struct fiber *)(void *)(hot + l->fiber);
    i = (struct instance *)(void *)(hot + l->instance);
    memset(f, 0, l->instance + sizeof(*i) - l->fiber); /* fiber, extra and instance */

    s->memory_max = p->memory_max;
    if (limits->memory_max && limits->memory_max < p->memory_max)
        s->memory_max = limits->memory_max;
    s->memory_capacity = region_stride(s->region) - s->hot - l->memory_offset;
    s->table_max = limits->table_max && limits->table_max < TABLE_ELEMENTS_MAX
                       ? (uint32_t)limits->table_max
                       : TABLE_ELEMENTS_MAX;
    s->committed = 0;
    s->owns_tables = false;

    i->fiber = f;
    i->program = p;
    i->functions = p->functions;
    i->tables = p->table_array;
    i->memory_base = hot + l->memory_offset;
    i->memory_length = p->has_memory ? p->memory_size : 0;
    memcpy(i->globals, p->globals, p->global_count * sizeof(uint64_t));
    i->results = i->globals + p->global_count;

    f->instance = i;
    f->tick = &no_tick;
    f->stack_low = s->low;
    f->stack_top = hot + SLOT_STACK_AREA - stack_colour((uintptr_t)hot);
    f->guest_sp = f->stack_top;
    f->stack_region = REGION_COUNT;
    f->stack_max = limits->stack_max ? limits->stack_max : STACK_SIZE_DEFAULT;
    f->worker = s->worker;
    fiber_bind(f, i);
    program_ref(p);
    *why = INSTANCE_OK;
    return i;
}

bool instance_free_some(struct instance *i)
{
    struct slot *s = instance_slot(i);
    uint8_t *begin, *least, *end = i->memory_base + i->memory_length;
    size_t size;

    if (LIKELY(i->memory_length <= MEMORY_FREE_PIECE) || !i->program->has_memory)
        return true;
    /* In the slot the first pages are kept, and known one by one. */
    least = s->moved ? i->memory_base : s->low + SLOT_WINDOW * (size_t)VMEM_PAGE;
    /* At multiples of its size, so that no large page of the kernel is cut in two. */
    begin = (uint8_t *)((uintptr_t)(end - 1) & ~(uintptr_t)(MEMORY_FREE_PIECE - 1));
    if (begin <= least + MEMORY_FREE_PIECE)
        return true;
    size = ((size_t)(end - begin) + VMEM_PAGE - 1) & ~(size_t)(VMEM_PAGE - 1);
    if (!vmem_discard(&(struct vmem_range){begin, size}, 1))
        return true; /* then it is done with the rest */
    i->memory_length = (uint64_t)(begin - i->memory_base);
    return false;
}

void instance_free(struct instance *i, struct vm_worker *w)
{
    struct program *p = i->program;
    struct slot *s = instance_slot(i);
    struct fiber *f = (struct fiber *)(void *)(slot_hot(s) + p->layout.fiber);
    uint64_t size = p->has_memory ? i->memory_length : 0;

    preempt_forget(w, f);
    stack_release(f);
    if (s->moved) {
        memory_release(i);
        size = 0;
    }
    if (s->committed)
        region_uncommit(s->committed);
    if (s->owns_tables)
        tables_release(i);
    if (i->dropped)
        mem_free(i->dropped);
    if (f->is_foreign)
        s->is_foreign = true;
    slot_give(w->slots, s, &p->layout, size);
    program_unref(p);
}

const void *instance_enter_stub(const struct instance *i, const struct function *f,
                                const struct functype **type)
{
    const struct program *p = f->instance ? f->instance->program : i->program;
    const struct module *m = p->module;

    if (f >= p->functions && p->functions && f < p->functions + m->function_count) {
        uint32_t t = m->functions[f - p->functions].type;

        *type = &m->types[t];
        return p->code->base + p->code->thunks[t].enter;
    }
    for (uint32_t t = 0; t < m->type_count; t++) {
        if (p->code->thunks[t].type_id == f->type_id) {
            *type = &m->types[t];
            return p->code->base + p->code->thunks[t].enter;
        }
    }
    *type = NULL;
    return NULL;
}

uint64_t *instance_export_global(struct instance *i, struct slice name, uint8_t *type)
{
    const struct module *m = i->program->module;
    const struct export_ *e = module_export(m, name, EXTERN_GLOBAL);

    if (!e)
        return NULL;
    if (type)
        *type = m->globals[e->index].type;
    if (e->index < m->imported_globals)
        return i->imported_globals[e->index];
    return &i->globals[e->index - m->imported_globals];
}

void vm_usage_get(struct vm_usage *out)
{
    out->slots_live = slots_live();
    out->slots_retained = slots_retained();
    out->memory_limit = region_commit_limit();
}
