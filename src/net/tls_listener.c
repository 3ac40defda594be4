/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tls_listener.h"
#include "base/mem.h"
#include "net/tls_internal.h"

#define ACCEPTS_MAX 16u /* connections that are accepted in one go */

/* References: the holder's, and one for each handshake under way. */
struct tls_listener {
    _Atomic uint32_t references;
    struct tls *tls;
    struct tls_context *context;
    struct listener *tcp; /* the holder's */
    struct spinlock lock;
    struct list shaking, ended; /* of sessions; under lock, like what follows */
    uint32_t count;             /* in both */
    struct task *waiter;
    bool is_closed;
};

void tls_listener_unref(struct tls_listener *l)
{
    /* acquire-release: whoever frees it has seen all that the others did */
    if (atomic_fetch_sub_explicit(&l->references, 1, memory_order_acq_rel) != 1)
        return;
    tls_context_unref(l->context);
    mem_free(l);
}

bool tls_listener_open(struct tls *tls, struct tls_context *c, const struct socket_address *at,
                       struct tls_listener **out, struct error *err)
{
    struct tls_listener *l = mem_try(struct tls_listener);

    if (!l)
        return fail(err, ERR_NO_MEMORY, "no memory for a listener");
    if (!listener_open(tls->net, at, &l->tcp, err)) {
        mem_free(l);
        return false;
    }
    atomic_init(&l->references, 1);
    l->tls = tls;
    l->context = tls_context_ref(c);
    list_init(&l->shaking);
    list_init(&l->ended);
    *out = l;
    return true;
}

const struct socket_address *tls_listener_local(const struct tls_listener *l)
{
    return &l->tcp->local;
}

void tls_listener_ended(struct tls_listener *l, struct stream *s, struct worker *w)
{
    struct task *waiter = NULL;

    spinlock_lock(&l->lock);
    if (!l->is_closed) { /* else it is in no list, and freed by its listener */
        list_remove(tls_link(s));
        list_push_back(&l->ended, tls_link(s));
        waiter = l->waiter;
    }
    spinlock_unlock(&l->lock);
    if (waiter)
        task_wake(l->tls->net->scheduler, w, waiter);
    tls_listener_unref(l);
}

/* A session whose handshake has ended, the caller's; or NULL, and then `t` is the waiter. */
static struct stream *take_ended(struct tls_listener *l, struct task *t, uint32_t *count)
{
    struct list *node;

    spinlock_lock(&l->lock);
    node = list_pop_front(&l->ended);
    if (node)
        l->count--;
    l->waiter = node ? NULL : t;
    *count = l->count;
    spinlock_unlock(&l->lock);
    return node ? tls_of_link(node) : NULL;
}

/* Begins the handshake of a new connection, which is taken. */
static bool begin(struct tls_listener *l, struct stream *tcp, struct error *err)
{
    struct stream *s;

    atomic_fetch_add_explicit(&l->references, 1, memory_order_relaxed);
    if (!tls_server_new(l->tls, l->context, tcp, l, &s, err)) {
        tls_listener_unref(l);
        return false;
    }
    spinlock_lock(&l->lock);
    list_push_back(&l->shaking, tls_link(s));
    l->count++;
    spinlock_unlock(&l->lock);
    tls_server_start(s);
    return true;
}

static enum net_result hand_out(struct tls_listener *l, struct task *t, struct stream *s,
                                struct stream **out, struct error *err)
{
    if (tls_handshake(s, t, err) == NET_DONE) {
        *out = s;
        return NET_DONE;
    }
    (void)l;
    stream_free(s);
    return NET_FAILED;
}

enum net_result tls_listener_accept(struct tls_listener *l, struct worker *w, struct task *t,
                                    uint64_t count_max, struct stream **out, struct error *err)
{
    if (count_max > TLS_HANDSHAKES_MAX)
        count_max = TLS_HANDSHAKES_MAX;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        struct stream *s, *tcp;
        enum net_result r;
        uint32_t count;

        s = take_ended(l, t, &count);
        if (s) {
            listener_leave(l->tcp, t);
            return hand_out(l, t, s, out, err);
        }
        if (count >= count_max)
            return NET_WAIT; /* for the end of one of them */
        r = listener_accept(l->tcp, w, t, &tcp, err);
        if (r == NET_FAILED && count > 0)
            return NET_WAIT; /* what is under way gives an answer */
        if (r != NET_DONE)
            return r;
        if (!begin(l, tcp, err))
            return NET_FAILED;
    }
    task_wake(l->tls->net->scheduler, w, t); /* others have a turn in between */
    return NET_WAIT;
}

enum net_result tls_listener_refuse(struct tls_listener *l, struct worker *w, struct task *t,
                                    struct error *err)
{
    struct error why;
    uint32_t count;
    struct stream *s = take_ended(l, t, &count);

    if (!s)
        return listener_refuse(l->tcp, w, t, err);
    listener_leave(l->tcp, t);
    if (tls_handshake(s, t, &why) == NET_DONE) { /* it stays the first */
        spinlock_lock(&l->lock);
        list_push_front(&l->ended, tls_link(s));
        l->count++;
        spinlock_unlock(&l->lock);
        return NET_FAILED;
    }
    *err = why; /* to tell of one that has failed takes no room */
    stream_free(s);
    return NET_FAILED;
}

void tls_listener_leave(struct tls_listener *l, struct task *t)
{
    spinlock_lock(&l->lock);
    if (l->waiter == t)
        l->waiter = NULL;
    spinlock_unlock(&l->lock);
    listener_leave(l->tcp, t);
}

void tls_listener_free(struct tls_listener *l)
{
    struct list *node;

    if (!l)
        return;
    spinlock_lock(&l->lock);
    l->is_closed = true;
    /* The task of a session takes the lock before it leaves a list, and finds it closed then: so
     * those that are in a list are ours. */
    while ((node = list_pop_front(&l->shaking)) || (node = list_pop_front(&l->ended)))
        stream_free(tls_of_link(node));
    spinlock_unlock(&l->lock);
    listener_free(l->tcp);
    tls_listener_unref(l);
}
