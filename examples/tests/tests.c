/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The tests of counter.c. */
#include "counter.h"
#include <lunatic/test.h>

LUNATIC_TEST(a_counter_begins_where_it_is_told_to)
{
    LUNATIC_CHECK_EQUAL(counter_value(counter_start(5)), 5);
}

LUNATIC_TEST(what_is_added_is_there_when_it_is_asked_for)
{
    lun_process counter = counter_start(0);

    for (int i = 1; i <= 100; i++)
        counter_add(counter, i);
    LUNATIC_CHECK_EQUAL(counter_value(counter), 5050);
}

/* Each test is in an environment of its own: the name is free in every one. */
LUNATIC_TEST(a_counter_can_be_found_by_its_name)
{
    lun_process counter = counter_start(1), found = 0;

    LUNATIC_CHECK(lun_lookup("counter", &found) == -LUN_ENONE);
    lun_register("counter", counter);
    LUNATIC_CHECK(lun_lookup("counter", &found) == 0);
    LUNATIC_CHECK(found == counter);
}

/* The counter fails, and with it the test that is linked to it. */
LUNATIC_TEST_PANICS(a_negative_number_is_refused, "")
{
    lun_process counter = counter_start(0);

    counter_add(counter, -1);
    counter_value(counter);
}

LUNATIC_TEST_PANICS(a_failed_check_says_what_it_saw, "left: 2")
{
    LUNATIC_CHECK_EQUAL(1 + 1, 3);
}

LUNATIC_TEST_IGNORED(a_counter_counts_to_a_million)
{
    lun_process counter = counter_start(0);

    for (int i = 0; i < 1000000; i++)
        counter_add(counter, 1);
    LUNATIC_CHECK_EQUAL(counter_value(counter), 1000000);
}
