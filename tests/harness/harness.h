/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Unit tests: TEST registers itself, so a new file is the whole registration.
 *
 *     TEST(list_pop_front_of_an_empty_list_is_null)
 *     {
 *         struct list l;
 *         list_init(&l);
 *         CHECK(list_pop_front(&l) == NULL);
 *     }
 *
 * The program runs all its tests, or those whose names contain an argument. A failed CHECK prints
 * its place and ends that test as failed. */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

#include <stdbool.h>
#include <string.h>

/* Whether a sanitizer watches: it takes page faults and memory of its own, which some tests count.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

typedef void test_fn(void);

void test_register(const char *name, test_fn *run);

/* Notes the failure of the running test. Returns false. */
bool test_failed(const char *file, int line, const char *text);

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        test_register(#name, test_##name);                                                         \
    }                                                                                              \
    static void test_##name(void)

/* Ends the test as failed unless `cond` holds. In helper functions that return a value use EXPECT.
 */
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            test_failed(__FILE__, __LINE__, #cond);                                                \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Notes a failure and goes on; an expression that is `cond`'s truth. */
#define EXPECT(cond) ((cond) ? true : test_failed(__FILE__, __LINE__, #cond))

#define CHECK_TEXT(actual, expected) CHECK(strcmp((actual), (expected)) == 0)

#endif
