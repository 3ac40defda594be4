/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library behind <lunatic/tls.h>. */
#include "internal.h"
#include <lunatic/host.h>
#include <lunatic/tls.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 32   /* of one name that are tried */
#define LIST_SIZE_MAX 1024 /* bytes of protocols that the host takes */
#define PROTOCOL_MAX  255  /* bytes of the name of one */
#define BEGIN         "-----BEGIN CERTIFICATE-----"

/* Makes of "h2,http/1.1" what the host takes: each name after its length. Returns its size, or
 * -LUN_EIO. */
static int protocol_list(const char *names, char list[LIST_SIZE_MAX])
{
    size_t size = 0;

    while (names && *names) {
        size_t length = strcspn(names, ",");
        bool is_last = names[length] == '\0';

        if (length == 0 || length > PROTOCOL_MAX || (!is_last && names[length + 1] == '\0')) {
            lun_set_error_("the name of a protocol has 1 to 255 bytes");
            return -LUN_EIO;
        }
        if (length + 1 > LIST_SIZE_MAX - size) {
            lun_set_error_("too many protocols");
            return -LUN_EIO;
        }
        list[size] = (char)length;
        memcpy(list + size + 1, names, length);
        size += length + 1;
        names += length + !is_last;
    }
    return (int)size;
}

int lun_tls_listen_alpn(lun_listener *listener, const char *address, const char *certificates,
                        const char *key, const char *protocols)
{
    lun_address all[ADDRESSES_MAX];
    char list[LIST_SIZE_MAX];
    int size = protocol_list(protocols, list), count, i;
    uint64_t id;

    memset(listener, 0, sizeof *listener);
    if (size < 0)
        return size;
    count = lun_resolve(address, all, ADDRESSES_MAX, LUN_FOREVER);
    if (count < 0)
        return count;
    for (i = 0; i < count; i++) {
        const lun_address *a = &all[i];

        if (lunatic_networking_tls_bind_alpn(
                a->family, LUN_ADDRESS(a->bytes), a->port, a->flow_info, a->scope_id,
                LUN_ADDRESS(&id), LUN_ADDRESS(certificates), strlen(certificates), LUN_ADDRESS(key),
                strlen(key), LUN_ADDRESS(list), (uint32_t)size) == 0) {
            listener->id = id + 1;
            listener->kind = LUN_TLS_;
            return 0;
        }
        lun_keep_error_(id);
    }
    return -LUN_EIO;
}

int lun_tls_listen(lun_listener *listener, const char *address, const char *certificates,
                   const char *key)
{
    return lun_tls_listen_alpn(listener, address, certificates, key, NULL);
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

int lun_tls_connect_alpn(lun_stream *stream, const char *host, uint16_t port, const char *roots,
                         const char *protocols, uint64_t timeout_ms)
{
    uint32_t count = roots ? cut(roots, NULL) : 0, code;
    char list[LIST_SIZE_MAX];
    int size = protocol_list(protocols, list);
    lun_piece *pieces = NULL;
    uint64_t id = 0;

    memset(stream, 0, sizeof *stream);
    if (size < 0)
        return size;
    if (roots) {
        if (count == 0) { /* none would mean the system's */
            lun_set_error_("the text of root certificates has no certificate");
            return -LUN_EIO;
        }
        pieces = lun_new_buffer_(count * sizeof *pieces);
        cut(roots, pieces);
    }
    code = lunatic_networking_tls_connect_alpn(LUN_ADDRESS(host), strlen(host), port, timeout_ms,
                                               LUN_ADDRESS(&id), LUN_ADDRESS(pieces), count,
                                               LUN_ADDRESS(list), (uint32_t)size);
    free(pieces);
    if (code != 0) {
        lun_keep_error_(id);
        return code == LUN_TIMEOUT ? -LUN_ETIMEOUT : -LUN_EIO;
    }
    stream->id = id + 1;
    stream->kind = LUN_TLS_;
    return 0;
}

int lun_tls_connect(lun_stream *stream, const char *host, uint16_t port, const char *roots,
                    uint64_t timeout_ms)
{
    return lun_tls_connect_alpn(stream, host, port, roots, NULL, timeout_ms);
}

/* What the host's function `tell` says of a stream; nothing of one without TLS. */
static const char *told(uint32_t (*tell)(uint64_t, uint32_t, uint32_t), const lun_stream *stream,
                        char name[LUN_TLS_NAME_SIZE])
{
    uint32_t size = 0;

    if (stream->kind != LUN_TCP_)
        size = tell(stream->id - 1, LUN_ADDRESS(name), LUN_TLS_NAME_SIZE - 1);
    name[size] = '\0';
    return name;
}

const char *lun_tls_protocol(const lun_stream *stream, char name[LUN_TLS_NAME_SIZE])
{
    return told(lunatic_networking_tls_protocol, stream, name);
}

const char *lun_tls_server_name(const lun_stream *stream, char name[LUN_TLS_NAME_SIZE])
{
    return told(lunatic_networking_tls_server_name, stream, name);
}
