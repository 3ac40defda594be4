/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the outside can do to a program that runs: signals, and the socket of `lunatic ps`.
 *
 * One thread takes both. SIGINT and SIGTERM: the first asks the program to stop, and after the
 * grace period, or at the second, everything ends on the spot; the exit status is 128 + n. SIGQUIT
 * prints what all processes do and stops nothing. A SIGINT that was ignored when we were started (a
 * job in the background of a script) stays ignored. As PID 1 of a container the thread also takes
 * note of orphans that have ended. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "base/error.h"
#include "runtime/lunatic_runtime.h"
#include <stdbool.h>
#include <stdint.h>

#define GRACE_MS_DEFAULT 10000u
#define GRACE_S_MAX      1000000u

struct signals_options {
    uint64_t grace_ms; /* from the first signal to the end, whatever the program does */
    bool no_inspect;   /* no socket for `lunatic ps` */
};

/* Blocks the signals for this thread and those it starts, and starts the thread that takes them.
 * Until signals_running a SIGINT or SIGTERM ends us. Startup only. */
bool signals_start(const struct signals_options *options, struct error *err);

/* Starts a program by calling `start(arg)`, which makes `*e` in `rt`, so that no signal falls
 * between its start and our knowing of it. `path` is its name for people. False: `start` has said
 * so. */
bool signals_run(struct lunatic_runtime *rt, const char *path, bool (*start)(void *arg), void *arg,
                 struct lunatic_environment **e);

/* The program has ended: the signal that stopped it, 0: none. From now on a signal ends us. */
int signals_over(void);

/* Nobody looks at the runtime any more, and the socket is gone. False: the runtime cannot be freed,
 * as somebody hangs while looking at it. */
bool signals_end(void);

#endif
