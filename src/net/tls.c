/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sessions as streams, and their life. What OpenSSL sees of the socket is in tls_bio.c, what a
 * session does by itself in tls_task.c. */
#include "net/tls.h"
#include "base/mem.h"
#include "net/tls_cache.h"
#include "net/tls_internal.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define RECORD_SIZE 16384u       /* bytes of data in one record at most */
#define WRITE_MAX   (256u << 10) /* bytes that one write encrypts at most */
#define KEY_SIZE    (TLS_NAME_SIZE_MAX + 16u)

/* ---- reading ---- */

static bool read_failed(struct tls_stream *s, int ssl_error, struct error *err) REQUIRES(s->lock)
{
    s->is_broken = true;
    return tls_explain(s, ssl_error, "TLS", err);
}

/* The other side has ended: with close_notify, or by closing the socket without, which anyone on
 * the way could have done. The reader is told of the latter once. */
static enum net_result read_end(struct tls_stream *s, size_t *count, struct error *err)
    REQUIRES(s->lock)
{
    bool is_cut = s->has_ended && !s->is_over;

    s->is_over = true;
    *count = 0;
    if (!is_cut)
        return NET_DONE;
    fail(err, ERR_OS,
         "the other side has closed the connection without close_notify: what it sent may be "
         "incomplete");
    return NET_FAILED;
}

/* One look. NET_WAIT: nothing is there. */
static enum net_result read_once(struct tls_stream *s, void *data, size_t size, bool peek,
                                 size_t *count, struct error *err) REQUIRES(s->lock)
{
    int result, e;

    if (s->is_over) {
        *count = 0;
        return NET_DONE;
    }
    if (s->is_broken) {
        fail(err, ERR_MALFORMED, "this TLS session has failed before");
        return NET_FAILED;
    }
    ERR_clear_error();
    result = peek ? SSL_peek_ex(s->ssl, data, size, count) : SSL_read_ex(s->ssl, data, size, count);
    if (result == 1)
        return NET_DONE;
    e = SSL_get_error(s->ssl, result);
    switch (e) {
    case SSL_ERROR_WANT_READ:
        return NET_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return read_end(s, count, err);
    default:
        read_failed(s, e, err);
        return NET_FAILED;
    }
}

static enum net_result tls_read(struct stream *stream, struct worker *w, struct task *t, void *data,
                                size_t size, bool peek, size_t *count, struct error *err)
{
    struct tls_stream *s = tls_of(stream);
    enum net_result r;
    bool owes;

    do {
        mutex_lock(&s->lock);
        r = read_once(s, data, size, peek, count, err);
        owes = s->owed.size > 0; /* an answer to something in between */
        mutex_unlock(&s->lock);
        if (owes)
            task_wake(s->tls->net->scheduler, w, &s->task);
        if (r != NET_WAIT)
            return r;
        r = net_socket_wait(s->socket, IO_READ, w, t, err);
    } while (r == NET_DONE);
    return r;
}

/* ---- writing ---- */

/* Where a write is in its pieces. */
struct cursor {
    const struct socket_piece *pieces;
    size_t count;
    size_t used; /* bytes of the first piece */
};

static void advance(struct cursor *c, size_t size)
{
    while (c->count > 0 && size >= c->pieces->size - c->used) {
        size -= c->pieces->size - c->used;
        c->used = 0;
        c->pieces++;
        c->count--;
    }
    c->used += size;
}

/* What goes into the next record: a part of the first piece where that fills it or is the last,
 * else many pieces gathered in `room`. */
static struct slice next_record(const struct cursor *c, uint8_t *room)
{
    struct slice first =
        slice_make((const uint8_t *)c->pieces->data + c->used, c->pieces->size - c->used);
    size_t size = 0;

    if (first.size >= RECORD_SIZE || c->count == 1) {
        first.size = first.size < RECORD_SIZE ? first.size : RECORD_SIZE;
        return first;
    }
    for (size_t i = 0; i < c->count && size < RECORD_SIZE; i++) {
        size_t skip = i == 0 ? c->used : 0, part = c->pieces[i].size - skip;

        if (part > RECORD_SIZE - size)
            part = RECORD_SIZE - size;
        memcpy(room + size, (const uint8_t *)c->pieces[i].data + skip, part);
        size += part;
    }
    return slice_make(room, size);
}

/* One record. False: it cannot be written, and `err` says why. */
static bool write_record(struct tls_stream *s, struct slice data, size_t *count, struct error *err)
    REQUIRES(s->lock)
{
    int result;

    if (s->write_errno)
        return socket_fail(err, s->write_errno);
    if (s->is_broken)
        return fail(err, ERR_MALFORMED, "this TLS session has failed before");
    ERR_clear_error();
    result = SSL_write_ex(s->ssl, data.data, data.size, count);
    if (s->write_errno)
        return socket_fail(err, s->write_errno);
    return result == 1 || read_failed(s, SSL_get_error(s->ssl, result), err);
}

static enum net_result tls_write(struct stream *stream, struct worker *w, struct task *t,
                                 const struct socket_piece *pieces, size_t piece_count,
                                 size_t *count, struct error *err)
{
    struct tls_stream *s = tls_of(stream);
    struct cursor c = {.pieces = pieces, .count = piece_count};
    uint8_t room[RECORD_SIZE];
    bool ok = true, owes = false;

    *count = 0;
    advance(&c, 0); /* empty pieces at the beginning */
    while (ok && !owes && c.count > 0 && *count < WRITE_MAX) {
        struct slice data = next_record(&c, room);
        size_t written = 0;

        mutex_lock(&s->lock);
        if (s->owed.size > 0 && !s->write_errno && *count == 0) {
            s->writer = t;
            mutex_unlock(&s->lock);
            return NET_WAIT;
        }
        if (s->owed.size == 0 || s->write_errno)
            ok = write_record(s, data, &written, err);
        owes = s->owed.size > 0;
        mutex_unlock(&s->lock);
        *count += written;
        advance(&c, written);
    }
    if (owes)
        task_wake(s->tls->net->scheduler, w, &s->task);
    return ok ? NET_DONE : NET_FAILED;
}

static enum net_result tls_flush(struct stream *stream, struct worker *w, struct task *t,
                                 struct error *err)
{
    struct tls_stream *s = tls_of(stream);
    enum net_result r = NET_DONE;

    (void)w;
    mutex_lock(&s->lock);
    if (s->write_errno) {
        socket_fail(err, s->write_errno);
        r = NET_FAILED;
    } else if (s->owed.size > 0) {
        s->writer = t;
        r = NET_WAIT;
    }
    mutex_unlock(&s->lock);
    return r;
}

static void tls_leave(struct stream *stream, enum io_direction direction, struct task *t)
{
    struct tls_stream *s = tls_of(stream);

    if (direction == IO_READ) {
        net_socket_leave(s->socket, IO_READ, t);
        return;
    }
    mutex_lock(&s->lock);
    if (s->writer == t)
        s->writer = NULL;
    mutex_unlock(&s->lock);
}

/* ---- life ---- */

static void tls_free(struct stream *stream)
{
    struct tls_stream *s = tls_of(stream);

    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed); /* the wake touches it */
    /* release: the task sees all that the holder did */
    atomic_store_explicit(&s->is_dropped, true, memory_order_release);
    task_wake(s->tls->net->scheduler, worker_current(), &s->task);
    tls_unref(s);
}

static const struct stream_class tls_class = {
    .read = tls_read,
    .write = tls_write,
    .flush = tls_flush,
    .leave = tls_leave,
    .free = tls_free,
};

static void destroy(struct tls_stream *s) NO_THREAD_SAFETY
{
    SSL_free(s->ssl);
    tls_context_unref(s->context);
    bytes_deinit(&s->owed);
    mem_free(s->failure);
    mem_free(s->key);
    mutex_deinit(&s->lock);
    mem_free(s);
}

void tls_unref(struct tls_stream *s)
{
    /* acquire-release: whoever frees it has seen all that the others did */
    if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
        destroy(s);
}

/* The runtime's end does not wait for pollers, and what OpenSSL has refers to the runtime's. */
static void free_ssl(struct tls_stream *s) NO_THREAD_SAFETY
{
    SSL_free(s->ssl);
    s->ssl = NULL;
}

/* No poller can name the task any more. */
static void released(void *context)
{
    tls_unref(context);
}

void tls_close(struct tls_stream *s)
{
    struct tls *tls = s->tls;

    free_ssl(s);
    if (s->owner) /* the runtime's end came before that of the handshake */
        tls_listener_unref(s->owner);
    s->owner = NULL;
    tls_timer_stop(s);
    spinlock_lock(&tls->lock);
    list_remove(&s->link);
    spinlock_unlock(&tls->lock);
    tcp_stream_close(s->tcp, released, s);
    tls_unref(s);
}

/* Made with the first session: programs without TLS do not even initialise OpenSSL. */
static BIO_METHOD *bio_method(struct tls *tls)
{
    BIO_METHOD *m = atomic_load_explicit(&tls->bio, memory_order_acquire), *seen = NULL;

    if (m || !(m = tls_bio_method()))
        return m;
    /* acquire-release: who uses it sees it complete */
    if (atomic_compare_exchange_strong_explicit(&tls->bio, &seen, m, memory_order_acq_rel,
                                                memory_order_acquire))
        return m;
    BIO_meth_free(m);
    return seen;
}

/* All but the SSL's own settings. NULL: no memory; `tcp` has been freed then. */
static struct tls_stream *create(struct tls *tls, struct tls_context *c,
                                 struct stream *tcp) NO_THREAD_SAFETY
{
    struct tls_stream *s = mem_try(struct tls_stream);
    BIO_METHOD *method;
    BIO *bio;

    if (!s) {
        stream_free(tcp);
        return NULL;
    }
    ERR_clear_error();
    method = bio_method(tls);
    stream_init(&s->stream, &tls_class, tls->net, &tcp->peer);
    mutex_init(&s->lock);
    task_init(&s->task, &tls_task_class);
    timer_init(&s->timer, tls_timer_fired);
    atomic_init(&s->references, 2); /* the task's and the poller's */
    s->tls = tls;
    s->context = tls_context_ref(c);
    s->ssl = SSL_new(c->ssl);
    bio = method ? BIO_new(method) : NULL;
    if (!s->ssl || !bio) {
        ERR_clear_error();
        BIO_free(bio);
        stream_free(tcp);
        destroy(s);
        return NULL;
    }
    s->tcp = tcp;
    s->socket = tcp_stream_socket(tcp);
    BIO_set_data(bio, s);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_app_data(s->ssl, s);
    return s;
}

/* One that never began. */
static void discard(struct tls_stream *s)
{
    stream_free(s->tcp);
    destroy(s);
}

static void begin(struct tls_stream *s)
{
    struct tls *tls = s->tls;

    spinlock_lock(&tls->lock);
    list_push_back(&tls->sessions, &s->link);
    spinlock_unlock(&tls->lock);
    atomic_fetch_add_explicit(&tls->session_count, 1, memory_order_relaxed);
    task_start(tls->net->scheduler, worker_current(), &s->task);
}

bool tls_server_new(struct tls *tls, struct tls_context *c, struct stream *tcp,
                    struct tls_listener *owner, struct stream **out,
                    struct error *err) NO_THREAD_SAFETY
{
    struct tls_stream *s = create(tls, c, tcp);

    if (!s)
        return fail(err, ERR_NO_MEMORY, "no memory for a TLS session");
    SSL_set_accept_state(s->ssl);
    s->owner = owner;
    list_init(&s->listed);
    *out = &s->stream;
    tls_timer_start(s, worker_current(), TLS_HANDSHAKE_MS);
    return true;
}

void tls_server_start(struct stream *s)
{
    begin(tls_of(s));
}

/* ---- clients ---- */

static bool is_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);

    ERR_clear_error();
    ASN1_OCTET_STRING_free(address);
    return address != NULL;
}

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool tls_name_is_valid(const char *name, struct error *err)
{
    size_t size = strlen(name), label = 0;
    bool ok = size > 0 && size <= TLS_NAME_SIZE_MAX;

    if (is_address(name))
        return true;
    for (size_t i = 0; ok && i < size; i++) {
        if (name[i] == '.') {
            ok = label > 0;
            label = 0;
        } else {
            ok = is_label_byte(name[i]) && ++label <= 63;
        }
    }
    return (ok && label > 0) ||
           fail(err, ERR_INVALID,
                "\"%.100s\" is neither a host name nor an address, so no certificate can be for it",
                name);
}

/* What the certificate must be for, and what the server is told that we want. */
static bool expect(SSL *ssl, const char *name)
{
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    /* SSL_set_tlsext_host_name without its macro, which casts `const` away. */
    return SSL_set1_host(ssl, name) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)name) == 1;
}

static bool client_setup(struct tls_stream *s, const char *name, uint16_t port,
                         struct slice alpn) NO_THREAD_SAFETY
{
    SSL_SESSION *earlier;

    s->key = mem_try_alloc(1, KEY_SIZE);
    if (!s->key)
        return false;
    snprintf(s->key, KEY_SIZE, "%s|%u", name, port);
    SSL_set_connect_state(s->ssl);
    if (!expect(s->ssl, name) ||
        (alpn.size > 0 && SSL_set_alpn_protos(s->ssl, alpn.data, (unsigned)alpn.size) != 0))
        return false;
    earlier = tls_cache_take(s->context->cache, s->key);
    if (earlier) {
        SSL_set_session(s->ssl, earlier); /* if it will not, the handshake is a whole one */
        SSL_SESSION_free(earlier);
    }
    return true;
}

bool tls_client_new(struct tls *tls, struct tls_context *c, struct stream *tcp, const char *name,
                    uint16_t port, struct slice alpn, struct stream **out, struct error *err)
{
    struct tls_stream *s;

    if (!tls_name_is_valid(name, err) || !tls_alpn_is_valid(alpn, err)) {
        stream_free(tcp);
        return false;
    }
    s = create(tls, c, tcp);
    if (!s)
        return fail(err, ERR_NO_MEMORY, "no memory for a TLS session");
    if (!client_setup(s, name, port, alpn)) {
        ERR_clear_error();
        discard(s);
        return fail(err, ERR_NO_MEMORY, "no memory for a TLS session");
    }
    *out = &s->stream;
    begin(s);
    return true;
}

int tls_cache_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_stream *s = SSL_get_app_data(ssl);

    s->has_ticket = true;
    return tls_cache_add(s->context->cache, s->key, session);
}

enum net_result tls_handshake(struct stream *stream, struct task *t, struct error *err)
{
    struct tls_stream *s = tls_of(stream);
    enum net_result r;

    mutex_lock(&s->lock);
    switch (s->state) {
    case TLS_OPEN:
        r = NET_DONE;
        break;
    case TLS_SHAKING:
        s->shaker = t;
        r = NET_WAIT;
        break;
    case TLS_FAILED:
    case TLS_CLOSING:
    default:
        fail(err, ERR_OS, "%s", s->failure ? s->failure : "TLS handshake: no memory");
        r = NET_FAILED;
        break;
    }
    mutex_unlock(&s->lock);
    return r;
}

void tls_handshake_leave(struct stream *stream, struct task *t)
{
    struct tls_stream *s = tls_of(stream);

    mutex_lock(&s->lock);
    if (s->shaker == t)
        s->shaker = NULL;
    mutex_unlock(&s->lock);
}

/* ---- looks ---- */

struct slice tls_protocol(struct stream *stream)
{
    struct tls_stream *s = tls_of(stream);
    const unsigned char *data = NULL;
    unsigned size = 0;

    mutex_lock(&s->lock);
    if (s->ssl)
        SSL_get0_alpn_selected(s->ssl, &data, &size);
    mutex_unlock(&s->lock);
    return slice_make(data, size);
}

struct slice tls_server_name(struct stream *stream)
{
    struct tls_stream *s = tls_of(stream);
    const char *name = NULL;

    mutex_lock(&s->lock);
    if (s->ssl)
        name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
    mutex_unlock(&s->lock);
    return name ? slice_text(name) : (struct slice){0};
}

bool tls_is_resumed(struct stream *stream)
{
    struct tls_stream *s = tls_of(stream);
    bool is_resumed;

    mutex_lock(&s->lock);
    is_resumed = s->ssl && SSL_session_reused(s->ssl);
    mutex_unlock(&s->lock);
    return is_resumed;
}

struct list *tls_link(struct stream *s)
{
    return &tls_of(s)->listed;
}

struct stream *tls_of_link(struct list *link)
{
    return &CONTAINER_OF(link, struct tls_stream, listed)->stream;
}

/* ---- the runtime's ---- */

void tls_init(struct tls *tls, struct net *n)
{
    *tls = (struct tls){.net = n};
    list_init(&tls->sessions);
}

void tls_deinit(struct tls *tls)
{
    while (!list_empty(&tls->sessions))
        tls_close(CONTAINER_OF(tls->sessions.next, struct tls_stream, link));
    BIO_meth_free(atomic_load_explicit(&tls->bio, memory_order_relaxed));
}
