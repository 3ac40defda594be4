/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/worker.h"
#include "base/mem.h"
#include "vm/internal.h"
#include "vm/preempt.h"
#include "vm/resume.h"
#include "vm/slot.h"
#include "vm/stack.h"

bool vm_move_stacks;

void vm_set_move_stacks(bool on)
{
    vm_move_stacks = on;
}

void vm_make_lazy(void)
{
    slots_make_lazy();
}

void vm_worker_init(struct vm_worker *w, uint32_t index)
{
    region_start();
    *w = (struct vm_worker){.index = index, .slots = slot_cache_new(index)};
    w->spare = mem_new(struct registers);
}

void vm_worker_deinit(struct vm_worker *w)
{
    while (w->free_registers) {
        struct registers *r = w->free_registers;

        w->free_registers = r->next;
        mem_free(r);
    }
    mem_free(w->spare);
    w->spare = NULL;
    slot_cache_free(w->slots);
    w->slots = NULL;
}

/* The signal handler of the thread took the spare one. */
static void spare_refill(struct vm_worker *w)
{
    struct registers *r = w->free_registers;

    if (r)
        w->free_registers = r->next;
    else
        r = mem_new(struct registers);
    w->spare = r;
}

static void registers_free(struct vm_worker *w, struct registers *r)
{
    r->next = w->free_registers;
    w->free_registers = r;
}

void preempt_forget(struct vm_worker *w, struct fiber *f)
{
    if (f->preempted)
        registers_free(w, f->preempted);
    f->preempted = NULL;
}

enum stop vm_run(struct vm_worker *w, struct fiber *f)
{
    struct registers *loaded = f->preempted;
    enum stop stop;

    if (UNLIKELY(f->worker != w->index))
        f->is_foreign = true;
    if (UNLIKELY(vm_move_stacks))
        stack_move(f, 2 * STACK_RESERVE);
    f->tick = &w->tick;
    w->current = f;
    stop = (enum stop)fiber_resume(f);
    w->current = NULL;
    if (UNLIKELY(loaded != NULL))
        registers_free(w, loaded);
    if (UNLIKELY(!w->spare))
        spare_refill(w);
    return stop;
}
