/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The runtime that this program runs, for the threads that look at it (SIGQUIT, `lunatic ps`): they
 * hold it while they do, and the end of the program waits for them. All functions: any thread. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "runtime/lunatic_runtime.h"
#include <stdbool.h>
#include <stdint.h>

/* From now on there is a runtime to look at, which runs the program `path` (borrowed). */
void watch_begin(struct lunatic_runtime *rt, const char *path);

/* Nobody can take it any more. Waits for those who still hold it, which takes as long as one of
 * them needs to notice. False: somebody hangs; the runtime must not be freed. */
bool watch_end(void);

/* The runtime; to be given back with watch_give. NULL: there is none (any more). */
struct lunatic_runtime *watch_take(void);
void watch_give(void);

/* Whether the program is ending, so that who holds the runtime should give it back. */
bool watch_is_ending(void);

/* The program's path, and when it began (seconds since 1970). */
const char *watch_program(void);
uint64_t watch_start_time(void);

#endif
