/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names of files as text: nothing here looks at a file system. */
#ifndef PROC_PATH_H
#define PROC_PATH_H

#include "base/bytes.h"

/* The path without empty and "." names, "." if nothing is left of it; an absolute one begins with
 * '/'. NULL: it has a ".." or a byte 0 in it, or there is no memory. The caller's: mem_free. */
char *path_normal(struct slice path) MUST_USE;

/* What is left of the normal path `path` below the normal path `dir`: "" if they are the same,
 * without a '/' in front. NULL: it is not below. */
const char *path_below(const char *dir, const char *path);

#endif
