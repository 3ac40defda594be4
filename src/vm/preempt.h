/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the tick's signal handler does with the guest. */
#ifndef VM_PREEMPT_H
#define VM_PREEMPT_H

#include <stdbool.h>

struct vm_worker;

/* To be called by the signal handler of the thread that owns `w`, on an alternate stack, with the
 * ucontext_t of the signal. If the interrupted instruction belongs to a function of the guest, the
 * registers are copied out and the context is edited so that vm_run returns STOP_PREEMPTED: true.
 * Else w->tick is set, which ends the slice at the end of the next host call: false. Touches no
 * thread-local storage, takes no lock. */
bool preempt_from_signal(void *ucontext, struct vm_worker *w);

/* Frees the registers of a fiber that will not run on (a killed process). Owning worker only. */
struct fiber;
void preempt_forget(struct vm_worker *w, struct fiber *f);

#endif
