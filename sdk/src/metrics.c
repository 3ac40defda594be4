/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library behind <lunatic/metrics.h>. */
#include <lunatic/host.h>
#include <lunatic/metrics.h>
#include <string.h>

void lun_counter_add(const char *name, uint64_t amount)
{
    lunatic_metrics_counter(LUN_ADDRESS(name), strlen(name), amount);
}

void lun_gauge_set(const char *name, double value)
{
    lunatic_metrics_gauge(LUN_ADDRESS(name), strlen(name), value);
}

void lun_gauge_add(const char *name, double amount)
{
    lunatic_metrics_increment_gauge(LUN_ADDRESS(name), strlen(name), amount);
}

void lun_histogram_record(const char *name, double value)
{
    lunatic_metrics_histogram(LUN_ADDRESS(name), strlen(name), value);
}
