/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Where the output of an environment's processes goes, if not to the runtime's own streams: to a
 * function, which sees whose it is.
 *
 * The environment has one for all its processes, so that descendants inherit it. */
#ifndef PROC_OUTPUT_H
#define PROC_OUTPUT_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct environment;

enum output_stream {
    OUTPUT_STDOUT = 1,
    OUTPUT_STDERR = 2,
    OUTPUT_REPORT = 3, /* what the log would say of a process that failed: lines */
};

/* Bytes that one write of a guest hands over in one piece; a larger one comes in several. */
#define OUTPUT_PIECE_SIZE 4096u

struct output {
    /* NULL: the runtime's streams and its log. On the worker that runs the process; several at a
     * time for different processes. It must not block. */
    void (*write)(void *context, uint64_t process_id, enum output_stream stream, const void *data,
                  size_t size);
    void *context;
    bool is_copied; /* the runtime's standard output, or its log, gets the same */
};

/* A log line (at level "warn") about a process of the environment: to the log, or to its output as
 * OUTPUT_REPORT whatever the level of the log is. */
void output_report(const struct environment *e, uint64_t process_id, const char *target,
                   const char *format, ...) PRINTF_LIKE(4, 5);

/* Whether anybody reads such lines. */
bool output_wants_reports(const struct environment *e);

#endif
