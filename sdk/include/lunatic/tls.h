/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TLS 1.2 and 1.3 for programs in C and C++ on the lunatic runtime: streams of <lunatic/net.h> that
 * nobody else can read. Reading, writing, cloning and handing over are as there. Compile with
 * `lunatic cc`. */
#ifndef LUNATIC_TLS_H
#define LUNATIC_TLS_H

#include <lunatic/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Listens for TLS connections at `address`, as lun_tcp_listen does. `certificates` is PEM text: the
 * server's certificate, then those that lead from it towards a root, if any; `key` is PEM text with
 * its private key, unencrypted. Both are copied. lun_accept then takes connections whose handshake
 * is done, and is not delayed by clients that do not finish theirs. -LUN_EIO: an unusable
 * certificate or key, or as lun_tcp_listen. */
int lun_tls_listen(lun_listener *listener, const char *address, const char *certificates,
                   const char *key);

/* Connects to `host`, a name or an IP address, at `port`, within `timeout_ms`, the lookup and the
 * handshake included. The server must prove with a certificate that it is `host`: one that leads to
 * one of the certificates in `roots`, PEM text, or if that is NULL to one of the roots that the
 * system trusts. -LUN_EIO: no connection, or no proof; -LUN_ETIMEOUT. */
int lun_tls_connect(lun_stream *stream, const char *host, uint16_t port, const char *roots,
                    uint64_t timeout_ms);

/* The same, and the two sides agree on what they will speak (ALPN), as browsers and servers do
 * about HTTP/2. `protocols` are the names of those that this side speaks, liked best first, with
 * commas in between: "h2,http/1.1"; NULL: none. A listener chooses the first of its own that the
 * client speaks too; one that speaks only others is an error, on both sides, and one that does not
 * know of protocols is served without. -LUN_EIO, also for a name of no byte or of more than 255,
 * and for more than 1,023 bytes of names. */
int lun_tls_listen_alpn(lun_listener *listener, const char *address, const char *certificates,
                        const char *key, const char *protocols);
int lun_tls_connect_alpn(lun_stream *stream, const char *host, uint16_t port, const char *roots,
                         const char *protocols, uint64_t timeout_ms);

#define LUN_TLS_NAME_SIZE 256 /* bytes enough for the names below, terminated */

/* Stores what both sides have agreed to speak, and returns `name`. "": nothing, or not with TLS. */
const char *lun_tls_protocol(const lun_stream *stream, char name[LUN_TLS_NAME_SIZE]);

/* Stores the name by which the client has asked for the server (SNI), and returns `name`. "": none,
 * or its address, or not with TLS. What a server gets here its client has written: it may be no
 * name at all. */
const char *lun_tls_server_name(const lun_stream *stream, char name[LUN_TLS_NAME_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
