/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/unit/wasm/build.h"
#include <stdio.h>
#include <stdlib.h>

void put(struct bytes *b, const void *data, size_t size)
{
    if (!bytes_append(b, data, size))
        abort();
}

void put_leb(struct bytes *b, uint64_t value)
{
    do {
        uint8_t byte = value & 0x7f;

        value >>= 7;
        PUT(b, (uint8_t)(byte | (value ? 0x80 : 0)));
    } while (value);
}

void put_name(struct bytes *b, const char *name)
{
    put_leb(b, strlen(name));
    put(b, name, strlen(name));
}

void put_many(struct bytes *b, uint8_t byte, size_t count)
{
    if (!bytes_reserve(b, count))
        abort();
    memset(b->data + b->size, byte, count);
    b->size += count;
}

void put_header(struct bytes *b)
{
    PUT(b, 0, 'a', 's', 'm', 1, 0, 0, 0);
}

void put_section(struct bytes *b, int id, struct bytes *content)
{
    if (id >= 0)
        PUT(b, (uint8_t)id);
    put_leb(b, content->size);
    put(b, content->data, content->size);
    bytes_deinit(content);
    *content = (struct bytes){0};
}

/* All of module_of_code but the code section. */
static void declarations(struct bytes *b)
{
    put_header(b);
    SECTION(b, TYPE, 1, 0x60, 0, 0);
    SECTION(b, FUNCTION, 1, 0);
    SECTION(b, TABLE, 1, 0x70, 0, 1);
    SECTION(b, MEMORY, 1, 0, 1);
    SECTION(b, GLOBAL, 1, 0x7f, 1, 0x41, 0, 0x0b);
}

struct bytes module_of_code(struct bytes *code)
{
    struct bytes b = {0}, content = {0}, body = {0};

    declarations(&b);
    PUT(&body, 0); /* no locals */
    put(&body, code->data, code->size);
    PUT(&content, 1);
    put_section(&content, -1, &body);
    put_section(&b, CODE, &content);
    bytes_deinit(code);
    *code = (struct bytes){0};
    return b;
}

struct bytes module_of_bytes(const void *code, size_t size)
{
    struct bytes copy = {0};

    put(&copy, code, size);
    return module_of_code(&copy);
}

size_t module_code_offset(void)
{
    struct bytes b = {0};
    size_t size;

    declarations(&b);
    size = b.size + 5; /* id, size, count, size of the body, count of locals */
    bytes_deinit(&b);
    return size;
}

struct module *check_module(struct bytes *bytes, struct error *err)
{
    struct module *m = NULL;

    if (!module_decode(bytes, &m, err))
        return NULL;
    if (module_validate(m, err))
        return m;
    module_free(m);
    return NULL;
}

bool refused(struct bytes *bytes, enum error_code code, const char *text)
{
    struct error err = {0};
    struct module *m = check_module(bytes, &err);

    module_free(m);
    if (!m && err.code == code && strstr(err.text, text))
        return true;
    fprintf(stderr, "code %d \"%s\" instead of %d \"%s\"\n", (int)err.code, err.text, (int)code,
            text);
    return false;
}

bool accepted(struct bytes *bytes)
{
    struct error err = {0};
    struct module *m = check_module(bytes, &err);

    module_free(m);
    if (!m)
        fprintf(stderr, "refused: %s\n", err.text);
    return m != NULL;
}
