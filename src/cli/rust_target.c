/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/rust_target.h"
#include "base/assert.h"
#include "cli/child.h"
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *const rust_target_names[RUST_TARGET_COUNT] = {"wasm32-wasip1", "wasm32-wasi"};

/* Whether the folder exists and contains a library. */
static bool has_library(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    bool found = false;

    while (d && !found && (e = readdir(d)))
        found = strncmp(e->d_name, "libstd-", 7) == 0;
    if (d)
        closedir(d);
    return found;
}

enum rust_target rust_target_find(bool *is_installed, bool *has_compiler)
{
    const char *rustc = getenv("RUSTC");
    enum rust_target known = RUST_TARGET_COUNT;
    char line[PATH_MAX];
    int i;

    if (!rustc || rustc[0] == '\0')
        rustc = "rustc";
    *is_installed = false;
    *has_compiler = false;
    for (i = 0; i < RUST_TARGET_COUNT; i++) {
        const char *words[] = {rustc, "--print", "target-libdir", "--target", rust_target_names[i],
                               NULL};

        if (!child_first_line(words, line, sizeof line))
            continue;
        *has_compiler = true;
        if (has_library(line)) {
            *is_installed = true;
            return (enum rust_target)i;
        }
        if (known == RUST_TARGET_COUNT)
            known = (enum rust_target)i;
    }
    return known == RUST_TARGET_COUNT ? RUST_WASIP1 : known;
}
