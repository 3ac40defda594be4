/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `cargo lunatic ARGUMENT...` is `cargo ARGUMENT...` for the target of guests that the installed
 * Rust has, with what is built run by `lunatic`: for projects without a .cargo/config.toml. */
#define _GNU_SOURCE
#include "cli/command.h"
#include "cli/rust_target.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: cargo lunatic COMMAND [argument...]\n"
    "\n"
    "Runs `cargo COMMAND` with what it builds made for WebAssembly and run by lunatic:\n"
    "\n"
    "  cargo lunatic run\n"
    "  cargo lunatic test\n"
    "\n"
    "The target is wasm32-wasip1, or wasm32-wasi where the installed Rust has only that;\n"
    "CARGO_BUILD_TARGET=wasm32-... chooses another. `lunatic init` sets a project up so that "
    "plain\n"
    "cargo does the same.\n";

/* The `lunatic` beside this program in `path`, or the name for PATH. Cargo splits what it is given
 * at blanks. */
static const char *runner(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof "lunatic");
    char *slash;

    if (n > 0) {
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (slash) {
            memcpy(slash + 1, "lunatic", sizeof "lunatic"); /* the room was kept */
            if (access(path, X_OK) == 0 && !strpbrk(path, " \t\n"))
                return path;
        }
    }
    return "lunatic";
}

/* Chooses a target unless the user has; false after a line of what to install. */
static bool set_target(void)
{
    const char *chosen = getenv("CARGO_BUILD_TARGET");
    bool is_installed, has_compiler;
    enum rust_target t;

    if (chosen && strncmp(chosen, "wasm32-", 7) == 0)
        return true;
    t = rust_target_find(&is_installed, &has_compiler);
    if (!has_compiler) {
        fputs("cargo-lunatic: no Rust compiler: install Rust (https://rustup.rs)\n", stderr);
        return false;
    }
    if (!is_installed) {
        fprintf(stderr, "cargo-lunatic: Rust's library for %s is missing: rustup target add %s\n",
                rust_target_names[t], rust_target_names[t]);
        return false;
    }
    setenv("CARGO_BUILD_TARGET", rust_target_names[t], 1);
    return true;
}

int main(int argc, char **argv)
{
    static char name[] = "cargo"; /* rustup's stands for several programs, and looks at it */
    char **words = argv + 1;
    char path[PATH_MAX];
    const char *program, *cargo;

    /* Cargo passes its own word for us. */
    if (argc > 1 && strcmp(argv[1], "lunatic") == 0)
        words++;
    if (!*words || strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0) {
        fputs(usage, *words ? stdout : stderr);
        return *words ? EXIT_OK : EXIT_USAGE;
    }
    if (strcmp(*words, "--version") == 0 || strcmp(*words, "-V") == 0) {
        printf("cargo-lunatic %s\n", LUNATIC_VERSION);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_ERROR;
    }
    if (!set_target())
        return EXIT_ERROR;
    program = runner(path);
    setenv("CARGO_TARGET_WASM32_WASIP1_RUNNER", program, 1);
    setenv("CARGO_TARGET_WASM32_WASI_RUNNER", program, 1);
    setenv("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", program, 1);
    cargo = getenv("CARGO");
    if (!cargo || cargo[0] == '\0')
        cargo = "cargo";
    *--words = name;
    execvp(cargo, words);
    fprintf(stderr, "cargo-lunatic: %s: %s\n", cargo, strerror(errno));
    return EXIT_ERROR;
}
