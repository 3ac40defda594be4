/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Constant expressions (spec 3.3.10, with the extended constants proposal). Validated before. */
#include "base/reader.h"
#include "vm/program_internal.h"
#include "wasm/code.h"
#include "wasm/limits.h"

/* The general form: a little stack machine; the validator bounds its depth. */
static uint64_t run(struct slice code, uint64_t *const *globals, const struct function *functions)
{
    uint64_t stack[CONSTANT_DEPTH_MAX] = {0};
    uint32_t top = 0;
    struct reader r;
    struct instr in;

    reader_init(&r, code);
    while (reader_left(&r) && instr_next(&r, &in)) {
        uint64_t value;

        switch (in.opcode) {
        case OP_I32_CONST:
            value = (uint32_t)in.value;
            break;
        case OP_I64_CONST:
        case OP_F32_CONST:
        case OP_F64_CONST:
            value = in.value;
            break;
        case OP_GLOBAL_GET:
            value = *globals[in.index];
            break;
        case OP_REF_NULL:
            value = 0;
            break;
        case OP_REF_FUNC:
            value = (uintptr_t)&functions[in.index];
            break;
        case OP_I32_ADD:
        case OP_I32_SUB:
        case OP_I32_MUL:
        case OP_I64_ADD:
        case OP_I64_SUB:
        case OP_I64_MUL: {
            bool is_wide = in.opcode >= OP_I64_ADD;
            uint32_t operation = in.opcode - (is_wide ? OP_I64_ADD : OP_I32_ADD);
            uint64_t a, b;

            ASSERT(top >= 2);
            b = stack[--top];
            a = stack[--top];
            value = operation == 0 ? a + b : operation == 1 ? a - b : a * b;
            if (!is_wide)
                value = (uint32_t)value;
            break;
        }
        default: /* end */
            return top ? stack[top - 1] : 0;
        }
        ASSERT(top < CONSTANT_DEPTH_MAX);
        stack[top++] = value;
    }
    return top ? stack[top - 1] : 0;
}

uint64_t constexpr_eval(const struct constexpr_ *c, uint64_t *const *globals,
                        const struct function *functions)
{
    switch (c->kind) {
    case CONSTEXPR_VALUE:
        return c->bits;
    case CONSTEXPR_GLOBAL_GET:
        return *globals[c->index];
    case CONSTEXPR_REF_NULL:
        return 0;
    case CONSTEXPR_REF_FUNC:
        return (uintptr_t)&functions[c->index];
    case CONSTEXPR_V128:
        return 0; /* no code that could look at it is ever compiled */
    case CONSTEXPR_CODE:
        return run(c->code, globals, functions);
    }
    UNREACHABLE();
}

uint64_t instance_constant(struct instance *i, const struct constexpr_ *c)
{
    const struct module *m = i->program->module;

    /* Items of segments are a reference to a function, null, or the value of a global. */
    if (c->kind == CONSTEXPR_GLOBAL_GET)
        return c->index < m->imported_globals ? *i->imported_globals[c->index]
                                              : i->globals[c->index - m->imported_globals];
    if (c->kind == CONSTEXPR_CODE)
        return 0; /* not of reference type: validation excludes it */
    return constexpr_eval(c, NULL, i->functions);
}
