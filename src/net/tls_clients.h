/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The client contexts of a runtime, by what they trust: made once, used by many connections, so
 * that certificates are read once and sessions can be resumed. */
#ifndef NET_TLS_CLIENTS_H
#define NET_TLS_CLIENTS_H

#include "base/list.h"
#include "net/tls_context.h"
#include "plat/thread.h"

#define TLS_CLIENTS_MAX 64u /* contexts with certificates of their own that are kept */

struct tls_clients {
    struct mutex lock;
    struct tls_context *system; /* trusts what the machine trusts; NULL: not read yet */
    struct list own;            /* contexts with certificates of a guest's, last used first */
    size_t own_count;
};

void tls_clients_init(struct tls_clients *cs);
void tls_clients_deinit(struct tls_clients *cs);

/* What the context with these certificates is known by. */
struct tls_roots_id {
    uint8_t bytes[32];
};
struct tls_roots_id tls_roots_id(const struct slice *roots, size_t count);

/* The context that trusts `roots` (count 0: what the machine trusts); one reference, the caller's.
 * NULL: it has not been made yet. Any thread. */
struct tls_context *tls_clients_find(struct tls_clients *cs, const struct slice *roots,
                                     size_t count) MUST_USE;

/* Makes it, and keeps it. With `count` 0 it reads files: not on a worker. One reference, the
 * caller's. Any thread. */
bool tls_clients_make(struct tls_clients *cs, const struct slice *roots, size_t count,
                      struct tls_context **out, struct error *err) MUST_USE;

#endif
