/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/dns.h"
#include "base/mem.h"
#include "net/dns_internal.h"
#include "plat/clock.h"
#include "plat/random.h"

#define TELL_MAX 256 /* tasks that are told in one go */

#define NONAME  "Name or service not known"
#define MEMORY  "Memory allocation failure"
#define FAILURE "failed to lookup address information: "

/* ---- answers ---- */

struct dns_answer *dns_answer_new(size_t count, const char *failure)
{
    struct dns_answer *a = mem_try_alloc(1, sizeof(*a) + count * sizeof(struct socket_address));

    if (a) {
        atomic_init(&a->references, 1);
        a->failure = failure;
    }
    return a;
}

static struct dns_answer *answer_ref(struct dns_answer *a)
{
    if (a)
        atomic_fetch_add_explicit(&a->references, 1, memory_order_relaxed);
    return a;
}

void dns_answer_unref(struct dns_answer *a)
{
    /* acquire-release: whoever frees has seen all uses */
    if (a && atomic_fetch_sub_explicit(&a->references, 1, memory_order_acq_rel) == 1)
        mem_free(a);
}

/* ---- the table ---- */

static uint64_t hash_of(const struct dns *d, const char *name, size_t size) REQUIRES(d->lock)
{
    uint64_t h = d->seed;

    for (size_t i = 0; i < size; i++) {
        h = (h ^ (uint8_t)name[i]) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    return h ^ h >> 32;
}

static struct dns_entry **slot_of(struct dns *d, uint64_t hash) REQUIRES(d->lock)
{
    return &d->slots[hash & (DNS_SLOTS - 1)];
}

/* Out of the table, so that no lookup finds it any more. */
static void forget(struct dns *d, struct dns_entry *e) REQUIRES(d->lock)
{
    struct dns_entry **at = slot_of(d, e->hash);

    while (*at && *at != e)
        at = &(*at)->next;
    if (*at)
        *at = e->next;
}

static void entry_free(struct dns_entry *e)
{
    dns_answer_unref(e->answer);
    mem_free(e);
}

/* Drops a kept answer. */
static void drop_answer(struct dns *d, struct dns_entry *e) REQUIRES(d->lock)
{
    list_remove(&e->link);
    forget(d, e);
    d->stats.answers--;
    entry_free(e);
}

static struct dns_entry *find(struct dns *d, const char *name, size_t size, uint64_t hash)
    REQUIRES(d->lock)
{
    struct dns_entry *e = *slot_of(d, hash);

    while (e && (e->hash != hash || e->size != size || memcmp(e->name, name, size) != 0))
        e = e->next;
    return e;
}

static struct dns_entry *add(struct dns *d, const char *name, size_t size, uint64_t hash)
    REQUIRES(d->lock)
{
    struct dns_entry *e = mem_try_alloc(1, sizeof(*e) + size + 1), **slot = slot_of(d, hash);

    if (!e)
        return NULL;
    e->dns = d;
    e->hash = hash;
    e->size = (uint32_t)size;
    memcpy(e->name, name, size);
    list_init(&e->waiters);
    e->next = *slot;
    *slot = e;
    list_push_back(&d->queue, &e->link);
    return e;
}

/* ---- what the thread reports ---- */

/* Gives the answer to the first of those who wait. False: there are no others. */
static bool tell_some(struct dns *d, struct dns_entry *e, struct dns_answer *a) REQUIRES(d->lock)
{
    struct list *l;

    for (int i = 0; i < TELL_MAX; i++) {
        struct dns_lookup *lookup;

        l = list_pop_front(&e->waiters);
        if (!l)
            return false;
        lookup = CONTAINER_OF(l, struct dns_lookup, link);
        lookup->entry = NULL;
        lookup->answer = answer_ref(a);
        task_wake(d->scheduler, NULL, lookup->task);
    }
    return true;
}

void dns_entry_answered(struct dns_entry *e, struct dns_answer *a, uint64_t ttl_s)
{
    struct dns *d = e->dns;

    mutex_lock(&d->lock);
    d->asked_count--;
    if (list_empty(&e->waiters))
        d->unwanted_count--;
    if (!a || a->failure)
        d->stats.failures++;
    e->state = DNS_TOLD;
    forget(d, e); /* nobody joins any more */
    while (tell_some(d, e, a)) {
        mutex_unlock(&d->lock); /* workers come here, too */
        mutex_lock(&d->lock);
    }
    condition_broadcast(&d->has_answered);
    if (a && ttl_s > 0 && !d->is_ending && !find(d, e->name, e->size, e->hash)) {
        e->state = DNS_ANSWERED;
        e->next = *slot_of(d, e->hash);
        *slot_of(d, e->hash) = e;
        e->answer = a;
        e->expires_ns = clock_monotonic_ns() + ttl_s * NS_PER_SEC;
        list_push_back(&d->answered, &e->link);
        if (++d->stats.answers > DNS_ANSWERS_MAX)
            drop_answer(d, CONTAINER_OF(d->answered.next, struct dns_entry, link));
    } else {
        e->answer = a;
        entry_free(e);
    }
    mutex_unlock(&d->lock);
}

void dns_entry_again(struct dns_entry *e)
{
    struct dns *d = e->dns;

    mutex_lock(&d->lock);
    d->asked_count--;
    if (list_empty(&e->waiters)) {
        d->unwanted_count--;
        forget(d, e);
        entry_free(e);
    } else {
        e->state = DNS_QUEUED;
        e->channel = NULL;
        list_push_front(&d->queue, &e->link);
    }
    mutex_unlock(&d->lock);
}

/* ---- looking up ---- */

/* The name as it is asked for, in lower case. False: there can be no such name. Other bytes than
 * those of host names are refused: c-ares and the rules of processes would read them differently
 * (a backslash), and other resolvers refuse them too. */
static bool normal_name(struct slice host, char *out)
{
    size_t size = host.size;

    if (size > 0 && host.data[size - 1] == '.')
        size--;
    if (size == 0 || size > DNS_NAME_MAX || host.data[0] == '.')
        return false;
    for (size_t i = 0; i < host.size; i++) {
        uint8_t c = host.data[i];

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
        out[i] = (char)c;
    }
    out[host.size] = '\0';
    return true;
}

static enum net_result told(struct dns_answer *a, struct dns_answer **out, struct error *err)
{
    if (a && !a->failure) {
        *out = a;
        return NET_DONE;
    }
    fail(err, ERR_NOT_FOUND, FAILURE "%s", a ? a->failure : MEMORY);
    dns_answer_unref(a);
    return NET_FAILED;
}

/* What is needed before the first question. */
static bool start(struct dns *d, struct error *err) REQUIRES(d->lock)
{
    if (!d->slots) {
        d->slots = mem_try_array(struct dns_entry *, DNS_SLOTS);
        if (!d->slots)
            return fail(err, ERR_NO_MEMORY, FAILURE MEMORY);
        random_bytes(&d->seed, sizeof(d->seed));
    }
    if (d->is_running)
        return true;
    if (!poller_open(&d->poller, err))
        return fail_in(err, "the resolver");
    d->is_running = thread_create(&d->thread, "dns", dns_run, d, err);
    if (!d->is_running) {
        poller_close(&d->poller);
        return fail_in(err, "the resolver");
    }
    return true;
}

/* Joins the entry of that name, which is made if need be. */
static enum net_result join(struct dns *d, struct dns_lookup *l, struct task *t, const char *name,
                            size_t size, bool may_ask, struct dns_answer **out, struct error *err)
    REQUIRES(d->lock)
{
    struct dns_entry *e;
    uint64_t hash;

    if (!start(d, err))
        return NET_FAILED;
    d->stats.lookups++;
    hash = hash_of(d, name, size);
    e = find(d, name, size, hash);
    if (e && e->state == DNS_ANSWERED) {
        if (e->expires_ns > clock_monotonic_ns()) {
            d->stats.known++;
            return told(answer_ref(e->answer), out, err);
        }
        drop_answer(d, e);
        e = NULL;
    }
    if (!may_ask)
        return NET_WAIT;
    if (!e) {
        e = add(d, name, size, hash);
        if (!e)
            return told(NULL, out, err);
        poller_wake(&d->poller);
    }
    if (e->state == DNS_ASKED && list_empty(&e->waiters))
        d->unwanted_count--;
    *l = (struct dns_lookup){.entry = e, .task = t};
    list_push_back(&e->waiters, &l->link);
    return NET_WAIT;
}

static enum net_result tell_address(const struct socket_address *at, struct dns_answer **out,
                                    struct error *err)
{
    struct dns_answer *a = dns_answer_new(1, NULL);

    if (a) {
        a->count = 1;
        a->addresses[0] = *at;
    }
    return told(a, out, err);
}

enum net_result dns_lookup(struct dns *d, struct dns_lookup *l, struct task *t, struct slice host,
                           bool may_ask, struct dns_answer **out, struct error *err)
{
    enum net_result result = NET_WAIT;
    char name[DNS_NAME_MAX + 2];
    struct socket_address numeric;
    struct dns_answer *a;

    if (!l->task && dns_numeric(host, &numeric))
        return tell_address(&numeric, out, err);
    mutex_lock(&d->lock);
    if (!l->task) {
        if (!normal_name(host, name)) {
            mutex_unlock(&d->lock);
            fail(err, ERR_NOT_FOUND, FAILURE NONAME);
            return NET_FAILED;
        }
        result = join(d, l, t, name, host.size, may_ask, out, err);
    }
    while (l->entry && scheduler_is_deterministic(d->scheduler))
        condition_wait(&d->has_answered, &d->lock);
    if (l->task && !l->entry) {
        a = l->answer;
        *l = (struct dns_lookup){0};
        result = told(a, out, err);
    }
    mutex_unlock(&d->lock);
    return result;
}

void dns_leave(struct dns *d, struct dns_lookup *l)
{
    struct dns_entry *e;

    if (!l->task)
        return;
    mutex_lock(&d->lock);
    e = l->entry;
    if (e) {
        list_remove(&l->link);
        if (!list_empty(&e->waiters)) {
            /* others wait for it */
        } else if (e->state == DNS_QUEUED) {
            list_remove(&e->link);
            forget(d, e);
            entry_free(e);
        } else if (e->state == DNS_ASKED) {
            d->unwanted_count++;
        }
    }
    dns_answer_unref(l->answer);
    *l = (struct dns_lookup){0};
    mutex_unlock(&d->lock);
}

/* ---- life ---- */

bool dns_new(struct scheduler *s, const char *servers, struct dns **out, struct error *err)
{
    struct dns *d = mem_new(struct dns);

    d->scheduler = s;
    d->poller = (struct poller){-1, -1};
    mutex_init(&d->lock);
    condition_init(&d->has_answered);
    mutex_lock(&d->lock);
    list_init(&d->queue);
    list_init(&d->answered);
    mutex_unlock(&d->lock);
    if (servers) {
        size_t size = strlen(servers) + 1;

        d->servers = mem_alloc(1, size);
        memcpy(d->servers, servers, size);
        if (!dns_channel_new(d, &d->first, err)) {
            dns_free(d);
            return false;
        }
    }
    *out = d;
    return true;
}

void dns_free(struct dns *d)
{
    struct list *l;
    bool is_running;

    if (!d)
        return;
    mutex_lock(&d->lock);
    d->is_ending = true;
    is_running = d->is_running;
    mutex_unlock(&d->lock);
    if (is_running) {
        poller_wake(&d->poller);
        thread_join(&d->thread);
    }
    dns_channel_free(d->first);
    mutex_lock(&d->lock);
    if (is_running)
        poller_close(&d->poller);
    while ((l = list_pop_front(&d->queue)))
        entry_free(CONTAINER_OF(l, struct dns_entry, link));
    while ((l = list_pop_front(&d->answered)))
        entry_free(CONTAINER_OF(l, struct dns_entry, link));
    mem_free(d->slots);
    mutex_unlock(&d->lock);
    condition_deinit(&d->has_answered);
    mutex_deinit(&d->lock);
    mem_free(d->servers);
    mem_free(d);
}

void dns_stats(struct dns *d, struct dns_stats *out)
{
    mutex_lock(&d->lock);
    *out = d->stats;
    mutex_unlock(&d->lock);
}
