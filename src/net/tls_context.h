/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the TLS sessions of one listener share, or those of all clients that trust the same
 * certificates: credentials, trust, settings, and what resumes sessions.
 *
 * TLS 1.2 and 1.3; of 1.2 only what has forward secrecy and authenticated encryption; no
 * renegotiation, no compression, no early data. Contexts do not change once made and may be used by
 * any number of threads. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "base/bytes.h"
#include "base/error.h"
#include "net/pem.h"
#include <stdatomic.h>

#define TLS_CHAIN_MAX     16u   /* certificates of a listener */
#define TLS_ROOTS_MAX     1024u /* certificates that a guest trusts */
#define TLS_ALPN_SIZE_MAX 1024u /* bytes of a list of protocols */
#define TLS_SESSIONS_MAX  256u  /* that a client context keeps to resume them */
#define TLS_NAME_SIZE_MAX 253u  /* bytes of a host name */

struct ssl_ctx_st; /* OpenSSL's, as below: what includes this sees nothing of its headers */
struct x509_store_st;
struct tls_cache;
struct tls_tickets;

struct tls_context {
    _Atomic uint32_t references;
    struct ssl_ctx_st *ssl;
    struct tls_cache *cache;     /* of clients, else NULL */
    struct tls_tickets *tickets; /* of a listener, else NULL */
    uint16_t alpn_size;
    uint8_t alpn[TLS_ALPN_SIZE_MAX]; /* what a listener speaks, best first, as on the wire */
};

/* For a listener. `certificates`: PEM with one or more, the listener's own first. `key`: PEM with
 * exactly one private key (PKCS#8, PKCS#1 or SEC1, without a passphrase) that fits it. `alpn`: the
 * protocols it speaks, each with its length in front; may be empty. One reference, the caller's.
 * Any thread. */
bool tls_context_new_listener(struct slice certificates, struct slice key, struct slice alpn,
                              struct tls_context **out, struct error *err) MUST_USE;

/* For clients. `roots`: PEM texts with the certificates that are trusted, each with at least one,
 * and no others are; `count` 0: those of the system (tls_roots.h), which is slow: it reads files.
 * One reference, the caller's. Any thread. */
bool tls_context_new_client(const struct slice *roots, size_t count, struct tls_context **out,
                            struct error *err) MUST_USE;

static inline struct tls_context *tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

/* Any thread. NULL is harmless. */
void tls_context_unref(struct tls_context *c);

/* Whether a list of protocols is well-formed: names of 1 to 255 bytes, each after its length,
 * TLS_ALPN_SIZE_MAX bytes in all. */
bool tls_alpn_is_valid(struct slice alpn, struct error *err) MUST_USE;

/* The first error that OpenSSL has noted on this thread, in words: appended to `prefix`. Returns
 * false, and the thread's errors are forgotten. */
bool tls_fail(struct error *err, enum error_code code, const char *prefix);

/* Reads all certificates of a PEM text into `store` (if not NULL), and counts them. */
bool tls_read_roots(struct slice text, struct x509_store_st *store, size_t *count,
                    struct error *err) MUST_USE;

#endif
