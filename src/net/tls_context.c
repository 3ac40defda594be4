/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tls_context.h"
#include "base/mem.h"
#include "net/tls_cache.h"
#include "net/tls_roots.h"
#include "net/tls_ticket.h"
#include "plat/clock.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

/* Of TLS 1.2 what has forward secrecy and authenticated encryption. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

#define VERIFY_DEPTH_MAX 16 /* certificates between a server's and a root */

bool tls_fail(struct error *err, enum error_code code, const char *prefix)
{
    unsigned long e = ERR_peek_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    char number[48];

    if (e && !reason) {
        snprintf(number, sizeof(number), "error %lx of OpenSSL", e);
        reason = number;
    }
    ERR_clear_error();
    return reason ? fail(err, code, "%s: %s", prefix, reason) : fail(err, code, "%s", prefix);
}

/* ---- credentials ---- */

static bool add_certificate(SSL_CTX *ssl, const struct pem_reader *p, size_t index,
                            struct error *err)
{
    const unsigned char *at = p->data.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)p->data.size);
    bool ok;

    if (!certificate)
        return tls_fail(err, ERR_MALFORMED, "a certificate cannot be read");
    if (index == 0) {
        ok = SSL_CTX_use_certificate(ssl, certificate) == 1;
        X509_free(certificate);
    } else {
        ok = SSL_CTX_add0_chain_cert(ssl, certificate) == 1;
        if (!ok)
            X509_free(certificate);
    }
    return ok || tls_fail(err, ERR_INVALID, "a certificate cannot be used");
}

static bool use_certificates(SSL_CTX *ssl, struct slice text, struct error *err)
{
    struct pem_reader p = {.rest = text};
    size_t count = 0;
    enum pem_result r;
    bool ok = true;

    while (ok && (r = pem_next(&p, err)) == PEM_SECTION) {
        if (!pem_is(&p, "CERTIFICATE"))
            continue;
        if (count == TLS_CHAIN_MAX)
            ok = fail(err, ERR_LIMIT, "more than %u certificates in a chain", TLS_CHAIN_MAX);
        else
            ok = add_certificate(ssl, &p, count++, err);
    }
    pem_deinit(&p);
    if (!ok)
        return false;
    if (r == PEM_FAILED)
        return fail_in(err, "the certificate");
    return count > 0 ||
           fail(err, ERR_INVALID, "the certificate: there is no CERTIFICATE section in the text");
}

static EVP_PKEY *decode_key(const struct pem_reader *p)
{
    const unsigned char *at = p->data.data;

    if (pem_is(p, "RSA PRIVATE KEY"))
        return d2i_PrivateKey(EVP_PKEY_RSA, NULL, &at, (long)p->data.size);
    if (pem_is(p, "EC PRIVATE KEY"))
        return d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, (long)p->data.size);
    return d2i_AutoPrivateKey(NULL, &at, (long)p->data.size);
}

static bool is_key(const struct pem_reader *p)
{
    return pem_is(p, "PRIVATE KEY") || pem_is(p, "RSA PRIVATE KEY") || pem_is(p, "EC PRIVATE KEY");
}

static bool read_key(struct slice text, EVP_PKEY **out, struct error *err)
{
    struct pem_reader p = {.rest = text};
    EVP_PKEY *key = NULL;
    enum pem_result r;
    bool ok = true;

    while (ok && (r = pem_next(&p, err)) == PEM_SECTION) {
        if (pem_is(&p, "ENCRYPTED PRIVATE KEY"))
            ok = fail(err, ERR_UNSUPPORTED, "the key is encrypted; give it without a passphrase");
        else if (is_key(&p) && key)
            ok = fail(err, ERR_INVALID, "the key: there is more than one in the text");
        else if (is_key(&p) && !(key = decode_key(&p)))
            ok = tls_fail(err, ERR_MALFORMED, "the key cannot be read");
    }
    pem_deinit(&p);
    if (ok && r == PEM_FAILED)
        ok = fail_in(err, "the key");
    if (ok && !key)
        ok = fail(err, ERR_INVALID, "the key: there is no PRIVATE KEY section in the text");
    if (!ok) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    *out = key;
    return ok;
}

static bool use_credentials(SSL_CTX *ssl, struct slice certificates, struct slice key_text,
                            struct error *err)
{
    EVP_PKEY *key;
    bool ok;

    if (certificates.size > PEM_SIZE_MAX || key_text.size > PEM_SIZE_MAX)
        return fail(err, ERR_LIMIT, "more than %u bytes of certificates or keys", PEM_SIZE_MAX);
    if (!read_key(key_text, &key, err))
        return false;
    ok = use_certificates(ssl, certificates, err);
    if (ok && X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1) {
        ERR_clear_error();
        ok = fail(err, ERR_INVALID, "the key does not belong to the certificate");
    }
    if (ok && SSL_CTX_use_PrivateKey(ssl, key) != 1)
        ok = tls_fail(err, ERR_INVALID, "the key cannot be used");
    EVP_PKEY_free(key);
    return ok;
}

/* ---- trust ---- */

bool tls_read_roots(struct slice text, X509_STORE *store, size_t *count, struct error *err)
{
    struct pem_reader p = {.rest = text};
    enum pem_result r;
    bool ok = true;

    while (ok && (r = pem_next(&p, err)) == PEM_SECTION) {
        const unsigned char *at = p.data.data;
        X509 *certificate;

        if (!pem_is(&p, "CERTIFICATE"))
            continue;
        certificate = d2i_X509(NULL, &at, (long)p.data.size);
        if (!certificate)
            ok = tls_fail(err, ERR_MALFORMED, "a trusted certificate cannot be read");
        else if (store && X509_STORE_add_cert(store, certificate) != 1)
            ok = tls_fail(err, ERR_NO_MEMORY, "a trusted certificate cannot be used");
        X509_free(certificate);
        if (ok && ++*count > TLS_ROOTS_MAX)
            ok = fail(err, ERR_LIMIT, "more than %u trusted certificates", TLS_ROOTS_MAX);
    }
    pem_deinit(&p);
    if (ok && r == PEM_FAILED)
        ok = fail_in(err, "a trusted certificate");
    return ok;
}

static bool use_roots(SSL_CTX *ssl, const struct slice *roots, size_t root_count, struct error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    size_t size = 0, count = 0;

    for (size_t i = 0; i < root_count; i++) {
        size_t before = count;

        size += roots[i].size;
        if (size > PEM_SIZE_MAX)
            return fail(err, ERR_LIMIT, "more than %u bytes of trusted certificates", PEM_SIZE_MAX);
        if (!tls_read_roots(roots[i], store, &count, err))
            return false;
        if (count == before)
            return fail(err, ERR_INVALID,
                        "a trusted certificate: there is no CERTIFICATE section in the text");
    }
    /* Any certificate that was given is trusted as it is, not only those that sign themselves. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    return true;
}

/* ---- protocols ---- */

bool tls_alpn_is_valid(struct slice alpn, struct error *err)
{
    size_t at = 0;

    if (alpn.size > TLS_ALPN_SIZE_MAX)
        return fail(err, ERR_LIMIT, "more than %u bytes of protocols (ALPN)", TLS_ALPN_SIZE_MAX);
    while (at < alpn.size && alpn.data[at] != 0)
        at += 1u + alpn.data[at];
    return at == alpn.size || fail(err, ERR_INVALID,
                                   "the list of protocols (ALPN) is not made of names of 1 to 255 "
                                   "bytes, each after its length");
}

/* Our best protocol that the client speaks; none: the handshake fails, as RFC 7301 wants it. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *offered, unsigned int offered_size, void *context)
{
    const struct tls_context *c = context;
    unsigned char *selected;

    (void)ssl;
    if (SSL_select_next_proto(&selected, out_size, c->alpn, c->alpn_size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

/* Every name will do: there is one certificate. Without this a session of TLS 1.2 that goes on from
 * an earlier one would have none. */
static int note_server_name(SSL *ssl, int *alert, void *context)
{
    (void)ssl, (void)alert, (void)context;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- tickets ---- */

static int use_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypt)
{
    const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int result = tls_tickets_use(c->tickets, clock_monotonic_ns(), name, iv, cipher, mac, encrypt);

    /* Those of TLS 1.3 are used once: there is a new one for each. */
    return result == 1 && !encrypt && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : result;
}

/* ---- life ---- */

static bool context_new(const SSL_METHOD *method, struct tls_context **out, struct error *err)
{
    struct tls_context *c = mem_try(struct tls_context);
    SSL_CTX *ssl;

    ERR_clear_error();
    if (!c)
        return fail(err, ERR_NO_MEMORY, "no memory for TLS");
    atomic_init(&c->references, 1);
    c->ssl = ssl = SSL_CTX_new(method);
    *out = c;
    if (!ssl || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ssl, CIPHERS_12) != 1)
        return tls_fail(err, ERR_NO_MEMORY, "no TLS");
    SSL_CTX_set_security_level(ssl, 2);
    /* An end without close_notify is told from one with it in tls.c, where it ends one direction
     * only. */
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    /* A connection that rests has no buffers. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One system call for a whole record, or for several that are there. */
    SSL_CTX_set_read_ahead(ssl, 1);
    return true;
}

bool tls_context_new_listener(struct slice certificates, struct slice key, struct slice alpn,
                              struct tls_context **out, struct error *err)
{
    struct tls_context *c = NULL;

    if (!tls_alpn_is_valid(alpn, err))
        return false;
    if (!context_new(TLS_server_method(), &c, err))
        goto failed;
    ASSERT(c);
    if (!use_credentials(c->ssl, certificates, key, err))
        goto failed;
    c->tickets = tls_tickets_new();
    if (!c->tickets) {
        fail(err, ERR_NO_MEMORY, "no memory for TLS");
        goto failed;
    }
    SSL_CTX_set_app_data(c->ssl, c);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF); /* tickets do it */
    SSL_CTX_set_num_tickets(c->ssl, 1); /* a client that resumes with it gets the next one */
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, use_ticket);
    SSL_CTX_set_tlsext_servername_callback(c->ssl, note_server_name);
    if (alpn.size > 0) {
        memcpy(c->alpn, alpn.data, alpn.size);
        c->alpn_size = (uint16_t)alpn.size;
        SSL_CTX_set_alpn_select_cb(c->ssl, select_alpn, c);
    }
    *out = c;
    return true;
failed:
    tls_context_unref(c);
    return false;
}

bool tls_context_new_client(const struct slice *roots, size_t count, struct tls_context **out,
                            struct error *err)
{
    struct tls_context *c = NULL;

    if (!context_new(TLS_client_method(), &c, err))
        goto failed;
    ASSERT(c);
    if (!(count ? use_roots(c->ssl, roots, count, err) : tls_roots_load(c->ssl, err)))
        goto failed;
    c->cache = tls_cache_new(TLS_SESSIONS_MAX);
    if (!c->cache) {
        fail(err, ERR_NO_MEMORY, "no memory for TLS");
        goto failed;
    }
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(c->ssl, VERIFY_DEPTH_MAX);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ssl, tls_cache_new_session);
    *out = c;
    return true;
failed:
    tls_context_unref(c);
    return false;
}

void tls_context_unref(struct tls_context *c)
{
    /* acquire-release: whoever frees it has seen all that the other holders did */
    if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(c->ssl);
    tls_tickets_free(c->tickets);
    tls_cache_free(c->cache);
    mem_free(c);
}
