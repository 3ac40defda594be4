/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The messages a process has received and not yet taken, oldest first.
 *
 * Private to the process: other threads send signals (signal.h), and the owner moves the messages
 * among them here, in the order of arrival. While more than a few wait, an index from each tag to
 * its oldest message makes a receive by tag cost the same however many others wait. */
#ifndef PROC_MAILBOX_H
#define PROC_MAILBOX_H

#include "proc/message.h"

struct tag_index;

#define MAILBOX_SCAN_MAX 8 /* with more messages than this there is an index */

/* All-zero is valid and empty. */
struct mailbox {
    struct message *first, *last; /* oldest, newest; linked by next and prev */
    struct tag_index *index;      /* of all messages that have a tag; NULL: none built */
    uint64_t size;                /* weight of all messages */
    uint64_t arrivals;            /* messages that ever arrived: the number of the next one */
    uint32_t count;
    uint32_t holder; /* the process's own use: the number of its control block, from 1 up; its id is
                        generation << 32 | number */
};

/* Appends and takes the message. False: no memory for the index; the message is then the caller's.
 */
bool mailbox_add(struct mailbox *mb, struct message *m) MUST_USE;

/* Takes the oldest message whose tag is among `tags`, or the oldest of all if `tag_count` is 0, and
 * leaves the others in place. Messages without a tag match no list; tag 0 in a list matches
 * nothing. Those that arrived before number `since` are not looked at. NULL: there is none. */
struct message *mailbox_take(struct mailbox *mb, const int64_t *tags, size_t tag_count,
                             uint64_t since) MUST_USE;

/* Frees all messages. */
void mailbox_deinit(struct mailbox *mb, struct actors *a);

/* Walks the invariants; tests only. */
void mailbox_check(const struct mailbox *mb);

#endif
