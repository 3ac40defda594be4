/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* From the kernel's errno to ours; shared by the files of this folder that deal with files. */
#ifndef PLAT_LINUX_FILE_ERRNO_H
#define PLAT_LINUX_FILE_ERRNO_H

#include "plat/file.h"

enum file_error file_error_from(int errnum);

/* What a st_mode says. */
enum file_kind file_kind_of_mode(unsigned mode);

#endif
