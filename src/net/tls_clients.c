/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tls_clients.h"
#include "base/mem.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

struct entry {
    struct list link;
    struct tls_roots_id id;
    struct tls_context *context; /* one reference */
};

void tls_clients_init(struct tls_clients *cs)
{
    *cs = (struct tls_clients){0};
    mutex_init(&cs->lock);
    list_init(&cs->own);
}

static void entry_free(struct tls_clients *cs, struct entry *e)
{
    list_remove(&e->link);
    cs->own_count--;
    tls_context_unref(e->context);
    mem_free(e);
}

void tls_clients_deinit(struct tls_clients *cs)
{
    while (!list_empty(&cs->own))
        entry_free(cs, CONTAINER_OF(cs->own.next, struct entry, link));
    tls_context_unref(cs->system);
    mutex_deinit(&cs->lock);
}

struct tls_roots_id tls_roots_id(const struct slice *roots, size_t count)
{
    struct tls_roots_id id = {{0}};
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < count; i++) {
        uint64_t size = roots[i].size; /* so that texts cannot be cut elsewhere */

        ok = EVP_DigestUpdate(digest, &size, sizeof(size)) == 1 &&
             EVP_DigestUpdate(digest, roots[i].data, roots[i].size) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(digest, id.bytes, NULL) == 1;
    EVP_MD_CTX_free(digest);
    ASSERT(ok); /* without it the wrong certificates might be trusted */
    return id;
}

static struct entry *find(struct tls_clients *cs, const struct tls_roots_id *id) REQUIRES(cs->lock)
{
    for (struct list *node = cs->own.next; node != &cs->own; node = node->next) {
        struct entry *e = CONTAINER_OF(node, struct entry, link);

        if (memcmp(e->id.bytes, id->bytes, sizeof(id->bytes)) == 0)
            return e;
    }
    return NULL;
}

struct tls_context *tls_clients_find(struct tls_clients *cs, const struct slice *roots,
                                     size_t count)
{
    struct tls_context *c = NULL;
    struct tls_roots_id id = {{0}};
    struct entry *e;

    if (count > 0)
        id = tls_roots_id(roots, count);
    mutex_lock(&cs->lock);
    if (count == 0) {
        c = cs->system;
    } else if ((e = find(cs, &id)) != NULL) {
        c = e->context;
        list_remove(&e->link);
        list_push_front(&cs->own, &e->link);
    }
    if (c)
        tls_context_ref(c);
    mutex_unlock(&cs->lock);
    return c;
}

/* Keeps a reference of its own to `c`, unless there is no memory, or another was quicker. */
static void keep(struct tls_clients *cs, const struct tls_roots_id *id, struct tls_context *c)
    REQUIRES(cs->lock)
{
    struct entry *e;

    if (find(cs, id) || !(e = mem_try(struct entry)))
        return;
    e->id = *id;
    e->context = tls_context_ref(c);
    list_push_front(&cs->own, &e->link);
    if (++cs->own_count > TLS_CLIENTS_MAX)
        entry_free(cs, CONTAINER_OF(cs->own.prev, struct entry, link));
}

bool tls_clients_make(struct tls_clients *cs, const struct slice *roots, size_t count,
                      struct tls_context **out, struct error *err)
{
    struct tls_roots_id id = {{0}};
    bool ok = tls_context_new_client(roots, count, out, err);

    /* Those of the system are read by a helper thread, which may still be about to free what
     * OpenSSL keeps for it when the program ends. */
    if (count == 0)
        OPENSSL_thread_stop();
    if (!ok)
        return false;
    if (count > 0)
        id = tls_roots_id(roots, count);
    mutex_lock(&cs->lock);
    if (count > 0)
        keep(cs, &id, *out);
    else if (!cs->system)
        cs->system = tls_context_ref(*out);
    mutex_unlock(&cs->lock);
    return true;
}
