/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the processes of a test have written, in the order in which they did, and the runtime's
 * reports of those that failed.
 *
 * A test may write without end: then the beginning and the latest are kept. */
#ifndef CLI_TEST_OUTPUT_H
#define CLI_TEST_OUTPUT_H

#include "base/assert.h"
#include "base/bytes.h"
#include "base/list.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TEST_OUTPUT_HEAD_MAX (4u << 20)  /* bytes of the beginning that are kept */
#define TEST_OUTPUT_TAIL_MAX (12u << 20) /* and of the end */

enum test_output_kind {
    TEST_OUTPUT_TEXT,   /* written by the process */
    TEST_OUTPUT_REPORT, /* the runtime's words about a process that failed */
    TEST_OUTPUT_NOTE,   /* the test runner's own */
};

struct test_output {
    pthread_mutex_t lock; /* of all that follows */
    struct list head;     /* of struct segment */
    struct list tail;     /* begins when the head is full */
    size_t head_size, tail_size;
    uint64_t lost; /* bytes between the two that were dropped */
};

void test_output_init(struct test_output *o);
void test_output_deinit(struct test_output *o);

/* Appends what `process` (1: the test's own) has written, or what is said about it. Any thread. */
void test_output_add(struct test_output *o, uint64_t process, enum test_output_kind kind,
                     const void *data, size_t size);

/* Appends a line of the test runner. */
void test_output_note(struct test_output *o, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends to `out` everything as it is shown: with a heading wherever another process writes than
 * before, if more than the test's own have written. Or only the notes, if the user has seen the
 * rest. Ends with a newline unless it is empty. The test has ended. False: no memory. */
bool test_output_show(const struct test_output *o, bool only_notes, struct bytes *out) MUST_USE;

/* Appends what the test's own process has written to its standard streams. The test has ended.
 * False: no memory. */
bool test_output_own(const struct test_output *o, struct bytes *out) MUST_USE;

#endif
