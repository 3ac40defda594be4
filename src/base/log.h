/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Log lines on standard error, as text: "[2024-01-31T12:00:00Z WARN  target] message", further
 * lines of one message indented by four blanks; or one JSON object per message, with time, level,
 * target and message. The level comes from the runtime; default: warn. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/assert.h"
#include <stdbool.h>

enum log_level { LOG_OFF = 0, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

/* Lines above this level are not written. Startup only. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* JSON objects instead of text. Startup only. */
void log_set_json(bool json);

/* Writes one message in a single write(2), so that lines of several threads never mix. Any thread.
 */
void log_line(enum log_level level, const char *target, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
