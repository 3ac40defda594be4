/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Constant expressions (spec 3.3.10, with the extended constants proposal). Validated before. */
#include "base/reader.h"
#include "vm/program_internal.h"
#include "wasm/code.h"

#define DEPTH_MAX 1024u

/* The general form: a little stack machine. Deeper than DEPTH_MAX is cut by wrapping around, which
 * a validated module of sane size never reaches. */
static uint64_t run(struct slice code, uint64_t *const *globals, const struct function *functions)
{
    uint64_t stack[DEPTH_MAX];
    uint32_t top = 0;
    struct reader r;
    struct instr in;

    reader_init(&r, code);
    while (reader_left(&r) && instr_next(&r, &in)) {
        uint64_t value;

        switch (in.opcode) {
        case 0x41: /* i32.const */
            value = (uint32_t)in.value;
            break;
        case 0x42: /* i64.const */
        case 0x43:
        case 0x44:
            value = in.value;
            break;
        case 0x23: /* global.get */
            value = *globals[in.index];
            break;
        case 0xd0: /* ref.null */
            value = 0;
            break;
        case 0xd2: /* ref.func */
            value = (uintptr_t)&functions[in.index];
            break;
        case 0x6a: /* i32.add, sub, mul */
        case 0x6b:
        case 0x6c:
        case 0x7c: /* i64.add, sub, mul */
        case 0x7d:
        case 0x7e: {
            uint64_t b = stack[(top - 1) % DEPTH_MAX], a = stack[(top - 2) % DEPTH_MAX];
            uint32_t operation = in.opcode >= 0x7c ? in.opcode - 0x7c : in.opcode - 0x6a;

            top -= 2;
            value = operation == 0 ? a + b : operation == 1 ? a - b : a * b;
            if (in.opcode < 0x7c)
                value = (uint32_t)value;
            break;
        }
        default: /* end */
            return top ? stack[(top - 1) % DEPTH_MAX] : 0;
        }
        stack[top++ % DEPTH_MAX] = value;
    }
    return top ? stack[(top - 1) % DEPTH_MAX] : 0;
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
