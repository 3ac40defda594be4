/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Signal context only: no locks, no allocation, no thread-local storage. */
#define _GNU_SOURCE
#include "vm/preempt.h"
#include "vm/internal.h"
#include "vm/resume.h"
#include "vm/worker.h"

#include <string.h>
#include <ucontext.h>

bool preempt_from_signal(void *ucontext, struct vm_worker *w)
{
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};
    ucontext_t *uc = ucontext;
    greg_t *gregs = uc->uc_mcontext.gregs;
    struct fiber *f = w->current;
    struct registers *r = w->spare;

    if (!f || !r || !code_is_preemptible((const void *)(uintptr_t)gregs[REG_RIP])) {
        w->tick = 1;
        return false;
    }
    for (int n = 0; n < 16; n++)
        r->gpr[n] = (uint64_t)gregs[order[n]];
    r->flags = (uint64_t)gregs[REG_EFL];
    memcpy(r->xmm, uc->uc_mcontext.fpregs->_xmm, sizeof(r->xmm));
    w->spare = NULL;
    f->preempted = r;
    f->guest_ip = (const void *)(uintptr_t)gregs[REG_RIP];
    f->guest_sp = (void *)(uintptr_t)gregs[REG_RSP];
    f->instance = (struct instance *)(uintptr_t)gregs[REG_R15];
    gregs[REG_RCX] = (greg_t)(uintptr_t)f;
    gregs[REG_RIP] = (greg_t)(uintptr_t)vm_exit_preempted;
    gregs[REG_RSP] = (greg_t)(uintptr_t)f->host_sp;
    return true;
}
