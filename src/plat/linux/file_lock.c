/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* Open file description locks. */
#include "plat/file_lock.h"
#include "plat/linux/file_errno.h"
#include "plat/linux/file_fault.h"
#include <errno.h>
#include <fcntl.h>

static struct flock stretch(short type, uint64_t offset, uint64_t size)
{
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)size};
}

static int ask(int fd, int command, struct flock *l)
{
    int rc;

    do {
        rc = file_fails(FILE_CALL_LOCK, NULL) ? -1 : fcntl(fd, command, l);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

enum file_error file_lock(int fd, enum file_lock lock, uint64_t offset, uint64_t size)
{
    static const short types[] = {
        [FILE_UNLOCK] = F_UNLCK, [FILE_LOCK_SHARED] = F_RDLCK, [FILE_LOCK_EXCLUSIVE] = F_WRLCK};
    struct flock l = stretch(types[lock], offset, size);

    if (ask(fd, F_OFD_SETLK, &l) == 0)
        return FERR_OK;
    return errno == EACCES ? FERR_AGAIN : file_error_from(errno);
}

enum file_error file_is_locked(int fd, uint64_t offset, uint64_t size, bool *out)
{
    struct flock l = stretch(F_WRLCK, offset, size);

    if (ask(fd, F_OFD_GETLK, &l) != 0)
        return file_error_from(errno);
    *out = l.l_type != F_UNLCK;
    return FERR_OK;
}
