/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A process whose body is a C function with a guest's memory, for tests of the WASI functions
 * without any wasm, and a directory of its own. */
#ifndef TEST_HOST_WASI_WORLD_H
#define TEST_HOST_WASI_WORLD_H

#include "host/prototypes.h"
#include "host/wasi/internal.h"
#include "tests/harness/harness.h"

#define WASI_MEMORY (4u << 20)

struct wasi_world;
typedef enum task_result wasi_body(struct guest *g, struct wasi_world *w);

struct wasi_world {
    char dir[64];      /* preopened as "/sandbox", fd 3, unless `below` says otherwise */
    const char *below; /* a folder in `dir` that is preopened instead */
    const char *extra; /* a directory that is preopened too, as "/extra", fd 4 */
    struct host host;
    struct guest guest;
    struct instance *instance;
    uint8_t *memory;
    wasi_body *body;
    int step;
    int runs;   /* of the body */
    int number; /* the test's own */
    unsigned kill_after_ms;
    uint64_t began_ns;
    struct scheduler *scheduler;
    struct actors actors;
    struct environment *environment;
    struct environment_exit exit;
};

/* Runs `body` as the main process until it returns TASK_DONE, or for `kill_after_ms` if that is not
 * 0. Deterministic: one worker, jobs in place, virtual clock; else real threads. False: something
 * could not be made. */
bool wasi_run(struct wasi_world *w, bool deterministic, wasi_body *body);

/* The path `name` inside of the directory. Static storage. */
const char *wasi_outside_path(const struct wasi_world *w, const char *name);

/* Makes and removes the directory. */
bool wasi_world_open(struct wasi_world *w);
void wasi_world_close(struct wasi_world *w);

/* Puts a string into the guest's memory at `at`; returns its size. */
uint32_t put(struct guest *g, uint32_t at, const char *text);

/* The errno of an outcome that must be done. */
int errno_of(struct outcome o);

#endif
