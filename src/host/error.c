/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::error: the words of failures, by id. */
#include "host/internal.h"

#define UNKNOWN "unknown error id"

struct guest_error {
    struct resource resource; /* RESOURCE_ERROR */
    uint32_t size;
    char text[];
};

static void release(struct resource *r)
{
    mem_free(r);
}

bool guest_add_error(struct guest *g, const char *text, uint64_t *id)
{
    size_t size = strlen(text);
    struct guest_error *e = mem_try_alloc(1, sizeof(*e) + size);

    if (!e)
        return false;
    resource_init(&e->resource, RESOURCE_ERROR, release);
    e->size = (uint32_t)size;
    memcpy(e->text, text, size);
    if (!resource_add(g->process, &e->resource, id)) {
        mem_free(e);
        return false;
    }
    return true;
}

const char *guest_error_text(const struct guest *g, uint64_t id, size_t *size)
{
    const struct guest_error *e =
        (const struct guest_error *)resource_get(g->process, RESOURCE_ERROR, id);

    if (!e)
        return NULL;
    *size = e->size;
    return e->text;
}

struct outcome host_error_string_size(struct guest *g, uint64_t error_id)
{
    size_t size;

    if (!guest_error_text(g, error_id, &size))
        return guest_trap(g, UNKNOWN);
    return done(size);
}

struct outcome host_error_to_string(struct guest *g, uint64_t error_id, uint32_t ptr)
{
    size_t size;
    const char *text = guest_error_text(g, error_id, &size);
    uint8_t *out;

    if (!text)
        return guest_trap(g, UNKNOWN);
    if (!guest_bytes(g, ptr, size, &out))
        return guest_trap_range(g);
    memcpy(out, text, size);
    return done(0);
}

struct outcome host_error_drop(struct guest *g, uint64_t error_id)
{
    struct resource *r = resource_take(g->process, RESOURCE_ERROR, error_id);

    if (!r)
        return guest_trap(g, UNKNOWN);
    resource_unref(r);
    return done(0);
}
