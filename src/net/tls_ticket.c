/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tls_ticket.h"
#include "base/mem.h"
#include "plat/clock.h"
#include "plat/thread.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define KEYS_COUNT 3u
#define KEY_LIFE   (3600 * NS_PER_SEC)
#define NAME_SIZE  16 /* what OpenSSL's callback has room for */
#define IV_SIZE    16

struct ticket_key {
    unsigned char name[NAME_SIZE];
    unsigned char cipher[32];
    unsigned char mac[32];
};

struct tls_tickets {
    struct mutex lock;
    struct ticket_key keys[KEYS_COUNT]; /* youngest first; the others only decrypt */
    unsigned count;                     /* keys that exist */
    uint64_t born_ns;                   /* when the youngest was made */
    EVP_CIPHER *cipher;
};

struct tls_tickets *tls_tickets_new(void)
{
    struct tls_tickets *t = mem_try(struct tls_tickets);

    if (!t)
        return NULL;
    mutex_init(&t->lock);
    t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (!t->cipher) {
        tls_tickets_free(t);
        return NULL;
    }
    return t;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (!t)
        return;
    OPENSSL_cleanse(t->keys, sizeof(t->keys));
    EVP_CIPHER_free(t->cipher);
    mutex_deinit(&t->lock);
    mem_free(t);
}

/* Makes a new key if the youngest has served its time, and forgets those that are too old. */
static bool renew(struct tls_tickets *t, uint64_t now_ns) REQUIRES(t->lock)
{
    uint64_t age = t->count ? (now_ns - t->born_ns) / KEY_LIFE : KEYS_COUNT;

    if (age == 0)
        return true;
    for (; age > 1 && t->count > 0; age--)
        OPENSSL_cleanse(&t->keys[--t->count], sizeof(t->keys[0]));
    memmove(&t->keys[1], &t->keys[0], sizeof(t->keys) - sizeof(t->keys[0]));
    if (t->count < KEYS_COUNT)
        t->count++;
    t->born_ns = now_ns;
    if (RAND_bytes((unsigned char *)&t->keys[0], sizeof(t->keys[0])) == 1)
        return true;
    t->count = 0;
    return false;
}

/* The index of the key to use; KEYS_COUNT: none. `*key` is a copy: whoever uses it holds no lock.
 */
static unsigned choose(struct tls_tickets *t, uint64_t now_ns, const unsigned char *name,
                       int encrypt, struct ticket_key *key)
{
    unsigned i = 0;

    mutex_lock(&t->lock);
    if (!renew(t, now_ns))
        i = KEYS_COUNT;
    while (!encrypt && i < t->count && memcmp(t->keys[i].name, name, NAME_SIZE) != 0)
        i++;
    if (i < t->count)
        *key = t->keys[i];
    else
        i = KEYS_COUNT;
    mutex_unlock(&t->lock);
    return i;
}

int tls_tickets_use(struct tls_tickets *t, uint64_t now_ns, unsigned char *name, unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct ticket_key key;
    unsigned index = choose(t, now_ns, name, encrypt, &key);
    bool ok;

    if (index == KEYS_COUNT)
        return encrypt ? -1 : 0; /* 0: a full handshake instead */
    if (encrypt)
        memcpy(name, key.name, NAME_SIZE);
    ok = (!encrypt || RAND_bytes(iv, IV_SIZE) == 1) &&
         EVP_MAC_init(mac, key.mac, sizeof(key.mac), params) == 1 &&
         EVP_CipherInit_ex(cipher, t->cipher, NULL, key.cipher, iv, encrypt) == 1;
    OPENSSL_cleanse(&key, sizeof(key));
    if (!ok)
        return -1;
    return index == 0 ? 1 : 2; /* 2: and give the client a new one */
}
