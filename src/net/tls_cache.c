/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tls_cache.h"
#include "base/list.h"
#include "base/mem.h"
#include "plat/thread.h"
#include <string.h>

struct entry {
    struct list link; /* youngest first */
    SSL_SESSION *session;
    char key[];
};

struct tls_cache {
    struct mutex lock;
    struct list entries;
    size_t count, count_max;
};

struct tls_cache *tls_cache_new(size_t count_max)
{
    struct tls_cache *cache = mem_try(struct tls_cache);

    if (!cache)
        return NULL;
    mutex_init(&cache->lock);
    list_init(&cache->entries);
    cache->count_max = count_max;
    return cache;
}

static void entry_free(struct tls_cache *cache, struct entry *e)
{
    list_remove(&e->link);
    cache->count--;
    SSL_SESSION_free(e->session);
    mem_free(e);
}

void tls_cache_free(struct tls_cache *cache)
{
    if (!cache)
        return;
    while (!list_empty(&cache->entries))
        entry_free(cache, CONTAINER_OF(cache->entries.next, struct entry, link));
    mutex_deinit(&cache->lock);
    mem_free(cache);
}

static bool is_used_once(const SSL_SESSION *session)
{
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

static struct entry *find(struct tls_cache *cache, const char *key)
{
    for (struct list *node = cache->entries.next; node != &cache->entries; node = node->next) {
        struct entry *e = CONTAINER_OF(node, struct entry, link);

        if (strcmp(e->key, key) == 0)
            return e;
    }
    return NULL;
}

bool tls_cache_add(struct tls_cache *cache, const char *key, SSL_SESSION *session)
{
    size_t size = strlen(key) + 1;
    struct entry *e = mem_try_alloc(1, sizeof(*e) + size), *old;

    if (!e)
        return false;
    memcpy(e->key, key, size);
    e->session = session;
    mutex_lock(&cache->lock);
    if (!is_used_once(session) && (old = find(cache, key)) != NULL)
        entry_free(cache, old);
    if (cache->count >= cache->count_max)
        entry_free(cache, CONTAINER_OF(cache->entries.prev, struct entry, link));
    list_push_front(&cache->entries, &e->link);
    cache->count++;
    mutex_unlock(&cache->lock);
    return true;
}

SSL_SESSION *tls_cache_take(struct tls_cache *cache, const char *key)
{
    SSL_SESSION *session = NULL;
    struct entry *e;

    mutex_lock(&cache->lock);
    e = find(cache, key);
    if (e) {
        session = e->session;
        SSL_SESSION_up_ref(session);
        if (is_used_once(session))
            entry_free(cache, e);
    }
    mutex_unlock(&cache->lock);
    return session;
}
