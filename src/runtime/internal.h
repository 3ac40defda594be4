/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of runtime/ share. */
#ifndef RUNTIME_INTERNAL_H
#define RUNTIME_INTERNAL_H

#include "base/error.h"
#include "base/list.h"
#include "host/host.h"
#include "net/net.h"
#include "net/tls.h"
#include "net/tls_clients.h"
#include "plat/thread.h"
#include "proc/actors.h"
#include "proc/environment.h"
#include "runtime/lunatic_runtime.h"
#include "sched/scheduler.h"

struct lunatic_runtime {
    struct scheduler *scheduler;
    struct actors actors;
    struct host host;
    struct net net;
    struct tls tls;
    struct tls_clients tls_clients;
    bool is_deterministic;
    struct vm_worker *workers; /* one per worker of the scheduler */
    uint32_t worker_count;
    struct thread thread; /* runs the scheduler */
    struct mutex lock;    /* of all that follows */
    bool is_running;      /* the thread has been started */
    bool has_ended;       /* scheduler_run has returned */
    struct error end_error;
    struct list environments;
    uint64_t spawned_before;               /* processes, by environments that are gone */
    uint64_t idle_ns, scrapes;             /* what metrics.c has told last */
    struct metrics_server *metrics_server; /* NULL: nobody is shown metrics */
    struct thread timekeeper;              /* deadline.c */
    struct condition deadlines_changed;
    bool has_timekeeper, is_freed;
};

struct lunatic_module {
    struct lunatic_runtime *runtime;
    struct host_module *module;
};

struct lunatic_environment {
    struct lunatic_runtime *runtime;
    struct list link;     /* in the runtime's list */
    uint64_t deadline_ns; /* 0: none, or it has passed. Guarded by the runtime's lock */
    struct environment *environment;
    void (*output)(void *context, uint64_t process, enum lunatic_output stream, const void *data,
                   size_t size);
    void *output_context;
    struct mutex lock; /* of all that follows */
    struct condition changed;
    bool has_ended;
    bool was_stopped; /* by us: `stop_kind` says why */
    enum lunatic_exit_kind stop_kind;
    struct lunatic_exit how;
    unsigned pins;   /* by those who look at its processes */
    bool is_closing; /* nobody pins it any more */
    /* Taken before everything else: one look at a time. */
    struct mutex look_lock;
};

/* Fills `out` (may be NULL) from `err`; false. */
bool runtime_fail(struct lunatic_error *out, const struct error *err);

/* wat.c: if `path` is a module in text format, reads it converted. */
bool wat_is_text(const char *path, const struct bytes *bytes);
bool wat_convert(const char *path, struct bytes *out, struct error *err) MUST_USE;

/* metrics.c: all metrics as text, the caller's. False: there is no memory. Any thread. */
bool metrics_write(struct lunatic_runtime *rt, struct bytes *out) MUST_USE;
/* Whether a metric of the runtime is shown under this name. */
bool metrics_is_reserved(const char *name);

/* runtime.c: starts the scheduler's thread, if that has not been done. */
bool runtime_start_thread(struct lunatic_runtime *rt, struct error *err) MUST_USE;

/* Where the preemption signal cannot be used all code counts fuel: ThreadSanitizer delivers signals
 * late. */
#if defined(__SANITIZE_THREAD__)
#define METERED_ONLY true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define METERED_ONLY true
#endif
#endif
#ifndef METERED_ONLY
#define METERED_ONLY false
#endif

/* inspect.c: waits until nobody looks at its processes, which nobody can from then on. */
void runtime_environment_unpinned(struct lunatic_environment *e);

/* deadline.c: stops the environment, which is in the runtime's list, after so many milliseconds.
 * Fails with ERR_OS. */
bool deadline_set(struct lunatic_environment *e, uint64_t timeout_ms, struct error *err) MUST_USE;

/* Ends the thread that keeps the time. */
void deadlines_end(struct lunatic_runtime *rt);

/* environment.c: the scheduler has ended with the environment still alive. */
void runtime_environment_stuck(struct lunatic_environment *e, const char *words);
/* The same for standard output or error that cannot be written. */
void runtime_environment_output(struct lunatic_environment *e, const char *words);
/* Its time is over. */
void runtime_environment_timeout(struct lunatic_environment *e);
/* Hooks of host and proc. */
void runtime_main_failed(struct environment *e, const char *words);

/* main_config.c: the configuration of an environment's main process. One reference, the caller's.
 * NULL: `err` says why. */
struct config *runtime_main_config(const struct lunatic_environment_options *o, struct error *err)
    MUST_USE;

#endif
