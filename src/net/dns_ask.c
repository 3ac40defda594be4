/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The thread that asks: c-ares with our poller. Nothing of c-ares is touched by other threads, and
 * no lock is held while it works. */
#include "base/mem.h"
#include "net/dns_internal.h"
#include "plat/clock.h"
#include "plat/file.h"
#include <ares.h>
#include <netinet/in.h>

#define CONFIGURATION          "/etc/resolv.conf"
#define CONFIGURATION_SIZE_MAX (1u << 20)
#define LOOK_AGAIN_NS          NS_PER_SEC /* whether it has changed, at most so often */
#define EVENTS                 64
#define SERVERS_MAX            8

struct dns_channel {
    struct dns *dns;
    ares_channel ares;
    size_t asked; /* entries that it has */
    struct dns_channel *next;
};

struct asker {
    struct dns *dns;
    struct dns_channel *channels; /* the first takes what is new, the others end what they have */
    struct bytes configuration;   /* as it was when the first was made */
    uint64_t looked_ns;           /* at it; 0: never */
};

/* ---- addresses in text ---- */

static bool digits(struct slice s, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(s.data[i] - '0');
        if (n > max)
            return false;
    }
    *out = (uint32_t)n;
    return s.size > 0;
}

/* The part of `s` behind its last `c`, which is cut off. False: there is no `c`. */
static bool cut_behind(struct slice *s, char c, struct slice *behind)
{
    for (size_t i = s->size; i > 0; i--) {
        if (s->data[i - 1] == c) {
            *behind = slice_make(s->data + i, s->size - i);
            s->size = i - 1;
            return true;
        }
    }
    return false;
}

bool dns_numeric(struct slice host, struct socket_address *out)
{
    struct slice scope;
    char text[64];

    *out = (struct socket_address){.family = 4};
    if (cut_behind(&host, '%', &scope)) {
        if (!digits(scope, UINT32_MAX, &out->scope_id))
            return false;
        out->family = 6;
    }
    if (host.size >= sizeof(text) || (host.size && memchr(host.data, 0, host.size)))
        return false;
    memcpy(text, host.data, host.size);
    text[host.size] = '\0';
    if (out->family == 4 && ares_inet_pton(AF_INET, text, out->bytes) == 1)
        return true;
    out->family = 6;
    return ares_inet_pton(AF_INET6, text, out->bytes) == 1;
}

/* ADDRESS, IPV4:PORT or [IPV6]:PORT. */
static bool parse_server(struct slice s, struct ares_addr_port_node *out)
{
    struct socket_address a;
    struct slice port;
    uint32_t number = 0;

    if (!dns_numeric(s, &a)) {
        if (!cut_behind(&s, ':', &port)) {
            port = (struct slice){0};
        } else if (!digits(port, UINT16_MAX, &number) || number == 0) {
            return false;
        }
        if (s.size >= 2 && s.data[0] == '[' && s.data[s.size - 1] == ']') {
            if (!dns_numeric(slice_make(s.data + 1, s.size - 2), &a) || a.family != 6)
                return false;
        } else if (!dns_numeric(s, &a) || a.family != 4) {
            return false;
        }
    }
    out->family = a.family == 4 ? AF_INET : AF_INET6;
    memcpy(&out->addr, a.bytes, a.family == 4 ? 4 : 16);
    out->udp_port = out->tcp_port = (int)number;
    return true;
}

static bool set_servers(ares_channel channel, const char *text)
{
    struct ares_addr_port_node list[SERVERS_MAX] = {{0}};
    size_t count = 0;

    for (;;) {
        size_t size = strcspn(text, ",");

        if (count == SERVERS_MAX || !parse_server(slice_make(text, size), &list[count]))
            return false;
        if (count)
            list[count - 1].next = &list[count];
        count++;
        if (!text[size])
            return ares_set_servers_ports(channel, list) == ARES_SUCCESS;
        text += size + 1;
    }
}

/* ---- channels ---- */

static void socket_changed(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns *d = data;
    uint32_t wanted =
        (readable ? (uint32_t)POLLER_READ : 0u) | (writable ? (uint32_t)POLLER_WRITE : 0u);

    /* A socket that cannot be watched is one that does not answer: the question times out. */
    (void)!poller_watch(&d->poller, fd, wanted, (void *)(uintptr_t)((unsigned)fd + 1), NULL);
}

bool dns_channel_new(struct dns *d, struct dns_channel **out, struct error *err)
{
    struct ares_options options = {.timeout = DNS_TIMEOUT_MS,
                                   .tries = DNS_TRIES,
                                   .sock_state_cb = socket_changed,
                                   .sock_state_cb_data = d};
    struct dns_channel *c = mem_new(struct dns_channel);
    int status;

    c->dns = d;
    status = ares_init_options(&c->ares, &options,
                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        mem_free(c);
        return fail(err, status == ARES_ENOMEM ? ERR_NO_MEMORY : ERR_OS, "the resolver: %s",
                    ares_strerror(status));
    }
    if (d->servers) {
        if (!set_servers(c->ares, d->servers)) {
            dns_channel_free(c);
            return fail(err, ERR_USAGE,
                        "'%s' is no list of name servers like 127.0.0.1:5353,[::1]:53", d->servers);
        }
    }
    *out = c;
    return true;
}

void dns_channel_free(struct dns_channel *c)
{
    if (!c)
        return;
    ares_destroy(c->ares);
    mem_free(c);
}

/* ---- answers ---- */

static const char *words_of(int status)
{
    switch (status) {
    case ARES_ENODATA:
        return "No address associated with hostname";
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
    case ARES_ENONAME:
        return "Name or service not known";
    case ARES_EFORMERR:
    case ARES_ENOTIMP:
    case ARES_EREFUSED:
    case ARES_EBADRESP:
        return "Non-recoverable failure in name resolution";
    default:
        return "Temporary failure in name resolution";
    }
}

static bool convert(const struct ares_addrinfo_node *n, struct socket_address *out)
{
    if (n->ai_family == AF_INET) {
        struct sockaddr_in a;

        memcpy(&a, n->ai_addr, sizeof(a));
        *out = (struct socket_address){.family = 4};
        memcpy(out->bytes, &a.sin_addr, 4);
        return true;
    }
    if (n->ai_family == AF_INET6) {
        struct sockaddr_in6 a;

        memcpy(&a, n->ai_addr, sizeof(a));
        *out = (struct socket_address){.family = 6, .scope_id = a.sin6_scope_id};
        memcpy(out->bytes, &a.sin6_addr, 16);
        return true;
    }
    return false;
}

static void lower(int ttl_s, uint64_t *least)
{
    uint64_t ttl = ttl_s > 0 ? (uint64_t)ttl_s : 0;

    if (ttl < *least)
        *least = ttl;
}

static struct dns_answer *answer_of(const struct ares_addrinfo *from, uint64_t *ttl_s)
{
    struct dns_answer *a;
    size_t count = 0;

    for (const struct ares_addrinfo_node *n = from->nodes; n; n = n->ai_next)
        count++;
    a = dns_answer_new(count < DNS_ADDRESSES_MAX ? count : DNS_ADDRESSES_MAX, NULL);
    if (!a)
        return NULL;
    *ttl_s = DNS_TTL_MAX_S;
    for (const struct ares_addrinfo_node *n = from->nodes; n && a->count < DNS_ADDRESSES_MAX;
         n = n->ai_next) {
        if (convert(n, &a->addresses[a->count])) {
            a->count++;
            lower(n->ai_ttl, ttl_s); /* of what /etc/hosts says: 0 */
        }
    }
    for (const struct ares_addrinfo_cname *n = from->cnames; n; n = n->next)
        lower(n->ttl, ttl_s);
    if (a->count == 0) {
        a->failure = words_of(ARES_ENODATA);
        *ttl_s = DNS_NEGATIVE_S;
    }
    return a;
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    struct dns_entry *e = arg;
    struct dns_answer *a;
    uint64_t ttl_s = 0;

    (void)timeouts;
    e->channel->asked--;
    if (status == ARES_ECANCELLED) {
        dns_entry_again(e);
        return;
    }
    if (status == ARES_SUCCESS && result) {
        a = answer_of(result, &ttl_s);
    } else {
        a = status == ARES_ENOMEM ? NULL : dns_answer_new(0, words_of(status));
        if (status == ARES_ENODATA || status == ARES_ENOTFOUND)
            ttl_s = DNS_NEGATIVE_S;
    }
    if (result)
        ares_freeaddrinfo(result);
    dns_entry_answered(e, a, ttl_s);
}

/* ---- the thread ---- */

/* Makes the first channel, and another when the system's configuration has changed. */
static void refresh(struct asker *k)
{
    struct bytes now = {0};
    struct dns_channel *c = NULL;
    uint64_t now_ns = clock_monotonic_ns();

    if (k->dns->servers && k->channels)
        return;
    if (k->looked_ns && now_ns - k->looked_ns < LOOK_AGAIN_NS)
        return;
    k->looked_ns = now_ns;
    if (!k->dns->servers && !file_read_all(CONFIGURATION, CONFIGURATION_SIZE_MAX, &now, NULL))
        now.size = 0; /* c-ares has defaults */
    if (k->channels && slice_equal(slice_make(now.data, now.size),
                                   slice_make(k->configuration.data, k->configuration.size))) {
        bytes_deinit(&now);
        return;
    }
    if (dns_channel_new(k->dns, &c, NULL)) {
        ASSERT(c);
        c->next = k->channels;
        k->channels = c;
    }
    bytes_deinit(&k->configuration);
    k->configuration = now;
}

static void ask(struct asker *k, struct dns_entry *e)
{
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                                     .ai_socktype = SOCK_STREAM};

    refresh(k);
    if (!k->channels) {
        dns_entry_answered(e, dns_answer_new(0, words_of(ARES_ENOMEM)), 0);
        return;
    }
    e->channel = k->channels;
    e->channel->asked++;
    ares_getaddrinfo(e->channel->ares, e->name, NULL, &hints, answered, e);
}

/* Channels that have been replaced, and have answered all they were asked. */
static void drop_old(struct asker *k)
{
    struct dns_channel **at = k->channels ? &k->channels->next : &k->channels, *c;

    while ((c = *at)) {
        if (c->asked) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        dns_channel_free(c);
    }
}

/* Asks what is queued. False: the end has come. */
static bool ask_queued(struct asker *k)
{
    struct dns *d = k->dns;
    bool go_on;

    for (;;) {
        struct dns_entry *e = NULL;
        bool is_flooded = false;

        mutex_lock(&d->lock);
        go_on = !d->is_ending;
        if (go_on && !list_empty(&d->queue)) {
            is_flooded =
                d->asked_count >= DNS_QUESTIONS_MAX && d->unwanted_count >= DNS_QUESTIONS_MAX / 2;
            if (d->asked_count < DNS_QUESTIONS_MAX) {
                e = CONTAINER_OF(list_pop_front(&d->queue), struct dns_entry, link);
                e->state = DNS_ASKED;
                d->asked_count++;
                d->stats.questions++;
            }
        }
        mutex_unlock(&d->lock);
        if (e) {
            ask(k, e);
        } else if (is_flooded) {
            /* Questions that nobody waits for are in the way. Single ones cannot be withdrawn, so
             * all are, and those that somebody waits for are asked again. */
            for (struct dns_channel *c = k->channels; c; c = c->next)
                ares_cancel(c->ares);
        } else {
            return go_on;
        }
    }
}

static uint64_t timeout_of(const struct asker *k)
{
    uint64_t least = UINT64_MAX;

    for (struct dns_channel *c = k->channels; c; c = c->next) {
        struct timeval tv, *set = ares_timeout(c->ares, NULL, &tv);

        if (set) {
            uint64_t ns = (uint64_t)set->tv_sec * NS_PER_SEC + (uint64_t)set->tv_usec * NS_PER_US;

            if (ns < least)
                least = ns;
        }
    }
    return least;
}

void dns_run(void *arg)
{
    struct dns *d = arg;
    struct asker k = {.dns = d, .channels = d->first};
    struct poller_event events[EVENTS];
    struct dns_channel *c;

    d->first = NULL;
    while (ask_queued(&k)) {
        size_t count = poller_wait(&d->poller, timeout_of(&k), events, EVENTS);

        for (size_t i = 0; i < count; i++) {
            ares_socket_t fd = (ares_socket_t)((uintptr_t)events[i].data - 1);

            /* A channel that does not have the socket does nothing. */
            for (c = k.channels; c; c = c->next)
                ares_process_fd(c->ares, events[i].ready & POLLER_READ ? fd : ARES_SOCKET_BAD,
                                events[i].ready & POLLER_WRITE ? fd : ARES_SOCKET_BAD);
        }
        for (c = k.channels; c; c = c->next)
            ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        drop_old(&k);
    }
    while ((c = k.channels)) {
        k.channels = c->next;
        dns_channel_free(c); /* answers what is still asked */
    }
    bytes_deinit(&k.configuration);
}
