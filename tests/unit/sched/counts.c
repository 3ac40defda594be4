/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/counts.h"
#include "plat/thread.h"
#include "tests/harness/harness.h"

/* Two workers and a stranger. */
TEST(counts_of_workers_and_others_add_up)
{
    struct counts c;

    counts_init(&c, 2, 3);
    counts_add(&c, 0, 1, 5);
    counts_add(&c, 1, 1, 6);
    counts_add(&c, UINT32_MAX, 1, 7);
    counts_add(&c, 1, 2, 1);
    CHECK(counts_sum(&c, 0) == 0);
    CHECK(counts_sum(&c, 1) == 18);
    CHECK(counts_sum(&c, 2) == 1);
    counts_deinit(&c);
}

#define STRANGERS 4
#define ADDS      10000

static void add(void *arg)
{
    for (int i = 0; i < ADDS; i++)
        counts_add(arg, UINT32_MAX, 0, 1);
}

TEST(counts_of_other_threads_are_not_lost)
{
    struct thread threads[STRANGERS];
    struct counts c;

    counts_init(&c, 1, 1);
    for (int i = 0; i < STRANGERS; i++)
        CHECK(thread_create(&threads[i], "stranger", add, &c, NULL));
    for (int i = 0; i < STRANGERS; i++)
        thread_join(&threads[i]);
    CHECK(counts_sum(&c, 0) == STRANGERS * ADDS);
    counts_deinit(&c);
}

TEST(counts_classes_end_at_powers_of_four)
{
    /* 1, 4, 16, 64 and more */
    CHECK(counts_class(0, 0, 5) == 0 && counts_class(1, 0, 5) == 0);
    CHECK(counts_class(2, 0, 5) == 1 && counts_class(4, 0, 5) == 1);
    CHECK(counts_class(5, 0, 5) == 2 && counts_class(16, 0, 5) == 2);
    CHECK(counts_class(17, 0, 5) == 3 && counts_class(64, 0, 5) == 3);
    CHECK(counts_class(65, 0, 5) == 4 && counts_class(UINT64_MAX, 0, 5) == 4);
    /* 16, 64 and more */
    CHECK(counts_class(0, 4, 3) == 0 && counts_class(16, 4, 3) == 0);
    CHECK(counts_class(17, 4, 3) == 1 && counts_class(64, 4, 3) == 1);
    CHECK(counts_class(65, 4, 3) == 2 && counts_class(1u << 30, 4, 3) == 2);
}
