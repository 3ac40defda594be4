/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::metrics. There is no exporter yet, and as in the original nothing is kept without one:
 * the functions check their arguments. */
#include "host/internal.h"

static struct outcome check(struct guest *g, const char *function, uint32_t name,
                            uint32_t name_size)
{
    struct slice text;

    if (!guest_string(g, name, name_size, &text))
        return guest_trap_in(g, function,
                             "a string leaves the memory, is not UTF-8, or exceeds 16 MiB");
    return done(0);
}

#define METRIC(fn, type)                                                                           \
    struct outcome host_metrics_##fn(struct guest *g, uint32_t name, uint32_t name_size,           \
                                     type value)                                                   \
    {                                                                                              \
        (void)value;                                                                               \
        return check(g, __func__, name, name_size);                                                \
    }

METRIC(counter, uint64_t)
METRIC(gauge, double)
METRIC(increment_gauge, double)
METRIC(decrement_gauge, double)
METRIC(histogram, double)

struct outcome host_metrics_increment_counter(struct guest *g, uint32_t name, uint32_t name_size)
{
    return check(g, __func__, name, name_size);
}
