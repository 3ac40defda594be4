/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* Files by descriptor, on Linux. */
#include "plat/file.h"
#include "plat/linux/file_errno.h"
#include "plat/linux/file_fault.h"
#include "plat/vmem.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct {
    int system;
    enum file_error ours;
    const char *words;
} errors[] = {
    {0, FERR_OK, "success"},
    {E2BIG, FERR_2BIG, "argument list too long"},
    {EACCES, FERR_ACCES, "permission denied"},
    {EAGAIN, FERR_AGAIN, "would block"},
    {EBADF, FERR_BADF, "bad descriptor"},
    {EBUSY, FERR_BUSY, "busy"},
    {ECONNRESET, FERR_CONNRESET, "connection reset"},
    {EDQUOT, FERR_DQUOT, "quota exceeded"},
    {EEXIST, FERR_EXIST, "exists already"},
    {EFAULT, FERR_FAULT, "bad address"},
    {EFBIG, FERR_FBIG, "file too large"},
    {EILSEQ, FERR_ILSEQ, "malformed text"},
    {EINTR, FERR_INTR, "interrupted"},
    {EINVAL, FERR_INVAL, "invalid argument"},
    {EIO, FERR_IO, "input/output error"},
    {EISDIR, FERR_ISDIR, "is a directory"},
    {ELOOP, FERR_LOOP, "too many symbolic links"},
    {EMFILE, FERR_MFILE, "too many open files"},
    {EMLINK, FERR_MLINK, "too many links"},
    {ENAMETOOLONG, FERR_NAMETOOLONG, "name too long"},
    {ENFILE, FERR_NFILE, "too many open files in the system"},
    {ENODEV, FERR_NODEV, "no such device"},
    {ENOENT, FERR_NOENT, "no such file or directory"},
    {ENOMEM, FERR_NOMEM, "out of memory"},
    {ENOSPC, FERR_NOSPC, "no space left on device"},
    {ENOSYS, FERR_NOSYS, "not implemented by the system"},
    {ENOTCONN, FERR_NOTCONN, "not connected"},
    {ENOTDIR, FERR_NOTDIR, "not a directory"},
    {ENOTEMPTY, FERR_NOTEMPTY, "directory not empty"},
    {ENOTSOCK, FERR_NOTSOCK, "not a socket"},
    {EOPNOTSUPP, FERR_NOTSUP, "not supported"},
    {ENOTTY, FERR_NOTTY, "not a terminal"},
    {ENXIO, FERR_NXIO, "no such device or address"},
    {EOVERFLOW, FERR_OVERFLOW, "value too large"},
    {EPERM, FERR_PERM, "operation not permitted"},
    {EPIPE, FERR_PIPE, "broken pipe"},
    {ERANGE, FERR_RANGE, "result too large"},
    {EROFS, FERR_ROFS, "read-only file system"},
    {ESPIPE, FERR_SPIPE, "cannot be positioned"},
    {ETXTBSY, FERR_TXTBSY, "program file is running"},
    {EXDEV, FERR_XDEV, "on different file systems"},
    {0, FERR_NOTCAPABLE, "right missing"},
};

file_fault_fn *_Atomic file_fault;

void file_set_fault(file_fault_fn *fault)
{
    atomic_store(&file_fault, fault);
}

enum file_error file_error_from(int errnum)
{
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++)
        if (errors[i].system == errnum)
            return errors[i].ours;
    return FERR_IO;
}

const char *file_error_words(enum file_error e)
{
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++)
        if (errors[i].ours == e)
            return errors[i].words;
    return "unknown error";
}

static enum file_error result(int rc)
{
    return rc == 0 ? FERR_OK : file_error_from(errno);
}

bool file_read_all(const char *path, size_t size_max, struct bytes *out, struct error *err)
{
    struct stat st;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fail_os(err, errno, "%s", path);
    if (fstat(fd, &st) != 0) {
        fail_os(err, errno, "%s", path);
        goto out;
    }
    if (S_ISDIR(st.st_mode)) {
        fail_os(err, EISDIR, "%s", path);
        goto out;
    }
    for (;;) {
        size_t room = st.st_size > 0 && (size_t)st.st_size >= out->size
                          ? (size_t)st.st_size - out->size + 1
                          : 65536;
        ssize_t n;

        if (out->size > size_max || (S_ISREG(st.st_mode) && (uint64_t)st.st_size > size_max)) {
            fail(err, ERR_LIMIT, "%s: larger than %zu bytes", path, size_max);
            goto out;
        }
        if (!bytes_reserve(out, room)) {
            fail(err, ERR_NO_MEMORY, "%s: no memory for its contents", path);
            goto out;
        }
        n = read(fd, out->data + out->size, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_os(err, errno, "%s", path);
            goto out;
        }
        if (n == 0)
            break;
        out->size += (size_t)n;
    }
    ok = true;
out:
    close(fd);
    return ok;
}

void file_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

int file_duplicate(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int pieces_to_iov(const struct file_piece *pieces, size_t count, struct iovec *iov)
{
    size_t n = count < FILE_PIECES_MAX ? count : FILE_PIECES_MAX;
    size_t total = 0;

    for (size_t i = 0; i < n; i++) {
        size_t size = pieces[i].size;

        if (size > (size_t)INT_MAX - total)
            size = (size_t)INT_MAX - total; /* more than the kernel takes at once */
        vmem_prepare(pieces[i].data, size);
        iov[i] = (struct iovec){pieces[i].data, size};
        total += size;
    }
    return (int)n;
}

/* Cuts what is behind `size` bytes; how many pieces are left. */
static int cut(struct iovec *iov, int n, size_t size)
{
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len >= size) {
            iov[i].iov_len = size;
            return i + 1;
        }
        size -= iov[i].iov_len;
    }
    return n;
}

/* Whether the call fails, or has less to do. */
static bool is_faulty(enum file_call call, struct iovec *iov, int *n)
{
    size_t size = SIZE_MAX;

    if (file_fails(call, &size))
        return true;
    if (UNLIKELY(size != SIZE_MAX))
        *n = cut(iov, *n, size);
    return false;
}

enum file_error file_read(int fd, const struct file_piece *pieces, size_t count, int64_t offset,
                          bool cached, size_t *size)
{
    struct iovec iov[FILE_PIECES_MAX];
    int n = pieces_to_iov(pieces, count, iov);
    ssize_t got;

    do {
        got = is_faulty(FILE_CALL_READ, iov, &n)
                  ? -1
                  : preadv2(fd, iov, n, offset, cached ? RWF_NOWAIT : 0);
        if (got < 0 && cached && (errno == EOPNOTSUPP || errno == ENOSYS))
            errno = EAGAIN; /* it cannot promise not to block */
        else if (got < 0 && offset < 0 &&
                 (errno == EOPNOTSUPP || errno == ESPIPE || errno == ENOSYS))
            got = readv(fd, iov, n);
    } while (got < 0 && errno == EINTR);
    *size = got < 0 ? 0 : (size_t)got;
    return got < 0 ? file_error_from(errno) : FERR_OK;
}

enum file_error file_write(int fd, const struct file_piece *pieces, size_t count, int64_t offset,
                           size_t *size)
{
    struct iovec iov[FILE_PIECES_MAX];
    int n = pieces_to_iov(pieces, count, iov);
    ssize_t put;

    do {
        put = is_faulty(FILE_CALL_WRITE, iov, &n) ? -1
              : offset < 0                        ? writev(fd, iov, n)
                                                  : pwritev(fd, iov, n, offset);
    } while (put < 0 && errno == EINTR);
    *size = put < 0 ? 0 : (size_t)put;
    return put < 0 ? file_error_from(errno) : FERR_OK;
}

enum file_error file_receive(int fd, const struct file_piece *pieces, size_t count, bool peek,
                             size_t *size, bool *is_cut)
{
    struct iovec iov[FILE_PIECES_MAX];
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)pieces_to_iov(pieces, count, iov)};
    ssize_t got;

    do {
        got = recvmsg(fd, &m, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
    } while (got < 0 && errno == EINTR);
    *size = got < 0 ? 0 : (size_t)got;
    *is_cut = m.msg_flags & MSG_TRUNC;
    return got < 0 ? file_error_from(errno) : FERR_OK;
}

enum file_error file_send(int fd, const struct file_piece *pieces, size_t count, size_t *size)
{
    struct iovec iov[FILE_PIECES_MAX];
    const struct msghdr m = {.msg_iov = iov,
                             .msg_iovlen = (size_t)pieces_to_iov(pieces, count, iov)};
    ssize_t put;

    do {
        put = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    *size = put < 0 ? 0 : (size_t)put;
    return put < 0 ? file_error_from(errno) : FERR_OK;
}

enum file_error file_shut_down(int fd, bool receiving, bool sending)
{
    return result(shutdown(fd, receiving && sending ? SHUT_RDWR : sending ? SHUT_WR : SHUT_RD));
}

bool file_listens(int fd)
{
    socklen_t size = sizeof(int);
    int listens = 0;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

enum file_error file_accept(int fd, int *out)
{
    int got;

    do {
        got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (got < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (got < 0)
        return file_error_from(errno);
    *out = got;
    return FERR_OK;
}

enum file_error file_seek(int fd, int64_t distance, int from, uint64_t *position)
{
    static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    off_t at = lseek(fd, distance, whence[from]);

    if (at < 0)
        return file_error_from(errno);
    *position = (uint64_t)at;
    return FERR_OK;
}

static uint64_t time_ns(struct timespec t)
{
    return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

enum file_kind file_kind_of_mode(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFBLK:
        return FILE_BLOCK_DEVICE;
    case S_IFCHR:
        return FILE_CHARACTER_DEVICE;
    case S_IFDIR:
        return FILE_DIRECTORY;
    case S_IFREG:
        return FILE_REGULAR;
    case S_IFLNK:
        return FILE_SYMLINK;
    case S_IFSOCK:
        return FILE_SOCKET_STREAM;
    default:
        return FILE_UNKNOWN;
    }
}

enum file_error file_get_info(int fd, struct file_info *out)
{
    struct stat st;

    if (file_fails(FILE_CALL_GET_INFO, NULL) || fstat(fd, &st) != 0)
        return file_error_from(errno);
    *out = (struct file_info){
        .device = st.st_dev,
        .inode = st.st_ino,
        .links = st.st_nlink,
        .size = (uint64_t)st.st_size,
        .access_ns = time_ns(st.st_atim),
        .modify_ns = time_ns(st.st_mtim),
        .change_ns = time_ns(st.st_ctim),
        .kind = file_kind_of_mode(st.st_mode),
        .is_fifo = S_ISFIFO(st.st_mode),
    };
    return FERR_OK;
}

enum file_error file_set_size(int fd, uint64_t size)
{
    int rc;

    if (size > INT64_MAX)
        return FERR_INVAL;
    do {
        rc = file_fails(FILE_CALL_SET_SIZE, NULL) ? -1 : ftruncate(fd, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    return result(rc);
}

enum file_error file_allocate(int fd, uint64_t offset, uint64_t size)
{
    struct stat st;

    if (size == 0 || offset > INT64_MAX || size > INT64_MAX)
        return FERR_INVAL;
    if (offset > INT64_MAX - size)
        return FERR_FBIG;
    if (fallocate(fd, 0, (off_t)offset, (off_t)size) == 0)
        return FERR_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return file_error_from(errno);
    if (fstat(fd, &st) != 0) /* nothing can be reserved here; the length can still be promised */
        return file_error_from(errno);
    if ((uint64_t)st.st_size >= offset + size)
        return FERR_OK;
    return result(ftruncate(fd, (off_t)(offset + size)));
}

enum file_error file_sync(int fd, bool data_only)
{
    int rc;

    do {
        rc = file_fails(FILE_CALL_SYNC, NULL) ? -1 : data_only ? fdatasync(fd) : fsync(fd);
    } while (rc != 0 && errno == EINTR);
    return result(rc);
}

enum file_error file_open_unnamed(int *out)
{
    const char *own = getenv("TMPDIR");
    const char *const folders[] = {own && own[0] == '/' ? own : "/var/tmp", "/var/tmp", "/tmp"};
    int fd = -1;

    if (file_fails(FILE_CALL_OPEN, NULL))
        return file_error_from(errno);
    for (size_t i = 0; fd < 0 && i < ARRAY_COUNT(folders); i++) {
        char path[PATH_MAX];

        fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0 || errno == ENOENT || errno == ENOTDIR || errno == EACCES)
            continue;
        /* A file system that must have names. */
        if (snprintf(path, sizeof(path), "%s/lunatic-XXXXXX", folders[i]) >= (int)sizeof(path))
            continue;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0)
        return file_error_from(errno);
    *out = fd;
    return FERR_OK;
}

enum file_error file_copy_access(int from, int to)
{
    struct stat st;

    if (fstat(from, &st) != 0 || fchmod(to, st.st_mode & 0777) != 0)
        return file_error_from(errno);
    if (geteuid() == 0 && fchown(to, st.st_uid, st.st_gid) != 0)
        return file_error_from(errno);
    return FERR_OK;
}

enum file_error file_current_directory(char *text, size_t capacity)
{
    return getcwd(text, capacity) ? FERR_OK : file_error_from(errno);
}

enum file_error file_advise(int fd, uint64_t offset, uint64_t size, int advice)
{
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};

    if (offset > INT64_MAX || size > INT64_MAX)
        return FERR_INVAL;
    return file_error_from(posix_fadvise(fd, (off_t)offset, (off_t)size, advices[advice]));
}

static struct timespec timespec_of(enum file_time_action action, uint64_t ns)
{
    switch (action) {
    case FILE_TIME_SET:
        return (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    case FILE_TIME_NOW:
        return (struct timespec){0, UTIME_NOW};
    default:
        return (struct timespec){0, UTIME_OMIT};
    }
}

enum file_error file_set_times(int fd, const struct file_times *times)
{
    struct timespec ts[2] = {timespec_of(times->access, times->access_ns),
                             timespec_of(times->modify, times->modify_ns)};
    char link[32];
    int rc;

    rc = utimensat(fd, "", ts, AT_EMPTY_PATH);
    if (rc != 0 && errno == EINVAL) { /* before 5.8 only through a name, which a handle has here */
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        rc = utimensat(AT_FDCWD, link, ts, 0);
    }
    return result(rc);
}

enum file_error file_set_append(int fd, bool append)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return file_error_from(errno);
    return result(fcntl(fd, F_SETFL, append ? flags | O_APPEND : flags & ~O_APPEND));
}

bool file_may_block(int fd)
{
    /* Numbers of file systems that <linux/magic.h> lacks. */
    enum { MAGIC_CIFS = 0xff534d42u, MAGIC_CEPH = 0x00c36400, MAGIC_AFS_KERNEL = 0x6b414653 };
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return true;
    switch ((unsigned long)fs.f_type & 0xffffffffu) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case MAGIC_CIFS:
    case FUSE_SUPER_MAGIC:
    case V9FS_MAGIC:
    case CODA_SUPER_MAGIC:
    case AFS_SUPER_MAGIC:
    case MAGIC_AFS_KERNEL:
    case MAGIC_CEPH:
        return true;
    default:
        return false;
    }
}

uint64_t file_count_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}
