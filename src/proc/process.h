/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Processes: tasks with an id, a queue of signals, a mailbox, links, and an end that others hear
 * of.
 *
 * What runs in one is its *body*: a guest instance (host/guest.c), or a C state machine in tests. A
 * process is a control block of exactly 256 bytes in its environment's array (environment.h); the
 * block is never unmapped nor used for anything else, and everything in it but `inbox` and the
 * first words of `wait` belongs to the task that runs it.
 *
 * How it ends (3.5 of the reference, with the repairs of its section 11): the inbox is closed,
 * which is also the moment at which the id stops existing; the body releases what it holds, then
 * the tables of resources and the mailbox are dropped; then links are told in the order they were
 * made, those that wanted a link too late, and monitors. So whoever hears of a death finds the
 * process gone and its resources free.
 *
 * No step of that, nor of handling signals, grows with what the process has: what is long is done
 * in pieces, and others run in between. Until all signals that were taken from the inbox at a time
 * are handled, the body does not run. */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include "proc/bond.h"
#include "proc/config.h"
#include "proc/mailbox.h"
#include "proc/signal.h"
#include "proc/wait.h"
#include "sched/task.h"
#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

/* Why a process ended. Links are told LINK_NORMAL for NORMAL, LINK_FAILURE for the others. */
enum exit_reason { /* EXIT_REASONS of them */
                   EXIT_NORMAL =
                       0, /* its entry function returned, or it asked to exit with status 0 */
                   EXIT_FAILURE,   /* a trap, exit with another status, no such entry function */
                   EXIT_KILLED,    /* a kill */
                   EXIT_LINK_DIED, /* a process it was linked to failed */
                   EXIT_LIMIT, /* it went beyond what its configuration allows: enum exit_limit */
                   EXIT_STILLBORN, /* it failed before its entry function: the process that spawned
                                    * it is told by its  result code, and not as a link */
};

/* Which limit it was: EXIT_LIMIT. */
enum exit_limit {
    LIMIT_NONE,
    LIMIT_MAILBOX_COUNT,
    LIMIT_MAILBOX_SIZE,
    LIMIT_CPU,
    LIMIT_MEMORY, /* there was none for an index of the mailbox */
};

/* What the processes of one kind of body have in common; constant. */
struct process_class {
    /* Runs the body for a slice. TASK_PARK: p->wait says for what. TASK_DONE: ended, after
     * process_set_exit (else: EXIT_NORMAL). When process_handle_signals has returned false inside
     * it, it must return at once, with any result. */
    enum task_result (*run)(struct process *p, struct worker *w);
    /* The process has ended: frees all that the body holds and cancels waits that were kept aside
     * (the one in the control block is cancelled before). The id no longer exists; nobody has been
     * told yet; bonds, mailbox and resources are still there. On the worker that ran it, or, when
     * an environment is freed, on that thread with `w` NULL. */
    void (*release)(struct process *p, struct worker *w);
    /* A hint: a process with this body runs soon, or did so once: `body` may be gone. May be NULL.
     */
    void (*prefetch)(const void *body);
    /* Called before release, as often as it returns false, and others run in between: frees some of
     * what the body holds, so that release has little left to do. May be NULL. */
    bool (*release_some)(struct process *p);
};

/* The bytes of a control block: 24 task, 48 timer, 40 wait, 48 mailbox, 32 links, 64 the process.
 * Its number is in the mailbox's `holder`. */
struct process {
    struct task task;
    uint8_t exit_reason; /* enum exit_reason; valid once is_dying */
    uint8_t exit_status; /* what the body passed to process_set_exit */
    uint8_t exit_limit;  /* enum exit_limit */
    /* Bits, of the owning task only. */
    uint8_t ending : 3;          /* how far its end has come: process.c */
    bool is_behind : 1;          /* with handling signals; timer.generation: the first's number */
    bool is_dying : 1;           /* killed or done: the body never runs again */
    bool die_when_link_dies : 1; /* true at first */
    bool has_timer : 1;          /* the timer's deadline is not DEADLINE_NEVER */
    bool is_clocked : 1;         /* its CPU time is measured slice by slice, not tick by tick */
    _Atomic int32_t room;        /* for signals that queue up, see signal.h */
    _Atomic uint64_t inbox;      /* see signal.h */
    const struct process_class *class_;
    struct environment *environment;
    void *body;            /* the class's own */
    struct config *config; /* one reference */
    struct wait wait;
    struct mailbox mailbox;
    struct bonds bonds;
    struct resources *resources; /* NULL: none yet */
    _Atomic uint64_t cpu_ns;     /* see process_cpu_ns; written by the owning task only */
    struct timer timer;          /* wakes the task at the wait's deadline */
};

static_assert(sizeof(struct process) == 256, "all the metadata of a process");

/* The table in docs/architecture.md. */
#define PROCESS_FIELD(field, offset)                                                               \
    static_assert(offsetof(struct process, field) == (offset), "see docs/architecture.md")
PROCESS_FIELD(task, 0);
PROCESS_FIELD(exit_reason, 24);
PROCESS_FIELD(exit_status, 25);
PROCESS_FIELD(exit_limit, 26);
PROCESS_FIELD(room, 28);
PROCESS_FIELD(inbox, 32);
PROCESS_FIELD(class_, 40);
PROCESS_FIELD(environment, 48);
PROCESS_FIELD(body, 56);
PROCESS_FIELD(config, 64);
PROCESS_FIELD(wait, 72);
PROCESS_FIELD(mailbox, 112);
PROCESS_FIELD(bonds, 160);
PROCESS_FIELD(resources, 192);
PROCESS_FIELD(cpu_ns, 200);
PROCESS_FIELD(timer, 208);
#undef PROCESS_FIELD
static_assert(offsetof(struct process, inbox) + sizeof(uint64_t) <= 64, "a send touches few lines");

/* The id. Owning task only: whoever else holds a pointer to a process holds a hint. */
static inline uint64_t process_id(const struct process *p)
{
    return (atomic_load_explicit(&p->inbox, memory_order_relaxed) & ~(uint64_t)UINT32_MAX) |
           p->mailbox.holder;
}

/* CPU time it has used. Exact to about a slice for processes with a limit of CPU time or fuel; else
 * counted by the ticks that ended its slices, which is right on the average: many short slices may
 * count as nothing, and one that a tick ends as 4 ms. Any thread, also for a block that is another
 * process by now. */
static inline uint64_t process_cpu_ns(const struct process *p)
{
    return atomic_load_explicit(&p->cpu_ns, memory_order_relaxed);
}

/* Counts CPU time that another thread has used for it. The limit is looked at when its slice ends.
 * Owning task only. */
void process_add_cpu(struct process *p, uint64_t ns);

/* Why it ended, for EXIT_LIMIT, in words: "its mailbox exceeds 5 messages". Returns `text`. */
const char *process_limit_words(const struct process *p, char *text, size_t size);

struct spawn_options {
    const struct process_class *class_;
    void *body;
    struct config *config;  /* a reference of its own is made */
    struct process *parent; /* the running process that spawns, or NULL */
    bool is_linked;         /* to the parent */
    int64_t link_tag;       /* what the parent is told when the child fails, 0: no tag */
};

/* Makes a process and starts it. The links of parent and child are both in place before the child
 * runs and before this returns. NULL: the environment is ending, or it has as many processes as it
 * may
 * (`err` says so), or one of its configuration's budgets is used up; the body is then untouched.
 * The returned pointer may be used only to compute the id and by the body's class; the child may
 * already be running, and be gone: use `*id`. Any thread; with a parent, its owning task. */
struct process *process_spawn(struct environment *e, const struct spawn_options *options,
                              uint64_t *id, struct error *err) MUST_USE;

/* The same in two steps: process_prepare makes it, unreachable by others though it has its id, so
 * that the caller can build the body with p in hand; then either process_start (nothing can fail
 * any more) or process_discard (the id is consumed; nobody is told). */
struct process *process_prepare(struct environment *e, const struct spawn_options *options,
                                struct error *err) MUST_USE;
uint64_t process_start(struct process *p, const struct spawn_options *options);
void process_discard(struct process *p);

/* Gives a prepared process its body; a hint about the block's last one may be read meanwhile. */
static inline void process_set_body(struct process *p, void *body)
{
    __atomic_store_n(&p->body, body, __ATOMIC_RELAXED);
}

/* Handles the signals that have come, in order, but not very many. False: one of them ended the
 * process; the caller must return to the scheduler at once. Owning task only. */
bool process_handle_signals(struct process *p) MUST_USE;

/* Whether there are signals that had come when it last handled some, and are not handled yet. Who
 * must know what they are yields: when the body runs again they have been handled. Owning task
 * only. */
static inline bool process_is_behind(const struct process *p)
{
    return p->is_behind;
}

/* Says how it ends; to be followed by TASK_DONE from `run`. `status` is 0 to 255. Owning task only.
 */
void process_set_exit(struct process *p, enum exit_reason reason, int32_t status);

/* Takes back one's own side of the link to a child that was stillborn. Owning task only. */
void process_forget_link(struct process *p, uint64_t other);

/* Whether such a process exists. Any thread; no lock. */
bool process_exists(struct environment *e, uint64_t process_id);

#endif
