/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TLS: sessions resumed, and many clients that go in the middle. */
#include "base/mem.h"
#include "net/tls_cache.h"
#include "tls_world.h"
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- resumption ---- */

static SSL_SESSION *kept;

static int keep(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

/* Reads one byte, so that the ticket has come. */
static void fetch(struct test_peer *p)
{
    char byte;

    if (!p->ssl)
        return;
    p->number = SSL_session_reused(p->ssl);
    SSL_read(p->ssl, &byte, 1);
    SSL_shutdown(p->ssl);
}

/* A native client connects twice: the second time it resumes. */
static void resumes_for_clients(int version)
{
    struct tls_world w;
    struct tls_listener *l;

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    for (int i = 0; i < 3; i++) {
        struct test_peer p = {.version = version};
        struct socket_piece piece = {"x", 1};
        struct stream *s = NULL;
        size_t count;

        p.context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_session_cache_mode(p.context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(p.context, keep);
        p.session = kept; /* of 1.2: the same one each time */
        if (kept && version == TLS1_2_VERSION)
            SSL_SESSION_up_ref(kept);
        else
            kept = NULL;
        CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, fetch));
        CHECK(world_accept(&w, l, &s, NULL, TLS_PATIENCE_MS) == NET_DONE);
        CHECK(tls_is_resumed(s) == (i > 0));
        CHECK(world_write(&w, s, &piece, 1, &count, NULL, TLS_PATIENCE_MS) == NET_DONE);
        test_peer_join(&p);
        CHECK(p.number == (i > 0));
        stream_free(s);
    }
    SSL_SESSION_free(kept);
    kept = NULL;
    CHECK(atomic_load(&w.tls.handshake_count) == 3 && atomic_load(&w.tls.resumed_count) == 2);
    tls_listener_free(l);
    tls_world_end(&w);
}

TEST(tls_clients_resume_sessions_of_version_1_3)
{
    resumes_for_clients(TLS1_3_VERSION);
}

TEST(tls_clients_resume_sessions_of_version_1_2)
{
    resumes_for_clients(TLS1_2_VERSION);
}

struct serving {
    struct thread thread;
    struct tls_world *world;
    struct tls_listener *listener;
    int count;
};

/* Accepts so many, and greets each. */
static void serving_main(void *arg)
{
    struct serving *sv = arg;

    for (int i = 0; i < sv->count; i++) {
        struct socket_piece piece = {"x", 1};
        struct stream *s = NULL;
        size_t count;

        if (world_accept(sv->world, sv->listener, &s, NULL, TLS_PATIENCE_MS) == NET_DONE)
            EXPECT(world_write(sv->world, s, &piece, 1, &count, NULL, TLS_PATIENCE_MS) == NET_DONE);
        stream_free(s);
    }
}

/* Our client against our listener, both resume; another name at the same port does not. */
TEST(tls_our_clients_resume_too)
{
    struct tls_world w;
    struct serving sv = {.count = 4};
    struct tls_context *c;

    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    sv.world = &w;
    sv.listener = world_listen(&w);
    CHECK(thread_create(&sv.thread, "test-serving", serving_main, &sv, NULL));
    for (int i = 0; i < 4; i++) {
        struct stream *s = NULL;
        char byte;
        size_t count;

        CHECK(world_client(&w, c, i < 3 ? "localhost" : "127.0.0.1",
                           tls_listener_local(sv.listener)->port, &s, NULL) == NET_DONE);
        CHECK(tls_is_resumed(s) == (i == 1 || i == 2));
        CHECK(world_read(&w, s, &byte, 1, &count, NULL, TLS_PATIENCE_MS) == NET_DONE);
        stream_free(s);
    }
    thread_join(&sv.thread);
    tls_listener_free(sv.listener);
    tls_context_unref(c);
    tls_world_end(&w);
}

TEST(tls_the_cache_of_sessions_is_bounded)
{
    struct tls_cache *cache = tls_cache_new(3);
    char key[20];

    CHECK(cache);
    for (int i = 0; i < 5; i++) {
        SSL_SESSION *session = SSL_SESSION_new();

        SSL_SESSION_set_protocol_version(session, i == 4 ? TLS1_2_VERSION : TLS1_3_VERSION);
        snprintf(key, sizeof(key), "%d", i);
        CHECK(tls_cache_add(cache, key, session));
    }
    for (int i = 0; i < 5; i++) {
        SSL_SESSION *first, *second;

        snprintf(key, sizeof(key), "%d", i);
        first = tls_cache_take(cache, key);
        second = tls_cache_take(cache, key);
        CHECK((first != NULL) == (i >= 2) && (second != NULL) == (i == 4)); /* 1.3: used once */
        SSL_SESSION_free(first);
        SSL_SESSION_free(second);
    }
    tls_cache_free(cache);
}

/* ---- many, and rude ---- */

static int plain_client(uint16_t port)
{
    const struct socket_address to = {.family = 4, .bytes = {127, 0, 0, 1}, .port = port};
    int fd = -1, e = socket_connect(&to, &fd);

    return EXPECT(e == 0 || e == EINPROGRESS) ? fd : -1;
}

/* The first flight of a client, cut off after `size` bytes. */
static size_t hello(SSL_CTX *context, char *data, size_t size_max)
{
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    int size;

    SSL_set_bio(ssl, in, out);
    SSL_connect(ssl);
    size = BIO_read(out, data, (int)size_max);
    SSL_free(ssl);
    ERR_clear_error();
    return size > 0 ? (size_t)size : 0;
}

#define RUDE 1000

/* Clients that go away at every point of the handshake's first flight; nothing is left of them. */
TEST(tls_a_thousand_handshakes_that_stop_in_the_middle_leave_nothing)
{
    struct tls_world w;
    struct tls_listener *l;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    char data[2000];
    size_t size = hello(context, data, sizeof(data));
    struct socket_address peer;
    struct stream *s = NULL;

    CHECK(size > 100);
    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    for (int i = 0; i < RUDE; i++) {
        int fd = plain_client(tls_listener_local(l)->port);
        size_t part = (size_t)i * size / (RUDE - 1);

        CHECK(fd >= 0);
        for (int tries = 0; socket_connected(fd, &peer) == EAGAIN && tries < 10000; tries++)
            usleep(100);
        CHECK(part == 0 || send(fd, data, part, MSG_NOSIGNAL) == (ssize_t)part);
        close(fd);
        CHECK(world_accept(&w, l, &s, NULL, TLS_PATIENCE_MS) == NET_FAILED);
    }
    CHECK(world_sockets(&w, 1));
    tls_listener_free(l);
    tls_world_end(&w);
    SSL_CTX_free(context);
}

/* The runtime ends while hands are being shaken: the sessions' tasks never run again. */
TEST(tls_handshakes_that_the_end_overtakes_let_go_of_their_listener)
{
    struct tls_world w;
    struct tls_listener *l;
    struct tls_context *c;
    struct stream *s = NULL;
    struct error err;
    int fds[10];

    CHECK(tls_world_begin(&w));
    CHECK(tls_context_new_listener(slice_text(w.server->certificate_pem),
                                   slice_text(w.server->key_pem), (struct slice){0}, &c, &err));
    CHECK(tls_listener_open(
        &w.tls, c, &(struct socket_address){.family = 4, .bytes = {127, 0, 0, 1}}, &l, &err));
    for (int i = 0; i < 10; i++)
        fds[i] = plain_client(tls_listener_local(l)->port);
    while (atomic_load(&w.net.socket_count) < 11)
        CHECK(world_accept(&w, l, &s, NULL, 50) == NET_WAIT);
    tls_world_stop(&w);
    tls_listener_free(l);
    tls_world_free(&w);
    CHECK(atomic_load(&c->references) == 1); /* the listener's is gone, and all the sessions' */
    tls_context_unref(c);
    for (int i = 0; i < 10; i++)
        close(fds[i]);
}

/* The listener goes while hands are being shaken. */
TEST(tls_a_listener_that_goes_takes_its_handshakes_with_it)
{
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    int fds[100];

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    for (int i = 0; i < 100; i++)
        fds[i] = plain_client(tls_listener_local(l)->port);
    CHECK(world_accept(&w, l, &s, NULL, 300) == NET_WAIT);
    CHECK(atomic_load(&w.net.socket_count) > 1);
    tls_listener_free(l);
    CHECK(world_sockets(&w, 0));
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    tls_world_end(&w);
}

/* A server that never answers: the client gives up when it likes. */
static void wait_for_end(struct test_peer *p)
{
    char byte;

    while (read(p->fd, &byte, 1) > 0)
        p->number++;
}

TEST(tls_a_client_may_give_up_a_handshake)
{
    struct tls_world w;
    struct tls_context *c;

    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    for (int i = 0; i < 20; i++) {
        struct test_peer p = {0};
        struct socket_address to = {.family = 4, .bytes = {127, 0, 0, 1}};
        struct stream *tcp = NULL, *s = NULL;

        CHECK(test_peer_server(&p, &w, NULL, true, wait_for_end));
        to.port = p.port;
        CHECK(world_connect(&w, &to, &tcp, NULL) == NET_DONE);
        CHECK(tls_client_new(&w.tls, c, tcp, "localhost", p.port, (struct slice){0}, &s, NULL));
        CHECK(world_shake(&w, s, NULL, (unsigned)i) == NET_WAIT);
        stream_free(s);
        test_peer_join(&p);
    }
    tls_context_unref(c);
    tls_world_end(&w);
}

/* ---- faults below plat/socket ---- */

static _Atomic unsigned fault_turn;

/* Small pieces, for who sends and so for who receives, and now and then an interruption. */
static int trickle(enum socket_call call, int fd, size_t *size)
{
    unsigned turn = atomic_fetch_add(&fault_turn, 1);

    (void)fd;
    if (call != SOCKET_CALL_RECEIVE && call != SOCKET_CALL_SEND)
        return 0;
    if (turn % 7 == 3)
        return EINTR;
    if (call == SOCKET_CALL_SEND)
        *size = 1 + turn % 5;
    return 0;
}

TEST(tls_works_a_few_bytes_at_a_time)
{
    struct tls_world w;
    struct serving sv = {.count = 3};
    struct tls_context *c;

    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    sv.world = &w;
    sv.listener = world_listen(&w);
    socket_set_fault(trickle);
    CHECK(thread_create(&sv.thread, "test-serving", serving_main, &sv, NULL));
    for (int i = 0; i < 3; i++) {
        struct stream *s = NULL;
        char byte;
        size_t count;
        struct error err = {0};

        if (!EXPECT(world_client(&w, c, "localhost", tls_listener_local(sv.listener)->port, &s,
                                 &err) == NET_DONE))
            printf("%s\n", err.text);
        EXPECT(s && world_read(&w, s, &byte, 1, &count, &err, TLS_PATIENCE_MS) == NET_DONE);
        EXPECT(s && world_read(&w, s, &byte, 1, &count, &err, TLS_PATIENCE_MS) == NET_DONE &&
               count == 0);
        stream_free(s);
    }
    thread_join(&sv.thread);
    socket_set_fault(NULL);
    tls_listener_free(sv.listener);
    tls_context_unref(c);
    tls_world_end(&w);
}

/* The n-th allocation fails: a handshake then fails, and nothing else. */
TEST(tls_no_memory_is_an_error)
{
    struct tls_world w;
    struct serving sv = {.count = 30};
    struct tls_context *c;
    int good = 0;

    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    sv.world = &w;
    sv.listener = world_listen(&w);
    CHECK(thread_create(&sv.thread, "test-serving", serving_main, &sv, NULL));
    for (unsigned i = 0; i < 30; i++) {
        struct stream *s = NULL;
        char byte;
        size_t count;

        mem_fail_after(i + 1);
        if (world_client(&w, c, "localhost", tls_listener_local(sv.listener)->port, &s, NULL) ==
                NET_DONE &&
            world_read(&w, s, &byte, 1, &count, NULL, TLS_PATIENCE_MS) == NET_DONE)
            good++;
        mem_fail_after(0);
        stream_free(s);
    }
    /* Whoever failed before its connection was accepted has left the server one to wait for. */
    for (int i = 0; i < 30 && atomic_load(&w.net.accepted_count) < 30; i++)
        close(plain_client(tls_listener_local(sv.listener)->port));
    thread_join(&sv.thread);
    CHECK(good > 0 && good < 30);
    tls_listener_free(sv.listener);
    tls_context_unref(c);
    tls_world_end(&w);
}
