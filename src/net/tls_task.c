/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a session does by itself: the handshake, sending what is owed, the end. */
#include "net/tls_internal.h"

#include "base/mem.h"
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#define DISCARD_READS 64 /* of DISCARD_SIZE bytes, of what nobody will read any more */
#define DISCARD_SIZE  4096

/* ---- the timer ---- */

void tls_timer_fired(struct timer *timer, struct worker *w)
{
    struct tls_stream *s = CONTAINER_OF(timer, struct tls_stream, timer);

    atomic_store_explicit(&s->timed_out, true, memory_order_relaxed);
    task_wake(s->tls->net->scheduler, w, &s->task);
    tls_unref(s);
}

void tls_timer_start(struct tls_stream *s, struct worker *w, uint64_t delay_ms)
{
    struct scheduler *sched = s->tls->net->scheduler;

    tls_timer_stop(s);
    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    atomic_store_explicit(&s->timed_out, false, memory_order_relaxed);
    s->has_timer = true;
    timer_set(sched, w, &s->timer, deadline_after(scheduler_now_ns(sched), delay_ms * NS_PER_MS));
}

void tls_timer_stop(struct tls_stream *s)
{
    if (s->has_timer && timer_cancel(s->tls->net->scheduler, &s->timer))
        tls_unref(s);
    s->has_timer = false; /* one that was not prevented lets go by itself */
}

static bool timed_out(const struct tls_stream *s)
{
    return atomic_load_explicit(&s->timed_out, memory_order_relaxed);
}

/* ---- waiting ---- */

/* Sends what is owed as far as the socket takes it, and wakes the writer when nothing is left.
 * False: the socket is full, and the task is its waiter. */
static bool pay(struct tls_stream *s, struct worker *w) REQUIRES(s->lock)
{
    struct error err;

    while (tls_pay(s) == EAGAIN) {
        switch (net_socket_wait(s->socket, IO_WRITE, w, &s->task, &err)) {
        case NET_WAIT:
            return false;
        case NET_FAILED:
            s->write_errno = EIO;
            break;
        case NET_DONE:
            break;
        }
    }
    if (s->writer) {
        task_wake(s->tls->net->scheduler, w, s->writer);
        s->writer = NULL;
    }
    return true;
}

/* ---- words ---- */

static bool explain_verification(struct tls_stream *s, const char *what, struct error *err)
{
    long why = SSL_get_verify_result(s->ssl);
    int name_size = (int)strcspn(s->key, "|");

    if (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return fail(err, ERR_DENIED, "%s: the server's certificate is not for \"%.*s\"", what,
                    name_size, s->key);
    return fail(err, ERR_DENIED, "%s: the certificate of \"%.*s\" cannot be trusted: %s", what,
                name_size, s->key, X509_verify_cert_error_string(why));
}

bool tls_explain(struct tls_stream *s, int ssl_error, const char *what, struct error *err)
{
    unsigned long e = ERR_peek_error();
    int reason = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;
    struct error words;

    ERR_clear_error();
    if (s->read_errno || (ssl_error == SSL_ERROR_SYSCALL && s->write_errno)) {
        socket_fail(&words, s->read_errno ? s->read_errno : s->write_errno);
        return fail(err, ERR_OS, "%s: %s", what, words.text);
    }
    if (s->has_ended)
        return fail(err, ERR_OS, "%s: the other side has closed the connection", what);
    switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        if (s->key)
            return explain_verification(s, what, err);
        break;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return fail(err, ERR_MALFORMED, "%s: the other side does not speak TLS", what);
    default:
        break;
    }
    if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255)
        return fail(err, ERR_DENIED, "%s: the other side refuses: %s", what,
                    SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    return fail(err, ERR_MALFORMED, "%s: %s", what,
                e ? ERR_reason_error_string(e) : "it does not go on");
}

/* ---- the handshake ---- */

static void shake_failed(struct tls_stream *s, const struct error *err) REQUIRES(s->lock)
{
    size_t size = strlen(err->text) + 1;

    s->state = TLS_FAILED;
    s->failure = mem_try_alloc(1, size);
    if (s->failure)
        memcpy(s->failure, err->text, size);
    atomic_fetch_add_explicit(&s->tls->failed_count, 1, memory_order_relaxed);
}

static void shake_done(struct tls_stream *s) REQUIRES(s->lock)
{
    s->state = TLS_OPEN;
    atomic_fetch_add_explicit(&s->tls->handshake_count, 1, memory_order_relaxed);
    if (SSL_session_reused(s->ssl))
        atomic_fetch_add_explicit(&s->tls->resumed_count, 1, memory_order_relaxed);
}

/* Goes on with the handshake. True: it has ended, well or not. */
static bool shake(struct tls_stream *s, struct worker *w) REQUIRES(s->lock)
{
    struct error err = {0};

    for (;;) {
        int result, e;
        bool all_sent;

        ERR_clear_error();
        result = SSL_do_handshake(s->ssl);
        if (result == 1) {
            shake_done(s);
            pay(s, w);
            return true;
        }
        e = SSL_get_error(s->ssl, result);
        all_sent = pay(s, w);
        if (e != SSL_ERROR_WANT_READ) {
            tls_explain(s, e, "TLS handshake", &err);
            break;
        }
        if (timed_out(s)) {
            fail(&err, ERR_LIMIT, "TLS handshake: not complete after %u seconds",
                 TLS_HANDSHAKE_MS / 1000);
            break;
        }
        switch (net_socket_wait(s->socket, IO_READ, w, &s->task, &err)) {
        case NET_WAIT:
            (void)all_sent; /* what is left goes when the socket has room: the task waits for both
                             */
            return false;
        case NET_FAILED:
            shake_failed(s, &err);
            return true;
        case NET_DONE:
            break;
        }
    }
    shake_failed(s, &err);
    return true;
}

/* After the handshake, or instead of the rest of it. */
static void shake_ended(struct tls_stream *s, struct task *shaker, struct worker *w)
{
    struct tls_listener *owner = s->owner;

    /* The task might be the socket's reader still, and the next one is a process. */
    net_socket_leave(s->socket, IO_READ, &s->task);
    if (owner) {
        s->owner = NULL;
        tls_listener_ended(owner, &s->stream, w);
    }
    if (shaker)
        task_wake(s->tls->net->scheduler, w, shaker);
}

/* ---- the end ---- */

/* Says good-bye. What OpenSSL keeps is not needed any more. */
static void begin_end(struct tls_stream *s, struct worker *w) REQUIRES(s->lock)
{
    bool was_open = s->state == TLS_OPEN && !s->is_broken;

    s->state = TLS_CLOSING;
    if (was_open) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    s->lingers = was_open && s->key && !s->has_ticket && !s->has_ended &&
                 SSL_version(s->ssl) >= TLS1_3_VERSION;
    SSL_free(s->ssl);
    s->ssl = NULL;
    tls_timer_start(s, w, TLS_CLOSE_MS);
}

/* Takes what the other side has sent meanwhile: a socket that is closed with something unread in it
 * is reset, and a reset destroys what we have sent and the other side has not read yet. True: it
 * can be closed; false: the task waits for more. */
static bool discard(struct tls_stream *s, struct worker *w) REQUIRES(s->lock)
{
    char data[DISCARD_SIZE];
    struct error err;

    for (unsigned i = 0; i < DISCARD_READS && !s->has_ended; i++) {
        size_t count;
        int e = net_socket_read(s->socket, data, sizeof(data), false, &count);

        if (e == EAGAIN) {
            if (!s->lingers || timed_out(s))
                return true;
            if (net_socket_wait(s->socket, IO_READ, w, &s->task, &err) == NET_WAIT)
                return false;
        } else if (e || count == 0) {
            return true;
        }
    }
    return true;
}

/* Goes on with it. True: the socket can be closed. */
static bool end(struct tls_stream *s, struct worker *w) REQUIRES(s->lock)
{
    if (!s->is_shut) {
        if (!pay(s, w) && !timed_out(s))
            return false;
        s->is_shut = true;
        if (s->owed.size > 0 || s->write_errno)
            return true;
        socket_shut_down_sending(net_socket_fd(s->socket));
        /* The tickets of TLS 1.3 come after the handshake. A client that has written and not read
         * must not close before they are there: see discard. */
        if (s->lingers)
            tls_timer_start(s, w, TLS_LINGER_MS);
    }
    return discard(s, w);
}

static enum task_result run(struct task *t, struct worker *w)
{
    struct tls_stream *s = CONTAINER_OF(t, struct tls_stream, task);
    bool has_shaken = false, is_over = false;
    struct task *shaker;

    mutex_lock(&s->lock);
    /* acquire: pairs with the release of tls_free */
    if (atomic_load_explicit(&s->is_dropped, memory_order_acquire) && s->state != TLS_CLOSING) {
        has_shaken = s->state == TLS_SHAKING;
        begin_end(s, w);
    }
    switch (s->state) {
    case TLS_SHAKING:
        has_shaken = shake(s, w);
        if (has_shaken)
            tls_timer_stop(s);
        break;
    case TLS_OPEN:
    case TLS_FAILED:
        pay(s, w);
        break;
    case TLS_CLOSING:
        is_over = end(s, w);
        break;
    }
    shaker = has_shaken ? s->shaker : NULL;
    mutex_unlock(&s->lock);
    if (has_shaken)
        shake_ended(s, shaker, w);
    return is_over ? TASK_DONE : TASK_PARK;
}

static void ended(struct task *t, struct worker *w)
{
    (void)w;
    tls_close(CONTAINER_OF(t, struct tls_stream, task));
}

const struct task_class tls_task_class = {.run = run, .done = ended};
