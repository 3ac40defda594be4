/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `lunatic init`: sets a Cargo project up so that `cargo run`, `cargo test` and `cargo bench` build
 * for WebAssembly and start `lunatic`.
 *
 * What stands in .cargo/config.toml stays, to the byte; what contradicts is refused, with the line.
 */
#define _GNU_SOURCE
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/rust_target.h"
#include "cli/toml_text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_SIZE_MAX (1 << 20)
#define RUNNER          "lunatic run"

enum { OPT_TARGET = 1, OPT_HELP };

static const struct option options[] = {
    {"target", 0, true, OPT_TARGET},
    {"help", 'h', false, OPT_HELP},
    {NULL, 0, false, 0},
};

/* Reads a file; one that does not exist is empty, with *exists false. */
static bool read_config(const char *path, struct bytes *out, bool *exists, mode_t *mode,
                        struct error *err)
{
    char part[4096];
    struct stat st;
    ssize_t n;
    bool ok = true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *exists = fd >= 0;
    *mode = 0644;
    if (fd < 0)
        return errno == ENOENT || fail_os(err, errno, "%s", path);
    if (fstat(fd, &st) == 0)
        *mode = st.st_mode & 0777;
    out->size_max = CONFIG_SIZE_MAX;
    while (ok && (n = read(fd, part, sizeof part)) != 0) {
        if (n < 0)
            ok = errno == EINTR || fail_os(err, errno, "%s", path);
        else
            ok = bytes_append(out, part, (size_t)n) ||
                 fail(err, ERR_LIMIT, "%s: larger than %d bytes", path, CONFIG_SIZE_MAX);
    }
    close(fd);
    return ok;
}

/* Replaces a file as a whole: whoever reads it sees the old one or the new one. */
static bool write_config(const char *path, const struct bytes *b, mode_t mode, struct error *err)
{
    char real[PATH_MAX], temporary[PATH_MAX + 16];
    size_t done = 0;
    ssize_t n;
    int fd;

    if (!realpath(path, real)) /* through a link, the file it leads to */
        snprintf(real, sizeof real, "%s", path);
    snprintf(temporary, sizeof temporary, "%s.%ld", real, (long)getpid());
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail_os(err, errno, "%s", temporary);
    while (done < b->size) {
        n = write(fd, b->data + done, b->size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    if (done < b->size || fchmod(fd, mode) != 0 || close(fd) != 0 || rename(temporary, real) != 0) {
        fail_os(err, errno, "%s", path);
        unlink(temporary);
        return false;
    }
    return true;
}

static bool is_ours(const char *target)
{
    int i;

    for (i = 0; i < RUST_TARGET_COUNT; i++) {
        if (strcmp(target, rust_target_names[i]) == 0)
            return true;
    }
    return false;
}

/* Whether `table`.`key` is there, in *present; false if it says something other than `wanted`
 * allows.
 */
static bool check(const struct toml_text *t, const char *path, const char *name,
                  bool (*allows)(const char *value), const char *wanted, bool *present,
                  struct error *err)
{
    const struct toml_entry *e = toml_find(t, path);
    char value[256] = "something else";

    *present = e != NULL;
    if (!e || (toml_words(t, e, value, sizeof value) && allows(value)))
        return true;
    return fail(err, ERR_INVALID,
                "line %u: %s is '%s', and a project for lunatic needs %s; change or remove it",
                e->line, name, value, wanted);
}

static bool allows_target(const char *value)
{
    return is_ours(value);
}

static bool allows_runner(const char *value)
{
    return strcmp(value, "lunatic") == 0 || strcmp(value, RUNNER) == 0;
}

/* Puts what is missing into `b`; *changed if anything was. */
static bool edit(struct bytes *b, const char *target, bool *changed, struct error *err)
{
    struct toml_text t;
    bool present[1 + RUST_TARGET_COUNT], ok;
    char table[64], name[64];
    int i;

    ok = toml_scan(slice_make(b->data, b->size), &t, err) &&
         check(&t, "build" TOML_DOT "target", "build.target", allows_target,
               "wasm32-wasip1 or wasm32-wasi", &present[RUST_TARGET_COUNT], err);
    for (i = 0; ok && i < RUST_TARGET_COUNT; i++) {
        snprintf(table, sizeof table, "target" TOML_DOT "%s" TOML_DOT "runner",
                 rust_target_names[i]);
        snprintf(name, sizeof name, "target.%s.runner", rust_target_names[i]);
        ok = check(&t, table, name, allows_runner, "'" RUNNER "'", &present[i], err);
    }
    toml_deinit(&t);
    *changed = false;
    if (ok && !present[RUST_TARGET_COUNT]) {
        ok = toml_add(b, "build", "target", target, err);
        *changed = true;
    }
    for (i = 0; ok && i < RUST_TARGET_COUNT; i++) {
        if (present[i])
            continue;
        snprintf(table, sizeof table, "target" TOML_DOT "%s", rust_target_names[i]);
        ok = toml_add(b, table, "runner", RUNNER, err);
        *changed = true;
    }
    return ok;
}

static bool init(const char *target, struct error *err)
{
    /* Cargo reads the name without an ending first, where it is there. */
    const char *path = access(".cargo/config", F_OK) == 0 ? ".cargo/config" : ".cargo/config.toml";
    bool is_installed = true, has_compiler = true, exists, changed, ok = false;
    struct bytes b = {0};
    enum rust_target found;
    mode_t mode;

    if (access("Cargo.toml", F_OK) != 0)
        return fail(err, ERR_NOT_FOUND,
                    "no Cargo.toml here: run this in the folder of a Cargo project "
                    "('cargo new NAME' makes one)");
    found = rust_target_find(&is_installed, &has_compiler);
    if (!target)
        target = rust_target_names[found];
    if (!read_config(path, &b, &exists, &mode, err))
        goto out;
    if (!edit(&b, target, &changed, err)) {
        fail_in(err, "%s", path);
        goto out;
    }
    if (changed) {
        if (mkdir(".cargo", 0755) != 0 && errno != EEXIST) {
            fail_os(err, errno, ".cargo");
            goto out;
        }
        if (!write_config(path, &b, mode, err))
            goto out;
    }
    printf("Cargo project initialized!\n");
    printf(changed ? "%s now says how to build for lunatic; try 'cargo run' and 'cargo test'.\n"
                   : "%s said all that is needed; it is as it was.\n",
           path);
    if (!has_compiler)
        printf("To build, install Rust (https://rustup.rs) and then its library: "
               "rustup target add %s\n",
               target);
    else if (!is_installed)
        printf("To build, Rust's library is missing: rustup target add %s\n", target);
    ok = fflush(stdout) == 0 || fail_os(err, errno, "standard output");
out:
    bytes_deinit(&b);
    return ok;
}

int cmd_init(int count, char **words)
{
    const char *value, *target = NULL;
    struct error err;
    struct args a;
    int id;

    args_init(&a, options, count, words);
    while ((id = args_next(&a, &value, &err)) != ARGS_END) {
        if (id == OPT_HELP)
            return help_print("init");
        if (id == ARGS_WORD)
            fail(&err, ERR_USAGE, "'init' takes no '%s'; it works in the current folder", value);
        else if (id == OPT_TARGET && !is_ours(value))
            fail(&err, ERR_USAGE, "option '--target' wants wasm32-wasip1 or wasm32-wasi, not '%s'",
                 value);
        else if (id == OPT_TARGET) {
            target = value;
            continue;
        }
        return report(&err);
    }
    return init(target, &err) ? EXIT_OK : report(&err);
}
