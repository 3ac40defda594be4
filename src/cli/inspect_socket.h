/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The local socket by which `lunatic ps` asks a running program about its processes.
 *
 * It is PID.sock in a folder that only its owner may enter: $XDG_RUNTIME_DIR/lunatic, or
 * /tmp/lunatic-UID where there is no such variable. A request is one line, `table` or `program`
 * with words `key=value`, or `metrics`; the answer is a line `ok` (or `error` and words) and then
 * text or JSON, ready to be shown, up to the end of the stream. Both sides ask the kernel who the
 * other one is: a server answers its own user and root, and so does a client ask only its own
 * user's programs, unless it is root. */
#ifndef CLI_INSPECT_SOCKET_H
#define CLI_INSPECT_SOCKET_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define INSPECT_PATH_MAX 108 /* sun_path */

/* ---- the side of the running program ---- */

/* Opens the socket of this program: a listening descriptor, or -1 with words in `err`. */
int inspect_open(struct error *err);

/* Takes one connection and answers it on a thread of its own. */
void inspect_serve(int listening);

/* Whether so many connections are being answered that the next one should wait. */
bool inspect_is_busy(void);

/* Removes the socket from the file system. Harmless if there is none; also called on the way to
 * _exit. */
void inspect_remove(void);

/* ---- the side of `lunatic ps` ---- */

/* A program that listens. */
struct inspect_program {
    pid_t pid;
    char path[INSPECT_PATH_MAX];
};

/* Finds this user's programs, or, for root if `everybody`, those of all, ascending by pid; sockets
 * of ours that nobody listens at are removed. `*out` is the caller's (mem_free). */
bool inspect_find(bool everybody, struct inspect_program **out, size_t *count, struct error *err);

/* Connects and sends the request. A descriptor to read the answer from, behind its line `ok`; or -1
 * with words in `err` (ERR_NOT_FOUND: it has ended). */
int inspect_ask(const struct inspect_program *p, const char *request, struct error *err);

#endif
