/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a process waits for: plain data in the control block.
 *
 * A host function that must wait is called again when its process wakes. What it has already done
 * is a step in the wait, so that it acts once; kind == WAIT_NONE says that this is its first call.
 * `done`, `trap` and death clear the wait. While the guest runs a function on behalf of a host
 * function, the wait of the suspended one is kept aside with wait_save and put back with
 * wait_restore.
 *
 * Senders read kind and tags of a parked process to know whether it wants to be woken; therefore
 * the owner changes a wait only through the functions here. */
#ifndef PROC_WAIT_H
#define PROC_WAIT_H

#include "plat/clock.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process;

/* Kinds from WAIT_OTHER on belong to the layers above: no message wakes them. */
enum wait_kind {
    WAIT_NONE = 0,
    WAIT_MESSAGE, /* a message bearing one of the tags, or any if tag_count == 0 */
    WAIT_TIME,    /* the deadline */
    WAIT_ANSWER,  /* an answer with this key (process_answer) */
    WAIT_NAME,    /* a name that another process is spawning */
    WAIT_OTHER,
};

#define WAIT_TAGS_INLINE 2
#define WAIT_TAGS_MANY   255 /* as tag_count: more than fit, every message wakes */

enum wait_flags {
    WAIT_ANSWERED = 1, /* the answer has come: value */
};

/* 40 bytes. All-zero is "not waiting". */
struct wait {
    uint8_t kind;      /* enum wait_kind or above */
    uint8_t step;      /* the host function's own */
    uint8_t tag_count; /* WAIT_MESSAGE: how many of `tags`, or WAIT_TAGS_MANY */
    uint8_t flags;     /* enum wait_flags */
    uint32_t extra;    /* the host function's own */
    uint64_t
        deadline_ns; /* of the scheduler's clock, DEADLINE_NEVER: none; valid if kind is not NONE */
    union {
        int64_t tags[WAIT_TAGS_INLINE];
        uint64_t key; /* WAIT_ANSWER */
        struct {
            void (*cancel)(struct process *p, struct wait *w); /* kinds >= WAIT_NAME; may be NULL */
            void *object;
        };
    };
    uint64_t value; /* the host function's own; WAIT_ANSWER: the answer; WAIT_MESSAGE: see
                       wait_message */
};

/* Begins a wait for messages of the `tags`, until the deadline. The value is the arrival number
 * before which messages are not looked at (0: all are), for mailbox_take. */
void wait_message(struct process *p, const int64_t *tags, size_t tag_count, uint64_t deadline_ns,
                  uint64_t since);

/* Begins a wait of another kind. For kinds from WAIT_NAME on `cancel`, if not NULL, is called when
 * the wait is dropped before its host function has seen the end of it (death, or a trap that
 * unwinds it). */
void wait_begin(struct process *p, uint8_t kind, uint64_t deadline_ns,
                void (*cancel)(struct process *, struct wait *), void *object);

/* Begins a wait for the answer with `key`. */
void wait_answer(struct process *p, uint64_t key, uint64_t deadline_ns);

/* The host function is done: forgets the wait without cancelling. */
void wait_end(struct process *p);

/* Cancels the wait that is in the control block, if any, and forgets it. */
void wait_cancel(struct process *p);

/* Copies the wait to `out` and leaves WAIT_NONE; puts it back. Calling a kept wait's `cancel` when
 * it is dropped is the keeper's duty: wait_cancel_saved. */
void wait_save(struct process *p, struct wait *out);
void wait_restore(struct process *p, const struct wait *w);
void wait_cancel_saved(struct process *p, struct wait *w);

/* Whether the deadline has passed. Owning task only. */
bool wait_expired(const struct process *p);

#endif
