/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What guests count: counters, gauges and histograms by name, one table per runtime.
 *
 * A name is looked up without a lock and its value changed by an atomic operation; only a new name
 * takes the lock. Nothing is ever removed, and there are limits: what goes beyond them is dropped,
 * and that is counted.
 *
 * Names are kept as Prometheus wants them: what is not a letter, a digit, '_' or ':' becomes '_',
 * and so does a digit in front; names that are the same then are the same metric. */
#ifndef HOST_METRIC_TABLE_H
#define HOST_METRIC_TABLE_H

#include "base/bytes.h"
#include "plat/thread.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_MAX           2048u             /* names */
#define METRIC_HISTOGRAMS_MAX 256u              /* of them: histograms */
#define METRIC_NAME_MAX       200u              /* characters of a name */
#define METRIC_BOUNDS         48u               /* 1, 2.5 and 5 times 1e-6 to 1e9 */
#define METRIC_SLOTS          (2 * METRICS_MAX) /* of the hash table: a power of two */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Why something was dropped. */
enum metric_drop {
    METRIC_DROPPED_LIMIT, /* there are as many names as may be, or there is no memory */
    METRIC_DROPPED_KIND,  /* the name is a metric of another kind */
    METRIC_DROPPED_NAME,  /* it is empty, too long, or the runtime's own */
    METRIC_DROPPED_VALUE, /* an observation that is no finite number */
    METRIC_DROP_COUNT
};

struct metric_histogram {
    _Atomic uint64_t classes[METRIC_BOUNDS + 1]; /* by the bound they are up to; then the rest */
    _Atomic uint64_t sum;                        /* bits of a double */
};

/* Everything but the values is constant. */
struct metric {
    uint32_t hash;
    uint8_t kind; /* enum metric_kind */
    uint8_t name_size;
    _Atomic uint64_t value; /* of a counter; bits of a double of a gauge */
    struct metric_histogram *histogram;
    char name[]; /* terminated */
};

struct metric_table {
    /* Whether the name is one of the runtime's own. May be NULL. Set before the first use. */
    bool (*is_reserved)(const char *name);
    struct metric *_Atomic *_Atomic slots; /* METRIC_SLOTS of them; NULL: nothing was ever added */
    struct metric *_Atomic all[METRICS_MAX]; /* in the order in which they came */
    _Atomic uint32_t count;
    _Atomic uint64_t dropped[METRIC_DROP_COUNT];
    struct mutex lock; /* of those who add a name */
    uint32_t histogram_count FIELD_GUARDED_BY(lock);
};

void metric_table_init(struct metric_table *t);
void metric_table_deinit(struct metric_table *t);

/* `name` is UTF-8. What cannot be kept is dropped. Any thread. */
void metric_count(struct metric_table *t, struct slice name, uint64_t n);
void metric_set(struct metric_table *t, struct slice name, double value);
void metric_change(struct metric_table *t, struct slice name, double delta);
void metric_observe(struct metric_table *t, struct slice name, double value);

/* Metric number `index`, in the order in which they came; NULL: there are no more. Any thread. */
const struct metric *metric_at(const struct metric_table *t, uint32_t index);

/* Its values. Any thread. */
static inline uint64_t metric_counter(const struct metric *m)
{
    return atomic_load_explicit(&m->value, memory_order_relaxed);
}
double metric_gauge(const struct metric *m);
double metric_sum(const struct metric *m);
/* The greatest value of class `index` < METRIC_BOUNDS. */
double metric_bound(uint32_t index);

/* How much was dropped so far. Any thread. */
uint64_t metric_dropped(const struct metric_table *t, enum metric_drop why);

#endif
