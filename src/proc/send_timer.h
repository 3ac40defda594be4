/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Messages that are sent after a delay.
 *
 * A timer belongs to nobody: it delivers although the process that started it has ended. Only that
 * process can cancel it, by the id in its table of resources (RESOURCE_TIMER). */
#ifndef PROC_SEND_TIMER_H
#define PROC_SEND_TIMER_H

#include "proc/process.h"

/* Sends `m` to process `to` (looked up now: if it does not exist, nothing is ever delivered) after
 * `delay_ns`. Takes `m` on success. False: the configuration's timer_count_max is reached, or no
 * memory. Owning task only. */
bool send_timer_start(struct process *p, uint64_t to, struct message *m, uint64_t delay_ns,
                      uint64_t *id, struct error *err) MUST_USE;

/* Cancels: true if the delivery was prevented by this call. Owning task only. */
bool send_timer_cancel(struct process *p, uint64_t id);

#endif
