/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A TLS session as the files tls*.c see it. */
#ifndef NET_TLS_INTERNAL_H
#define NET_TLS_INTERNAL_H

#include "net/socket.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "plat/thread.h"
#include "sched/timer.h"
#include <openssl/ssl.h>

enum tls_state {
    TLS_SHAKING, /* hands; only the task uses the session */
    TLS_OPEN,
    TLS_FAILED,  /* the handshake has: `failure` */
    TLS_CLOSING, /* freed by its holder; only the task uses it */
};

/* Freed when the last of three lets go: the task, the poller (by `tcp`'s storage), the timer. */
struct tls_stream {
    struct stream stream;
    struct tls *tls;
    struct list link;            /* in tls->sessions; under its lock */
    struct list listed;          /* in the listener's lists; under its lock */
    struct tls_listener *owner;  /* until the handshake has ended */
    struct tls_context *context; /* one reference */
    char *key;                   /* of a client: "name:port" */
    struct stream *tcp;          /* owned; its reads and writes are never called */
    struct net_socket *socket;   /* of `tcp` */
    struct task task;
    struct timer timer;
    _Atomic uint32_t references;
    _Atomic bool timed_out;  /* the timer has fired */
    _Atomic bool is_dropped; /* the holder wants it closed */
    bool has_timer;          /* armed, or fired; of the task */

    struct mutex lock;
    SSL *ssl FIELD_GUARDED_BY(lock);
    enum tls_state state FIELD_GUARDED_BY(lock);
    struct task *shaker FIELD_GUARDED_BY(lock); /* waits for the end of the handshake */
    struct task *writer FIELD_GUARDED_BY(lock); /* waits until nothing is owed */
    struct bytes owed;                          /* what the socket has not taken yet; under lock */
    size_t owed_sent;                           /* of those, sent already */
    int read_errno, write_errno;                /* why the socket failed; under lock */
    bool has_ended;                             /* the socket is at its end; under lock */
    bool is_over;    /* the reader has been told of the end; under lock */
    bool is_broken;  /* by the other side's or our mistake; under lock */
    bool has_ticket; /* a client: the server has sent one; under lock */
    bool lingers;    /* the end waits for the other side's; under lock */
    bool is_shut;    /* nothing more is sent; under lock */
    char *failure;   /* words of a failed handshake; may be NULL; under lock */
};

/* The class of the session's task. */
extern const struct task_class tls_task_class;

/* Closes the socket and ends the task's part. The task runs no more. */
void tls_close(struct tls_stream *s);

/* One of the three lets go. */
void tls_unref(struct tls_stream *s);

/* Arms the timer, or takes it back. By the task, or before there is one. */
void tls_timer_start(struct tls_stream *s, struct worker *w, uint64_t delay_ms);
void tls_timer_stop(struct tls_stream *s);
void tls_timer_fired(struct timer *t, struct worker *w);

/* What the session's last call of OpenSSL that returned `result` <= 0 has failed of: in words that
 * begin with `what`. The lock is held. Returns false. */
bool tls_explain(struct tls_stream *s, int ssl_error, const char *what, struct error *err);

static inline struct tls_stream *tls_of(struct stream *s)
{
    return CONTAINER_OF(s, struct tls_stream, stream);
}

/* What sockets are to OpenSSL; BIO_get_data is a struct tls_stream. NULL: no memory. */
BIO_METHOD *tls_bio_method(void);

/* Sends what is owed. 0: all; EAGAIN: the socket is full; else it has failed. The lock is held. */
int tls_pay(struct tls_stream *s);

/* tls_listener.c: the handshake of a session of its own has ended, well or not. Called by the
 * session's task, once. */
void tls_listener_ended(struct tls_listener *l, struct stream *s, struct worker *w);

/* The same for a session whose task will never tell: it lets go of its listener, which has been
 * freed by its holder. */
void tls_listener_unref(struct tls_listener *l);

#endif
