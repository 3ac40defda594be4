/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/coroutine.h"
#include "plat/file_lock.h"
#include "plat/file_path.h"
#include "plat/thread.h"
#include "tests/harness/harness.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK (256u << 10)

struct adder {
    struct coroutine *c;
    int given, sum, ended;
    double fraction;
};

static void add(void *arg)
{
    struct adder *a = arg;
    volatile double kept = 0.5; /* across leaves, on the stack */

    while (a->given) {
        a->sum += a->given;
        kept *= 2;
        coroutine_leave(a->c);
    }
    a->fraction = kept;
    a->ended = 1;
}

/* Left three times, it goes on where it was, and its stack serves again. */
TEST(a_coroutine_goes_on_where_it_left)
{
    struct coroutine *c = coroutine_new(STACK);

    CHECK(c != NULL);
    for (int round = 0; round < 3; round++) {
        struct adder a = {.c = c, .given = 1};

        coroutine_start(c, add, &a);
        for (int i = 1; i <= 3; i++) {
            a.given = i;
            CHECK(!coroutine_resume(c));
            CHECK(!a.ended);
        }
        a.given = 0;
        CHECK(coroutine_resume(c));
        CHECK(a.ended && a.sum == 6 && a.fraction > 3.9 && a.fraction < 4.1);
    }
    coroutine_free(c);
}

struct traveller {
    struct coroutine *c;
    int ids[2];
    bool is_over;
};

static void travel(void *arg)
{
    struct traveller *t = arg;
    char text[4096];

    memset(text, 'x', sizeof(text));
    t->ids[0] = thread_id();
    coroutine_leave(t->c);
    t->ids[1] = thread_id();
    t->is_over = text[17] == 'x' && text[sizeof(text) - 1] == 'x';
}

static void resume_there(void *arg)
{
    struct traveller *t = arg;

    if (!coroutine_resume(t->c))
        t->is_over = false;
}

TEST(a_coroutine_goes_on_on_another_thread)
{
    struct traveller t = {.c = coroutine_new(STACK)};
    struct thread thread;

    CHECK(t.c != NULL);
    coroutine_start(t.c, travel, &t);
    CHECK(!coroutine_resume(t.c));
    CHECK(thread_create(&thread, "other", resume_there, &t, NULL));
    thread_join(&thread);
    CHECK(t.is_over && t.ids[0] == thread_id() && t.ids[1] != t.ids[0]);
    coroutine_free(t.c);
}

static uint64_t dive(unsigned depth)
{
    volatile char frame[1024];

    frame[depth % sizeof(frame)] = 1;
    return depth == 0 ? 1 : dive(depth - 1) + (uint64_t)frame[depth % sizeof(frame)];
}

static void dive_deep(void *arg)
{
    *(uint64_t *)arg = dive(100);
}

TEST(a_coroutine_has_the_stack_it_was_given)
{
    struct coroutine *c = coroutine_new(STACK);
    uint64_t sum = 0;

    CHECK(c != NULL);
    coroutine_start(c, dive_deep, &sum);
    CHECK(coroutine_resume(c));
    CHECK(sum == 101);
    coroutine_free(c);
}

/* ---- locks on files ---- */

TEST(two_opens_of_a_file_lock_each_other_out)
{
    char name[] = "/tmp/lunatic-lock-XXXXXX";
    int first = mkstemp(name), root, second;
    bool locked;

    CHECK(first >= 0);
    CHECK(file_root_open("/tmp", &root) == FERR_OK);
    CHECK(file_path_open(root, name + 5, FILE_OPEN_READ | FILE_OPEN_WRITE, &second) == FERR_OK);
    CHECK(file_lock(first, FILE_LOCK_SHARED, 10, 5) == FERR_OK);
    CHECK(file_lock(second, FILE_LOCK_SHARED, 10, 5) == FERR_OK);
    CHECK(file_lock(second, FILE_LOCK_EXCLUSIVE, 12, 1) == FERR_AGAIN);
    CHECK(file_is_locked(second, 14, 1, &locked) == FERR_OK && locked);
    CHECK(file_is_locked(second, 15, 1, &locked) == FERR_OK && !locked);
    CHECK(file_lock(first, FILE_UNLOCK, 10, 5) == FERR_OK);
    CHECK(file_lock(second, FILE_LOCK_EXCLUSIVE, 12, 1) == FERR_OK);
    CHECK(file_lock(first, FILE_LOCK_SHARED, 10, 5) == FERR_AGAIN);
    file_close(second); /* its locks go with it */
    CHECK(file_lock(first, FILE_LOCK_EXCLUSIVE, 0, 100) == FERR_OK);
    file_close(first);
    file_close(root);
    unlink(name);
}

TEST(an_unnamed_file_can_be_written_and_has_no_name)
{
    struct file_info info;
    char data[] = "abc", back[3];
    struct file_piece out = {data, 3}, in = {back, 3};
    size_t size;
    int fd;

    CHECK(file_open_unnamed(&fd) == FERR_OK);
    CHECK(file_write(fd, &out, 1, 0, &size) == FERR_OK && size == 3);
    CHECK(file_read(fd, &in, 1, 0, false, &size) == FERR_OK && size == 3);
    CHECK(memcmp(back, "abc", 3) == 0);
    CHECK(file_get_info(fd, &info) == FERR_OK && info.links == 0);
    file_close(fd);
}

TEST(access_is_copied_from_file_to_file)
{
    int from, to;
    struct stat st;

    CHECK(file_open_unnamed(&from) == FERR_OK && file_open_unnamed(&to) == FERR_OK);
    CHECK(fchmod(from, 0640) == 0);
    CHECK(file_copy_access(from, to) == FERR_OK);
    CHECK(fstat(to, &st) == 0 && (st.st_mode & 0777) == 0640);
    file_close(from);
    file_close(to);
}
