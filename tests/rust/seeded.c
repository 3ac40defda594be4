/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Runs one test of a module in a runtime that is deterministic: its clock is virtual. A test that
 * sleeps for 10 ms and expects others to be ready says the same on a machine that is busy, or with
 * code that is slowed down.
 *
 *     seeded [--move-stacks] [--seed N] MODULE NAME
 *
 * Ends with 0 if the test passes. */
#include "base/bytes.h"
#include "base/mem.h"
#include "cli/test_case.h"
#include "runtime/lunatic_runtime.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static void collect(void *context, uint64_t process, enum lunatic_output stream, const void *data,
                    size_t size)
{
    (void)process;
    (void)stream;
    if (!bytes_append((struct bytes *)context, data, size))
        abort();
}

/* Whether the test in `c` ended as it should; its output is in `output`. */
static bool run(const struct lunatic_runtime_options *options, const char *path,
                const struct test_case *c, struct bytes *output, struct lunatic_exit *how)
{
    const char *const args[] = {"test"};
    const struct lunatic_dir here = {.host_path = ".", .guest_path = "."};
    struct lunatic_environment_options o;
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct lunatic_error err;
    bool ok;

    lunatic_environment_options_init(&o);
    o.entry = c->export_name;
    o.args = args;
    o.arg_count = 1;
    o.dirs = &here;
    o.dir_count = 1;
    o.variables = (const char *const *)environ;
    while (environ[o.variable_count])
        o.variable_count++;
    o.timeout_ms = 120000; /* of the real clock */
    o.output = collect;
    o.output_context = output;
    ok = lunatic_runtime_new(options, &rt, &err) && lunatic_module_load_file(rt, path, &m, &err) &&
         lunatic_runtime_run(rt, m, &o, how, &err);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
    if (!ok) {
        printf("%s: %s\n", path, err.text);
        return false;
    }
    if (!c->should_panic)
        return how->kind == LUNATIC_EXIT_NORMAL && how->status == 0;
    if (!bytes_append_u8(output, '\0'))
        abort();
    return (how->kind == LUNATIC_EXIT_FAILED || how->kind == LUNATIC_EXIT_KILLED) &&
           strstr((const char *)output->data, c->panic_text);
}

int main(int argc, char **argv)
{
    struct lunatic_runtime_options options;
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct test_cases cases = {0};
    struct lunatic_error err = {0};
    struct lunatic_exit how = {0};
    struct bytes output = {0};
    struct error names = {0};
    const char *path, *name;
    bool passed = false;
    size_t i;
    int w;

    lunatic_runtime_options_init(&options);
    options.deterministic = true;
    options.seed = 1;
    options.log_level = LUNATIC_LOG_WARN;
    for (w = 1; w < argc - 2; w++) {
        if (strcmp(argv[w], "--move-stacks") == 0)
            options.move_stacks = true;
        else if (strcmp(argv[w], "--seed") == 0)
            options.seed = strtoull(argv[++w], NULL, 10);
    }
    if (w != argc - 2) {
        fprintf(stderr, "usage: seeded [--move-stacks] [--seed N] MODULE NAME\n");
        return 2;
    }
    path = argv[w];
    name = argv[w + 1];
    if (!lunatic_runtime_new(&options, &rt, &err) ||
        !lunatic_module_load_file(rt, path, &m, &err)) {
        printf("%s\n", err.text);
        return 1;
    }
    if (!test_cases_read(m, &cases, &names))
        printf("%s\n", names.text);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
    for (i = 0; i < cases.list.count && strcmp(cases.list.items[i].name, name) != 0; i++)
        ;
    if (i < cases.list.count) {
        passed = run(&options, path, &cases.list.items[i], &output, &how);
        printf("test %s ... %s: status %d %s\n%.*s\n", name, passed ? "ok" : "FAILED", how.status,
               how.text, (int)output.size, (const char *)output.data);
    } else {
        printf("no test '%s'\n", name);
    }
    bytes_deinit(&output);
    test_cases_deinit(&cases);
    return passed ? 0 : 1;
}
