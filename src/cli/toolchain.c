/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/toolchain.h"
#include "cli/child.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLANG_NEWEST 22
#define CLANG_OLDEST 14 /* older ones lack flags that we pass */
#define TARGET       "--target=wasm32-wasi"

/* Whether the program named by one word runs at all; its first line of `--version` goes to `line`.
 */
static bool version_line(const char *clang, char *line, size_t size)
{
    return child_first_line((const char *const[]){clang, "--version", NULL}, line, size);
}

/* "Debian clang version 19.1.7 (...)" -> 19; 0: not a clang. */
static int version_number(const char *line)
{
    const char *p = strstr(line, "clang version ");

    return p ? atoi(p + strlen("clang version ")) : 0;
}

/* What clang answers to one of its -print options. */
static bool ask(const struct toolchain *t, const char *option, char *answer, size_t size)
{
    char sysroot[PATH_MAX + 16];
    const char *words[] = {t->clang, TARGET, "--rtlib=compiler-rt", option, NULL, NULL};

    if (t->sysroot[0] != '\0') {
        snprintf(sysroot, sizeof sysroot, "--sysroot=%s", t->sysroot);
        words[4] = sysroot;
    }
    return child_first_line(words, answer, size);
}

/* Whether clang finds this file of the target; where, in `path`. */
static bool has_file(const struct toolchain *t, const char *name, char *path)
{
    char option[64];

    snprintf(option, sizeof option, "-print-file-name=%s", name);
    return ask(t, option, path, PATH_MAX) && path[0] == '/' && access(path, R_OK) == 0;
}

static bool in_path(const char *name)
{
    char line[256];

    return child_first_line((const char *const[]){name, "--version", NULL}, line, sizeof line);
}

static bool find_linker(struct toolchain *t, int version)
{
    char path[PATH_MAX];

    if (ask(t, "-print-prog-name=wasm-ld", path, sizeof path) && path[0] == '/' &&
        access(path, X_OK) == 0)
        return true;
    snprintf(t->linker, sizeof t->linker, "wasm-ld-%d", version);
    return in_path(t->linker);
}

/* Whether the file at `path` contains `word`. */
static bool file_contains(const char *path, const char *word)
{
    char data[65536];
    size_t size, length = strlen(word), i;
    FILE *f = fopen(path, "rb");

    if (!f)
        return false;
    size = fread(data, 1, sizeof data, f);
    fclose(f);
    for (i = 0; i + length <= size; i++) {
        if (memcmp(data + i, word, length) == 0)
            return true;
    }
    return false;
}

/* Without a sysroot clang looks into /usr/include after the target's own folder, and a header that
 * the target lacks is taken from the host. `libc` is where the C library is. */
static void find_headers(struct toolchain *t, const char *libc)
{
    static const char libs[] = "/lib/wasm32-wasi/libc.a";
    char path[PATH_MAX];
    size_t size = strlen(libc);

    if (t->sysroot[0] != '\0' || size < sizeof libs || size >= sizeof path - 32 ||
        strcmp(libc + size - (sizeof libs - 1), libs) != 0)
        return;
    size -= sizeof libs - 1;
    snprintf(path, sizeof path, "%.*s/include/wasm32-wasi/stdio.h", (int)size, libc);
    if (access(path, R_OK) == 0)
        snprintf(t->headers, sizeof t->headers, "%.*s/include/wasm32-wasi", (int)size, libc);
}

/* Fills the rest of *t for its clang; false, and words that name the missing package, if
 * incomplete. */
static bool complete(struct toolchain *t, bool for_cplusplus, struct error *err)
{
    char path[PATH_MAX], line[256];
    int version;

    if (!version_line(t->clang, line, sizeof line))
        return fail(err, ERR_NOT_FOUND, "%s does not run", t->clang);
    version = version_number(line);
    t->version = version;
    if (version < CLANG_OLDEST)
        return fail(err, ERR_NOT_FOUND, "%s is too old or no clang (%d or newer): install clang-19",
                    t->clang, CLANG_OLDEST);
    if (!find_linker(t, version))
        return fail(err, ERR_NOT_FOUND, "%s lacks its linker wasm-ld: install the package lld-%d",
                    t->clang, version);
    if (!has_file(t, "libc.a", path))
        return fail(err, ERR_NOT_FOUND,
                    "%s lacks a C library for WebAssembly: install the package wasi-libc",
                    t->clang);
    find_headers(t, path);
    if (has_file(t, "crt1-command.o", path))
        t->runs_constructors = file_contains(path, "__wasm_call_ctors");
    if (!ask(t, "-print-libgcc-file-name", path, sizeof path) || access(path, R_OK) != 0)
        return fail(err, ERR_NOT_FOUND,
                    "%s lacks its support library for WebAssembly: install the package "
                    "libclang-rt-%d-dev-wasm32",
                    t->clang, version);
    if (for_cplusplus && !has_file(t, "libc++.a", path))
        return fail(
            err, ERR_NOT_FOUND,
            "%s lacks a C++ library for WebAssembly: install the packages libc++-%d-dev-wasm32 and "
            "libc++abi-%d-dev-wasm32",
            t->clang, version, version);
    return true;
}

bool toolchain_find(struct toolchain *t, bool for_cplusplus, struct error *err)
{
    const char *named = getenv("LUNATIC_CLANG"), *sdk = getenv("WASI_SDK_PATH");
    struct error first = {0}, now;
    char line[256];
    int version;

    memset(t, 0, sizeof *t);
    if (sdk && sdk[0] != '\0') {
        snprintf(t->clang, sizeof t->clang, "%s/bin/clang", sdk);
        snprintf(t->sysroot, sizeof t->sysroot, "%s/share/wasi-sysroot", sdk);
        if (access(t->clang, X_OK) != 0)
            return fail(err, ERR_NOT_FOUND, "WASI_SDK_PATH names no WASI SDK: there is no %s",
                        t->clang);
    }
    if (named && named[0] != '\0')
        snprintf(t->clang, sizeof t->clang, "%s", named);
    if (t->clang[0] != '\0')
        return complete(t, for_cplusplus, err);

    for (version = CLANG_NEWEST; version >= CLANG_OLDEST - 1; version--) {
        memset(t, 0, sizeof *t);
        if (version >= CLANG_OLDEST)
            snprintf(t->clang, sizeof t->clang, "clang-%d", version);
        else
            snprintf(t->clang, sizeof t->clang, "clang");
        if (!version_line(t->clang, line, sizeof line))
            continue;
        if (complete(t, for_cplusplus, &now))
            return true;
        if (first.code == ERR_NONE)
            first = now;
    }
    if (first.code == ERR_NONE)
        return fail(err, ERR_NOT_FOUND,
                    "there is no clang: install the packages clang-19, lld-19, wasi-libc and "
                    "libclang-rt-19-dev-wasm32");
    if (err)
        *err = first;
    return false;
}
