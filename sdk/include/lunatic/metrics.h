/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Numbers about a program for those who operate it: `lunatic run --metrics ADDRESS` publishes them
 * for Prometheus, and `lunatic ps --metrics` prints them. Compile with `lunatic cc`.
 *
 * Metrics belong to the program: all its processes add to the same ones. A name consists of
 * letters, digits, '_' and ':', and does not begin with a digit; other characters are published as
 * '_'. Units belong into the name: "request_seconds". None of these functions fails or waits. */
#ifndef LUNATIC_METRICS_H
#define LUNATIC_METRICS_H

#include <lunatic.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adds to a counter, which only grows: requests, bytes. */
void lun_counter_add(const char *name, uint64_t amount);

/* Sets a gauge, which goes up and down, or adds to it: connections, degrees. */
void lun_gauge_set(const char *name, double value);
void lun_gauge_add(const char *name, double amount);

/* Adds an observation to a histogram: seconds, sizes. */
void lun_histogram_record(const char *name, double value);

#ifdef __cplusplus
}
#endif

#endif
