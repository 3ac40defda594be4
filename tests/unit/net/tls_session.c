/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TLS sessions against plain programs of OpenSSL, well-behaved ones and others. */
#include "base/mem.h"
#include "tls_world.h"
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEGABYTE (1u << 20)

static void fill(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
}

/* Reads exactly `size` bytes. */
static bool read_all(struct tls_world *w, struct stream *s, uint8_t *data, size_t size)
{
    struct error err = {0};
    size_t count;

    for (size_t at = 0; at < size; at += count) {
        if (world_read(w, s, data + at, size - at, &count, &err, TLS_PATIENCE_MS) != NET_DONE ||
            count == 0) {
            printf("after %zu bytes: %s\n", at, err.text);
            return false;
        }
    }
    return true;
}

static bool write_all(struct tls_world *w, struct stream *s, const uint8_t *data, size_t size)
{
    struct error err = {0};
    size_t count;

    for (size_t at = 0; at < size; at += count) {
        struct socket_piece piece = {data + at, size - at};

        if (world_write(w, s, &piece, 1, &count, &err, TLS_PATIENCE_MS) != NET_DONE) {
            printf("after %zu bytes: %s\n", at, err.text);
            return false;
        }
    }
    return true;
}

/* Sends back what it gets, until the end, and then its good-bye. */
static void echo(struct test_peer *p)
{
    char data[5000];
    int count;

    if (!p->ssl)
        return;
    while ((count = SSL_read(p->ssl, data, sizeof(data))) > 0) {
        p->number += count;
        if (SSL_write(p->ssl, data, count) != count)
            return;
    }
    p->error = SSL_get_error(p->ssl, count) == SSL_ERROR_ZERO_RETURN ? 0 : ERR_peek_error();
    if (p->error == 0)
        SSL_shutdown(p->ssl);
}

static void send_and_compare(struct test_peer *p)
{
    uint8_t out[3000], in[3000];
    size_t got = 0;

    fill(out, sizeof(out));
    if (!p->ssl)
        return;
    for (unsigned i = 0; i < 20; i++) {
        if (SSL_write(p->ssl, out, sizeof(out)) != sizeof(out))
            return;
        for (got = 0; got < sizeof(in);) {
            int count = SSL_read(p->ssl, in + got, (int)(sizeof(in) - got));

            if (count <= 0)
                return;
            got += (size_t)count;
        }
        if (memcmp(in, out, sizeof(in)) != 0)
            return;
        p->number++;
    }
    SSL_shutdown(p->ssl);
    /* Ours says good-bye too: anything else is an error here. */
    p->error = SSL_read(p->ssl, in, sizeof(in)) == 0 ? 0 : 1;
    ERR_clear_error();
}

/* Echoes on our side until the end. */
static bool serve_echo(struct tls_world *w, struct stream *s)
{
    uint8_t data[2000];
    size_t count;
    struct error err = {0};

    for (;;) {
        if (world_read(w, s, data, sizeof(data), &count, &err, TLS_PATIENCE_MS) != NET_DONE) {
            printf("%s\n", err.text);
            return false;
        }
        if (count == 0)
            return true;
        if (!write_all(w, s, data, count))
            return false;
    }
}

static void serves(int version)
{
    struct test_peer p = {.version = version};
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    struct error err = {0};

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, send_and_compare));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_DONE);
    CHECK(s->peer.family == 4 && s->peer.bytes[0] == 127 && s->peer.port != 0);
    CHECK(serve_echo(&w, s));
    stream_free(s);
    test_peer_join(&p);
    CHECK(p.number == 20 && p.error == 0);
    tls_listener_free(l);
    tls_world_end(&w);
}

TEST(tls_serves_version_1_3)
{
    serves(TLS1_3_VERSION);
}

TEST(tls_serves_version_1_2)
{
    serves(TLS1_2_VERSION);
}

static void connects(int version)
{
    struct test_peer p = {.version = version};
    struct tls_world w;
    struct tls_context *c;
    struct stream *s = NULL;
    struct error err = {0};
    uint8_t *data = mem_new_array(uint8_t, MEGABYTE), *back = mem_new_array(uint8_t, MEGABYTE);
    size_t count = 1;

    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    fill(data, MEGABYTE);
    CHECK(test_peer_server(&p, &w, w.server, false, echo));
    CHECK(world_client(&w, c, "localhost", p.port, &s, &err) == NET_DONE);
    for (size_t at = 0; at < MEGABYTE; at += MEGABYTE / 16) {
        CHECK(write_all(&w, s, data + at, MEGABYTE / 16));
        CHECK(read_all(&w, s, back + at, MEGABYTE / 16));
    }
    CHECK(memcmp(data, back, MEGABYTE) == 0);
    CHECK(world_flush(&w, s, &err, TLS_PATIENCE_MS) == NET_DONE);
    stream_free(s);
    test_peer_join(&p);
    CHECK(p.number == MEGABYTE && p.error == 0); /* close_notify has come */
    tls_context_unref(c);
    tls_world_end(&w);
    mem_free(data);
    mem_free(back);
    (void)count;
}

TEST(tls_connects_with_version_1_3)
{
    connects(TLS1_3_VERSION);
}

TEST(tls_connects_with_version_1_2)
{
    connects(TLS1_2_VERSION);
}

/* ---- whom a client trusts ---- */

static void nothing(struct test_peer *p)
{
    char byte;

    if (p->ssl)
        p->number = SSL_read(p->ssl, &byte, 1);
}

/* What connecting to a server with certificate `k`, under that name, gives. */
static bool trusted(struct tls_world *w, const struct test_key *k, const char *name,
                    struct error *err)
{
    struct test_peer p = {0};
    struct tls_context *c = world_client_context(w);
    struct stream *s = NULL;
    bool ok = EXPECT(test_peer_server(&p, w, k, false, nothing)) &&
              world_client(w, c, name, p.port, &s, err) == NET_DONE;

    stream_free(s);
    test_peer_join(&p);
    tls_context_unref(c);
    return ok;
}

TEST(tls_servers_are_checked)
{
    struct tls_world w;
    struct error err = {0};
    struct test_key *expired, *self, *other, *wildcard, *unnamed;

    CHECK(tls_world_begin(&w));
    expired = test_key_new("DNS:localhost", w.ca, -2, false, false);
    self = test_key_new("DNS:localhost", NULL, 10, false, false);
    other = test_key_new("DNS:elsewhere.test", w.ca, 10, false, true);
    wildcard = test_key_new("DNS:*.some.test", w.ca, 10, false, false);
    unnamed = test_key_new(NULL, w.ca, 10, false, false);
    CHECK(trusted(&w, w.server, "localhost", &err));
    CHECK(trusted(&w, w.server, "LOCALHOST", &err));
    CHECK(trusted(&w, w.server, "127.0.0.1", &err));
    CHECK(trusted(&w, wildcard, "a.some.test", &err));
    CHECK(!trusted(&w, wildcard, "a.b.some.test", &err));
    CHECK_TEXT(err.text, "TLS handshake: the server's certificate is not for \"a.b.some.test\"");
    CHECK(!trusted(&w, w.server, "127.0.0.2", &err));
    CHECK_TEXT(err.text, "TLS handshake: the server's certificate is not for \"127.0.0.2\"");
    CHECK(!trusted(&w, other, "localhost", &err));
    CHECK_TEXT(err.text, "TLS handshake: the server's certificate is not for \"localhost\"");
    CHECK(!trusted(&w, unnamed, "test", &err)); /* the common name does not count */
    CHECK_TEXT(err.text, "TLS handshake: the server's certificate is not for \"test\"");
    CHECK(!trusted(&w, expired, "localhost", &err));
    CHECK_TEXT(err.text, "TLS handshake: the certificate of \"localhost\" cannot be trusted: "
                         "certificate has expired");
    CHECK(!trusted(&w, self, "localhost", &err));
    CHECK_TEXT(err.text, "TLS handshake: the certificate of \"localhost\" cannot be trusted: "
                         "self-signed certificate");
    test_key_free(expired);
    test_key_free(self);
    test_key_free(other);
    test_key_free(wildcard);
    test_key_free(unnamed);
    tls_world_end(&w);
}

TEST(tls_names_are_checked_before_anything_else)
{
    const char *good[] = {"localhost", "a.b.c",  "xn--bcher-kva.test", "_x.test", "1.2.3.4",
                          "::1",       "fe80::1"};
    const char *bad[] = {"", ".", "a..b", "a b", "b\xc3\xbc-ch.test", "a.", "[::1]", "a:80"};
    struct error err;

    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        CHECK(tls_name_is_valid(good[i], &err));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK(!tls_name_is_valid(bad[i], &err));
}

/* ---- ends ---- */

static void write_and_cut(struct test_peer *p)
{
    if (p->ssl)
        p->number = SSL_write(p->ssl, "hello", 5);
}

TEST(tls_an_end_without_close_notify_is_an_error_once)
{
    struct test_peer p = {.version = TLS1_2_VERSION}; /* no tickets that it must read */
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    struct error err = {0};
    uint8_t data[10];
    size_t count;

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, write_and_cut));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_DONE);
    CHECK(read_all(&w, s, data, 5) && memcmp(data, "hello", 5) == 0);
    test_peer_join(&p);
    CHECK(world_read(&w, s, data, 10, &count, &err, TLS_PATIENCE_MS) == NET_FAILED);
    CHECK(strstr(err.text, "without close_notify"));
    CHECK(world_read(&w, s, data, 10, &count, &err, TLS_PATIENCE_MS) == NET_DONE && count == 0);
    stream_free(s);
    tls_listener_free(l);
    tls_world_end(&w);
}

/* Half a record, then the end. */
static void write_half(struct test_peer *p)
{
    static const uint8_t half[] = {23, 3, 3, 1, 0, 1, 2, 3};

    p->number = write(p->fd, half, sizeof(half));
}

TEST(tls_half_a_record_is_an_error)
{
    struct test_peer p = {.version = TLS1_2_VERSION}; /* no tickets that it must read */
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    struct error err = {0};
    uint8_t data[10];
    size_t count;

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, write_half));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_DONE);
    CHECK(world_read(&w, s, data, 10, &count, &err, TLS_PATIENCE_MS) == NET_FAILED);
    CHECK(strstr(err.text, "without close_notify"));
    test_peer_join(&p);
    stream_free(s);
    tls_listener_free(l);
    tls_world_end(&w);
}

static void write_garbage(struct test_peer *p)
{
    static const uint8_t record[] = {23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8,
                                     9,  0, 1, 2, 3,  4, 5, 6, 7, 8, 9, 0};
    char byte;

    p->number = write(p->fd, record, sizeof(record));
    p->number = SSL_read(p->ssl, &byte, 1);
}

TEST(tls_a_forged_record_ends_the_session)
{
    struct test_peer p = {0};
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    struct error err = {0};
    struct socket_piece piece = {"x", 1};
    uint8_t data[10];
    size_t count;

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, write_garbage));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_DONE);
    CHECK(world_read(&w, s, data, 10, &count, &err, TLS_PATIENCE_MS) == NET_FAILED);
    CHECK_TEXT(err.text, "TLS: decryption failed or bad record mac");
    CHECK(world_read(&w, s, data, 10, &count, &err, TLS_PATIENCE_MS) == NET_FAILED);
    CHECK(world_write(&w, s, &piece, 1, &count, &err, TLS_PATIENCE_MS) == NET_FAILED);
    test_peer_join(&p);
    CHECK(p.number <= 0);
    stream_free(s);
    tls_listener_free(l);
    tls_world_end(&w);
}

static void write_http(struct test_peer *p)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    char byte;

    p->number = write(p->fd, request, sizeof(request) - 1);
    while (read(p->fd, &byte, 1) > 0)
        ;
}

static void close_at_once(struct test_peer *p)
{
    (void)p;
}

TEST(tls_a_listener_tells_of_clients_that_are_none)
{
    struct test_peer p = {0}, q = {0}, r = {0};
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    struct error err = {0};

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, true, close_at_once));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_FAILED);
    CHECK_TEXT(err.text, "TLS handshake: the other side has closed the connection");
    test_peer_join(&p);
    CHECK(test_peer_client(&q, &w, tls_listener_local(l)->port, true, write_half));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_FAILED);
    CHECK_TEXT(err.text, "TLS handshake: the other side has closed the connection");
    test_peer_join(&q);
    CHECK(test_peer_client(&r, &w, tls_listener_local(l)->port, true, write_http));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_FAILED);
    CHECK_TEXT(err.text, "TLS handshake: the other side does not speak TLS");
    test_peer_join(&r);
    tls_listener_free(l);
    tls_world_end(&w);
}

/* ---- independence ---- */

/* Sends nothing until something has come; then both at once, much. */
static void hear_then_send(struct test_peer *p)
{
    uint8_t *data = mem_new_array(uint8_t, MEGABYTE);
    size_t got = 0;
    int count;

    fill(data, MEGABYTE);
    while (p->ssl && got < MEGABYTE && (count = SSL_read(p->ssl, data + got, MEGABYTE)) > 0)
        got += (size_t)count;
    p->number = (long)got;
    if (p->ssl && got == MEGABYTE)
        SSL_write(p->ssl, data, MEGABYTE);
    mem_free(data);
}

struct reading {
    struct thread thread;
    struct tls_world *world;
    struct stream *stream;
    uint8_t *data;
    size_t size;
    bool ok;
};

static void reading_main(void *arg)
{
    struct reading *r = arg;

    r->ok = read_all(r->world, r->stream, r->data, r->size);
}

TEST(tls_a_reader_that_waits_does_not_keep_a_writer_waiting)
{
    struct test_peer p = {0};
    struct tls_world w;
    struct tls_context *c;
    struct stream *s = NULL;
    struct error err = {0};
    uint8_t *data = mem_new_array(uint8_t, MEGABYTE), *back = mem_new_array(uint8_t, MEGABYTE);
    struct reading reading = {.data = back, .size = MEGABYTE};

    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    fill(data, MEGABYTE);
    CHECK(test_peer_server(&p, &w, w.server, false, hear_then_send));
    CHECK(world_client(&w, c, "localhost", p.port, &s, &err) == NET_DONE);
    reading.world = &w;
    reading.stream = s;
    CHECK(thread_create(&reading.thread, "test-reader", reading_main, &reading, NULL));
    CHECK(write_all(&w, s, data, MEGABYTE));
    thread_join(&reading.thread);
    CHECK(reading.ok && memcmp(back, data, MEGABYTE) == 0);
    test_peer_join(&p);
    CHECK(p.number == MEGABYTE);
    stream_free(s);
    tls_context_unref(c);
    tls_world_end(&w);
    mem_free(data);
    mem_free(back);
}

/* ---- what is left when the holder goes ---- */

/* Takes its time to read. */
static void read_late(struct test_peer *p)
{
    char data[10000];
    int count;

    if (!p->ssl)
        return;
    usleep(100000);
    while ((count = SSL_read(p->ssl, data, sizeof(data))) > 0)
        p->number += count;
    p->error = SSL_get_error(p->ssl, count) == SSL_ERROR_ZERO_RETURN ? 0 : 1;
}

TEST(tls_what_was_written_arrives_after_the_session_was_dropped)
{
    struct test_peer p = {0};
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    struct error err = {0};
    uint8_t *data = mem_new_array(uint8_t, MEGABYTE);
    struct socket_piece piece = {data, MEGABYTE};
    size_t count, sent = 0;

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, read_late));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_DONE);
    /* Until the socket is full: the last record waits in the session. */
    while (world_write(&w, s, &piece, 1, &count, &err, 20) == NET_DONE)
        sent += count;
    stream_free(s);
    test_peer_join(&p);
    CHECK(sent > 0 && p.number == (long)sent && p.error == 0);
    tls_listener_free(l);
    tls_world_end(&w);
    mem_free(data);
}

static void never_read(struct test_peer *p)
{
    while (atomic_load(&p->world->net.socket_count) > 1) /* the listener's is left */
        usleep(1000);
    p->number = 1;
}

TEST(tls_a_peer_that_does_not_read_cannot_keep_a_dropped_session)
{
    struct test_peer p = {0};
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    struct error err = {0};
    uint8_t *data = mem_new_array(uint8_t, MEGABYTE);
    struct socket_piece piece = {data, MEGABYTE};
    size_t count;

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, never_read));
    CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_DONE);
    while (world_write(&w, s, &piece, 1, &count, &err, 20) == NET_DONE)
        ;
    stream_free(s);
    test_peer_join(&p); /* ends only when our socket is closed */
    CHECK(p.number == 1);
    tls_listener_free(l);
    tls_world_end(&w);
    mem_free(data);
}

/* ---- vectors ---- */

static void read_records(struct test_peer *p)
{
    char data[20000];
    int count;

    if (!p->ssl)
        return;
    while ((count = SSL_read(p->ssl, data, sizeof(data))) > 0)
        p->number++; /* of records: each read gives one */
}

TEST(tls_small_pieces_share_a_record)
{
    struct test_peer p = {0};
    struct tls_world w;
    struct tls_context *c;
    struct stream *s = NULL;
    struct error err = {0};
    char text[100];
    struct socket_piece pieces[101];
    size_t count;

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < 100; i++)
        pieces[i] = (struct socket_piece){text, i % 3 == 0 ? 0 : sizeof(text)};
    pieces[100] = (struct socket_piece){text, 1};
    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    CHECK(test_peer_server(&p, &w, w.server, false, read_records));
    CHECK(world_client(&w, c, "localhost", p.port, &s, &err) == NET_DONE);
    CHECK(world_write(&w, s, pieces, 101, &count, &err, TLS_PATIENCE_MS) == NET_DONE);
    CHECK(count == 66 * sizeof(text) + 1);
    stream_free(s);
    test_peer_join(&p);
    CHECK(p.number == 1);
    tls_context_unref(c);
    tls_world_end(&w);
}
