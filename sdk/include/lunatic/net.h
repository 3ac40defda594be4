/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TCP, UDP and names for programs in C and C++ on the lunatic runtime. Compile with `lunatic cc`.
 *
 *     static void echo(lun_stream *stream, const void *data, size_t size)
 *     {
 *         char bytes[4096];
 *         long n;
 *
 *         while ((n = lun_stream_read(stream, bytes, sizeof bytes)) > 0)
 *             lun_stream_write(stream, bytes, (size_t)n);
 *     }
 *
 *     int main(void)
 *     {
 *         lun_listener listener;
 *
 *         if (lun_tcp_listen(&listener, "127.0.0.1:7000") == 0)
 *             lun_serve(&listener, echo, NULL, 0);
 *         fprintf(stderr, "%s\n", lun_error_text());
 *         return 1;
 *     }
 *
 * All calls wait until they are done, and a process that waits costs no thread: give each
 * connection a process of its own. Streams of TCP and TLS (<lunatic/tls.h>) are of one type.
 *
 * Functions that can fail return 0, or a number of bytes, or a negated LUN_E number; -LUN_EIO is
 * what the network or the system refused, and lun_error_text() says it in words. Times are in
 * milliseconds; LUN_FOREVER sets no limit, and 0 takes what is there.
 *
 * A lun_stream, lun_listener or lun_udp is a name of something that this process holds: copies of
 * the struct are the same one, and it means nothing in another process but by the functions below
 * that hand it over. Zeroed, it holds nothing. What a process holds is closed when it ends. Using
 * one that is closed or was handed over ends the process with a trap. */
#ifndef LUNATIC_NET_H
#define LUNATIC_NET_H

#include <lunatic.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Addresses and names --------------------------------------------------------------------- */

typedef struct lun_address {
    unsigned char family;    /* 4 or 6; 0: none */
    unsigned char bytes[16]; /* the first 4 or all 16, most significant first */
    uint16_t port;
    uint32_t flow_info; /* IPv6 only, as is the next */
    uint32_t scope_id;
} lun_address;

#define LUN_ADDRESS_TEXT_SIZE 80 /* bytes enough for every address as text */

/* Reads "192.0.2.1:80" or "[2001:db8::1]:80"; no name, nothing is looked up. False: it is none. */
bool lun_address_parse(lun_address *address, const char *text);

/* Writes the address as text that lun_address_parse reads, and returns `text`. "?" if it is none.
 */
const char *lun_address_text(const lun_address *address, char text[LUN_ADDRESS_TEXT_SIZE]);

/* Whether both have the same family, bytes, port and, in IPv6, scope. */
bool lun_address_equal(const lun_address *a, const lun_address *b);

/* Looks up `name`, "example.org:80" or an address, and stores the first `count` addresses it has,
 * in the order in which to try them. Returns how many were stored, at least 1. -LUN_EIO: there are
 * none, or the name server failed; -LUN_ETIMEOUT. */
int lun_resolve(const char *name, lun_address *addresses, size_t count, uint64_t timeout_ms);

/* Where the functions below take an address as text, it is a name or an address with a port, as for
 * lun_resolve, and all addresses that it has are tried in order. */

/* ---- TCP ------------------------------------------------------------------------------------- */

typedef struct lun_listener {
    uint64_t id; /* the runtime's plus 1; 0: holds nothing */
    int kind;    /* of lun_net_kind_ */
} lun_listener;

typedef struct lun_stream {
    uint64_t id; /* as of lun_listener */
    int kind;
} lun_stream;

/* Listens for connections. Port 0 chooses a free one: lun_listener_address tells. The addresses
 * 0.0.0.0 and [::] stand for all of this machine. -LUN_EIO: in use, not of this machine, or not
 * permitted. */
int lun_tcp_listen(lun_listener *listener, const char *address);

/* Where it listens. -LUN_EIO. */
int lun_listener_address(const lun_listener *listener, lun_address *address);

/* Waits for the next connection and stores it, and the address of its other side in *peer unless
 * that is NULL. -LUN_EIO: this one failed, or there are no descriptors left; the listener is fine
 * and can be asked again. */
int lun_accept(const lun_listener *listener, lun_stream *stream, lun_address *peer);

void lun_listener_close(lun_listener *listener);

/* Connects within `timeout_ms`, looking up the name included. -LUN_EIO, -LUN_ETIMEOUT. */
int lun_tcp_connect(lun_stream *stream, const char *address, uint64_t timeout_ms);
int lun_tcp_connect_to(lun_stream *stream, const lun_address *address, uint64_t timeout_ms);

/* ---- Streams --------------------------------------------------------------------------------- */

/* A piece of what is written together. */
typedef struct lun_piece {
    const void *data;
    size_t size;
} lun_piece;

/* Reads at least one byte, at most `size` bytes, and returns how many; 0 at the end of the stream.
 * -LUN_EIO; -LUN_ETIMEOUT after the stream's read timeout. */
long lun_stream_read(const lun_stream *stream, void *data, size_t size);

/* Reads exactly `size` bytes. 0; -LUN_EEND: the stream ended before; else as lun_stream_read. */
int lun_stream_read_exactly(const lun_stream *stream, void *data, size_t size);

/* As lun_stream_read, but leaves the bytes to be read again. TCP only: -LUN_EIO for TLS. */
long lun_stream_peek(const lun_stream *stream, void *data, size_t size);

/* Writes everything. -LUN_EIO: the other side has gone; -LUN_ETIMEOUT: for the stream's write
 * timeout nothing could be written. After either, an unknown part has been written, so that nothing
 * sensible can be written any more. */
int lun_stream_write(const lun_stream *stream, const void *data, size_t size);

/* The same for `count` pieces in a row, which are handed to the system together. */
int lun_stream_write_pieces(const lun_stream *stream, const lun_piece *pieces, size_t count);

/* Writes as much of the pieces as can be written at once, waiting if that is nothing, and returns
 * how many bytes. -LUN_EIO, -LUN_ETIMEOUT. */
long lun_stream_write_some(const lun_stream *stream, const lun_piece *pieces, size_t count);

/* Waits until what was written is handed to the system: with TLS, a write may return before. 0;
 * -LUN_EIO; -LUN_ETIMEOUT after the stream's write timeout. */
int lun_stream_flush(const lun_stream *stream);

/* How long a read, a write or a peek may wait, LUN_FOREVER at first. It belongs to the stream, for
 * all who hold it, and holds for calls that begin afterwards. */
void lun_stream_set_read_timeout(const lun_stream *stream, uint64_t timeout_ms);
void lun_stream_set_write_timeout(const lun_stream *stream, uint64_t timeout_ms);
void lun_stream_set_peek_timeout(const lun_stream *stream, uint64_t timeout_ms); /* TCP only */
uint64_t lun_stream_read_timeout(const lun_stream *stream);
uint64_t lun_stream_write_timeout(const lun_stream *stream);

/* The address of the other side. TCP only: -LUN_EIO for TLS, where lun_accept tells it. */
int lun_stream_peer(const lun_stream *stream, lun_address *address);

/* Another name for the same stream, to be closed on its own: so that one process reads while
 * another, which was handed the clone, writes. */
lun_stream lun_stream_clone(const lun_stream *stream);

/* Closes it, unless it holds nothing, and zeroes it. The connection ends with its last clone. */
void lun_stream_close(lun_stream *stream);

/* ---- Streams for other processes -------------------------------------------------------------
 */

/* Runs fn(stream, argument) in a new process that holds the stream, and closes it when the function
 * returns. The function has the type
 *
 *     void fn(lun_stream *stream, const T *argument)
 *
 * and is checked as in LUN_SPAWN. The stream is this process's no more, also if no process can be
 * made; it is closed then, and the result is 0. */
#define LUN_SPAWN_STREAM(fn, stream, argument)                                                     \
    lun_spawn_stream_(LUN_ONE_, LUN_FNS_(fn, argument), (stream), (argument), sizeof *(argument))

/* The same with `size` bytes at `data`, which may be none. */
typedef void lun_stream_entry(lun_stream *stream, const void *data, size_t size);
lun_process lun_spawn_stream(lun_stream_entry *fn, lun_stream *stream, const void *data,
                             size_t size);

/* Accepts connections for ever and runs `fn` for each in a process of its own, as above. One that
 * fails, for want of descriptors or of memory say, is reported on standard error, and after a
 * tenth of a second the next is tried; after a handshake of TLS that failed, at once. */
#define LUN_SERVE(listener, fn, argument)                                                          \
    lun_serve_((listener), LUN_ONE_, LUN_FNS_(fn, argument), (argument), sizeof *(argument))
_Noreturn void lun_serve(const lun_listener *listener, lun_stream_entry *fn, const void *data,
                         size_t size);

/* Sends a message as lun_send does, and with it the stream, which is this process's no more. It
 * closes if nobody takes it: if the process has ended, or receives its next message before. */
void lun_send_stream(lun_process process, int64_t tag, lun_stream *stream, const void *data,
                     size_t size);

/* Takes the stream out of the message received last, once, and as long as lun_read is valid. Its
 * bytes can be read before or after. Traps if the message has no such stream. */
lun_stream lun_take_tcp(void);
lun_stream lun_take_tls(void);

/* ---- UDP ------------------------------------------------------------------------------------- */

typedef struct lun_udp {
    uint64_t id; /* as of lun_listener */
    int kind;
} lun_udp;

/* A socket that receives at this address; "0.0.0.0:0" for one that only asks others. -LUN_EIO. */
int lun_udp_bind(lun_udp *udp, const char *address);

/* Makes `peer` the other side: lun_udp_send sends to it, and only its datagrams are received.
 * -LUN_EIO. */
int lun_udp_connect(const lun_udp *udp, const lun_address *peer);

/* Sends one datagram. -LUN_EIO: too large, not permitted, or the other side has refused one before.
 */
int lun_udp_send(const lun_udp *udp, const void *data, size_t size);
int lun_udp_send_to(const lun_udp *udp, const void *data, size_t size, const lun_address *to);

/* Waits for a datagram, stores at most `size` bytes of it, and where it came from in *from unless
 * that is NULL, and returns how many; a longer one is cut. 0: an empty datagram. -LUN_EIO: a peer
 * has refused what was sent to it. */
long lun_udp_receive(const lun_udp *udp, void *data, size_t size, lun_address *from);

/* Its own address, and the one it is connected to. -LUN_EIO: none. */
int lun_udp_address(const lun_udp *udp, lun_address *address);
int lun_udp_peer(const lun_udp *udp, lun_address *address);

/* Whether it may send to broadcast addresses, false at first; and how many hops its datagrams live,
 * 1 to 255. */
void lun_udp_set_broadcast(const lun_udp *udp, bool on);
void lun_udp_set_ttl(const lun_udp *udp, unsigned hops);

/* As for streams: several processes may send and receive; each datagram is received by one. */
lun_udp lun_udp_clone(const lun_udp *udp);
void lun_udp_close(lun_udp *udp);
void lun_send_udp(lun_process process, int64_t tag, lun_udp *udp, const void *data, size_t size);
lun_udp lun_take_udp(void);

/* ---- What the macros above are made of; not for use --------------------------------------------
 */

enum lun_net_kind_ { LUN_NONE_ = 0, LUN_TCP_ = 1, LUN_TLS_ = 2, LUN_UDP_ = 3 };

lun_process lun_spawn_stream_(enum lun_shape_ shape, lun_fn_ *fn, lun_stream *stream,
                              const void *data, size_t size);
_Noreturn void lun_serve_(const lun_listener *listener, enum lun_shape_ shape, lun_fn_ *fn,
                          const void *data, size_t size);

#ifdef __cplusplus
}

#if __cplusplus >= 201103L
template <class T> inline lun_fn_ *lun_check_stream_(void (*fn)(lun_stream *, const T *), const T *)
{
    static_assert(!__is_pointer(T), "a pointer means nothing in another process");
    return reinterpret_cast<lun_fn_ *>(fn);
}
#endif
#define LUN_FNS_(fn, argument) lun_check_stream_((fn), (argument))

#else

#define LUN_FNS_(fn, argument)                                                                     \
    ((lun_fn_ *)((uintptr_t)(fn) + LUN_CHECK_VALUE_(argument) +                                    \
                 LUN_CHECK_(LUN_SAME_(__typeof__(&*(fn)),                                          \
                                      void (*)(lun_stream *, const __typeof__(*(argument)) *)),    \
                            "the function must be: void fn(lun_stream *, const T *), the "         \
                            "argument a T *")))
#endif

#endif
