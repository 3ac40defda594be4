/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Network rules hold for TLS: where it connects, what it looks up, where it listens. */
// build: -Wno-unused-const-variable
// options: --deny-net connect=127.0.0.2 --deny-net connect=[::1]
// options: --deny-net denied.test --deny-net listen=127.0.0.3
// expect: connecting: ok
// expect: listening: ok
// expect: another address of the name: ok
#include "check.h"
#include "tls_keys.h"
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <lunatic/tls.h>

#define LIMIT_MS 60000
#define SOME(x)  LUN_ADDRESS(x), sizeof(x) - 1 /* a text as pointer and size */

static void connecting(void)
{
    lun_stream s;

    CHECK(lun_tls_connect(&s, "127.0.0.2", 9, test_ca, LIMIT_MS) == -LUN_EIO);
    CHECK_WORDS("connecting to 127.0.0.2:9 is not permitted");
    CHECK(lun_tls_connect_alpn(&s, "::1", 9, test_ca, "h2", LIMIT_MS) == -LUN_EIO);
    CHECK_WORDS("connecting to [::1]:9 is not permitted");
    CHECK(lun_tls_connect(&s, "denied.test", 9, test_ca, LIMIT_MS) == -LUN_EIO);
    CHECK_WORDS("looking up denied.test is not permitted");
    CHECK(lun_tls_connect_alpn(&s, "denied.test", 9, test_ca, "h2", LIMIT_MS) == -LUN_EIO);
    CHECK_WORDS("looking up denied.test is not permitted");
    puts("connecting: ok");
}

static void listening(void)
{
    static const unsigned char there[4] = {127, 0, 0, 3};
    lun_listener l;
    uint64_t id;

    CHECK(lun_tls_listen_alpn(&l, "127.0.0.3:0", test_server, test_server_key, "h2") == -LUN_EIO);
    CHECK_WORDS("listening at 127.0.0.3:0 is not permitted");
    CHECK(lun_tls_listen(&l, "0.0.0.0:0", test_server, test_server_key) == -LUN_EIO);
    CHECK_WORDS("listening at 0.0.0.0:0 is not permitted");
    CHECK(lunatic_networking_tls_bind(4, LUN_ADDRESS(there), 0, 0, 0, LUN_ADDRESS(&id),
                                      SOME(test_server), SOME(test_server_key)) == 1);
    puts("listening: ok");
}

static void connect_by_name(const uint16_t *port)
{
    lun_stream s;

    if (lun_tls_connect(&s, "localhost", *port, test_ca, LIMIT_MS) == 0)
        lun_stream_write(&s, "x", 1);
    lun_stream_close(&s);
}

/* "localhost" is ::1, too, on most machines. */
static void another_address(void)
{
    lun_listener l;
    lun_address at;
    lun_stream s;
    char byte;

    CHECK(lun_tls_listen(&l, "127.0.0.1:0", test_server, test_server_key) == 0);
    CHECK(lun_listener_address(&l, &at) == 0);
    LUN_SPAWN(connect_by_name, &at.port);
    CHECK(lun_accept(&l, &s, NULL) == 0);
    CHECK(lun_stream_read(&s, &byte, 1) == 1);
    puts("another address of the name: ok");
}

int main(void)
{
    connecting();
    listening();
    another_address();
    return 0;
}
