/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The link table: the rows of abi/ with the C functions behind them, and help for imports that are
 * not among them. */
#include "abi/modules.h"
#include "host/internal.h"
#include "vm/program.h"
#include <stdio.h>

#define TYPE_none 0
#define TYPE_i32  VALTYPE_I32
#define TYPE_i64  VALTYPE_I64
#define TYPE_f32  VALTYPE_F32
#define TYPE_f64  VALTYPE_F64

typedef void host_code(void);

struct row {
    const char *module, *name, *c_name;
    host_code *code;
    enum abi_module number;
    uint8_t result;        /* enum valtype, 0: none */
    const uint8_t *params; /* ends with 0 */
};

#define PARAM(type, name) TYPE_##type,
#define HOST_FN(module, fn, result, params, waits, right, doc)                                     \
    {ABI_MODULE_##module,        #fn,                                                              \
     "host_" #module "_" #fn,    (host_code *)host_##module##_##fn,                                \
     ABI_NUMBER_##module,        TYPE_##result,                                                    \
     (const uint8_t[]){params 0}},
static const struct row rows[] = {
#include "abi/abi.def"
};

static bool is_named(struct slice s, const char *text)
{
    return s.size == strlen(text) && (s.size == 0 || memcmp(s.data, text, s.size) == 0);
}

static struct functype type_of(const struct row *r)
{
    return (struct functype){.param_count = (uint32_t)strlen((const char *)r->params),
                             .result_count = r->result ? 1 : 0,
                             .params = r->params,
                             .results = &r->result};
}

const char *host_function_name(const char *c_name, char *text, size_t size)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (strcmp(rows[i].c_name, c_name) != 0)
            continue;
        snprintf(text, size, "%s::%s", rows[i].module, rows[i].name);
        return text;
    }
    return NULL;
}

uint32_t host_function_module(const char *c_name)
{
    for (size_t i = 0; c_name && i < ARRAY_COUNT(rows); i++) {
        if (strcmp(rows[i].c_name, c_name) == 0)
            return rows[i].number;
    }
    return ABI_MODULE_COUNT;
}

/* ---- hints ---- */

/* What older releases of the original had. */
static const struct {
    const char *module, *name, *hint;
} removed[] = {
    {"lunatic::message", "push_process", "removed in 2022: write the process id into the data"},
    {"lunatic::message", "take_process", "removed in 2022: read the process id from the data"},
    {"lunatic::message", "send_after", "did you mean lunatic::timer::send_after?"},
    {"lunatic::process", "this", "did you mean lunatic::process::process_id?"},
    {"lunatic::process", "id", "did you mean lunatic::process::process_id?"},
    {"lunatic::process", "clone_process", "removed in 2022: process ids need no copies"},
    {"lunatic::process", "drop_process", "removed in 2022: process ids need not be dropped"},
    {"lunatic::process", "this_env", "did you mean lunatic::process::environment_id?"},
    {"lunatic::process", "inherit_spawn", "did you mean lunatic::process::spawn?"},
    {"lunatic::process", "add_module", "did you mean lunatic::process::compile_module?"},
    {"lunatic::process", "add_this_module", "removed in 2022: spawn takes -1 for the own module"},
    {"lunatic::process", "create_environment", "did you mean lunatic::process::create_config?"},
    {"lunatic::process", "create_remote_environment", "did you mean lunatic::distributed::spawn?"},
    {"lunatic::process", "drop_environment", "did you mean lunatic::process::drop_config?"},
    {"lunatic::process", "allow_namespace", "removed in 2022: every module may be imported"},
    {"lunatic::process", "preopen_dir", "did you mean lunatic::wasi::config_preopen_dir?"},
    {"lunatic::process", "register", "did you mean lunatic::registry::put?"},
    {"lunatic::process", "unregister", "did you mean lunatic::registry::remove?"},
    {"lunatic::process", "lookup", "did you mean lunatic::registry::get?"},
    {"lunatic::process", "join", "removed in 2022: link or monitor the process"},
    {"lunatic::process", "add_plugin", "removed in 2022"},
    {"lunatic::registry", "get_or_put_later", "did you mean lunatic::process::get_or_spawn?"},
};

#define NAME_MAX_COMPARED 48u /* bytes; longer names have no near ones */

/* Insertions, deletions and replacements that make one name the other. */
static size_t distance(struct slice a, const char *b, size_t b_size)
{
    size_t row[NAME_MAX_COMPARED + 1];

    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a.data[i - 1] != (uint8_t)b[j - 1]);

            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_size];
}

static void hint_near(struct slice module, struct slice name, char *hint, size_t size)
{
    size_t best = name.size / 3 + 1;
    const struct row *found = NULL;

    if (name.size > NAME_MAX_COMPARED)
        return;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t length = strlen(rows[i].name), d;

        if (!is_named(module, rows[i].module) || length > NAME_MAX_COMPARED)
            continue;
        d = distance(name, rows[i].name, length);
        if (d < best) {
            best = d;
            found = &rows[i];
        }
    }
    if (!found)
        for (size_t i = 0; i < ARRAY_COUNT(rows) && !found; i++)
            if (is_named(name, rows[i].name) && module.size > 9 &&
                memcmp(module.data, "lunatic::", 9) == 0)
                found = &rows[i];
    if (found)
        snprintf(hint, size, "did you mean %s::%s?", found->module, found->name);
}

static void hint_for(struct slice module, struct slice name, char *hint, size_t size)
{
    for (size_t i = 0; i < ARRAY_COUNT(removed); i++) {
        if (is_named(module, removed[i].module) && is_named(name, removed[i].name)) {
            snprintf(hint, size, "%s", removed[i].hint);
            return;
        }
    }
    if (is_named(module, "wasi_unstable"))
        snprintf(hint, size, "this is WASI preview 0: build for preview 1 (wasm32-wasi)");
    else if (is_named(module, "env"))
        snprintf(hint, size, "no definition was linked for it");
    else
        hint_near(module, name, hint, size);
}

bool host_resolve(void *context, struct slice module, struct slice name,
                  const struct functype *type, struct host_import *out, char *hint,
                  size_t hint_size)
{
    (void)context;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct functype own;
        char text[256];

        if (!is_named(name, r->name) || !is_named(module, r->module))
            continue;
        own = type_of(r);
        if (functype_equal(&own, type)) {
            out->function = (const void *)(uintptr_t)r->code;
            return true;
        }
        snprintf(hint, hint_size, "it is %s here", functype_text(&own, text, sizeof(text)));
        return false;
    }
    hint_for(module, name, hint, hint_size);
    return false;
}
