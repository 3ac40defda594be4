/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* For tests of TLS: certificates made on the spot, a runtime's worth of net, calls that wait, and
 * peers that are plain programs of OpenSSL. */
#ifndef TEST_TLS_WORLD_H
#define TEST_TLS_WORLD_H

#include "net/listener.h"
#include "net/tls.h"
#include "net/tls_listener.h"
#include "plat/clock.h"
#include "plat/thread.h"
#include "tests/harness/harness.h"
#include <openssl/ssl.h>

/* ---- certificates ---- */

struct test_key {
    EVP_PKEY *key;
    X509 *certificate;
    char *certificate_pem; /* one section */
    char *key_pem;         /* PKCS#8 */
};

/* A certificate for `name` ("DNS:localhost,IP:127.0.0.1"; NULL: for nobody), signed by `issuer`
 * (NULL: by itself), valid for `days` from now on, or (negative) until so long ago. */
struct test_key *test_key_new(const char *name, const struct test_key *issuer, int days, bool is_ca,
                              bool is_rsa);
void test_key_free(struct test_key *k);

/* The key in the formats of old, PEM: RSA PRIVATE KEY or EC PRIVATE KEY. Free it. */
char *test_key_traditional(const struct test_key *k);

/* ---- our side ---- */

struct tls_world {
    struct scheduler *scheduler;
    struct net net;
    struct tls tls;
    struct thread thread;
    struct test_key *ca, *server; /* the server's is for localhost, 127.0.0.1 and ::1 */
};

bool tls_world_begin(struct tls_world *w);
/* All streams have been freed. Checks that no socket is left. */
void tls_world_end(struct tls_world *w);

/* The same in two steps, for what a runtime's end overtakes: after the first one no task runs any
 * more, and streams and listeners can be freed still. */
void tls_world_stop(struct tls_world *w);
void tls_world_free(struct tls_world *w);

/* Calls that end: the task that makes them parks as often as it must. A `limit_ms` that passes
 * gives NET_WAIT, and the call has been given up. */
#define TLS_PATIENCE_MS 60000u
enum net_result world_read(struct tls_world *w, struct stream *s, void *data, size_t size,
                           size_t *count, struct error *err, unsigned limit_ms);
enum net_result world_write(struct tls_world *w, struct stream *s,
                            const struct socket_piece *pieces, size_t count, size_t *written,
                            struct error *err, unsigned limit_ms);
enum net_result world_flush(struct tls_world *w, struct stream *s, struct error *err,
                            unsigned limit_ms);
enum net_result world_shake(struct tls_world *w, struct stream *s, struct error *err,
                            unsigned limit_ms);
enum net_result world_accept(struct tls_world *w, struct tls_listener *l, struct stream **out,
                             struct error *err, unsigned limit_ms);
enum net_result world_connect(struct tls_world *w, const struct socket_address *to,
                              struct stream **out, struct error *err);

/* A listener with the world's own certificate on a free port of 127.0.0.1; the second one speaks
 * `alpn`. */
struct tls_listener *world_listen(struct tls_world *w);
struct tls_listener *world_listen_alpn(struct tls_world *w, struct slice alpn);

/* A context of clients that trust the world's CA. */
struct tls_context *world_client_context(struct tls_world *w);

/* A client has connected to `port` of 127.0.0.1 and shaken hands; the second one speaks `alpn`. */
enum net_result world_client(struct tls_world *w, struct tls_context *c, const char *name,
                             uint16_t port, struct stream **out, struct error *err);
enum net_result world_client_alpn(struct tls_world *w, struct tls_context *c, const char *name,
                                  uint16_t port, struct slice alpn, struct stream **out,
                                  struct error *err);

/* Waits until so many sockets are open. False: a minute was not enough. */
bool world_sockets(struct tls_world *w, uint64_t count);

/* ---- the other side: a thread with blocking sockets ---- */

struct test_peer {
    struct thread thread;
    void (*run)(struct test_peer *p);
    struct tls_world *world;
    uint16_t port;
    int listener;         /* of a server */
    int version;          /* of TLS, 0: any */
    const char *name;     /* of a client: the server's, for SNI */
    SSL_CTX *context;     /* the test's own, or NULL at first; taken */
    SSL_SESSION *session; /* of a client: to resume; taken */
    SSL *ssl;             /* connected, or accepted; NULL: it did not come to that */
    int fd;
    unsigned long error; /* of OpenSSL */
    long number;         /* the test's own */
    void *object;
};

/* `run` has `fd` connected, and `ssl` after its handshake (unless `plain`: then it has none). */
bool test_peer_client(struct test_peer *p, struct tls_world *w, uint16_t port, bool plain,
                      void (*run)(struct test_peer *p));
bool test_peer_server(struct test_peer *p, struct tls_world *w, const struct test_key *k,
                      bool plain, void (*run)(struct test_peer *p));
void test_peer_join(struct test_peer *p);

#endif
