/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/metric_table.h"
#include "base/mem.h"
#include "tests/harness/harness.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct metric_table *table_new(void)
{
    struct metric_table *t = mem_new(struct metric_table);

    metric_table_init(t);
    return t;
}

static void table_free(struct metric_table *t)
{
    metric_table_deinit(t);
    mem_free(t);
}

static const struct metric *find(const struct metric_table *t, const char *name)
{
    const struct metric *m;

    for (uint32_t i = 0; (m = metric_at(t, i)); i++) {
        if (strcmp(m->name, name) == 0)
            return m;
    }
    return NULL;
}

static struct slice named(const char *name)
{
    return slice_text(name);
}

TEST(metrics_of_all_kinds_keep_their_values)
{
    struct metric_table *t = table_new();
    const struct metric *m;

    CHECK(!metric_at(t, 0));
    metric_count(t, named("requests"), 2);
    metric_count(t, named("requests"), UINT64_MAX); /* wraps, as in the original */
    metric_set(t, named("heat"), 3.5);
    metric_change(t, named("heat"), -4);
    metric_observe(t, named("seconds"), 0.002);
    metric_observe(t, named("seconds"), 1e12);
    metric_observe(t, named("seconds"), -1);
    CHECK(metric_counter(find(t, "requests")) == 1);
    CHECK(metric_gauge(find(t, "heat")) == -0.5);
    m = find(t, "seconds");
    CHECK(m && m->kind == METRIC_HISTOGRAM);
    CHECK(atomic_load(&m->histogram->classes[0]) == 1);
    CHECK(atomic_load(&m->histogram->classes[METRIC_BOUNDS]) == 1);
    for (uint32_t i = 1; i < METRIC_BOUNDS; i++)
        CHECK(atomic_load(&m->histogram->classes[i]) == (metric_bound(i) == 0.0025));
    CHECK(metric_sum(m) == 1e12 - 1 + 0.002);
    table_free(t);
}

/* A value on a bound is in the class that ends there. */
TEST(metrics_bounds_ascend_and_include_themselves)
{
    struct metric_table *t = table_new();
    const struct metric *m;

    for (uint32_t i = 0; i < METRIC_BOUNDS; i++) {
        CHECK(i == 0 || metric_bound(i - 1) < metric_bound(i));
        metric_observe(t, named("x"), metric_bound(i));
    }
    m = find(t, "x");
    for (uint32_t i = 0; i < METRIC_BOUNDS; i++)
        CHECK(atomic_load(&m->histogram->classes[i]) == 1);
    CHECK(atomic_load(&m->histogram->classes[METRIC_BOUNDS]) == 0);
    table_free(t);
}

TEST(metrics_names_become_what_prometheus_takes)
{
    static const char *const names[][2] = {
        {"a.b-c d", "a_b_c_d"}, {"9lives", "_lives"},
        {"x9:y_", "x9:y_"},     {"gr\xc3\xb6\xc3\x9f\x65", "gr__e"}, /* one character, one '_' */
        {"\n\"{}", "____"},
    };
    struct metric_table *t = table_new();

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        metric_count(t, named(names[i][0]), 1);
        metric_count(t, named(names[i][1]), 1);
        CHECK(find(t, names[i][1]) && metric_counter(find(t, names[i][1])) == 2);
    }
    CHECK(atomic_load(&t->count) == ARRAY_COUNT(names));
    table_free(t);
}

static bool is_mine(const char *name)
{
    return strcmp(name, "mine") == 0;
}

TEST(metrics_that_cannot_be_shown_are_dropped_and_counted)
{
    char name[METRIC_NAME_MAX + 2];
    struct metric_table *t = table_new();

    t->is_reserved = is_mine;
    metric_count(t, named("mine"), 1);
    metric_count(t, named(""), 1);
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    metric_count(t, named(name), 1);
    CHECK(metric_dropped(t, METRIC_DROPPED_NAME) == 3);
    CHECK(!metric_at(t, 0));
    name[METRIC_NAME_MAX] = '\0';
    metric_count(t, named(name), 1);
    CHECK(metric_at(t, 0) && metric_at(t, 0)->name_size == METRIC_NAME_MAX);

    metric_set(t, named(name), 1);
    metric_observe(t, named(name), 1);
    CHECK(metric_dropped(t, METRIC_DROPPED_KIND) == 2);
    metric_observe(t, named("h"), (double)NAN);
    metric_observe(t, named("h"), (double)INFINITY);
    CHECK(metric_dropped(t, METRIC_DROPPED_VALUE) == 2);
    CHECK(!find(t, "h"));
    table_free(t);
}

/* A histogram `h` is shown as h_bucket, h_sum and h_count. */
TEST(metrics_do_not_share_the_names_of_samples)
{
    struct metric_table *t = table_new();

    metric_observe(t, named("h"), 1);
    metric_count(t, named("h_count"), 1);
    metric_set(t, named("h_sum"), 1);
    metric_observe(t, named("h_bucket"), 1);
    CHECK(metric_dropped(t, METRIC_DROPPED_NAME) == 3);
    metric_count(t, named("g_count"), 1);
    metric_observe(t, named("g"), 1);
    CHECK(metric_dropped(t, METRIC_DROPPED_NAME) == 4);
    metric_count(t, named("k"), 1);
    metric_count(t, named("k_count"), 1); /* `k` is no histogram */
    CHECK(atomic_load(&t->count) == 4);
    table_free(t);
}

TEST(metrics_have_limits)
{
    struct metric_table *t = table_new();
    char name[32];

    for (uint32_t i = 0; i < METRIC_HISTOGRAMS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "h%u", i);
        metric_observe(t, named(name), 1);
    }
    CHECK(metric_dropped(t, METRIC_DROPPED_LIMIT) == 10);
    for (uint32_t i = METRIC_HISTOGRAMS_MAX; i < METRICS_MAX + 20; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        metric_count(t, named(name), i);
    }
    CHECK(metric_dropped(t, METRIC_DROPPED_LIMIT) == 30);
    CHECK(atomic_load(&t->count) == METRICS_MAX);
    for (uint32_t i = METRIC_HISTOGRAMS_MAX; i < METRICS_MAX; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        metric_count(t, named(name), 1);
        CHECK(metric_counter(metric_at(t, i)) == i + 1);
    }
    table_free(t);
}

TEST(metrics_without_memory_are_dropped)
{
    struct metric_table *t = table_new();

    mem_fail_after(1);
    metric_count(t, named("a"), 1);
    mem_fail_after(2);
    metric_count(t, named("a"), 1);
    mem_fail_after(0);
    CHECK(metric_dropped(t, METRIC_DROPPED_LIMIT) == 2);
    metric_count(t, named("a"), 1);
    CHECK(metric_counter(find(t, "a")) == 1);
    table_free(t);
}

#define THREADS 4
#define ROUNDS  2000
#define NAMES   50

static void count_all(void *arg)
{
    struct metric_table *t = arg;
    char name[32];

    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof(name), "c%d", i % NAMES);
        metric_count(t, named(name), 1);
        metric_change(t, named("gauge"), 1);
        metric_observe(t, named("histogram"), 1);
    }
}

TEST(metrics_of_many_threads_add_up)
{
    struct metric_table *t = table_new();
    struct thread threads[THREADS];
    uint64_t sum = 0;

    for (int i = 0; i < THREADS; i++)
        CHECK(thread_create(&threads[i], "counter", count_all, t, NULL));
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    CHECK(atomic_load(&t->count) == NAMES + 2);
    for (uint32_t i = 0; i < NAMES + 2; i++) {
        const struct metric *m = metric_at(t, i);

        sum += m->kind == METRIC_COUNTER ? metric_counter(m) : 0;
    }
    CHECK(sum == THREADS * ROUNDS);
    CHECK(metric_gauge(find(t, "gauge")) == THREADS * ROUNDS);
    CHECK(metric_sum(find(t, "histogram")) == THREADS * ROUNDS);
    table_free(t);
}
