/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Resolving a path below a directory one name at a time, for kernels without openat2. */
#ifndef PLAT_LINUX_FILE_WALK_H
#define PLAT_LINUX_FILE_WALK_H

#include <sys/types.h>

/* Like openat, but EXDEV if the path leaves `dir` on any way. Returns a descriptor or the negated
 * errno. */
int file_walk_open(int dir, const char *path, int flags, mode_t mode);

#endif
