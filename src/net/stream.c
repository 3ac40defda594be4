/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Turns around the calls of the classes. */
#include "net/stream.h"

void stream_init(struct stream *s, const struct stream_class *class_, struct net *n,
                 const struct socket_address *peer)
{
    s->class_ = class_;
    s->net = n;
    s->turns[IO_READ] = s->turns[IO_WRITE] = (struct turn){0};
    for (size_t i = 0; i < 3; i++)
        atomic_init(&s->timeouts_ms[i], NET_FOREVER);
    s->peer = *peer;
}

/* NET_DONE: `t` has the turn. */
static enum net_result begin(struct stream *s, enum io_direction direction, struct task *t,
                             struct error *err)
{
    switch (turn_take(&s->turns[direction], t)) {
    case TURN_MINE:
        return NET_DONE;
    case TURN_WAIT:
        return NET_WAIT;
    case TURN_NO_MEMORY:
    default:
        socket_fail(err, ENOMEM);
        return NET_FAILED;
    }
}

static enum net_result end(struct stream *s, enum io_direction direction, struct worker *w,
                           struct task *t, enum net_result r)
{
    if (r != NET_WAIT)
        turn_leave(&s->turns[direction], t, s->net->scheduler, w);
    return r;
}

enum net_result stream_read(struct stream *s, struct worker *w, struct task *t, void *data,
                            size_t size, size_t *count, struct error *err)
{
    enum net_result r = begin(s, IO_READ, t, err);

    if (r != NET_DONE)
        return r;
    r = end(s, IO_READ, w, t, s->class_->read(s, w, t, data, size, false, count, err));
    if (r == NET_DONE)
        net_count(s->net, w, COUNT_BYTES_RECEIVED, *count);
    return r;
}

enum net_result stream_peek(struct stream *s, struct worker *w, struct task *t, void *data,
                            size_t size, size_t *count, struct error *err)
{
    enum net_result r = begin(s, IO_READ, t, err);

    if (r != NET_DONE)
        return r;
    return end(s, IO_READ, w, t, s->class_->read(s, w, t, data, size, true, count, err));
}

enum net_result stream_write(struct stream *s, struct worker *w, struct task *t,
                             const struct socket_piece *pieces, size_t piece_count, size_t *count,
                             struct error *err)
{
    enum net_result r = begin(s, IO_WRITE, t, err);

    if (r != NET_DONE)
        return r;
    r = end(s, IO_WRITE, w, t, s->class_->write(s, w, t, pieces, piece_count, count, err));
    if (r == NET_DONE)
        net_count(s->net, w, COUNT_BYTES_SENT, *count);
    return r;
}

enum net_result stream_flush(struct stream *s, struct worker *w, struct task *t, struct error *err)
{
    enum net_result r = begin(s, IO_WRITE, t, err);

    if (r != NET_DONE)
        return r;
    return end(s, IO_WRITE, w, t, s->class_->flush(s, w, t, err));
}

void stream_leave(struct stream *s, enum io_direction direction, struct task *t)
{
    if (turn_is_held_by(&s->turns[direction], t))
        s->class_->leave(s, direction, t);
    turn_leave(&s->turns[direction], t, s->net->scheduler, worker_current());
}

void stream_free(struct stream *s)
{
    if (s)
        s->class_->free(s);
}
