/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What dns.c (who wants to know what, and what is known) and dns_ask.c (the thread that asks)
 * share.
 *
 * An entry is a name somebody has asked for: it waits in the queue to be asked, then the thread has
 * it, asks, and tells those who wait; then it is an answer, until that is too old. Whoever looks a
 * name up joins its entry. */
#ifndef NET_DNS_INTERNAL_H
#define NET_DNS_INTERNAL_H

#include "net/dns.h"
#include "plat/poller.h"
#include "plat/thread.h"

#define DNS_SLOTS 4096 /* of the table; a power of two */

enum dns_state { DNS_QUEUED, DNS_ASKED, DNS_TOLD, DNS_ANSWERED };

struct dns_entry {
    struct list link;       /* QUEUED: in `queue`; ANSWERED: in `answered`; else none */
    struct dns_entry *next; /* in its slot of the table; not while it is TOLD */
    uint64_t hash;
    struct list waiters; /* of struct dns_lookup; none when ANSWERED */
    struct dns *dns;
    struct dns_channel *channel; /* ASKED: through which */
    struct dns_answer *answer;   /* ANSWERED */
    uint64_t expires_ns;         /* ANSWERED: of the monotonic clock */
    enum dns_state state;
    uint32_t size;
    char name[]; /* lower case, `size` bytes and a terminator */
};

struct dns {
    struct scheduler *scheduler;
    char *servers;             /* NULL: those of resolv.conf */
    struct dns_channel *first; /* made by dns_new to look at `servers`; the thread takes it */
    struct poller poller;      /* the thread's */
    struct thread thread;
    struct mutex lock;
    struct condition has_answered;          /* for who waits in a deterministic run */
    bool is_running FIELD_GUARDED_BY(lock); /* the thread, and the poller is open */
    bool is_ending FIELD_GUARDED_BY(lock);
    uint64_t seed FIELD_GUARDED_BY(lock); /* of the table */
    struct dns_entry **
        slots FIELD_GUARDED_BY(lock); /* DNS_SLOTS of them; NULL until the first lookup */
    struct list queue FIELD_GUARDED_BY(lock);
    struct list answered FIELD_GUARDED_BY(lock); /* oldest first */
    size_t asked_count FIELD_GUARDED_BY(lock);   /* entries that are ASKED */
    size_t
        unwanted_count FIELD_GUARDED_BY(lock); /* of them, those that nobody waits for any more */
    struct dns_stats stats FIELD_GUARDED_BY(lock);
};

/* dns_ask.c: the thread; `arg` is the struct dns. */
void dns_run(void *arg);

/* A channel with that list of servers. Fails with ERR_USAGE (the list), ERR_NO_MEMORY, ERR_OS. */
bool dns_channel_new(struct dns *d, struct dns_channel **out, struct error *err) MUST_USE;
void dns_channel_free(struct dns_channel *c);

/* dns.c, for the thread: the answer to an ASKED entry, which is taken; `ttl_s` 0: it is not kept.
 * NULL: there was no memory for one. */
void dns_entry_answered(struct dns_entry *e, struct dns_answer *a, uint64_t ttl_s);

/* It was not answered because its channel was cleared: asked again if somebody waits. */
void dns_entry_again(struct dns_entry *e);

/* An answer with room for so many addresses; NULL: no memory. */
struct dns_answer *dns_answer_new(size_t count, const char *failure) MUST_USE;

#endif
