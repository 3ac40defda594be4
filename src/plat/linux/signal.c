/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/signal.h"
#include "plat/clock.h"
#include "plat/thread.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SIGEV_THREAD_ID
#define SIGEV_THREAD_ID 4
#endif
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static tick_fn *tick_run; /* written once, before the first tick_start */

/* The threads of TICK_MONITOR; the monitor runs while there are any. */
static struct {
    struct mutex lock;
    struct condition changed;
    struct tick *first; /* under `lock`, like what follows */
    bool is_running;
    bool is_ready; /* `changed` is initialised */
} monitor = {.lock = MUTEX_INITIALIZER};

int tick_signal(void)
{
    return SIGURG;
}

static void on_tick(int number, siginfo_t *info, void *ucontext)
{
    int saved = errno;

    (void)number;
    /* Ours alone: timers of this program, and what this program queued. */
    if (info->si_code == SI_TIMER || (info->si_code == SI_QUEUE && info->si_pid == getpid()))
        tick_run(info->si_value.sival_ptr, ucontext);
    errno = saved;
}

bool tick_install(tick_fn *run, struct error *err)
{
    static struct mutex lock = MUTEX_INITIALIZER;
    struct sigaction action = {.sa_sigaction = on_tick,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    bool ok = true;

    mutex_lock(&lock);
    if (tick_run == run) {
        mutex_unlock(&lock);
        return true;
    }
    ASSERT(tick_run == NULL);
    tick_run = run;
    sigfillset(&action.sa_mask); /* faults in the handler are fatal either way */
    if (sigaction(SIGURG, &action, NULL) != 0) {
        ok = fail_os(err, errno, "sigaction");
        tick_run = NULL;
    }
    mutex_unlock(&lock);
    return ok;
}

enum tick_clock tick_clock_choose(void)
{
    return clock_tick_ns() <= TICK_COARSEST_NS ? TICK_CPU_TIME : TICK_MONOTONIC;
}

static bool timer_open(const struct tick *t, clockid_t clock, timer_t *timer)
{
    struct sigevent event;

    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGURG;
    event.sigev_value.sival_ptr = t->data;
    event.sigev_notify_thread_id = t->thread;
    return timer_create(clock, &event, timer) == 0;
}

static bool timer_run(struct tick *t, uint64_t period_ns)
{
    struct timespec period = {(time_t)(period_ns / NS_PER_SEC), (long)(period_ns % NS_PER_SEC)};
    struct itimerspec when = {period, period};

    return timer_settime(t->timer, 0, &when, NULL) == 0;
}

static void poke(int thread, void *data)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    info.si_signo = SIGURG;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = data;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, SIGURG, &info);
}

static void monitor_main(void *arg)
{
    (void)arg;
    mutex_lock(&monitor.lock);
    while (monitor.first) {
        for (struct tick *t = monitor.first; t; t = t->next)
            if (!atomic_load_explicit(&t->paused, memory_order_relaxed))
                poke(t->thread, t->data);
        condition_wait_for(&monitor.changed, &monitor.lock, monitor.first->period_ns);
    }
    monitor.is_running = false;
    mutex_unlock(&monitor.lock);
}

static bool monitor_join(struct tick *t, struct error *err)
{
    bool ok = true;

    mutex_lock(&monitor.lock);
    if (!monitor.is_ready) {
        condition_init(&monitor.changed);
        monitor.is_ready = true;
    }
    t->next = monitor.first;
    monitor.first = t;
    if (!monitor.is_running) {
        ok = thread_create_detached("lun-tick", monitor_main, NULL, err);
        monitor.is_running = ok;
        if (!ok)
            monitor.first = t->next;
    }
    mutex_unlock(&monitor.lock);
    return ok;
}

static void monitor_leave(struct tick *t)
{
    mutex_lock(&monitor.lock);
    for (struct tick **at = &monitor.first; *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    condition_signal(&monitor.changed);
    mutex_unlock(&monitor.lock);
}

bool tick_start(struct tick *t, enum tick_clock clock, uint64_t period_ns, void *data,
                struct error *err)
{
    ASSERT(tick_run || clock == TICK_OFF);
    t->period_ns = period_ns ? period_ns : TICK_PERIOD_NS;
    t->thread = thread_id();
    t->data = data;
    t->clock = clock == TICK_AUTO ? tick_clock_choose() : clock;
    t->has_alarm = false;
    atomic_init(&t->paused, false);
    if (t->clock == TICK_CPU_TIME) {
        if (timer_open(t, CLOCK_THREAD_CPUTIME_ID, &t->timer)) {
            if (timer_run(t, t->period_ns))
                return true;
            timer_delete(t->timer);
        }
        t->clock = TICK_MONOTONIC;
    }
    if (t->clock == TICK_MONOTONIC) {
        if (timer_open(t, CLOCK_MONOTONIC, &t->timer)) {
            if (timer_run(t, t->period_ns))
                return true;
            timer_delete(t->timer);
        }
        t->clock = TICK_MONITOR;
    }
    return t->clock == TICK_OFF || monitor_join(t, err);
}

void tick_stop(struct tick *t)
{
    if (t->has_alarm)
        timer_delete(t->alarm);
    t->has_alarm = false;
    if (t->clock == TICK_CPU_TIME || t->clock == TICK_MONOTONIC)
        timer_delete(t->timer);
    else if (t->clock == TICK_MONITOR)
        monitor_leave(t);
    t->clock = TICK_OFF;
}

void tick_pause(struct tick *t)
{
    if (t->clock == TICK_MONOTONIC)
        timer_run(t, 0);
    else if (t->clock == TICK_MONITOR)
        atomic_store_explicit(&t->paused, true, memory_order_relaxed);
}

void tick_resume(struct tick *t)
{
    if (t->clock == TICK_MONOTONIC)
        timer_run(t, t->period_ns);
    else if (t->clock == TICK_MONITOR)
        atomic_store_explicit(&t->paused, false, memory_order_relaxed);
}

bool tick_alarm(struct tick *t, uint64_t deadline_ns)
{
    struct itimerspec when = {.it_value = {0, 0}};

    if (!t->has_alarm && !timer_open(t, CLOCK_MONOTONIC, &t->alarm))
        return false;
    t->has_alarm = true;
    if (deadline_ns != DEADLINE_NEVER) {
        when.it_value.tv_sec = (time_t)(deadline_ns / NS_PER_SEC);
        when.it_value.tv_nsec = (long)(deadline_ns % NS_PER_SEC);
    }
    return timer_settime(t->alarm, TIMER_ABSTIME, &when, NULL) == 0;
}

void tick_poke(struct tick *t)
{
    poke(t->thread, t->data);
}

bool thread_signals_init(struct signal_stack *s, struct error *err)
{
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGURG};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t least = (size_t)getauxval(AT_MINSIGSTKSZ) * 4;
    stack_t stack = {0};
    sigset_t block;

    s->size = (least > 65536 ? (least + page - 1) / page * page : 65536) + page;
    s->map = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s->map == MAP_FAILED) {
        s->map = NULL;
        return fail_os(err, errno, "no memory for a signal stack");
    }
    mprotect(s->map, page, PROT_NONE);
    stack.ss_sp = (char *)s->map + page;
    stack.ss_size = s->size - page;
    if (sigaltstack(&stack, NULL) != 0) {
        int errnum = errno;

        munmap(s->map, s->size);
        s->map = NULL;
        return fail_os(err, errnum, "sigaltstack");
    }
    sigfillset(&block);
    for (size_t i = 0; i < ARRAY_COUNT(open); i++)
        sigdelset(&block, open[i]);
    pthread_sigmask(SIG_SETMASK, &block, NULL);
    return true;
}

void thread_signals_deinit(struct signal_stack *s)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    sigset_t tick;

    if (!s->map)
        return;
    sigemptyset(&tick);
    sigaddset(&tick, SIGURG);
    pthread_sigmask(SIG_BLOCK, &tick, NULL); /* a tick on its way finds no stack any more */
    sigaltstack(&none, NULL);
    munmap(s->map, s->size);
    s->map = NULL;
}
