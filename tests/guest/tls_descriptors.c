/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Who accepts TLS and has as many descriptors as he may is told so when somebody comes, and not
 * before; and gets the connection when he has closed one. */
// build: -Wno-unused-const-variable
// options: --max-descriptors 10
// expect: told when somebody comes
// expect: then accepted
#include "tls_keys.h"
#include <lunatic.h>
#include <lunatic/net.h>
#include <lunatic/tls.h>
#include <stdio.h>
#include <string.h>

#define SOCKETS_MAX 16

static void connect_later(const uint16_t *port)
{
    lun_stream s;

    lun_sleep(50); /* while the other one waits */
    lun_send(1, 7, NULL, 0);
    if (lun_tls_connect(&s, "localhost", *port, test_ca, 60000) == 0)
        lun_sleep(LUN_FOREVER);
}

int main(void)
{
    lun_udp sockets[SOCKETS_MAX];
    lun_listener listener;
    lun_message m;
    lun_address at;
    lun_stream s;
    uint16_t port;
    int count = 0;

    if (lun_tls_listen(&listener, "127.0.0.1:0", test_server, test_server_key) != 0 ||
        lun_listener_address(&listener, &at) != 0) {
        printf("%s\n", lun_error_text());
        return 1;
    }
    port = at.port;
    while (count < SOCKETS_MAX && lun_udp_bind(&sockets[count], "127.0.0.1:0") == 0)
        count++;
    LUN_SPAWN(connect_later, &port);
    if (lun_accept(&listener, &s, NULL) == 0 || lun_receive_tag(&m, 7, 0) != 0)
        return 2;
    if (strstr(lun_error_text(), "(os error 24)"))
        puts("told when somebody comes");
    while (count > 0)
        lun_udp_close(&sockets[--count]);
    if (lun_accept(&listener, &s, NULL) == 0)
        puts("then accepted");
    return 0;
}
