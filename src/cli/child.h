/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Programs that a command starts: compilers and their like. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "base/error.h"
#include <stddef.h>

/* Runs `words` (NULL-terminated, the first searched in PATH) with our standard streams, waits, and
 * stores its exit status in *status: 128 + n if signal n ended it. False if it cannot be started.
 */
bool child_run(const char *const *words, int *status, struct error *err);

/* Runs `count` commands at once and waits for all of them. *status is 0, or that of the first in
 * the row that ended otherwise. At most CHILD_COUNT_MAX. */
#define CHILD_COUNT_MAX 16
bool child_run_all(const char *const *const *commands, size_t count, int *status,
                   struct error *err);

/* Runs `words` and keeps the first line of its standard output, without the newline, in `line`;
 * what it says on standard error is dropped. False unless it ends with status 0 and a line that
 * fits. */
bool child_first_line(const char *const *words, char *line, size_t size);

#endif
