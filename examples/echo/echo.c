/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sends everything back: a process for each connection. `echo.wasm [ADDRESS:PORT]` */
#include <lunatic/net.h>
#include <stdio.h>

static void echo(lun_stream *stream, const void *data, size_t size)
{
    static char bytes[16384]; /* this process's own; only what is used of it takes memory */
    long n;

    (void)data;
    (void)size;
    while ((n = lun_stream_read(stream, bytes, sizeof bytes)) > 0 &&
           lun_stream_write(stream, bytes, (size_t)n) == 0)
        ;
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:7000";
    char text[LUN_ADDRESS_TEXT_SIZE];
    lun_listener listener;
    lun_address address;

    if (lun_tcp_listen(&listener, where) != 0 || lun_listener_address(&listener, &address) != 0) {
        fprintf(stderr, "echo: %s: %s\n", where, lun_error_text());
        return 1;
    }
    printf("listening on %s\n", lun_address_text(&address, text));
    fflush(stdout);
    lun_serve(&listener, echo, NULL, 0);
}
