/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Somebody swaps directories and links while paths are resolved, with openat2 and with our own
 * walk: what is outside of the root is never reached.
 *
 *     TOP/in       the root; all files in it say "inside"
 *     TOP/out      all files in it say "outside" */
#define _GNU_SOURCE
#include "plat/file_path.h"
#include "plat/thread.h"
#include "tests/harness/harness.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUNDS = 3000 };

struct race {
    char top[64];
    int top_fd, root;
    const char *one, *other; /* what is swapped, below TOP */
    _Atomic bool is_over;
    uint32_t swaps;
};

static void put_file(struct race *r, const char *path, const char *text)
{
    int fd = openat(r->top_fd, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static bool race_open(struct race *r, const char *one, const char *other)
{
    static const char *const dirs[] = {"in", "out", "in/d", "in/d/e", "in/m", "out/o", "out/o/p"};

    *r = (struct race){.one = one, .other = other};
    snprintf(r->top, sizeof(r->top), "/tmp/lunatic-races-XXXXXX");
    if (!EXPECT(mkdtemp(r->top) != NULL))
        return false;
    r->top_fd = open(r->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_COUNT(dirs); i++) {
        char path[64];

        EXPECT(mkdirat(r->top_fd, dirs[i], 0777) == 0);
        snprintf(path, sizeof(path), "%s/file", dirs[i]);
        put_file(r, path, strncmp(path, "in", 2) == 0 ? "inside" : "outside");
    }
    put_file(r, "file", "outside");
    EXPECT(symlinkat("../out", r->top_fd, "in/link") == 0);
    EXPECT(symlinkat("../../out/o", r->top_fd, "in/d/link") == 0);
    EXPECT(symlinkat("../out/file", r->top_fd, "in/to_file") == 0);
    EXPECT(symlinkat("d", r->top_fd, "in/good") == 0);
    snprintf(r->top + strlen(r->top), 4, "/in");
    EXPECT(file_root_open(r->top, &r->root) == FERR_OK);
    r->top[strlen(r->top) - 3] = 0;
    return true;
}

static void race_close(struct race *r)
{
    char command[200];

    /* Outside nothing has come, gone or changed. What was swapped is where it was. */
    snprintf(command, sizeof(command),
             "cd '%s' && test $(find out file | wc -l) = 7 && "
             "test $(cat file out/file out/o/file out/o/p/file | tr -d '\\n' | wc -c) = 28",
             r->top);
    EXPECT(system(command) == 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", r->top);
    EXPECT(system(command) == 0);
    close(r->root);
    close(r->top_fd);
}

static void swap_all_the_time(void *arg)
{
    struct race *r = arg;

    /* relaxed: only to end some time. An even number of swaps leaves all as it was. */
    while (!atomic_load_explicit(&r->is_over, memory_order_relaxed) || r->swaps % 2) {
        if (!EXPECT(renameat2(r->top_fd, r->one, r->top_fd, r->other, RENAME_EXCHANGE) == 0))
            return;
        r->swaps++;
    }
}

/* What is done again and again; true if it worked. */
typedef bool race_body(struct race *r, const char *path, int round);

static bool body_read(struct race *r, const char *path, int round)
{
    char text[16] = "";
    int fd;

    (void)round;
    if (file_path_open(r->root, path, FILE_OPEN_READ | FILE_OPEN_FOLLOW, &fd))
        return false;
    EXPECT(read(fd, text, sizeof(text) - 1) == 6 && strcmp(text, "inside") == 0);
    close(fd);
    return true;
}

static bool body_change(struct race *r, const char *path, int round)
{
    char name[100], again[100];
    int fd;

    (void)round;
    snprintf(name, sizeof(name), "%s/new", path);
    snprintf(again, sizeof(again), "%s/newer", path);
    if (file_path_open(r->root, name, FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_FOLLOW, &fd))
        return false;
    close(fd);
    (void)file_path_rename(r->root, name, r->root, again);
    (void)file_path_link(r->root, again, r->root, name);
    (void)file_path_unlink(r->root, name);
    (void)file_path_unlink(r->root, again);
    (void)file_path_make_directory(r->root, name);
    (void)file_path_remove_directory(r->root, name);
    (void)file_path_symlink("x", r->root, name);
    (void)file_path_unlink(r->root, name);
    return true;
}

static bool body_truncate(struct race *r, const char *path, int round)
{
    const struct file_times times = {.modify = FILE_TIME_NOW};
    int fd;

    (void)file_path_set_times(r->root, path, true, &times);
    if (file_path_open(r->root, path,
                       FILE_OPEN_WRITE | FILE_OPEN_TRUNCATE | (round % 2 ? FILE_OPEN_FOLLOW : 0u) |
                           (round % 3 ? FILE_OPEN_CREATE : 0u),
                       &fd))
        return false;
    close(fd);
    return true;
}

static void race(const char *one, const char *other, const char *path, race_body *body)
{
    for (int i = 0; i < 2; i++) {
        struct thread t;
        struct race r;
        struct error err;

        file_path_force_walk(i == 1);
        if (!race_open(&r, one, other))
            return;
        if (EXPECT(body(&r, path, 1)) && /* without a race it works */
            EXPECT(thread_create(&t, "swapper", swap_all_the_time, &r, &err))) {
            for (int n = 0; n < ROUNDS; n++)
                (void)body(&r, path, n);
            atomic_store_explicit(&r.is_over, true, memory_order_relaxed);
            thread_join(&t);
        }
        race_close(&r);
    }
    file_path_force_walk(false);
}

/* ---- directories that move ---- */

TEST(race_directory_moves_up_while_its_dots_are_resolved)
{
    race("in/d/e", "in/m", "d/e/../../file", body_read);
}

TEST(race_directory_moves_out_while_its_dots_are_resolved)
{
    race("in/d/e", "out/o", "d/e/../file", body_read);
}

TEST(race_directory_moves_far_out)
{
    race("in/d/e", "out/o/p", "d/e/../../d/e/../file", body_read);
}

TEST(race_parent_is_swapped_for_one_outside)
{
    race("in/d", "out/o", "d/../file", body_read);
}

TEST(race_directory_becomes_a_link_that_leads_out)
{
    race("in/d", "in/link", "d/file", body_read);
}

TEST(race_changes_in_a_directory_that_becomes_a_link)
{
    race("in/d", "in/link", "d", body_change);
}

TEST(race_changes_below_a_directory_that_becomes_a_link)
{
    race("in/d/e", "in/d/link", "d/./e", body_change);
}

/* ---- links that change ---- */

TEST(race_file_becomes_a_link_that_leads_out)
{
    race("in/file", "in/to_file", "file", body_read);
}

TEST(race_truncating_a_file_that_becomes_a_link)
{
    race("in/file", "in/to_file", "file", body_truncate);
}

TEST(race_good_link_becomes_a_bad_one)
{
    race("in/good", "in/link", "good/file", body_read);
}

TEST(race_changes_through_a_link_that_turns)
{
    race("in/good", "in/link", "good/e/..", body_change);
}

TEST(race_link_moves_to_where_it_leads_out)
{
    race("in/good", "in/d/link", "good/file", body_read);
}
