/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/link.h"
#include "vm/code.h"

#include <stdio.h>
#include <string.h>

#define NAME_PRINTED_MAX 256u

bool link_print_name(struct bytes *out, struct slice name)
{
    bool is_utf8 = slice_is_utf8(name), ok = true;
    size_t size = name.size < NAME_PRINTED_MAX ? name.size : NAME_PRINTED_MAX;

    for (size_t i = 0; i < size && ok; i++) {
        uint8_t c = name.data[i];

        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8))
            ok = bytes_printf(out, "\\x%02x", c);
        else
            ok = bytes_append_u8(out, c);
    }
    if (ok && size < name.size)
        ok = bytes_printf(out, "...");
    return ok;
}

bool link_print_import(struct bytes *out, const struct module *m, const struct import *import)
{
    char text[256];
    bool ok = link_print_name(out, import->module) && bytes_printf(out, "::") &&
              link_print_name(out, import->name) && bytes_printf(out, " ");

    if (!ok)
        return false;
    switch (import->kind) {
    case EXTERN_FUNC:
        return bytes_printf(
            out, "%s", functype_text(module_function_type(m, import->index), text, sizeof(text)));
    case EXTERN_TABLE:
        return bytes_printf(out, "(a table)");
    case EXTERN_MEMORY:
        return bytes_printf(out, "(a memory)");
    case EXTERN_GLOBAL:
        return bytes_printf(out, "(a global of type %s)",
                            valtype_name(m->globals[import->index].type));
    }
    return true;
}

bool link_imports(const struct module *m, const struct code *code,
                  const struct program_options *options, struct function *functions,
                  struct bytes *report, struct error *err)
{
    struct bytes own = {.size_max = 1u << 20};
    struct bytes *list = report ? report : &own;
    size_t begin = list->size;
    uint32_t missing = 0;
    bool ok = true;

    for (uint32_t n = 0; n < m->import_count; n++) {
        const struct import *import = &m->imports[n];
        struct host_import found = {0};
        char hint[256] = "";

        if (import->kind == EXTERN_FUNC) {
            uint32_t type = m->functions[import->index].type;

            if (options->resolve &&
                options->resolve(options->resolve_context, import->module, import->name,
                                 &m->types[type], &found, hint, sizeof(hint)) &&
                found.function) {
                functions[import->index] = (struct function){
                    .entry = (const void *)(uintptr_t)code->thunks[type].host,
                    .type_id = code->thunks[type].type_id,
                    .index = import->index,
                    .target = found.function,
                };
                continue;
            }
        } else {
            snprintf(hint, sizeof(hint), "processes can import functions only");
        }
        missing++;
        ok = bytes_printf(list, "  ") && link_print_import(list, m, import) && ok;
        if (hint[0])
            ok = bytes_printf(list, " (%s)", hint) && ok;
        ok = bytes_printf(list, "\n") && ok;
    }
    if (missing) {
        size_t size = list->size - begin;

        if (size && list->data[list->size - 1] == '\n')
            size--;
        fail(err, ERR_UNLINKABLE, "%u import%s cannot be resolved:\n%.*s", missing,
             missing == 1 ? "" : "s", (int)(size < ERROR_TEXT_MAX ? size : ERROR_TEXT_MAX),
             list->data ? (const char *)list->data + begin : "");
    }
    bytes_deinit(&own);
    (void)ok; /* without memory the list is shorter, the failure the same */
    return missing == 0;
}

void link_functions(const struct module *m, const struct code *code, struct function *functions)
{
    for (uint32_t f = 0; f < m->imported_functions; f++)
        functions[f].entry = code->base + (uintptr_t)functions[f].entry;
    for (uint32_t f = m->imported_functions; f < m->function_count; f++) {
        const void *entry = code->base + code->entries[f - m->imported_functions];

        functions[f] = (struct function){
            .entry = entry,
            .type_id = code->thunks[m->functions[f].type].type_id,
            .index = f,
            .target = entry,
        };
    }
}
