/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* SQLite as the other parts of the host see it. */
#ifndef HOST_SQLITE_SQLITE_H
#define HOST_SQLITE_SQLITE_H

#include <stddef.h>
#include <stdint.h>

struct process;
struct wait;

/* Files and directories that the connections of the process have open. Owning task only. */
uint64_t sqlite_open_count(const struct process *p);

/* What a wait of the kind WAIT_SQLITE (internal.h) is for, in words. The process is at rest.
 * Returns `text`. */
const char *sqlite_wait_words(const struct wait *w, char *text, size_t size);

#endif
