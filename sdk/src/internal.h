/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the sources of the library share; programs do not see it. */
#ifndef LUNATIC_INTERNAL_H
#define LUNATIC_INTERNAL_H

#include <lunatic.h>

/* Makes the words of host error `id` what lun_error_text() tells, cut to its buffer, and drops the
 * error. */
void lun_keep_error_(uint64_t id);

/* Makes `words` what lun_error_text() tells. */
void lun_set_error_(const char *words);

/* Waits for the message tagged `tag` that `from` sends a child it has just made. If `from` ended
 * without sending it, so does this process. */
void lun_receive_first_(lun_process from, int64_t tag, lun_message *message);

/* Makes a message tagged `tag` with these bytes current, to be completed and sent. */
void lun_build_(int64_t tag, const void *data, size_t size);

/* The tag of what every process may receive from its parent once, before its function runs. No
 * tag that lun_new_tag() gives. */
#define LUN_FIRST_TAG_ (INT64_C(1) << 62)

/* Arguments and results of a child that are larger live on its heap. */
#define LUN_STACK_BUFFER_MAX_ 4096

/* malloc, or the end of the process. */
void *lun_new_buffer_(size_t size);

#endif
