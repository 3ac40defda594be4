/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Activation records and the markers between them. On the guest's stack, from high to low:
 *
 *     ... frames of the suspended guest, arguments kept by the host call's stub
 *     struct marker      (fiber->marker: its distance from stack_top)
 *     values, function   the activation record of convention.h; the guest runs below it
 *
 * A marker holds offsets, never addresses of the stack, so that the stack can be moved. */
#include "vm/activation.h"
#include "vm/convention.h"
#include "vm/internal.h"
#include "vm/resume.h"
#include "vm/stack.h"

#include <string.h>

#define STATE_MAX 128u

const struct vm_exits vm_exits = {vm_stop_returned, vm_stop_trap, vm_stop_outcome,
                                  vm_stop_tick,     vm_stop_fuel, vm_grow_stack};

static struct marker *innermost(const struct fiber *f)
{
    return marker_at(f, f->marker);
}

static uint8_t *limit_of(const struct fiber *f)
{
    return vm_move_stacks ? (uint8_t *)UINTPTR_MAX : f->stack_low + STACK_RESERVE;
}

void fiber_bind(struct fiber *f, struct instance *i)
{
    i->fiber = f;
    i->stack_limit = limit_of(f);
}

void fiber_set_state(struct fiber *f, void *state, size_t size)
{
    ASSERT(size <= STATE_MAX && size % 8 == 0);
    f->state = state;
    f->state_size = (uint32_t)size;
}

enum trap fiber_activate(struct fiber *f, const struct function *function, const uint64_t *args,
                         uint32_t count, bool catches)
{
    bool is_outermost = f->marker == 0;
    size_t state_size = is_outermost ? 0 : f->state_size;
    const struct functype *type;
    const void *enter = instance_enter_stub(f->instance, function, &type);
    struct marker *m;
    uint64_t *record;
    uint32_t words;
    size_t size;

    if (!enter || type->param_count != count)
        return TRAP_INDIRECT_CALL_TYPE_MISMATCH;
    if (f->activation_depth >= ACTIVATIONS_MAX)
        return TRAP_STACK_EXHAUSTED;
    words = type->param_count > type->result_count ? type->param_count : type->result_count;
    /* The enter stub pushes parameters once more, and so does a cross thunk that it may call. */
    size = sizeof(*m) + state_size + (words + 1 + 2 * type->param_count) * sizeof(uint64_t);
    if ((size_t)((uint8_t *)f->guest_sp - f->stack_low) < size + 2 * STACK_RESERVE &&
        !stack_grow(f, size + 2 * STACK_RESERVE))
        return TRAP_STACK_EXHAUSTED;

    m = (struct marker *)(void *)((uint8_t *)f->guest_sp - state_size - sizeof(*m));
    m->previous = f->marker;
    m->guest_sp = (uint32_t)(f->stack_top - (uint8_t *)f->guest_sp);
    m->guest_ip = is_outermost ? NULL : f->guest_ip;
    m->instance = f->instance;
    m->type = type;
    m->catches = catches;
    m->state_size = state_size;
    if (state_size) {
        memcpy(m->state, f->state, state_size);
        memset(f->state, 0, state_size);
    }
    record = (uint64_t *)(void *)m - words - 1;
    record[0] = (uintptr_t)function;
    if (count)
        memcpy(record + 1, args, count * sizeof(*args));
    f->marker = (uint32_t)(f->stack_top - (uint8_t *)m);
    f->activation_depth++;
    f->guest_sp = record;
    f->guest_ip = enter;
    fiber_bind(f, f->instance);
    return TRAP_NONE;
}

/* Takes the innermost activation off; the suspended host call is what goes on. */
static void pop(struct fiber *f)
{
    struct marker *m = innermost(f);

    if (m->state_size)
        memcpy(f->state, m->state, m->state_size);
    f->guest_sp = f->stack_top - m->guest_sp;
    f->guest_ip = m->guest_ip;
    f->instance = m->instance;
    f->marker = m->previous;
    f->activation_depth--;
    f->trap_at_entry = false;
    f->trap_pc = NULL;
    fiber_bind(f, f->instance); /* the stack may have moved under another instance */
}

bool fiber_return(struct fiber *f, uint64_t *results, size_t room)
{
    const struct marker *m = innermost(f);
    const uint64_t *values = (const uint64_t *)f->guest_sp + 1;
    uint32_t count = m->type->result_count;
    bool goes_on = m->guest_ip != NULL;

    if (goes_on) {
        f->answer.returned = true;
        f->answer.trapped = false;
        f->answer.trap_kind = TRAP_NONE;
        f->answer.result = 0;
        if (count) {
            f->answer.result = values[0];
            if (m->type->results[0] == VALTYPE_I32 || m->type->results[0] == VALTYPE_F32)
                f->answer.result &= UINT32_MAX;
        }
    } else {
        for (uint32_t r = 0; r < count && r < room; r++) {
            results[r] = values[r];
            if (m->type->results[r] == VALTYPE_I32 || m->type->results[r] == VALTYPE_F32)
                results[r] &= UINT32_MAX;
        }
    }
    pop(f);
    return goes_on;
}

bool fiber_catch(struct fiber *f, void (*crossed)(void *context), void *context)
{
    uint32_t marker = f->marker;
    const struct marker *m = NULL;

    for (; marker; marker = m->previous) {
        m = marker_at(f, marker);
        if (m->catches && m->guest_ip)
            break;
    }
    if (!marker)
        return false;
    while (f->marker != marker) {
        pop(f);
        if (crossed)
            crossed(context); /* the host call that would have gone on here */
    }
    pop(f);
    f->answer.returned = true;
    f->answer.trapped = true;
    f->answer.trap_kind = (enum trap)f->trap_kind;
    f->answer.result = 0;
    return true;
}

bool fiber_call(struct fiber *f, void (*crossed)(void *context), void *context)
{
    enum trap trap =
        fiber_activate(f, f->call.function, f->call.args, f->call.arg_count, f->call.catches);

    if (trap == TRAP_NONE)
        return true;
    f->trap_kind = trap;
    f->trap_pc = NULL;
    if (f->call.catches) { /* the call itself would have caught it */
        f->answer.returned = true;
        f->answer.trapped = true;
        f->answer.trap_kind = trap;
        f->answer.result = 0;
        return true;
    }
    return fiber_catch(f, crossed, context);
}
