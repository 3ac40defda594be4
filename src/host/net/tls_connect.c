/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::networking::tls_connect and tls_connect_alpn: certificates, name, addresses one by one,
 * handshake; all of it within the timeout. */
#include "host/net/names.h"
#include "host/net/rights.h"
#include "host/net/tls.h"
#include "sched/offload.h"

/* ---- what the machine trusts: read by a job, once ---- */

struct net_tls_roots {
    struct offload_job job;
    struct tls_clients *clients;
    struct tls_context *context; /* the result, or NULL: */
    struct error error;
};

static void read_roots(struct offload_job *job)
{
    struct net_tls_roots *r = CONTAINER_OF(job, struct net_tls_roots, job);

    r->context = tls_clients_find(r->clients, NULL, 0); /* another was quicker */
    if (!r->context && !tls_clients_make(r->clients, NULL, 0, &r->context, &r->error))
        r->context = NULL;
}

static void discard_roots(struct offload_job *job)
{
    struct net_tls_roots *r = CONTAINER_OF(job, struct net_tls_roots, job);

    tls_context_unref(r->context);
    mem_free(r);
}

static bool begin_roots(struct guest *g, struct net_tls_connecting *c)
{
    struct net_tls_roots *r = mem_try(struct net_tls_roots);

    if (!r)
        return socket_fail(&c->error, ENOMEM);
    r->job.run = read_roots;
    r->job.discard = discard_roots;
    r->job.waiter = &g->process->task;
    r->clients = g->host->tls_clients;
    c->roots = r;
    offload_submit(g->host->scheduler, guest_worker(g), &r->job);
    return true;
}

static enum net_result step_roots(struct guest *g, struct net_tls_connecting *c)
{
    struct net_tls_roots *r;

    if (!c->context)
        c->context = tls_clients_find(g->host->tls_clients, NULL, 0);
    if (c->context)
        return NET_DONE;
    if (!c->roots && !begin_roots(g, c))
        return NET_FAILED;
    r = c->roots;
    if (!offload_finished(&r->job))
        return NET_WAIT;
    c->roots = NULL;
    c->context = r->context;
    c->error = r->error;
    mem_free(r);
    return c->context ? NET_DONE : NET_FAILED;
}

/* ---- steps ---- */

static enum net_result step_lookup(struct guest *g, struct net_tls_connecting *c, bool may_wait)
{
    struct slice name = slice_text(c->name);
    enum net_result r;

    if (dns_numeric(name, &c->address))
        return NET_DONE;
    if (!c->lookup.task && !net_may_look_up(g, name, &c->error))
        return NET_FAILED;
    r = dns_lookup(g->host->dns, &c->lookup, &g->process->task, name, may_wait, &c->answer,
                   &c->error);
    if (r == NET_DONE)
        net_names_add(g, name, c->answer->addresses, c->answer->count);
    return r;
}

/* Tries one address after the other. */
static enum net_result step_connect(struct guest *g, struct net_tls_connecting *c,
                                    struct stream **tcp)
{
    uint32_t count = c->answer ? c->answer->count : 1;
    enum net_result r;

    for (; c->next < count; c->next++) {
        struct socket_address to = c->answer ? c->answer->addresses[c->next] : c->address;

        to.port = c->port;
        if (!c->connect.stream && !net_permitted(g, NET_CONNECT, &to, &c->error))
            continue;
        r = tcp_connect(&c->connect, g->host->net, guest_worker(g), &g->process->task, &to, tcp,
                        &c->error);
        if (r != NET_FAILED)
            return r;
    }
    return NET_FAILED;
}

/* Goes on as far as it can. NET_FAILED: c->error says why. */
static enum net_result go_on(struct guest *g, struct net_tls_connecting *c, bool may_wait)
{
    struct stream *tcp;
    enum net_result r;

    switch (c->step) {
    case NET_TLS_ROOTS:
        r = step_roots(g, c);
        if (r != NET_DONE)
            return r;
        c->step = NET_TLS_LOOKUP;
        /* fall through */
    case NET_TLS_LOOKUP:
        r = step_lookup(g, c, may_wait);
        if (r != NET_DONE)
            return r;
        c->step = NET_TLS_CONNECT;
        /* fall through */
    case NET_TLS_CONNECT:
        r = step_connect(g, c, &tcp);
        if (r != NET_DONE)
            return r;
        if (!tls_client_new(g->host->tls, c->context, tcp, c->name, c->port, c->alpn, &c->session,
                            &c->error))
            return NET_FAILED;
        c->step = NET_TLS_SHAKE;
        /* fall through */
    case NET_TLS_SHAKE:
    default:
        return tls_handshake(c->session, &g->process->task, &c->error);
    }
}

/* Gives up whatever is under way, and frees it. */
static void drop(struct host *h, struct task *t, struct net_tls_connecting *c)
{
    if (c->roots)
        offload_detach(h->scheduler, &c->roots->job);
    dns_leave(h->dns, &c->lookup);
    dns_answer_unref(c->answer);
    tcp_connect_leave(&c->connect, t);
    if (c->session) {
        tls_handshake_leave(c->session, t);
        stream_free(c->session);
    }
    tls_context_unref(c->context);
    mem_free(c);
}

static void cancel(struct process *p, struct wait *w)
{
    struct guest *g = p->body;

    drop(g->host, &p->task, w->object);
}

/* ---- arguments ---- */

/* The text of a certificate. Guests give (pointer, size), and the Rust library (size, pointer): one
 * of the two begins a PEM text. False: both leave the memory. */
static bool root_of(const struct guest *g, uint32_t first, uint32_t second, struct slice *out)
{
    struct slice a = {0}, b = {0};
    bool has_a = guest_slice(g, first, second, &a), has_b = guest_slice(g, second, first, &b);
    size_t count = 0;

    if (!has_a && !has_b)
        return false;
    if (has_a && has_b && !pem_begins(a) &&
        (pem_begins(b) || a.size > PEM_SIZE_MAX || !tls_read_roots(a, NULL, &count, NULL) ||
         count == 0))
        *out = b;
    else
        *out = has_a ? a : b;
    return true;
}

/* The context that trusts the certificates. NET_FAILED: `err`; NET_WAIT: a trap, bad pointers. */
static enum net_result own_roots(struct guest *g, uint32_t certs, uint32_t count,
                                 struct tls_context **out, struct error *err)
{
    struct slice *roots;
    uint8_t *array;
    bool ok = true;

    if (!guest_array(g, certs, count, 8, &array))
        return NET_WAIT;
    if (count > TLS_ROOTS_MAX) {
        fail(err, ERR_LIMIT, "more than %u trusted certificates", TLS_ROOTS_MAX);
        return NET_FAILED;
    }
    roots = mem_try_array(struct slice, count);
    if (!roots) {
        socket_fail(err, ENOMEM);
        return NET_FAILED;
    }
    for (uint32_t i = 0; ok && i < count; i++) {
        uint32_t pair[2];

        memcpy(pair, array + (size_t)i * 8, sizeof(pair));
        ok = root_of(g, pair[0], pair[1], &roots[i]);
    }
    if (!ok) {
        mem_free(roots);
        return NET_WAIT;
    }
    *out = tls_clients_find(g->host->tls_clients, roots, count);
    ok = *out || tls_clients_make(g->host->tls_clients, roots, count, out, err);
    mem_free(roots);
    return ok ? NET_DONE : NET_FAILED;
}

static struct net_tls_connecting *connecting_new(struct slice name, uint16_t port,
                                                 struct slice alpn)
{
    struct net_tls_connecting *c = mem_try_alloc(1, sizeof(*c) + name.size + 1 + alpn.size);
    char *behind;

    if (!c)
        return NULL;
    memcpy(c->name, name.data, name.size);
    behind = c->name + name.size + 1;
    if (alpn.size > 0)
        memcpy(behind, alpn.data, alpn.size);
    c->alpn = slice_make(behind, alpn.size);
    c->port = port;
    return c;
}

static bool is_name(struct slice name, struct error *err)
{
    char text[TLS_NAME_SIZE_MAX + 1];

    if (name.size == 0 || name.size > TLS_NAME_SIZE_MAX || memchr(name.data, 0, name.size))
        return fail(err, ERR_INVALID, "a server's name has 1 to %u bytes, none of them 0",
                    TLS_NAME_SIZE_MAX);
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    return tls_name_is_valid(text, err);
}

/* ---- the functions ---- */

/* Goes on, and parks or tells the result. */
static struct outcome look(struct guest *g, struct net_tls_connecting *c, uint64_t timeout_ms,
                           uint32_t id_out)
{
    struct process *p = g->process;
    bool is_first = p->wait.kind == WAIT_NONE;
    struct stream *session;
    struct error err;
    enum net_result r;
    uint64_t id;

    r = go_on(g, c, !is_first || timeout_ms != 0);
    if (r == NET_WAIT) {
        if (is_first && timeout_ms != 0)
            wait_begin(p, WAIT_NET_TLS_CONNECT, guest_deadline_ms(g, timeout_ms), cancel, c);
        if (!(is_first && timeout_ms == 0) && !wait_expired(p))
            return guest_park();
    }
    if (p->wait.kind != WAIT_NONE)
        wait_end(p);
    err = c->error;
    session = r == NET_DONE ? c->session : NULL;
    if (session)
        c->session = NULL;
    drop(g->host, &p->task, c);
    if (r == NET_WAIT)
        return net_timed_out(g, id_out);
    if (r == NET_FAILED || !net_stream_add(g, RESOURCE_TLS_STREAM, session, &id, &err))
        return net_failed(g, id_out, err.text);
    ASSERT(guest_write_u64(g, id_out, id));
    return done(NET_OK);
}

static struct outcome connect_to(struct guest *g, const char *function, uint32_t host,
                                 uint32_t host_size, uint32_t port, uint64_t timeout_ms,
                                 uint32_t id_out, uint32_t certs, uint32_t cert_count,
                                 uint32_t protocols, uint32_t protocols_size)
{
    struct tls_context *context = NULL;
    struct net_tls_connecting *c;
    struct slice name, alpn;
    struct error err;

    if (guest_wait(g)->kind == WAIT_NET_TLS_CONNECT)
        return look(g, guest_wait(g)->object, timeout_ms, id_out);
    if (!guest_string(g, host, host_size, &name))
        return guest_trap_string_in(g, function);
    if (!guest_range(g, id_out, 8) || !guest_slice(g, protocols, protocols_size, &alpn))
        return guest_trap_range_in(g, function);
    if (cert_count > 0) {
        switch (own_roots(g, certs, cert_count, &context, &err)) {
        case NET_WAIT:
            return guest_trap_range_in(g, function);
        case NET_FAILED:
            return net_failed(g, id_out, err.text);
        case NET_DONE:
            break;
        }
    }
    if (!is_name(name, &err) || !tls_alpn_is_valid(alpn, &err) || !net_has_room(g, &err)) {
        tls_context_unref(context);
        return net_failed(g, id_out, err.text);
    }
    c = connecting_new(name, (uint16_t)port, alpn);
    if (!c) {
        tls_context_unref(context);
        return guest_trap_in(g, function, "there is no memory for it");
    }
    c->context = context;
    return look(g, c, timeout_ms, id_out);
}

struct outcome host_networking_tls_connect(struct guest *g, uint32_t host, uint32_t host_size,
                                           uint32_t port, uint64_t timeout_ms, uint32_t id_out,
                                           uint32_t certs, uint32_t cert_count)
{
    return connect_to(g, __func__, host, host_size, port, timeout_ms, id_out, certs, cert_count, 0,
                      0);
}

struct outcome host_networking_tls_connect_alpn(struct guest *g, uint32_t host, uint32_t host_size,
                                                uint32_t port, uint64_t timeout_ms, uint32_t id_out,
                                                uint32_t certs, uint32_t cert_count,
                                                uint32_t protocols, uint32_t protocols_size)
{
    return connect_to(g, __func__, host, host_size, port, timeout_ms, id_out, certs, cert_count,
                      protocols, protocols_size);
}
