/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Modules of embedders. */
#include "base/mem.h"
#include "plat/file.h"
#include "runtime/internal.h"
#include <stdio.h>
#include <string.h>

/* Takes `bytes`. */
static bool load(struct lunatic_runtime *rt, struct bytes *bytes, const char *name,
                 struct lunatic_module **out, struct lunatic_error *err)
{
    struct host_module *m;
    struct error e = {0};

    if (!host_module_new(&rt->host, bytes, &m, NULL, &e)) {
        if (name)
            fail_in(&e, "%s", name);
        return runtime_fail(err, &e);
    }
    *out = mem_new(struct lunatic_module);
    (*out)->runtime = rt;
    (*out)->module = m;
    return true;
}

bool lunatic_module_load(struct lunatic_runtime *rt, const void *bytes, size_t size,
                         const char *name, struct lunatic_module **out, struct lunatic_error *err)
{
    struct bytes copy = {.size_max = MODULE_SIZE_MAX};
    struct error e = {0};

    if (!bytes_append(&copy, bytes, size)) {
        fail(&e, ERR_LIMIT, "no memory for a module of %zu bytes", size);
        return runtime_fail(err, &e);
    }
    return load(rt, &copy, name, out, err);
}

bool lunatic_module_load_file(struct lunatic_runtime *rt, const char *path,
                              struct lunatic_module **out, struct lunatic_error *err)
{
    struct bytes bytes = {0};
    struct error e = {0};

    if (!file_read_all(path, MODULE_SIZE_MAX, &bytes, &e)) {
        bytes_deinit(&bytes);
        return runtime_fail(err, &e);
    }
    if (wat_is_text(path, &bytes)) {
        bytes_deinit(&bytes);
        bytes = (struct bytes){0};
        if (!wat_convert(path, &bytes, &e)) {
            bytes_deinit(&bytes);
            return runtime_fail(err, &e);
        }
    }
    return load(rt, &bytes, path, out, err);
}

bool lunatic_module_export(const struct lunatic_module *m, size_t index, struct lunatic_export *out)
{
    static const enum lunatic_export_kind kinds[] = {
        [EXTERN_FUNC] = LUNATIC_EXPORT_FUNCTION,
        [EXTERN_TABLE] = LUNATIC_EXPORT_TABLE,
        [EXTERN_MEMORY] = LUNATIC_EXPORT_MEMORY,
        [EXTERN_GLOBAL] = LUNATIC_EXPORT_GLOBAL,
    };
    const struct module *module = m->module->module;
    const struct export_ *e;

    if (index >= module->export_count)
        return false;
    e = &module->exports[index];
    out->name = (const char *)e->name.data;
    out->name_size = e->name.size;
    out->kind = kinds[e->kind];
    return true;
}

void lunatic_module_free(struct lunatic_module *m)
{
    if (!m)
        return;
    host_module_unref(m->module);
    mem_free(m);
}
