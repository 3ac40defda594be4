/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Metrics in the text format of Prometheus (version 0.0.4). */
#ifndef RUNTIME_METRICS_TEXT_H
#define RUNTIME_METRICS_TEXT_H

#include "base/bytes.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_text {
    struct bytes out;
    bool has_failed;  /* memory is gone: `out` is not complete */
    const char *name; /* of the family that is being written */
};

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* Begins a family; what follows are its samples. `help` may be NULL. */
void metrics_text_family(struct metrics_text *t, const char *name, enum metrics_kind kind,
                         const char *help);

/* A sample. `label` NULL: without one; else one with this name and `value_of_label`, of which only
 * what a label may have unescaped is expected. */
void metrics_text_count(struct metrics_text *t, const char *label, const char *value_of_label,
                        uint64_t value);
void metrics_text_number(struct metrics_text *t, const char *label, const char *value_of_label,
                         double value);

/* The samples of a histogram: how many values are up to `bound` (to be called in ascending order
 * with growing counts), then all of them and their sum. */
void metrics_text_bucket(struct metrics_text *t, double bound, uint64_t count);
void metrics_text_sum(struct metrics_text *t, uint64_t count, double sum);

#endif
