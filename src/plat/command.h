/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Running another program of the machine and waiting for it. */
#ifndef PLAT_COMMAND_H
#define PLAT_COMMAND_H

#include "base/bytes.h"
#include "base/error.h"

/* Runs `arguments` (NULL-terminated; the first is looked up in PATH) with standard output and error
 * appended to `output` (together). ERR_NOT_FOUND: there is no such program. ERR_OS: it cannot be
 * started. True: it has ended with `*status` (128 + n: by signal n). Blocks; not on a worker. */
bool command_run(const char *const *arguments, struct bytes *output, int *status, struct error *err)
    MUST_USE;

/* Raises this program's soft limit of open descriptors to the hard one. Programs that command_run
 * starts afterwards still get the old one, as what they do with it is their own affair. Startup
 * only. */
void command_raise_descriptors(void);

/* A new empty file below the directory for temporary files, whose name is stored in `path` (size
 * bytes). The caller unlinks it with file_remove. Fails with ERR_OS. */
bool file_temporary(char *path, size_t size, struct error *err) MUST_USE;
void file_remove(const char *path);

#endif
