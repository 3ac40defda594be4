/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* For programs in this folder that check what they see themselves: what is not so ends them with a
 * line that says where. */
#ifndef TEST_GUEST_CHECK_H
#define TEST_GUEST_CHECK_H

#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static inline void check_failed(int line, const char *what)
{
    printf("line %d: %s (%s)\n", line, what, lun_error_text());
    exit(1);
}

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            check_failed(__LINE__, #what);                                                         \
    } while (0)

#define CHECK_TEXT(actual, expected)                                                               \
    do {                                                                                           \
        if (strcmp((actual), (expected)) != 0)                                                     \
            check_failed(__LINE__, (actual));                                                      \
    } while (0)

/* The words of the last error. */
#define CHECK_WORDS(words) CHECK_TEXT(lun_error_text(), words)

/* Runs `attempt(&i, &result)` for each i below `count` in a process of its own and says how many of
 * them trapped, as all should. */
#define COUNT_TRAPS(attempt, count)                                                                \
    do {                                                                                           \
        int traps_ = 0, i_, result_;                                                               \
                                                                                                   \
        lun_die_with_links(false);                                                                 \
        for (i_ = 0; i_ < (count); i_++) {                                                         \
            lun_task task_ = LUN_START(attempt, &i_, &result_);                                    \
                                                                                                   \
            if (lun_wait(&task_, LUN_FOREVER) == 0)                                                \
                printf("%d did not trap\n", i_);                                                   \
            else                                                                                   \
                traps_++;                                                                          \
        }                                                                                          \
        printf("%d traps, %s missed\n", traps_, traps_ < (count) ? "some" : "none");               \
    } while (0)

#endif
