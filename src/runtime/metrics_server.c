/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "runtime/metrics_server.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "plat/clock.h"
#include "plat/poller.h"
#include "plat/thread.h"
#include "proc/net_rule.h"
#include "runtime/internal.h"
#include "runtime/metrics_request.h"
#include "runtime/metrics_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 8u    /* connections served at a time */
#define REQUEST_MAX 8192u /* bytes of a request */
#define DRAIN_MAX   65536u
#define REQUEST_NS  (5 * NS_PER_SEC)  /* for a request to come */
#define ANSWER_NS   (15 * NS_PER_SEC) /* and for the answer to go */
#define ACCEPT_NS   NS_PER_SEC        /* until the next try when there is no descriptor */
#define EVENTS_MAX  16u

enum client_state {
    CLIENT_FREE,
    CLIENT_READS,
    CLIENT_WRITES,
    CLIENT_DRAINS, /* all is sent; waits for the other side to end, lest it lose what was sent */
};

struct client {
    enum client_state state;
    int fd;
    uint64_t since_ns, until_ns;
    size_t request_size, sent, drained;
    char *request;       /* REQUEST_MAX bytes, while it reads */
    struct bytes answer; /* while it writes */
};

struct metrics_server {
    struct lunatic_runtime *runtime;
    struct socket_address address;
    struct poller poller;
    struct thread thread;
    int listener;
    uint64_t accept_ns; /* when to try again; DEADLINE_NEVER: when the poller says so */
    _Atomic bool is_stopping;
    struct client clients[CLIENTS_MAX];
};

/* ---- addresses ---- */

static bool parse_port(const char *text, uint16_t *out)
{
    unsigned long n = 0;

    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (unsigned long)(*text - '0');
        if (n > UINT16_MAX)
            return false;
    }
    *out = (uint16_t)n;
    return true;
}

static bool parse_host(struct slice host, struct socket_address *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    bool is_bracketed = host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    struct net_address a;

    out->family = 4;
    if (host.size == 0 || slice_equal(host, slice_text("*")))
        return true; /* 0.0.0.0 */
    if (slice_equal(host, slice_text("localhost"))) {
        memcpy(out->bytes, loopback, sizeof(loopback));
        return true;
    }
    if (is_bracketed)
        host = slice_make(host.data + 1, host.size - 2);
    if (!net_address_parse(host, &a))
        return false;
    if (!is_bracketed && memcmp(a.bytes, mapped, sizeof(mapped)) == 0) {
        memcpy(out->bytes, a.bytes + sizeof(mapped), 4);
        return true;
    }
    out->family = 6;
    memcpy(out->bytes, a.bytes, sizeof(a.bytes));
    return is_bracketed;
}

bool metrics_address_parse(const char *text, struct socket_address *out, struct error *err)
{
    const char *colon = strrchr(text, ':');

    *out = (struct socket_address){0};
    if (colon && parse_port(colon + 1, &out->port) &&
        parse_host(slice_make(text, (size_t)(colon - text)), out))
        return true;
    return fail(err, ERR_USAGE,
                "'%.100s' is no address to listen at: a numeric address or 'localhost', a colon "
                "and a port, like 127.0.0.1:9927",
                text);
}

/* ---- answers ---- */

static bool make_answer(struct bytes *out, const char *status, const char *type, const char *extra,
                        struct slice body, bool is_head)
{
    return bytes_printf(out,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                        "Connection: close\r\n\r\n",
                        status, type, body.size, extra) &&
           (is_head || body.size == 0 || bytes_append(out, body.data, body.size));
}

static bool say(struct bytes *out, const char *status, const char *extra, const char *words)
{
    return make_answer(out, status, "text/plain; charset=utf-8", extra, slice_text(words), false);
}

static bool answer(struct lunatic_runtime *rt, const char *request, size_t size, struct bytes *out)
{
    struct bytes text = {0};
    bool is_head, ok;

    switch (metrics_request_parse(request, size, &is_head)) {
    case METRICS_OK:
        if (!metrics_write(rt, &text))
            return say(out, "503 Service Unavailable", "", "There is no memory for the metrics.\n");
        ok = make_answer(out, "200 OK", METRICS_CONTENT_TYPE, "", slice_make(text.data, text.size),
                         is_head);
        bytes_deinit(&text);
        return ok;
    case METRICS_INDEX:
        return make_answer(out, "200 OK", "text/html; charset=utf-8", "",
                           slice_text("<!doctype html><title>lunatic</title>"
                                      "<a href=\"/metrics\">metrics</a>\n"),
                           is_head);
    case METRICS_NOT_FOUND:
        return is_head ? make_answer(out, "404 Not Found", "text/plain; charset=utf-8", "",
                                     slice_text(""), true)
                       : say(out, "404 Not Found", "", "The metrics are at /metrics.\n");
    case METRICS_BAD_METHOD:
        return say(out, "405 Method Not Allowed", "Allow: GET, HEAD\r\n",
                   "Only GET and HEAD are possible.\n");
    case METRICS_BAD_REQUEST:
        break;
    }
    return say(out, "400 Bad Request", "", "This is no request of HTTP/1.1.\n");
}

/* ---- connections ---- */

static void client_close(struct metrics_server *s, struct client *c)
{
    if (c->state == CLIENT_FREE)
        return;
    poller_remove(&s->poller, c->fd);
    socket_close(c->fd);
    mem_free(c->request);
    bytes_deinit(&c->answer);
    *c = (struct client){0};
}

/* Answers what has been read; from now on it writes. */
static bool client_answer(struct metrics_server *s, struct client *c, bool is_too_long)
{
    bool ok = is_too_long ? say(&c->answer, "431 Request Header Fields Too Large", "",
                                "The request is too long.\n")
                          : answer(s->runtime, c->request, c->request_size, &c->answer);

    mem_free(c->request);
    c->request = NULL;
    c->state = CLIENT_WRITES;
    c->until_ns = clock_monotonic_ns() + ANSWER_NS;
    return ok;
}

/* The functions that follow go on until they would have to wait. False: the connection is over. */
static bool client_read(struct metrics_server *s, struct client *c)
{
    while (c->state == CLIENT_READS) {
        size_t count;
        int e = socket_receive(c->fd, c->request + c->request_size, REQUEST_MAX - c->request_size,
                               false, &count);

        if (e == EAGAIN)
            return true;
        if (e != 0 || count == 0)
            return false;
        c->request_size += count;
        if (metrics_request_is_complete(c->request, c->request_size)) {
            if (!client_answer(s, c, false))
                return false;
        } else if (c->request_size == REQUEST_MAX && !client_answer(s, c, true)) {
            return false;
        }
    }
    return true;
}

static bool client_write(struct client *c)
{
    while (c->state == CLIENT_WRITES) {
        struct socket_piece rest = {c->answer.data + c->sent, c->answer.size - c->sent};
        size_t count;
        int e = socket_send(c->fd, &rest, 1, &count);

        if (e == EAGAIN)
            return true;
        if (e != 0)
            return false;
        c->sent += count;
        if (c->sent == c->answer.size) {
            c->state = CLIENT_DRAINS;
            if (socket_shut_down_sending(c->fd) != 0)
                return false;
        }
    }
    return true;
}

static bool client_drain(struct client *c)
{
    char unwanted[4096];
    size_t count;
    int e = 0;

    while (c->state == CLIENT_DRAINS && c->drained < DRAIN_MAX) {
        e = socket_receive(c->fd, unwanted, sizeof(unwanted), false, &count);
        if (e != 0 || count == 0)
            break;
        c->drained += count;
    }
    return c->state != CLIENT_DRAINS || e == EAGAIN;
}

static void client_go_on(struct metrics_server *s, struct client *c)
{
    if (c->state != CLIENT_FREE && !(client_read(s, c) && client_write(c) && client_drain(c)))
        client_close(s, c);
}

/* A place for a connection: one that is free, or the one that has been taken longest. */
static struct client *free_place(struct metrics_server *s)
{
    struct client *oldest = &s->clients[0];

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (s->clients[i].state == CLIENT_FREE)
            return &s->clients[i];
        if (s->clients[i].since_ns < oldest->since_ns)
            oldest = &s->clients[i];
    }
    client_close(s, oldest);
    return oldest;
}

static void accept_all(struct metrics_server *s)
{
    int fd, e;

    s->accept_ns = DEADLINE_NEVER;
    while ((e = socket_accept(s->listener, &fd, &(struct socket_address){0})) == 0) {
        struct client *c = free_place(s);

        c->request = mem_try_array(char, REQUEST_MAX);
        if (!c->request || !poller_add(&s->poller, fd, c, NULL)) {
            mem_free(c->request);
            c->request = NULL;
            socket_close(fd);
            continue;
        }
        c->fd = fd;
        c->state = CLIENT_READS;
        c->since_ns = clock_monotonic_ns();
        c->until_ns = c->since_ns + REQUEST_NS;
        client_go_on(s, c);
    }
    if (e != EAGAIN) /* no descriptor, no memory */
        s->accept_ns = clock_monotonic_ns() + ACCEPT_NS;
}

/* ---- the thread ---- */

/* Ends what has taken too long; how long the next may still take. */
static uint64_t look_at_clock(struct metrics_server *s)
{
    uint64_t now = clock_monotonic_ns(), next = s->accept_ns;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];

        if (c->state != CLIENT_FREE && c->until_ns <= now)
            client_close(s, c);
        if (c->state != CLIENT_FREE && c->until_ns < next)
            next = c->until_ns;
    }
    if (next == DEADLINE_NEVER)
        return UINT64_MAX;
    return next > now ? next - now : 0;
}

static void serve(void *arg)
{
    struct metrics_server *s = arg;
    struct poller_event events[EVENTS_MAX];

    /* acquire: pairs with the release in metrics_server_stop */
    while (!atomic_load_explicit(&s->is_stopping, memory_order_acquire)) {
        size_t count = poller_wait(&s->poller, look_at_clock(s), events, EVENTS_MAX);

        /* An event may be of a connection that another event of this batch has ended, or of one
         * that has taken its place: to go on with that does no harm. */
        for (size_t i = 0; i < count; i++) {
            if (events[i].data == s)
                s->accept_ns = 0;
            else
                client_go_on(s, events[i].data);
        }
        if (s->accept_ns != DEADLINE_NEVER && s->accept_ns <= clock_monotonic_ns())
            accept_all(s);
    }
}

bool metrics_server_start(struct lunatic_runtime *rt, const struct socket_address *at,
                          struct metrics_server **out, struct error *err)
{
    struct metrics_server *s = mem_new(struct metrics_server);
    char text[SOCKET_ADDRESS_TEXT_MAX];
    int e;

    s->runtime = rt;
    s->accept_ns = DEADLINE_NEVER;
    e = socket_listen(at, &s->listener);
    if (e != 0) {
        socket_fail(err, e);
        fail_in(err, "metrics at %s", socket_address_text(at, text, sizeof(text)));
        mem_free(s);
        return false;
    }
    if (poller_open(&s->poller, err)) {
        e = socket_local_address(s->listener, &s->address);
        if ((e == 0 || socket_fail(err, e)) && poller_add(&s->poller, s->listener, s, err) &&
            thread_create(&s->thread, "lun-metrics", serve, s, err)) {
            *out = s;
            return true;
        }
        poller_close(&s->poller);
    }
    fail_in(err, "metrics at %s", socket_address_text(at, text, sizeof(text)));
    socket_close(s->listener);
    mem_free(s);
    return false;
}

const struct socket_address *metrics_server_address(const struct metrics_server *s)
{
    return &s->address;
}

void metrics_server_stop(struct metrics_server *s)
{
    if (!s)
        return;
    atomic_store_explicit(&s->is_stopping, true, memory_order_release);
    poller_wake(&s->poller);
    thread_join(&s->thread);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        client_close(s, &s->clients[i]);
    socket_close(s->listener);
    poller_close(&s->poller);
    mem_free(s);
}

bool lunatic_runtime_serve_metrics(struct lunatic_runtime *rt, const char *address, char *bound,
                                   size_t bound_size, struct lunatic_error *err)
{
    char text[SOCKET_ADDRESS_TEXT_MAX];
    struct metrics_server *s;
    struct socket_address at;
    struct error words;
    bool has_one;

    if (!metrics_address_parse(address, &at, &words) || !metrics_server_start(rt, &at, &s, &words))
        return runtime_fail(err, &words);
    mutex_lock(&rt->lock);
    has_one = rt->metrics_server != NULL;
    if (!has_one)
        rt->metrics_server = s;
    mutex_unlock(&rt->lock);
    if (has_one) {
        metrics_server_stop(s);
        fail(&words, ERR_USAGE, "the metrics of this runtime are served already");
        return runtime_fail(err, &words);
    }
    socket_address_text(metrics_server_address(s), text, sizeof(text));
    if (bound && bound_size > 0)
        snprintf(bound, bound_size, "%s", text);
    return true;
}

bool lunatic_check_metrics_address(const char *text, struct lunatic_error *err)
{
    struct socket_address unused;
    struct error words;

    return metrics_address_parse(text, &unused, &words) || runtime_fail(err, &words);
}
