/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "tls_world.h"
#include "base/mem.h"
#include "net/tcp.h"
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- certificates ---- */

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *e;
    bool ok;

    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static char *text_of(BIO *bio)
{
    char *data, *text;
    long size = BIO_get_mem_data(bio, &data);

    text = mem_alloc(1, (size_t)size + 1);
    memcpy(text, data, (size_t)size);
    BIO_free(bio);
    return text;
}

struct test_key *test_key_new(const char *name, const struct test_key *issuer, int days, bool is_ca,
                              bool is_rsa)
{
    static _Atomic long serial = 1;
    struct test_key *k = mem_new(struct test_key);
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    BIO *bio;

    k->certificate = x;
    k->key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600L * 24 * 365);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600L * 24 * days);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const unsigned char *)(is_ca ? "test CA" : "test"), -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer->certificate) : subject);
    X509_set_pubkey(x, k->key);
    if (is_ca)
        EXPECT(add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE"));
    if (name)
        EXPECT(add_extension(x, x, NID_subject_alt_name, name));
    EXPECT(X509_sign(x, issuer ? issuer->key : k->key, EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    k->certificate_pem = text_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, k->key, NULL, NULL, 0, NULL, NULL);
    k->key_pem = text_of(bio);
    return k;
}

void test_key_free(struct test_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    X509_free(k->certificate);
    mem_free(k->certificate_pem);
    mem_free(k->key_pem);
    mem_free(k);
}

char *test_key_traditional(const struct test_key *k)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PrivateKey_traditional(bio, k->key, NULL, NULL, 0, NULL, NULL);
    return text_of(bio);
}

/* ---- our side ---- */

static void world_main(void *arg)
{
    struct tls_world *w = arg;

    EXPECT(scheduler_run(w->scheduler, NULL));
}

bool tls_world_begin(struct tls_world *w)
{
    struct scheduler_options o = {.worker_count = 2};

    memset(w, 0, sizeof(*w));
    signal(SIGPIPE, SIG_IGN); /* the peers, not we, write with system calls that send it */
    if (!EXPECT(scheduler_new(&o, &w->scheduler, NULL)))
        return false;
    net_init(&w->net, w->scheduler);
    w->ca = test_key_new(NULL, NULL, 10, true, false);
    w->server =
        test_key_new("DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1", w->ca, 10, false, false);
    tls_init(&w->tls, &w->net);
    return EXPECT(thread_create(&w->thread, "test-world", world_main, w, NULL));
}

void tls_world_stop(struct tls_world *w)
{
    scheduler_stop(w->scheduler);
    thread_join(&w->thread);
}

void tls_world_free(struct tls_world *w)
{
    tls_deinit(&w->tls);
    net_deinit(&w->net);
    scheduler_free(w->scheduler);
    test_key_free(w->server);
    test_key_free(w->ca);
}

void tls_world_end(struct tls_world *w)
{
    EXPECT(world_sockets(w, 0));
    tls_world_stop(w);
    tls_world_free(w);
}

bool world_sockets(struct tls_world *w, uint64_t count)
{
    for (unsigned i = 0; i < TLS_PATIENCE_MS; i++) {
        if (atomic_load(&w->net.socket_count) == count)
            return true;
        usleep(1000);
    }
    return false;
}

enum call_kind { CALL_READ, CALL_WRITE, CALL_FLUSH, CALL_SHAKE, CALL_ACCEPT, CALL_CONNECT };

struct call {
    struct task task;
    struct tls_world *world;
    enum call_kind kind;
    struct stream *stream;
    struct tls_listener *listener;
    void *data;
    size_t size;
    const struct socket_piece *pieces;
    size_t *count;
    const struct socket_address *to;
    struct tcp_connect connect;
    struct stream **out;
    struct error *err;
    enum net_result result;
    struct mutex lock;
    struct condition ended;
    bool has_ended;
    _Atomic bool gives_up;
};

static enum net_result make(struct call *c, struct worker *w)
{
    switch (c->kind) {
    case CALL_READ:
        return stream_read(c->stream, w, &c->task, c->data, c->size, c->count, c->err);
    case CALL_WRITE:
        return stream_write(c->stream, w, &c->task, c->pieces, c->size, c->count, c->err);
    case CALL_FLUSH:
        return stream_flush(c->stream, w, &c->task, c->err);
    case CALL_SHAKE:
        return tls_handshake(c->stream, &c->task, c->err);
    case CALL_ACCEPT:
        return tls_listener_accept(c->listener, w, &c->task, 1000, c->out, c->err);
    case CALL_CONNECT:
    default:
        return tcp_connect(&c->connect, &c->world->net, w, &c->task, c->to, c->out, c->err);
    }
}

static void give_up(struct call *c)
{
    switch (c->kind) {
    case CALL_READ:
        stream_leave(c->stream, IO_READ, &c->task);
        return;
    case CALL_WRITE:
    case CALL_FLUSH:
        stream_leave(c->stream, IO_WRITE, &c->task);
        return;
    case CALL_SHAKE:
        tls_handshake_leave(c->stream, &c->task);
        return;
    case CALL_ACCEPT:
        tls_listener_leave(c->listener, &c->task);
        return;
    case CALL_CONNECT:
        tcp_connect_leave(&c->connect, &c->task);
        return;
    }
}

static enum task_result run_call(struct task *t, struct worker *w)
{
    struct call *c = CONTAINER_OF(t, struct call, task);

    if (atomic_load(&c->gives_up)) {
        give_up(c);
        c->result = NET_WAIT;
        return TASK_DONE;
    }
    c->result = make(c, w);
    return c->result == NET_WAIT ? TASK_PARK : TASK_DONE;
}

static void done(struct task *t, struct worker *w)
{
    struct call *c = CONTAINER_OF(t, struct call, task);

    (void)w;
    mutex_lock(&c->lock);
    c->has_ended = true;
    condition_signal(&c->ended);
    mutex_unlock(&c->lock);
}

static const struct task_class call_class = {.run = run_call, .done = done};

/* Tasks may be woken late, so the storage of calls is never given back: there are few of them. */
static struct call *call_new(void)
{
    static struct call calls[20000];
    static _Atomic size_t count;

    return &calls[atomic_fetch_add(&count, 1) % ARRAY_COUNT(calls)];
}

static enum net_result call(struct tls_world *w, const struct call *how, unsigned limit_ms)
{
    struct call *c = call_new();
    uint64_t until_ns = clock_monotonic_ns() + limit_ms * NS_PER_MS;
    enum net_result result;

    *c = *how;
    c->world = w;
    task_init(&c->task, &call_class);
    mutex_init(&c->lock);
    condition_init(&c->ended);
    task_start(w->scheduler, NULL, &c->task);
    mutex_lock(&c->lock);
    while (!c->has_ended) {
        uint64_t now_ns = clock_monotonic_ns();

        if (now_ns >= until_ns && !atomic_load(&c->gives_up)) {
            atomic_store(&c->gives_up, true);
            task_wake(w->scheduler, NULL, &c->task);
        }
        condition_wait_for(&c->ended, &c->lock,
                           now_ns < until_ns ? until_ns - now_ns : 50 * NS_PER_MS);
    }
    result = c->result;
    mutex_unlock(&c->lock);
    return result;
}

enum net_result world_read(struct tls_world *w, struct stream *s, void *data, size_t size,
                           size_t *count, struct error *err, unsigned limit_ms)
{
    return call(
        w,
        &(struct call){
            .kind = CALL_READ, .stream = s, .data = data, .size = size, .count = count, .err = err},
        limit_ms);
}

enum net_result world_write(struct tls_world *w, struct stream *s,
                            const struct socket_piece *pieces, size_t count, size_t *written,
                            struct error *err, unsigned limit_ms)
{
    return call(w,
                &(struct call){.kind = CALL_WRITE,
                               .stream = s,
                               .pieces = pieces,
                               .size = count,
                               .count = written,
                               .err = err},
                limit_ms);
}

enum net_result world_flush(struct tls_world *w, struct stream *s, struct error *err,
                            unsigned limit_ms)
{
    return call(w, &(struct call){.kind = CALL_FLUSH, .stream = s, .err = err}, limit_ms);
}

enum net_result world_shake(struct tls_world *w, struct stream *s, struct error *err,
                            unsigned limit_ms)
{
    return call(w, &(struct call){.kind = CALL_SHAKE, .stream = s, .err = err}, limit_ms);
}

enum net_result world_accept(struct tls_world *w, struct tls_listener *l, struct stream **out,
                             struct error *err, unsigned limit_ms)
{
    return call(w, &(struct call){.kind = CALL_ACCEPT, .listener = l, .out = out, .err = err},
                limit_ms);
}

enum net_result world_connect(struct tls_world *w, const struct socket_address *to,
                              struct stream **out, struct error *err)
{
    return call(w, &(struct call){.kind = CALL_CONNECT, .to = to, .out = out, .err = err},
                TLS_PATIENCE_MS);
}

struct tls_listener *world_listen(struct tls_world *w)
{
    return world_listen_alpn(w, (struct slice){0});
}

struct tls_listener *world_listen_alpn(struct tls_world *w, struct slice alpn)
{
    const struct socket_address any = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct tls_listener *l = NULL;
    struct tls_context *c = NULL;
    struct error err = {0};

    if (!EXPECT(tls_context_new_listener(slice_text(w->server->certificate_pem),
                                         slice_text(w->server->key_pem), alpn, &c, &err)) ||
        !EXPECT(tls_listener_open(&w->tls, c, &any, &l, &err)))
        printf("%s\n", err.text);
    tls_context_unref(c);
    return l;
}

struct tls_context *world_client_context(struct tls_world *w)
{
    struct slice root = slice_text(w->ca->certificate_pem);
    struct tls_context *c = NULL;

    EXPECT(tls_context_new_client(&root, 1, &c, NULL));
    return c;
}

enum net_result world_client(struct tls_world *w, struct tls_context *c, const char *name,
                             uint16_t port, struct stream **out, struct error *err)
{
    return world_client_alpn(w, c, name, port, (struct slice){0}, out, err);
}

enum net_result world_client_alpn(struct tls_world *w, struct tls_context *c, const char *name,
                                  uint16_t port, struct slice alpn, struct stream **out,
                                  struct error *err)
{
    const struct socket_address to = {.family = 4, .bytes = {127, 0, 0, 1}, .port = port};
    struct stream *tcp = NULL, *s = NULL;
    enum net_result r = world_connect(w, &to, &tcp, err);

    if (r != NET_DONE)
        return r;
    if (!tls_client_new(&w->tls, c, tcp, name, port, alpn, &s, err))
        return NET_FAILED;
    r = world_shake(w, s, err, TLS_PATIENCE_MS);
    if (r == NET_DONE)
        *out = s;
    else
        stream_free(s);
    return r;
}

/* ---- the other side ---- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

static int listen_any(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 100) == 0 &&
           getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void peer_main(void *arg)
{
    struct test_peer *p = arg;

    if (p->listener >= 0)
        p->fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    else
        p->fd = connect_to(p->port);
    if (p->context) {
        int result;

        p->ssl = SSL_new(p->context);
        if (p->version) {
            SSL_set_min_proto_version(p->ssl, p->version);
            SSL_set_max_proto_version(p->ssl, p->version);
        }
        SSL_set_fd(p->ssl, p->fd);
        if (p->session)
            SSL_set_session(p->ssl, p->session);
        if (p->name)
            SSL_ctrl(p->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                     (void *)(uintptr_t)p->name);
        ERR_clear_error();
        result = p->listener >= 0 ? SSL_accept(p->ssl) : SSL_connect(p->ssl);
        if (result != 1) {
            p->error = ERR_peek_error();
            ERR_clear_error();
            SSL_free(p->ssl);
            p->ssl = NULL;
        }
    }
    p->run(p);
    ERR_clear_error();
    SSL_free(p->ssl);
    if (p->fd >= 0)
        close(p->fd);
}

bool test_peer_client(struct test_peer *p, struct tls_world *w, uint16_t port, bool plain,
                      void (*run)(struct test_peer *p))
{
    p->world = w;
    p->listener = -1;
    p->port = port;
    p->run = run;
    if (!plain && !p->context) {
        p->context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(p->context, SSL_VERIFY_PEER, NULL);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(p->context), w->ca->certificate);
    }
    return EXPECT(thread_create(&p->thread, "test-peer", peer_main, p, NULL));
}

bool test_peer_server(struct test_peer *p, struct tls_world *w, const struct test_key *k,
                      bool plain, void (*run)(struct test_peer *p))
{
    p->world = w;
    p->run = run;
    p->listener = listen_any(&p->port);
    if (!plain) {
        if (!p->context)
            p->context = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(p->context, k->certificate);
        SSL_CTX_use_PrivateKey(p->context, k->key);
    }
    return EXPECT(thread_create(&p->thread, "test-peer", peer_main, p, NULL));
}

void test_peer_join(struct test_peer *p)
{
    thread_join(&p->thread);
    SSL_CTX_free(p->context);
    SSL_SESSION_free(p->session);
    if (p->listener >= 0)
        close(p->listener);
}
