/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TLS with peers that do not keep to it: garbage, parts of messages, ends and resets, in the
 * handshake and after it, at both sides. */
#include "tls_world.h"
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum ending {
    END_CLOSE,
    END_RESET,
    END_HALF, /* no more is sent, and what comes is read to its end */
};

/* What a peer without TLS does: it waits for the first bytes if it is the server, sends `bytes`,
 * and ends. */
struct rudeness {
    struct slice bytes;
    enum ending ending;
    const char *words; /* our side's error begins with */
};

static void end(int fd, enum ending how)
{
    const struct linger at_once = {.l_onoff = 1};
    char data[4096];

    switch (how) {
    case END_CLOSE: /* what has come is read: else it would be a reset */
        while (recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
            ;
        break;
    case END_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        break;
    case END_HALF:
        shutdown(fd, SHUT_WR);
        while (recv(fd, data, sizeof(data), 0) > 0)
            ;
        break;
    }
}

static void be_rude(struct test_peer *p)
{
    const struct rudeness *r = p->object;
    char byte;

    if (p->listener >= 0)
        EXPECT(recv(p->fd, &byte, 1, MSG_PEEK) == 1); /* the client has spoken */
    EXPECT(send(p->fd, r->bytes.data, r->bytes.size, MSG_NOSIGNAL) == (ssize_t)r->bytes.size);
    end(p->fd, r->ending);
}

#define BYTES(text)    {(const uint8_t *)(text), sizeof(text) - 1}
#define CLOSED         "TLS handshake: the other side has closed the connection"
#define RESET          "TLS handshake: Connection reset by peer (os error 104)"
#define NO_TLS         "TLS handshake: the other side does not speak TLS"
#define HELLO_TOO_LONG "\x16\x03\x01\xff\xff\x01\x00\x00\x00"

static const struct rudeness clients[] = {
    {BYTES(""), END_CLOSE, CLOSED},
    {BYTES(""), END_HALF, CLOSED},
    {BYTES(""), END_RESET, RESET},
    {BYTES("\x16"), END_HALF, CLOSED},
    {BYTES("\x16\x03\x01\x02\x00\x01\x00"), END_CLOSE, CLOSED}, /* a part of a record */
    {BYTES("\x16\x03\x01\x02\x00\x01\x00"), END_RESET, RESET},
    {BYTES("\x16\x03\x01\x00\x04\x01\x00\x01\x00"), END_HALF, CLOSED}, /* of a message */
    {BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), END_HALF, NO_TLS},
    {BYTES("CONNECT localhost:443 HTTP/1.1\r\n\r\n"), END_HALF, NO_TLS},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), END_HALF, NO_TLS},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0"), END_HALF, NO_TLS},
    {BYTES("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5"), END_HALF, NO_TLS},
    {BYTES(HELLO_TOO_LONG), END_HALF, "TLS handshake: packet length too long"},
    {BYTES("\x15\x03\x01\x00\x02\x02\x28"), END_HALF, "TLS handshake: unexpected message"},
    {BYTES("\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"), END_HALF,
     "TLS handshake: unexpected message"},
    {BYTES("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), END_HALF, "TLS handshake: length "},
    {BYTES("\x17\x03\x03\x00\x05hello"), END_HALF, "TLS handshake: unexpected message"},
};

/* Each is one error of one accept, in words, and the next client is served. */
TEST(tls_rude_clients_are_errors_of_one_accept)
{
    struct tls_world w;
    struct tls_listener *l;

    CHECK(tls_world_begin(&w));
    l = world_listen(&w);
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        struct test_peer p = {.object = (void *)(uintptr_t)&clients[i]};
        struct stream *s = NULL;
        struct error err = {0};

        CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, true, be_rude));
        CHECK(world_accept(&w, l, &s, &err, TLS_PATIENCE_MS) == NET_FAILED);
        if (!EXPECT(strncmp(err.text, clients[i].words, strlen(clients[i].words)) == 0))
            printf("client %zu: %s\n", i, err.text);
        test_peer_join(&p);
    }
    CHECK(world_sockets(&w, 1));
    tls_listener_free(l);
    tls_world_end(&w);
}

static const struct rudeness servers[] = {
    {BYTES(""), END_CLOSE, CLOSED},
    {BYTES(""), END_RESET, RESET},
    {BYTES("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"), END_CLOSE, CLOSED},
    {BYTES("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"), END_RESET, RESET},
    {BYTES("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"), END_HALF, CLOSED},
    {BYTES("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), END_HALF, NO_TLS},
    {BYTES("220 mail.test ESMTP\r\n"), END_HALF, NO_TLS},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0"), END_HALF, NO_TLS},
    {BYTES("\x16\x03\x03\xff\xff\x02\x00\x00\x00"), END_HALF,
     "TLS handshake: packet length too long"},
    {BYTES("\x15\x03\x03\x00\x02\x02\x70"), END_HALF,
     "TLS handshake: the other side refuses: unrecognized name"},
    /* A hello of a client, which is what an echo server sends. */
    {BYTES("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), END_HALF,
     "TLS handshake: unexpected message"},
    {BYTES("\x17\x03\x03\x00\x05hello"), END_HALF, "TLS handshake: unexpected message"},
};

TEST(tls_rude_servers_are_errors_of_the_client)
{
    struct tls_world w;
    struct tls_context *c;

    CHECK(tls_world_begin(&w));
    c = world_client_context(&w);
    for (size_t i = 0; i < ARRAY_COUNT(servers); i++) {
        struct test_peer p = {.object = (void *)(uintptr_t)&servers[i]};
        struct stream *s = NULL;
        struct error err = {0};

        CHECK(test_peer_server(&p, &w, NULL, true, be_rude));
        CHECK(world_client(&w, c, "localhost", p.port, &s, &err) == NET_FAILED);
        if (!EXPECT(strncmp(err.text, servers[i].words, strlen(servers[i].words)) == 0))
            printf("server %zu: %s\n", i, err.text);
        test_peer_join(&p);
    }
    tls_context_unref(c);
    tls_world_end(&w);
}

/* ---- after the handshake ---- */

/* A client of ours that has shaken hands with us, as a file descriptor with a session: what it
 * sends and how it ends is up to `run`. The version is 1.2: no tickets that it would have to read.
 */
struct meeting {
    struct tls_world w;
    struct tls_listener *l;
    struct test_peer p;
    struct stream *s; /* ours */
    struct error err;
    char text[100];
};

static bool meet_with(struct meeting *m, void (*run)(struct test_peer *p), const void *object)
{
    struct error err = {0};

    memset(m, 0, sizeof(*m));
    m->p.version = TLS1_2_VERSION;
    m->p.object = (void *)(uintptr_t)object;
    if (!EXPECT(tls_world_begin(&m->w)))
        return false;
    m->l = world_listen(&m->w);
    return EXPECT(test_peer_client(&m->p, &m->w, tls_listener_local(m->l)->port, false, run)) &&
           EXPECT(world_accept(&m->w, m->l, &m->s, &err, TLS_PATIENCE_MS) == NET_DONE);
}

static bool meet(struct meeting *m, void (*run)(struct test_peer *p))
{
    return meet_with(m, run, NULL);
}

static void part(struct meeting *m)
{
    stream_free(m->s);
    tls_listener_free(m->l);
    tls_world_end(&m->w);
}

/* What a read gives: the bytes, as text; or the words of the error. */
static const char *read_text(struct meeting *m)
{
    size_t count = 0;

    if (world_read(&m->w, m->s, m->text, sizeof(m->text) - 1, &count, &m->err, TLS_PATIENCE_MS) !=
        NET_DONE)
        return m->err.text;
    m->text[count] = 0;
    return m->text;
}

/* Ends its direction without close_notify, and reads on. */
static void end_half(struct test_peer *p)
{
    char data[10];

    SSL_write(p->ssl, "hello", 5);
    shutdown(p->fd, SHUT_WR);
    p->number = SSL_read(p->ssl, data, sizeof(data));
    p->error = SSL_read(p->ssl, data, 1) == 0 ? 0 : 1; /* our good-bye */
}

TEST(tls_who_ends_its_half_can_still_be_written_to)
{
    struct socket_piece piece = {"answer", 6};
    struct error err = {0};
    struct meeting m;
    size_t count;

    CHECK(meet(&m, end_half));
    CHECK_TEXT(read_text(&m), "hello");
    CHECK(strstr(read_text(&m), "without close_notify"));
    CHECK_TEXT(read_text(&m), "");
    CHECK(world_write(&m.w, m.s, &piece, 1, &count, &err, TLS_PATIENCE_MS) == NET_DONE);
    stream_free(m.s);
    m.s = NULL;
    test_peer_join(&m.p);
    CHECK(m.p.number == 6 && m.p.error == 0);
    part(&m);
}

static void reset_in_the_middle(struct test_peer *p)
{
    _Atomic bool *has_been_read = p->object;
    static const char half[] = "\x17\x03\x03\x01\x00\x01\x02";

    SSL_write(p->ssl, "hello", 5);
    EXPECT(send(p->fd, half, sizeof(half) - 1, 0) > 0);
    while (!atomic_load(has_been_read))
        usleep(100);
    end(p->fd, END_RESET);
}

TEST(tls_a_reset_is_an_error_in_both_directions)
{
    _Atomic bool has_been_read = false;
    struct socket_piece piece = {"x", 1};
    struct error err = {0};
    struct meeting m;
    size_t count;

    CHECK(meet_with(&m, reset_in_the_middle, &has_been_read));
    CHECK_TEXT(read_text(&m), "hello");
    atomic_store(&has_been_read, true);
    CHECK_TEXT(read_text(&m), "TLS: Connection reset by peer (os error 104)");
    test_peer_join(&m.p);
    CHECK(world_write(&m.w, m.s, &piece, 1, &count, &err, TLS_PATIENCE_MS) == NET_FAILED);
    part(&m);
}

/* What is sent instead of a record. */
static const struct rudeness records[] = {
    {BYTES("\x17\x03\x03\xff\xff\x00"), END_HALF, "TLS: packet length too long"},
    {BYTES("\x17\x03\x03\x49\x00\x00"), END_HALF, "TLS: packet length too long"},
    {BYTES("\x17\x03\x03\x00\x01\x00"), END_HALF, "TLS: "},
    {BYTES("\x17\x03\x03\x00\x00"), END_HALF, "TLS: "},
    {BYTES("\x17\x02\x03\x00\x20"), END_HALF, "TLS: "},
    {BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), END_HALF, "TLS: "},
    {BYTES("\x15\x03\x03\x00\x02\x01\x00"), END_HALF, "TLS: "}, /* a good-bye in the clear */
};

static void be_rude_later(struct test_peer *p)
{
    const struct rudeness *r = p->object;
    char data[100];

    SSL_write(p->ssl, "hello", 5);
    EXPECT(send(p->fd, r->bytes.data, r->bytes.size, MSG_NOSIGNAL) == (ssize_t)r->bytes.size);
    shutdown(p->fd, SHUT_WR);
    p->number = 0;
    while (SSL_read(p->ssl, data, sizeof(data)) > 0)
        p->number++;
}

/* The session has failed for good, which the other side learns. */
TEST(tls_rude_records_end_the_session)
{
    for (size_t i = 0; i < ARRAY_COUNT(records); i++) {
        struct socket_piece piece = {"x", 1};
        struct error err = {0};
        struct meeting m;
        size_t count;

        memset(&m, 0, sizeof(m));
        CHECK(meet_with(&m, be_rude_later, &records[i]));
        CHECK_TEXT(read_text(&m), "hello");
        if (!EXPECT(strncmp(read_text(&m), records[i].words, strlen(records[i].words)) == 0))
            printf("record %zu: %s\n", i, m.err.text);
        CHECK_TEXT(read_text(&m), "this TLS session has failed before");
        CHECK(world_write(&m.w, m.s, &piece, 1, &count, &err, TLS_PATIENCE_MS) == NET_FAILED);
        stream_free(m.s);
        m.s = NULL;
        test_peer_join(&m.p);
        CHECK(m.p.number == 0);
        part(&m);
    }
}
