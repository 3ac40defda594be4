/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Clocks. Durations and deadlines are nanoseconds of the monotonic clock in a uint64_t. */
#ifndef PLAT_CLOCK_H
#define PLAT_CLOCK_H

#include <stdint.h>

#define NS_PER_US  1000ull
#define NS_PER_MS  1000000ull
#define NS_PER_SEC 1000000000ull

#define DEADLINE_NEVER UINT64_MAX

/* Time since an arbitrary start; never goes back. About 25 ns a call. Any thread. */
uint64_t clock_monotonic_ns(void);
/* Time since 1970, as set by whoever sets the machine's clock. */
uint64_t clock_realtime_ns(void);
/* CPU time of the calling thread, of the whole program. */
uint64_t clock_thread_cpu_ns(void);
uint64_t clock_process_cpu_ns(void);

/* Granularity of the clocks above, in ns. */
uint64_t clock_monotonic_resolution_ns(void);
uint64_t clock_realtime_resolution_ns(void);

/* The kernel's tick: CPU-time timers are no finer than this. */
uint64_t clock_tick_ns(void);

/* now + delay, and DEADLINE_NEVER if that is beyond the clock. */
static inline uint64_t deadline_after(uint64_t now_ns, uint64_t delay_ns)
{
    uint64_t sum;

    return __builtin_add_overflow(now_ns, delay_ns, &sum) ? DEADLINE_NEVER : sum;
}

/* A counter that is read in a few ns and counts at a constant rate, which one learns by comparing
 * two readings with two of the monotonic clock. Counters of two cores may differ by a little. */
static inline uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t value;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return clock_monotonic_ns();
#endif
}

#endif
