/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/log.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/printable.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_TEXT_MAX 4096 /* bytes of a message; longer ones are cut */

static enum log_level level_max = LOG_WARN;

static bool is_json;

static const char *const level_names[] = {"OFF  ", "ERROR", "WARN ", "INFO ", "DEBUG", "TRACE"};

void log_set_level(enum log_level level)
{
    level_max = level;
}

void log_set_json(bool json)
{
    is_json = json;
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

static bool append_text(struct bytes *line, const char *stamp, enum log_level level,
                        const char *target, const char *text)
{
    return bytes_printf(line, "[%sZ %s %s] ", stamp, level_names[level], target) &&
           append_indented(line, text);
}

static bool append_json(struct bytes *line, const char *stamp, long ms, enum log_level level,
                        const char *target, const char *text)
{
    static const char *const words[] = {"off", "error", "warn", "info", "debug", "trace"};

    return bytes_printf(line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"target\":", stamp, ms,
                        words[level]) &&
           json_string(line, slice_text(target)) && bytes_append(line, ",\"message\":", 11) &&
           json_string(line, slice_text(text)) && bytes_append_u8(line, '}');
}

static void put(const char *data, size_t size)
{
    /* A log that cannot be written has nowhere to complain. */
    ssize_t ignored = write(STDERR_FILENO, data, size);

    (void)ignored;
}

void log_line(enum log_level level, const char *target, const char *format, ...)
{
    struct bytes line = {0};
    char text[LOG_TEXT_MAX], stamp[32] = "";
    struct timespec now = {0};
    struct tm utc;
    va_list args;
    bool ok;

    if (!log_enabled(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!is_json)
        printable_make(text, PRINTABLE_LINES);
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc))
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    ok = is_json ? append_json(&line, stamp, now.tv_nsec / 1000000, level, target, text)
                 : append_text(&line, stamp, level, target, text);
    ok = ok && bytes_append_u8(&line, '\n');
    if (!ok) { /* no memory: the text alone */
        size_t size = strlen(text);

        text[size < sizeof(text) - 1 ? size++ : size - 1] = '\n';
        put(text, size);
    } else {
        put((const char *)line.data, line.size);
    }
    bytes_deinit(&line);
}
