/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* libFuzzer target: any bytes are decoded and validated without harm, and what is accepted can be
 * walked: each body's instructions end where the body does, names can be printed and found. */
#include "base/mem.h"
#include "wasm/code.h"
#include "wasm/module.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_body(const struct module *m, const struct body *b)
{
    struct reader r;
    struct instr in = {0};

    ASSERT(b->code.data >= m->bytes.data &&
           b->code.data + b->code.size <= m->bytes.data + m->bytes.size);
    ASSERT(m->bytes.data + b->offset == b->code.data);
    reader_init(&r, b->code);
    while (reader_left(&r)) {
        ASSERT(instr_next(&r, &in));
        ASSERT(opcode_name(in.opcode));
    }
    ASSERT(in.opcode == OP_END);
    ASSERT(b->stack_max <= OPERANDS_MAX && b->label_max >= 1 && b->label_max <= LABELS_MAX);
}

static void walk(const struct module *m)
{
    char text[64];

    ASSERT(m->imported_functions + m->body_count == m->function_count);
    for (uint32_t i = 0; i < m->body_count; i++)
        walk_body(m, &m->bodies[i]);
    for (uint32_t i = 0; i < m->function_count && i < 100; i++) {
        struct slice name = module_function_name(m, i);

        ASSERT(strlen(name_text(name, text, sizeof(text))) < sizeof(text));
        ASSERT(functype_text(module_function_type(m, i), text, sizeof(text)) == text);
    }
    for (uint32_t i = 0; i < m->export_count; i++)
        ASSERT(module_export(m, m->exports[i].name, m->exports[i].kind) == &m->exports[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {0};
    struct error err = {0};
    struct module *m = NULL;

    if (!bytes_append(&bytes, data, size))
        return 0;
    if (!module_decode(&bytes, &m, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0] && !m);
        return 0;
    }
    if (module_validate(m, &err))
        walk(m);
    else
        ASSERT(err.code != ERR_NONE && err.text[0]);
    module_free(m);
    return 0;
}
