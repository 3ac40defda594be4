/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::trap: calls that survive a trap. */
#include "host/internal.h"
#include "vm/activation.h"
#include "vm/program.h"

#define CATCH_DEPTH_MAX 500u /* nested in each other */

struct outcome host_trap_catch(struct guest *g, uint32_t function, uint32_t pointer)
{
    struct fiber *f = g->instance->fiber;
    const struct program *program = g->instance->program;
    const struct functype *type;
    const struct function *target;

    if (f->answer.returned) {
        f->answer.returned = false;
        return done(f->answer.trapped ? 0 : f->answer.result);
    }
    target = program_export(program, slice_text("_lunatic_catch_trap"));
    if (!target)
        return guest_trap(g, "the module has no export _lunatic_catch_trap");
    if (fiber_depth(f) >= CATCH_DEPTH_MAX)
        return guest_trap(g, "nested too deeply");
    type = program_function_type(program, target);
    if (type->param_count != 2 || type->params[0] != VALTYPE_I32 ||
        type->params[1] != VALTYPE_I32 || type->result_count != 1 ||
        type->results[0] != VALTYPE_I32)
        return done(0); /* as if the call had trapped */
    f->call.function = target;
    f->call.args[0] = function;
    f->call.args[1] = pointer;
    f->call.arg_count = 2;
    f->call.catches = true;
    return (struct outcome){0, OUTCOME_CALL};
}
