/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library behind <lunatic/net.h>; listening and connecting with TLS is in tls.c. */
#include "internal.h"
#include <arpa/inet.h>
#include <limits.h>
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_MS      100           /* of a server that could not take a connection */
#define ADDRESSES_MAX 32            /* of one name that are tried */
#define ID(x)         ((x)->id - 1) /* as the host knows it: no id if it holds nothing */
#define OCTETS(a)     ((a)->family == 4 ? 4u : 16u)

/* An address as the host functions take it. */
#define AS_PARAMETERS(a)                                                                           \
    (a)->family, LUN_ADDRESS((a)->bytes), (a)->port, (a)->flow_info, (a)->scope_id

_Static_assert(sizeof(lun_piece) == 8, "the layout that the host reads");

/* What a host function has answered, as 0 or a negated LUN_E; `id` is an error's if there is one.
 */
static int failure(uint32_t code, uint64_t id)
{
    if (code == 0)
        return 0;
    if (code == LUN_TIMEOUT)
        return -LUN_ETIMEOUT;
    lun_keep_error_(id);
    return -LUN_EIO;
}

static int refused(const char *words)
{
    lun_set_error_(words);
    return -LUN_EIO;
}

/* ---- Addresses and names --------------------------------------------------------------------- */

bool lun_address_parse(lun_address *address, const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN];
    lun_address a = {0};
    unsigned long port;
    size_t length;
    char *end;

    if (!colon || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > UINT16_MAX)
        return false;
    length = (size_t)(colon - text);
    if (length >= 2 && text[0] == '[' && colon[-1] == ']') {
        a.family = 6;
        text++;
        length -= 2;
    } else {
        a.family = 4;
    }
    if (length >= sizeof host)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    if (inet_pton(a.family == 4 ? AF_INET : AF_INET6, host, a.bytes) != 1)
        return false;
    a.port = (uint16_t)port;
    *address = a;
    return true;
}

const char *lun_address_text(const lun_address *address, char text[LUN_ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "";

    if ((address->family == 4 && inet_ntop(AF_INET, address->bytes, host, sizeof host)) ||
        (address->family == 6 && inet_ntop(AF_INET6, address->bytes, host, sizeof host)))
        snprintf(text, LUN_ADDRESS_TEXT_SIZE, address->family == 4 ? "%s:%u" : "[%s]:%u", host,
                 (unsigned)address->port);
    else
        snprintf(text, LUN_ADDRESS_TEXT_SIZE, "?");
    return text;
}

bool lun_address_equal(const lun_address *a, const lun_address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->bytes, b->bytes, OCTETS(a)) == 0 &&
           (a->family != 6 || a->scope_id == b->scope_id);
}

/* Stores the next address of iterator `id`. False: there is none. */
static bool next_address(uint64_t id, lun_address *address)
{
    uint32_t family, flow_info = 0, scope_id = 0;
    unsigned char bytes[16] = {0};
    uint16_t port;

    if (lunatic_networking_resolve_next(id, LUN_ADDRESS(&family), LUN_ADDRESS(bytes),
                                        LUN_ADDRESS(&port), LUN_ADDRESS(&flow_info),
                                        LUN_ADDRESS(&scope_id)) != 0)
        return false;
    address->family = (unsigned char)family;
    memcpy(address->bytes, bytes, sizeof bytes);
    address->port = port;
    address->flow_info = flow_info;
    address->scope_id = scope_id;
    return true;
}

/* Takes the one address of iterator `id`. */
static void take_address(uint64_t id, lun_address *address)
{
    if (address && !next_address(id, address))
        memset(address, 0, sizeof *address);
    lunatic_networking_drop_dns_iterator(id);
}

int lun_resolve(const char *name, lun_address *addresses, size_t count, uint64_t timeout_ms)
{
    uint64_t id = 0;
    size_t n = 0;
    uint32_t code;

    if (count == 0)
        return refused("no room for an address");
    if (lun_address_parse(&addresses[0], name))
        return 1;
    code =
        lunatic_networking_resolve(LUN_ADDRESS(name), strlen(name), timeout_ms, LUN_ADDRESS(&id));
    if (code != 0) {
        lun_keep_error_(id);
        return code == LUN_TIMEOUT ? -LUN_ETIMEOUT : -LUN_EIO;
    }
    if (count > INT_MAX)
        count = INT_MAX;
    while (n < count && next_address(id, &addresses[n]))
        n++;
    lunatic_networking_drop_dns_iterator(id);
    return n > 0 ? (int)n : refused("the name has no address");
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

int lun_tcp_listen(lun_listener *listener, const char *address)
{
    lun_address all[ADDRESSES_MAX];
    int count = lun_resolve(address, all, ADDRESSES_MAX, LUN_FOREVER), result = count, i;
    uint64_t id;

    memset(listener, 0, sizeof *listener);
    for (i = 0; i < count; i++) {
        result = failure(lunatic_networking_tcp_bind(AS_PARAMETERS(&all[i]), LUN_ADDRESS(&id)), id);
        if (result == 0) {
            listener->id = id + 1;
            listener->kind = LUN_TCP_;
            break;
        }
    }
    return result;
}

int lun_listener_address(const lun_listener *listener, lun_address *address)
{
    uint64_t id;
    uint32_t code = listener->kind == LUN_TLS_
                        ? lunatic_networking_tls_local_addr(ID(listener), LUN_ADDRESS(&id))
                        : lunatic_networking_tcp_local_addr(ID(listener), LUN_ADDRESS(&id));

    if (code != 0)
        return failure(code, id);
    take_address(id, address);
    return 0;
}

int lun_accept(const lun_listener *listener, lun_stream *stream, lun_address *peer)
{
    uint64_t id, from;
    uint32_t code =
        listener->kind == LUN_TLS_
            ? lunatic_networking_tls_accept(ID(listener), LUN_ADDRESS(&id), LUN_ADDRESS(&from))
            : lunatic_networking_tcp_accept(ID(listener), LUN_ADDRESS(&id), LUN_ADDRESS(&from));

    memset(stream, 0, sizeof *stream);
    if (code != 0)
        return failure(code, id);
    take_address(from, peer);
    stream->id = id + 1;
    stream->kind = listener->kind;
    return 0;
}

void lun_listener_close(lun_listener *listener)
{
    if (listener->kind == LUN_TCP_)
        lunatic_networking_drop_tcp_listener(ID(listener));
    else if (listener->kind == LUN_TLS_)
        lunatic_networking_drop_tls_listener(ID(listener));
    memset(listener, 0, sizeof *listener);
}

int lun_tcp_connect_to(lun_stream *stream, const lun_address *address, uint64_t timeout_ms)
{
    uint64_t id = 0;
    uint32_t code;

    memset(stream, 0, sizeof *stream);
    code = lunatic_networking_tcp_connect(AS_PARAMETERS(address), timeout_ms, LUN_ADDRESS(&id));
    if (code != 0) {
        lun_keep_error_(id); /* a timeout has words here, too */
        return code == LUN_TIMEOUT ? -LUN_ETIMEOUT : -LUN_EIO;
    }
    stream->id = id + 1;
    stream->kind = LUN_TCP_;
    return 0;
}

int lun_tcp_connect(lun_stream *stream, const char *address, uint64_t timeout_ms)
{
    uint64_t begin = timeout_ms == LUN_FOREVER ? 0 : now_ms(), left = timeout_ms;
    lun_address all[ADDRESSES_MAX];
    int count = lun_resolve(address, all, ADDRESSES_MAX, timeout_ms), result = count, i;

    memset(stream, 0, sizeof *stream);
    for (i = 0; i < count; i++) {
        if (timeout_ms != LUN_FOREVER) {
            uint64_t passed = now_ms() - begin;

            left = passed < timeout_ms ? timeout_ms - passed : 0;
        }
        result = lun_tcp_connect_to(stream, &all[i], left);
        if (result != -LUN_EIO)
            break;
    }
    return result;
}

/* ---- Streams --------------------------------------------------------------------------------- */

long lun_stream_read(const lun_stream *stream, void *data, size_t size)
{
    uint64_t count;
    uint32_t code;

    if (size > LONG_MAX)
        size = LONG_MAX;
    code =
        stream->kind == LUN_TLS_
            ? lunatic_networking_tls_read(ID(stream), LUN_ADDRESS(data), size, LUN_ADDRESS(&count))
            : lunatic_networking_tcp_read(ID(stream), LUN_ADDRESS(data), size, LUN_ADDRESS(&count));
    return code == 0 ? (long)count : failure(code, count);
}

int lun_stream_read_exactly(const lun_stream *stream, void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        long n = lun_stream_read(stream, at, size);

        if (n <= 0)
            return n == 0 ? -LUN_EEND : (int)n;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

long lun_stream_peek(const lun_stream *stream, void *data, size_t size)
{
    uint64_t count;
    uint32_t code;

    if (stream->kind == LUN_TLS_)
        return refused("a TLS stream has no peek");
    if (size > LONG_MAX)
        size = LONG_MAX;
    code = lunatic_networking_tcp_peek(ID(stream), LUN_ADDRESS(data), size, LUN_ADDRESS(&count));
    return code == 0 ? (long)count : failure(code, count);
}

long lun_stream_write_some(const lun_stream *stream, const lun_piece *pieces, size_t count)
{
    uint64_t written;
    uint32_t code = stream->kind == LUN_TLS_
                        ? lunatic_networking_tls_write_vectored(ID(stream), LUN_ADDRESS(pieces),
                                                                count, LUN_ADDRESS(&written))
                        : lunatic_networking_tcp_write_vectored(ID(stream), LUN_ADDRESS(pieces),
                                                                count, LUN_ADDRESS(&written));

    return code == 0 ? (long)written : failure(code, written);
}

int lun_stream_write(const lun_stream *stream, const void *data, size_t size)
{
    lun_piece rest = {data, size};

    while (rest.size > 0) {
        long n = lun_stream_write_some(stream, &rest, 1);

        if (n < 0)
            return (int)n;
        rest.data = (const char *)rest.data + n;
        rest.size -= (size_t)n;
    }
    return 0;
}

int lun_stream_write_pieces(const lun_stream *stream, const lun_piece *pieces, size_t count)
{
    while (count > 0) {
        long n = lun_stream_write_some(stream, pieces, count);
        size_t written;

        if (n < 0)
            return (int)n;
        written = (size_t)n;
        while (count > 0 && written >= pieces->size) {
            written -= pieces->size;
            pieces++;
            count--;
        }
        /* What is left of a piece goes out alone, then the others together again. */
        if (written > 0) {
            int failed = lun_stream_write(stream, (const char *)pieces->data + written,
                                          pieces->size - written);

            if (failed != 0)
                return failed;
            pieces++;
            count--;
        }
    }
    return 0;
}

int lun_stream_flush(const lun_stream *stream)
{
    uint64_t id = 0;
    uint32_t code = stream->kind == LUN_TLS_
                        ? lunatic_networking_tls_flush(ID(stream), LUN_ADDRESS(&id))
                        : lunatic_networking_tcp_flush(ID(stream), LUN_ADDRESS(&id));

    if (code == 0)
        return 0;
    lun_keep_error_(id); /* a timeout has words here, too */
    return code == LUN_TIMEOUT ? -LUN_ETIMEOUT : -LUN_EIO;
}

void lun_stream_set_read_timeout(const lun_stream *stream, uint64_t timeout_ms)
{
    if (stream->kind == LUN_TLS_)
        lunatic_networking_set_tls_read_timeout(ID(stream), timeout_ms);
    else
        lunatic_networking_set_read_timeout(ID(stream), timeout_ms);
}

void lun_stream_set_write_timeout(const lun_stream *stream, uint64_t timeout_ms)
{
    if (stream->kind == LUN_TLS_)
        lunatic_networking_set_tls_write_timeout(ID(stream), timeout_ms);
    else
        lunatic_networking_set_write_timeout(ID(stream), timeout_ms);
}

void lun_stream_set_peek_timeout(const lun_stream *stream, uint64_t timeout_ms)
{
    if (stream->kind != LUN_TLS_)
        lunatic_networking_set_peek_timeout(ID(stream), timeout_ms);
}

uint64_t lun_stream_read_timeout(const lun_stream *stream)
{
    return stream->kind == LUN_TLS_ ? lunatic_networking_get_tls_read_timeout(ID(stream))
                                    : lunatic_networking_get_read_timeout(ID(stream));
}

uint64_t lun_stream_write_timeout(const lun_stream *stream)
{
    return stream->kind == LUN_TLS_ ? lunatic_networking_get_tls_write_timeout(ID(stream))
                                    : lunatic_networking_get_write_timeout(ID(stream));
}

int lun_stream_peer(const lun_stream *stream, lun_address *address)
{
    uint64_t id;
    uint32_t code;

    if (stream->kind == LUN_TLS_)
        return refused("a TLS stream does not tell its peer: lun_accept does");
    code = lunatic_networking_tcp_peer_addr(ID(stream), LUN_ADDRESS(&id));
    if (code != 0)
        return failure(code, id);
    take_address(id, address);
    return 0;
}

lun_stream lun_stream_clone(const lun_stream *stream)
{
    lun_stream clone = *stream;

    clone.id = 1 + (stream->kind == LUN_TLS_ ? lunatic_networking_clone_tls_stream(ID(stream))
                                             : lunatic_networking_clone_tcp_stream(ID(stream)));
    return clone;
}

void lun_stream_close(lun_stream *stream)
{
    if (stream->kind == LUN_TCP_)
        lunatic_networking_drop_tcp_stream(ID(stream));
    else if (stream->kind == LUN_TLS_)
        lunatic_networking_drop_tls_stream(ID(stream));
    memset(stream, 0, sizeof *stream);
}

/* ---- Streams for other processes ------------------------------------------------------------- */

/* What a child that is to have a stream gets as its argument. The stream follows in a message, and
 * with it the argument of its function. Fits into the parameters of a spawn. */
struct beginning {
    lun_process parent;
    lun_fn_ *fn;
    size_t size;
    enum lun_shape_ shape;
    int kind;
};

typedef void one_fn(lun_stream *stream, const void *argument);

void lun_send_stream(lun_process process, int64_t tag, lun_stream *stream, const void *data,
                     size_t size)
{
    lun_build_(tag, data, size);
    if (stream->kind == LUN_TLS_)
        lunatic_message_push_tls_stream(ID(stream));
    else
        lunatic_message_push_tcp_stream(ID(stream));
    memset(stream, 0, sizeof *stream);
    lunatic_message_send(process);
}

lun_stream lun_take_tcp(void)
{
    lun_stream stream = {lunatic_message_take_tcp_stream(0) + 1, LUN_TCP_};

    return stream;
}

lun_stream lun_take_tls(void)
{
    lun_stream stream = {lunatic_message_take_tls_stream(0) + 1, LUN_TLS_};

    return stream;
}

static void begin(const struct beginning *b)
{
    lun_stream stream;
    lun_message message;
    void *argument;

    lun_receive_first_(b->parent, LUN_FIRST_TAG_, &message);
    stream = b->kind == LUN_TLS_ ? lun_take_tls() : lun_take_tcp();
    argument = b->size <= LUN_STACK_BUFFER_MAX_ ? __builtin_alloca_with_align(b->size, 128)
                                                : lun_new_buffer_(b->size);
    if (lun_read_exactly(argument, b->size) != 0)
        abort();
    if (b->shape == LUN_ONE_)
        ((one_fn *)b->fn)(&stream, argument);
    else
        ((lun_stream_entry *)b->fn)(&stream, argument, b->size);
    lun_stream_close(&stream);
}

lun_process lun_spawn_stream_(enum lun_shape_ shape, lun_fn_ *fn, lun_stream *stream,
                              const void *data, size_t size)
{
    struct beginning b = {lun_self(), fn, size, shape, stream->kind};
    lun_process process = LUN_SPAWN(begin, &b);

    if (process != 0)
        lun_send_stream(process, LUN_FIRST_TAG_, stream, data, size);
    else
        lun_stream_close(stream);
    return process;
}

lun_process lun_spawn_stream(lun_stream_entry *fn, lun_stream *stream, const void *data,
                             size_t size)
{
    return lun_spawn_stream_(LUN_BYTES_, (lun_fn_ *)fn, stream, data, size);
}

/* Whether what has just failed, to accept, fails again if it is tried at once. A handshake is a
 * matter of the one who made it: whoever sends nonsense must not keep the others waiting. Not so if
 * the words are the system's that there are no descriptors (ENFILE, EMFILE) or no memory (ENOMEM,
 * ENOBUFS), by Linux's numbers, which are in them. */
static bool fails_again(const lun_listener *listener)
{
    const char *number = strstr(lun_error_text(), "(os error ");

    if (listener->kind != LUN_TLS_)
        return true;
    switch (number ? atoi(number + strlen("(os error ")) : 0) {
    case 12:
    case 23:
    case 24:
    case 105:
        return true;
    default:
        return false;
    }
}

_Noreturn void lun_serve_(const lun_listener *listener, enum lun_shape_ shape, lun_fn_ *fn,
                          const void *data, size_t size)
{
    lun_stream stream;

    for (;;) {
        bool is_accepted = lun_accept(listener, &stream, NULL) == 0;

        if (is_accepted && lun_spawn_stream_(shape, fn, &stream, data, size) != 0)
            continue;
        fprintf(stderr, "a connection failed: %s\n", lun_error_text());
        if (is_accepted || fails_again(listener))
            lun_sleep(PAUSE_MS);
    }
}

_Noreturn void lun_serve(const lun_listener *listener, lun_stream_entry *fn, const void *data,
                         size_t size)
{
    lun_serve_(listener, LUN_BYTES_, (lun_fn_ *)fn, data, size);
}

/* ---- UDP ------------------------------------------------------------------------------------- */

int lun_udp_bind(lun_udp *udp, const char *address)
{
    lun_address all[ADDRESSES_MAX];
    int count = lun_resolve(address, all, ADDRESSES_MAX, LUN_FOREVER), result = count, i;
    uint64_t id;

    memset(udp, 0, sizeof *udp);
    for (i = 0; i < count; i++) {
        result = failure(lunatic_networking_udp_bind(AS_PARAMETERS(&all[i]), LUN_ADDRESS(&id)), id);
        if (result == 0) {
            udp->id = id + 1;
            udp->kind = LUN_UDP_;
            break;
        }
    }
    return result;
}

int lun_udp_connect(const lun_udp *udp, const lun_address *peer)
{
    uint64_t id = 0;
    uint32_t code =
        lunatic_networking_udp_connect(ID(udp), AS_PARAMETERS(peer), LUN_FOREVER, LUN_ADDRESS(&id));

    return failure(code, id);
}

int lun_udp_send(const lun_udp *udp, const void *data, size_t size)
{
    uint64_t count;
    uint32_t code =
        lunatic_networking_udp_send(ID(udp), LUN_ADDRESS(data), size, LUN_ADDRESS(&count));

    return failure(code, count);
}

int lun_udp_send_to(const lun_udp *udp, const void *data, size_t size, const lun_address *to)
{
    uint64_t count;
    uint32_t code = lunatic_networking_udp_send_to(ID(udp), LUN_ADDRESS(data), size,
                                                   AS_PARAMETERS(to), LUN_ADDRESS(&count));

    return failure(code, count);
}

long lun_udp_receive(const lun_udp *udp, void *data, size_t size, lun_address *from)
{
    uint64_t count, id;
    uint32_t code;

    if (size > LONG_MAX)
        size = LONG_MAX;
    if (from)
        code = lunatic_networking_udp_receive_from(ID(udp), LUN_ADDRESS(data), size,
                                                   LUN_ADDRESS(&count), LUN_ADDRESS(&id));
    else
        code =
            lunatic_networking_udp_receive(ID(udp), LUN_ADDRESS(data), size, LUN_ADDRESS(&count));
    if (code != 0)
        return failure(code, count);
    if (from)
        take_address(id, from);
    return (long)count;
}

int lun_udp_address(const lun_udp *udp, lun_address *address)
{
    uint64_t id;
    uint32_t code = lunatic_networking_udp_local_addr(ID(udp), LUN_ADDRESS(&id));

    if (code != 0)
        return failure(code, id);
    take_address(id, address);
    return 0;
}

int lun_udp_peer(const lun_udp *udp, lun_address *address)
{
    uint64_t id;
    uint32_t code = lunatic_networking_udp_peer_addr(ID(udp), LUN_ADDRESS(&id));

    if (code != 0)
        return failure(code, id);
    take_address(id, address);
    return 0;
}

void lun_udp_set_broadcast(const lun_udp *udp, bool on)
{
    lunatic_networking_set_udp_socket_broadcast(ID(udp), on);
}

void lun_udp_set_ttl(const lun_udp *udp, unsigned hops)
{
    lunatic_networking_set_udp_socket_ttl(ID(udp), hops);
}

lun_udp lun_udp_clone(const lun_udp *udp)
{
    lun_udp clone = {lunatic_networking_clone_udp_socket(ID(udp)) + 1, LUN_UDP_};

    return clone;
}

void lun_udp_close(lun_udp *udp)
{
    if (udp->kind == LUN_UDP_)
        lunatic_networking_drop_udp_socket(ID(udp));
    memset(udp, 0, sizeof *udp);
}

void lun_send_udp(lun_process process, int64_t tag, lun_udp *udp, const void *data, size_t size)
{
    lun_build_(tag, data, size);
    lunatic_message_push_udp_socket(ID(udp));
    memset(udp, 0, sizeof *udp);
    lunatic_message_send(process);
}

lun_udp lun_take_udp(void)
{
    lun_udp udp = {lunatic_message_take_udp_socket(0) + 1, LUN_UDP_};

    return udp;
}
