/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/thread.h"
#include "base/mem.h"
#include "plat/clock.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREAD_STACK_SIZE (1024u * 1024u)

static void set_name(char *to, size_t size, const char *name)
{
    size_t length = strnlen(name, size - 1);

    memcpy(to, name, length);
    to[length] = 0;
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;

    pthread_setname_np(pthread_self(), t->name);
    t->run(t->arg);
    return NULL;
}

static void *detached_main(void *arg)
{
    struct thread t = *(struct thread *)arg;

    mem_free(arg);
    pthread_setname_np(pthread_self(), t.name);
    t.run(t.arg);
    return NULL;
}

/* Creates the thread with all signals but the synchronous faults blocked, which it inherits. */
static bool start(struct thread *t, void *(*main)(void *), int detach_state, struct error *err)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    pthread_attr_t attr;
    sigset_t block, old;
    int code;

    sigfillset(&block);
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++)
        sigdelset(&block, faults[i]);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK_SIZE);
    pthread_attr_setdetachstate(&attr, detach_state);
    pthread_sigmask(SIG_SETMASK, &block, &old);
    code = pthread_create(&t->handle, &attr, main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return code == 0 || fail_os(err, code, "cannot start the thread %s", t->name);
}

bool thread_create(struct thread *t, const char *name, void (*run)(void *arg), void *arg,
                   struct error *err)
{
    t->run = run;
    t->arg = arg;
    set_name(t->name, sizeof(t->name), name);
    return start(t, thread_main, PTHREAD_CREATE_JOINABLE, err);
}

bool thread_create_detached(const char *name, void (*run)(void *arg), void *arg, struct error *err)
{
    struct thread *t = mem_new(struct thread);

    t->run = run;
    t->arg = arg;
    set_name(t->name, sizeof(t->name), name);
    if (start(t, detached_main, PTHREAD_CREATE_DETACHED, err))
        return true;
    mem_free(t);
    return false;
}

void thread_join(struct thread *t)
{
    int code = pthread_join(t->handle, NULL);

    ASSERT(code == 0);
}

int thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

void thread_yield(void)
{
    sched_yield();
}

void mutex_init(struct mutex *m)
{
    pthread_mutex_init(&m->handle, NULL);
}

void mutex_deinit(struct mutex *m)
{
    pthread_mutex_destroy(&m->handle);
}

void mutex_lock(struct mutex *m) NO_THREAD_SAFETY
{
    pthread_mutex_lock(&m->handle);
}

bool mutex_try_lock(struct mutex *m) NO_THREAD_SAFETY
{
    return pthread_mutex_trylock(&m->handle) == 0;
}

void mutex_unlock(struct mutex *m) NO_THREAD_SAFETY
{
    pthread_mutex_unlock(&m->handle);
}

void condition_init(struct condition *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->handle, &attr);
    pthread_condattr_destroy(&attr);
}

void condition_deinit(struct condition *c)
{
    pthread_cond_destroy(&c->handle);
}

void condition_wait(struct condition *c, struct mutex *m)
{
    pthread_cond_wait(&c->handle, &m->handle);
}

bool condition_wait_for(struct condition *c, struct mutex *m, uint64_t timeout_ns)
{
    uint64_t deadline = deadline_after(clock_monotonic_ns(), timeout_ns);
    struct timespec at = {(time_t)(deadline / NS_PER_SEC), (long)(deadline % NS_PER_SEC)};

    return pthread_cond_timedwait(&c->handle, &m->handle, &at) != ETIMEDOUT;
}

void condition_signal(struct condition *c)
{
    pthread_cond_signal(&c->handle);
}

void condition_broadcast(struct condition *c)
{
    pthread_cond_broadcast(&c->handle);
}

void spinlock_wait(struct spinlock *l)
{
    for (unsigned spins = 0; atomic_load_explicit(&l->held, memory_order_relaxed); spins++) {
        if (spins < 64)
            cpu_relax();
        else
            sched_yield(); /* the holder may have lost its core */
    }
}
