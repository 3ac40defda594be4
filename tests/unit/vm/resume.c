/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Running, stopping, calling back, trapping, moving: on hand-written machine code. */
#define _GNU_SOURCE
#include "fake.h"
#include "tests/harness/harness.h"
#include "vm/backtrace.h"
#include "vm/preempt.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif

struct bench {
    struct vm_worker w;
    struct program *p;
    struct instance *i;
};

static bool bench_open(struct bench *b, const struct fake_options *o, uint32_t stack_max)
{
    struct instance_limits limits = {.stack_max = stack_max};
    enum instance_failure why;

    vm_worker_init(&b->w, 7);
    b->p = fake_program(o);
    if (!b->p)
        return false;
    b->i = instance_new(b->p, &b->w, &limits, &why);
    return b->i != NULL;
}

static void bench_close(struct bench *b)
{
    instance_free(b->i, &b->w);
    fake_program_free(b->p);
    vm_worker_deinit(&b->w);
}

static bool start(struct bench *b, enum fake_function f, uint64_t x)
{
    return fiber_activate(b->i->fiber, program_function(b->p, f), &x, 1, false) == TRAP_NONE;
}

static struct outcome host_triple(void *guest, uint64_t x)
{
    (void)guest;
    return done(x * 3);
}

TEST(a_host_call_goes_through_and_back)
{
    struct bench b;
    uint64_t result = 0;

    CHECK(bench_open(&b, &(struct fake_options){.host = host_triple}, 0));
    CHECK(start(&b, FAKE_CALL_HOST, 4));
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_RETURNED);
    CHECK(!fiber_return(b.i->fiber, &result, 1));
    CHECK(result == 30);
    CHECK(b.i->fiber->guest_sp == b.i->fiber->stack_top);
    bench_close(&b);
}

TEST(an_import_can_be_activated_itself)
{
    struct bench b;
    uint64_t result = 0;

    CHECK(bench_open(&b, &(struct fake_options){.host = host_triple}, 0));
    CHECK(start(&b, FAKE_HOST, 5));
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_RETURNED);
    CHECK(!fiber_return(b.i->fiber, &result, 1) && result == 15);
    bench_close(&b);
}

static int park_calls;

static struct outcome host_park_twice(void *guest, uint64_t x)
{
    (void)guest;
    if (++park_calls <= 2)
        return (struct outcome){77, OUTCOME_PARK};
    return done(x);
}

/* Called again with the same arguments after each park; the stack may be moved meanwhile. */
TEST(a_parked_host_call_is_called_again)
{
    struct bench b;
    uint64_t result = 0;

    park_calls = 0;
    CHECK(bench_open(&b, &(struct fake_options){.host = host_park_twice}, 0));
    CHECK(start(&b, FAKE_CALL_HOST, 1));
    for (int n = 0; n < 2; n++) {
        CHECK(vm_run(&b.w, b.i->fiber) == STOP_OUTCOME);
        CHECK(b.i->fiber->outcome.kind == OUTCOME_PARK && b.i->fiber->outcome.value == 77);
        vm_set_move_stacks(true);
    }
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_RETURNED);
    vm_set_move_stacks(false);
    CHECK(!fiber_return(b.i->fiber, &result, 1) && result == 4);
    CHECK(park_calls == 3);
    bench_close(&b);
}

static struct bench *tick_bench;

static struct outcome host_ticks(void *guest, uint64_t x)
{
    (void)guest;
    tick_bench->w.tick = 1;
    return done(x);
}

TEST(a_tick_during_a_host_call_stops_at_its_end)
{
    struct bench b;
    uint64_t result = 0;

    tick_bench = &b;
    CHECK(bench_open(&b, &(struct fake_options){.host = host_ticks}, 0));
    CHECK(start(&b, FAKE_CALL_HOST, 9));
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_TICK);
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_RETURNED);
    CHECK(!fiber_return(b.i->fiber, &result, 1) && result == 20);
    bench_close(&b);
}

/* Calls FAKE_TRAP or FAKE_SUM, by x, and tells what came of it. */
static struct outcome host_calls(void *guest, uint64_t x)
{
    struct bench *b = guest;
    struct fiber *f = b->i->fiber;

    if (!f->answer.returned) {
        f->call.function = program_function(b->p, x >= 100 ? FAKE_TRAP : FAKE_SUM);
        f->call.args[0] = x;
        f->call.arg_count = 1;
        f->call.catches = x != 200;
        return (struct outcome){0, OUTCOME_CALL};
    }
    f->answer.returned = false;
    return done(f->answer.trapped ? 1000 + (uint64_t)f->answer.trap_kind : f->answer.result);
}

TEST(a_host_call_calls_the_guest)
{
    struct bench b;
    struct fiber *f;
    uint64_t result = 0;

    CHECK(bench_open(&b, &(struct fake_options){.host = host_calls}, 0));
    f = b.i->fiber;
    f->guest = &b;
    CHECK(start(&b, FAKE_CALL_HOST, 9));
    CHECK(vm_run(&b.w, f) == STOP_OUTCOME && f->outcome.kind == OUTCOME_CALL);
    CHECK(fiber_call(f, NULL, NULL));
    CHECK(fiber_depth(f) == 2);
    CHECK(vm_run(&b.w, f) == STOP_RETURNED);
    CHECK(fiber_return(f, NULL, 0));
    CHECK(vm_run(&b.w, f) == STOP_RETURNED);
    CHECK(!fiber_return(f, &result, 1) && result == 110);
    bench_close(&b);
}

static int crossed_count;

static void crossed(void *context)
{
    (void)context;
    crossed_count++;
}

TEST(a_catching_call_ends_with_the_trap)
{
    struct bench b;
    struct fiber *f;
    uint64_t result = 0;

    crossed_count = 0;
    CHECK(bench_open(&b, &(struct fake_options){.host = host_calls}, 0));
    f = b.i->fiber;
    f->guest = &b;
    CHECK(start(&b, FAKE_CALL_HOST, 100));
    CHECK(vm_run(&b.w, f) == STOP_OUTCOME);
    CHECK(fiber_call(f, crossed, NULL));
    CHECK(vm_run(&b.w, f) == STOP_TRAPPED && f->trap_kind == TRAP_UNREACHABLE);
    CHECK(fiber_catch(f, crossed, NULL));
    CHECK(crossed_count == 0);
    CHECK(vm_run(&b.w, f) == STOP_RETURNED);
    CHECK(!fiber_return(f, &result, 1) && result == 2 * (1000 + TRAP_UNREACHABLE));
    bench_close(&b);
}

TEST(a_trap_nobody_catches_leaves_the_frames_for_a_backtrace)
{
    struct bench b;
    struct fiber *f;
    struct frame frames[8];
    struct bytes text = {0};

    CHECK(bench_open(&b, &(struct fake_options){.host = host_calls}, 0));
    f = b.i->fiber;
    f->guest = &b;
    CHECK(start(&b, FAKE_CALL_HOST, 199));
    CHECK(vm_run(&b.w, f) == STOP_OUTCOME);
    CHECK(fiber_call(f, NULL, NULL)); /* call_host(199): host(200) does not catch */
    CHECK(vm_run(&b.w, f) == STOP_TRAPPED);
    CHECK(!fiber_catch(f, NULL, NULL));
    CHECK(fiber_frames(f, frames, 8) == 2);
    CHECK(frames[0].function == FAKE_TRAP && frames[0].offset == 0x444);
    CHECK(frames[1].function == FAKE_CALL_HOST);
    CHECK(backtrace_print(f, &text));
    CHECK(text.size > 10 && memcmp(text.data, "   0: function 4 at 0x444\n", 26) == 0);
    bytes_deinit(&text);
    bench_close(&b);
}

TEST(recursion_moves_the_stack_and_ends_at_its_limit)
{
    struct bench b;
    struct fiber *f;
    struct bytes text = {0};
    uint64_t result = 0;

    CHECK(bench_open(&b, &(struct fake_options){.host = host_triple}, 0));
    f = b.i->fiber;
    CHECK(start(&b, FAKE_SUM, 50000)); /* 1.6 MB of frames */
    CHECK(vm_run(&b.w, f) == STOP_RETURNED);
    CHECK(!fiber_return(f, &result, 1) && result == 50000ull * 50001 / 2);
    CHECK(f->stack_region == 12 /* REGION_STACK_4M */);
    CHECK(start(&b, FAKE_SUM, 500000));
    CHECK(vm_run(&b.w, f) == STOP_TRAPPED && f->trap_kind == TRAP_STACK_EXHAUSTED);
    CHECK(fiber_frames(f, NULL, 0) > 100000);
    CHECK(backtrace_print(f, &text));
    CHECK(text.size < 1000);
    bytes_deinit(&text);
    bench_close(&b);
}

TEST(moving_at_every_prologue_changes_nothing)
{
    struct bench b;
    uint64_t result = 0;

    vm_set_move_stacks(true);
    CHECK(bench_open(&b, &(struct fake_options){.host = host_triple}, 0));
    CHECK(start(&b, FAKE_SUM, 300));
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_RETURNED);
    CHECK(!fiber_return(b.i->fiber, &result, 1) && result == 300 * 301 / 2);
    CHECK(start(&b, FAKE_SUM, 3000));
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_RETURNED);
    CHECK(!fiber_return(b.i->fiber, &result, 1) && result == 3000 * 3001 / 2);
    vm_set_move_stacks(false);
    bench_close(&b);
}

TEST(fuel_stops_keep_all_registers)
{
    struct bench b;
    struct frame frame;
    uint64_t result = 0;

    CHECK(bench_open(&b, &(struct fake_options){.host = host_triple}, 0));
    CHECK(start(&b, FAKE_FUEL, 123));
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_FUEL);
    CHECK(fiber_frames(b.i->fiber, &frame, 1) == 1);
    CHECK(frame.function == FAKE_FUEL && frame.offset == 0x666);
    vm_set_move_stacks(true);
    CHECK(vm_run(&b.w, b.i->fiber) == STOP_RETURNED);
    vm_set_move_stacks(false);
    CHECK(!fiber_return(b.i->fiber, &result, 1) && result == 369);
    bench_close(&b);
}

TEST(nesting_has_a_limit)
{
    struct bench b;
    uint32_t n = 0;

    CHECK(bench_open(&b, &(struct fake_options){.host = host_triple}, 0));
    while (start(&b, FAKE_SUM, 1))
        CHECK(++n <= ACTIVATIONS_MAX);
    CHECK(n == ACTIVATIONS_MAX);
    bench_close(&b);
}

static struct bench *preempt_bench;
static volatile unsigned preempt_hits;

static void on_tick(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    if (preempt_from_signal(context, &preempt_bench->w))
        preempt_hits++;
}

/* The tick stops a loop without calls anywhere and it goes on as if nothing had happened. Eight
 * fibers take turns, so that registers of one never pass for another's. */
TEST(preemption_keeps_flags_registers_and_vectors)
{
    enum { FIBERS = 8 };
    struct bench b;
    struct instance *guests[FIBERS];
    bool finished[FIBERS] = {false};
    struct instance_limits limits = {0};
    enum instance_failure why;
    struct sigaction action = {0}, before;
    stack_t stack = {0}, old_stack;
    timer_t timer;
    struct itimerspec period = {{0, 200000}, {0, 200000}};
    unsigned left = FIBERS;
    uint64_t x = 3000000;

    preempt_hits = 0;
    preempt_bench = &b;
    CHECK(bench_open(&b, &(struct fake_options){.host = host_triple}, 0));
    stack.ss_size = 128 << 10;
    stack.ss_sp = malloc(stack.ss_size);
    CHECK(sigaltstack(&stack, &old_stack) == 0);
    action.sa_sigaction = on_tick;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    CHECK(sigaction(SIGURG, &action, &before) == 0);
    for (int n = 0; n < FIBERS; n++) {
        guests[n] = instance_new(b.p, &b.w, &limits, &why);
        CHECK(guests[n]);
        CHECK(fiber_activate(guests[n]->fiber, program_function(b.p, FAKE_COUNT), &x, 1, false) ==
              TRAP_NONE);
    }
    {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};

        CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
        CHECK(timer_settime(timer, 0, &period, NULL) == 0);
    }
    while (left) {
        for (int n = 0; n < FIBERS; n++) {
            enum stop stop;
            uint64_t result = 0;

            if (finished[n])
                continue;
            stop = vm_run(&b.w, guests[n]->fiber);
            if (stop == STOP_PREEMPTED)
                continue;
            CHECK(stop == STOP_RETURNED);
            CHECK(!fiber_return(guests[n]->fiber, &result, 1));
            CHECK(result == x * (x + 1) / 2);
            CHECK(guests[n]->progress == 0); /* a bulk operation would begin in its middle */
            finished[n] = true;
            left--;
        }
    }
    timer_delete(timer);
    sigaction(SIGURG, &before, NULL);
    sigaltstack(&old_stack, NULL);
    free(stack.ss_sp);
    if (!UNDER_TSAN) /* which defers signals and ignores the edited context */
        CHECK(preempt_hits > 10);
    for (int n = 0; n < FIBERS; n++)
        instance_free(guests[n], &b.w);
    bench_close(&b);
}
