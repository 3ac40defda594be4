/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "dns_server.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

struct message {
    uint8_t data[4096];
    size_t size;
};

static void put16(struct message *m, unsigned v)
{
    m->data[m->size++] = (uint8_t)(v >> 8);
    m->data[m->size++] = (uint8_t)v;
}

static void put_record(struct message *m, unsigned type, unsigned ttl, const void *data,
                       size_t size)
{
    put16(m, 0xc00c); /* the name of the question */
    put16(m, type);
    put16(m, 1);
    put16(m, ttl >> 16);
    put16(m, ttl & 0xffff);
    put16(m, (unsigned)size);
    memcpy(m->data + m->size, data, size);
    m->size += size;
}

static void put_addresses(struct message *m, unsigned type, unsigned ttl, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t v4[4] = {10, 1, (uint8_t)(i >> 8), (uint8_t)(i + 1)};
        uint8_t v6[16] = {0xfd, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)(i + 1)};

        if (type == TYPE_A)
            put_record(m, type, ttl, v4, 4);
        else
            put_record(m, type, ttl, v6, 16);
    }
}

/* Makes the answer to `q`. False: there is none. */
static bool answer(struct dns_server *s, const struct message *q, struct message *out, bool by_tcp)
{
    char label[64] = {0}, name[256] = {0};
    size_t at = 12, used = 0;
    unsigned type, code = 0, count = 0, ttl = 60;
    bool cname = false, cut = false;

    if (q->size < 17)
        return false;
    memcpy(label, q->data + 13, q->data[12] & 63);
    while (at < q->size && q->data[at]) {
        memcpy(name + used, q->data + at + 1, q->data[at]);
        used += q->data[at];
        name[used++] = '.';
        at += q->data[at] + 1u;
    }
    at++;
    type = (unsigned)q->data[at] << 8 | q->data[at + 1];
    at += 4;
    if (type == TYPE_A)
        atomic_fetch_add(by_tcp ? &s->asked_tcp : &s->asked, 1);
    if (strncmp(label, "silent", 6) == 0) {
        atomic_fetch_add(&s->silenced, 1);
        return false;
    }
    if (strncmp(label, "missing", 7) == 0)
        code = 3;
    else if (strncmp(label, "broken", 6) == 0)
        code = 2;
    else if (strncmp(label, "refused", 7) == 0)
        code = 5;
    else if (strncmp(label, "empty", 5) == 0)
        count = 0;
    else if (strncmp(label, "alias", 5) == 0)
        cname = true, count = 2;
    else if (strncmp(label, "many", 4) == 0)
        count = 60, cut = !by_tcp;
    else if (strncmp(label, "v4", 2) == 0)
        count = type == TYPE_A ? 2 : 0;
    else if (strncmp(label, "v6", 2) == 0)
        count = type == TYPE_AAAA ? 2 : 0;
    else
        count = 1;
    if (strncmp(label, "short", 5) == 0)
        ttl = 1;
    if (strncmp(label, "never", 5) == 0)
        ttl = 0;
    if (strncmp(label, "slow", 4) == 0)
        while (atomic_load(&s->holds) && !atomic_load(&s->is_ending))
            usleep(1000);
    memcpy(out->data, q->data, at);
    out->size = at;
    out->data[2] = (uint8_t)(0x84 | (cut ? 2 : 0) | (q->data[2] & 1));
    out->data[3] = (uint8_t)(0x80 | code);
    memset(out->data + 6, 0, 6);
    out->data[7] = (uint8_t)((cut ? 0 : count) + (cname ? 1 : 0));
    if (cname) {
        /* `alias` is another name for `real.test`, for three seconds */
        static const char real[] = "\4real\4test";
        unsigned start = (unsigned)out->size + 12;

        put_record(out, TYPE_CNAME, 3, real, sizeof(real));
        for (unsigned i = 0; i < count; i++) {
            uint8_t v4[4] = {10, 2, 0, (uint8_t)(i + 1)},
                    v6[16] = {0xfd, [1] = 2, [15] = (uint8_t)i};

            put16(out, 0xc000 | start);
            put16(out, type);
            put16(out, 1);
            put16(out, 0);
            put16(out, 60);
            put16(out, type == TYPE_A ? 4 : 16);
            memcpy(out->data + out->size, type == TYPE_A ? v4 : v6, type == TYPE_A ? 4 : 16);
            out->size += type == TYPE_A ? 4 : 16;
        }
    } else if (!cut) {
        put_addresses(out, type, ttl, count);
    }
    return true;
}

static void by_datagram(struct dns_server *s)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    struct message q, a;
    ssize_t got = recvfrom(s->udp, q.data, sizeof(q.data), 0, (struct sockaddr *)&from, &size);

    if (got < 17)
        return;
    q.size = (size_t)got;
    if (memcmp(q.data + 13, "garbage", 7) == 0) { /* first nonsense, then half an answer */
        static const uint8_t noise[700] = {0xff, 0xff, 0xff, 0xff, 0xff};

        sendto(s->udp, noise, sizeof(noise), 0, (struct sockaddr *)&from, size);
        sendto(s->udp, noise, 3, 0, (struct sockaddr *)&from, size);
        if (answer(s, &q, &a, false)) {
            uint8_t right = a.data[0];

            a.data[0] ^= 0x55; /* another's id */
            sendto(s->udp, a.data, a.size, 0, (struct sockaddr *)&from, size);
            a.data[0] = right;
            if (memcmp(q.data + 13, "garbage-cut", 11) == 0)
                a.size -= 3;
            sendto(s->udp, a.data, a.size, 0, (struct sockaddr *)&from, size);
        }
        return;
    }
    if (answer(s, &q, &a, false))
        sendto(s->udp, a.data, a.size, 0, (struct sockaddr *)&from, size);
}

static void by_tcp(struct dns_server *s)
{
    int fd = accept(s->tcp, NULL, NULL);
    uint8_t head[2];

    while (recv(fd, head, 2, MSG_WAITALL) == 2) {
        struct message q, a;

        q.size = (size_t)head[0] << 8 | head[1];
        if (q.size > sizeof(q.data) || recv(fd, q.data, q.size, MSG_WAITALL) != (ssize_t)q.size)
            break;
        if (!answer(s, &q, &a, true))
            break;
        head[0] = (uint8_t)(a.size >> 8);
        head[1] = (uint8_t)a.size;
        if (send(fd, head, 2, MSG_NOSIGNAL) != 2)
            break;
        usleep(1000); /* in pieces */
        if (send(fd, a.data, a.size, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
}

static void *serve(void *arg)
{
    struct dns_server *s = arg;

    while (!atomic_load(&s->is_ending)) {
        struct pollfd p[2] = {{.fd = s->udp, .events = POLLIN}, {.fd = s->tcp, .events = POLLIN}};

        if (poll(p, 2, 20) <= 0)
            continue;
        if (p[0].revents)
            by_datagram(s);
        if (p[1].revents)
            by_tcp(s);
    }
    return NULL;
}

bool dns_server_start(struct dns_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    struct timeval tv = {.tv_sec = 1};
    pthread_t thread;

    memset(s, 0, sizeof(*s));
    for (int tries = 0; tries < 20; tries++) { /* the same port for both */
        s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        a.sin_port = 0;
        if (s->udp < 0 || s->tcp < 0 || bind(s->udp, (struct sockaddr *)&a, sizeof(a)) != 0 ||
            getsockname(s->udp, (struct sockaddr *)&a, &size) != 0)
            return false;
        if (bind(s->tcp, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->tcp, 10) == 0)
            break;
        close(s->udp);
        close(s->tcp);
        s->udp = s->tcp = -1;
    }
    if (s->udp < 0)
        return false;
    setsockopt(s->tcp, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)); /* of what it accepts */
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", ntohs(a.sin_port));
    if (pthread_create(&thread, NULL, serve, s) != 0)
        return false;
    s->thread = (unsigned long)thread;
    return true;
}

void dns_server_stop(struct dns_server *s)
{
    atomic_store(&s->is_ending, true);
    pthread_join((pthread_t)s->thread, NULL);
    close(s->udp);
    close(s->tcp);
}
