/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* libFuzzer target: what is accepted compiles in every variant, or is refused in words; the tables
 * that come with the code are in order, and compiling twice gives the same bytes. */
#include "base/mem.h"
#include "baseline/baseline.h"
#include "vm/code.h"
#include "wasm/module.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_code(const struct module *m, const struct code *c)
{
    ASSERT(c->bytes && !c->base && c->stubs_size <= c->size && c->stubs_size % CODE_PAGE == 0);
    ASSERT(c->entry_count == m->body_count && c->type_count == m->type_count);
    for (uint32_t i = 0; i < c->range_count; i++) {
        const struct code_range *r = &c->ranges[i];

        ASSERT(r->begin < r->end && r->end <= c->size);
        ASSERT(i == 0 || c->ranges[i - 1].end <= r->begin);
        ASSERT((r->function == CODE_NO_FUNCTION) == (r->begin < c->stubs_size));
    }
    for (uint32_t i = 0; i < c->site_count; i++) {
        ASSERT(c->sites[i].pc >= c->stubs_size && c->sites[i].pc <= c->size);
        ASSERT(c->sites[i].offset < m->bytes.size);
        ASSERT(i == 0 || c->sites[i - 1].pc < c->sites[i].pc);
    }
    for (uint32_t i = 0; i < c->entry_count; i++)
        ASSERT(c->entries[i] >= c->stubs_size && c->entries[i] < c->size);
    for (uint32_t i = 0; i < c->type_count; i++)
        ASSERT(c->thunks[i].type_id != 0 && c->thunks[i].enter < c->stubs_size &&
               c->thunks[i].host < c->stubs_size && c->thunks[i].cross < c->stubs_size);
}

static struct code *compile(const struct module *m, bool metered, bool exact)
{
    struct baseline_options options = {.metered = metered, .exact = exact};
    struct error err = {0};
    struct code *c = NULL;

    if (!baseline_compile(m, &options, &c, &err)) {
        ASSERT(err.code == ERR_UNSUPPORTED || err.code == ERR_LIMIT || err.code == ERR_NO_MEMORY);
        ASSERT(err.text[0] && !c);
        return NULL;
    }
    check_code(m, c);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {0};
    struct error err = {0};
    struct module *m = NULL;

    if (!bytes_append(&bytes, data, size) || !module_decode(&bytes, &m, &err))
        return 0;
    if (module_validate(m, &err)) {
        struct code *first = compile(m, false, false), *again = compile(m, false, false);

        ASSERT(!first == !again);
        if (first)
            ASSERT(first->size == again->size &&
                   memcmp(first->bytes, again->bytes, first->size) == 0);
        code_free(first);
        code_free(again);
        code_free(compile(m, true, false));
        code_free(compile(m, false, true));
        code_free(compile(m, true, true));
    }
    module_free(m);
    return 0;
}
