/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A scheduler, actors and one environment whose processes are C state machines ("roles"). */
#ifndef TEST_PROC_WORLD_H
#define TEST_PROC_WORLD_H

#include "proc/environment.h"
#include "proc/process.h"
#include "proc/send_timer.h"
#include "sched/scheduler.h"
#include "tests/harness/harness.h"
#include <stdatomic.h>

#define MS NS_PER_MS

struct actor;

/* Runs a slice of an actor. */
typedef enum task_result role_fn(struct process *p, struct actor *self);

struct actor {
    struct world *world;
    role_fn *role;
    int step; /* the role's own, as all below */
    uint64_t pid, other;
    int64_t tag;
    uint64_t count;
    uint64_t random;
    void *data;
};

#define EVENTS_MAX 64

struct world {
    struct scheduler *scheduler;
    struct actors actors;
    struct environment *environment;
    struct config *config;
    _Atomic uint64_t spawned, released;
    struct environment_exit exit; /* its words are in exit_words */
    char exit_words[80];
    int exits;
    bool stop_at_exit;
    int64_t events[EVENTS_MAX]; /* what the roles have noted (deterministic runs) */
    size_t event_count;
};

/* One worker, virtual clock, ends when nothing is left to do. False: failed, and noted. */
bool world_open(struct world *w, uint64_t seed);
/* Real threads; ends when the main process does. */
bool world_open_parallel(struct world *w, uint32_t worker_count);
bool world_run(struct world *w);
/* Opens a world, spawns `main_role`, then `second` whose `other` is the main process, and runs it.
 */
bool world_pair(struct world *w, uint64_t seed, role_fn *main_role, role_fn *second);
/* Frees everything; false (and noted) if any node, bond or actor is left. */
bool world_close(struct world *w);

/* Spawns a role from outside or, with a parent, from its process. 0: refused. */
uint64_t world_spawn(struct world *w, role_fn *role, uint64_t other, int64_t tag);
uint64_t actor_spawn(struct process *parent, role_fn *role, uint64_t other, int64_t tag,
                     bool is_linked, int64_t link_tag);
struct actor *actor_of(struct process *p);

void note(struct world *w, int64_t event);
bool noted(const struct world *w, const int64_t *events, size_t count);
#define CHECK_NOTED(w, ...)                                                                        \
    do {                                                                                           \
        const int64_t expected[] = {__VA_ARGS__};                                                  \
        CHECK(noted((w), expected, ARRAY_COUNT(expected)));                                        \
    } while (0)

enum got { GOT_NOTHING, GOT_MESSAGE, GOT_TIMEOUT };

/* What a receiving host function does. NOTHING: return TASK_PARK. The message is the caller's. */
enum got actor_receive(struct process *p, const int64_t *tags, size_t tag_count,
                       uint64_t timeout_ns, struct message **out);
void actor_send(struct process *p, uint64_t to, int64_t tag, const void *data, size_t size);
/* True once `delay_ns` has passed; else return TASK_PARK. */
bool actor_slept(struct process *p, uint64_t delay_ns);

/* Common roles. */
role_fn role_idle;       /* sleeps for ever */
role_fn role_return;     /* ends normally at once */
role_fn role_fail;       /* fails at once */
role_fn role_fail_later; /* fails after 10 ms */
role_fn role_end_later;  /* ends normally after 10 ms */

#endif
