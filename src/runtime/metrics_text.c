/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "runtime/metrics_text.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_SIZE 40

static const char *const kinds[] = {
    [METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram"};

/* The shortest text that is read as this number; with a point, whatever the locale has. */
static const char *number(double value, char text[NUMBER_SIZE])
{
    char local[NUMBER_SIZE];
    size_t used = 0;

    if (isnan(value))
        return "NaN";
    if (isinf(value))
        return value > 0 ? "+Inf" : "-Inf";
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(local, sizeof(local), "%.*g", digits, value);
        if (strtod(local, NULL) == value)
            break;
    }
    for (const char *c = local; *c; c++) {
        if ((*c >= '0' && *c <= '9') || *c == '-' || *c == '+' || *c == 'e')
            text[used++] = *c;
        else if (used == 0 || text[used - 1] != '.')
            text[used++] = '.';
    }
    text[used] = '\0';
    return text;
}

static void put(struct metrics_text *t, const char *format, ...) PRINTF_LIKE(2, 3);
static void put(struct metrics_text *t, const char *format, ...)
{
    char line[640]; /* names have at most 200 characters, helps and labels are ours */
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(line) || !bytes_append(&t->out, line, (size_t)n))
        t->has_failed = true;
}

void metrics_text_family(struct metrics_text *t, const char *name, enum metrics_kind kind,
                         const char *help)
{
    t->name = name;
    if (help)
        put(t, "# HELP %s %s\n", name, help);
    put(t, "# TYPE %s %s\n", name, kinds[kind]);
}

static void sample(struct metrics_text *t, const char *label, const char *value_of_label,
                   const char *value)
{
    if (label)
        put(t, "%s{%s=\"%s\"} %s\n", t->name, label, value_of_label, value);
    else
        put(t, "%s %s\n", t->name, value);
}

void metrics_text_count(struct metrics_text *t, const char *label, const char *value_of_label,
                        uint64_t value)
{
    char text[NUMBER_SIZE];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    sample(t, label, value_of_label, text);
}

void metrics_text_number(struct metrics_text *t, const char *label, const char *value_of_label,
                         double value)
{
    char text[NUMBER_SIZE];

    sample(t, label, value_of_label, number(value, text));
}

void metrics_text_bucket(struct metrics_text *t, double bound, uint64_t count)
{
    char text[NUMBER_SIZE];

    put(t, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", t->name, number(bound, text), count);
}

void metrics_text_sum(struct metrics_text *t, uint64_t count, double sum)
{
    char text[NUMBER_SIZE];

    metrics_text_bucket(t, INFINITY, count);
    put(t, "%s_sum %s\n%s_count %" PRIu64 "\n", t->name, number(sum, text), t->name, count);
}
