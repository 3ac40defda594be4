/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::metrics. What is counted is kept whether anybody asks for it or not: metric_table.h. */
#include "host/internal.h"
#include "host/metric_table.h"

static void lower(struct metric_table *t, struct slice name, double value)
{
    metric_change(t, name, -value);
}

#define METRIC(fn, type, change)                                                                   \
    struct outcome host_metrics_##fn(struct guest *g, uint32_t name, uint32_t name_size,           \
                                     type value)                                                   \
    {                                                                                              \
        struct slice text;                                                                         \
                                                                                                   \
        if (!guest_string(g, name, name_size, &text))                                              \
            return guest_trap_string(g);                                                           \
        change(g->host->metrics, text, value);                                                     \
        return done(0);                                                                            \
    }

METRIC(counter, uint64_t, metric_count)
METRIC(gauge, double, metric_set)
METRIC(increment_gauge, double, metric_change)
METRIC(decrement_gauge, double, lower)
METRIC(histogram, double, metric_observe)

struct outcome host_metrics_increment_counter(struct guest *g, uint32_t name, uint32_t name_size)
{
    struct slice text;

    if (!guest_string(g, name, name_size, &text))
        return guest_trap_string(g);
    metric_count(g->host->metrics, text, 1);
    return done(0);
}
