/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Speed of decode, validate and baseline compile on one thread: compile FILE... Prints for each
 * file the size of its code section and the best of several runs. */
#include "base/mem.h"
#include "baseline/baseline.h"
#include "vm/code.h"
#include "wasm/module.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 5

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool read_file(const char *path, struct bytes *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t chunk[65536];
    size_t n;
    bool ok = f != NULL;

    while (ok && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        ok = bytes_append(out, chunk, n);
    if (f)
        fclose(f);
    return ok;
}

/* One run: seconds for decode and validate, and for compile. */
static bool run(const struct bytes *file, double *front_s, double *back_s, size_t *code_bytes,
                size_t *out_bytes, struct error *err)
{
    const struct baseline_options options = {.thread_count = 1};
    struct bytes copy = {0};
    struct module *m = NULL;
    struct code *code = NULL;
    double t0, t1;
    bool ok = false;

    if (!bytes_append(&copy, file->data, file->size))
        return fail(err, ERR_NO_MEMORY, "no memory");
    t0 = now_s();
    if (!module_decode(&copy, &m, err) || !module_validate(m, err))
        goto out;
    t1 = now_s();
    *front_s = t1 - t0;
    if (!baseline_compile(m, &options, &code, err))
        goto out;
    *back_s = now_s() - t1;
    *code_bytes = 0;
    for (uint32_t i = 0; i < m->body_count; i++)
        *code_bytes += m->bodies[i].code.size;
    *out_bytes = code->size;
    ok = true;
out:
    code_free(code);
    module_free(m);
    return ok;
}

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        struct bytes file = {0};
        struct error err = {0};
        double front = 1e9, back = 1e9, total = 1e9, f, b;
        size_t code_bytes = 0, out_bytes = 0;
        bool ok = read_file(argv[i], &file);

        for (int r = 0; ok && r < RUNS; r++) {
            ok = run(&file, &f, &b, &code_bytes, &out_bytes, &err);
            if (ok && f + b < total) {
                total = f + b;
                front = f;
                back = b;
            }
        }
        if (ok) {
            printf("%s: %.2f MB of code: %.1f MB/s (decode and validate %.1f, compile %.1f), "
                   "output %.2f "
                   "bytes per byte\n",
                   argv[i], (double)code_bytes / 1e6, (double)code_bytes / 1e6 / total,
                   (double)code_bytes / 1e6 / front, (double)code_bytes / 1e6 / back,
                   (double)out_bytes / (double)code_bytes);
        } else {
            fprintf(stderr, "%s: %s\n", argv[i], err.code ? err.text : "cannot be read");
            status = 1;
        }
        bytes_deinit(&file);
    }
    return status;
}
