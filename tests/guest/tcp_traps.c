/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What traps in the functions of TCP: unknown ids, pointers that leave the memory, whatever else is
 * no failure of the network. Each in a process of its own, and nothing is done before the trap. */
// expect: 34 traps, none missed
// expect: the stream is untouched
// error: lunatic::networking::drop_tcp_listener: unknown id of a socket
// error: lunatic::networking::clone_tcp_stream: unknown id of a socket
// error: lunatic::networking::tcp_peer_addr: unknown id of a stream
// error: lunatic::networking::tcp_read: unknown id of a socket
// error: lunatic::networking::tcp_peek: a pointer leaves the memory
// error: lunatic::networking::tcp_write_vectored: a pointer leaves the memory
// error: lunatic::networking::tcp_flush: a pointer leaves the memory
// error: lunatic::networking::set_read_timeout: unknown id of a socket
// error: lunatic::networking::get_peek_timeout: unknown id of a socket
// error: lunatic::message::push_tcp_stream: there is no current data message
// error: lunatic::message::take_tls_stream: there is no such socket at this index
#include "check.h"
#include <lunatic.h>
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <stdio.h>

#define BAD     0xfffffff0u
#define UNKNOWN 999

static unsigned char loopback[4] = {127, 0, 0, 1};
static uint64_t out, out2, listener, client, server;
static uint16_t port;

static void open_pair(void)
{
    uint32_t type;
    uint64_t iterator, peer;
    unsigned char bytes[16];

    lunatic_networking_tcp_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&listener));
    lunatic_networking_tcp_local_addr(listener, LUN_ADDRESS(&iterator));
    lunatic_networking_resolve_next(iterator, LUN_ADDRESS(&type), LUN_ADDRESS(bytes),
                                    LUN_ADDRESS(&port), 0, 0);
    lunatic_networking_tcp_connect(4, LUN_ADDRESS(loopback), port, 0, 0, LUN_FOREVER,
                                   LUN_ADDRESS(&client));
    lunatic_networking_tcp_accept(listener, LUN_ADDRESS(&server), LUN_ADDRESS(&peer));
}

static void write_to(uint64_t stream, const char *data, uint32_t size)
{
    const uint32_t piece[2] = {LUN_ADDRESS(data), size};

    lunatic_networking_tcp_write_vectored(stream, LUN_ADDRESS(piece), 1, LUN_ADDRESS(&out));
}

static void attempt(const int *which, int *result)
{
    static const uint32_t bad_piece[2] = {BAD, 100};
    static char data[8];

    open_pair();
    write_to(server, "data", 4);
    *result = 1;
    switch (*which) {
    case 0:
        lunatic_networking_drop_tcp_listener(UNKNOWN);
        break;
    case 1:
        lunatic_networking_drop_tcp_stream(UNKNOWN);
        break;
    case 2:
        lunatic_networking_clone_tcp_stream(UNKNOWN);
        break;
    case 3:
        lunatic_networking_tcp_local_addr(UNKNOWN, LUN_ADDRESS(&out));
        break;
    case 4:
        lunatic_networking_tcp_peer_addr(UNKNOWN, LUN_ADDRESS(&out));
        break;
    case 5:
        lunatic_networking_tcp_accept(UNKNOWN, LUN_ADDRESS(&out), LUN_ADDRESS(&out2));
        break;
    case 6:
        lunatic_networking_tcp_read(UNKNOWN, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out));
        break;
    case 7:
        lunatic_networking_tcp_peek(UNKNOWN, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out));
        break;
    case 8:
        write_to(UNKNOWN, data, 8);
        break;
    case 9:
        lunatic_networking_tcp_flush(UNKNOWN, LUN_ADDRESS(&out));
        break;
    case 10:
        lunatic_networking_set_read_timeout(UNKNOWN, 1);
        break;
    case 11:
        lunatic_networking_get_read_timeout(UNKNOWN);
        break;
    case 12:
        lunatic_networking_set_write_timeout(UNKNOWN, 1);
        break;
    case 13:
        lunatic_networking_get_write_timeout(UNKNOWN);
        break;
    case 14:
        lunatic_networking_set_peek_timeout(UNKNOWN, 1);
        break;
    case 15:
        lunatic_networking_get_peek_timeout(UNKNOWN);
        break;
    case 16:
        lunatic_networking_tcp_bind(4, BAD + 14, 0, 0, 0, LUN_ADDRESS(&out));
        break;
    case 17:
        lunatic_networking_tcp_bind(5, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&out));
        break;
    case 18:
        lunatic_networking_tcp_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, BAD);
        break;
    case 19:
        lunatic_networking_tcp_connect(4, LUN_ADDRESS(loopback), port, 0, 0, LUN_FOREVER, BAD);
        break;
    case 20:
        lunatic_networking_tcp_connect(6, BAD + 4, port, 0, 0, LUN_FOREVER, LUN_ADDRESS(&out));
        break;
    case 21:
        lunatic_networking_tcp_local_addr(listener, BAD);
        break;
    case 22:
        lunatic_networking_tcp_peer_addr(client, BAD);
        break;
    case 23:
        lunatic_networking_tcp_accept(listener, LUN_ADDRESS(&out), BAD);
        break;
    case 24:
        lunatic_networking_tcp_accept(listener, BAD, LUN_ADDRESS(&out));
        break;
    case 25:
        lunatic_networking_tcp_read(client, BAD, 17, LUN_ADDRESS(&out));
        break;
    case 26:
        lunatic_networking_tcp_read(client, LUN_ADDRESS(data), 8, BAD + 9);
        break;
    case 27:
        lunatic_networking_tcp_peek(client, BAD, 17, LUN_ADDRESS(&out));
        break;
    case 28:
        lunatic_networking_tcp_write_vectored(client, LUN_ADDRESS(bad_piece), 1, LUN_ADDRESS(&out));
        break;
    case 29: /* its size wraps in 32 bits */
        lunatic_networking_tcp_write_vectored(client, LUN_ADDRESS(bad_piece), 0x20000001u,
                                              LUN_ADDRESS(&out));
        break;
    case 30:
        lunatic_networking_tcp_flush(client, BAD + 9);
        break;
    case 31:
        lunatic_message_push_tcp_stream(client);
        break; /* there is no message */
    case 32:
        lunatic_message_create_data(1, 0);
        lunatic_message_push_tcp_stream(client);
        lunatic_message_take_tls_stream(0);
        break;
    case 33:
        lunatic_networking_drop_tcp_stream(client);
        lunatic_networking_drop_tcp_stream(client);
        break;
    default:
        break;
    }
    *result = 0; /* no trap */
}

static void read_badly(lun_stream *s, const int *unused)
{
    static char data[8];

    (void)unused;
    lunatic_networking_tcp_read(s->id - 1, LUN_ADDRESS(data), 8, BAD + 9);
}

/* A read that traps has read nothing. */
static void untouched(void)
{
    lun_listener at;
    lun_address address;
    lun_stream ends[2], copy;
    char data[8];
    int none = 0;
    lun_process p;

    if (lun_tcp_listen(&at, "127.0.0.1:0") != 0 || lun_listener_address(&at, &address) != 0 ||
        lun_tcp_connect_to(&ends[0], &address, LUN_FOREVER) != 0 ||
        lun_accept(&at, &ends[1], NULL) != 0)
        return;
    lun_stream_write(&ends[0], "data", 4);
    copy = lun_stream_clone(&ends[1]);
    p = LUN_SPAWN_STREAM(read_badly, &copy, &none);
    while (lun_exists(p))
        lun_sleep(1);
    if (lun_stream_read(&ends[1], data, 8) == 4)
        puts("the stream is untouched");
}

int main(void)
{
    COUNT_TRAPS(attempt, 34);
    untouched();
    return 0;
}
