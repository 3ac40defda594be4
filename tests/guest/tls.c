/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TLS on the loopback, both ends guests: bytes, ends, clones, timeouts, messages, whom to trust. */
// build: -Wno-unused-const-variable
// expect: bytes: ok
// expect: keys: ok
// expect: trust: ok
// expect: material: ok
// expect: pairs: ok
// expect: timeouts: ok
// expect: clones: ok
// expect: much: ok
// expect: a silent reader: ok
// expect: messages: ok
// expect: strangers: ok
#include "check.h"
#include "tls_keys.h"
#include <lunatic.h>
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <lunatic/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MS 60000

static lun_listener listener;
static lun_address at;

/* What a process needs to connect. */
struct target {
    uint16_t port;
    char name[32];
};

static void connect_and_hand_over(const lun_process *parent)
{
    lun_message m;
    lun_stream s;
    struct target t;

    if (lun_receive(&m, LUN_FOREVER) != 0 || lun_read(&t, sizeof t) != sizeof t)
        exit(1);
    if (lun_tls_connect(&s, t.name, t.port, test_ca, LIMIT_MS) == 0)
        lun_send_stream(*parent, 77, &s, NULL, 0);
    else
        lun_send(*parent, 78, NULL, 0);
}

/* A connected pair: [0] accepted, [1] connected. Both handshakes need somebody who waits. */
static void pair(lun_stream streams[2])
{
    lun_process self = lun_self(), p = LUN_SPAWN(connect_and_hand_over, &self);
    struct target t = {at.port, "localhost"};
    const int64_t tags[] = {77, 78};
    lun_address peer;
    lun_message m;

    lun_send(p, 1, &t, sizeof t);
    CHECK(lun_accept(&listener, &streams[0], &peer) == 0);
    CHECK(peer.family == 4 && peer.bytes[0] == 127 && peer.port != 0);
    CHECK(lun_receive_tags(&m, tags, 2, LUN_FOREVER) == 0 && m.tag == 77);
    streams[1] = lun_take_tls();
    CHECK(streams[1].id != 0);
}

static void close_pair(lun_stream streams[2])
{
    lun_stream_close(&streams[0]);
    lun_stream_close(&streams[1]);
}

static void bytes(void)
{
    const lun_piece pieces[] = {{"one ", 4}, {"", 0}, {"two ", 4}, {"three", 5}};
    lun_stream s[2];
    char data[64] = "";

    pair(s);
    CHECK(lun_stream_write_some(&s[0], pieces, 4) == 13);
    CHECK(lun_stream_read(&s[1], data, sizeof data) == 13);
    CHECK(memcmp(data, "one two three", 13) == 0);
    CHECK(lun_stream_write(&s[1], "abcdef", 6) == 0);
    CHECK(lun_stream_read(&s[0], data, 4) == 4 && memcmp(data, "abcd", 4) == 0);
    CHECK(lun_stream_read(&s[0], data, 4) == 2 && memcmp(data, "ef", 2) == 0);
    CHECK(lun_stream_flush(&s[0]) == 0);
    CHECK(lun_stream_read(&s[0], data, 0) == 0);
    lun_stream_write(&s[1], "end", 3);
    lun_stream_close(&s[1]);
    CHECK(lun_stream_read(&s[0], data, sizeof data) == 3);
    CHECK(lun_stream_read(&s[0], data, sizeof data) == 0); /* close_notify has come */
    CHECK(lun_stream_read(&s[0], data, sizeof data) == 0);
    lun_stream_close(&s[0]);
    puts("bytes: ok");
}

/* ---- servers and whom they convince ---- */

struct server {
    const char *certificates, *key;
};

static void serve_one(lun_listener *l)
{
    lun_stream s;
    char byte;

    /* A client that does not trust us makes the handshake fail. */
    if (lun_accept(l, &s, NULL) == 0) {
        lun_stream_read(&s, &byte, 1);
        lun_stream_close(&s);
    }
}

static void serve(const struct server *server)
{
    lun_listener l;
    lun_address where;
    lun_message m;
    lun_process parent;

    if (lun_receive(&m, LUN_FOREVER) != 0 || lun_read(&parent, sizeof parent) != sizeof parent ||
        lun_tls_listen(&l, "127.0.0.1:0", server->certificates, server->key) != 0 ||
        lun_listener_address(&l, &where) != 0)
        exit(1);
    lun_send(parent, 5, &where.port, sizeof where.port);
    serve_one(&l);
}

/* What connecting to such a server gives. */
static int attempt(const char *certificates, const char *key, const char *name, const char *roots)
{
    const struct server server = {certificates, key};
    lun_process self = lun_self(), p = LUN_SPAWN(serve, &server);
    lun_message m;
    lun_stream s;
    uint16_t port = 0;
    int result;

    lun_send(p, 1, &self, sizeof self);
    CHECK(lun_receive_tag(&m, 5, LIMIT_MS) == 0 && lun_read(&port, 2) == 2);
    result = lun_tls_connect(&s, name, port, roots, LIMIT_MS);
    if (result == 0) {
        CHECK(lun_stream_write(&s, "x", 1) == 0);
        lun_stream_close(&s);
    }
    return result;
}

static void keys(void)
{
    CHECK(attempt(test_server, test_server_key, "localhost", test_ca) == 0);
    CHECK(attempt(test_server, test_server_key_sec1, "localhost", test_ca) == 0);
    CHECK(attempt(test_rsa, test_rsa_key, "localhost", test_ca) == 0);
    CHECK(attempt(test_rsa, test_rsa_key_pkcs1, "localhost", test_ca) == 0);
    CHECK(attempt(test_ed25519, test_ed25519_key, "localhost", test_ca) == 0);
    CHECK(attempt(test_chained, test_chained_key, "localhost", test_ca) == 0);
    puts("keys: ok");
}

static void trust(void)
{
    CHECK(attempt(test_server, test_server_key, "127.0.0.1", test_ca) == 0);
    CHECK(attempt(test_server, test_server_key, "localhost", test_server) == 0);
    CHECK(attempt(test_self, test_self_key, "localhost", test_self) == 0);
    CHECK(attempt(test_server, test_server_key, "localhost", test_self) == -LUN_EIO);
    CHECK_WORDS("TLS handshake: the certificate of \"localhost\" cannot be trusted: unable to get "
                "local issuer certificate");
    CHECK(attempt(test_self, test_self_key, "localhost", test_ca) == -LUN_EIO);
    CHECK_WORDS("TLS handshake: the certificate of \"localhost\" cannot be trusted: self-signed "
                "certificate");
    CHECK(attempt(test_expired, test_expired_key, "localhost", test_ca) == -LUN_EIO);
    CHECK_WORDS("TLS handshake: the certificate of \"localhost\" cannot be trusted: certificate "
                "has expired");
    puts("trust: ok");
}

static void material(void)
{
    static char two_keys[2000], cut[2000];
    lun_listener l;
    lun_stream s;

    strcat(strcpy(two_keys, test_server_key), test_rsa_key);
    memcpy(cut, test_server, 100);
    CHECK(lun_tls_listen(&l, "127.0.0.1:0", "", test_server_key) == -LUN_EIO);
    CHECK_WORDS("the certificate: there is no CERTIFICATE section in the text");
    CHECK(lun_tls_listen(&l, "127.0.0.1:0", test_server, "") == -LUN_EIO);
    CHECK_WORDS("the key: there is no PRIVATE KEY section in the text");
    CHECK(lun_tls_listen(&l, "127.0.0.1:0", test_server, two_keys) == -LUN_EIO);
    CHECK_WORDS("the key: there is more than one in the text");
    CHECK(lun_tls_listen(&l, "127.0.0.1:0", cut, test_server_key) == -LUN_EIO);
    CHECK_WORDS("the certificate: a section of the PEM text has no end line");
    CHECK(lun_tls_listen(&l, "127.0.0.1:0", test_server, test_rsa_key) == -LUN_EIO);
    CHECK_WORDS("the key does not belong to the certificate");
    CHECK(lun_tls_connect(&s, "localhost", at.port,
                          "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                          LIMIT_MS) == -LUN_EIO);
    CHECK(strncmp(lun_error_text(), "a trusted certificate cannot be read: ", 38) == 0);
    CHECK(lun_tls_connect(&s, "local host", at.port, test_ca, LIMIT_MS) == -LUN_EIO);
    CHECK_WORDS(
        "\"local host\" is neither a host name nor an address, so no certificate can be for it");
    CHECK(lun_tls_connect(&s, "localhost", at.port, test_ca, 0) == -LUN_ETIMEOUT);
    puts("material: ok");
}

/* Sizes first, as the Rust library gives them, or pointers first; several certificates. */
static void pairs(void)
{
    static const char text[] = "localhost";
    const uint32_t orders[2][4] = {
        {LUN_ADDRESS(test_self), sizeof test_self - 1, LUN_ADDRESS(test_ca), sizeof test_ca - 1},
        {sizeof test_self - 1, LUN_ADDRESS(test_self), sizeof test_ca - 1, LUN_ADDRESS(test_ca)}};
    lun_process self = lun_self();

    for (int i = 0; i < 2; i++) {
        const struct server server = {test_server, test_server_key};
        lun_process p = LUN_SPAWN(serve, &server);
        lun_message m;
        uint64_t id;
        uint16_t port = 0;

        lun_send(p, 1, &self, sizeof self);
        CHECK(lun_receive_tag(&m, 5, LIMIT_MS) == 0 && lun_read(&port, 2) == 2);
        CHECK(lunatic_networking_tls_connect(LUN_ADDRESS(text), sizeof text - 1, port, LIMIT_MS,
                                             LUN_ADDRESS(&id), LUN_ADDRESS(orders[i]), 2) == 0);
        lunatic_networking_drop_tls_stream(id);
    }
    puts("pairs: ok");
}

static void write_later(lun_stream *s, const int *delay_ms)
{
    lun_sleep((uint64_t)*delay_ms);
    lun_stream_write(s, "late", 4);
    lun_sleep(LUN_FOREVER);
}

static void timeouts(void)
{
    lun_stream s[2], copy;
    char data[8];
    int delay_ms = 30;
    lun_process p;

    pair(s);
    CHECK(lun_stream_read_timeout(&s[1]) == LUN_FOREVER);
    lun_stream_set_read_timeout(&s[1], 0);
    CHECK(lun_stream_read(&s[1], data, 8) == -LUN_ETIMEOUT);
    lun_stream_set_read_timeout(&s[1], 10);
    CHECK(lun_stream_read(&s[1], data, 8) == -LUN_ETIMEOUT);
    copy = lun_stream_clone(&s[1]);
    CHECK(lun_stream_read_timeout(&copy) == 10);
    lun_stream_set_read_timeout(&copy, LUN_FOREVER);
    lun_stream_close(&copy);
    p = LUN_SPAWN_STREAM(write_later, &s[0], &delay_ms);
    CHECK(lun_stream_read(&s[1], data, 8) == 4);
    lun_kill(p);
    CHECK(lun_stream_read(&s[1], data, 8) == 0); /* even the killed process's says good-bye */
    lun_stream_close(&s[1]);
    puts("timeouts: ok");
}

static void clones(void)
{
    lun_stream s[2], copy;
    char data[8];

    pair(s);
    copy = lun_stream_clone(&s[0]);
    lun_stream_close(&s[0]);
    lun_stream_write(&copy, "copy", 4);
    CHECK(lun_stream_read(&s[1], data, 8) == 4);
    lun_stream_close(&copy);
    CHECK(lun_stream_read(&s[1], data, 8) == 0);
    lun_stream_close(&s[1]);
    puts("clones: ok");
}

#define MUCH (3u << 20)

static void write_much(lun_stream *s, const uint32_t *seed)
{
    uint32_t x = *seed;
    static unsigned char block[100000];
    size_t left = MUCH;

    while (left > 0) {
        size_t n = left < sizeof block ? left : sizeof block;

        for (size_t i = 0; i < n; i++)
            block[i] = (unsigned char)((x = x * 1664525u + 1013904223u) >> 24);
        if (lun_stream_write(s, block, n) != 0)
            return;
        left -= n;
    }
}

static void read_much(const lun_stream *s)
{
    static unsigned char block[70001];
    uint32_t x = 1;
    size_t total = 0;
    long n;

    while (total < MUCH && (n = lun_stream_read(s, block, sizeof block)) > 0) {
        for (long i = 0; i < n; i++)
            CHECK(block[i] == (unsigned char)((x = x * 1664525u + 1013904223u) >> 24));
        total += (size_t)n;
    }
    CHECK(total == MUCH);
}

/* Both ways at the same time, over one session. */
static void much(void)
{
    lun_stream s[2], copy;
    uint32_t seed = 1;

    pair(s);
    copy = lun_stream_clone(&s[0]);
    LUN_SPAWN_STREAM(write_much, &copy, &seed);
    copy = lun_stream_clone(&s[1]);
    LUN_SPAWN_STREAM(write_much, &copy, &seed);
    read_much(&s[1]);
    read_much(&s[0]);
    close_pair(s);
    puts("much: ok");
}

static void silent_reader(void)
{
    static char block[300000];
    const lun_piece piece = {block, sizeof block};
    lun_stream s[2];
    size_t written = 0, got = 0;
    long n;

    pair(s);
    lun_stream_set_write_timeout(&s[0], 20);
    while ((n = lun_stream_write_some(&s[0], &piece, 1)) > 0)
        written += (size_t)n;
    CHECK(n == -LUN_ETIMEOUT && written > 0);
    CHECK(lun_stream_flush(&s[0]) == -LUN_ETIMEOUT);
    CHECK_WORDS("operation timed out"); /* the Rust library, too, takes an error then */
    lun_stream_close(&s[0]);            /* what it has still to send is sent */
    while ((n = lun_stream_read(&s[1], block, sizeof block)) > 0)
        got += (size_t)n;
    CHECK(n == 0 && got == written);
    lun_stream_close(&s[1]);
    puts("a silent reader: ok");
}

static void take_and_echo(const lun_process *parent)
{
    lun_message m;
    lun_stream s;
    char data[8];
    long n;

    if (lun_receive(&m, LUN_FOREVER) != 0)
        return;
    s = lun_take_tls();
    while ((n = lun_stream_read(&s, data, sizeof data)) > 0)
        lun_stream_write(&s, data, (size_t)n);
    lun_send(*parent, 3, NULL, 0);
}

static void messages(void)
{
    lun_process self = lun_self(), p;
    lun_stream s[2];
    lun_message m;
    char data[8];

    pair(s);
    p = LUN_SPAWN(take_and_echo, &self);
    lun_send_stream(p, 9, &s[0], NULL, 0);
    lun_stream_write(&s[1], "echo", 4);
    CHECK(lun_stream_read(&s[1], data, 8) == 4);
    lun_stream_close(&s[1]);
    CHECK(lun_receive_tag(&m, 3, LUN_FOREVER) == 0);
    pair(s); /* to nobody */
    lun_send_stream(p, 9, &s[0], NULL, 0);
    CHECK(lun_stream_read(&s[1], data, 8) == 0);
    lun_stream_close(&s[1]);
    puts("messages: ok");
}

/* Clients that say nothing delay nobody; those that talk nonsense are an error of one accept. */
static void strangers(void)
{
    lun_stream silent[20], rude, s[2];
    char data[64];

    for (int i = 0; i < 20; i++)
        CHECK(lun_tcp_connect_to(&silent[i], &at, LIMIT_MS) == 0);
    pair(s);
    close_pair(s);
    CHECK(lun_tcp_connect_to(&rude, &at, LIMIT_MS) == 0);
    lun_stream_write(&rude, "GET / HTTP/1.1\r\n\r\n", 18);
    CHECK(lun_accept(&listener, &s[0], NULL) == -LUN_EIO);
    CHECK_WORDS("TLS handshake: the other side does not speak TLS");
    while (lun_stream_read(&rude, data, sizeof data) > 0)
        ; /* an alert, and the end */
    lun_stream_close(&rude);
    pair(s);
    close_pair(s);
    for (int i = 0; i < 20; i++)
        lun_stream_close(&silent[i]);
    puts("strangers: ok");
}

int main(void)
{
    CHECK(lun_tls_listen(&listener, "127.0.0.1:0", test_server, test_server_key) == 0);
    CHECK(lun_listener_address(&listener, &at) == 0 && at.port != 0);
    bytes();
    keys();
    trust();
    material();
    pairs();
    timeouts();
    clones();
    much();
    silent_reader();
    messages();
    strangers();
    return 0;
}
