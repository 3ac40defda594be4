/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Handshakes with peers that are slow or silent, in virtual time: the clock jumps where nothing
 * else is to be done, so that a byte a second takes no second. */
// build: -Wno-unused-const-variable
// options: --seed 1
// expect: silence: the listener gives up after 10 seconds
// expect: a byte a second to the listener: it gives up after 10 seconds
// expect: a byte a second to the client: it gives up after 5 seconds
// expect: a silent server: the client gives up after 5 seconds
// expect: a byte a millisecond: a session
#include "check.h"
#include "tls_keys.h"
#include <lunatic.h>
#include <lunatic/net.h>
#include <lunatic/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static lun_listener tls; /* of the main process, like what follows */
static uint16_t tls_port;

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Rounded. */
static int seconds_since(int64_t began_ms)
{
    return (int)((now_ms() - began_ms + 500) / 1000);
}

static lun_stream connect_to(uint16_t port)
{
    const lun_address a = {.family = 4, .bytes = {127, 0, 0, 1}, .port = port};
    lun_stream s;

    CHECK(lun_tcp_connect_to(&s, &a, LUN_FOREVER) == 0);
    return s;
}

/* ---- a relay that takes its time ---- */

struct relay {
    lun_process parent;
    uint16_t to;
    int client_delay_ms, server_delay_ms; /* for each byte that they send */
};

/* Hands on what `from` sends, byte by byte, to the stream that comes in a message. */
static void pump(lun_stream *from, const int *delay_ms)
{
    lun_message m;
    lun_stream to;
    char byte;

    if (lun_receive(&m, LUN_FOREVER) != 0)
        return;
    to = lun_take_tcp();
    while (lun_stream_read(from, &byte, 1) == 1) {
        if (*delay_ms > 0)
            lun_sleep((uint64_t)*delay_ms);
        if (lun_stream_write(&to, &byte, 1) != 0)
            return;
    }
}

static void relay(const struct relay *r)
{
    lun_listener l;
    lun_address at;
    lun_stream client, server, a, b;
    lun_process p;

    CHECK(lun_tcp_listen(&l, "127.0.0.1:0") == 0 && lun_listener_address(&l, &at) == 0);
    lun_send(r->parent, 5, &at.port, sizeof at.port);
    CHECK(lun_accept(&l, &client, NULL) == 0);
    server = connect_to(r->to);
    a = lun_stream_clone(&client);
    b = lun_stream_clone(&server);
    p = LUN_SPAWN_STREAM(pump, &a, &r->client_delay_ms);
    lun_send_stream(p, 1, &server, NULL, 0);
    p = LUN_SPAWN_STREAM(pump, &b, &r->server_delay_ms);
    lun_send_stream(p, 1, &client, NULL, 0);
}

/* The port of one. */
static uint16_t start_relay(int client_delay_ms, int server_delay_ms)
{
    struct relay r = {lun_self(), tls_port, client_delay_ms, server_delay_ms};
    lun_message m;
    uint16_t port = 0;

    LUN_SPAWN(relay, &r);
    CHECK(lun_receive_tag(&m, 5, LUN_FOREVER) == 0 && lun_read(&port, sizeof port) == sizeof port);
    return port;
}

/* ---- clients ---- */

struct client {
    lun_process parent;
    uint16_t port;
    uint64_t timeout_ms;
};

struct outcome {
    int result, seconds;
    char words[200];
};

/* Connects, says hello if it may, and tells. */
static void be_client(const struct client *c)
{
    int64_t began_ms = now_ms();
    struct outcome o = {0};
    lun_stream s;

    o.result = lun_tls_connect(&s, "localhost", c->port, test_ca, c->timeout_ms);
    o.seconds = seconds_since(began_ms);
    if (o.result == 0)
        lun_stream_write(&s, "hello", 5);
    else
        strncpy(o.words, lun_error_text(), sizeof o.words - 1);
    lun_send(c->parent, 6, &o, sizeof o);
    lun_stream_close(&s);
}

static void start_client(uint16_t port, uint64_t timeout_ms)
{
    struct client c = {lun_self(), port, timeout_ms};

    LUN_SPAWN(be_client, &c);
}

static struct outcome client_outcome(void)
{
    struct outcome o;
    lun_message m;

    CHECK(lun_receive_tag(&m, 6, LUN_FOREVER) == 0 && lun_read(&o, sizeof o) == sizeof o);
    return o;
}

/* ---- */

#define INCOMPLETE "TLS handshake: not complete after 10 seconds"

static void silence(void)
{
    lun_stream silent = connect_to(tls_port), s;
    int64_t began_ms = now_ms();
    char byte;

    CHECK(lun_accept(&tls, &s, NULL) == -LUN_EIO);
    CHECK_WORDS(INCOMPLETE);
    CHECK(lun_stream_read(&silent, &byte, 1) <= 0); /* it has been closed */
    lun_stream_close(&silent);
    printf("silence: the listener gives up after %d seconds\n", seconds_since(began_ms));
}

static void slow_client(void)
{
    struct outcome o;
    lun_stream s;
    int64_t began_ms = now_ms();

    start_client(start_relay(1000, 0), LUN_FOREVER);
    CHECK(lun_accept(&tls, &s, NULL) == -LUN_EIO);
    CHECK_WORDS(INCOMPLETE);
    printf("a byte a second to the listener: it gives up after %d seconds\n",
           seconds_since(began_ms));
    o = client_outcome();
    CHECK(o.result == -LUN_EIO);
    /* The relay closes with bytes of the client that it has not read. */
    CHECK_TEXT(o.words, "TLS handshake: Connection reset by peer (os error 104)");
}

static void slow_server(void)
{
    struct outcome o;
    lun_stream s;

    start_client(start_relay(0, 1000), 5000);
    CHECK(lun_accept(&tls, &s, NULL) == -LUN_EIO);
    o = client_outcome();
    CHECK(o.result == -LUN_ETIMEOUT);
    CHECK_TEXT(o.words, "operation timed out");
    printf("a byte a second to the client: it gives up after %d seconds\n", o.seconds);
}

static void silent_server(void)
{
    struct outcome o;
    lun_listener l; /* connections are made, and nobody takes them */
    lun_address at;

    CHECK(lun_tcp_listen(&l, "127.0.0.1:0") == 0 && lun_listener_address(&l, &at) == 0);
    start_client(at.port, 5000);
    o = client_outcome();
    CHECK(o.result == -LUN_ETIMEOUT);
    lun_listener_close(&l);
    printf("a silent server: the client gives up after %d seconds\n", o.seconds);
}

static void in_time(void)
{
    lun_stream s;
    char data[8];

    start_client(start_relay(1, 1), 10000);
    CHECK(lun_accept(&tls, &s, NULL) == 0);
    CHECK(lun_stream_read_exactly(&s, data, 5) == 0 && memcmp(data, "hello", 5) == 0);
    CHECK(client_outcome().result == 0);
    lun_stream_close(&s);
    puts("a byte a millisecond: a session");
}

int main(void)
{
    lun_address at;

    CHECK(lun_tls_listen(&tls, "127.0.0.1:0", test_server, test_server_key) == 0);
    CHECK(lun_listener_address(&tls, &at) == 0);
    tls_port = at.port;
    silence();
    slow_client();
    slow_server();
    silent_server();
    in_time();
    return 0;
}
