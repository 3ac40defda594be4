/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Any bytes through decode, validate and compile, in the variants of the compiler. What the code
 * does is not looked at here (tests/fuzz/compare does); that its tables are in order is. */
#include "base/assert.h"
#include "baseline/baseline.h"
#include "vm/code.h"
#include "wasm/module.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct code *c, const struct module *m)
{
    ASSERT(c->entry_count == m->body_count && c->stubs_size % CODE_PAGE == 0);
    for (uint32_t i = 0; i < c->range_count; i++) {
        ASSERT(c->ranges[i].begin < c->ranges[i].end && c->ranges[i].end <= c->size);
        ASSERT(i == 0 || c->ranges[i - 1].end <= c->ranges[i].begin);
    }
    for (uint32_t i = 1; i < c->site_count; i++)
        ASSERT(c->sites[i - 1].pc < c->sites[i].pc && c->sites[i].offset < m->bytes.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {0};
    struct error err = {0};
    struct module *m = NULL;

    if (!bytes_append(&bytes, data, size) || !module_decode(&bytes, &m, &err))
        return 0;
    if (module_validate(m, &err)) {
        for (unsigned variant = 0; variant < 3; variant++) {
            const struct baseline_options options = {
                .metered = variant == 1, .exact = variant == 2, .thread_count = 1};
            struct code *c = NULL;

            if (baseline_compile(m, &options, &c, &err))
                check(c, m);
            else
                ASSERT(err.code != ERR_NONE && err.text[0]);
            code_free(c);
        }
    }
    module_free(m);
    return 0;
}
