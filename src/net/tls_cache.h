/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sessions that clients have had, kept to resume them: the next connection to the same name and
 * port needs no certificates and one signature less.
 *
 * Bounded; the oldest goes first. One of TLS 1.3 is used once (RFC 8446, C.4). */
#ifndef NET_TLS_CACHE_H
#define NET_TLS_CACHE_H

#include "base/assert.h"
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct tls_cache;

/* NULL: no memory. */
struct tls_cache *tls_cache_new(size_t count_max) MUST_USE;
void tls_cache_free(struct tls_cache *cache);

/* Keeps a session of the server named `key`: takes over one reference if it returns true. */
bool tls_cache_add(struct tls_cache *cache, const char *key, SSL_SESSION *session) MUST_USE;

/* The youngest session with that server: one reference, the caller's. NULL: there is none. */
SSL_SESSION *tls_cache_take(struct tls_cache *cache, const char *key) MUST_USE;

/* OpenSSL's callback for new sessions; tls.c says whose they are. */
int tls_cache_new_session(SSL *ssl, SSL_SESSION *session);

#endif
