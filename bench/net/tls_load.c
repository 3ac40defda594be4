/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The client side of the TLS benchmarks, against any TLS echo server, TLS 1.3 only.
 *
 *     tls_load full|resumed PORT SECONDS [PID]   connections on which one byte goes there and back
 *     tls_load bulk PORT MEGABYTES [PID]         bytes there and back on one connection
 *
 * With PID it also prints what the server spent: microseconds of CPU for each connection, or
 * nanoseconds for each KiB. That figure is the server's own even where the client is the slower. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS     4
#define BLOCK       (16 * 1024)
#define OUTSTANDING (256 * 1024)

static SSL_CTX *context;
static struct sockaddr_in server;
static bool resumes;
static double deadline;
static atomic_long connections, resumed;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "tls_load: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* User and system time of a process, in seconds. */
static double cpu_of(const char *pid)
{
    char path[64];
    unsigned long user = 0, system = 0;
    FILE *f;

    if (!pid)
        return 0;
    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    f = fopen(path, "r");
    if (!f || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                     &system) != 2)
        die("reading the server's CPU time");
    fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static SSL *dial(SSL_SESSION *session)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    SSL *ssl = SSL_new(context);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (!ssl || connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0)
        die("connect");
    SSL_set_fd(ssl, fd);
    if (session)
        SSL_set_session(ssl, session);
    if (SSL_connect(ssl) != 1)
        die("handshake");
    return ssl;
}

static void hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    struct linger at_once = {.l_onoff = 1};

    SSL_shutdown(ssl);
    SSL_free(ssl);
    /* A port of its own for each connection would run out in TIME_WAIT. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static void *connect_again_and_again(void *arg)
{
    SSL_SESSION *session = NULL;

    while (now() < deadline) {
        SSL *ssl = dial(resumes ? session : NULL);
        char byte = 'x';

        if (SSL_write(ssl, &byte, 1) != 1 || SSL_read(ssl, &byte, 1) != 1 || byte != 'x')
            die("echo");
        atomic_fetch_add(&connections, 1);
        atomic_fetch_add(&resumed, SSL_session_reused(ssl));
        SSL_SESSION_free(session);
        session = resumes ? SSL_get1_session(ssl) : NULL;
        hang_up(ssl);
    }
    SSL_SESSION_free(session);
    return arg;
}

static void handshakes(double seconds, const char *pid)
{
    pthread_t threads[THREADS];
    double begin = now(), cpu = cpu_of(pid);

    deadline = begin + seconds;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, connect_again_and_again, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%s_per_s %.0f\n", resumes ? "resumed" : "full", (double)connections / (now() - begin));
    if (pid)
        printf("server_us %.1f\n", (cpu_of(pid) - cpu) * 1e6 / (double)connections);
    if (resumes)
        printf("resumed_part %.3f\n", (double)resumed / (double)connections);
}

static void bulk(uint64_t total, const char *pid)
{
    static char block[BLOCK];
    SSL *ssl = dial(NULL);
    struct pollfd p = {.fd = SSL_get_fd(ssl)};
    uint64_t sent = 0, received = 0;
    double begin, cpu;

    memset(block, 'b', sizeof(block));
    fcntl(p.fd, F_SETFL, fcntl(p.fd, F_GETFL) | O_NONBLOCK);
    begin = now();
    cpu = cpu_of(pid);
    while (received < total) {
        bool wrote = false;
        int count;

        if (sent < total && sent - received < OUTSTANDING) {
            count = SSL_write(ssl, block, BLOCK);
            if (count > 0) {
                sent += (uint64_t)count;
                wrote = true;
            } else if (SSL_get_error(ssl, count) != SSL_ERROR_WANT_WRITE) {
                die("write");
            }
        }
        while ((count = SSL_read(ssl, block, BLOCK)) > 0)
            received += (uint64_t)count;
        if (SSL_get_error(ssl, count) != SSL_ERROR_WANT_READ)
            die("read");
        if (!wrote) {
            p.events =
                (short)(POLLIN | (sent < total && sent - received < OUTSTANDING ? POLLOUT : 0));
            poll(&p, 1, 1000);
        }
    }
    printf("echoed_mb_per_s %.1f\n", (double)total / (now() - begin) / 1e6);
    if (pid)
        printf("server_ns_per_kib %.1f\n", (cpu_of(pid) - cpu) * 1e9 / ((double)total / 1024));
    hang_up(ssl);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    server = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    resumes = strcmp(argv[1], "resumed") == 0;
    if (strcmp(argv[1], "bulk") == 0)
        bulk((uint64_t)atol(argv[3]) * 1000000, argv[4]);
    else
        handshakes(atof(argv[3]), argv[4]);
    return 0;
}
