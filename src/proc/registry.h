/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names of processes, one registry per environment.
 *
 * A name stands for (node id, process id) exactly as given. An entry that names a process of this
 * node which has ended is absent, and its storage is reused. get_or_spawn holds a name exclusively
 * by a *claim*: an entry with an owner rather than a lock, so that others go on using the registry,
 * and death of the owner (the wait's cancel, or the body's release) gives it up. All functions: any
 * thread; they take a lock for a moment and never wait. */
#ifndef PROC_REGISTRY_H
#define PROC_REGISTRY_H

#include "base/bytes.h"
#include "plat/thread.h"
#include <stdint.h>

#define REGISTRY_NAME_SIZE_MAX (1u << 20) /* bytes of a name */
#define REGISTRY_COUNT_MAX     (1u << 24) /* entries */

struct environment;
struct registry_entry;

struct registry {
    struct environment *environment;
    struct mutex lock;
    struct registry_entry **slots; /* hash table with chains; a power of two */
    size_t slot_count;
    size_t count;
    size_t sweep_at; /* entries of the dead are removed when `count` reaches this */
    uint64_t claim_serial;
    uint32_t *named; /* how many entries name processes, by a hash of their ids */
};

void registry_init(struct registry *r, struct environment *e);
void registry_deinit(struct registry *r);

/* Stores or overwrites. False: a limit, or no memory (by the accounting of base/mem.h, too). A
 * claimed name gets the value at once; the claim's own is then not stored. */
bool registry_put(struct registry *r, struct slice name, uint64_t node_id, uint64_t process_id)
    MUST_USE;

/* False: no such name, or its process has ended. */
bool registry_get(struct registry *r, struct slice name, uint64_t *node_id, uint64_t *process_id);

void registry_remove(struct registry *r, struct slice name);

/* Names, with those of processes that have ended and were not swept yet, and claims. Any thread. */
size_t registry_count(struct registry *r);

enum registry_claim {
    REGISTRY_FOUND,   /* the name stands for *node_id, *process_id */
    REGISTRY_CLAIMED, /* it is `owner`'s to spawn: registry_fulfil or registry_release must follow
                       */
    REGISTRY_BUSY, /* another process is spawning it: park (WAIT_NAME); `owner` is woken, asks again
                    */
    REGISTRY_FULL, /* a limit, or no memory */
};

/* `*ticket` is 0 on the first call and kept between the calls of one wait. */
enum registry_claim registry_claim(struct registry *r, struct slice name, uint64_t owner,
                                   uint64_t *ticket, uint64_t *node_id, uint64_t *process_id);

/* Ends the claim: the name stands for the new process; or for nothing. Those who wait are woken. */
void registry_fulfil(struct registry *r, struct slice name, uint64_t owner, uint64_t node_id,
                     uint64_t process_id);
void registry_release(struct registry *r, struct slice name, uint64_t owner);

/* Calls `each` with the names (shortened as for registry_names) of processes of this node, those in
 * a stretch of the table from position `from` (0 at first): under the lock, for about `count` of
 * them. Where to go on, or 0 at the end. Names that come or go meanwhile may be missed or told
 * twice. */
size_t registry_list(struct registry *r, size_t from, size_t count,
                     void (*each)(void *arg, uint64_t process_id, struct slice name), void *arg);

/* Appends the names of a process of this node for a log line: `"a" / "b"`, each shortened to what
 * follows the third '/' and made printable on one line, nothing if it has none. Also for a process
 * that has just ended. */
void registry_names(struct registry *r, uint64_t process_id, struct bytes *out);

#endif
