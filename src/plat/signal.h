/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Signals of worker threads: the periodic tick that preempts guests, alternate stacks, and masks.
 */
#ifndef PLAT_SIGNAL_H
#define PLAT_SIGNAL_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The signal of the tick: SIGURG, which is ignored by default and passed silently by debuggers. */
int tick_signal(void);

/* Called on the thread of the tick with what timer's owner gave and the interrupted context (a
 * ucontext_t). Async-signal-safe things only. */
typedef void tick_fn(void *data, void *ucontext);

/* Installs the handler of the tick for the whole program; the first call decides, later ones with
 * the same function are harmless. */
bool tick_install(tick_fn *run, struct error *err) MUST_USE;

enum tick_clock {
    TICK_AUTO = 0,  /* the first of these that is fine enough here */
    TICK_CPU_TIME,  /* the thread's CPU time: no cost while it sleeps; no finer than the kernel's
                       tick */
    TICK_MONOTONIC, /* an interrupt of its own per period; stopped while the worker sleeps */
    TICK_MONITOR,   /* a thread that signals the workers */
    TICK_OFF,
};

#define TICK_PERIOD_NS   4000000ull /* 4 ms */
#define TICK_COARSEST_NS 5000000ull /* a clock that ticks less often is no good */

/* The clock that TICK_AUTO stands for on this machine. */
enum tick_clock tick_clock_choose(void);

/* The tick of one thread. */
struct tick {
    enum tick_clock clock;
    uint64_t period_ns;
    timer_t timer;      /* TICK_CPU_TIME, TICK_MONOTONIC */
    int thread;         /* the kernel's id */
    void *data;         /* for the handler */
    atomic_bool paused; /* TICK_MONITOR: sleeping, not to be signalled */
    struct tick *next;  /* TICK_MONITOR: in the monitor's list */
    timer_t alarm;
    bool has_alarm; /* `alarm` exists */
};

/* Starts signalling the calling thread every `period_ns` of running, `data` going to the handler.
 * Falls back from a clock that the system refuses to the next; t->clock says which it is. The
 * thread must have called thread_signals_init. */
bool tick_start(struct tick *t, enum tick_clock clock, uint64_t period_ns, void *data,
                struct error *err) MUST_USE;
/* The same thread: no more ticks after it returns. */
void tick_stop(struct tick *t);
/* Around sleeps of the thread; free of cost with TICK_CPU_TIME. */
void tick_pause(struct tick *t);
void tick_resume(struct tick *t);
/* One extra tick at `deadline_ns` of the monotonic clock (at once if that is past), instead of what
 * was asked for before; DEADLINE_NEVER: none. One system call. The same thread. False: the system
 * has no timer for it. */
bool tick_alarm(struct tick *t, uint64_t deadline_ns);
/* One extra tick, now. Any thread, while the tick's thread lives. */
void tick_poke(struct tick *t);

/* A worker's alternate stack for handlers. */
struct signal_stack {
    void *map;
    size_t size;
};

/* Blocks every signal but synchronous faults and the tick on the calling thread and gives it an
 * alternate stack (at least 64 KiB, with a guard page). */
bool thread_signals_init(struct signal_stack *s, struct error *err) MUST_USE;
void thread_signals_deinit(struct signal_stack *s);

#endif
