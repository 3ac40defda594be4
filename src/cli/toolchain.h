/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A clang that can make WebAssembly programs, with all it needs: linker, C library, compiler
 * support library, and for C++ the C++ library. */
#ifndef CLI_TOOLCHAIN_H
#define CLI_TOOLCHAIN_H

#include "base/error.h"
#include <limits.h>
#include <stdbool.h>

struct toolchain {
    char clang[PATH_MAX];   /* or the name, searched in PATH */
    char sysroot[PATH_MAX]; /* for --sysroot; "" where clang knows the place */
    char headers[PATH_MAX]; /* of the C library, where clang would look into those of the host, too;
                               else "" */
    char linker[PATH_MAX];  /* wasm-ld, where clang does not find it itself, else "" */
    int version;            /* of clang */
    bool runs_constructors; /* its start file runs constructors itself (see sdk/src/lunatic.c) */
};

/* Finds the newest complete one: LUNATIC_CLANG, WASI_SDK_PATH, then clang-22 .. clang-14 and clang.
 * If none is complete, the error names the package that is missing from the first one found. */
bool toolchain_find(struct toolchain *t, bool for_cplusplus, struct error *err);

#endif
