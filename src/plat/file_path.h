/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Paths that cannot leave a directory: every name is resolved below `dir`, and neither "..", nor an
 * absolute path, nor a symbolic link, nor a rename made meanwhile by somebody else gets above it
 * (FERR_PERM).
 *
 * The kernel does it where it has openat2; elsewhere the path is walked one name at a time, holding
 * every directory on the way open, so that ".." means the one we came from. Paths are
 * NUL-terminated, not empty ones fail with FERR_NOENT. Every function may block, and may be called
 * on any thread. */
#ifndef PLAT_FILE_PATH_H
#define PLAT_FILE_PATH_H

#include "plat/file.h"

enum file_open_flags {
    FILE_OPEN_READ = 1u << 0,
    FILE_OPEN_WRITE = 1u << 1,
    FILE_OPEN_APPEND = 1u << 2,
    FILE_OPEN_CREATE = 1u << 3,
    FILE_OPEN_EXCLUSIVE = 1u << 4, /* with CREATE: fail if it exists */
    FILE_OPEN_TRUNCATE = 1u << 5,
    FILE_OPEN_DIRECTORY = 1u << 6, /* fail unless it is one */
    FILE_OPEN_FOLLOW = 1u << 7, /* a symbolic link as the last name is followed, else FERR_LOOP */
    FILE_OPEN_HANDLE =
        1u << 8,              /* only a handle to ask about: no read, no write; links can be had */
    FILE_OPEN_SYNC = 1u << 9, /* writes reach the disk before they end */
    FILE_OPEN_DSYNC = 1u << 10,
    FILE_OPEN_CACHED =
        1u << 11, /* FERR_AGAIN unless it can be done from memory, without blocking */
};

/* Opens the directory `path`, not confined, as a root for the functions below. */
enum file_error file_root_open(const char *path, int *out);

/* Opens. What is below the folder of a process in /proc gives FERR_PERM, even where `dir` holds it:
 * it leads out of every directory. The descriptor never blocks (FERR_AGAIN on pipes), is closed on
 * exec, and is no controlling terminal. A directory is opened with READ alone. */
enum file_error file_path_open(int dir, const char *path, unsigned flags, int *out);

enum file_error file_path_get_info(int dir, const char *path, bool follow, struct file_info *out);
enum file_error file_path_set_times(int dir, const char *path, bool follow,
                                    const struct file_times *times);
enum file_error file_path_make_directory(int dir, const char *path);
enum file_error file_path_remove_directory(int dir, const char *path);
enum file_error file_path_unlink(int dir, const char *path);
enum file_error file_path_rename(int old_dir, const char *old_path, int new_dir,
                                 const char *new_path);
enum file_error file_path_link(int old_dir, const char *old_path, int new_dir,
                               const char *new_path);

/* Makes a symbolic link whose text is `target`; an absolute target is refused with FERR_PERM. */
enum file_error file_path_symlink(const char *target, int dir, const char *path);

/* The text of a symbolic link: the first `capacity` bytes of it, and how long it is altogether. */
enum file_error file_path_readlink(int dir, const char *path, char *text, size_t capacity,
                                   size_t *size);

/* Makes every path be walked here, as on a kernel without openat2. Startup and tests only. */
void file_path_force_walk(bool on);

#endif
