/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Protocols that guests agree on (ALPN), and the name that a client asks for, with <lunatic/tls.h>.
 */
// build: -Wno-unused-const-variable
// expect: agreed: ok
// expect: refused: ok
// expect: lists: ok
// expect: not with TLS: ok
#include "check.h"
#include "tls_keys.h"
#include <lunatic.h>
#include <lunatic/net.h>
#include <lunatic/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MS 60000

/* ---- two ends ---- */

struct order {
    lun_process parent;
    uint16_t port;
    char host[16];
    char protocols[300];
};

/* What a client tells: of its stream, or why there is none. */
struct report {
    int result;
    char protocol[LUN_TLS_NAME_SIZE], name[LUN_TLS_NAME_SIZE];
    char error[200];
};

static void connect_as_told(const struct order *o)
{
    struct report r = {0};
    lun_stream s;

    r.result = lun_tls_connect_alpn(&s, o->host, o->port, test_ca, o->protocols, LIMIT_MS);
    if (r.result == 0) {
        lun_tls_protocol(&s, r.protocol);
        lun_tls_server_name(&s, r.name);
    } else {
        strncpy(r.error, lun_error_text(), sizeof r.error - 1);
    }
    lun_send(o->parent, 7, &r, sizeof r);
    lun_stream_close(&s);
}

/* A listener and a client that speak such protocols; NULL: those without ALPN. What the server has
 * got of lun_accept; `*server` and `*client` say what both know. */
static int meet(const char *listened, const char *host, const char *protocols,
                struct report *server, struct report *client)
{
    struct order o = {.parent = lun_self()};
    lun_listener l;
    lun_address at;
    lun_stream s;
    lun_message m;

    memset(server, 0, sizeof *server);
    CHECK(lun_tls_listen_alpn(&l, "127.0.0.1:0", test_server, test_server_key, listened) == 0);
    CHECK(lun_listener_address(&l, &at) == 0);
    o.port = at.port;
    strcpy(o.host, host);
    strcpy(o.protocols, protocols);
    LUN_SPAWN(connect_as_told, &o);
    server->result = lun_accept(&l, &s, NULL);
    if (server->result == 0) {
        lun_tls_protocol(&s, server->protocol);
        lun_tls_server_name(&s, server->name);
        lun_stream_close(&s);
    } else {
        strncpy(server->error, lun_error_text(), sizeof server->error - 1);
    }
    CHECK(lun_receive_tag(&m, 7, LIMIT_MS) == 0 && lun_read(client, sizeof *client) > 0);
    lun_listener_close(&l);
    return server->result;
}

/* ---- what they agree on ---- */

static void agreed(void)
{
    static const struct {
        const char *listened, *host, *protocols, *protocol, *name;
    } cases[] = {
        {"h2,http/1.1", "localhost", "http/1.1", "http/1.1", "localhost"},
        {"h2,http/1.1", "localhost", "http/1.1,h2", "h2", "localhost"}, /* the listener's order */
        {"h2,http/1.1", "127.0.0.1", "", "", ""},
        {NULL, "localhost", "h2", "", "localhost"},
        {"", "LOCALhost", "h2", "", "LOCALhost"},
        {"a", "localhost", "a,a", "a", "localhost"},
    };
    struct report server, client;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(meet(cases[i].listened, cases[i].host, cases[i].protocols, &server, &client) == 0);
        CHECK(client.result == 0);
        CHECK_TEXT(server.protocol, cases[i].protocol);
        CHECK_TEXT(client.protocol, cases[i].protocol);
        CHECK_TEXT(server.name, cases[i].name);
        CHECK_TEXT(client.name, cases[i].name);
    }
    puts("agreed: ok");
}

static void refused(void)
{
    struct report server, client;

    CHECK(meet("h2,http/1.1", "localhost", "h2c,http", &server, &client) == -LUN_EIO);
    CHECK_TEXT(server.error, "TLS handshake: no application protocol");
    CHECK(client.result == -LUN_EIO);
    CHECK_TEXT(client.error, "TLS handshake: the other side refuses: no application protocol");
    puts("refused: ok");
}

/* ---- lists ---- */

static void lists(void)
{
    static const char *const bad[] = {",", "a,", ",a", "a,,b"};
    static char longest[257], five[6 * 256];
    struct report server, client;
    lun_listener l;
    lun_stream s;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(lun_tls_listen_alpn(&l, "127.0.0.1:0", test_server, test_server_key, bad[i]) ==
              -LUN_EIO);
        CHECK_WORDS("the name of a protocol has 1 to 255 bytes");
        CHECK(l.id == 0);
        CHECK(lun_tls_connect_alpn(&s, "localhost", 1, test_ca, bad[i], LIMIT_MS) == -LUN_EIO);
        CHECK_WORDS("the name of a protocol has 1 to 255 bytes");
        CHECK(s.id == 0);
    }
    memset(longest, 'x', 256);
    CHECK(lun_tls_listen_alpn(&l, "127.0.0.1:0", test_server, test_server_key, longest) ==
          -LUN_EIO);
    CHECK_WORDS("the name of a protocol has 1 to 255 bytes");
    longest[255] = '\0';
    CHECK(meet(longest, "localhost", longest, &server, &client) == 0);
    CHECK_TEXT(server.protocol, longest);
    CHECK_TEXT(client.protocol, longest);
    for (int i = 0; i < 5; i++)
        strcat(strcat(five, i ? "," : ""), longest);
    CHECK(lun_tls_listen_alpn(&l, "127.0.0.1:0", test_server, test_server_key, five) == -LUN_EIO);
    CHECK_WORDS("too many protocols");
    five[4 * 256 - 1] = '\0'; /* four of them fill the list */
    CHECK(lun_tls_listen_alpn(&l, "127.0.0.1:0", test_server, test_server_key, five) == 0);
    lun_listener_close(&l);
    puts("lists: ok");
}

static void not_with_tls(void)
{
    char name[LUN_TLS_NAME_SIZE];
    lun_listener l;
    lun_address at;
    lun_stream s;

    CHECK(lun_tcp_listen(&l, "127.0.0.1:0") == 0 && lun_listener_address(&l, &at) == 0);
    CHECK(lun_tcp_connect_to(&s, &at, LIMIT_MS) == 0);
    CHECK_TEXT(lun_tls_protocol(&s, name), "");
    CHECK_TEXT(lun_tls_server_name(&s, name), "");
    lun_stream_close(&s);
    lun_listener_close(&l);
    puts("not with TLS: ok");
}

int main(void)
{
    agreed();
    refused();
    lists();
    not_with_tls();
    return 0;
}
