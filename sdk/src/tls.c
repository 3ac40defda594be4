/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library behind <lunatic/tls.h>. */
#include "internal.h"
#include <lunatic/host.h>
#include <lunatic/tls.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 32 /* of one name that are tried */
#define BEGIN         "-----BEGIN CERTIFICATE-----"

int lun_tls_listen(lun_listener *listener, const char *address, const char *certificates,
                   const char *key)
{
    lun_address all[ADDRESSES_MAX];
    int count = lun_resolve(address, all, ADDRESSES_MAX, LUN_FOREVER), i;
    uint64_t id;

    memset(listener, 0, sizeof *listener);
    if (count < 0)
        return count;
    for (i = 0; i < count; i++) {
        const lun_address *a = &all[i];

        if (lunatic_networking_tls_bind(a->family, LUN_ADDRESS(a->bytes), a->port, a->flow_info,
                                        a->scope_id, LUN_ADDRESS(&id), LUN_ADDRESS(certificates),
                                        strlen(certificates), LUN_ADDRESS(key), strlen(key)) == 0) {
            listener->id = id + 1;
            listener->kind = LUN_TLS_;
            return 0;
        }
        lun_keep_error_(id);
    }
    return -LUN_EIO;
}

/* Where the next certificate in `text` begins, NULL: there is none. A certificate begins a line. */
static const char *next_certificate(const char *text, const char *begin)
{
    const char *at = text;

    while ((at = strstr(at, BEGIN)) != NULL && at != begin && at[-1] != '\n')
        at++;
    return at;
}

/* Cuts `roots` into pieces of one certificate each, which is what the host takes. Returns how many;
 * stores none if `pieces` is NULL. */
static uint32_t cut(const char *roots, lun_piece *pieces)
{
    const char *at = next_certificate(roots, roots), *next;
    uint32_t count = 0;

    for (; at; at = next, count++) {
        next = next_certificate(at + 1, roots);
        if (pieces) {
            pieces[count].data = at;
            pieces[count].size = next ? (size_t)(next - at) : strlen(at);
        }
    }
    return count;
}

int lun_tls_connect(lun_stream *stream, const char *host, uint16_t port, const char *roots,
                    uint64_t timeout_ms)
{
    uint32_t count = roots ? cut(roots, NULL) : 0, code;
    lun_piece *pieces = NULL;
    uint64_t id = 0;

    memset(stream, 0, sizeof *stream);
    if (roots) {
        if (count == 0) { /* none would mean the system's */
            lun_set_error_("the text of root certificates has no certificate");
            return -LUN_EIO;
        }
        pieces = lun_new_buffer_(count * sizeof *pieces);
        cut(roots, pieces);
    }
    code = lunatic_networking_tls_connect(LUN_ADDRESS(host), strlen(host), port, timeout_ms,
                                          LUN_ADDRESS(&id), LUN_ADDRESS(pieces), count);
    free(pieces);
    if (code != 0) {
        lun_keep_error_(id);
        return code == LUN_TIMEOUT ? -LUN_ETIMEOUT : -LUN_EIO;
    }
    stream->id = id + 1;
    stream->kind = LUN_TLS_;
    return 0;
}
