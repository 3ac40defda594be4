/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The certificates that this machine trusts.
 *
 * SSL_CERT_FILE (a file) and SSL_CERT_DIR (directories, separated by colons), if one of them is
 * set, are all there is. Otherwise: OpenSSL's own place, or the first that exists of the files in
 * which the distributions keep theirs, so that a program linked statically finds them too. */
#ifndef NET_TLS_ROOTS_H
#define NET_TLS_ROOTS_H

#include "base/error.h"
#include <openssl/ssl.h>

/* Reads them into the context's store. Slow: files. Fails if there are none. */
bool tls_roots_load(SSL_CTX *ssl, struct error *err) MUST_USE;

#endif
