/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/inspect.h"
#include "host/internal.h"
#include "host/net/internal.h"
#include "host/net/names.h"
#include "host/net/tls.h"
#include "host/net/udp.h"
#include "host/sqlite/internal.h"
#include "host/sqlite/sqlite.h"
#include "host/wasi/internal.h"
#include "vm/backtrace.h"
#include "vm/link.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FRAMES 6u

static void PRINTF_LIKE(2, 3) add(struct guest_view *v, const char *format, ...)
{
    size_t used = strlen(v->details);
    va_list args;

    va_start(args, format);
    vsnprintf(v->details + used, sizeof(v->details) - used, format, args);
    va_end(args);
}

/* "for at most 1.5 s more" */
static void add_deadline(struct guest_view *v, const struct process *p, const char *words)
{
    uint64_t deadline_ns = p->wait.deadline_ns, now_ns;
    uint64_t left_ms;

    if (deadline_ns == DEADLINE_NEVER)
        return;
    now_ns = actors_now_ns(p->environment->actors);
    left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / NS_PER_MS : 0;
    add(v, "%s%s", v->details[0] ? ", " : "", words);
    if (left_ms < 1000)
        add(v, "%" PRIu64 " ms more", left_ms);
    else if (left_ms < 600000)
        add(v, "%" PRIu64 ".%" PRIu64 " s more", left_ms / 1000, left_ms % 1000 / 100);
    else
        add(v, "%" PRIu64 " min more", left_ms / 60000);
}

/* "reading from 127.0.0.1:5000" */
static void add_address(struct guest_view *v, const char *words, const struct socket_address *a)
{
    char text[SOCKET_ADDRESS_TEXT_MAX];

    add(v, "%s %s", words, socket_address_text(a, text, sizeof(text)));
}

static void tell_wait(struct guest_view *v, const struct process *p)
{
    const struct wait *w = &p->wait;

    switch (w->kind) {
    case WAIT_MESSAGE:
        v->wait = "message";
        if (w->tag_count == 1)
            add(v, "tagged %" PRId64, w->tags[0]);
        else if (w->tag_count == 2)
            add(v, "tagged %" PRId64 " or %" PRId64, w->tags[0], w->tags[1]);
        else if (w->tag_count == WAIT_TAGS_MANY)
            add(v, "with one of many tags");
        add_deadline(v, p, "for ");
        return;
    case WAIT_TIME:
        v->wait = "sleep";
        if (w->deadline_ns == DEADLINE_NEVER)
            add(v, "for ever");
        add_deadline(v, p, "");
        return;
    case WAIT_ANSWER:
        v->wait = "start";
        add(v, "of process %" PRIu64 ", whose start function runs", w->key);
        return;
    case WAIT_NAME:
        v->wait = "name";
        add(v, "that another process is spawning");
        return;
    case WAIT_JOB:
    case WAIT_COMPILED:
        v->wait = "compilation";
        return;
    case WAIT_WASI_JOB: {
        const struct wasi_job *j = w->object;

        v->wait = "file";
        if (j->path) {
            char path[96];

            add(v, "%s", name_text(slice_text(j->path), path, sizeof(path)));
        }
        return;
    }
    case WAIT_WASI_POLL: {
        const struct wasi_poll *poll = w->object;

        v->wait = "poll";
        if (poll)
            add(v, "%zu stream%s", poll->count, poll->count == 1 ? "" : "s");
        add_deadline(v, p, "for ");
        return;
    }
    case WAIT_NET_STREAM: {
        const struct net_stream *s = w->object;

        v->wait = "network";
        add_address(v,
                    w->extra == NET_CALL_READ   ? "reading from"
                    : w->extra == NET_CALL_PEEK ? "looking at what comes from"
                                                : "writing to",
                    &s->stream->peer);
        add_deadline(v, p, "for ");
        return;
    }
    case WAIT_NET_ACCEPT: {
        const struct net_listener *l = w->object;

        v->wait = "network";
        add_address(v, "accepting at", &l->listener->local);
        return;
    }
    case WAIT_NET_CONNECT: {
        const struct stream *s = w->object;

        v->wait = "network";
        add_address(v, "connecting to", &s->peer);
        add_deadline(v, p, "for ");
        return;
    }
    case WAIT_NET_RESOLVE: {
        const struct net_resolving *r = w->object;
        char name[96];

        v->wait = "network";
        add(v, "looking up %s", name_text(slice_make(r->name, r->size), name, sizeof(name)));
        add_deadline(v, p, "for ");
        return;
    }
    case WAIT_NET_TLS_ACCEPT: {
        const struct net_tls_listener *l = w->object;

        v->wait = "network";
        add_address(v, "accepting TLS at", tls_listener_local(l->listener));
        return;
    }
    case WAIT_NET_TLS_CONNECT: {
        static const char *const steps[] = {
            [NET_TLS_ROOTS] = "reading the certificates that are trusted, for",
            [NET_TLS_LOOKUP] = "looking up",
            [NET_TLS_CONNECT] = "connecting to",
            [NET_TLS_SHAKE] = "making a TLS handshake with",
        };
        const struct net_tls_connecting *c = w->object;

        v->wait = "network";
        add(v, "%s %s port %u", steps[c->step], c->name, c->port);
        add_deadline(v, p, "for ");
        return;
    }
    case WAIT_NET_UDP: {
        const struct net_udp *u = w->object;

        v->wait = "network";
        add_address(v, w->extra == IO_READ ? "receiving datagrams at" : "sending datagrams from",
                    &u->socket->local);
        return;
    }
    case WAIT_SQLITE: {
        char text[96], path[96];

        v->wait = "database";
        sqlite_wait_words(w, text, sizeof(text));
        add(v, "%s", name_text(slice_text(text), path, sizeof(path)));
        return;
    }
    case WAIT_COPY:
    case WAIT_NET_TURN:
    case WAIT_WASI_YIELD:
    case WAIT_WASI_RANDOM:
        v->wait = "turn";
        return;
    default:
        return;
    }
}

static void tell_function(struct guest_view *v, const struct guest *g)
{
    struct frame frames[FRAMES];
    size_t count = fiber_innermost(g->instance->fiber, frames, FRAMES);
    struct bytes text = {.size_max = sizeof(v->function) - 1};

    for (size_t i = 0; i < count; i++) {
        struct slice name = {0};
        size_t before = text.size;
        bool ok = i == 0 || bytes_append(&text, " < ", 3);

        if (frames[i].module)
            name = module_function_name(frames[i].module, frames[i].function);
        if (name.size > 70)
            name.size = 70;
        ok = ok && (name.size ? link_print_name(&text, name)
                              : bytes_printf(&text, "function %u", frames[i].function));
        if (!ok) {
            text.size = before;
            break;
        }
    }
    if (text.size)
        memcpy(v->function, text.data, text.size);
    bytes_deinit(&text);
}

void guest_look(const struct process *p, bool at_rest, void *out)
{
    struct guest_view *v = out;
    const struct guest *g = p->body;

    if (p->class_ != &guest_class)
        return;
    tell_wait(v, p);
    v->memory = g->instance->memory_base;
    v->memory_size = g->instance->memory_length;
    if (at_rest)
        tell_function(v, g);
}
