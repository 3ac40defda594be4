/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A process that has as many descriptors as it may gets an error, and goes on when it has closed
 * one; others do not notice. Files and sockets count together. */
// options: --max-descriptors 10
// expect: Too many open files (os error 24): this process may have 10 files and sockets open
// expect: then accepted
// expect: those in messages count
// expect: told when somebody comes
#include <lunatic.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <string.h>

static void connect_and_wait(const lun_address *at)
{
    lun_stream s;

    if (lun_tcp_connect_to(&s, at, LUN_FOREVER) == 0)
        lun_sleep(LUN_FOREVER);
}

static void connect_later(const lun_address *at)
{
    lun_stream s;

    lun_sleep(50);
    lun_send(1, 7, NULL, 0);
    if (lun_tcp_connect_to(&s, at, LUN_FOREVER) == 0)
        lun_sleep(LUN_FOREVER);
}

/* Who accepts and has no room is told so when a connection comes, and not before. */
static void accept_at_the_limit(void)
{
    lun_udp sockets[16];
    lun_listener listener;
    lun_stream s;
    lun_address at;
    lun_message m;
    int count = 0;

    if (lun_tcp_listen(&listener, "127.0.0.1:0") != 0 || lun_listener_address(&listener, &at) != 0)
        return;
    while (count < 16 && lun_udp_bind(&sockets[count], "127.0.0.1:0") == 0)
        count++;
    LUN_SPAWN(connect_later, &at);
    if (lun_accept(&listener, &s, NULL) == -LUN_EIO && lun_receive_tag(&m, 7, 0) == 0)
        puts("told when somebody comes");
    while (count > 0)
        lun_udp_close(&sockets[--count]);
    lun_accept(&listener, &s, NULL);
    lun_stream_close(&s);
    lun_listener_close(&listener);
}

int main(void)
{
    lun_listener listener;
    lun_stream streams[16], one;
    lun_address at;
    lun_message m;
    int count = 0, i, r;

    if (lun_tcp_listen(&listener, "127.0.0.1:0") != 0 || lun_listener_address(&listener, &at) != 0)
        return 1;
    for (i = 0; i < 14; i++)
        LUN_SPAWN(connect_and_wait, &at);
    while (count < 16 && (r = lun_accept(&listener, &streams[count], NULL)) == 0)
        count++;
    if (r != -LUN_EIO || count < 2 || count > 9)
        return 2;
    puts(lun_error_text());
    lun_stream_close(&streams[0]);
    if (lun_accept(&listener, &one, NULL) == 0)
        puts("then accepted");

    /* What it sends to itself it still holds. */
    for (i = 1; i < count; i++)
        lun_send_stream(lun_self(), 1, &streams[i], NULL, 0);
    lun_send_stream(lun_self(), 1, &one, NULL, 0);
    if (lun_accept(&listener, &one, NULL) == -LUN_EIO)
        puts("those in messages count");
    for (i = 0; i < count; i++) {
        if (lun_receive(&m, LUN_FOREVER) != 0)
            return 3;
        streams[i] = lun_take_tcp(); /* what counts already can be taken */
    }
    lun_send_stream(lun_self(), 1, &streams[0], NULL, 0);
    lun_receive(&m, LUN_FOREVER); /* not taken: gone with the next message */
    lun_send(lun_self(), 2, NULL, 0);
    lun_receive(&m, LUN_FOREVER);
    if (lun_accept(&listener, &one, NULL) != 0)
        return 4;
    lun_stream_close(&one);
    accept_at_the_limit();
    return 0;
}
