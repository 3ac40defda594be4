/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The target for which the installed Rust can build guests. It has had two names: wasm32-wasi until
 * Rust 1.83, wasm32-wasip1 since 1.78. */
#ifndef CLI_RUST_TARGET_H
#define CLI_RUST_TARGET_H

#include <stdbool.h>

enum rust_target {
    RUST_WASIP1,
    RUST_WASI,
    RUST_TARGET_COUNT,
};

/* "wasm32-wasip1" and "wasm32-wasi". */
extern const char *const rust_target_names[RUST_TARGET_COUNT];

/* Asks the compiler of the current folder (RUSTC, else `rustc`). The newest target whose standard
 * library is installed, and *is_installed; if none is, the newest one that the compiler knows.
 * Without a compiler *has_compiler is false, and the answer is RUST_WASIP1. */
enum rust_target rust_target_find(bool *is_installed, bool *has_compiler);

#endif
