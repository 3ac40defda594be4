/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sends everything back, encrypted: a process for each connection.
 * `tls_echo.wasm [ADDRESS:PORT [CERTIFICATES.pem KEY.pem]]` */
#include <lunatic/tls.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_SIZE_MAX (1 << 20)

static void echo(lun_stream *stream, const void *data, size_t size)
{
    static char bytes[16384]; /* as much as a record of TLS has */
    long n;

    (void)data;
    (void)size;
    while ((n = lun_stream_read(stream, bytes, sizeof bytes)) > 0 &&
           lun_stream_write(stream, bytes, (size_t)n) == 0)
        ;
}

/* The text in a file; ends the program if there is none. */
static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = malloc(FILE_SIZE_MAX);
    size_t size;

    if (!f || !text || (size = fread(text, 1, FILE_SIZE_MAX, f)) == FILE_SIZE_MAX || ferror(f)) {
        fprintf(stderr, "tls_echo: cannot read %s\n", path);
        exit(1);
    }
    text[size] = '\0';
    fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:7443";
    char *certificates = read_file(argc > 3 ? argv[2] : "certificate.pem");
    char *key = read_file(argc > 3 ? argv[3] : "key.pem");
    char text[LUN_ADDRESS_TEXT_SIZE];
    lun_listener listener;
    lun_address address;

    if (lun_tls_listen(&listener, where, certificates, key) != 0 ||
        lun_listener_address(&listener, &address) != 0) {
        fprintf(stderr, "tls_echo: %s: %s\n", where, lun_error_text());
        return 1;
    }
    free(certificates);
    free(key);
    printf("listening on %s\n", lun_address_text(&address, text));
    fflush(stdout);
    lun_serve(&listener, echo, NULL, 0);
}
