/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Short waits for the disk on the worker itself.
 *
 * To hand a wait over to a helper thread (offload.h) takes two wakes of threads, tens of
 * microseconds: nothing beside a disk that takes milliseconds, much beside one that answers in a
 * hundred. So a worker that has nothing else to do, while another one sleeps, may wait by itself.
 * Should it take longer than expected, another worker looks after its timers and descriptors. */
#ifndef SCHED_IN_PLACE_H
#define SCHED_IN_PLACE_H

#include "plat/clock.h"
#include "sched/scheduler.h"

#define IN_PLACE_MAX_NS (500 * NS_PER_US) /* no wait that is expected to be longer */

/* Before a system call that may block and will take about `expected_ns` (what the last one took;
 * UINT64_MAX: not known). True: go ahead, and call in_place_end. False: hand it over; always so in
 * deterministic runs and with a single worker. The calling worker, in a task that runs; it uses no
 * other function of the scheduler until in_place_end. */
bool in_place_begin(struct worker *w, uint64_t expected_ns) MUST_USE;
/* After it. The time between does not count as used by the task. */
void in_place_end(struct worker *w);

#endif
