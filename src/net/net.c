/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/net.h"
#ifdef LUNATIC_STATIC
#include <openssl/crypto.h>
#endif

void net_init(struct net *n, struct scheduler *s)
{
    uint64_t all = socket_descriptors_max();

    *n = (struct net){.scheduler = s};
    counts_init(&n->counts, scheduler_worker_count(s), NET_COUNTS);
#ifdef LUNATIC_STATIC
    /* The modules that a system's configuration of OpenSSL may name bring a second C library.
     * Before any other call: the first one that needs a configuration reads it. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
#endif
    n->socket_count_max = all > 2 * NET_DESCRIPTORS_KEPT ? all - NET_DESCRIPTORS_KEPT : all / 2;
}

void net_deinit(struct net *n)
{
    ASSERT(atomic_load(&n->socket_count) == 0);
    counts_deinit(&n->counts);
}

bool net_try_reserve(struct net *n)
{
    if (atomic_fetch_add_explicit(&n->socket_count, 1, memory_order_relaxed) < n->socket_count_max)
        return true;
    net_unreserve(n);
    return false;
}

bool net_reserve(struct net *n)
{
    if (net_try_reserve(n))
        return true;
    atomic_fetch_add_explicit(&n->refused_count, 1, memory_order_relaxed);
    return false;
}

void net_unreserve(struct net *n)
{
    atomic_fetch_sub_explicit(&n->socket_count, 1, memory_order_relaxed);
}
