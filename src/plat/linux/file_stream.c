/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* The runtime's own stdin, stdout and stderr, made usable without ever blocking, on Linux. */
#include "plat/file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new open file description of what `fd` is open on, or -1. Only for things without a position.
 */
static int reopen_nonblocking(int fd, int access_mode)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, access_mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static enum file_kind socket_kind(int fd)
{
    int type = 0;
    socklen_t size = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM)
        return FILE_SOCKET_DGRAM;
    return FILE_SOCKET_STREAM;
}

void file_stream_open(int fd, struct file_stream *out)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    int own;

    *out = (struct file_stream){.fd = -1, .kind = FILE_STREAM_CLOSED};
    if (flags < 0 || fstat(fd, &st) != 0)
        return;
    out->fd = fd;
    out->kind = FILE_STREAM_DIRECT;
    out->readable = (flags & O_ACCMODE) != O_WRONLY;
    out->writable = (flags & O_ACCMODE) != O_RDONLY;
    out->terminal = S_ISCHR(st.st_mode) && isatty(fd);
    out->file_kind = out->terminal ? FILE_CHARACTER_DEVICE : FILE_UNKNOWN;
    if (S_ISSOCK(st.st_mode))
        out->file_kind = socket_kind(fd);
    if (S_ISSOCK(st.st_mode)) { /* each call says that it must not block */
        own = file_duplicate(fd);
        out->kind = own >= 0 ? FILE_STREAM_POLLABLE : FILE_STREAM_BLOCKING;
        if (own >= 0) {
            out->fd = own;
            out->owned = true;
        }
        return;
    }
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && !out->terminal))
        return;
    own = reopen_nonblocking(fd, flags & O_ACCMODE);
    if (own < 0 && (flags & O_NONBLOCK))
        own = file_duplicate(
            fd); /* it does not block already; closing ours must not close the given */
    if (own >= 0) {
        out->fd = own;
        out->owned = true;
        out->kind = FILE_STREAM_POLLABLE;
    } else {
        out->kind = FILE_STREAM_BLOCKING;
    }
}

void file_stream_close(struct file_stream *s)
{
    if (s->owned)
        close(s->fd);
    *s = (struct file_stream){.fd = -1, .kind = FILE_STREAM_CLOSED};
}

unsigned file_readiness(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    unsigned ready = 0;

    if (poll(&p, 1, 0) <= 0)
        return 0;
    if (p.revents & POLLIN)
        ready |= FILE_CAN_READ;
    if (p.revents & POLLOUT)
        ready |= FILE_CAN_WRITE;
    if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
        ready |= FILE_HAS_HUNGUP | FILE_CAN_READ | FILE_CAN_WRITE;
    return ready;
}

bool file_wait(int fd, bool writes, unsigned timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = writes ? POLLOUT : POLLIN};

    return poll(&p, 1, (int)timeout_ms) > 0;
}

uint64_t file_readable_size(int fd)
{
    int n = 0;

    return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}
