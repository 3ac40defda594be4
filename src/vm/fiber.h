/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One line of guest execution: its native stack and where it stopped. Pure data while it does not
 * run.
 *
 * The stack holds generated frames only. C runs on the worker's own stack: host stubs switch to it
 * and back. So a stopped fiber can be moved (its stack copied elsewhere, unless `preempted` is
 * set), packed or dropped at any time, and no C frame is ever suspended.
 *
 * The first fields are read and written by generated code and by resume.S; FIBER_* are their
 * offsets. */
#ifndef VM_FIBER_H
#define VM_FIBER_H

#include "vm/outcome.h"
#include "vm/trap.h"
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instance;
struct function;
struct registers; /* what the preemption handler saved; resume.S knows the layout */

/* Why fiber_resume came back. */
enum stop {
    STOP_RETURNED,  /* the innermost activation returned; its results are in its argument area */
    STOP_TRAPPED,   /* trap_kind, trap_pc; the frames are still there for a backtrace */
    STOP_OUTCOME,   /* a host function did not end with "done" or "trap": see outcome */
    STOP_PREEMPTED, /* the tick hit generated code: registers are in `preempted` */
    STOP_TICK,      /* the tick hit C code: stopped at the end of a host call */
    STOP_FUEL,      /* metered code ran out: add fuel and resume, or trap with OUT_OF_FUEL */
};

struct fiber {
    void *host_sp;             /* the worker's rsp while the guest runs */
    void *guest_sp;            /* the guest's rsp while it is stopped */
    const void *guest_ip;      /* where it goes on */
    struct instance *instance; /* the instance register to go on with */
    volatile uint32_t *tick;   /* the worker's flag, set by its tick, cleared by each resume */
    void *guest; /* first argument of host functions (struct guest; NULL in bare vm tests) */
    struct registers
        *preempted;         /* not NULL: goes on by restoring these, and is not moved until then */
    struct outcome outcome; /* of the last host function that stopped us */
    uint64_t trap_kind;     /* enum trap */
    const void *trap_pc;    /* return address in the code that trapped: its site */
    uint64_t scratch[2];    /* for stubs; meaningless across a call */

    /* From here on only C looks. */
    uint8_t *stack_low, *stack_top; /* the native stack; stack_low <= guest_sp <= stack_top */
    uint32_t marker;                /* innermost activation, as an offset from stack_top; 0: none */
    uint32_t activation_depth;      /* <= ACTIVATIONS_MAX */
    bool trap_at_entry;             /* STACK_EXHAUSTED in a prologue: its frame is not there yet */
    bool is_foreign;                /* a worker other than `worker` has run it */
    uint8_t stack_region; /* where the stack lies: enum region; REGION_COUNT: in the slot */
    uint32_t stack_max;   /* bytes it may grow to */
    uint32_t worker;      /* whose slot it is */
    uint32_t state_size;  /* fiber_set_state */
    void *state;
    const char *trap_text; /* TRAP_HOST: the words; static or owned by the guest */
    struct {               /* what OUTCOME_CALL asks for */
        const struct function *function;
        uint64_t args[4];
        uint32_t arg_count;
        bool catches; /* a trap inside ends the call with `trapped` instead of the guest */
    } call;
    struct {           /* what it gave; valid on the first call of the host function after it */
        bool returned; /* a call has ended since OUTCOME_CALL; the host function clears it */
        bool trapped;
        enum trap trap_kind;
        uint64_t result; /* of the function's first result, 0 if it has none */
    } answer;
};

#define FIBER_HOST_SP   0
#define FIBER_GUEST_SP  8
#define FIBER_GUEST_IP  16
#define FIBER_INSTANCE  24
#define FIBER_TICK      32
#define FIBER_GUEST     40
#define FIBER_PREEMPTED 48
#define FIBER_OUTCOME   56 /* two words */
#define FIBER_TRAP_KIND 72
#define FIBER_TRAP_PC   80
#define FIBER_SCRATCH   88

static_assert(offsetof(struct fiber, host_sp) == FIBER_HOST_SP, "read by generated code");
static_assert(offsetof(struct fiber, guest_sp) == FIBER_GUEST_SP, "read by generated code");
static_assert(offsetof(struct fiber, guest_ip) == FIBER_GUEST_IP, "read by generated code");
static_assert(offsetof(struct fiber, instance) == FIBER_INSTANCE, "read by generated code");
static_assert(offsetof(struct fiber, tick) == FIBER_TICK, "read by generated code");
static_assert(offsetof(struct fiber, guest) == FIBER_GUEST, "read by generated code");
static_assert(offsetof(struct fiber, preempted) == FIBER_PREEMPTED, "read by generated code");
static_assert(offsetof(struct fiber, outcome) == FIBER_OUTCOME, "read by generated code");
static_assert(offsetof(struct fiber, trap_kind) == FIBER_TRAP_KIND, "read by generated code");
static_assert(offsetof(struct fiber, trap_pc) == FIBER_TRAP_PC, "read by generated code");
static_assert(offsetof(struct fiber, scratch) == FIBER_SCRATCH, "read by generated code");

#endif
