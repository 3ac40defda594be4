/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TCP on the loopback, both ends guests: addresses, bytes, peeks, timeouts, clones, ends. */
// expect: addresses: ok
// expect: bytes: ok
// expect: peek: ok
// expect: timeouts: ok
// expect: clones: ok
// expect: turns: ok
// expect: much: ok
// expect: a silent reader: ok
// expect: messages: ok
// expect: errors: ok
// expect: IPv6: ok
#include "check.h"
#include <lunatic.h>
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lun_listener listener;
static lun_address at;

/* A connected pair: [0] accepted, [1] connected. */
static void pair(lun_stream streams[2])
{
    CHECK(lun_tcp_connect_to(&streams[1], &at, 10000) == 0);
    CHECK(lun_accept(&listener, &streams[0], NULL) == 0);
}

static void close_pair(lun_stream streams[2])
{
    lun_stream_close(&streams[0]);
    lun_stream_close(&streams[1]);
}

static void addresses(void)
{
    lun_stream s[2];
    lun_address own, other;
    uint64_t id = 7, iterator;
    uint32_t type;
    unsigned char bytes[16] = {0}, loopback[4] = {127, 0, 0, 1};
    uint16_t port;

    CHECK(lun_listener_address(&listener, &at) == 0);
    CHECK(at.family == 4 && at.port != 0 && at.bytes[0] == 127);
    CHECK(lun_tcp_connect_to(&s[1], &at, 10000) == 0);
    CHECK(lun_accept(&listener, &s[0], &other) == 0);
    CHECK(lun_stream_peer(&s[1], &own) == 0 && lun_address_equal(&own, &at));
    CHECK(lun_stream_peer(&s[0], &own) == 0 && lun_address_equal(&own, &other));
    close_pair(s);

    /* Only 16 bits of a port count: this is port 0. */
    CHECK(lunatic_networking_tcp_bind(4, LUN_ADDRESS(loopback), 65536, 0, 0, LUN_ADDRESS(&id)) ==
          0);
    CHECK(lunatic_networking_tcp_local_addr(id, LUN_ADDRESS(&iterator)) == 0);
    CHECK(lunatic_networking_resolve_next(iterator, LUN_ADDRESS(&type), LUN_ADDRESS(bytes),
                                          LUN_ADDRESS(&port), 0, 0) == 0);
    CHECK(type == 4 && memcmp(bytes, loopback, 4) == 0 && port != 0);
    CHECK(lunatic_networking_resolve_next(iterator, LUN_ADDRESS(&type), LUN_ADDRESS(bytes),
                                          LUN_ADDRESS(&port), 0, 0) == 1);
    lunatic_networking_drop_dns_iterator(iterator);
    lunatic_networking_drop_tcp_listener(id);
    puts("addresses: ok");
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
    CHECK(lun_stream_read(&s[0], data, 0) == 0); /* nothing asked for: nothing waited for */
    lun_stream_write(&s[1], "end", 3);
    lun_stream_close(&s[1]);
    CHECK(lun_stream_read(&s[0], data, sizeof data) == 3);
    CHECK(lun_stream_read(&s[0], data, sizeof data) == 0);
    CHECK(lun_stream_read(&s[0], data, sizeof data) == 0);
    close_pair(s);
    puts("bytes: ok");
}

static void peek(void)
{
    lun_stream s[2];
    char data[8];

    pair(s);
    lun_stream_write(&s[0], "peek", 4);
    CHECK(lun_stream_peek(&s[1], data, 8) == 4);
    CHECK(lun_stream_peek(&s[1], data, 2) == 2);
    CHECK(lun_stream_read(&s[1], data, 8) == 4 && memcmp(data, "peek", 4) == 0);
    lun_stream_set_peek_timeout(&s[1], 5);
    CHECK(lun_stream_peek(&s[1], data, 8) == -LUN_ETIMEOUT);
    lun_stream_close(&s[0]);
    CHECK(lun_stream_peek(&s[1], data, 8) == 0);
    close_pair(s);
    puts("peek: ok");
}

static void write_later(lun_stream *s, const int *delay_ms)
{
    lun_sleep((uint64_t)*delay_ms);
    lun_stream_write(s, "late", 4);
    lun_sleep(LUN_FOREVER); /* which keeps it open */
}

static void timeouts(void)
{
    lun_stream s[2], copy;
    char data[8];
    int delay_ms = 30;
    lun_process p;

    pair(s);
    CHECK(lun_stream_read_timeout(&s[1]) == LUN_FOREVER);
    CHECK(lun_stream_write_timeout(&s[1]) == LUN_FOREVER);
    lun_stream_set_read_timeout(&s[1], 0);
    CHECK(lun_stream_read(&s[1], data, 8) == -LUN_ETIMEOUT);
    lun_stream_write(&s[0], "x", 1);
    lun_stream_set_read_timeout(&s[1], LUN_FOREVER);
    CHECK(lun_stream_peek(&s[1], data, 8) == 1); /* it has arrived */
    lun_stream_set_read_timeout(&s[1], 0);
    CHECK(lun_stream_read(&s[1], data, 8) == 1); /* with timeout 0 too */
    lun_stream_set_read_timeout(&s[1], 10);
    CHECK(lun_stream_read(&s[1], data, 8) == -LUN_ETIMEOUT);
    copy = lun_stream_clone(&s[1]);
    CHECK(lun_stream_read_timeout(&copy) == 10);
    lun_stream_set_read_timeout(&copy, LUN_FOREVER);
    CHECK(lun_stream_read_timeout(&s[1]) == LUN_FOREVER);
    lun_stream_close(&copy);
    p = LUN_SPAWN_STREAM(write_later, &s[0], &delay_ms);
    CHECK(p != 0);
    CHECK(lun_stream_read(&s[1], data, 8) == 4);
    lun_kill(p);
    CHECK(lun_stream_read(&s[1], data, 8) == 0); /* the killed process's socket is closed */
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
    lun_stream_write(&copy, "copy", 4); /* still open */
    CHECK(lun_stream_read(&s[1], data, 8) == 4);
    lun_stream_close(&copy);
    CHECK(lun_stream_read(&s[1], data, 8) == 0);
    lun_stream_close(&s[1]);
    puts("clones: ok");
}

struct order {
    lun_process whom;
    char name;
};

static void read_one(lun_stream *s, const struct order *o)
{
    char answer[2] = {o->name, 0};

    lun_send(o->whom, 1, answer, 1); /* about to read */
    if (lun_stream_read(s, answer + 1, 1) == 1)
        lun_send(o->whom, 2, answer, 2);
}

/* Readers get their bytes in the order of their calls; one that is killed loses its place. */
static void turns(void)
{
    lun_stream s[2];
    lun_process readers[4];
    lun_message m;
    char answer[2];

    pair(s);
    for (int i = 0; i < 4; i++) {
        struct order o = {lun_self(), (char)('0' + i)};
        lun_stream copy = lun_stream_clone(&s[1]);

        readers[i] = LUN_SPAWN_STREAM(read_one, &copy, &o);
        CHECK(lun_receive_tag(&m, 1, LUN_FOREVER) == 0);
        lun_sleep(20); /* it is in its read now, most likely */
    }
    lun_kill(readers[1]);
    for (int i = 0; i < 4; i++) {
        char byte = (char)('a' + i);

        if (i == 1)
            continue;
        lun_stream_write(&s[0], &byte, 1);
        CHECK(lun_receive_tag(&m, 2, LUN_FOREVER) == 0 && lun_read(answer, 2) == 2);
        CHECK(answer[1] == byte);
    }
    close_pair(s);
    puts("turns: ok");
}

#define MUCH (6u << 20)

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

static void much(void)
{
    lun_stream s[2];
    uint32_t seed = 1, x = 1;
    static unsigned char block[70001];
    size_t total = 0;
    long n;

    pair(s);
    LUN_SPAWN_STREAM(write_much, &s[0], &seed);
    while ((n = lun_stream_read(&s[1], block, sizeof block)) > 0) {
        for (long i = 0; i < n; i++)
            CHECK(block[i] == (unsigned char)((x = x * 1664525u + 1013904223u) >> 24));
        total += (size_t)n;
    }
    CHECK(n == 0 && total == MUCH);
    lun_stream_close(&s[1]);
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
    lun_stream_close(&s[0]);
    while ((n = lun_stream_read(&s[1], block, sizeof block)) > 0)
        got += (size_t)n;
    CHECK(n == 0 && got == written); /* what timed out has written nothing */
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
    s = lun_take_tcp();
    while ((n = lun_stream_read(&s, data, sizeof data)) > 0)
        lun_stream_write(&s, data, (size_t)n);
    lun_send(*parent, 3, NULL, 0);
}

static void ignore_message(const lun_process *parent)
{
    lun_message m;

    lun_receive(&m, LUN_FOREVER);
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
    lun_stream_set_read_timeout(&s[0], 60000); /* travels with it */
    lun_send_stream(p, 9, &s[0], "with data", 9);
    lun_stream_write(&s[1], "echo", 4);
    CHECK(lun_stream_read(&s[1], data, 8) == 4);
    lun_stream_close(&s[1]);
    CHECK(lun_receive_tag(&m, 3, LUN_FOREVER) == 0);

    pair(s); /* never taken: closed with the message */
    p = LUN_SPAWN(ignore_message, &self);
    lun_send_stream(p, 9, &s[0], NULL, 0);
    CHECK(lun_stream_read(&s[1], data, 8) == 0);
    lun_stream_close(&s[1]);
    CHECK(lun_receive_tag(&m, 3, LUN_FOREVER) == 0);

    pair(s); /* to nobody */
    lun_send_stream(p, 9, &s[0], NULL, 0);
    CHECK(lun_stream_read(&s[1], data, 8) == 0);
    lun_stream_close(&s[1]);
    puts("messages: ok");
}

static void errors(void)
{
    lun_listener other;
    lun_stream s[2];
    char text[LUN_ADDRESS_TEXT_SIZE], data[8];
    lun_address gone;
    long n;

    CHECK(lun_tcp_listen(&other, lun_address_text(&at, text)) == -LUN_EIO);
    CHECK(strcmp(lun_error_text(), "Address already in use (os error 98)") == 0);
    CHECK(lun_tcp_listen(&other, "127.0.0.1:0") == 0);
    CHECK(lun_listener_address(&other, &gone) == 0);
    lun_listener_close(&other);
    CHECK(lun_tcp_connect_to(&s[0], &gone, 10000) == -LUN_EIO);
    CHECK(strcmp(lun_error_text(), "Connection refused (os error 111)") == 0);

    pair(s); /* closed with bytes unread: a reset */
    lun_stream_write(&s[0], "unread", 6);
    CHECK(lun_stream_peek(&s[1], data, 8) == 6);
    lun_stream_close(&s[1]);
    n = lun_stream_read(&s[0], data, 8);
    CHECK(n == -LUN_EIO);
    CHECK(strcmp(lun_error_text(), "Connection reset by peer (os error 104)") == 0);
    CHECK(lun_stream_write(&s[0], "x", 1) == -LUN_EIO);
    CHECK(strcmp(lun_error_text(), "Broken pipe (os error 32)") == 0);
    lun_stream_close(&s[0]);
    puts("errors: ok");
}

static void ipv6(void)
{
    lun_listener six;
    lun_address own, other;
    lun_stream s[2];
    char data[8];

    if (lun_tcp_listen(&six, "[::1]:0") != 0) {
        /* A machine without IPv6 says so. */
        CHECK(strstr(lun_error_text(), "(os error 97)") ||
              strstr(lun_error_text(), "(os error 99)"));
        puts("IPv6: ok");
        return;
    }
    CHECK(lun_listener_address(&six, &own) == 0 && own.family == 6 && own.bytes[15] == 1);
    CHECK(lun_tcp_connect_to(&s[1], &own, 10000) == 0);
    CHECK(lun_accept(&six, &s[0], &other) == 0 && other.family == 6 && other.bytes[15] == 1);
    CHECK(lun_stream_write(&s[1], "six", 3) == 0 && lun_stream_read(&s[0], data, 8) == 3);
    close_pair(s);
    lun_listener_close(&six);
    puts("IPv6: ok");
}

int main(void)
{
    CHECK(lun_tcp_listen(&listener, "127.0.0.1:0") == 0);
    addresses();
    bytes();
    peek();
    timeouts();
    clones();
    turns();
    much();
    silent_reader();
    messages();
    errors();
    ipv6();
    return 0;
}
