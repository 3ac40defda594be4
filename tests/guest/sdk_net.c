// SPDX-License-Identifier: Apache-2.0 OR MIT
// <lunatic/net.h>: both sides of each call in one program.
// expect: addresses
// expect: tcp
// expect: timeouts
// expect: streams go to new processes
// expect: streams go in messages
// expect: udp
// expect: errors
#include <assert.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE 300000

static lun_listener listener;
static lun_address where;
static char text[LUN_ADDRESS_TEXT_SIZE];

/* A connection of this process to itself. */
static void pair(lun_stream *client, lun_stream *server)
{
    lun_address from, peer;

    assert(lun_tcp_connect(client, lun_address_text(&where, text), 10000) == 0);
    assert(lun_accept(&listener, server, &from) == 0);
    assert(lun_stream_peer(client, &peer) == 0 && lun_address_equal(&peer, &where));
    assert(lun_stream_peer(server, &peer) == 0 && lun_address_equal(&peer, &from));
}

static void addresses(void)
{
    static const char *const wrong[] = {"",
                                        "80",
                                        "1.2.3.4",
                                        "1.2.3.4:",
                                        "1.2.3:80",
                                        "::1:80",
                                        "[::1:80",
                                        "1.2.3.4:65536",
                                        "[1.2.3.4]:80",
                                        "a:80",
                                        "1.2.3.4:+80",
                                        "1.2.3.4: 80",
                                        "[]:80",
                                        "[::1]80",
                                        "1.2.3.4:80 ",
                                        ":80"};
    lun_address a, b, list[3];
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert(!lun_address_parse(&a, wrong[i]));
    assert(lun_address_parse(&a, "192.0.2.255:65535"));
    assert(a.family == 4 && a.bytes[0] == 192 && a.bytes[3] == 255 && a.port == 65535);
    assert(strcmp(lun_address_text(&a, text), "192.0.2.255:65535") == 0);
    assert(lun_address_parse(&b, "[2001:DB8::0:1]:80") && !lun_address_equal(&a, &b));
    assert(b.family == 6 && b.bytes[1] == 1 && b.bytes[15] == 1 && b.port == 80);
    assert(strcmp(lun_address_text(&b, text), "[2001:db8::1]:80") == 0);
    assert(lun_resolve("192.0.2.255:65535", list, 3, 0) == 1 && lun_address_equal(&list[0], &a));
    assert(lun_resolve("nothing", list, 3, 0) == -LUN_EIO && lun_error_text()[0] != '\0');
    a.family = 0;
    assert(strcmp(lun_address_text(&a, text), "?") == 0);
    puts("addresses");
}

static void tcp(void)
{
    static char much[LARGE], back[LARGE];
    lun_piece pieces[] = {{"ab", 2}, {"", 0}, {much, LARGE}, {"cd", 2}};
    lun_stream client, server, clone;
    lun_task task;
    char bytes[8];
    size_t i;

    (void)task;
    for (i = 0; i < LARGE; i++)
        much[i] = (char)(i * 7);
    pair(&client, &server);
    assert(lun_stream_write(&client, "hello", 5) == 0);
    assert(lun_stream_peek(&server, bytes, sizeof bytes) == 5);
    assert(lun_stream_read(&server, bytes, 2) == 2 && memcmp(bytes, "he", 2) == 0);
    assert(lun_stream_read_exactly(&server, bytes, 3) == 0 && memcmp(bytes, "llo", 3) == 0);
    assert(lun_stream_flush(&client) == 0);
    clone = lun_stream_clone(&client);
    lun_stream_close(&client);
    assert(client.id == 0);
    lun_stream_close(&client); /* harmless */
    assert(lun_stream_write_some(&clone, pieces, 2) == 2);
    assert(lun_stream_read(&server, bytes, sizeof bytes) == 2);
    assert(lun_stream_write(&clone, "x", 1) == 0);
    lun_stream_close(&clone);
    assert(lun_stream_read_exactly(&server, bytes, 2) == -LUN_EEND);
    assert(lun_stream_read(&server, bytes, sizeof bytes) == 0);
    lun_stream_close(&server);

    /* More than the system takes at once: somebody has to read meanwhile. */
    pair(&client, &server);
    lun_stream_set_write_timeout(&client, 20000);
    for (i = 0; i < 10; i++) {
        long some = lun_stream_write_some(&client, &pieces[2], 1);
        assert(some > 0 && lun_stream_read_exactly(&server, back, (size_t)some) == 0);
        assert(memcmp(back, much, (size_t)some) == 0);
    }
    lun_stream_close(&client);
    lun_stream_close(&server);
    puts("tcp");
}

static void timeouts(void)
{
    static char much[LARGE];
    lun_stream client, server;
    char byte;
    int result = 0;

    pair(&client, &server);
    assert(lun_stream_read_timeout(&server) == LUN_FOREVER);
    lun_stream_set_read_timeout(&server, 20);
    lun_stream_set_peek_timeout(&server, 20);
    assert(lun_stream_read_timeout(&server) == 20);
    assert(lun_stream_read(&server, &byte, 1) == -LUN_ETIMEOUT);
    assert(lun_stream_peek(&server, &byte, 1) == -LUN_ETIMEOUT);
    assert(lun_stream_read_exactly(&server, &byte, 1) == -LUN_ETIMEOUT);
    lun_stream_set_write_timeout(&client, 20);
    assert(lun_stream_write_timeout(&client) == 20);
    while (result == 0)
        result = lun_stream_write(&client, much, sizeof much);
    assert(result == -LUN_ETIMEOUT);
    lun_stream_close(&client);
    lun_stream_close(&server);
    puts("timeouts");
}

struct wanted {
    int count;
    char word[8];
};

/* Its argument goes with the stream. */
static void repeat(lun_stream *stream, const struct wanted *w)
{
    int i;

    for (i = 0; i < w->count; i++)
        assert(lun_stream_write(stream, w->word, strlen(w->word)) == 0);
}

static void send_all(lun_stream *stream, const void *data, size_t size)
{
    assert(lun_stream_write(stream, data, size) == 0);
}

static void read_pieces(lun_stream *stream, const size_t *size)
{
    char *back = malloc(*size);
    size_t i;

    assert(lun_stream_read_exactly(stream, back, *size) == 0);
    for (i = 2; i < *size - 2; i++)
        assert(back[i] == (char)((i - 2) * 7));
    assert(memcmp(back, "ab", 2) == 0 && memcmp(back + *size - 2, "cd", 2) == 0);
    assert(lun_stream_write(stream, "well", 4) == 0);
}

static void new_processes(void)
{
    static char much[LARGE], back[LARGE];
    static const size_t sizes[] = {0, 1, 8, 9, 4096, 4097, LARGE};
    lun_piece pieces[] = {{"a", 1}, {"b", 1}, {much, LARGE}, {"", 0}, {"cd", 2}};
    struct wanted wanted = {3, "abc"};
    size_t size = LARGE + 4, i;
    lun_stream client, server;

    for (i = 0; i < LARGE; i++)
        much[i] = (char)(i * 7);
    pair(&client, &server);
    assert(LUN_SPAWN_STREAM(repeat, &server, &wanted) != 0);
    assert(server.id == 0);
    assert(lun_stream_read_exactly(&client, back, 9) == 0 && memcmp(back, "abcabcabc", 9) == 0);
    assert(lun_stream_read(&client, back, 1) == 0); /* it closes with the function */
    lun_stream_close(&client);
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pair(&client, &server);
        assert(lun_spawn_stream(send_all, &server, much, sizes[i]) != 0);
        assert(lun_stream_read_exactly(&client, back, sizes[i]) == 0);
        assert(memcmp(back, much, sizes[i]) == 0 && lun_stream_read(&client, back, 1) == 0);
        lun_stream_close(&client);
    }
    pair(&client, &server);
    assert(LUN_SPAWN_STREAM(read_pieces, &server, &size) != 0);
    assert(lun_stream_write_pieces(&client, pieces, 5) == 0);
    assert(lun_stream_read_exactly(&client, back, 4) == 0 && memcmp(back, "well", 4) == 0);
    lun_stream_close(&client);
    puts("streams go to new processes");
}

static void take_and_answer(const lun_process *parent)
{
    lun_message message;
    lun_stream stream;
    char word[4];

    (void)parent;
    assert(lun_receive_tag(&message, 5, LUN_FOREVER) == 0 && message.size == 4);
    stream = lun_take_tcp();
    assert(lun_read_exactly(word, 4) == 0);
    assert(lun_stream_write(&stream, word, 4) == 0);
}

static void messages(void)
{
    lun_process self = lun_self(), child = LUN_SPAWN(take_and_answer, &self);
    lun_stream client, server;
    char word[4];

    pair(&client, &server);
    lun_send_stream(child, 5, &server, "word", 4);
    assert(server.id == 0);
    assert(lun_stream_read_exactly(&client, word, 4) == 0 && memcmp(word, "word", 4) == 0);
    assert(lun_stream_read(&client, word, 1) == 0);
    lun_stream_close(&client);
    pair(&client, &server);
    lun_monitor(child);
    {
        lun_message message;

        assert(lun_receive(&message, LUN_FOREVER) == 0 && message.kind == LUN_PROCESS_DIED);
    }
    lun_send_stream(child, 5, &server, NULL, 0); /* nobody takes it */
    assert(lun_stream_read(&client, word, 1) == 0);
    lun_stream_close(&client);
    puts("streams go in messages");
}

static void answer_datagram(const lun_address *to)
{
    lun_message message;
    lun_udp udp;

    assert(lun_receive(&message, LUN_FOREVER) == 0);
    udp = lun_take_udp();
    assert(lun_udp_send_to(&udp, "from the child", 14, to) == 0);
    lun_udp_close(&udp);
}

static void udp(void)
{
    lun_address a, b, from;
    lun_udp one, two, clone;
    char bytes[64];

    assert(lun_udp_bind(&one, "127.0.0.1:0") == 0 && lun_udp_address(&one, &a) == 0);
    assert(lun_udp_bind(&two, "127.0.0.1:0") == 0 && lun_udp_address(&two, &b) == 0);
    assert(lun_udp_peer(&one, &from) == -LUN_EIO);
    assert(lun_udp_send(&one, "x", 1) == -LUN_EIO);
    assert(lun_udp_send_to(&one, "hello", 5, &b) == 0);
    assert(lun_udp_receive(&two, bytes, sizeof bytes, &from) == 5);
    assert(memcmp(bytes, "hello", 5) == 0 && lun_address_equal(&from, &a));
    assert(lun_udp_connect(&two, &a) == 0);
    assert(lun_udp_peer(&two, &from) == 0 && lun_address_equal(&from, &a));
    assert(lun_udp_send(&two, "", 0) == 0 && lun_udp_send(&two, "longer", 6) == 0);
    assert(lun_udp_receive(&one, bytes, sizeof bytes, NULL) == 0);
    assert(lun_udp_receive(&one, bytes, 4, NULL) == 4 && memcmp(bytes, "long", 4) == 0);
    lun_udp_set_broadcast(&one, true);
    lun_udp_set_ttl(&one, 3);
    clone = lun_udp_clone(&one);
    lun_send_udp(LUN_SPAWN(answer_datagram, &b), 1, &clone, NULL, 0);
    assert(clone.id == 0 && lun_udp_receive(&two, bytes, sizeof bytes, &from) == 14);
    assert(lun_address_equal(&from, &a));
    lun_udp_close(&one);
    lun_udp_close(&one); /* harmless */
    lun_udp_close(&two);
    puts("udp");
}

static void use_nothing(const int *n, int *result)
{
    lun_stream nothing = {0};

    (void)n;
    (void)lun_stream_read(&nothing, result, 1); /* a trap */
    *result = 1;
}

static void errors(void)
{
    lun_listener again;
    lun_stream stream;
    lun_task task;
    int n = 0, result;

    assert(lun_tcp_listen(&again, lun_address_text(&where, text)) == -LUN_EIO && again.id == 0);
    assert(strcmp(lun_error_text(), "Address already in use (os error 98)") == 0);
    lun_listener_close(&listener);
    lun_listener_close(&listener); /* harmless */
    assert(lun_tcp_connect_to(&stream, &where, LUN_FOREVER) == -LUN_EIO && stream.id == 0);
    assert(strcmp(lun_error_text(), "Connection refused (os error 111)") == 0);
    assert(lun_tcp_connect(&stream, "no port", 100) == -LUN_EIO);
    lun_die_with_links(false);
    task = LUN_START(use_nothing, &n, &result);
    assert(lun_wait(&task, LUN_FOREVER) == -LUN_EDIED);
    puts("errors");
}

int main(void)
{
    assert(lun_tcp_listen(&listener, "127.0.0.1:0") == 0);
    assert(lun_listener_address(&listener, &where) == 0 && where.port != 0);
    addresses();
    tcp();
    timeouts();
    new_processes();
    messages();
    udp();
    errors();
    return 0;
}
