/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/log.h"
#include "base/bytes.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level level_max = LOG_WARN;

static const char *const level_names[] = {"OFF  ", "ERROR", "WARN ", "INFO ", "DEBUG", "TRACE"};

void log_set_level(enum log_level level)
{
    level_max = level;
}

bool log_enabled(enum log_level level)
{
    return level <= level_max;
}

/* Appends `text`, each of its later lines indented by four blanks. */
static bool append_indented(struct bytes *line, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (!bytes_append_u8(line, (uint8_t)*p))
            return false;
        if (*p == '\n' && p[1] && !bytes_append(line, "    ", 4))
            return false;
    }
    return true;
}

void log_line(enum log_level level, const char *target, const char *format, ...)
{
    struct bytes line = {0};
    char text[4096], stamp[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    va_list args;

    if (!log_enabled(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (gmtime_r(&now, &utc))
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (bytes_printf(&line, "[%s %s %s] ", stamp, level_names[level], target) &&
        append_indented(&line, text) && bytes_append_u8(&line, '\n')) {
        /* A log that cannot be written has nowhere to complain. */
        ssize_t ignored = write(STDERR_FILENO, line.data, line.size);
        (void)ignored;
    }
    bytes_deinit(&line);
}
