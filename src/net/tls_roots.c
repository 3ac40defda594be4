/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/tls_roots.h"
#include "net/tls_context.h"
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define PATH_SIZE_MAX 4096u
#define DIR_FILES_MAX 4096u /* of one directory that are looked at */

static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine, Arch */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem", /* openSUSE */
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem", /* Alpine, BSDs */
};

static size_t store_size(SSL_CTX *ssl)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    size_t count;

    X509_STORE_lock(store);
    count = (size_t)sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
    X509_STORE_unlock(store);
    return count;
}

/* False: it does not exist, or there is no certificate in it. */
static bool load_file(SSL_CTX *ssl, const char *path)
{
    bool ok = X509_STORE_load_file(SSL_CTX_get_cert_store(ssl), path) == 1;

    ERR_clear_error();
    return ok;
}

/* All files of a directory; what is no certificate does not count. */
static void load_dir(SSL_CTX *ssl, const char *path)
{
    OSSL_STORE_CTX *dir = OSSL_STORE_open(path, NULL, NULL, NULL, NULL);

    for (unsigned i = 0; dir && i < DIR_FILES_MAX && !OSSL_STORE_eof(dir); i++) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(dir);

        if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_NAME) {
            const char *name = OSSL_STORE_INFO_get0_NAME(info);

            load_file(ssl, strncmp(name, "file:", 5) == 0 ? name + 5 : name);
        }
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(dir);
    ERR_clear_error();
}

static void load_dirs(SSL_CTX *ssl, const char *paths)
{
    while (*paths) {
        size_t size = strcspn(paths, ":");
        char path[PATH_SIZE_MAX];

        if (size > 0 && size < sizeof(path)) {
            memcpy(path, paths, size);
            path[size] = 0;
            load_dir(ssl, path);
        }
        paths += size + (paths[size] == ':');
    }
}

bool tls_roots_load(SSL_CTX *ssl, struct error *err)
{
    const char *file = getenv("SSL_CERT_FILE"), *dirs = getenv("SSL_CERT_DIR");

    if (file && !*file)
        file = NULL;
    if (dirs && !*dirs)
        dirs = NULL;
    if (file || dirs) {
        if (file && !load_file(ssl, file))
            return fail(err, ERR_NOT_FOUND,
                        "SSL_CERT_FILE names %s, where there are no certificates to read", file);
        if (dirs)
            load_dirs(ssl, dirs);
        return store_size(ssl) > 0 ||
               fail(err, ERR_NOT_FOUND,
                    "SSL_CERT_DIR names %s, where there are no certificates to read", dirs);
    }
    if (load_file(ssl, X509_get_default_cert_file()))
        return true;
    for (size_t i = 0; i < ARRAY_COUNT(bundles); i++)
        if (load_file(ssl, bundles[i]))
            return true;
    load_dirs(ssl, X509_get_default_cert_dir());
    return store_size(ssl) > 0 ||
           fail(err, ERR_NOT_FOUND,
                "this machine has no certificates that it trusts: install ca-certificates, or set "
                "SSL_CERT_FILE to a file with them");
}
