/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Assertions that stay on in release builds: they state what only a bug of ours could break.
 * Foreign input (a module, a file, a peer, a guest's argument) is never asserted. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <assert.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NO_RETURN         __attribute__((noreturn))
#define LIKELY(x)         __builtin_expect(!!(x), 1)
#define UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define ARRAY_COUNT(a)    (sizeof(a) / sizeof((a)[0]))

/* The structure of type `type` whose `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Prints where and what, then aborts. Any thread. */
NO_RETURN void assert_failed(const char *file, int line, const char *text);

#define ASSERT(cond) (LIKELY(cond) ? (void)0 : assert_failed(__FILE__, __LINE__, #cond))

/* Marks a place that correct code never reaches. */
#define UNREACHABLE() assert_failed(__FILE__, __LINE__, "unreachable")

#endif
