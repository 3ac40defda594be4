/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Threads, locks and conditions, annotated for clang's -Wthread-safety. */
#ifndef PLAT_THREAD_H
#define PLAT_THREAD_H

#include "base/error.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#if defined(__clang__)
#define THREAD_SAFETY(x) __attribute__((x))
#else
#define THREAD_SAFETY(x)
#endif
#define CAPABILITY(name) THREAD_SAFETY(capability(name))
#define GUARDED_BY(lock) THREAD_SAFETY(guarded_by(lock))
/* The same of a field, by a lock beside it: for readers, as clang's check cannot name that in C. */
#define FIELD_GUARDED_BY(lock)
#define REQUIRES(...)    THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define ACQUIRE(...)     THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define RELEASE(...)     THREAD_SAFETY(release_capability(__VA_ARGS__))
#define EXCLUDES(...)    THREAD_SAFETY(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY THREAD_SAFETY(no_thread_safety_analysis)

#define CACHE_LINE 64

/* A thread of ours. Threads start with every signal blocked but the synchronous faults. */
struct thread {
    pthread_t handle;
    void (*run)(void *arg);
    void *arg;
    char name[16];
};

/* Starts `run(arg)` on a new thread named `name` (at most 15 bytes are kept). `t` must stay where
 * it is until thread_join. Fails with ERR_OS. Any thread. */
bool thread_create(struct thread *t, const char *name, void (*run)(void *arg), void *arg,
                   struct error *err) MUST_USE;

/* Waits until it has returned. */
void thread_join(struct thread *t);

/* Starts a thread that nobody joins. */
bool thread_create_detached(const char *name, void (*run)(void *arg), void *arg, struct error *err)
    MUST_USE;

/* The kernel's id of the calling thread. */
int thread_id(void);

/* Gives the rest of the time slice away. */
void thread_yield(void);

/* Has every running thread of the program pass a full memory barrier, so that those who often need
 * one do without. False: the system has no such call. A few microseconds; the first call of all may
 * take some milliseconds. Any thread. */
bool thread_barrier_all(void);

/* A lock that sleeps. All-zero is valid and unlocked. */
struct CAPABILITY("mutex") mutex {
    pthread_mutex_t handle;
};
#define MUTEX_INITIALIZER {PTHREAD_MUTEX_INITIALIZER}

void mutex_init(struct mutex *m);
void mutex_deinit(struct mutex *m);
void mutex_lock(struct mutex *m) ACQUIRE(m);
bool mutex_try_lock(struct mutex *m) TRY_ACQUIRE(true, m);
void mutex_unlock(struct mutex *m) RELEASE(m);

/* A condition to wait for under a mutex; its clock is the monotonic one. */
struct condition {
    pthread_cond_t handle;
};

void condition_init(struct condition *c);
void condition_deinit(struct condition *c);
void condition_wait(struct condition *c, struct mutex *m) REQUIRES(m);
/* False: `timeout_ns` (relative) has passed. Spurious returns (true) happen, as with all
 * conditions. */
bool condition_wait_for(struct condition *c, struct mutex *m, uint64_t timeout_ns) REQUIRES(m);
void condition_signal(struct condition *c);
void condition_broadcast(struct condition *c);

/* Tells the core that we are spinning. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* A lock for a few dozen instructions, never held across a call that may wait. All-zero is
 * unlocked. */
struct CAPABILITY("spinlock") spinlock {
    atomic_bool held;
};

void spinlock_wait(struct spinlock *l);

static inline void spinlock_lock(struct spinlock *l) ACQUIRE(l) NO_THREAD_SAFETY
{
    /* acquire: pairs with the release in spinlock_unlock */
    while (UNLIKELY(atomic_exchange_explicit(&l->held, true, memory_order_acquire)))
        spinlock_wait(l);
}

static inline bool spinlock_try_lock(struct spinlock *l) TRY_ACQUIRE(true, l) NO_THREAD_SAFETY
{
    return !atomic_exchange_explicit(&l->held, true, memory_order_acquire);
}

static inline void spinlock_unlock(struct spinlock *l) RELEASE(l) NO_THREAD_SAFETY
{
    atomic_store_explicit(&l->held, false, memory_order_release);
}

#endif
