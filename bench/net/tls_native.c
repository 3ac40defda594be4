/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What TLS costs without a runtime: an echo server in C, one thread, epoll, the same libssl.
 *
 *     tls_native CERTIFICATE.pem KEY.pem PORT */
#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BUFFER (16 * 1024)

struct connection {
    SSL *ssl;
    int fd;
    int size, done; /* bytes read and not yet written back, and how many of them are */
    char data[BUFFER];
};

static void die(const char *what)
{
    fprintf(stderr, "tls_native: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void end(struct connection *c)
{
    SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

static void go_on(struct connection *c)
{
    for (;;) {
        int count;

        ERR_clear_error();
        if (c->done < c->size) {
            count = SSL_write(c->ssl, c->data + c->done, c->size - c->done);
            if (count > 0) {
                c->done += count;
                continue;
            }
        } else {
            count = SSL_read(c->ssl, c->data, BUFFER); /* does the handshake, too */
            if (count > 0) {
                c->size = count;
                c->done = 0;
                continue;
            }
        }
        count = SSL_get_error(c->ssl, count);
        if (count != SSL_ERROR_WANT_READ && count != SSL_ERROR_WANT_WRITE)
            end(c);
        return;
    }
}

int main(int argc, char **argv)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event events[256], e = {.events = EPOLLIN};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0);
    int one = 1;

    if (argc != 4)
        return 2;
    at.sin_port = htons((uint16_t)atoi(argv[3]));
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1)
        die("certificate");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, 1024) != 0)
        die("listen");
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    printf("listening on %s\n", argv[3]);
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);

        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;

            if (c) {
                go_on(c);
                continue;
            }
            for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (fd < 0)
                    break;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                c = calloc(1, sizeof(*c));
                if (!c)
                    die("memory");
                c->fd = fd;
                c->ssl = SSL_new(context);
                SSL_set_fd(c->ssl, fd);
                SSL_set_accept_state(c->ssl);
                e = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
                go_on(c);
            }
        }
    }
}
