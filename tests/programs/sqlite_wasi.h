/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What SQLite's VFS and shell use beyond the C library for WASI: owners, modes and other programs,
 * none of which exist there. Locks are SQLite's own to leave out (the VFS "unix-none"). */
#ifndef TEST_SQLITE_WASI_H
#define TEST_SQLITE_WASI_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int fchmod(int fd, mode_t mode)
{
    (void)fd, (void)mode;
    return 0;
}

static inline int chmod(const char *path, mode_t mode)
{
    (void)path, (void)mode;
    return 0;
}

static inline int fchown(int fd, uid_t user, gid_t group)
{
    (void)fd, (void)user, (void)group;
    return 0;
}

static inline uid_t geteuid(void)
{
    return 1;
}

static inline uid_t getuid(void)
{
    return 1;
}

static inline int no_system(const char *command)
{
    (void)command;
    errno = ENOTSUP;
    return -1;
}
#define system no_system

static inline FILE *popen(const char *command, const char *mode)
{
    (void)command, (void)mode;
    errno = ENOTSUP;
    return NULL;
}

static inline int pclose(FILE *file)
{
    (void)file;
    return -1;
}

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define F_GETLK 5
#define F_SETLK 6

#endif
