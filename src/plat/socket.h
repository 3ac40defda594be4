/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sockets of the internet: TCP and UDP over IPv4 and IPv6.
 *
 * Every socket made here is non-blocking and not inherited by programs that we start. The functions
 * that return `int` return 0 or the errno of the failure; EAGAIN means that the socket is not
 * ready: wait for its poller. EINTR is never returned. Any thread. */
#ifndef PLAT_SOCKET_H
#define PLAT_SOCKET_H

#include "base/error.h"
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define SOCKET_BACKLOG    1024 /* connections that wait to be accepted */
#define SOCKET_PIECES_MAX 1024 /* pieces of one socket_send: IOV_MAX */

/* An address and a port, as numbers. */
struct socket_address {
    uint8_t bytes[16];  /* network order; the first 4 for IPv4 */
    uint32_t flow_info; /* IPv6 only: sin6_flowinfo as it is */
    uint32_t scope_id;  /* IPv6 only */
    uint16_t port;      /* the number, in the host's order */
    uint8_t family;     /* 4 or 6 */
};

/* "1.2.3.4:80", "[::1]:80", "[fe80::1%2]:80" */
#define SOCKET_ADDRESS_TEXT_MAX 64
const char *socket_address_text(const struct socket_address *a, char *text, size_t size);

/* A piece of what is sent: laid out like the system's. */
struct socket_piece {
    const void *data;
    size_t size;
};

/* Fills `err` (ERR_OS) with the words of an errno as guests know them, "Connection refused (os
 * error 111)"; returns false. */
bool socket_fail(struct error *err, int errnum);

/* ---- streams ---- */

/* A listener: SO_REUSEADDR, SOCKET_BACKLOG, port 0: any that is free. */
int socket_listen(const struct socket_address *at, int *fd) MUST_USE;

/* Accepts one connection; `peer` is where it comes from. */
int socket_accept(int listener, int *fd, struct socket_address *peer) MUST_USE;

/* Whether a connection waits to be accepted, or a failure to be told. */
bool socket_can_accept(int listener) MUST_USE;

/* Begins to connect: 0, connected already; EINPROGRESS: `*fd` is a socket too, that is ready for
 * writing when socket_connected can tell how it went; else there is no socket. */
int socket_connect(const struct socket_address *to, int *fd) MUST_USE;
/* EAGAIN: still connecting. 0: `*peer` is who has been reached, which may be another address than
 * was asked for (0.0.0.0 leads to 127.0.0.1). */
int socket_connected(int fd, struct socket_address *peer) MUST_USE;

/* Receives at most `size` bytes (> 0); 0 of them: the other side has ended. `peek` leaves them in
 * place. */
int socket_receive(int fd, void *data, size_t size, bool peek, size_t *count) MUST_USE;

/* Sends the pieces, or the first part of them; never a signal. */
int socket_send(int fd, const struct socket_piece *pieces, size_t piece_count, size_t *count)
    MUST_USE;

/* Small writes go out at once (TCP_NODELAY). */
int socket_set_no_delay(int fd, bool on);

/* Says that nothing more will be sent. */
int socket_shut_down_sending(int fd);

/* ---- datagrams ---- */

int socket_bind_datagrams(const struct socket_address *at, int *fd) MUST_USE;

/* Sets, or changes, where socket_send sends to, and from where alone it is received. */
int socket_connect_datagrams(int fd, const struct socket_address *to) MUST_USE;

int socket_send_to(int fd, const void *data, size_t size, const struct socket_address *to,
                   size_t *count) MUST_USE;

/* One datagram; what does not fit is lost. `from` may be NULL. */
int socket_receive_from(int fd, void *data, size_t size, size_t *count, struct socket_address *from)
    MUST_USE;

int socket_set_broadcast(int fd, bool on) MUST_USE;
int socket_get_broadcast(int fd, bool *on) MUST_USE;
int socket_set_ttl(int fd, uint32_t ttl) MUST_USE;
int socket_get_ttl(int fd, uint32_t *ttl) MUST_USE;

/* ---- both ---- */

int socket_local_address(int fd, struct socket_address *out) MUST_USE;
int socket_peer_address(int fd, struct socket_address *out) MUST_USE;
void socket_close(int fd);

/* How many descriptors this program may have open: the soft limit. UINT64_MAX: there is none. */
uint64_t socket_descriptors_max(void);

/* ---- faults, for tests ---- */

enum socket_call {
    SOCKET_CALL_OPEN,   /* in socket_listen, socket_connect, socket_bind_datagrams */
    SOCKET_CALL_OPTION, /* in socket_listen, socket_connected, and all that set or get one */
    SOCKET_CALL_BIND,
    SOCKET_CALL_LISTEN,
    SOCKET_CALL_CONNECT, /* of streams and datagrams */
    SOCKET_CALL_ACCEPT,
    SOCKET_CALL_NAME, /* socket_local_address, socket_peer_address, socket_connected */
    SOCKET_CALL_RECEIVE,
    SOCKET_CALL_SEND,
    SOCKET_CALL_SHUT_DOWN,
    SOCKET_CALL_COUNT
};

/* Decides what happens to a call instead of, or before, the system's: an errno fails it; 0 lets it
 * through with at most `*size` bytes, which it may make fewer (at least 1). EINTR is what the
 * system call is made to say, and is retried like a real one. Any thread calls it. NULL: no faults.
 * Startup of tests only. */
typedef int socket_fault_fn(enum socket_call call, int fd, size_t *size);
void socket_set_fault(socket_fault_fn *fault);

#endif
