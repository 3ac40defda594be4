/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Paths resolved by the kernel (openat2) and by our own walk: that both give the same, whatever the
 * tree and the path. What may not be reached is in file_escapes.c. */
#include "plat/file_path.h"
#include "base/bytes.h"
#include "tests/harness/harness.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES = 6, STEPS = 6000 };

/* Names that are nowhere else: a broken walk would rename and remove by them outside. */
static const char *const names[NAMES] = {"lun-a", "lun-b", "lun-c", "lun-d", "lun-e", "lun-f"};

/* Two equal trees: [0] is used through the kernel, [1] through the walk. */
struct trees {
    char path[2][64];
    int root[2];
    uint64_t random;
};

static uint32_t pick(struct trees *t, uint32_t count)
{
    t->random = t->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(t->random >> 33) % count;
}

/* A path of up to `most` parts: names, "." and "..", with slashes here and there. */
static void random_path(struct trees *t, char *out, size_t size, uint32_t most)
{
    uint32_t parts = 1 + pick(t, most);

    out[0] = 0;
    if (pick(t, 40) == 0)
        strncat(out, "/", size - 1);
    for (uint32_t i = 0; i < parts; i++) {
        uint32_t kind = pick(t, 16);
        const char *name = kind == 0 ? "." : kind <= 2 ? ".." : names[pick(t, NAMES)];

        if (i)
            strncat(out, pick(t, 12) == 0 ? "//" : "/", size - 1 - strlen(out));
        strncat(out, name, size - 1 - strlen(out));
    }
    if (pick(t, 8) == 0)
        strncat(out, "/", size - 1 - strlen(out));
}

/* One thing done to tree `i`, and what came of it. */
struct step {
    uint32_t what;
    unsigned flags;
    char path[256], other[256];
};
struct result {
    enum file_error error;
    enum file_kind kind;
    char text[PATH_MAX]; /* where an open led, below the tree; or what a link says */
};

static void where(const struct trees *t, int i, int fd, struct result *r)
{
    char link[32], text[PATH_MAX];
    ssize_t size;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, text, sizeof(text) - 1);
    text[size < 0 ? 0 : size] = 0;
    if (EXPECT(strncmp(text, t->path[i], strlen(t->path[i])) == 0))
        snprintf(r->text, sizeof(r->text), "%s", text + strlen(t->path[i]));
}

static void step_do(const struct trees *t, int i, const struct step *s, struct result *r)
{
    struct file_times times = {
        .access = FILE_TIME_SET, .modify = FILE_TIME_SET, .access_ns = 5, .modify_ns = 7};
    struct file_info info = {0};
    size_t size = 0;
    int root = t->root[i], fd = -1;

    memset(r, 0, sizeof(*r));
    file_path_force_walk(i == 1);
    switch (s->what) {
    case 0:
        r->error = file_path_make_directory(root, s->path);
        break;
    case 1:
        r->error = file_path_symlink(s->other, root, s->path);
        break;
    case 2:
        r->error = file_path_unlink(root, s->path);
        break;
    case 3:
        r->error = file_path_remove_directory(root, s->path);
        break;
    case 4:
        r->error = file_path_rename(root, s->path, root, s->other);
        break;
    case 5:
        r->error = file_path_link(root, s->path, root, s->other);
        break;
    case 6:
        r->error = file_path_readlink(root, s->path, r->text, sizeof(r->text) - 1, &size);
        break;
    case 7:
        r->error = file_path_get_info(root, s->path, s->flags & FILE_OPEN_FOLLOW, &info);
        r->kind = info.kind;
        break;
    case 8:
        r->error = file_path_set_times(root, s->path, s->flags & FILE_OPEN_FOLLOW, &times);
        break;
    default:
        r->error = file_path_open(root, s->path, s->flags, &fd);
        if (!r->error) {
            EXPECT(file_get_info(fd, &info) == FERR_OK);
            r->kind = info.kind;
            where(t, i, fd, r);
            close(fd);
        }
    }
}

static void random_step(struct trees *t, struct step *s)
{
    static const unsigned opens[] = {
        FILE_OPEN_READ,
        FILE_OPEN_WRITE,
        FILE_OPEN_READ | FILE_OPEN_WRITE,
        FILE_OPEN_HANDLE,
        FILE_OPEN_READ | FILE_OPEN_DIRECTORY,
        FILE_OPEN_HANDLE | FILE_OPEN_DIRECTORY,
        FILE_OPEN_WRITE | FILE_OPEN_CREATE,
        FILE_OPEN_READ | FILE_OPEN_CREATE,
        FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_EXCLUSIVE,
        FILE_OPEN_READ | FILE_OPEN_EXCLUSIVE,
        FILE_OPEN_WRITE | FILE_OPEN_TRUNCATE,
        FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE,
    };

    s->what = pick(t, 20);
    s->flags = opens[pick(t, ARRAY_COUNT(opens))] | (pick(t, 2) ? FILE_OPEN_FOLLOW : 0u);
    random_path(t, s->path, sizeof(s->path), 4);
    random_path(t, s->other, sizeof(s->other), 3);
}

static bool trees_open(struct trees *t, uint64_t seed)
{
    t->random = seed;
    for (int i = 0; i < 2; i++) {
        snprintf(t->path[i], sizeof(t->path[i]), "/tmp/lunatic-paths-XXXXXX");
        if (!mkdtemp(t->path[i]) || file_root_open(t->path[i], &t->root[i]))
            return EXPECT(false);
    }
    return true;
}

static void trees_close(struct trees *t)
{
    char command[128];

    for (int i = 0; i < 2; i++) {
        close(t->root[i]);
        snprintf(command, sizeof(command), "rm -rf '%s'", t->path[i]);
        EXPECT(system(command) == 0);
    }
    file_path_force_walk(false);
}

static void compare(struct trees *t, const struct step *s, struct result r[2])
{
    for (int i = 0; i < 2; i++)
        step_do(t, i, s, &r[i]);
    if (!EXPECT(r[0].error == r[1].error && r[0].kind == r[1].kind &&
                strcmp(r[0].text, r[1].text) == 0))
        fprintf(stderr, "step %u flags %x '%s' '%s': %s '%s', walked %s '%s'\n", s->what, s->flags,
                s->path, s->other, file_error_words(r[0].error), r[0].text,
                file_error_words(r[1].error), r[1].text);
}

/* Trees grow, shrink and fill with links of all kinds while they are used. */
TEST(path_walk_agrees_with_the_kernel_on_random_trees)
{
    static struct result r[2];
    uint32_t succeeded = 0, escaped = 0, looped = 0;

    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct trees t;
        struct step s;

        CHECK(trees_open(&t, seed));
        for (int i = 0; i < STEPS; i++) {
            random_step(&t, &s);
            compare(&t, &s, r);
            succeeded += r[0].error == FERR_OK;
            escaped += r[0].error == FERR_PERM;
            looped += r[0].error == FERR_LOOP;
        }
        trees_close(&t);
    }
    CHECK(succeeded > STEPS / 4 && escaped > STEPS / 20 && looped > 50);
}

/* Links in a row up to the limit and beyond, long names, long paths, deep directories. */
TEST(path_walk_agrees_with_the_kernel_at_the_limits)
{
    static struct result r[2];
    static char deep[PATH_MAX];
    struct trees t;
    struct step s = {.what = 9, .flags = FILE_OPEN_READ | FILE_OPEN_FOLLOW};
    char text[300];
    int fd[2];

    CHECK(trees_open(&t, 0));
    for (int i = 0; i < 2; i++) {
        int here = dup(t.root[i]);

        CHECK((fd[i] = openat(t.root[i], "l0", O_CREAT | O_WRONLY | O_CLOEXEC, 0666)) >= 0);
        close(fd[i]);
        for (int n = 1; n <= 45; n++) {
            char from[16], to[16];

            snprintf(from, sizeof(from), "l%d", n);
            snprintf(to, sizeof(to), "l%d", n - 1);
            CHECK(symlinkat(to, t.root[i], from) == 0);
        }
        deep[0] = 0;
        for (int n = 0; n < 600; n++) {
            int below;

            CHECK(mkdirat(here, "x", 0777) == 0);
            CHECK((below = openat(here, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
            close(here);
            here = below;
            strcat(deep, "x/");
        }
        close(here);
    }
    for (int n = 38; n <= 45; n++) {
        snprintf(s.path, sizeof(s.path), "l%d", n);
        compare(&t, &s, r);
        CHECK(r[0].error == (n <= 40 ? FERR_OK : FERR_LOOP));
    }
    memset(text, 'n', sizeof(text));
    for (size_t size = 254; size <= 257; size++) {
        enum file_error e[2];

        text[size] = 0;
        for (int i = 0; i < 2; i++) {
            file_path_force_walk(i == 1);
            e[i] = file_path_open(t.root[i], text, FILE_OPEN_READ, &fd[i]);
            CHECK(file_path_make_directory(t.root[i], text) ==
                  (size <= 255 ? FERR_OK : FERR_NAMETOOLONG));
        }
        text[size] = 'n';
        CHECK(e[0] == e[1] && e[0] == (size <= 255 ? FERR_NOENT : FERR_NAMETOOLONG));
    }
    for (int i = 0; i < 2; i++) {
        file_path_force_walk(i == 1);
        CHECK(file_path_open(t.root[i], deep, FILE_OPEN_READ | FILE_OPEN_DIRECTORY, &fd[i]) ==
              FERR_OK);
        close(fd[i]);
    }
    memset(deep, 'x', sizeof(deep) - 1);
    for (int i = 0; i < 2; i++) {
        file_path_force_walk(i == 1);
        CHECK(file_path_open(t.root[i], deep, FILE_OPEN_READ, &fd[i]) == FERR_NAMETOOLONG);
        CHECK(file_path_open(t.root[i], "", FILE_OPEN_READ, &fd[i]) == FERR_NOENT);
        CHECK(file_path_unlink(t.root[i], "") == FERR_NOENT);
    }
    trees_close(&t);
}

/* The links of /proc that lead to objects are not followed, and the others are. */
TEST(path_walk_agrees_with_the_kernel_in_proc)
{
    static const struct {
        const char *path;
        enum file_error expected;
    } cases[] = {
        {"self", FERR_PERM},          {"self/root", FERR_LOOP},
        {"self/cwd", FERR_LOOP},      {"self/exe", FERR_LOOP},
        {"self/root/etc", FERR_LOOP}, {"thread-self/cwd/x", FERR_LOOP},
        {"self/fd/0", FERR_LOOP},     {"self/mem", FERR_PERM},
        {"self/environ", FERR_PERM},  {"self/task", FERR_PERM},
        {"self/../../x", FERR_PERM},  {"self/none", FERR_NOENT},
        {"self/maps", FERR_PERM},     {"1/status", FERR_PERM},
        {"version", FERR_OK},         {"self/../version", FERR_OK},
        {"self/cmdline", FERR_PERM},
    };
    int root, fd, fds[2];

    CHECK(pipe(fds) == 0); /* a descriptor whose link says pipe:[...] */
    CHECK(file_root_open("/proc", &root) == FERR_OK);
    for (int i = 0; i < 2; i++) {
        char path[32], text[100];
        size_t size;

        file_path_force_walk(i == 1);
        for (size_t n = 0; n < ARRAY_COUNT(cases); n++) {
            enum file_error e =
                file_path_open(root, cases[n].path, FILE_OPEN_READ | FILE_OPEN_FOLLOW, &fd);

            if (!EXPECT(e == cases[n].expected))
                fprintf(stderr, "%s %s: %s\n", i ? "walked" : "kernel", cases[n].path,
                        file_error_words(e));
            if (!e)
                close(fd);
        }
        snprintf(path, sizeof(path), "self/fd/%d", fds[0]);
        CHECK(file_path_open(root, path, FILE_OPEN_READ | FILE_OPEN_FOLLOW, &fd) == FERR_LOOP);
        CHECK(file_path_readlink(root, path, text, sizeof(text), &size) == FERR_PERM);
        CHECK(file_path_readlink(root, "self", text, sizeof(text), &size) == FERR_OK);
    }
    file_path_force_walk(false);
    close(fds[0]);
    close(fds[1]);
    close(root);
}
