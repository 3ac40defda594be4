/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/metric_table.h"
#include "base/mem.h"
#include <math.h>
#include <string.h>

/* A name as it is kept. */
struct key {
    uint32_t hash, size;
    char name[METRIC_NAME_MAX + 1];
};

static const double bounds[METRIC_BOUNDS] = {
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3,
    1e-2, 2.5e-2, 5e-2, 1e-1, 2.5e-1, 5e-1, 1e0,  2.5e0,  5e0,  1e1,  2.5e1,  5e1,
    1e2,  2.5e2,  5e2,  1e3,  2.5e3,  5e3,  1e4,  2.5e4,  5e4,  1e5,  2.5e5,  5e5,
    1e6,  2.5e6,  5e6,  1e7,  2.5e7,  5e7,  1e8,  2.5e8,  5e8,  1e9,  2.5e9,  5e9};

void metric_table_init(struct metric_table *t)
{
    mutex_init(&t->lock);
}

void metric_table_deinit(struct metric_table *t)
{
    uint32_t count = atomic_load_explicit(&t->count, memory_order_relaxed);

    for (uint32_t i = 0; i < count; i++)
        mem_free(atomic_load_explicit(&t->all[i], memory_order_relaxed));
    mem_free(atomic_load_explicit(&t->slots, memory_order_relaxed));
    mutex_deinit(&t->lock);
}

static void drop(struct metric_table *t, enum metric_drop why)
{
    atomic_fetch_add_explicit(&t->dropped[why], 1, memory_order_relaxed);
}

/* ---- names ---- */

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

/* A character for each of the name; FNV-1a over them. False: none, or too many. */
static bool make_key(struct slice name, struct key *k)
{
    uint32_t hash = 2166136261u, size = 0;

    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];

        if ((c & 0xc0) == 0x80) /* not the first byte of a character */
            continue;
        if (size == METRIC_NAME_MAX)
            return false;
        if (!is_letter(c) && (size == 0 || c < '0' || c > '9'))
            c = '_';
        k->name[size++] = (char)c;
        hash = (hash ^ c) * 16777619u;
    }
    k->name[size] = '\0';
    k->size = size;
    k->hash = hash;
    return size > 0;
}

static bool is_key(const struct metric *m, const struct key *k)
{
    return m->hash == k->hash && m->name_size == k->size && memcmp(m->name, k->name, k->size) == 0;
}

/* The metric, or NULL; then `*place` is where it would be. */
static struct metric *find(struct metric *_Atomic *slots, const struct key *k, uint32_t *place)
{
    uint32_t i = (k->hash ^ k->hash >> 15) & (METRIC_SLOTS - 1);
    struct metric *m;

    /* acquire: pairs with the release in add. Half of the slots are always empty. */
    while ((m = atomic_load_explicit(&slots[i], memory_order_acquire)) && !is_key(m, k))
        i = (i + 1) & (METRIC_SLOTS - 1);
    *place = i;
    return m;
}

static const char *const parts[] = {"_bucket", "_sum", "_count"};

static bool is_metric(struct metric *_Atomic *slots, const char *name, bool is_histogram)
{
    const struct metric *m;
    uint32_t place;
    struct key k;

    if (!make_key(slice_text(name), &k))
        return false;
    m = find(slots, &k, &place);
    return m && (!is_histogram || m->kind == METRIC_HISTOGRAM);
}

/* Whether what this metric will be shown as has a name that another's has. */
static bool collides(struct metric *_Atomic *slots, const struct key *k, enum metric_kind kind)
{
    char name[METRIC_NAME_MAX + 16];

    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        size_t size = strlen(parts[i]);

        if (k->size > size && strcmp(k->name + k->size - size, parts[i]) == 0) {
            memcpy(name, k->name, k->size - size);
            name[k->size - size] = '\0';
            if (is_metric(slots, name, true))
                return true;
        }
        if (kind == METRIC_HISTOGRAM) {
            memcpy(name, k->name, k->size);
            memcpy(name + k->size, parts[i], size + 1);
            if (is_metric(slots, name, false))
                return true;
        }
    }
    return false;
}

/* ---- adding ---- */

static struct metric *metric_new(const struct key *k, enum metric_kind kind)
{
    size_t head = (sizeof(struct metric) + k->size + 1 + 7) & ~(size_t)7;
    struct metric *m =
        mem_try_alloc(1, head + (kind == METRIC_HISTOGRAM ? sizeof(struct metric_histogram) : 0));

    if (!m)
        return NULL;
    m->hash = k->hash;
    m->kind = (uint8_t)kind;
    m->name_size = (uint8_t)k->size;
    memcpy(m->name, k->name, k->size + 1);
    if (kind == METRIC_HISTOGRAM)
        m->histogram = (struct metric_histogram *)(void *)((char *)m + head);
    return m;
}

static struct metric *add(struct metric_table *t, const struct key *k, enum metric_kind kind)
    REQUIRES(t->lock)
{
    struct metric *_Atomic *slots = atomic_load_explicit(&t->slots, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&t->count, memory_order_relaxed), place;
    struct metric *m;

    if (!slots) {
        slots = mem_try_array(struct metric * _Atomic, METRIC_SLOTS);
        if (!slots) {
            drop(t, METRIC_DROPPED_LIMIT);
            return NULL;
        }
        /* release: pairs with the acquire in get */
        atomic_store_explicit(&t->slots, slots, memory_order_release);
    }
    m = find(slots, k, &place);
    if (m)
        return m;
    if ((t->is_reserved && t->is_reserved(k->name)) || collides(slots, k, kind)) {
        drop(t, METRIC_DROPPED_NAME);
        return NULL;
    }
    if (count >= METRICS_MAX ||
        (kind == METRIC_HISTOGRAM && t->histogram_count >= METRIC_HISTOGRAMS_MAX) ||
        !(m = metric_new(k, kind))) {
        drop(t, METRIC_DROPPED_LIMIT);
        return NULL;
    }
    t->histogram_count += kind == METRIC_HISTOGRAM;
    /* release: who finds the metric sees what is in it */
    atomic_store_explicit(&slots[place], m, memory_order_release);
    atomic_store_explicit(&t->all[count], m, memory_order_relaxed);
    atomic_store_explicit(&t->count, count + 1, memory_order_release);
    return m;
}

/* The metric of that name and kind; NULL: it is dropped. */
static struct metric *get(struct metric_table *t, struct slice name, enum metric_kind kind)
{
    struct metric *_Atomic *slots = atomic_load_explicit(&t->slots, memory_order_acquire);
    struct metric *m = NULL;
    uint32_t place;
    struct key k;

    if (UNLIKELY(!make_key(name, &k))) {
        drop(t, METRIC_DROPPED_NAME);
        return NULL;
    }
    if (LIKELY(slots != NULL))
        m = find(slots, &k, &place);
    if (UNLIKELY(!m)) {
        mutex_lock(&t->lock);
        m = add(t, &k, kind);
        mutex_unlock(&t->lock);
        if (!m)
            return NULL;
    }
    if (UNLIKELY(m->kind != kind)) {
        drop(t, METRIC_DROPPED_KIND);
        return NULL;
    }
    return m;
}

/* ---- values ---- */

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void add_double(_Atomic uint64_t *to, double delta)
{
    uint64_t bits = atomic_load_explicit(to, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(to, &bits, bits_of(double_of(bits) + delta),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void metric_count(struct metric_table *t, struct slice name, uint64_t n)
{
    struct metric *m = get(t, name, METRIC_COUNTER);

    if (m)
        atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void metric_set(struct metric_table *t, struct slice name, double value)
{
    struct metric *m = get(t, name, METRIC_GAUGE);

    if (m)
        atomic_store_explicit(&m->value, bits_of(value), memory_order_relaxed);
}

void metric_change(struct metric_table *t, struct slice name, double delta)
{
    struct metric *m = get(t, name, METRIC_GAUGE);

    if (m)
        add_double(&m->value, delta);
}

/* The first class whose bound is at least `value`. */
static uint32_t class_of(double value)
{
    uint32_t low = 0, high = METRIC_BOUNDS;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (bounds[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void metric_observe(struct metric_table *t, struct slice name, double value)
{
    struct metric *m;

    if (UNLIKELY(!isfinite(value))) { /* the sum would never be a number again */
        drop(t, METRIC_DROPPED_VALUE);
        return;
    }
    m = get(t, name, METRIC_HISTOGRAM);
    if (!m)
        return;
    atomic_fetch_add_explicit(&m->histogram->classes[class_of(value)], 1, memory_order_relaxed);
    add_double(&m->histogram->sum, value);
}

/* ---- reading ---- */

const struct metric *metric_at(const struct metric_table *t, uint32_t index)
{
    /* acquire: pairs with the release in add */
    if (index >= atomic_load_explicit(&t->count, memory_order_acquire))
        return NULL;
    return atomic_load_explicit(&t->all[index], memory_order_relaxed);
}

double metric_gauge(const struct metric *m)
{
    return double_of(atomic_load_explicit(&m->value, memory_order_relaxed));
}

double metric_sum(const struct metric *m)
{
    return double_of(atomic_load_explicit(&m->histogram->sum, memory_order_relaxed));
}

double metric_bound(uint32_t index)
{
    return bounds[index];
}

uint64_t metric_dropped(const struct metric_table *t, enum metric_drop why)
{
    return atomic_load_explicit(&t->dropped[why], memory_order_relaxed);
}
