/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names to addresses: parked, shared and cached.
 *
 * A thread of its own, begun at the first lookup, asks through c-ares, which reads /etc/hosts,
 * nsswitch.conf and resolv.conf (again when that has changed). Tasks that look up one name at the
 * same time share one question; answers are kept as long as their time to live says, "there is no
 * such name" for a few seconds. */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/bytes.h"
#include "base/list.h"
#include "net/net.h"

#define DNS_NAME_MAX      253  /* bytes of a name, without a dot at its end */
#define DNS_ADDRESSES_MAX 256  /* of one answer; the rest is left out */
#define DNS_ANSWERS_MAX   4096 /* kept, the oldest goes first */
#define DNS_QUESTIONS_MAX 4096 /* under way; further ones wait their turn */
#define DNS_TTL_MAX_S     3600 /* that an answer is kept, whatever it says */
#define DNS_NEGATIVE_S    5    /* that it is remembered that a name does not exist */
#define DNS_TIMEOUT_MS    2000 /* for the first try; each further one has twice as long */
#define DNS_TRIES         3    /* of each server */

struct dns;

/* What is known of a name. Constant and shared. */
struct dns_answer {
    _Atomic uint32_t references;
    uint32_t count;
    const char *failure; /* why there are no addresses, in words; static. NULL: there are */
    struct socket_address addresses[]; /* in the order in which they are to be tried; port 0 */
};

/* A task's lookup. The storage is the caller's; all-zero before the first call. */
struct dns_lookup {
    struct list link;        /* among those who want the same */
    struct dns_entry *entry; /* NULL: does not wait (any more) */
    struct dns_answer *answer;
    struct task *task;
};

/* `servers`: "ADDRESS[:PORT],..." (IPv6 in brackets where a port follows) instead of those of
 * resolv.conf; NULL: those. Fails with ERR_USAGE. */
bool dns_new(struct scheduler *s, const char *servers, struct dns **out, struct error *err)
    MUST_USE;

/* No task uses it any more. NULL is harmless. */
void dns_free(struct dns *d);

/* Looks `host` up for `t`. NET_DONE: `*out` has at least one address, and is the caller's to unref;
 * NET_WAIT: call it again when woken, or dns_leave; NET_FAILED: `err` has the words that guests
 * get. After DONE and FAILED `l` is all-zero again. `may_ask` false: only what is known already is
 * told, else the result is NET_WAIT with `l` all-zero: nobody will wake the task. Deterministic
 * runs never see NET_WAIT otherwise: there the calling thread waits. */
enum net_result dns_lookup(struct dns *d, struct dns_lookup *l, struct task *t, struct slice host,
                           bool may_ask, struct dns_answer **out, struct error *err) MUST_USE;

/* Gives up. Harmless if `l` does not wait. Any thread. */
void dns_leave(struct dns *d, struct dns_lookup *l);

/* An address in the usual notation, IPv6 with or without "%SCOPE" (a number). Port 0. */
bool dns_numeric(struct slice host, struct socket_address *out);

void dns_answer_unref(struct dns_answer *a); /* NULL is harmless */

/* Ever since the start. */
struct dns_stats {
    uint64_t lookups;   /* of tasks */
    uint64_t known;     /* of them, answered from memory */
    uint64_t questions; /* asked */
    uint64_t failures;  /* of questions */
    uint64_t answers;   /* in memory now */
};
void dns_stats(struct dns *d, struct dns_stats *out);

#endif
