/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Arguments of the functions of TLS that are wrong. A trap: unknown ids, pointers that leave the
 * memory, text that is none; an error: what cannot be used of what is there. Nothing has been done
 * in either case: no id is given, no byte read or written, nobody connected to. */
// build: -Wno-unused-const-variable
// expect: 53 traps
// expect: ids: ok
// expect: the streams: ok
// expect: nobody has come: ok
// expect: nobody has come: ok
// expect: errors: ok
// expect: edges: ok
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
#define BAD      0xfffffff0u
#define UNKNOWN  999
#define SOME(x)  LUN_ADDRESS(x), sizeof(x) - 1 /* a text as pointer and size */

static const unsigned char loopback[4] = {127, 0, 0, 1};
static const char localhost[] = "localhost";
static const uint32_t roots[2] = {SOME(test_ca)}; /* a list of one */
static const uint32_t bad_pair[2] = {BAD, 100};
static char data[8];
static uint64_t out, out2;

/* ---- a pair ---- */

static lun_listener tls, victim; /* the second is TCP's: nobody connects to it */
static lun_address tls_at, victim_at;
static uint64_t server, client; /* the two ends, as the host knows them */

static void connect_and_hand_over(const uint16_t *port)
{
    lun_message m;
    lun_process parent;
    lun_stream s;

    if (lun_receive(&m, LUN_FOREVER) != 0 || lun_read(&parent, sizeof parent) != sizeof parent ||
        lun_tls_connect(&s, localhost, *port, test_ca, LIMIT_MS) != 0)
        exit(1);
    lun_send_stream(parent, 77, &s, NULL, 0);
}

static void open_pair(void)
{
    lun_process self = lun_self(), p;
    lun_stream s;
    lun_message m;

    CHECK(lun_tls_listen(&tls, "127.0.0.1:0", test_server, test_server_key) == 0);
    CHECK(lun_listener_address(&tls, &tls_at) == 0);
    CHECK(lun_tcp_listen(&victim, "127.0.0.1:0") == 0);
    CHECK(lun_listener_address(&victim, &victim_at) == 0);
    p = LUN_SPAWN(connect_and_hand_over, &tls_at.port);
    lun_send(p, 1, &self, sizeof self);
    CHECK(lun_accept(&tls, &s, NULL) == 0);
    server = s.id - 1;
    CHECK(lun_receive_tag(&m, 77, LIMIT_MS) == 0);
    s = lun_take_tls();
    client = s.id - 1;
    lun_stream_set_read_timeout(&s, LIMIT_MS);
    CHECK(lun_stream_write(&s, "data", 4) == 0); /* for the server, who must still get it */
}

/* ---- what traps ---- */

static bool is_over;
static int line;

/* Makes the call number `which` of those below. */
static void call(uint32_t which)
{
    uint32_t n = 0;
    const uint16_t p = victim_at.port;

#define CALL(function)                                                                             \
    if (n++ == which) {                                                                            \
        line = __LINE__;                                                                           \
        (void)(function);                                                                          \
        return;                                                                                    \
    }
#define BIND(address_type, address, id_out, ...)                                                   \
    CALL(lunatic_networking_tls_bind(address_type, address, 0, 0, 0, id_out, __VA_ARGS__))
    BIND(5, LUN_ADDRESS(loopback), LUN_ADDRESS(&out), SOME(test_server), SOME(test_server_key))
    BIND(0, LUN_ADDRESS(loopback), LUN_ADDRESS(&out), SOME(test_server), SOME(test_server_key))
    BIND(4, BAD + 14, LUN_ADDRESS(&out), SOME(test_server), SOME(test_server_key))
    BIND(6, BAD + 4, LUN_ADDRESS(&out), SOME(test_server), SOME(test_server_key))
    BIND(4, LUN_ADDRESS(loopback), BAD + 9, SOME(test_server), SOME(test_server_key))
    BIND(4, LUN_ADDRESS(loopback), LUN_ADDRESS(&out), BAD, 100, SOME(test_server_key))
    BIND(4, LUN_ADDRESS(loopback), LUN_ADDRESS(&out), BAD, 0, SOME(test_server_key))
    BIND(4, LUN_ADDRESS(loopback), LUN_ADDRESS(&out), SOME(test_server), 0, 0xffffffffu)
#define BIND_ALPN(id_out, ...)                                                                     \
    CALL(lunatic_networking_tls_bind_alpn(4, LUN_ADDRESS(loopback), 0, 0, 0, id_out,               \
                                          SOME(test_server), SOME(test_server_key), __VA_ARGS__))
    BIND_ALPN(LUN_ADDRESS(&out), BAD, 3)
    BIND_ALPN(LUN_ADDRESS(&out), BAD, 0xffffffffu)
    BIND_ALPN(LUN_ADDRESS(&out), BAD, 0)
    BIND_ALPN(BAD + 9, SOME("\2h2"))
    CALL(lunatic_networking_tls_bind_alpn(5, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&out),
                                          SOME(test_server), SOME(test_server_key), SOME("\2h2")))

    CALL(lunatic_networking_drop_tls_listener(UNKNOWN))
    CALL(lunatic_networking_tls_local_addr(UNKNOWN, LUN_ADDRESS(&out)))
    CALL(lunatic_networking_tls_local_addr(tls.id - 1, BAD + 9))
    CALL(lunatic_networking_tls_accept(UNKNOWN, LUN_ADDRESS(&out), LUN_ADDRESS(&out2)))
    CALL(lunatic_networking_tls_accept(tls.id - 1, LUN_ADDRESS(&out), BAD + 9))
    CALL(lunatic_networking_tls_accept(tls.id - 1, BAD + 9, LUN_ADDRESS(&out)))

#define CONNECT(...) CALL(lunatic_networking_tls_connect(__VA_ARGS__))
    CONNECT(BAD, 100, p, LIMIT_MS, LUN_ADDRESS(&out), LUN_ADDRESS(roots), 1)
    CONNECT(SOME("local\xffhost"), p, LIMIT_MS, LUN_ADDRESS(&out), LUN_ADDRESS(roots), 1)
    CONNECT(0, (16u << 20) + 1, p, LIMIT_MS, LUN_ADDRESS(&out), LUN_ADDRESS(roots), 1)
    CONNECT(SOME(localhost), p, LIMIT_MS, BAD + 9, LUN_ADDRESS(roots), 1)
    CONNECT(SOME(localhost), p, LIMIT_MS, LUN_ADDRESS(&out), BAD + 9, 1)
    CONNECT(SOME(localhost), p, LIMIT_MS, LUN_ADDRESS(&out), LUN_ADDRESS(bad_pair), 1)
    /* Its size wraps in 32 bits. */
    CONNECT(SOME(localhost), p, LIMIT_MS, LUN_ADDRESS(&out), LUN_ADDRESS(roots), 0x20000001u)
#define CONNECT_ALPN(id_out, ...)                                                                  \
    CALL(lunatic_networking_tls_connect_alpn(SOME(localhost), p, LIMIT_MS, id_out,                 \
                                             LUN_ADDRESS(roots), 1, __VA_ARGS__))
    CONNECT_ALPN(LUN_ADDRESS(&out), BAD, 3)
    CONNECT_ALPN(LUN_ADDRESS(&out), BAD, 0)
    CONNECT_ALPN(BAD + 9, SOME("\2h2"))

    CALL(lunatic_networking_tls_protocol(UNKNOWN, LUN_ADDRESS(data), 8))
    CALL(lunatic_networking_tls_protocol(client, BAD, 17))
    CALL(lunatic_networking_tls_protocol(client, BAD, 0))
    CALL(lunatic_networking_tls_server_name(UNKNOWN, LUN_ADDRESS(data), 8))
    CALL(lunatic_networking_tls_server_name(client, BAD, 17))
    CALL(lunatic_networking_drop_tls_stream(UNKNOWN))
    CALL(lunatic_networking_clone_tls_stream(UNKNOWN))
    CALL(lunatic_networking_tls_read(UNKNOWN, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out)))
    CALL(lunatic_networking_tls_read(server, BAD, 17, LUN_ADDRESS(&out)))
    CALL(lunatic_networking_tls_read(server, LUN_ADDRESS(data), 0xffffffffu, LUN_ADDRESS(&out)))
    CALL(lunatic_networking_tls_read(server, LUN_ADDRESS(data), 8, BAD + 9))

#define WRITE(...) CALL(lunatic_networking_tls_write_vectored(__VA_ARGS__))
    WRITE(UNKNOWN, LUN_ADDRESS(roots), 1, LUN_ADDRESS(&out))
    WRITE(client, LUN_ADDRESS(bad_pair), 1, LUN_ADDRESS(&out))
    WRITE(client, BAD + 9, 1, LUN_ADDRESS(&out))
    WRITE(client, LUN_ADDRESS(roots), 0x20000001u, LUN_ADDRESS(&out))
    WRITE(client, LUN_ADDRESS(roots), 1, BAD + 9)
    CALL(lunatic_networking_tls_flush(UNKNOWN, LUN_ADDRESS(&out)))
    CALL(lunatic_networking_tls_flush(client, BAD + 9))
    CALL(lunatic_networking_set_tls_read_timeout(UNKNOWN, 1))
    CALL(lunatic_networking_get_tls_read_timeout(UNKNOWN))
    CALL(lunatic_networking_set_tls_write_timeout(UNKNOWN, 1))
    CALL(lunatic_networking_get_tls_write_timeout(UNKNOWN))
    CALL(lunatic_message_push_tls_stream(UNKNOWN))
    CALL(lunatic_message_take_tls_stream(0)) /* the message's one has been taken */
    is_over = true;
}

__attribute__((export_name("_lunatic_catch_trap"))) uint32_t catch_trap(uint32_t which,
                                                                        uint32_t unused)
{
    (void)unused;
    call(which);
    return 1;
}

static void traps(void)
{
    uint32_t count = 0;

    while (lunatic_trap_catch(count, 0) == 0)
        count++;
    if (!is_over)
        check_failed(line, "did not trap");
    printf("%u traps\n", (unsigned)count);
}

/* ---- what they have left ---- */

/* The next ids of all kinds follow those of before: none has been given out meanwhile. */
static void ids(void)
{
    uint64_t id, error;

    CHECK(lunatic_networking_clone_tls_stream(client) == client + 1);
    lunatic_networking_drop_tls_stream(client + 1);
    CHECK(lunatic_networking_tls_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&id),
                                      SOME(test_server), SOME(test_server_key)) == 0);
    CHECK(id == tls.id);
    lunatic_networking_drop_tls_listener(id);
    CHECK(lunatic_networking_tls_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&error),
                                      SOME(""), SOME("")) == 1);
    CHECK(error == 0); /* the first error of this process */
    lunatic_error_drop(error);
    puts("ids: ok");
}

static void streams(void)
{
    const uint32_t piece[2] = {SOME("answer")};

    CHECK(lunatic_networking_get_tls_read_timeout(client) == LIMIT_MS);
    CHECK(lunatic_networking_get_tls_write_timeout(client) == LUN_FOREVER);
    CHECK(lunatic_networking_tls_read(server, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out)) == 0);
    CHECK(out == 4 && memcmp(data, "data", 4) == 0);
    lunatic_networking_set_tls_read_timeout(server, 0);
    CHECK(lunatic_networking_tls_read(server, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out)) ==
          LUN_TIMEOUT);
    CHECK(lunatic_networking_tls_write_vectored(server, LUN_ADDRESS(piece), 1, LUN_ADDRESS(&out)) ==
              0 &&
          out == 6);
    CHECK(lunatic_networking_tls_read(client, LUN_ADDRESS(data), 8, LUN_ADDRESS(&out)) == 0);
    CHECK(out == 6 && memcmp(data, "answer", 6) == 0);
    puts("the streams: ok");
}

/* The first who is accepted where the bad calls would have connected is the one that does now. */
static void nobody(void)
{
    lun_stream mine, accepted;

    CHECK(lun_tcp_connect_to(&mine, &victim_at, LIMIT_MS) == 0);
    CHECK(lun_accept(&victim, &accepted, NULL) == 0);
    CHECK(lun_stream_write(&mine, "mine", 4) == 0);
    lun_stream_set_read_timeout(&accepted, LIMIT_MS);
    CHECK(lun_stream_read(&accepted, data, 8) == 4 && memcmp(data, "mine", 4) == 0);
    lun_stream_close(&mine);
    lun_stream_close(&accepted);
    puts("nobody has come: ok");
}

/* ---- errors ---- */

/* The words of the error `id`, which is dropped. */
static const char *words(uint64_t id)
{
    static char text[300];
    uint32_t size = lunatic_error_string_size(id);

    CHECK(size < sizeof text);
    lunatic_error_to_string(id, LUN_ADDRESS(text));
    lunatic_error_drop(id);
    text[size] = '\0';
    return text;
}

static void expect_error(int where, uint32_t code, const char *expected)
{
    const char *actual;

    if (code != 1)
        check_failed(where, "no error");
    actual = words(out);
    if (strcmp(actual, expected) != 0)
        check_failed(where, actual);
}
#define ERROR(function, expected) expect_error(__LINE__, function, expected)

static void errors(void)
{
    static char long_name[255], much[(1u << 20) + 1], protocols[1025];
    static uint32_t many[2 * 1025];
    const uint32_t none[2] = {SOME("no certificate")};
    const uint16_t p = victim_at.port;

    memset(long_name, 'x', sizeof long_name - 1);
    memset(much, ' ', sizeof much);
    for (size_t i = 0; i < sizeof protocols; i++)
        protocols[i] = i % 2 ? 'x' : 1;
#define BINDING(...)                                                                               \
    lunatic_networking_tls_bind(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&out), __VA_ARGS__)
    ERROR(BINDING(SOME(test_server), 0, 0), "the key: there is no PRIVATE KEY section in the text");
    ERROR(BINDING(0, 0, SOME(test_server_key)),
          "the certificate: there is no CERTIFICATE section in the text");
    ERROR(BINDING(SOME(test_server), LUN_ADDRESS(much), sizeof much),
          "more than 1048576 bytes of certificates or keys");
    ERROR(BINDING(LUN_ADDRESS(much), sizeof much, SOME(test_server_key)),
          "more than 1048576 bytes of certificates or keys");
#define CONNECTING(certs, count, ...)                                                              \
    lunatic_networking_tls_connect(__VA_ARGS__, p, LIMIT_MS, LUN_ADDRESS(&out), certs, count)
#define NAME_SIZE "a server's name has 1 to 253 bytes, none of them 0"
    ERROR(CONNECTING(LUN_ADDRESS(roots), 1, 0, 0), NAME_SIZE);
    ERROR(CONNECTING(LUN_ADDRESS(roots), 1, LUN_ADDRESS(long_name), 254), NAME_SIZE);
    ERROR(CONNECTING(LUN_ADDRESS(roots), 1, SOME("local\0host")), NAME_SIZE);
    ERROR(CONNECTING(LUN_ADDRESS(roots), 1, SOME("b\xc3\xbc-ch.test")),
          "\"b\xc3\xbc-ch.test\" is neither a host name nor an address, so no certificate can be "
          "for it");
    ERROR(CONNECTING(LUN_ADDRESS(many), 1025, SOME(localhost)),
          "more than 1024 trusted certificates");
    ERROR(CONNECTING(LUN_ADDRESS(none), 1, SOME(localhost)),
          "a trusted certificate: there is no CERTIFICATE section in the text");
#define LIST_FORM                                                                                  \
    "the list of protocols (ALPN) is not made of names of 1 to 255 bytes, each after its length"
#define LIST_SIZE "more than 1024 bytes of protocols (ALPN)"
#define BINDING_ALPN(...)                                                                          \
    lunatic_networking_tls_bind_alpn(4, LUN_ADDRESS(loopback), 0, 0, 0, LUN_ADDRESS(&out),         \
                                     SOME(test_server), SOME(test_server_key), __VA_ARGS__)
    ERROR(BINDING_ALPN(SOME("\0")), LIST_FORM);
    ERROR(BINDING_ALPN(SOME("\2h2\0")), LIST_FORM);
    ERROR(BINDING_ALPN(SOME("\3h2")), LIST_FORM);
    ERROR(BINDING_ALPN(LUN_ADDRESS(protocols), 1023), LIST_FORM);
    ERROR(BINDING_ALPN(LUN_ADDRESS(protocols), 1025), LIST_SIZE);
#define CONNECTING_ALPN(...)                                                                       \
    lunatic_networking_tls_connect_alpn(SOME(localhost), p, LIMIT_MS, LUN_ADDRESS(&out),           \
                                        LUN_ADDRESS(roots), 1, __VA_ARGS__)
    ERROR(CONNECTING_ALPN(SOME("\0")), LIST_FORM);
    ERROR(CONNECTING_ALPN(SOME("\xffh2")), LIST_FORM);
    ERROR(CONNECTING_ALPN(LUN_ADDRESS(protocols), 1025), LIST_SIZE);
    nobody();
    puts("errors: ok");
}

/* ---- what is allowed, just ---- */

static void edges(void)
{
    uint32_t pieces[2 * 3] = {0};
    const uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    uint64_t id;

    pieces[0] = end; /* of no byte: the end is not outside yet */
    CHECK(lunatic_networking_tls_write_vectored(client, LUN_ADDRESS(pieces), 3,
                                                LUN_ADDRESS(&out)) == 0 &&
          out == 0);
    CHECK(lunatic_networking_tls_read(client, end, 0, LUN_ADDRESS(&out)) == 0 && out == 0);
    CHECK(lunatic_networking_tls_protocol(client, end, 0) == 0);
    memset(data, '?', sizeof data);
    CHECK(lunatic_networking_tls_server_name(server, LUN_ADDRESS(data), 4) == 9);
    CHECK(memcmp(data, "loca????", 8) == 0);
    CHECK(lunatic_networking_tls_server_name(server, end, 0) == 9);
    /* Of a port the lower 16 bits count. */
    CHECK(lunatic_networking_tls_bind_alpn(4, LUN_ADDRESS(loopback), 65536, 0, 0, LUN_ADDRESS(&id),
                                           SOME(test_server), SOME(test_server_key), 0, 0) == 0);
    lunatic_networking_drop_tls_listener(id);
    lunatic_networking_set_tls_read_timeout(server, 0);
    lunatic_networking_drop_tls_stream(client);
    puts("edges: ok");
}

int main(void)
{
    open_pair();
    traps();
    ids();
    streams();
    nobody();
    errors();
    edges();
    return 0;
}
