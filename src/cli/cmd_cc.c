/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `lunatic cc`: clang with the target, <lunatic.h> and its library, and a memory layout for small
 * processes.
 *
 * The C stack lies below the data, so that an overflow runs off address 0 and traps instead of
 * overwriting variables; and its size ends in the middle of a page, so that the part in use and the
 * variables share one: a process that waits touches few pages. */
#include "base/mem.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/toolchain.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_OPTION "-Wl,-z,stack-size=63488" /* 62 KiB: 15 pages and a half */

/* The first version of the linker that can treat objects as an archive. */
#define START_LIB_VERSION 18

/* The sources of the library for guests, each an object that is linked if it is used. */
static const char *const library[] = {"lunatic", "net", "tls", "sqlite", "metrics"};

#define COMMON_WORDS_MAX 20 /* what add_common adds */

struct words {
    const char **at; /* `count` of them, then NULL */
    size_t count;
};

struct compilation {
    struct words files; /* the user's words, but for -o and its value */
    const char *output; /* NULL: named for the first file */
    const char *first;  /* the first input, NULL: none */
    bool cplusplus;     /* an input is C++ */
    bool links;         /* false with -c, -S, -E and their like */
    bool debug;         /* the user wants debugging information */
    bool has_level;     /* the user chose an optimisation level */
};

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

/* The user's words, one by one. Only what changes our own part is looked at. */
static bool read_words(int count, char **words, struct compilation *c, struct error *err)
{
    /* Options of clang whose value is the next word, and no input. */
    static const char *const with_value[] = {
        "-x",      "-include",   "-D",  "-U",       "-I",      "-L",     "-l",
        "-MF",     "-MT",        "-MQ", "-Xlinker", "-Xclang", "-mllvm", "-isystem",
        "-iquote", "-idirafter", "-u",  "-T",       "-z"};
    int i;
    size_t k;

    c->links = true;
    for (i = 0; i < count; i++) {
        const char *w = words[i];

        if (strcmp(w, "-o") == 0) {
            if (++i >= count)
                return fail(err, ERR_USAGE, "option '-o' needs a value");
            c->output = words[i];
            continue;
        }
        if (strncmp(w, "-o", 2) == 0 && w[2] != '\0') {
            c->output = w + 2;
            continue;
        }
        c->files.at[c->files.count++] = w;
        if (strcmp(w, "-c") == 0 || strcmp(w, "-S") == 0 || strcmp(w, "-E") == 0 ||
            strcmp(w, "-M") == 0 || strcmp(w, "-MM") == 0 || strcmp(w, "-fsyntax-only") == 0) {
            c->links = false;
        } else if (strncmp(w, "-g", 2) == 0) {
            c->debug = true;
        } else if (strncmp(w, "-O", 2) == 0) {
            c->has_level = true;
        } else if (strcmp(w, "-x") == 0 && i + 1 < count && strncmp(words[i + 1], "c++", 3) == 0) {
            c->cplusplus = true;
        }
        for (k = 0; k < ARRAY_COUNT(with_value); k++) {
            if (strcmp(w, with_value[k]) == 0 && i + 1 < count) {
                c->files.at[c->files.count++] = words[++i];
                break;
            }
        }
        if (k < ARRAY_COUNT(with_value) || (w[0] == '-' && w[1] != '\0'))
            continue;
        if (!c->first)
            c->first = w;
        if (ends_in(w, ".cc") || ends_in(w, ".cpp") || ends_in(w, ".cxx") || ends_in(w, ".C") ||
            ends_in(w, ".c++"))
            c->cplusplus = true;
    }
    if (!c->first)
        return fail(err, ERR_USAGE, "no file to compile");
    return true;
}

/* The folder of the library for guests: installed, or in the build tree. */
static bool find_sdk(char *path, size_t size, struct error *err)
{
    static const char *const places[] = {"../share/lunatic/sdk", "share/lunatic/sdk"};
    const char *named = getenv("LUNATIC_SDK");
    char self[PATH_MAX], header[PATH_MAX + 64];
    ssize_t length;
    size_t i;

    if (named && named[0] != '\0') {
        snprintf(path, size, "%s", named);
        return true;
    }
    length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return fail_os(err, errno, "/proc/self/exe");
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (i = 0; i < ARRAY_COUNT(places); i++) {
        if (snprintf(path, size, "%s/%s", self, places[i]) >= (int)size)
            continue;
        snprintf(header, sizeof header, "%s/include/lunatic.h", path);
        if (access(header, R_OK) == 0)
            return true;
    }
    return fail(err, ERR_NOT_FOUND,
                "the library for guests is not at %s/%s: install again, or set LUNATIC_SDK", self,
                places[0]);
}

static void add(struct words *w, const char *word)
{
    w->at[w->count++] = word;
    w->at[w->count] = NULL;
}

/* What every compilation begins with. */
static void add_common(struct words *w, const struct toolchain *t, const char *sysroot,
                       const char *linker, const char *include, const char *cplusplus)
{
    add(w, t->clang);
    add(w, "--target=wasm32-wasi");
    if (t->sysroot[0] != '\0')
        add(w, sysroot);
    if (t->headers[0] != '\0') {
        add(w, "-nostdlibinc");
        if (cplusplus) {
            add(w, "-isystem");
            add(w, cplusplus);
        }
        add(w, "-isystem");
        add(w, t->headers);
    }
    if (t->linker[0] != '\0')
        add(w, linker);
    add(w, "-mbulk-memory");
    add(w, "-msign-ext");
    add(w, "-mnontrapping-fptoint");
    add(w, "-I");
    add(w, include);
}

/* Compiles the library for guests into `folder`, an object for each source, all at once. */
static bool compile_library(const struct toolchain *t, const char *sdk, const char *folder,
                            const struct words *common, int *status, struct error *err)
{
    struct {
        const char *words[COMMON_WORDS_MAX + 12];
        char source[PATH_MAX + 48], object[PATH_MAX + 48];
    } *jobs = mem_new_array(__typeof__(*jobs), ARRAY_COUNT(library));
    const char *const *command_lines[ARRAY_COUNT(library)];
    size_t i;
    bool ok;

    for (i = 0; i < ARRAY_COUNT(library); i++) {
        struct words w = {jobs[i].words, 0};
        size_t k;

        for (k = 0; k < common->count; k++)
            add(&w, common->at[k]);
        snprintf(jobs[i].source, sizeof jobs[i].source, "%s/src/%s.c", sdk, library[i]);
        snprintf(jobs[i].object, sizeof jobs[i].object, "%s/%s.o", folder, library[i]);
        add(&w, "-std=gnu17");
        add(&w, "-O2");
        if (t->runs_constructors)
            add(&w, "-DLUN_CALLS_CONSTRUCTORS");
        add(&w, "-Wno-unused-command-line-argument");
        add(&w, "-c");
        add(&w, jobs[i].source);
        add(&w, "-o");
        add(&w, jobs[i].object);
        command_lines[i] = jobs[i].words;
    }
    ok = child_run_all(command_lines, ARRAY_COUNT(library), status, err);
    mem_free(jobs);
    return ok;
}

static int compile(const struct compilation *c, const struct toolchain *t, const char *sdk,
                   const char *output, const char *folder, struct words *w, struct error *err)
{
    char include[PATH_MAX + 16], sysroot[PATH_MAX + 16], linker[PATH_MAX + 16],
        cplusplus[PATH_MAX + 16], objects[ARRAY_COUNT(library)][PATH_MAX + 48];
    size_t i;
    int status;

    snprintf(include, sizeof include, "%s/include", sdk);
    snprintf(sysroot, sizeof sysroot, "--sysroot=%s", t->sysroot);
    snprintf(linker, sizeof linker, "-fuse-ld=%s", t->linker);
    snprintf(cplusplus, sizeof cplusplus, "%s/c++/v1", t->headers);
    if (c->links) {
        add_common(w, t, sysroot, linker, include, NULL);
        if (!compile_library(t, sdk, folder, w, &status, err))
            return report(err);
        if (status != 0)
            return status;
        w->count = 0;
    }
    add_common(w, t, sysroot, linker, include, c->cplusplus ? cplusplus : NULL);
    if (!c->has_level)
        add(w, "-O2");
    if (c->cplusplus) {
        add(w, "--driver-mode=g++");
        add(w, "-fno-exceptions"); /* the C++ library has none */
    }
    if (c->links) {
        add(w, "-Wl,--stack-first");
        add(w, STACK_OPTION);
        if (!c->debug)
            add(w, "-Wl,--strip-debug"); /* the C library's; function names stay */
    } else {
        add(w, "-Wno-unused-command-line-argument");
    }
    for (i = 0; i < c->files.count; i++)
        add(w, c->files.at[i]);
    if (c->links) {
        add(w, "-x");
        add(w, "none"); /* whatever language the user's words left selected */
        /* As an archive: a program that does not use the library imports nothing for it. */
        if (t->version >= START_LIB_VERSION)
            add(w, "-Wl,--start-lib");
        for (i = 0; i < ARRAY_COUNT(library); i++) {
            snprintf(objects[i], sizeof objects[i], "%s/%s.o", folder, library[i]);
            add(w, objects[i]);
        }
        if (t->version >= START_LIB_VERSION)
            add(w, "-Wl,--end-lib");
    }
    if (output) {
        add(w, "-o");
        add(w, output);
    }
    return child_run(w->at, &status, err) ? status : report(err);
}

/* "dir/ring.c" -> "ring.wasm" */
static void default_output(const char *first, char *name, size_t size)
{
    const char *base = strrchr(first, '/');
    const char *dot;

    base = base ? base + 1 : first;
    dot = strrchr(base, '.');
    snprintf(name, size, "%.*s.wasm", (int)(dot && dot > base ? dot - base : (long)strlen(base)),
             base);
}

int cmd_cc(int count, char **words)
{
    struct compilation c = {0};
    struct toolchain toolchain;
    struct words command = {0};
    struct error err = {0};
    char sdk[PATH_MAX], name[PATH_MAX], folder[PATH_MAX], object[PATH_MAX + 48];
    const char *tmp = getenv("TMPDIR");
    int status = EXIT_ERROR;
    size_t i;

    if (count > 0 && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0))
        return help_print("cc");
    c.files.at = mem_new_array(const char *, (size_t)count + 1);
    command.at = mem_new_array(const char *, (size_t)count + 40 + ARRAY_COUNT(library));
    folder[0] = '\0';
    if (!read_words(count, words, &c, &err) || !find_sdk(sdk, sizeof sdk, &err) ||
        !toolchain_find(&toolchain, c.cplusplus, &err)) {
        status = report(&err);
        goto out;
    }
    if (c.links) {
        snprintf(folder, sizeof folder, "%s/lunatic-cc-XXXXXX",
                 tmp && tmp[0] != '\0' ? tmp : "/tmp");
        if (!mkdtemp(folder)) {
            fail_os(&err, errno, "%s", folder);
            folder[0] = '\0';
            status = report(&err);
            goto out;
        }
        if (!c.output) {
            default_output(c.first, name, sizeof name);
            c.output = name;
        }
    }
    signal(SIGINT, SIG_IGN); /* clang gets it too; we stay to remove the folder */
    status = compile(&c, &toolchain, sdk, c.output, folder, &command, &err);
out:
    if (folder[0] != '\0') {
        for (i = 0; i < ARRAY_COUNT(library); i++) {
            snprintf(object, sizeof object, "%s/%s.o", folder, library[i]);
            unlink(object);
        }
        rmdir(folder);
    }
    mem_free(command.at);
    mem_free(c.files.at);
    return status;
}
