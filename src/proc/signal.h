/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The queue of signals that any thread may send and only the owner handles, in order; and, in the
 * same word, whether the process is alive.
 *
 * The word is generation << 32 | node number << 2 | ALIVE | PARKED. Whoever sends compares the
 * generation with the process id's and pushes in one compare-and-swap, so a signal reaches the
 * process that the id means or nobody: looking a process up, its being alive, and the queue being
 * open are one atomic fact. PARKED says that the owner has looked at the queue for the last time
 * before it sleeps, so a sender that does not see it need not wake anybody: the owner will look
 * again.
 *
 * The nodes form a stack; the owner takes all of it at once and turns it round.
 *
 * A process that does not get to run must not be filled with signals without end. `room` is what
 * may still queue up, in units of 64 bytes. A sender that finds the queue empty has nothing to
 * count; any other takes what its signal weighs, and the owner gives that back with what it drains.
 * The one that finds no room sends SIGNAL_OVERFLOW in its place, which ends the process; to those
 * that come after that it does not exist any more. */
#ifndef PROC_SIGNAL_H
#define PROC_SIGNAL_H

#include "proc/message.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct environment;
struct process;

#define INBOX_ALIVE            1u
#define INBOX_PARKED           2u
#define INBOX_NODE_SHIFT       2
#define INBOX_GENERATION(word) ((uint32_t)((word) >> 32))

/* A sender that need not wake a parked process does so all the same once in so many times, so that
 * signals do not pile up unsorted, and are counted against limits. */
#define INBOX_WAKE_ONE_IN 1024

/* What may queue up besides what the configuration allows in the mailbox: signals that are no
 * messages, and those a process sends itself in one slice. */
#define INBOX_SLACK (16u << 20)

/* The room of a process whose mailbox may have so many bytes. */
int32_t inbox_room(uint64_t mailbox_size_max);

/* What a signal takes of it. */
static inline int32_t inbox_weight(const struct message *m)
{
    return (int32_t)((message_weight(m) + 63) / 64);
}

/* Queues `m` for the process `to` and wakes it if it waits for such a thing. Takes `m` whatever
 * happens: sent to a process that does not exist, or is about to end for want of room, it is freed,
 * and false is returned. Any thread; never waits. */
bool signal_send(struct environment *e, uint64_t to, struct message *m);

/* The signals of section 3.4 of the reference, as process `p` asks for them. Everything that p
 * requests about itself is queued too and acts when p handles its signals next. Owning task only.
 */
void process_link(struct process *p, uint64_t other, int64_t tag);
void process_unlink(struct process *p, uint64_t other);
void process_monitor(struct process *p, uint64_t other);
void process_demonitor(struct process *p, uint64_t other);
void process_die_when_link_dies(struct process *p, bool die);

/* Asks the process to end at once, reason EXIT_KILLED. False: there is none. Any thread. */
bool process_kill(struct environment *e, uint64_t process_id);

/* Sends a message, which becomes a SIGNAL_MESSAGE whatever its kind; as signal_send. Any thread. */
bool process_send(struct environment *e, uint64_t to, struct message *m);

/* If process `to` waits for an answer with this key, ends that wait: its flags get WAIT_ANSWERED,
 * its value `value`. An answer that nobody waits for (any more) is lost. Any thread. */
void process_answer(struct environment *e, uint64_t to, uint64_t key, uint64_t value);

/* Hints to the process that what it waits for (in a wait of the layers above) may have come.
 * Harmless if it does not exist or is not waiting. Any thread; never waits. */
void process_wake(struct environment *e, uint64_t process_id);

#endif
