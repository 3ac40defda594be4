/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names without end from several processes, numbers that are none, and names that cannot be read.
 */
// expect: counted
// expect: died: 2
// error: a string leaves the memory, is not UTF-8, or exceeds 16 MiB
// error: lunatic::metrics::counter
// error: lunatic::metrics::histogram
#include <lunatic.h>
#include <lunatic/host.h>
#include <lunatic/metrics.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PROCESSES 4
#define NAMES     3000 /* more than are kept */

static void count(const void *data, size_t size)
{
    const int *self = data;
    char name[300];

    (void)size;
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "guest.%d.%d", i % 2 ? *self : -1, i);
        lun_counter_add(name, 1);
        snprintf(name, sizeof(name), "guest histogram %d", i);
        lun_histogram_record(name, i);
        snprintf(name, sizeof(name), "guest.%d.%d", -1, i);
        lun_gauge_set(name, 1); /* a counter already */
    }
    memset(name, 'x', sizeof(name));
    lunatic_metrics_increment_counter((uint32_t)(uintptr_t)name, sizeof(name));
    lunatic_metrics_increment_counter((uint32_t)(uintptr_t)name, 0);
    lun_gauge_set("gauge", NAN);
    lun_gauge_add("gauge", INFINITY);
    lunatic_metrics_decrement_gauge((uint32_t)(uintptr_t)name, 20, 1);
    lun_histogram_record("numbers", NAN);
    lun_histogram_record("numbers", -INFINITY);
    lun_histogram_record("numbers", -0.0);
    lun_send(1, 1, NULL, 0);
}

static void outside(const void *data, size_t size)
{
    (void)data, (void)size;
    lunatic_metrics_counter(UINT32_MAX - 4, 8, 1);
}

static void not_text(const void *data, size_t size)
{
    static const char name[] = "a\xff";

    (void)data, (void)size;
    lunatic_metrics_histogram((uint32_t)(uintptr_t)name, 2, 1);
}

int main(void)
{
    lun_message m;
    int died = 0;

    for (int i = 0; i < PROCESSES; i++)
        lun_spawn(count, &i, sizeof(i));
    for (int i = 0; i < PROCESSES; i++)
        lun_receive_tag(&m, 1, LUN_FOREVER);
    puts("counted");
    lun_monitor(lun_spawn(outside, NULL, 0));
    lun_monitor(lun_spawn(not_text, NULL, 0));
    while (died < 2 && lun_receive(&m, LUN_FOREVER) == 0)
        died += m.kind == LUN_PROCESS_DIED;
    printf("died: %d\n", died);
    return 0;
}
