/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WASI preview 1 as the other parts of the host see it.
 *
 * What all processes of a runtime share (the standard streams, the start of the monotonic clock) is
 * one `struct wasi_shared`. What a process has of its own, a table of descriptors, is a `struct
 * wasi` that is made when it first opens or asks about a file: a process that only prints has none.
 */
#ifndef HOST_WASI_WASI_H
#define HOST_WASI_WASI_H

#include "plat/file.h"

struct process;
struct scheduler;
struct wasi;
struct wasi_shared;

/* Looks at the runtime's stdin, stdout and stderr. Aborts when memory is gone. Startup only. */
struct wasi_shared *wasi_shared_new(struct scheduler *s) MUST_USE;

/* NULL is harmless. The scheduler has stopped (and exists still), all processes are gone. */
void wasi_shared_free(struct wasi_shared *sh);

/* Has `failed` called, once, when a write to the runtime's stdout or stderr (`fd` 1 or 2) fails for
 * good: FERR_PIPE, FERR_NOSPC and the like. The guest gets the errno besides. On the worker that
 * tried. Startup only. */
void wasi_shared_on_output_error(struct wasi_shared *sh,
                                 void (*failed)(void *arg, int fd, enum file_error e), void *arg);

/* The first such failure: FERR_OK if there was none; `*fd` is the stream. Any thread. */
enum file_error wasi_shared_output_error(const struct wasi_shared *sh, int *fd);

/* Closes some of what the process still has open; true: there is nothing left. As wasi_free, which
 * must follow. */
bool wasi_free_some(struct wasi *w);

/* Closes whatever the process still has open. NULL is harmless. A wait of the process that concerns
 * files has been cancelled before. */
void wasi_free(struct wasi *w);

/* Descriptors that the process has open: the standard streams and directories it was given count.
 */
size_t wasi_open_count(const struct wasi *w);

#endif
