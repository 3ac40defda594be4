/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A process that counts. */
#ifndef COUNTER_H
#define COUNTER_H

#include <lunatic.h>

/* Starts one, linked to this process, that begins at `start`. */
lun_process counter_start(int start);

/* Adds `n`, which must not be negative: then the counter, and who is linked to it, fails. */
void counter_add(lun_process counter, int n);

/* What it has come to. */
int counter_value(lun_process counter);

#endif
