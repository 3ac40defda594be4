/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Runs a WebAssembly program inside a C program, with a limit of memory and of time.
 *
 *     embed app.wasm [argument...]
 */
#include <lunatic/runtime.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct lunatic_environment_options options;
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *module = NULL;
    struct lunatic_error err = {0};
    struct lunatic_exit how = {0};
    int status = 1;

    if (argc < 2) {
        fprintf(stderr, "usage: embed app.wasm [argument...]\n");
        return 2;
    }
    lunatic_environment_options_init(&options);
    options.args = (const char *const *)(argv + 1);
    options.arg_count = (size_t)argc - 1;
    options.memory_max = 4 << 20; /* bytes, for each of its processes */
    options.timeout_ms = 500;

    if (!lunatic_runtime_new(NULL, &rt, &err) ||
        !lunatic_module_load_file(rt, argv[1], &module, &err) ||
        !lunatic_runtime_run(rt, module, &options, &how, &err)) {
        fprintf(stderr, "embed: %s\n", err.text);
        goto out;
    }
    status = how.status;
    if (how.kind == LUNATIC_EXIT_NORMAL)
        printf("it ended with status %d\n", how.status);
    else
        printf("it did not end well: %s\n", how.text);
out:
    lunatic_module_free(module);
    lunatic_runtime_free(rt);
    return status;
}
