/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::networking::resolve. */
#include "host/net/names.h"
#include "net/dns.h"
#include "proc/rules.h"

/* A lookup that the process waits for: WAIT_NET_RESOLVE. */
static void cancel(struct process *p, struct wait *w)
{
    struct net_resolving *r = w->object;
    struct guest *g = p->body;

    dns_leave(g->host->dns, &r->lookup);
    mem_free(r);
}

/* A port as guests' libraries read it: 0 to 65535 in decimal, with "+" or zeros in front or not. */
static bool parse_port(struct slice s, uint16_t *out)
{
    uint32_t n = 0;
    size_t i = s.size > 1 && s.data[0] == '+' ? 1 : 0;

    if (s.size == 0)
        return false;
    for (; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        n = n * 10 + (uint32_t)(s.data[i] - '0');
        if (n > UINT16_MAX)
            return false;
    }
    *out = (uint16_t)n;
    return true;
}

/* Cuts "HOST:PORT" at the last colon. */
static bool split(struct slice text, struct slice *host, uint16_t *port, struct error *err)
{
    size_t at = text.size;

    while (at > 0 && text.data[at - 1] != ':')
        at--;
    if (at == 0)
        return fail(err, ERR_INVALID, "invalid socket address");
    if (!parse_port(slice_make(text.data + at, text.size - at), port))
        return fail(err, ERR_INVALID, "invalid port value");
    *host = slice_make(text.data, at - 1);
    return true;
}

static struct outcome found(struct guest *g, const struct socket_address *addresses, size_t count,
                            uint16_t port, uint32_t id_out)
{
    struct socket_address with_port[DNS_ADDRESSES_MAX];
    uint64_t id;

    for (size_t i = 0; i < count; i++) {
        with_port[i] = addresses[i];
        with_port[i].port = port;
    }
    if (!net_add_addresses(g, with_port, count, &id))
        return guest_trap_in(g, "host_networking_resolve", NET_TOO_MUCH);
    ASSERT(guest_write_u64(g, id_out, id));
    return done(NET_OK);
}

/* Looks (again), and parks or tells the result. Takes `r`. */
static struct outcome look(struct guest *g, struct net_resolving *r, bool may_ask, uint32_t id_out)
{
    struct slice host = slice_make(r->name, r->size);
    struct process *p = g->process;
    struct dns_answer *a = NULL;
    struct outcome o;
    struct error err;

    switch (dns_lookup(g->host->dns, &r->lookup, &p->task, host, may_ask, &a, &err)) {
    case NET_WAIT:
        if (!may_ask) {
            mem_free(r);
            return net_timed_out(g, id_out);
        }
        return guest_park();
    case NET_FAILED:
        o = net_failed(g, id_out, err.text);
        break;
    case NET_DONE:
    default:
        net_names_add(g, host, a->addresses, a->count);
        o = found(g, a->addresses, a->count, r->port, id_out);
        dns_answer_unref(a);
        break;
    }
    if (p->wait.kind != WAIT_NONE)
        wait_end(p);
    mem_free(r);
    return o;
}

struct outcome host_networking_resolve(struct guest *g, uint32_t name, uint32_t name_size,
                                       uint64_t timeout_ms, uint32_t id_out)
{
    struct wait *w = guest_wait(g);
    struct socket_address numeric;
    struct slice text, host = slice_text("");
    struct net_resolving *r;
    struct outcome o;
    struct error err;
    uint16_t port = 0;

    if (w->kind == WAIT_NET_RESOLVE) {
        o = look(g, w->object, true, id_out);
        if (o.kind != OUTCOME_PARK || !wait_expired(g->process))
            return o;
        wait_cancel(g->process);
        return net_timed_out(g, id_out);
    }
    if (!guest_string(g, name, name_size, &text))
        return guest_trap_string(g);
    if (!guest_range(g, id_out, 8))
        return guest_trap_range(g);
    if (!split(text, &host, &port, &err))
        return net_failed(g, id_out, err.text);
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']' &&
        dns_numeric(slice_make(host.data + 1, host.size - 2), &numeric) && numeric.family == 6)
        return found(g, &numeric, 1, port, id_out);
    if (dns_numeric(host, &numeric))
        return found(g, &numeric, 1, port, id_out);
    if (!net_may_look_up(g, host, &err))
        return net_failed(g, id_out, err.text);
    if (host.size > NET_NAME_SIZE_MAX + 1)
        host.size = NET_NAME_SIZE_MAX + 2; /* too long to be one in any case */
    r = mem_try_alloc(1, sizeof(*r) + host.size);
    if (!r)
        return guest_trap(g, "there is no memory for it");
    r->port = port;
    r->size = (uint32_t)host.size;
    memcpy(r->name, host.data, host.size);
    o = look(g, r, timeout_ms != 0, id_out);
    if (o.kind == OUTCOME_PARK)
        wait_begin(g->process, WAIT_NET_RESOLVE, guest_deadline_ms(g, timeout_ms), cancel, r);
    return o;
}
