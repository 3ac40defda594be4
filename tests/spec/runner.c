/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* spec_runner [--exact] [--metered] [--move-stacks] [--static] [--expected FILE]
 * FOLDER|SCRIPT.json...
 *
 * Runs the official suite, as wast2json writes it, and counts its assertions. The file of expected
 * numbers says how many pass and how many are skipped, and why; any other number is a failure, so
 * that a skip which is no longer needed shows. --static: decode and validate only. */
#include "base/mem.h"
#include "base/vec.h"
#include "baseline/baseline.h"
#include "tests/spec/json.h"
#include "tests/spec/spectest.h"
#include "vm/code.h"
#include "vm/store.h"
#include "vm/worker.h"
#include "wasm/module.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUES_MAX     1024
#define SKIPPED_STATUS 77 /* the exit status of a test that could not run */

/* What became of one assertion. */
enum verdict { PASSED, FAILED, SKIPPED_TEXT, SKIPPED_V128, SKIPPED_STATIC, VERDICT_COUNT };

struct loaded {
    struct loaded *next;
    char *name; /* "$M", or NULL */
    struct module *module;
    struct instance *instance; /* NULL: it was not instantiated */
    enum verdict why;          /* then: SKIPPED_V128, SKIPPED_STATIC or FAILED */
};

struct runner {
    struct baseline_options options;
    bool is_static;
    unsigned long counts[VERDICT_COUNT];
    unsigned long failed_commands; /* that are no assertions */

    /* The script at hand. */
    const char *folder, *script;
    long line;
    struct store *store;
    struct loaded *modules;    /* the newest first */
    struct loaded *current;    /* what actions without a module's name act on */
    VEC(char *) skipped_names; /* registered names of modules that were skipped */
};

/* Says what went wrong, where. */
PRINTF_LIKE(2, 3) static enum verdict failed(struct runner *r, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%ld: ", r->script, r->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return FAILED;
}

/* ---- modules ---- */

static bool read_file(const char *folder, const char *name, struct bytes *out)
{
    char path[4096];
    FILE *f;
    size_t size;
    bool ok;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "rb");
    if (!f)
        return false;
    while (bytes_reserve(out, 65536) && (size = fread(out->data + out->size, 1, 65536, f)) > 0)
        out->size += size;
    ok = !ferror(f);
    fclose(f);
    return ok;
}

static bool load(struct runner *r, const struct json *command, struct module **out,
                 struct error *err)
{
    const char *name = json_text(command, "filename");
    struct bytes bytes = {0};

    *out = NULL;
    if (!name || !read_file(r->folder, name, &bytes)) {
        bytes_deinit(&bytes);
        return fail(err, ERR_NOT_FOUND, "cannot read %s", name ? name : "nothing");
    }
    if (!module_decode(&bytes, out, err))
        return false;
    if (module_validate(*out, err))
        return true;
    module_free(*out);
    *out = NULL;
    return false;
}

static bool uses_v128(const struct module *m)
{
    for (uint32_t i = 0; i < m->body_count; i++) {
        if (m->bodies[i].uses_v128)
            return true;
    }
    for (uint32_t i = 0; i < m->global_count; i++) {
        if (m->globals[i].type == VALTYPE_V128)
            return true;
    }
    return false;
}

static bool imports_skipped(const struct runner *r, const struct module *m)
{
    for (uint32_t i = 0; i < m->import_count; i++) {
        for (size_t k = 0; k < r->skipped_names.count; k++) {
            if (slice_equal(m->imports[i].module, slice_text(r->skipped_names.items[k])))
                return true;
        }
    }
    return false;
}

/* Compiles and instantiates l->module. False: l->why or, if FAILED, `err` and `trap` say why. */
static bool instantiate(struct runner *r, struct loaded *l, enum trap *trap, struct error *err)
{
    struct code *code = NULL;

    l->why = FAILED;
    *trap = TRAP_NONE;
    if (r->is_static) {
        l->why = SKIPPED_STATIC;
        return false;
    }
    if (!baseline_compile(l->module, &r->options, &code, err)) {
        if (err->code == ERR_UNSUPPORTED && uses_v128(l->module) && strstr(err->text, "v128"))
            l->why = SKIPPED_V128;
        return false;
    }
    if (imports_skipped(r, l->module)) {
        code_free(code);
        l->why = SKIPPED_V128;
        return false;
    }
    return store_instantiate(r->store, l->module, code, &l->instance, trap, err);
}

/* Adds a module to those of the script; the store may use it until the script's end. */
static struct loaded *keep(struct runner *r, const char *name, struct module *m)
{
    struct loaded *l = mem_new(struct loaded);

    l->next = r->modules;
    l->module = m;
    l->name = name ? strdup(name) : NULL;
    r->modules = l;
    return l;
}

static struct loaded *find(struct runner *r, const char *name)
{
    if (!name)
        return r->current;
    for (struct loaded *l = r->modules; l; l = l->next) {
        if (l->name && strcmp(l->name, name) == 0)
            return l;
    }
    return NULL;
}

static enum verdict do_module(struct runner *r, const struct json *command)
{
    struct error err = {0};
    struct module *m;
    enum trap trap;

    r->current = NULL;
    if (!load(r, command, &m, &err))
        return failed(r, "module: %s", err.text);
    r->current = keep(r, json_text(command, "name"), m);
    if (instantiate(r, r->current, &trap, &err))
        return PASSED;
    if (r->current->why == FAILED)
        return failed(r, "module: %s (%s)", err.text, trap_words(trap));
    return r->current->why;
}

static enum verdict do_register(struct runner *r, const struct json *command)
{
    struct loaded *l = find(r, json_text(command, "name"));
    const char *as = json_text(command, "as");

    if (!l || !as)
        return failed(r, "register: no such module");
    if (l->instance) {
        store_register(r->store, as, l->instance);
        return PASSED;
    }
    if (!vec_push(&r->skipped_names, strdup(as)))
        abort();
    return l->why;
}

/* ---- values ---- */

static uint64_t null_or_number(const char *text)
{
    return strcmp(text, "null") == 0 ? 0 : strtoull(text, NULL, 10) + 1;
}

/* An argument as generated code takes it. False: of a type that we do not run. */
static bool argument(const struct json *value, uint64_t *out)
{
    const char *type = json_text(value, "type"), *text = json_text(value, "value");

    if (!type || !text)
        return false;
    if (strcmp(type, "externref") == 0 || strcmp(type, "funcref") == 0)
        *out = null_or_number(text);
    else if (strcmp(type, "v128") == 0)
        return false;
    else
        *out = strtoull(text, NULL, 10);
    return true;
}

static bool is_nan(uint64_t bits, bool is_f64, bool canonical)
{
    const uint64_t sign = is_f64 ? (uint64_t)1 << 63 : (uint64_t)1 << 31;
    const uint64_t quiet = is_f64 ? 0x7ff8000000000000 : 0x7fc00000;

    return canonical ? (bits & ~sign) == quiet : (bits & quiet) == quiet;
}

static bool equal(const struct json *expected, uint64_t bits)
{
    const char *type = json_text(expected, "type"), *text = json_text(expected, "value");

    if (!type)
        return false;
    if (type[1] == '3') /* i32, f32: the upper half of the word says nothing */
        bits &= UINT32_MAX;
    if (!text)
        return bits != 0; /* (ref.func), (ref.extern): any reference */
    if (strcmp(type, "externref") == 0 || strcmp(type, "funcref") == 0)
        return bits == null_or_number(text);
    if (strncmp(text, "nan:", 4) == 0)
        return is_nan(bits, strcmp(type, "f64") == 0, strcmp(text + 4, "canonical") == 0);
    return bits == strtoull(text, NULL, 10);
}

/* ---- actions ---- */

struct result {
    enum trap trap;
    uint32_t count;
    uint64_t values[VALUES_MAX];
};

/* Invokes or reads. PASSED: `out` says what came of it. */
static enum verdict act(struct runner *r, const struct json *action, struct result *out)
{
    struct loaded *l = find(r, json_text(action, "module"));
    const struct json *field = json_get(action, "field"), *args = json_get(action, "args");
    const char *type = json_text(action, "type");
    struct store_extern item;
    uint64_t values[VALUES_MAX];
    uint32_t count = 0;

    memset(out, 0, sizeof(*out));
    if (!l || !field || !type)
        return failed(r, "no such module");
    if (!l->instance)
        return l->why == FAILED ? failed(r, "the module failed") : l->why;
    if (!store_export(r->store, l->instance, slice_make(field->text, field->size), &item))
        return failed(r, "no export \"%s\"", field->text);
    if (strcmp(type, "get") == 0) {
        if (item.kind != EXTERN_GLOBAL)
            return failed(r, "\"%s\" is no global", field->text);
        out->count = 1;
        out->values[0] = *item.global;
        return PASSED;
    }
    if (item.kind != EXTERN_FUNC)
        return failed(r, "\"%s\" is no function", field->text);
    for (const struct json *a = args ? args->first : NULL; a; a = a->next) {
        if (count == VALUES_MAX || !argument(a, &values[count++]))
            return failed(r, "cannot pass argument %u", count);
    }
    if (count != item.function_type->param_count || item.function_type->result_count > VALUES_MAX)
        return failed(r, "%u arguments, %u wanted", count, item.function_type->param_count);
    out->count = item.function_type->result_count;
    out->trap = store_invoke(r->store, l->instance, &item, values, out->values);
    return PASSED;
}

static enum verdict assert_return(struct runner *r, const struct json *command)
{
    const struct json *expected = json_get(command, "expected");
    struct result result;
    enum verdict v = act(r, json_get(command, "action"), &result);
    uint32_t i = 0;

    if (v != PASSED)
        return v;
    if (result.trap)
        return failed(r, "trapped: %s", trap_words(result.trap));
    for (const struct json *e = expected ? expected->first : NULL; e; e = e->next, i++) {
        if (i >= result.count)
            return failed(r, "too few results");
        if (!equal(e, result.values[i]))
            return failed(r, "result %u is 0x%" PRIx64 ", not %s %s", i, result.values[i],
                          json_text(e, "type"), json_text(e, "value"));
    }
    return i == result.count ? PASSED : failed(r, "too many results");
}

static enum verdict do_action(struct runner *r, const struct json *command)
{
    struct result result;
    enum verdict v = act(r, json_get(command, "action"), &result);

    if (v == PASSED && result.trap)
        return failed(r, "trapped: %s", trap_words(result.trap));
    return v;
}

/* Whether a trap's words are those expected: as much as both have. */
static bool same_words(const char *words, const char *expected)
{
    size_t a = strlen(words), b = strlen(expected);

    return strncmp(words, expected, a < b ? a : b) == 0;
}

static enum verdict assert_trap(struct runner *r, const struct json *command)
{
    const char *text = json_text(command, "text");
    struct result result;
    enum verdict v = act(r, json_get(command, "action"), &result);

    if (v != PASSED)
        return v;
    if (!result.trap)
        return failed(r, "did not trap: %s", text);
    if (!text || !same_words(trap_words(result.trap), text))
        return failed(r, "trapped: %s, not: %s", trap_words(result.trap), text);
    return PASSED;
}

static enum verdict assert_exhaustion(struct runner *r, const struct json *command)
{
    struct result result;
    enum verdict v = act(r, json_get(command, "action"), &result);

    if (v != PASSED)
        return v;
    if (result.trap != TRAP_STACK_EXHAUSTED)
        return failed(r, "no exhaustion: %s", trap_words(result.trap));
    return PASSED;
}

/* ---- assertions about modules ---- */

static bool is_text(const struct json *command)
{
    const char *type = json_text(command, "module_type");

    return type && strcmp(type, "text") == 0;
}

/* Malformed and invalid modules fail before anything else sees them, with the right kind of error.
 */
static enum verdict assert_bad(struct runner *r, const struct json *command, enum error_code code)
{
    struct error err = {0};
    struct module *m;

    if (is_text(command))
        return SKIPPED_TEXT;
    if (load(r, command, &m, &err)) {
        module_free(m);
        return failed(r, "accepted: %s", json_text(command, "text"));
    }
    if (err.code != code)
        return failed(r, "\"%s\" (code %d), expected: %s", err.text, (int)err.code,
                      json_text(command, "text"));
    if (!strstr(err.text, "offset 0x") && code == ERR_MALFORMED)
        return failed(r, "an error without a place: %s", err.text);
    return PASSED;
}

/* Loads and instantiates what must fail in doing so. */
static enum verdict fail_to_instantiate(struct runner *r, const struct json *command,
                                        enum trap *trap, struct error *err)
{
    struct loaded *l;
    struct module *m;

    if (!load(r, command, &m, err))
        return failed(r, "module: %s", err->text);
    l = keep(r, NULL, m);
    if (instantiate(r, l, trap, err))
        return failed(r, "instantiated: %s", json_text(command, "text"));
    return l->why == FAILED ? PASSED : l->why;
}

static enum verdict assert_unlinkable(struct runner *r, const struct json *command)
{
    const char *text = json_text(command, "text");
    struct error err = {0};
    enum trap trap;
    enum verdict v = fail_to_instantiate(r, command, &trap, &err);

    if (v != PASSED)
        return v;
    if (err.code != ERR_UNLINKABLE || !text || !same_words(err.text, text))
        return failed(r, "\"%s\" (code %d), expected: %s", err.text, (int)err.code, text);
    return PASSED;
}

static enum verdict assert_uninstantiable(struct runner *r, const struct json *command)
{
    const char *text = json_text(command, "text");
    struct error err = {0};
    enum trap trap;
    enum verdict v = fail_to_instantiate(r, command, &trap, &err);

    if (v != PASSED)
        return v;
    if (err.code != ERR_TRAP || !text || !same_words(trap_words(trap), text))
        return failed(r, "\"%s\" (code %d, %s), expected: %s", err.text, (int)err.code,
                      trap_words(trap), text);
    return PASSED;
}

/* ---- scripts ---- */

static enum verdict run_command(struct runner *r, const char *type, const struct json *command)
{
    if (strcmp(type, "module") == 0)
        return do_module(r, command);
    if (strcmp(type, "register") == 0)
        return do_register(r, command);
    if (strcmp(type, "action") == 0)
        return do_action(r, command);
    if (strcmp(type, "assert_return") == 0)
        return assert_return(r, command);
    if (strcmp(type, "assert_trap") == 0)
        return assert_trap(r, command);
    if (strcmp(type, "assert_exhaustion") == 0)
        return assert_exhaustion(r, command);
    if (strcmp(type, "assert_invalid") == 0)
        return assert_bad(r, command, ERR_INVALID);
    if (strcmp(type, "assert_malformed") == 0)
        return assert_bad(r, command, ERR_MALFORMED);
    if (strcmp(type, "assert_unlinkable") == 0)
        return assert_unlinkable(r, command);
    if (strcmp(type, "assert_uninstantiable") == 0)
        return assert_uninstantiable(r, command);
    return failed(r, "unknown command %s", type);
}

static void end_script(struct runner *r)
{
    if (r->store)
        store_free(r->store);
    r->store = NULL;
    while (r->modules) {
        struct loaded *l = r->modules;

        r->modules = l->next;
        module_free(l->module);
        free(l->name);
        mem_free(l);
    }
    r->current = NULL;
    for (size_t i = 0; i < r->skipped_names.count; i++)
        free(r->skipped_names.items[i]);
    r->skipped_names.count = 0;
}

static bool run_script(struct runner *r, const char *folder, const char *name)
{
    struct bytes text = {0};
    struct json *script;
    const struct json *commands;

    r->folder = folder;
    r->script = name;
    if (!read_file(folder, name, &text) || !bytes_append_u8(&text, 0)) {
        fprintf(stderr, "spec_runner: cannot read %s/%s\n", folder, name);
        return false;
    }
    script = json_parse((const char *)text.data);
    bytes_deinit(&text);
    if (!r->is_static) {
        r->store = store_new();
        spectest_define(r->store);
    }
    commands = json_get(script, "commands");
    for (const struct json *c = commands ? commands->first : NULL; c; c = c->next) {
        const struct json *line = json_get(c, "line");
        const char *type = json_text(c, "type");
        enum verdict v;

        r->line = line ? strtol(line->text, NULL, 10) : 0;
        v = run_command(r, type ? type : "?", c);
        if (type && strncmp(type, "assert_", 7) == 0)
            r->counts[v]++;
        else if (v == FAILED)
            r->failed_commands++;
    }
    end_script(r);
    json_free(script);
    return true;
}

static int is_script(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return size > 5 && strcmp(entry->d_name + size - 5, ".json") == 0;
}

/* A folder's scripts in order, or one script. */
static bool run_path(struct runner *r, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_script, alphasort);
    bool ok = count != 0;

    if (count < 0) {
        const char *slash = strrchr(path, '/');
        char *folder = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");

        ok = run_script(r, folder, slash ? slash + 1 : path);
        free(folder);
        return ok;
    }
    for (int i = 0; i < count; i++) {
        ok &= run_script(r, path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* Lines of "run or static, in all, passed, skipped as text, skipped for v128"; others begin with
 * '#'. */
static bool as_expected(const struct runner *r, const char *path, unsigned long total)
{
    char line[256];
    FILE *f = fopen(path, "r");

    if (!f) {
        fprintf(stderr, "spec_runner: cannot read %s\n", path);
        return false;
    }
    while (fgets(line, sizeof(line), f)) {
        unsigned long n[4];
        char mode[8];

        if (line[0] == '#' ||
            sscanf(line, "%7s %lu %lu %lu %lu", mode, &n[0], &n[1], &n[2], &n[3]) != 5 ||
            n[0] != total || strcmp(mode, r->is_static ? "static" : "run") != 0)
            continue;
        fclose(f);
        if (r->counts[PASSED] == n[1] && r->counts[SKIPPED_TEXT] == n[2] &&
            r->counts[SKIPPED_V128] == n[3])
            return true;
        fprintf(stderr,
                "spec_runner: expected were %lu passed, %lu skipped as text, %lu for v128;\n"
                "if more pass now than did, %s is to be corrected\n",
                n[1], n[2], n[3], path);
        return false;
    }
    fclose(f);
    fprintf(stderr, "spec_runner: no suite of %lu assertions is in %s\n", total, path);
    return false;
}

static bool report(const struct runner *r, const char *expected)
{
    unsigned long total = 0;

    for (int i = 0; i < VERDICT_COUNT; i++)
        total += r->counts[i];
    printf("%lu assertions: %lu passed, %lu failed; skipped: %lu of the text format, %lu with v128",
           total, r->counts[PASSED], r->counts[FAILED], r->counts[SKIPPED_TEXT],
           r->counts[SKIPPED_V128]);
    if (r->is_static)
        printf(", %lu that execute", r->counts[SKIPPED_STATIC]);
    printf("\n");
    if (r->failed_commands)
        printf("%lu other commands failed\n", r->failed_commands);
    if (r->counts[FAILED] || r->failed_commands || !total)
        return false;
    return !expected || as_expected(r, expected, total);
}

/* Ends the program if the suite has not been converted. */
static void require(const char *path)
{
    if (access(path, R_OK) == 0)
        return;
    fprintf(stderr, "spec_runner: %s is not there: see tests/spec/README.md\n", path);
    exit(getenv("LUNATIC_REQUIRE_SPEC") ? 1 : SKIPPED_STATUS);
}

int main(int argc, char **argv)
{
    static struct runner r;
    const char *expected = NULL;
    bool ok = true;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--exact") == 0)
            r.options.exact = true;
        else if (strcmp(argv[i], "--metered") == 0)
            r.options.metered = true;
        else if (strcmp(argv[i], "--move-stacks") == 0)
            vm_set_move_stacks(true);
        else if (strcmp(argv[i], "--static") == 0)
            r.is_static = true;
        else if (strcmp(argv[i], "--expected") == 0 && i + 1 < argc)
            expected = argv[++i];
        else {
            require(argv[i]);
            ok &= run_path(&r, argv[i]);
        }
    }
    vec_deinit(&r.skipped_names);
    return report(&r, expected) && ok ? 0 : 1;
}
