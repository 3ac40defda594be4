/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* UDP as the import functions give it: datagrams, addresses, options, several receivers. */
// expect: bound: 127.0.0.1, a port
// expect: in use: Address already in use (os error 98)
// expect: not ours: Cannot assign requested address (os error 99)
// expect: not connected: Destination address required (os error 89)
// expect: no peer: 1, Transport endpoint is not connected (os error 107)
// expect: ping of 4 from the client
// expect: pong of 4
// expect: connected: 0, the server
// expect: cut to 3: abc
// expect: empty: 0
// expect: into nothing: 0
// expect: too large: Message too long (os error 90)
// expect: largest: 65507
// expect: refused: Connection refused (os error 111)
// expect: again: 0
// expect: only the peer is heard: yes
// expect: broadcast: 0 1 0
// expect: ttl: 64 9
// expect: a trap for ttl 0: yes
// expect: IPv6: from [::1], hello
// expect: receivers: 60 of 60, each once, by more than one: yes
// expect: sent on: yes
// expect: handed over: yes, taken back: 5
// expect: double drop: yes
// expect: killed while it waits: no, another receives
// expect: 2000 there and back
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    uint32_t type;
    uint8_t bytes[16];
    uint16_t port;
    uint32_t flow_info, scope_id;
} raw_address;

static const uint8_t loopback[4] = {127, 0, 0, 1};
static uint8_t loopback6[16] = {[15] = 1};
static uint8_t big[70000];

static const char *error_text(uint64_t id)
{
    static char text[200];
    uint32_t size = lunatic_error_string_size(id);

    if (size >= sizeof(text))
        return "?";
    lunatic_error_to_string(id, LUN_ADDRESS(text));
    text[size] = '\0';
    lunatic_error_drop(id);
    return text;
}

static raw_address next_address(uint64_t iterator)
{
    raw_address a = {0};

    if (lunatic_networking_resolve_next(iterator, LUN_ADDRESS(&a.type), LUN_ADDRESS(a.bytes),
                                        LUN_ADDRESS(&a.port), LUN_ADDRESS(&a.flow_info),
                                        LUN_ADDRESS(&a.scope_id)) != 0)
        a.type = 0;
    lunatic_networking_drop_dns_iterator(iterator);
    return a;
}

static uint64_t bind4(uint16_t port, uint32_t *code)
{
    uint64_t id = 0;

    *code = lunatic_networking_udp_bind(4, LUN_ADDRESS(loopback), port, 0, 0, LUN_ADDRESS(&id));
    return id;
}

static uint16_t port_of(uint64_t socket)
{
    uint64_t iterator;

    if (lunatic_networking_udp_local_addr(socket, LUN_ADDRESS(&iterator)) != 0)
        return 0;
    return next_address(iterator).port;
}

static uint32_t connect4(uint64_t socket, uint16_t port, uint64_t *out)
{
    *out = 77;
    return lunatic_networking_udp_connect(socket, 4, LUN_ADDRESS(loopback), port, 0, 0, 0,
                                          LUN_ADDRESS(out));
}

static uint32_t send4(uint64_t socket, const void *data, uint32_t size, uint16_t port,
                      uint64_t *out)
{
    return lunatic_networking_udp_send_to(socket, LUN_ADDRESS(data), size, 4, LUN_ADDRESS(loopback),
                                          port, 0, 0, LUN_ADDRESS(out));
}

static uint32_t receive_from(uint64_t socket, void *data, uint32_t size, uint64_t *count,
                             raw_address *from)
{
    uint64_t iterator = 0;
    uint32_t code = lunatic_networking_udp_receive_from(socket, LUN_ADDRESS(data), size,
                                                        LUN_ADDRESS(count), LUN_ADDRESS(&iterator));

    if (code == 0)
        *from = next_address(iterator);
    return code;
}

static uint32_t receive(uint64_t socket, void *data, uint32_t size, uint64_t *count)
{
    return lunatic_networking_udp_receive(socket, LUN_ADDRESS(data), size, LUN_ADDRESS(count));
}

/* ---- several receivers ---- */

enum { RECEIVERS = 4, DATAGRAMS = 60 };

struct told {
    int number;
    lun_process by;
};

/* Takes the socket of its message and tells the parent each number that it receives. */
static void receiver(const lun_process *parent)
{
    uint64_t socket, count;
    lun_message message;
    int n;

    lun_receive(&message, LUN_FOREVER);
    socket = lunatic_message_take_udp_socket(0);
    while (receive(socket, &n, sizeof(n), &count) == 0 && n >= 0) {
        struct told told = {n, lun_self()};

        lun_send(*parent, 1, &told, sizeof(told));
    }
}

static lun_process give_to_receiver(uint64_t socket)
{
    const lun_process self = lun_self();
    lun_process child = LUN_SPAWN(receiver, &self);
    uint64_t clone = lunatic_networking_clone_udp_socket(socket);

    lunatic_message_create_data(0, 0);
    lunatic_message_push_udp_socket(clone);
    lunatic_message_send(child);
    return child;
}

static void test_receivers(void)
{
    uint64_t server, client, count;
    lun_process first = 0;
    int seen[DATAGRAMS] = {0}, once = 1, several = 0;
    struct told told;
    lun_message message;
    uint32_t code;
    uint16_t port;
    int i;

    server = bind4(0, &code);
    client = bind4(0, &code);
    port = port_of(server);
    for (i = 0; i < RECEIVERS; i++)
        give_to_receiver(server);
    for (i = 0; i < DATAGRAMS; i++) {
        send4(client, &i, sizeof(i), port, &count);
        lun_receive_tag(&message, 1, 60000); /* all of them wait again, or will */
        if (LUN_READ(&told) != 0 || told.number < 0 || told.number >= DATAGRAMS ||
            seen[told.number]++)
            once = 0;
        if (first && first != told.by)
            several = 1;
        first = told.by;
    }
    printf("receivers: %d of %d, each once, by more than one: %s\n", i, DATAGRAMS,
           once && several ? "yes" : "no");
    for (i = -1; i >= -RECEIVERS; i--)
        send4(client, &i, sizeof(i), port, &count);
    lunatic_networking_drop_udp_socket(server);
    lunatic_networking_drop_udp_socket(client);
}

/* Waits for a datagram through a clone, and is killed. */
static void test_killed(void)
{
    uint64_t server, client, count;
    lun_message message;
    lun_process one, other;
    uint32_t code;
    struct told told = {0};
    int n = 5;

    server = bind4(0, &code);
    client = bind4(0, &code);
    one = give_to_receiver(server);
    lun_sleep(30);
    other = give_to_receiver(server);
    lun_sleep(30);
    lun_kill(one);
    lun_sleep(30);
    send4(client, &n, sizeof(n), port_of(server), &count);
    lun_receive_tag(&message, 1, 60000);
    LUN_READ(&told);
    printf("killed while it waits: no, %s\n",
           told.number == 5 && told.by == other ? "another receives" : "nobody receives");
    n = -1;
    send4(client, &n, sizeof(n), port_of(server), &count);
}

/* ---- an echo server in another process ---- */

static void echo(const lun_process *parent)
{
    uint64_t socket, count;
    uint32_t code;
    uint16_t port;
    raw_address from;
    char data[64];

    socket = bind4(0, &code);
    port = port_of(socket);
    lun_send(*parent, 2, &port, sizeof(port));
    while (receive_from(socket, data, sizeof(data), &count, &from) == 0 && count > 0)
        send4(socket, data, (uint32_t)count, from.port, &count);
}

static void test_many(void)
{
    const lun_process self = lun_self();
    uint64_t client, count;
    lun_message message;
    uint32_t code;
    uint16_t port;
    int i, n, sent, right = 0;

    LUN_SPAWN(echo, &self);
    lun_receive_tag(&message, 2, 60000);
    LUN_READ(&port);
    client = bind4(0, &code);
    connect4(client, port, &count);
    for (i = 0; i < 2000; i++) {
        sent = i;
        if (lunatic_networking_udp_send(client, LUN_ADDRESS(&sent), sizeof(sent),
                                        LUN_ADDRESS(&count)) == 0 &&
            receive(client, &n, sizeof(n), &count) == 0 && n == i)
            right++;
    }
    lunatic_networking_udp_send(client, LUN_ADDRESS(&sent), 0, LUN_ADDRESS(&count));
    printf("%d there and back\n", right);
}

static void drop_twice(const int *unused)
{
    uint32_t code;
    uint64_t socket = bind4(0, &code);

    (void)unused;
    lunatic_networking_drop_udp_socket(socket);
    lunatic_networking_drop_udp_socket(socket);
}

static void set_ttl_to_none(const int *unused)
{
    uint32_t code;
    uint64_t socket = bind4(0, &code);

    (void)unused;
    lunatic_networking_set_udp_socket_ttl(socket, 0);
}

/* Whether a child that runs it fails. */
#define FAILS(fn)                                                                                  \
    __extension__({                                                                                \
        lun_message message_;                                                                      \
        int zero_ = 0;                                                                             \
        LUN_SPAWN_LINK(fn, 9, &zero_);                                                             \
        lun_receive_tag(&message_, 9, 60000) == 0 && message_.kind == LUN_LINK_DIED;               \
    })

int main(void)
{
    uint64_t server, client, other, id, count, six;
    char data[100], text[100];
    raw_address from;
    uint32_t code;
    uint16_t port;
    int i;

    lun_die_with_links(false);
    server = bind4(0, &code);
    port = port_of(server);
    printf("bound: %s, %s\n", code == 0 ? "127.0.0.1" : "no", port ? "a port" : "no port");
    id = bind4(port, &code);
    printf("in use: %s\n", code == 1 ? error_text(id) : "no");
    code = lunatic_networking_udp_bind(4, LUN_ADDRESS("\300\0\2\1"), 0, 0, 0, LUN_ADDRESS(&id));
    printf("not ours: %s\n", code == 1 ? error_text(id) : "no");

    client = bind4(0, &code);
    code = lunatic_networking_udp_send(client, LUN_ADDRESS("x"), 1, LUN_ADDRESS(&id));
    printf("not connected: %s\n", code == 1 ? error_text(id) : "no");
    code = lunatic_networking_udp_peer_addr(client, LUN_ADDRESS(&id));
    printf("no peer: %u, %s\n", code, error_text(id));

    send4(client, "ping", 4, port, &count);
    code = receive_from(server, data, sizeof(data), &count, &from);
    printf("%.4s of %d from %s\n", data, (int)count,
           from.type == 4 && memcmp(from.bytes, loopback, 4) == 0 && from.port == port_of(client)
               ? "the client"
               : "somebody");
    send4(server, "pong", 4, from.port, &count);
    receive(client, data, sizeof(data), &count); /* not connected: from anybody */
    printf("%.4s of %d\n", data, (int)count);

    code = connect4(client, port, &id);
    if (lunatic_networking_udp_peer_addr(client, LUN_ADDRESS(&other)) != 0)
        return 1;
    from = next_address(other);
    printf("connected: %d, %s\n", (int)id, from.port == port ? "the server" : "somebody");
    lunatic_networking_udp_send(client, LUN_ADDRESS("abcdef"), 6, LUN_ADDRESS(&count));
    memset(data, '.', sizeof(data));
    receive(server, data, 3, &count);
    printf("cut to %d: %.3s\n", (int)count, data[3] == '.' ? data : "written beyond");
    lunatic_networking_udp_send(client, LUN_ADDRESS(data), 0, LUN_ADDRESS(&count));
    code = receive(server, data, sizeof(data), &count);
    printf("empty: %d\n", code == 0 ? (int)count : -1);
    lunatic_networking_udp_send(client, LUN_ADDRESS("abcdef"), 6, LUN_ADDRESS(&count));
    code = receive(server, data, 0, &count);
    printf("into nothing: %d\n", code == 0 ? (int)count : -1);
    code = lunatic_networking_udp_send(client, LUN_ADDRESS(big), 66000, LUN_ADDRESS(&id));
    printf("too large: %s\n", code == 1 ? error_text(id) : "no");
    big[65506] = 'z';
    lunatic_networking_udp_send(client, LUN_ADDRESS(big), 65507, LUN_ADDRESS(&count));
    big[65506] = 0;
    code = receive(server, big, sizeof(big), &count);
    printf("largest: %d\n", code == 0 && big[65506] == 'z' ? (int)count : -1);

    /* Nobody there: the next call hears of it. */
    other = bind4(0, &code);
    port = port_of(other);
    lunatic_networking_drop_udp_socket(other);
    other = bind4(0, &code);
    connect4(other, port, &id);
    lunatic_networking_udp_send(other, LUN_ADDRESS("x"), 1, LUN_ADDRESS(&count));
    code = receive(other, data, sizeof(data), &id);
    printf("refused: %s\n", code == 1 ? error_text(id) : "no");
    code = connect4(other, port_of(server), &id);
    printf("again: %d\n", (int)code);
    send4(client, "not me", 6, port_of(other), &count);
    send4(server, "me", 2, port_of(other), &count);
    receive(other, data, sizeof(data), &count);
    printf("only the peer is heard: %s\n", count == 2 && data[0] == 'm' ? "yes" : "no");

    printf("broadcast: %u", lunatic_networking_get_udp_socket_broadcast(server));
    lunatic_networking_set_udp_socket_broadcast(server, 7);
    printf(" %u", lunatic_networking_get_udp_socket_broadcast(server));
    lunatic_networking_set_udp_socket_broadcast(server, 0);
    printf(" %u\n", lunatic_networking_get_udp_socket_broadcast(server));
    i = (int)lunatic_networking_get_udp_socket_ttl(server);
    lunatic_networking_set_udp_socket_ttl(server, 9);
    printf("ttl: %d %u\n", i, lunatic_networking_get_udp_socket_ttl(server));
    printf("a trap for ttl 0: %s\n", FAILS(set_ttl_to_none) ? "yes" : "no");

    if (lunatic_networking_udp_bind(6, LUN_ADDRESS(loopback6), 0, 0, 0, LUN_ADDRESS(&six)) != 0)
        return 2;
    if (lunatic_networking_udp_send_to(six, LUN_ADDRESS("hello"), 5, 6, LUN_ADDRESS(loopback6),
                                       port_of(six), 0, 0, LUN_ADDRESS(&count)) != 0)
        return 3;
    receive_from(six, data, sizeof(data), &count, &from);
    printf("IPv6: from [%s], %.5s\n",
           from.type == 6 && memcmp(from.bytes, loopback6, 16) == 0 && from.port == port_of(six)
               ? "::1"
               : "?",
           data);
    test_receivers();

    /* A clone lives on; an id that was pushed is gone. */
    id = lunatic_networking_clone_udp_socket(server);
    lunatic_networking_drop_udp_socket(server);
    send4(id, "on", 2, port_of(id), &count);
    receive(id, text, sizeof(text), &count);
    printf("sent on: %s\n", count == 2 ? "yes" : "no");
    lunatic_message_create_data(5, 0);
    other = lunatic_message_push_udp_socket(id);
    lunatic_message_send(lun_self());
    lunatic_message_receive(0, 0, LUN_FOREVER);
    i = (int)lunatic_message_get_tag();
    id = lunatic_message_take_udp_socket(other);
    send4(id, "back!", 5, port_of(id), &count);
    receive(id, text, sizeof(text), &count);
    printf("handed over: %s, taken back: %d\n", i == 5 ? "yes" : "no", (int)count);
    printf("double drop: %s\n", FAILS(drop_twice) ? "yes" : "no");
    test_killed();
    test_many();
    return 0;
}
