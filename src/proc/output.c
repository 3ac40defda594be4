/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/output.h"
#include "base/bytes.h"
#include "base/log.h"
#include "proc/environment.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

bool output_wants_reports(const struct environment *e)
{
    return e->output.write || log_enabled(LOG_WARN);
}

void output_report(const struct environment *e, uint64_t process_id, const char *target,
                   const char *format, ...)
{
    const struct output *o = &e->output;
    struct bytes line = {0};
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0)
        return;
    if (!bytes_reserve(&line, (size_t)size + 2)) {
        log_line(LOG_WARN, target, "Process %" PRIu64 " failed, and there is no memory to say how",
                 process_id);
        return;
    }
    va_start(args, format);
    vsnprintf((char *)line.data, (size_t)size + 1, format, args);
    va_end(args);
    if (!o->write || o->is_copied)
        log_line(LOG_WARN, target, "%s", (const char *)line.data);
    if (o->write) {
        line.data[size] = '\n';
        o->write(o->context, process_id, OUTPUT_REPORT, line.data, (size_t)size + 1);
    }
    bytes_deinit(&line);
}
