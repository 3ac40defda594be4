/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of sched/ share. */
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include "base/vec.h"
#include "plat/clock.h"
#include "plat/poller.h"
#include "plat/random.h"
#include "plat/signal.h"
#include "plat/thread.h"
#include "sched/io.h"
#include "sched/offload.h"
#include "sched/queue.h"
#include "sched/scheduler.h"
#include "sched/timer.h"
#include "sched/wheel.h"

#define WOKEN_RUNS_MAX 16u             /* woken tasks before a used-up one gets its turn */
#define WOKEN_TIME_NS  (2 * NS_PER_MS) /* or this time */
#define SLOT_RUNS_MAX  16u             /* runs from the slot before the ring gets its turn */
#define LOOK_SWITCHES  64u /* runs between two looks at wheel, poller and global queue */
#define LOOK_TIME_NS   (250 * NS_PER_US) /* or this time */
#define POLL_BATCH     32u               /* descriptors that one look at the poller tells of */
#define POLL_TIME_NS   (20 * NS_PER_US)  /* looks at the poller are no closer than this, */
#define POLL_ENOUGH    8u                /* and if more than so many tasks are ready */
#define POLL_LATE_NS   NS_PER_MS         /* no closer than this */
#define BATCH_LEAST    4u                /* ready tasks: see scheduler_has_batch */
#define SEARCH_TIME_NS                                                                             \
    (50 * NS_PER_US)     /* an idle worker looks for work this long before it sleeps, */
#define SEARCH_SHARE 16u /* but for no more than one part in so many of its time */
#define SURPLUS_SLEEP_NS                                                                           \
    NS_PER_MS /* and sleeps no longer than this while a busy one has work left */
#define GLOBAL_BATCH 32u
#define CLOSED_MAX                                                                                 \
    256u /* descriptors that wait to be released before their poller is woken for it */
#define SLICE_LEAST_NS                                                                             \
    (150 * NS_PER_US) /* a used-up task runs this long before an alarm or a poke stops it, */
/* and so long if tasks that were woken wait for the worker when its slice begins */
#define SLICE_SHARED_NS  (200 * NS_PER_US)
#define SLICE_TRUSTED_NS (200 * NS_PER_US) /* the cycle counter is believed up to here */
#define BUSY_TIME_NS                                                                               \
    (20 * NS_PER_MS)    /* so long after a used-up slice more of them are to be expected, */
#define BUSY_RUNS   64u /* or for so many slices */
#define CHECKS_EACH 64u /* runs whose length is looked at after one that was not short */
#define LONG_RUN_NS                                                                                \
    (250 * NS_PER_US) /* more of a run, though it did not use up its slice, counts as busy too */
/* A timer of a busy worker that is so late is fired by an idle one, and so late by any other. */
#define LATE_IDLE_NS   (30 * NS_PER_US)
#define LATE_BUSY_NS   (300 * NS_PER_US)
#define WATCH_NS       NS_PER_MS        /* an idle worker looks so often whether there are any, */
#define WATCH_LEAST_NS (50 * NS_PER_US) /* and no more often than this */
#define FIRE_BATCH     256u             /* timers that are fired without a pause */

/* Who looks after the timers and descriptors of a worker that waits: in_place.c. */
struct relief {
    struct core *by;  /* the alarm is registered with its poller; NULL: there is none yet */
    struct task task; /* looks, when the alarm goes off */
    struct io io;     /* the alarm */
    _Atomic uint64_t alarm_ns; /* it goes off about then; 0: it is not set */
    _Atomic bool is_there;     /* the task is at it */
};

/* A worker in full. What is not marked is its own thread's. */
struct core {
    struct worker pub; /* first */

    /* The tasks that are ready. A task woken by the one that runs goes to `slot`, if that is empty,
     * and is next; nobody steals it. Others only look whether there is one. */
    struct task *_Atomic slot;
    uint32_t slot_runs;       /* in a row */
    uint32_t woken_runs;      /* since the last used-up task ran */
    uint64_t woken_since;     /* cycles: when that was */
    VEC(struct task *) ready; /* deterministic runs: all ready tasks, in no order */

    uint32_t switches;      /* since the last look */
    uint64_t look_cycles;   /* the next look is due when the counter is there */
    uint64_t look_ns;       /* when the last one was, by the clock */
    uint64_t looked_cycles; /* and by the counter */
    uint64_t check_cycles;  /* what the counter was when the loop read it last */
    uint32_t checks_left;   /* so many runs are still looked at one by one */
    uint32_t check_mask;    /* which it does after every run, or (3) after every fourth */
    uint64_t cycles_per_ms; /* measured; a low guess at first */
    uint64_t base_cycles, base_ns;
    uint64_t polled_ns;
    uint64_t cpu_seen_ns;    /* the thread's CPU time when scheduler_slice_ns last asked for it */
    uint64_t busy_ns;        /* when a long slice ended last */
    uint64_t busy_runs;      /* how many had run then */
    uint64_t alarm_ns;       /* an extra tick comes then; DEADLINE_NEVER: none */
    uint64_t alarm_for_ns;   /* because of this deadline; DEADLINE_NEVER: none */
    uint64_t poke_seen_ns;   /* the last poke after which an alarm was set */
    uint64_t blocked_cycles; /* when in_place_begin let it wait */
    uint64_t waited_cycles;  /* so long it has waited since scheduler_slice_begin */
    bool is_searching;
    uint64_t search_credit;  /* cycles that the next search may take */
    uint64_t search_counted; /* cycles: when the credit was reckoned */
    bool search_was_short;   /* the last one: it could not tell who is stuck in a slice */
    struct prng prng;
    struct scheduler_stats stats; /* changed by COUNT, so that others may look */
    _Atomic uint64_t asleep_ns;   /* when it went to sleep; 0: it is awake */

    struct tick tick;
    struct signal_stack signal_stack;
    volatile uint32_t tick_count; /* by the handler, on this thread */

    /* Any thread from here on. */
    struct ring ring;
    _Alignas(CACHE_LINE) _Atomic uint64_t slices; /* counts runs: still the same means a long one */
    struct spinlock lock;
    struct fifo
        overflow; /* under lock: what the ring has no room for; younger than all in the ring */
    struct fifo used_up; /* under lock */
    /* Slices are long here, so that whoever comes in between must stop one. */
    _Atomic bool is_busy;
    _Atomic bool is_visited; /* another worker fires timers of this wheel: see timer.c */
    _Atomic bool is_blocked; /* it waits in a system call: see in_place.c */
    struct relief relief;
    _Atomic uint64_t earliest_ns; /* no timer of the wheel fires before; maybe too early */
    struct spinlock wheel_lock;
    struct wheel wheel; /* under wheel_lock */
    struct poller poller;
    _Atomic uint32_t io_count;    /* descriptors registered */
    struct io *_Atomic io_closed; /* to be released after the next batch */
    _Atomic uint32_t io_closed_count;

    /* Under the scheduler's lock. */
    struct core *idle_next;
    bool is_idle;              /* in the list of the idle */
    bool is_started;           /* has a thread */
    bool has_tick;             /* the thread can be poked */
    _Atomic uint64_t poked_ns; /* written under the scheduler's lock */
    struct thread thread;
};

struct offload_pool {
    struct mutex lock;
    struct condition work, ended;
    struct list queue; /* of struct offload_job; under lock, like what follows */
    uint32_t thread_count, thread_max, idle_count;
    uint64_t queue_size;    /* length of the queue */
    uint64_t begun;         /* jobs that were begun on helper threads */
    uint32_t running_count; /* that have not ended */
    bool is_stopping;
};

struct scheduler {
    struct scheduler_options options;
    uint32_t worker_count;
    struct core *cores;
    bool is_shared; /* more than one worker */
    _Atomic bool stopping;
    _Atomic uint64_t virtual_ns;
    _Atomic uint32_t searching;  /* workers that look for work to steal, or have been woken to */
    _Atomic uint32_t idle_count; /* length of the list of the idle */
    /* Other threads that are about to wake a worker, without the lock. */
    _Atomic uint32_t waker_count;
    atomic_bool has_watcher; /* an idle worker that looks after the timers of busy ones */

    struct mutex lock;
    struct condition stopped;
    struct core *idle; /* sleeping, or not started yet; under lock, like what follows */
    struct fifo global;
    uint32_t running_count; /* threads that have not ended */
    bool has_failed;
    struct error error;

    struct offload_pool offload;
};

/* Counts something in the statistics of a worker. Own thread. */
#define COUNT(counter, n) __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)

static inline struct core *core_of(struct worker *w)
{
    return (struct core *)w;
}

/* A ready task to the queues of this worker; `is_woken`: soon. Own thread. */
void core_push(struct core *c, struct task *t, bool is_woken);
/* A ready task from outside. Any thread. */
void scheduler_push(struct scheduler *s, struct task *t);
/* Stops the slice that `c` is in, unless the last poke was a moment ago. The lock is held. */
void core_poke(struct core *c);
/* Gets one idle worker but `caller` to look for work, if there is one. Own thread of `caller`. */
void scheduler_notify(struct scheduler *s, const struct core *caller);
/* scheduler_stop for those who hold the scheduler's lock. */
void scheduler_stop_locked(struct scheduler *s);

/* The task that the running one woke first, or NULL. Any thread; only its own may take it. */
static inline struct task *core_slot(const struct core *c)
{
    return atomic_load_explicit(&c->slot, memory_order_relaxed);
}
static inline void core_notify_if_idle(struct core *c)
{
    if (UNLIKELY(atomic_load_explicit(&c->pub.scheduler->idle_count, memory_order_relaxed) > 0))
        scheduler_notify(c->pub.scheduler, c);
}

/* The next task of its own queues, and of single ones; NULL: none. Own thread. */
struct task *core_pick(struct core *c);
struct task *core_pop_ring(struct core *c);
struct task *core_pop_used_up(struct core *c); /* any thread */
/* Takes its share of what came from outside. False: there is nothing. Own thread. */
bool core_take_global(struct core *c);
/* Looks at the wheel, the poller and the global queue. Own thread. */
void core_look(struct core *c, bool after_tick);

/* idle.c: nothing is ready here: a task from elsewhere, or NULL after a sleep. `seen` has room for
 * a number per worker. Own thread. */
struct task *core_idle(struct core *c, uint64_t *seen);

/* The thread of a worker. */
void core_main(void *arg);
/* The handler of the tick. */
void core_tick(void *data, void *ucontext);

/* Fires what is due. Own thread. */
void core_run_timers(struct core *c, uint64_t now_ns);
/* Fires on `c` what is due in the wheel of another worker. False: that cannot be done, or somebody
 * else is at it. Own thread of `c`. */
bool core_fire_late(struct core *c, struct core *of, uint64_t now_ns);
/* No timer fires before this; DEADLINE_NEVER: none will. Puts in order those that were moved or
 * cleared while they were armed and come first, so that nobody wakes up for them. Own thread. */
uint64_t core_next_deadline(struct core *c);
/* Looks at the poller, waiting at most `timeout_ns`, and wakes who waits. Own thread. */
void core_poll(struct core *c, uint64_t timeout_ns);
/* The same for the poller of another worker, whose thread is not at it, without waiting. True:
 * there may be more. Own thread of `c`. */
bool core_poll_for(struct core *c, struct core *of);
/* What the poller has said of one descriptor, enum poller_ready. Own thread. */
void core_report(struct core *c, struct io *io, uint32_t ready);
void core_release_closed(struct core *c);

/* Before the threads of the scheduler run. Fails with ERR_OS. */
bool core_init_relief(struct core *c, struct error *err) MUST_USE;
/* And after. */
void core_deinit_relief(struct core *c);

void offload_init(struct offload_pool *p, uint32_t thread_max);
void offload_deinit(struct offload_pool *p);

#endif
