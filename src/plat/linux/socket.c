/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/socket.h"
#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static_assert(sizeof(struct socket_piece) == sizeof(struct iovec), "the system's layout");
static_assert(offsetof(struct socket_piece, data) == offsetof(struct iovec, iov_base), "the same");
static_assert(offsetof(struct socket_piece, size) == offsetof(struct iovec, iov_len), "the same");
static_assert(SOCKET_PIECES_MAX <= IOV_MAX, "what the system takes");

/* ---- faults ---- */

static socket_fault_fn *_Atomic fault_fn;

void socket_set_fault(socket_fault_fn *fault)
{
    atomic_store(&fault_fn, fault);
}

/* 0, or the errno to fail with. EINTR has been retried, so a fault that never ends hangs. */
static int fault(enum socket_call call, int fd, size_t *size)
{
    socket_fault_fn *fn = atomic_load_explicit(&fault_fn, memory_order_relaxed);
    int e;

    if (LIKELY(!fn))
        return 0;
    do
        e = fn(call, fd, size);
    while (e == EINTR);
    return e;
}

/* ---- addresses ---- */

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t to_system(const struct socket_address *a, union any_address *out)
{
    memset(out, 0, sizeof(*out));
    if (a->family == 4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(a->port);
        memcpy(&out->v4.sin_addr, a->bytes, 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(a->port);
    out->v6.sin6_flowinfo = a->flow_info;
    out->v6.sin6_scope_id = a->scope_id;
    memcpy(&out->v6.sin6_addr, a->bytes, 16);
    return sizeof(out->v6);
}

static void from_system(const union any_address *in, struct socket_address *a)
{
    memset(a, 0, sizeof(*a));
    if (in->any.sa_family == AF_INET6) {
        a->family = 6;
        a->port = ntohs(in->v6.sin6_port);
        a->flow_info = in->v6.sin6_flowinfo;
        a->scope_id = in->v6.sin6_scope_id;
        memcpy(a->bytes, &in->v6.sin6_addr, 16);
        return;
    }
    a->family = 4;
    a->port = ntohs(in->v4.sin_port);
    memcpy(a->bytes, &in->v4.sin_addr, 4);
}

const char *socket_address_text(const struct socket_address *a, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";

    inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, host, sizeof(host));
    if (a->family == 4)
        snprintf(text, size, "%s:%u", host, a->port);
    else if (a->scope_id)
        snprintf(text, size, "[%s%%%u]:%u", host, a->scope_id, a->port);
    else
        snprintf(text, size, "[%s]:%u", host, a->port);
    return text;
}

bool socket_fail(struct error *err, int errnum)
{
    char text[128];

    return fail(err, ERR_OS, "%s (os error %d)", strerror_r(errnum, text, sizeof(text)), errnum);
}

/* ---- making sockets ---- */

static int open_socket(const struct socket_address *a, int type, int *fd)
{
    int e = fault(SOCKET_CALL_OPEN, -1, NULL);

    *fd = -1;
    if (e)
        return e;
    *fd = socket(a->family == 4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *fd < 0 ? errno : 0;
}

/* Closes it after a failure, which is returned. */
static int give_up(int *fd, int e)
{
    close(*fd);
    *fd = -1;
    return e;
}

static int set_flag(int fd, int level, int option, int value)
{
    int e = fault(SOCKET_CALL_OPTION, fd, NULL);

    if (e)
        return e;
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : errno;
}

static int bind_to(int fd, const struct socket_address *at)
{
    union any_address address;
    socklen_t size = to_system(at, &address);
    int e = fault(SOCKET_CALL_BIND, fd, NULL);

    if (e)
        return e;
    return bind(fd, &address.any, size) == 0 ? 0 : errno;
}

static int connect_to(int fd, const struct socket_address *to)
{
    union any_address address;
    socklen_t size = to_system(to, &address);
    int e = fault(SOCKET_CALL_CONNECT, fd, NULL);

    if (e)
        return e;
    return connect(fd, &address.any, size) == 0 ? 0 : errno;
}

static int begin_to_listen(int fd)
{
    int e = fault(SOCKET_CALL_LISTEN, fd, NULL);

    if (e)
        return e;
    return listen(fd, SOCKET_BACKLOG) == 0 ? 0 : errno;
}

int socket_listen(const struct socket_address *at, int *fd)
{
    int e = open_socket(at, SOCK_STREAM, fd);

    if (e)
        return e;
    e = set_flag(*fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!e)
        e = bind_to(*fd, at);
    if (!e)
        e = begin_to_listen(*fd);
    return e ? give_up(fd, e) : 0;
}

int socket_accept(int listener, int *fd, struct socket_address *peer)
{
    union any_address address = {.any = {0}};
    socklen_t size;
    int e = fault(SOCKET_CALL_ACCEPT, listener, NULL);

    if (e)
        return e;
    do {
        size = sizeof(address);
        *fd = accept4(listener, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (*fd < 0 && errno == EINTR);
    if (*fd < 0)
        return errno;
    from_system(&address, peer);
    return 0;
}

bool socket_can_accept(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

int socket_connect(const struct socket_address *to, int *fd)
{
    int e = open_socket(to, SOCK_STREAM, fd);

    if (e)
        return e;
    e = connect_to(*fd, to);
    if (e == 0)
        return 0;
    /* Interrupted, it goes on in the background. */
    return e == EINPROGRESS || e == EINTR ? EINPROGRESS : give_up(fd, e);
}

static int get_number(int fd, int level, int option, int *out)
{
    socklen_t size = sizeof(*out);
    int e = fault(SOCKET_CALL_OPTION, fd, NULL);

    if (e)
        return e;
    return getsockopt(fd, level, option, out, &size) == 0 ? 0 : errno;
}

int socket_connected(int fd, struct socket_address *peer)
{
    int failure = 0, e = get_number(fd, SOL_SOCKET, SO_ERROR, &failure);

    if (e || failure)
        return e ? e : failure;
    e = socket_peer_address(fd, peer);
    if (e != ENOTCONN)
        return e;
    /* Either it is still connecting, or it failed between the two calls. */
    e = get_number(fd, SOL_SOCKET, SO_ERROR, &failure);
    if (e || failure)
        return e ? e : failure;
    return EAGAIN;
}

int socket_bind_datagrams(const struct socket_address *at, int *fd)
{
    int e = open_socket(at, SOCK_DGRAM, fd);

    if (e)
        return e;
    e = bind_to(*fd, at);
    return e ? give_up(fd, e) : 0;
}

int socket_connect_datagrams(int fd, const struct socket_address *to)
{
    return connect_to(fd, to);
}

/* ---- bytes ---- */

int socket_receive(int fd, void *data, size_t size, bool peek, size_t *count)
{
    int e = fault(SOCKET_CALL_RECEIVE, fd, &size);
    ssize_t got;

    if (e)
        return e;
    do
        got = recv(fd, data, size, peek ? MSG_PEEK : 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno;
    *count = (size_t)got;
    return 0;
}

/* The pieces cut to `size` bytes in all; how many are left. */
static size_t cut(const struct socket_piece *pieces, size_t count, size_t size, struct iovec *out)
{
    size_t used = 0;

    for (; used < count && size > 0; used++) {
        memcpy(&out[used], &pieces[used], sizeof(out[used]));
        if (out[used].iov_len > size)
            out[used].iov_len = size;
        size -= out[used].iov_len;
    }
    return used;
}

static int send_message(int fd, const struct msghdr *message, size_t *count)
{
    ssize_t sent;

    do
        sent = sendmsg(fd, message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno;
    *count = (size_t)sent;
    return 0;
}

/* sendmsg only reads them, but its type does not say so. */
static struct iovec *pieces_of(const struct socket_piece *pieces)
{
    union {
        const struct socket_piece *in;
        struct iovec *out;
    } same = {.in = pieces};

    return same.out;
}

static int send_with_fault(int fd, const struct socket_piece *pieces, size_t piece_count,
                           size_t *count)
{
    struct iovec few[SOCKET_PIECES_MAX];
    struct msghdr message = {.msg_iov = few};
    size_t size = SIZE_MAX;
    int e = fault(SOCKET_CALL_SEND, fd, &size);

    if (e)
        return e;
    message.msg_iovlen = cut(pieces, piece_count, size, few);
    return send_message(fd, &message, count);
}

int socket_send(int fd, const struct socket_piece *pieces, size_t piece_count, size_t *count)
{
    struct msghdr message = {.msg_iov = pieces_of(pieces), .msg_iovlen = piece_count};
    ssize_t sent;

    if (UNLIKELY(atomic_load_explicit(&fault_fn, memory_order_relaxed) != NULL))
        return send_with_fault(fd, pieces, piece_count, count);
    if (piece_count != 1)
        return send_message(fd, &message, count);
    do
        sent = send(fd, pieces[0].data, pieces[0].size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno;
    *count = (size_t)sent;
    return 0;
}

int socket_set_no_delay(int fd, bool on)
{
    return set_flag(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int socket_shut_down_sending(int fd)
{
    int e = fault(SOCKET_CALL_SHUT_DOWN, fd, NULL);

    if (e)
        return e;
    return shutdown(fd, SHUT_WR) == 0 ? 0 : errno;
}

/* ---- datagrams ---- */

int socket_send_to(int fd, const void *data, size_t size, const struct socket_address *to,
                   size_t *count)
{
    union any_address address;
    socklen_t address_size = to_system(to, &address);
    int e = fault(SOCKET_CALL_SEND, fd, NULL);
    ssize_t sent;

    if (e)
        return e;
    do
        sent = sendto(fd, data, size, MSG_NOSIGNAL, &address.any, address_size);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno;
    *count = (size_t)sent;
    return 0;
}

int socket_receive_from(int fd, void *data, size_t size, size_t *count, struct socket_address *from)
{
    union any_address address = {.any = {0}};
    socklen_t address_size;
    int e = fault(SOCKET_CALL_RECEIVE, fd, NULL);
    ssize_t got;

    if (e)
        return e;
    do {
        address_size = sizeof(address);
        got = recvfrom(fd, data, size, 0, &address.any, &address_size);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno;
    *count = (size_t)got;
    if (from)
        from_system(&address, from);
    return 0;
}

int socket_set_broadcast(int fd, bool on)
{
    return set_flag(fd, SOL_SOCKET, SO_BROADCAST, on);
}

int socket_get_broadcast(int fd, bool *on)
{
    int value = 0, e = get_number(fd, SOL_SOCKET, SO_BROADCAST, &value);

    *on = value != 0;
    return e;
}

int socket_set_ttl(int fd, uint32_t ttl)
{
    return ttl > INT_MAX ? EINVAL : set_flag(fd, IPPROTO_IP, IP_TTL, (int)ttl);
}

int socket_get_ttl(int fd, uint32_t *ttl)
{
    int value = 0, e = get_number(fd, IPPROTO_IP, IP_TTL, &value);

    *ttl = (uint32_t)value;
    return e;
}

/* ---- both ---- */

int socket_local_address(int fd, struct socket_address *out)
{
    union any_address address = {.any = {0}};
    socklen_t size = sizeof(address);
    int e = fault(SOCKET_CALL_NAME, fd, NULL);

    if (e)
        return e;
    if (getsockname(fd, &address.any, &size) != 0)
        return errno;
    from_system(&address, out);
    return 0;
}

int socket_peer_address(int fd, struct socket_address *out)
{
    union any_address address = {.any = {0}};
    socklen_t size = sizeof(address);
    int e = fault(SOCKET_CALL_NAME, fd, NULL);

    if (e)
        return e;
    if (getpeername(fd, &address.any, &size) != 0)
        return errno;
    from_system(&address, out);
    return 0;
}

void socket_close(int fd)
{
    close(fd); /* the number is free on Linux, whatever it says */
}

uint64_t socket_descriptors_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}
