/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The keys with which a listener encrypts what it needs to resume a session, so that the client
 * keeps it (session tickets) and the listener keeps nothing.
 *
 * Random, never stored, and changed every hour: who gets hold of them can read neither what was
 * before nor, after three hours, what comes. */
#ifndef NET_TLS_TICKET_H
#define NET_TLS_TICKET_H

#include "base/assert.h"
#include <openssl/ssl.h>
#include <stdint.h>

struct tls_tickets;

/* NULL: no memory. */
struct tls_tickets *tls_tickets_new(void) MUST_USE;
void tls_tickets_free(struct tls_tickets *t);

/* For OpenSSL's callback (SSL_CTX_set_tlsext_ticket_key_evp_cb), which has the same parameters and
 * results. */
int tls_tickets_use(struct tls_tickets *t, uint64_t now_ns, unsigned char *name, unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt);

#endif
