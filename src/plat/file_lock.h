/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Locks on stretches of a file. They belong to the open file, not to the program: two opens of the
 * same file exclude each other, within this program and against others that use the system's record
 * locks. They go when it is closed. */
#ifndef PLAT_FILE_LOCK_H
#define PLAT_FILE_LOCK_H

#include "plat/file.h"

enum file_lock { FILE_UNLOCK, FILE_LOCK_SHARED, FILE_LOCK_EXCLUSIVE };

/* Makes the stretch be locked so, or not at all. FERR_AGAIN: somebody else's lock forbids it. An
 * exclusive lock needs a file open for writing. Never waits. Any thread. */
enum file_error file_lock(int fd, enum file_lock lock, uint64_t offset, uint64_t size);

/* Whether somebody else has any lock there. */
enum file_error file_is_locked(int fd, uint64_t offset, uint64_t size, bool *out);

#endif
