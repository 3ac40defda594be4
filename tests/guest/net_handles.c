/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Ids of sockets, and sockets in messages, as the import functions give them; what traps in the
 * functions of UDP. Each trap in a process of its own. */
// expect: ids: 0 1 2 3, of listeners 0
// expect: indexes: 0 1 2
// expect: the pushed id is gone, its clone is not
// expect: taken: 1 0, their timeouts with them
// expect: the last is in the message still
// expect: with the message it goes: 0
// expect: 38 traps, none missed
// expect: the socket is untouched
// error: lunatic::networking::udp_receive: a pointer leaves the memory
// error: lunatic::networking::clone_udp_socket: unknown id of a socket
// error: lunatic::message::take_udp_socket: there is no such socket at this index
// no-error: failed: unknown
// no-error: failed: a pointer
// no-error: failed: there is no
#include "check.h"
#include <lunatic.h>
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <string.h>

#define BAD     0xfffffff0u
#define UNKNOWN 999

static unsigned char loopback[4] = {127, 0, 0, 1};
static uint64_t out, out2;
static char data[8];

static uint64_t udp(void)
{
    return lunatic_networking_udp_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&out)) == 0
               ? out
               : UNKNOWN;
}

static uint16_t port_of(uint64_t iterator)
{
    unsigned char bytes[16];
    uint16_t port = 0;
    uint32_t type;

    lunatic_networking_resolve_next(iterator, LUN_ADDRESS(&type), LUN_ADDRESS(bytes),
                                    LUN_ADDRESS(&port), 0, 0);
    lunatic_networking_drop_dns_iterator(iterator);
    return port;
}

static uint16_t udp_port(uint64_t socket)
{
    return lunatic_networking_udp_local_addr(socket, LUN_ADDRESS(&out)) == 0 ? port_of(out) : 0;
}

/* A stream to oneself; its other end in `out`. */
static uint64_t tcp(void)
{
    uint64_t listener, stream;
    uint16_t port;

    lunatic_networking_tcp_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&listener));
    lunatic_networking_tcp_local_addr(listener, LUN_ADDRESS(&out));
    port = port_of(out);
    lunatic_networking_tcp_connect(4, LUN_ADDRESS(loopback), port, 0, 0, LUN_FOREVER,
                                   LUN_ADDRESS(&stream));
    lunatic_networking_tcp_accept(listener, LUN_ADDRESS(&out), LUN_ADDRESS(&out2));
    lunatic_networking_drop_dns_iterator(out2);
    return stream;
}

/* Ids count from 0 in each table, and none comes back. */
static void ids(void)
{
    uint64_t first, second, third, fourth, listener;

    first = udp();
    second = lunatic_networking_clone_udp_socket(first);
    lunatic_networking_drop_udp_socket(second);
    third = udp();
    lunatic_networking_drop_udp_socket(first);
    lunatic_networking_drop_udp_socket(third);
    fourth = udp();
    lunatic_networking_tcp_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&listener));
    printf("ids: %d %d %d %d, of listeners %d\n", (int)first, (int)second, (int)third, (int)fourth,
           (int)listener);
    lunatic_networking_drop_udp_socket(fourth);
    lunatic_networking_drop_tcp_listener(listener);
}

static void messages(void)
{
    uint64_t stream = tcp(), other = out, clone = lunatic_networking_clone_tcp_stream(stream), i[3];
    uint64_t last = tcp(), far = out, a, b;
    const uint32_t piece[2] = {LUN_ADDRESS("x"), 1};

    lunatic_networking_set_read_timeout(stream, 11);
    lunatic_networking_set_write_timeout(stream, 12);
    lunatic_networking_set_peek_timeout(stream, 13);
    lunatic_message_create_data(5, 0);
    i[0] = lunatic_message_push_udp_socket(udp());
    i[1] = lunatic_message_push_tcp_stream(stream);
    i[2] = lunatic_message_push_tcp_stream(last);
    printf("indexes: %d %d %d\n", (int)i[0], (int)i[1], (int)i[2]);
    if (lunatic_networking_tcp_write_vectored(clone, LUN_ADDRESS(piece), 1, LUN_ADDRESS(&out)) == 0)
        puts("the pushed id is gone, its clone is not"); /* cases 33 and 34 */
    lunatic_networking_drop_tcp_stream(clone);

    lunatic_message_send(lun_self());
    lunatic_message_receive(0, 0, LUN_FOREVER);
    a = lunatic_message_take_tcp_stream(1); /* in any order */
    b = lunatic_message_take_udp_socket(0);
    printf("taken: %d %d", lunatic_networking_tcp_peer_addr(a, LUN_ADDRESS(&out)) == 0,
           udp_port(b) == 0);
    if (lunatic_networking_get_read_timeout(a) == 11 &&
        lunatic_networking_get_write_timeout(a) == 12 &&
        lunatic_networking_get_peek_timeout(a) == 13)
        puts(", their timeouts with them");
    lunatic_networking_set_read_timeout(far, 10);
    if (lunatic_networking_tcp_read(far, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out)) == LUN_TIMEOUT)
        puts("the last is in the message still");
    lunatic_message_create_data(6, 0); /* the one that was read is dropped */
    lunatic_networking_set_read_timeout(far, LUN_FOREVER);
    lunatic_message_send(lun_self());
    lunatic_message_receive(0, 0, LUN_FOREVER);
    if (lunatic_networking_tcp_read(far, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out)) == 0)
        printf("with the message it goes: %d\n", (int)out);
    lunatic_networking_drop_tcp_stream(other);
}

static void attempt(const int *which, int *result)
{
    uint64_t u = udp(), s;

    *result = 1;
    switch (*which) {
    case 0:
        lunatic_networking_drop_udp_socket(UNKNOWN);
        break;
    case 1:
        lunatic_networking_clone_udp_socket(UNKNOWN);
        break;
    case 2:
        lunatic_networking_udp_local_addr(UNKNOWN, LUN_ADDRESS(&out));
        break;
    case 3:
        lunatic_networking_udp_peer_addr(UNKNOWN, LUN_ADDRESS(&out));
        break;
    case 4:
        lunatic_networking_udp_connect(UNKNOWN, 4, LUN_ADDRESS(loopback), 9, 0, 0, 0,
                                       LUN_ADDRESS(&out));
        break;
    case 5:
        lunatic_networking_udp_send(UNKNOWN, LUN_ADDRESS(data), 1, LUN_ADDRESS(&out));
        break;
    case 6:
        lunatic_networking_udp_send_to(UNKNOWN, LUN_ADDRESS(data), 1, 4, LUN_ADDRESS(loopback), 9,
                                       0, 0, LUN_ADDRESS(&out));
        break;
    case 7:
        lunatic_networking_udp_receive(UNKNOWN, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out));
        break;
    case 8:
        lunatic_networking_udp_receive_from(UNKNOWN, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out),
                                            LUN_ADDRESS(&out2));
        break;
    case 9:
        lunatic_networking_set_udp_socket_broadcast(UNKNOWN, 1);
        break;
    case 10:
        lunatic_networking_get_udp_socket_broadcast(UNKNOWN);
        break;
    case 11:
        lunatic_networking_set_udp_socket_ttl(UNKNOWN, 1);
        break;
    case 12:
        lunatic_networking_get_udp_socket_ttl(UNKNOWN);
        break;
    case 13:
        lunatic_networking_set_udp_socket_ttl(u, 256);
        break;
    case 14:
        lunatic_networking_udp_bind(7, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&out));
        break;
    case 15:
        lunatic_networking_udp_bind(4, BAD + 14, 0, 0, 0, LUN_ADDRESS(&out));
        break;
    case 16:
        lunatic_networking_udp_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, BAD + 9);
        break;
    case 17:
        lunatic_networking_udp_local_addr(u, BAD + 9);
        break;
    case 18:
        lunatic_networking_udp_peer_addr(u, BAD + 9);
        break;
    case 19:
        lunatic_networking_udp_connect(u, 0, LUN_ADDRESS(loopback), 9, 0, 0, 0, LUN_ADDRESS(&out));
        break;
    case 20:
        lunatic_networking_udp_connect(u, 4, LUN_ADDRESS(loopback), 9, 0, 0, 0, BAD + 9);
        break;
    case 21:
        lunatic_networking_udp_send(u, BAD, 17, LUN_ADDRESS(&out));
        break;
    case 22:
        lunatic_networking_udp_send_to(u, BAD, 17, 4, LUN_ADDRESS(loopback), 9, 0, 0,
                                       LUN_ADDRESS(&out));
        break;
    case 23:
        lunatic_networking_udp_send_to(u, LUN_ADDRESS(data), 1, 5, LUN_ADDRESS(loopback), 9, 0, 0,
                                       LUN_ADDRESS(&out));
        break;
    case 24:
        lunatic_networking_udp_send_to(u, LUN_ADDRESS(data), 1, 6, BAD + 1, 9, 0, 0,
                                       LUN_ADDRESS(&out));
        break;
    case 25:
        lunatic_networking_udp_send_to(u, LUN_ADDRESS(data), 1, 4, LUN_ADDRESS(loopback), 9, 0, 0,
                                       BAD + 9);
        break;
    case 26:
        lunatic_networking_udp_receive(u, BAD, 17, LUN_ADDRESS(&out));
        break;
    case 27:
        lunatic_networking_udp_receive_from(u, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out), BAD + 9);
        break;
    case 28:
        lunatic_networking_drop_tcp_stream(u); /* of another table */
        break;
    case 29:
        lunatic_networking_resolve_next(UNKNOWN, LUN_ADDRESS(&out), LUN_ADDRESS(data),
                                        LUN_ADDRESS(&out2), 0, 0);
        break;
    case 30:
        lunatic_networking_drop_dns_iterator(UNKNOWN);
        break;
    case 31:
        lunatic_message_push_udp_socket(u);
        break; /* there is no message */
    case 32:
        lunatic_message_create_data(1, 0);
        lunatic_message_push_udp_socket(UNKNOWN);
        break;
    case 33:
        s = tcp();
        lunatic_message_create_data(1, 0);
        lunatic_message_push_tcp_stream(s);
        lunatic_message_push_tcp_stream(s);
        break;
    case 34:
        lunatic_message_create_data(1, 0);
        lunatic_message_push_udp_socket(u);
        udp_port(u);
        break;
    case 35:
        lunatic_message_create_data(1, 0);
        lunatic_message_push_udp_socket(u);
        lunatic_message_take_udp_socket(0);
        lunatic_message_take_udp_socket(0);
        break;
    case 36:
        lunatic_message_create_data(1, 0);
        lunatic_message_push_udp_socket(u);
        lunatic_message_take_udp_socket(1);
        break;
    case 37:
        lunatic_message_create_data(1, 0);
        lunatic_message_push_udp_socket(u);
        lunatic_message_take_tcp_stream(0);
        break;
    default:
        break;
    }
    *result = 0; /* no trap */
}

static void receive_badly(const int *unused)
{
    lun_message m;

    (void)unused;
    lun_receive(&m, LUN_FOREVER);
    out = lunatic_message_take_udp_socket(0);
    lunatic_networking_udp_receive(out, LUN_ADDRESS(data), 8, BAD + 9);
}

/* A receive that traps has received nothing. */
static void untouched(void)
{
    uint64_t u = udp(), clone = lunatic_networking_clone_udp_socket(u);
    int none = 0;
    lun_process p;

    lunatic_networking_udp_send_to(u, LUN_ADDRESS("data"), 4, 4, LUN_ADDRESS(loopback), udp_port(u),
                                   0, 0, LUN_ADDRESS(&out));
    p = LUN_SPAWN(receive_badly, &none);
    lunatic_message_create_data(1, 0);
    lunatic_message_push_udp_socket(clone);
    lunatic_message_send(p);
    while (lun_exists(p))
        lun_sleep(1);
    lunatic_networking_udp_receive(u, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out));
    if (out == 4 && memcmp(data, "data", 4) == 0)
        puts("the socket is untouched");
}

int main(void)
{
    ids();
    messages();
    COUNT_TRAPS(attempt, 38);
    untouched();
    return 0;
}
