/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/unit/baseline/support.h"
#include <stdio.h>
#include <stdlib.h>

void code(struct bytes *b, const char *bytes, size_t size)
{
    if (!bytes_append(b, bytes, size))
        abort();
}

void leb(struct bytes *b, uint32_t value)
{
    do {
        char byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

        code(b, &byte, 1);
        value >>= 7;
    } while (value);
}

static void section(struct bytes *m, uint8_t id, struct bytes *content)
{
    code(m, (const char *)&id, 1);
    leb(m, (uint32_t)content->size);
    code(m, (const char *)content->data, content->size);
    bytes_deinit(content);
    *content = (struct bytes){0};
}

struct module *support_module(const char *params, const char *results, uint32_t local_count,
                              struct slice body, uint32_t count)
{
    struct bytes file = {0}, s = {0}, one = {0};
    struct module *m = NULL;
    struct error err;

    CODE(&file, "\0asm\1\0\0\0");
    CODE(&s, "\1\x60");
    leb(&s, (uint32_t)strlen(params));
    code(&s, params, strlen(params));
    leb(&s, (uint32_t)strlen(results));
    code(&s, results, strlen(results));
    section(&file, 1, &s);
    leb(&s, count);
    for (uint32_t i = 0; i < count; i++)
        leb(&s, 0);
    section(&file, 3, &s);
    CODE(&s, "\1\0\1");
    section(&file, 5, &s);
    CODE(&s, "\2\1f\0\0\1m\2\0");
    section(&file, 7, &s);
    if (local_count) {
        CODE(&one, "\1");
        leb(&one, local_count);
        CODE(&one, "\x7e");
    } else {
        CODE(&one, "\0");
    }
    code(&one, (const char *)body.data, body.size);
    leb(&s, count);
    for (uint32_t i = 0; i < count; i++) {
        leb(&s, (uint32_t)one.size);
        code(&s, (const char *)one.data, one.size);
    }
    section(&file, 10, &s);
    bytes_deinit(&one);
    if (!module_decode(&file, &m, &err) || !module_validate(m, &err)) {
        printf("%s\n", err.text);
        module_free(m);
        return NULL;
    }
    return m;
}

bool support_run(struct module *m, const struct baseline_options *options, uint64_t fuel,
                 const uint64_t *args, struct run *out)
{
    struct store *s = store_new();
    struct code *c = NULL;
    struct instance *i;
    struct store_extern f;
    struct error err;
    bool ok = m && baseline_compile(m, options, &c, &err) &&
              store_instantiate(s, m, c, &i, &out->trap, &err) &&
              store_export(s, i, slice_text("f"), &f);

    if (ok) {
        if (options->metered)
            store_set_fuel(s, fuel);
        out->trap = store_invoke(s, i, &f, args, out->results);
        memcpy(out->memory, i->memory_base, sizeof(out->memory));
    } else if (m) {
        printf("%s\n", err.text);
    }
    store_free(s);
    module_free(m);
    return ok;
}
