/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "program.h"
#include "abi/modules.h"
#include "base/bytes.h"
#include "plat/command.h"
#include "runtime/internal.h"
#include "tests/harness/harness.h"
#include <dirent.h>
#include <stdio.h>

/* (import "lunatic::error" "drop" (func $error.drop (param i64))) ... */
static const char imports[] =
#define RESULT_none       ""
#define RESULT_i32        " (result i32)"
#define RESULT_i64        " (result i64)"
#define PARAM(type, name) " (param " #type ")"
#define HOST_FN(module, fn, result, params, waits, right, doc)                                     \
    "(import \"" ABI_MODULE_##module "\" \"" #fn "\" (func $" #module "." #fn                      \
                                     "" params RESULT_##result "))\n"
#include "abi/abi.def"
    ;

/* Memory: names at 16 to 1023 as the test lays them out with data segments; parameters at 1024; ids
 * are written to 2048 and 2056. */
static const char helpers[] =
    "(memory (export \"memory\") 1 16)\n"
    "(func $equal (param i64 i64) (if (i64.ne (local.get 0) (local.get 1)) (then unreachable)))\n"
    "(func $equal32 (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))\n"
    /* spawns the export whose name is (ptr, size) with one i64, linked with `link`; the process id
     */
    "(func $spawn1 (param $link i64) (param $ptr i32) (param $size i32) (param $x i64) (result "
    "i64)\n"
    "  (i32.store8 (i32.const 1024) (i32.const 0x7e))\n"
    "  (i64.store (i32.const 1025) (local.get $x))\n"
    "  (call $equal32 (i32.const 0) (call $process.spawn (local.get $link) (i64.const -1)\n"
    "    (i64.const -1) (local.get $ptr) (local.get $size) (i32.const 1024) (i32.const 17)\n"
    "    (i32.const 2048)))\n"
    "  (i64.load (i32.const 2048)))\n"
    "(func $spawn (param $link i64) (param $ptr i32) (param $size i32) (result i64)\n"
    "  (call $equal32 (i32.const 0) (call $process.spawn (local.get $link) (i64.const -1)\n"
    "    (i64.const -1) (local.get $ptr) (local.get $size) (i32.const 0) (i32.const 0)\n"
    "    (i32.const 2048)))\n"
    "  (i64.load (i32.const 2048)))\n"
    /* sends an i64 with a tag */
    "(func $send (param $to i64) (param $tag i64) (param $x i64)\n"
    "  (call $message.create_data (local.get $tag) (i64.const 8))\n"
    "  (i64.store (i32.const 3000) (local.get $x))\n"
    "  (drop (call $message.write_data (i32.const 3000) (i32.const 8)))\n"
    "  (call $equal32 (i32.const 0) (call $message.send (local.get $to))))\n"
    /* the i64 in the current message */
    "(func $read (result i64)\n"
    "  (call $equal32 (i32.const 8) (call $message.read_data (i32.const 3000) (i32.const 8)))\n"
    "  (i64.load (i32.const 3000)))\n"
    /* receives any message: its kind; waits at most 5 s */
    "(func $receive (result i32)\n"
    "  (call $message.receive (i32.const 0) (i32.const 0) (i64.const 5000)))\n"
    "(func $receive_tag (param $tag i64) (param $ms i64) (result i32)\n"
    "  (i64.store (i32.const 3016) (local.get $tag))\n"
    "  (call $message.receive (i32.const 3016) (i32.const 1) (local.get $ms)))\n";

static bool convert(const char *text, struct bytes *out)
{
    struct error err;
    char path[256];
    FILE *f;
    bool ok;

    if (!EXPECT(file_temporary(path, sizeof(path), &err)))
        return false;
    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    ok = wat_convert(path, out, &err);
    if (!ok)
        printf("%s\n", err.text);
    file_remove(path);
    return EXPECT(ok);
}

bool program_load(struct lunatic_runtime *rt, const char *text, struct lunatic_module **out,
                  struct lunatic_error *err)
{
    struct bytes bytes = {0};
    bool ok;

    if (!convert(text, &bytes))
        return false;
    ok = lunatic_module_load(rt, bytes.data, bytes.size, NULL, out, err);
    bytes_deinit(&bytes);
    return ok;
}

void program_options_init(struct program_options *o)
{
    lunatic_runtime_options_init(&o->runtime);
    lunatic_environment_options_init(&o->environment);
    o->runtime.workers = 2;
    o->runtime.log_level = LUNATIC_LOG_OFF;
}

bool program_build(struct lunatic_runtime *rt, const char *body, struct lunatic_module **out)
{
    struct bytes text = {0};
    struct lunatic_error err = {0};
    bool ok = EXPECT(bytes_printf(&text, "(module %s%s%s)", imports, helpers, body)) &&
              bytes_append_u8(&text, 0) &&
              EXPECT(program_load(rt, (const char *)text.data, out, &err));

    if (!ok)
        printf("%s\n", err.text);
    bytes_deinit(&text);
    return ok;
}

bool program_run(const char *body, const struct program_options *options, struct lunatic_exit *how)
{
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct lunatic_error err = {0};
    bool ok = EXPECT(lunatic_runtime_new(&options->runtime, &rt, &err)) &&
              program_build(rt, body, &m) &&
              EXPECT(lunatic_runtime_run(rt, m, &options->environment, how, &err));

    if (err.text[0])
        printf("%s\n", err.text);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
    return ok;
}

static bool passes(const char *body, const struct program_options *o, const char *variant)
{
    struct lunatic_exit how;

    if (!program_run(body, o, &how))
        return false;
    if (how.kind != LUNATIC_EXIT_NORMAL || how.status != 0)
        printf("%s: kind %d, status %d: %s\n", variant, (int)how.kind, how.status, how.text);
    return how.kind == LUNATIC_EXIT_NORMAL && how.status == 0;
}

bool program_passes(const char *body)
{
    struct program_options o;
    bool ok;

    program_options_init(&o);
    ok = passes(body, &o, "plain");
    o.runtime.exact = true;
    ok = passes(body, &o, "exact") && ok;
    o.runtime.exact = false;
    o.runtime.metered = true;
    ok = passes(body, &o, "metered") && ok;
    o.runtime.metered = false;
    o.runtime.deterministic = true;
    o.runtime.seed = 7;
    ok = passes(body, &o, "deterministic") && ok;
    return ok;
}

unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
