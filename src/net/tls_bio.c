/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Between OpenSSL and the socket.
 *
 * What OpenSSL writes is always accepted: what the socket does not take is kept in `owed`, and the
 * session's task sends it. So a record is either written or not begun, a write that is given up
 * leaves nothing half done, and a read never waits for a write. A socket that cannot be written any
 * more swallows everything: the reading direction goes on, and the next writer is told. */
#include "net/tls_internal.h"

#include "base/mem.h"

#define BIO_TYPE 127 /* not one of OpenSSL's; nobody looks for it */

static bool owe(struct tls_stream *s, const void *data, size_t size)
{
    s->owed.size_max = TLS_OWED_MAX;
    return bytes_append(&s->owed, data, size);
}

/* The first `size` bytes have been sent. */
static void paid(struct tls_stream *s, size_t size)
{
    s->owed_sent += size;
    if (s->owed_sent < s->owed.size)
        return;
    bytes_deinit(&s->owed); /* resting sessions keep nothing */
    s->owed = (struct bytes){0};
    s->owed_sent = 0;
}

int tls_pay(struct tls_stream *s)
{
    while (s->owed.size > 0 && !s->write_errno) {
        struct socket_piece piece = {s->owed.data + s->owed_sent, s->owed.size - s->owed_sent};
        size_t count;
        int e = net_socket_write(s->socket, &piece, 1, &count);

        if (e == EAGAIN)
            return e;
        if (e) {
            s->write_errno = e;
            count = piece.size;
        }
        paid(s, count);
    }
    return s->write_errno;
}

static int bio_write(BIO *bio, const char *data, size_t size, size_t *written)
{
    struct tls_stream *s = BIO_get_data(bio);
    size_t count = 0;
    int e = 0;

    BIO_clear_retry_flags(bio);
    *written = size;
    if (s->write_errno)
        return 1;
    if (s->owed.size == 0) {
        struct socket_piece piece = {data, size};

        e = net_socket_write(s->socket, &piece, 1, &count);
        if (e && e != EAGAIN) {
            s->write_errno = e;
            return 1;
        }
        if (e)
            count = 0;
    }
    if (count < size && !owe(s, data + count, size - count)) {
        s->write_errno = ENOBUFS; /* no memory, or a peer that makes us answer and does not read */
        s->is_broken = true;
        return 0;
    }
    return 1;
}

static int bio_read(BIO *bio, char *data, size_t size, size_t *got)
{
    struct tls_stream *s = BIO_get_data(bio);
    int e;

    BIO_clear_retry_flags(bio);
    *got = 0;
    if (s->has_ended)
        return 0;
    e = net_socket_read(s->socket, data, size, false, got);
    if (e == EAGAIN) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (e) {
        s->read_errno = e;
        return -1;
    }
    if (*got == 0) {
        s->has_ended = true;
        return 0;
    }
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    struct tls_stream *s = BIO_get_data(bio);

    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_EOF:
        return s && s->has_ended;
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    default:
        return 0;
    }
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE | BIO_TYPE_SOURCE_SINK, "lunatic socket");

    if (!m)
        return NULL;
    if (BIO_meth_set_write_ex(m, bio_write) && BIO_meth_set_read_ex(m, bio_read) &&
        BIO_meth_set_ctrl(m, bio_control) && BIO_meth_set_create(m, bio_create))
        return m;
    BIO_meth_free(m);
    return NULL;
}
