/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The client side of the network benchmarks: one thread, closed loop, the same for all servers.
 *
 *     load echo ADDRESS PORT CONNECTIONS SECONDS   64 bytes there and back on each connection
 *     load idle ADDRESS PORT CONNECTIONS PID...    opens them, has each echo once, then prints the
 *                                                  memory of the processes PID before and after
 *     load udp ADDRESS PORT FLOWS                  FLOWS sources, one after another, twice each
 *
 * Prints "NAME NUMBER" lines. Exits with 1 and a line on stderr if anything goes wrong: an answer
 * that differs, a connection that is refused or closed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_SIZE 64
#define WARM_UP_NS   500000000ull
#define PATIENCE_NS  20000000000ull

/* Latencies: buckets of 1/16 of an octave, in nanoseconds. */
#define BUCKETS 1024
static uint64_t histogram[BUCKETS], histogram_count;

struct connection {
    int fd;
    uint32_t received; /* bytes of the current answer */
    uint64_t sent_ns;
    uint64_t count;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static unsigned bucket_of(uint64_t ns)
{
    unsigned octave = ns < 16 ? 4 : 63u - (unsigned)__builtin_clzll(ns);

    return octave * 16 + (unsigned)((ns >> (octave - 4)) & 15);
}

static void record(uint64_t ns)
{
    histogram[bucket_of(ns)]++;
    histogram_count++;
}

static double percentile_us(double part)
{
    uint64_t wanted = (uint64_t)((double)histogram_count * part), seen = 0;

    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen > wanted)
            return (double)((16ull + i % 16 + 1) << (i / 16 - 4)) / 1000.0;
    }
    return 0;
}

static struct sockaddr_in address(const char *text, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (inet_pton(AF_INET, text, &a.sin_addr) != 1) {
        fprintf(stderr, "load: %s is no IPv4 address\n", text);
        exit(2);
    }
    return a;
}

static void fill(struct connection *c, char *message)
{
    memset(message, (int)('a' + c->count % 26), MESSAGE_SIZE);
    memcpy(message, &c->count, sizeof(c->count));
}

static void send_next(struct connection *c)
{
    char message[MESSAGE_SIZE];

    fill(c, message);
    c->received = 0;
    c->sent_ns = now_ns();
    if (send(c->fd, message, MESSAGE_SIZE, MSG_NOSIGNAL) != MESSAGE_SIZE)
        die("send");
}

/* Reads what is there. True: the answer is complete, and right. */
static bool receive_rest(struct connection *c)
{
    char wanted[MESSAGE_SIZE], got[MESSAGE_SIZE];
    ssize_t size = recv(c->fd, got, MESSAGE_SIZE - c->received, 0);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0)
        die(size ? "receive" : "closed by the server");
    fill(c, wanted);
    if (memcmp(got, wanted + c->received, (size_t)size) != 0) {
        errno = EBADMSG;
        die("a wrong answer");
    }
    c->received += (uint32_t)size;
    return c->received == MESSAGE_SIZE;
}

static struct connection *connect_all(const struct sockaddr_in *to, size_t count)
{
    struct connection *all = calloc(count, sizeof(*all));
    int one = 1;

    if (!all)
        die("memory");
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in from = {.sin_family = AF_INET};

        /* One source address has 28,000 ports: use several. */
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(i / 20000));
        all[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (all[i].fd < 0)
            die("socket");
        setsockopt(all[i].fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if ((to->sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
             bind(all[i].fd, (struct sockaddr *)&from, sizeof(from)) != 0) ||
            connect(all[i].fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
            die("connect");
    }
    return all;
}

static void echo(const struct sockaddr_in *to, size_t count, double seconds)
{
    struct connection *all = connect_all(to, count);
    struct epoll_event events[256];
    int poller = epoll_create1(EPOLL_CLOEXEC);
    size_t unanswered = count;
    uint64_t start, total = 0, begin = UINT64_MAX, end = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};

        if (epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &e) != 0)
            die("epoll_ctl");
        send_next(&all[i]);
    }
    start = now_ns();
    for (uint64_t now = start; now < end;) {
        int ready = epoll_wait(poller, events, 256, 1000);

        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;

            if (!receive_rest(c))
                continue;
            now = now_ns();
            if (now >= begin && now < end)
                record(now - c->sent_ns);
            if (c->count++ == 0)
                unanswered--;
            send_next(c);
        }
        now = now_ns();
        /* It counts when all have been answered, and the server is warm. */
        if (begin == UINT64_MAX && unanswered == 0 && now > start + WARM_UP_NS) {
            begin = now;
            end = begin + (uint64_t)(seconds * 1e9);
        }
        if (begin == UINT64_MAX && now > start + PATIENCE_NS) {
            errno = ETIMEDOUT;
            die("a connection was never answered");
        }
    }
    for (size_t i = 0; i < count; i++)
        total += all[i].count;
    printf("round_trips_per_s %.0f\np50_us %.1f\np99_us %.1f\nin_all %llu\n",
           (double)histogram_count / seconds, percentile_us(0.5), percentile_us(0.99),
           (unsigned long long)total);
}

/* VmRSS + VmPTE of a process, in bytes. */
static uint64_t memory_of(const char *pid)
{
    char path[64], line[256];
    uint64_t sum = 0, kib;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    f = fopen(path, "r");
    if (!f)
        die(path);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "VmRSS: %lu", &kib) == 1 || sscanf(line, "VmPTE: %lu", &kib) == 1)
            sum += kib * 1024;
    fclose(f);
    return sum;
}

static void idle(const struct sockaddr_in *to, size_t count, int pid_count, char **pids)
{
    struct connection *all;
    uint64_t before = 0, after = 0;

    for (int i = 0; i < pid_count; i++)
        before += memory_of(pids[i]);
    all = connect_all(to, count);
    for (int round = 0; round < 2; round++) /* the second: after all have waited */
        for (size_t i = 0; i < count; i++) {
            send_next(&all[i]);
            while (!receive_rest(&all[i]))
                ;
            all[i].count++;
        }
    for (int i = 0; i < pid_count; i++)
        after += memory_of(pids[i]);
    printf("connections %zu\nbytes_per_connection %.0f\n", count,
           (double)(after - before) / (double)count);
}

/* Each flow is a source address and port. A socket lives for one question and answer only, so that
 * there can be more flows than descriptors; the second round binds the same port again. */
static void udp(const struct sockaddr_in *to, size_t count)
{
    struct timeval patience = {.tv_sec = 10};
    uint64_t start = now_ns();

    for (uint64_t round = 0; round < 2; round++)
        for (size_t i = 0; i < count; i++) {
            struct sockaddr_in from = {.sin_family = AF_INET};
            struct connection c = {.count = i * 2 + round};
            int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

            from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(i / 10000));
            from.sin_port = htons((uint16_t)(10000 + i % 10000));
            if (fd < 0)
                die("socket");
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
                connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
                die("bind");
            c.fd = fd;
            send_next(&c);
            if (!receive_rest(&c)) {
                errno = ETIMEDOUT;
                die("a flow was not answered");
            }
            record(now_ns() - c.sent_ns);
            close(fd);
        }
    printf("flows %zu\nanswers_per_s %.0f\np50_us %.1f\np99_us %.1f\n", count,
           (double)histogram_count / ((double)(now_ns() - start) / 1e9), percentile_us(0.5),
           percentile_us(0.99));
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct sockaddr_in to;

    if (argc < 5) {
        fprintf(stderr, "usage: load echo|idle|udp ADDRESS PORT COUNT [SECONDS | PID...]\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    to = address(argv[2], argv[3]);
    if (strcmp(argv[1], "echo") == 0 && argc == 6)
        echo(&to, (size_t)atol(argv[4]), atof(argv[5]));
    else if (strcmp(argv[1], "idle") == 0)
        idle(&to, (size_t)atol(argv[4]), argc - 5, argv + 5);
    else if (strcmp(argv[1], "udp") == 0 && argc == 5)
        udp(&to, (size_t)atol(argv[4]));
    else
        return 2;
    return 0;
}
