/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Runs each module of a stream made by smith and prints what happened, in the words that run-v8.mjs
 * prints for V8: run [--exact] [--metered] [--move-stacks] FIRST < STREAM */
#include "base/reader.h"
#include "baseline/baseline.h"
#include "vm/code.h"
#include "vm/store.h"
#include "vm/worker.h"
#include "wasm/module.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX FUNCTION_RESULTS_MAX

static bool read_all(FILE *f, struct bytes *out)
{
    uint8_t chunk[65536];
    size_t n;

    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        if (!bytes_append(out, chunk, n))
            return false;
    return !ferror(f);
}

/* Kinds that V8 does not tell apart share a word. */
static const char *trap_word(enum trap kind)
{
    switch (kind) {
    case TRAP_UNREACHABLE:
        return "unreachable";
    case TRAP_MEMORY_OUT_OF_BOUNDS:
        return "memory";
    case TRAP_TABLE_OUT_OF_BOUNDS:
    case TRAP_UNDEFINED_ELEMENT:
        return "table";
    case TRAP_UNINITIALIZED_ELEMENT:
    case TRAP_INDIRECT_CALL_TYPE_MISMATCH:
        return "signature";
    case TRAP_INTEGER_DIVIDE_BY_ZERO:
        return "zero";
    case TRAP_INTEGER_OVERFLOW:
        return "range";
    case TRAP_INVALID_CONVERSION:
        return "range";
    case TRAP_STACK_EXHAUSTED:
        return "stack";
    default:
        return trap_words(kind);
    }
}

/* The same numbers as in run-v8.mjs. */
static uint64_t mix(uint64_t module, uint64_t call, uint64_t param)
{
    const uint64_t parts[] = {module, call, param};
    uint64_t x = 0xcbf29ce484222325u;

    for (int i = 0; i < 3; i++)
        x = (x ^ parts[i]) * 0x100000001b3u;
    return x ^ x >> 29;
}

static uint64_t argument(uint8_t type, uint64_t bits)
{
    int32_t low = (int32_t)(uint32_t)bits;
    float f = (float)((double)low / 64);
    double d = (double)low / 64;
    uint64_t out = 0;

    switch (type) {
    case VALTYPE_I32:
        return (uint32_t)bits;
    case VALTYPE_I64:
        return bits;
    case VALTYPE_F32:
        memcpy(&out, &f, sizeof(f));
        return out;
    case VALTYPE_F64:
        memcpy(&out, &d, sizeof(d));
        return out;
    default:
        return 0;
    }
}

static void print_value(uint8_t type, uint64_t bits)
{
    switch (type) {
    case VALTYPE_I32:
        printf(" i:%x", (unsigned)(uint32_t)bits);
        break;
    case VALTYPE_I64:
        printf(" I:%llx", (unsigned long long)bits);
        break;
    case VALTYPE_F32:
        if (((uint32_t)bits & 0x7fffffff) > 0x7f800000)
            printf(" f:nan");
        else
            printf(" f:%x", (unsigned)(uint32_t)bits);
        break;
    case VALTYPE_F64:
        if ((bits & INT64_MAX) > 0x7ff0000000000000u)
            printf(" F:nan");
        else
            printf(" F:%llx", (unsigned long long)bits);
        break;
    default:
        printf(bits ? " r:set" : " r:null");
    }
}

static void call_all(struct store *s, const struct module *m, struct instance *i, uint64_t number)
{
    static uint64_t args[FUNCTION_PARAMS_MAX], results[VALUES_MAX];
    uint64_t calls = 0;

    for (uint32_t e = 0; e < m->export_count; e++) {
        const struct functype *type;
        struct store_extern function;
        enum trap kind;

        if (m->exports[e].kind != EXTERN_FUNC || !store_export(s, i, m->exports[e].name, &function))
            continue;
        type = function.function_type;
        for (uint32_t p = 0; p < type->param_count; p++)
            args[p] = argument(type->params[p], mix(number, calls, p));
        calls++;
        kind = store_invoke(s, i, &function, args, results);
        printf("call %u", m->exports[e].index);
        if (kind == TRAP_NONE) {
            if (type->result_count == 0)
                printf(" ");
            for (uint32_t r = 0; r < type->result_count; r++)
                print_value(type->results[r], results[r]);
            printf("\n");
        } else {
            printf(" trap %s\n", trap_word(kind));
        }
    }
}

static uint32_t hash(const uint8_t *data, uint64_t size)
{
    uint32_t h = 0x811c9dc5;

    for (uint64_t i = 0; i < size; i++)
        h = (h ^ data[i]) * 0x01000193;
    return h;
}

static void show_state(struct store *s, const struct module *m, struct instance *i)
{
    for (uint32_t e = 0; e < m->export_count; e++) {
        struct store_extern x;

        if (m->exports[e].kind == EXTERN_FUNC || !store_export(s, i, m->exports[e].name, &x))
            continue;
        if (x.kind == EXTERN_MEMORY) {
            printf("memory %llu %x\n", (unsigned long long)(i->memory_length / MEMORY_PAGE_SIZE),
                   hash(i->memory_base, i->memory_length));
        } else if (x.kind == EXTERN_GLOBAL) {
            printf("global %u", m->exports[e].index);
            print_value(x.global_type, *x.global);
            printf("\n");
        } else {
            uint32_t n = 0;

            for (uint64_t k = 0; k < x.table->length; k++)
                n = n * 31 + (x.table->elements[k] ? 2 : 1);
            printf("table %u %llu %x\n", m->exports[e].index, (unsigned long long)x.table->length,
                   n);
        }
    }
}

static bool run_module(struct slice wasm, uint64_t number, const struct baseline_options *options)
{
    struct bytes copy = {0};
    struct module *m = NULL;
    struct code *code = NULL;
    struct instance *instance = NULL;
    struct store *s = store_new();
    enum trap kind = TRAP_NONE;
    struct error err = {0};
    bool ok = bytes_append(&copy, wasm.data, wasm.size);

    printf("module %llu\n", (unsigned long long)number);
    if (ok && module_decode(&copy, &m, &err) && module_validate(m, &err) &&
        baseline_compile(m, options, &code, &err)) {
        if (store_instantiate(s, m, code, &instance, &kind, &err)) {
            call_all(s, m, instance, number);
            show_state(s, m, instance);
        } else if (err.code == ERR_TRAP) {
            printf("start %s\n", trap_word(kind));
        } else {
            printf("start invalid %s\n", err.text);
            ok = false;
        }
    } else {
        printf("start invalid %s\n", err.text);
        ok = false;
    }
    store_free(s);
    module_free(m);
    return ok;
}

int main(int argc, char **argv)
{
    struct baseline_options options = {0};
    struct bytes stream = {0};
    struct reader r;
    uint64_t number = 0;
    bool ok;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--exact") == 0)
            options.exact = true;
        else if (strcmp(argv[i], "--metered") == 0)
            options.metered = true;
        else if (strcmp(argv[i], "--move-stacks") == 0)
            vm_set_move_stacks(true);
        else
            number = strtoull(argv[i], NULL, 10);
    }
    ok = read_all(stdin, &stream);
    reader_init(&r, slice_make(stream.data, stream.size));
    while (ok && reader_left(&r) > 0) {
        struct slice wasm = reader_slice(&r, reader_u32_le(&r));

        if (!reader_ok(&r)) {
            fprintf(stderr, "the stream ends in the middle of a module\n");
            return 2;
        }
        ok &= run_module(wasm, number++, &options);
    }
    bytes_deinit(&stream);
    return ok ? 0 : 1;
}
