/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* PEM text by its rules, and what contexts make of it. */
#include "base/mem.h"
#include "net/pem.h"
#include "net/tls_clients.h"
#include "net/tls_ticket.h"
#include "tls_world.h"
#include <stdio.h>
#include <stdlib.h>

/* The sections of a text as "LABEL=bytes in hexadecimal;...", or the words of its error. */
static const char *sections(const char *text, char *out, size_t size)
{
    struct pem_reader p = {.rest = slice_text(text)};
    struct error err = {0};
    enum pem_result r;
    size_t used = 0;

    out[0] = 0;
    while ((r = pem_next(&p, &err)) == PEM_SECTION) {
        used += (size_t)snprintf(out + used, size - used, "%.*s=", (int)p.label.size,
                                 (const char *)p.label.data);
        for (size_t i = 0; i < p.data.size; i++)
            used += (size_t)snprintf(out + used, size - used, "%02x", p.data.data[i]);
        used += (size_t)snprintf(out + used, size - used, ";");
    }
    if (r == PEM_FAILED)
        snprintf(out + used, size - used, "%s", err.text);
    pem_deinit(&p);
    return out;
}

#define BEGIN "-----BEGIN X-----\n"
#define END   "-----END X-----\n"

TEST(pem_sections_are_found_and_decoded)
{
    char out[1000];

    CHECK_TEXT(sections("", out, sizeof(out)), "");
    CHECK_TEXT(sections("anything\n-- else --\n", out, sizeof(out)), "");
    CHECK_TEXT(sections(BEGIN END, out, sizeof(out)), "X=;");
    CHECK_TEXT(sections("before\n" BEGIN "AQID\n" END "between\n" BEGIN "BAU=\n" END "after", out,
                        sizeof(out)),
               "X=010203;X=0405;");
    /* Ends of lines, blanks at them, no end of the last line, padding left out, groups cut. */
    CHECK_TEXT(
        sections("-----BEGIN A B-----  \r\nAQID  \r\nBA\r\n-----END A B-----", out, sizeof(out)),
        "A B=01020304;");
    CHECK_TEXT(sections(BEGIN "A\nQ\nI\nDB\nA=\n=\n" END, out, sizeof(out)), "X=01020304;");
    CHECK_TEXT(sections(BEGIN "AQIDBAU\n" END, out, sizeof(out)), "X=0102030405;");
    CHECK_TEXT(sections(BEGIN "\n\n+/+/\n\n" END, out, sizeof(out)), "X=fbffbf;");
    /* Not at the start of a line: no section. */
    CHECK_TEXT(sections(" " BEGIN "AQID\n" END, out, sizeof(out)), "");
}

TEST(pem_what_is_wrong_is_told)
{
    char out[1000];

    CHECK_TEXT(sections("-----BEGIN X----\n", out, sizeof(out)),
               "a BEGIN line of the PEM text does not end with five dashes");
    CHECK_TEXT(sections("-----BEGIN X------\n", out, sizeof(out)),
               "a BEGIN line of the PEM text does not end with five dashes");
    CHECK_TEXT(sections(BEGIN "AQID\n", out, sizeof(out)),
               "a section of the PEM text has no end line");
    CHECK_TEXT(sections(BEGIN "AQID\n-----END Y-----\n", out, sizeof(out)),
               "a section of the PEM text has a line that is not base64");
    CHECK_TEXT(sections(BEGIN "AQ?D\n" END, out, sizeof(out)),
               "a section of the PEM text has a line that is not base64");
    CHECK_TEXT(sections(BEGIN "AQ==AQ==\n" END, out, sizeof(out)),
               "a section of the PEM text has a line that is not base64");
    CHECK_TEXT(sections(BEGIN "AQID=\n" END, out, sizeof(out)),
               "a section of the PEM text ends within its base64");
    CHECK_TEXT(sections(BEGIN "AQIDA\n" END, out, sizeof(out)),
               "a section of the PEM text ends within its base64");
    CHECK_TEXT(sections(BEGIN "Proc-Type: 4,ENCRYPTED\n" END, out, sizeof(out)),
               "the key is encrypted; give it without a passphrase");
}

static bool listener_takes(const char *certificates, const char *key, struct error *err)
{
    struct tls_context *c = NULL;
    bool ok = tls_context_new_listener(slice_text(certificates), slice_text(key), (struct slice){0},
                                       &c, err);

    if (ok)
        tls_context_unref(c);
    return ok;
}

TEST(tls_listeners_take_keys_of_every_format)
{
    struct test_key *ec = test_key_new("DNS:a.test", NULL, 10, false, false);
    struct test_key *rsa = test_key_new("DNS:a.test", NULL, 10, false, true);
    char *sec1 = test_key_traditional(ec), *pkcs1 = test_key_traditional(rsa);
    struct error err;

    CHECK(strstr(sec1, "BEGIN EC PRIVATE KEY") && strstr(pkcs1, "BEGIN RSA PRIVATE KEY"));
    CHECK(listener_takes(ec->certificate_pem, ec->key_pem, &err));
    CHECK(listener_takes(ec->certificate_pem, sec1, &err));
    CHECK(listener_takes(rsa->certificate_pem, rsa->key_pem, &err));
    CHECK(listener_takes(rsa->certificate_pem, pkcs1, &err));
    CHECK(!listener_takes(rsa->certificate_pem, ec->key_pem, &err));
    CHECK_TEXT(err.text, "the key does not belong to the certificate");
    CHECK(!listener_takes("-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n",
                          ec->key_pem, &err));
    CHECK(strncmp(err.text, "a certificate cannot be read", 28) == 0);
    CHECK(!listener_takes(ec->certificate_pem,
                          "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n", &err));
    CHECK(strncmp(err.text, "the key cannot be read", 22) == 0);
    CHECK(!listener_takes(
        ec->certificate_pem,
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----\n",
        &err));
    CHECK_TEXT(err.text, "the key is encrypted; give it without a passphrase");
    mem_free(sec1);
    mem_free(pkcs1);
    test_key_free(ec);
    test_key_free(rsa);
}

TEST(tls_lists_of_protocols_are_checked)
{
    char longest[256], many[TLS_ALPN_SIZE_MAX + 2];
    struct error err;

    memset(longest, 'x', sizeof(longest));
    longest[0] = (char)255;
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = i % 2 ? 'x' : 1;
    CHECK(tls_alpn_is_valid(slice_text(""), &err));
    CHECK(tls_alpn_is_valid(slice_text("\2h2\10http/1.1"), &err));
    CHECK(tls_alpn_is_valid(slice_make(longest, sizeof(longest)), &err));
    CHECK(tls_alpn_is_valid(slice_make(many, TLS_ALPN_SIZE_MAX), &err));
    CHECK(!tls_alpn_is_valid(slice_make(many, sizeof(many)), &err));
    CHECK_TEXT(err.text, "more than 1024 bytes of protocols (ALPN)");
    CHECK(!tls_alpn_is_valid(slice_make(longest, sizeof(longest) - 1), &err));
    CHECK(!tls_alpn_is_valid(slice_text("\3h2"), &err));
    CHECK(!tls_alpn_is_valid(slice_make("\2h2\0", 4), &err));
    CHECK(!tls_alpn_is_valid(slice_make("\0", 1), &err));
    CHECK_TEXT(err.text,
               "the list of protocols (ALPN) is not made of names of 1 to 255 bytes, each "
               "after its length");
}

/* ---- what the machine trusts ---- */

static bool writes(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    return EXPECT(f && fputs(text, f) >= 0) && EXPECT(fclose(f) == 0);
}

TEST(tls_trust_comes_from_where_the_environment_says)
{
    struct test_key *ca = test_key_new(NULL, NULL, 10, true, false);
    char dir[] = "/tmp/lunatic-test-XXXXXX", path[100];
    struct tls_context *c = NULL;
    struct error err;

    CHECK(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/roots.pem", dir);
    CHECK(writes(path, ca->certificate_pem));
    setenv("SSL_CERT_FILE", path, 1);
    CHECK(tls_context_new_client(NULL, 0, &c, &err));
    tls_context_unref(c);
    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_DIR", dir, 1);
    CHECK(tls_context_new_client(NULL, 0, &c, &err));
    tls_context_unref(c);
    CHECK(remove(path) == 0);
    CHECK(!tls_context_new_client(NULL, 0, &c, &err)); /* never anything else instead */
    CHECK(strstr(err.text, "SSL_CERT_DIR") && strstr(err.text, "no certificates"));
    unsetenv("SSL_CERT_DIR");
    setenv("SSL_CERT_FILE", path, 1);
    CHECK(!tls_context_new_client(NULL, 0, &c, &err));
    CHECK(strstr(err.text, "SSL_CERT_FILE"));
    unsetenv("SSL_CERT_FILE");
    CHECK(remove(dir) == 0);
    test_key_free(ca);
}

TEST(tls_clients_with_the_same_trust_share_a_context)
{
    struct test_key *one = test_key_new(NULL, NULL, 10, true, false);
    struct test_key *two = test_key_new(NULL, NULL, 10, true, false);
    struct slice roots[2] = {slice_text(one->certificate_pem), slice_text(two->certificate_pem)};
    struct tls_context *a, *b;
    struct tls_clients cs;

    tls_clients_init(&cs);
    CHECK(tls_clients_find(&cs, roots, 1) == NULL);
    CHECK(tls_clients_make(&cs, roots, 1, &a, NULL));
    CHECK((b = tls_clients_find(&cs, roots, 1)) == a);
    tls_context_unref(b);
    CHECK(tls_clients_find(&cs, roots, 2) == NULL && tls_clients_find(&cs, roots + 1, 1) == NULL);
    tls_context_unref(a);
    /* No more than so many are kept. */
    for (unsigned i = 0; i < TLS_CLIENTS_MAX; i++) {
        char text[2000];
        struct slice root;

        snprintf(text, sizeof(text), "%u\n%s", i, two->certificate_pem);
        root = slice_text(text);
        CHECK(tls_clients_make(&cs, &root, 1, &a, NULL));
        tls_context_unref(a);
    }
    CHECK(cs.own_count == TLS_CLIENTS_MAX && tls_clients_find(&cs, roots, 1) == NULL);
    tls_clients_deinit(&cs);
    test_key_free(one);
    test_key_free(two);
}

/* ---- tickets ---- */

#define HOUR (3600 * NS_PER_SEC)

static int use(struct tls_tickets *t, uint64_t now_ns, unsigned char *name, int encrypt)
{
    unsigned char iv[16] = {0};
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    int result = tls_tickets_use(t, now_ns, name, iv, cipher, mac, encrypt);

    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return result;
}

TEST(tls_keys_of_tickets_change_and_are_forgotten)
{
    struct tls_tickets *t = tls_tickets_new();
    unsigned char first[16], second[16], unknown[16] = {0};
    uint64_t now = 77 * NS_PER_SEC;

    CHECK(t && use(t, now, first, 1) == 1);
    CHECK(use(t, now + HOUR - 1, first, 0) == 1 && use(t, now, unknown, 0) == 0);
    CHECK(use(t, now + HOUR, first, 0) == 2); /* good, but the client shall have a new one */
    CHECK(use(t, now + HOUR, second, 1) == 1 && memcmp(first, second, 16) != 0);
    CHECK(use(t, now + 2 * HOUR, first, 0) == 2 && use(t, now + 2 * HOUR, second, 0) == 2);
    CHECK(use(t, now + 3 * HOUR, first, 0) == 0 && use(t, now + 3 * HOUR, second, 0) == 2);
    CHECK(use(t, now + 9 * HOUR, second, 0) == 0); /* nobody came for long */
    tls_tickets_free(t);
}
