/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "cli/signals.h"
#include "cli/command.h"
#include "cli/inspect_socket.h"
#include "cli/process_table.h"
#include "cli/watch.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE   (256u << 10)
#define BUSY_LOOK_MS 50
#define SIGNAL_COUNT 32 /* the ordinary ones */

static struct {
    pthread_mutex_t lock;
    struct lunatic_environment *running; /* NULL: not yet, or no longer */
    int caught;                          /* the first signal, 0: none */
    uint64_t grace_ms;
    uint64_t end_ms; /* of the grace period, by the monotonic clock; 0: nobody has asked */
} stopper = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int listening = -1;
static sigset_t taken; /* the signals that the thread takes */
/* By number, set by the handler; only looked at with `taken` blocked. */
static volatile sig_atomic_t came[SIGNAL_COUNT];
static atomic_bool is_printing; /* the answer to a SIGQUIT */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Ends us on the spot. */
static _Noreturn void leave(int n)
{
    inspect_remove();
    _exit(EXIT_SIGNAL_BASE + n);
}

static void stop(int n)
{
    pthread_mutex_lock(&stopper.lock);
    if (stopper.caught != 0 || !stopper.running)
        leave(n);
    stopper.caught = n;
    stopper.end_ms = now_ms() + stopper.grace_ms;
    lunatic_environment_stop(stopper.running);
    pthread_mutex_unlock(&stopper.lock);
}

/* ---- SIGQUIT ---- */

static bool write_error(void *context, const char *data, size_t size)
{
    (void)context;
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static void *print(void *unused)
{
    struct lunatic_runtime *rt = watch_take();
    struct table_options options;

    (void)unused;
    table_options_init(&options);
    if (rt) {
        table_write(rt, &options, write_error, NULL);
        watch_give();
    }
    atomic_store(&is_printing, false);
    return NULL;
}

static bool start_thread(void *(*run)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool ok;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ok = pthread_create(&thread, &attributes, run, NULL) == 0;
    pthread_attr_destroy(&attributes);
    return ok;
}

static void print_processes(void)
{
    if (!atomic_exchange(&is_printing, true) && !start_thread(print))
        atomic_store(&is_printing, false);
}

/* ---- PID 1 ---- */

/* The children of processes that have ended are ours. What we start ourselves (the converter of
 * text modules) has ended before the program runs. */
static void reap(void)
{
    bool runs;

    pthread_mutex_lock(&stopper.lock);
    runs = stopper.running;
    pthread_mutex_unlock(&stopper.lock);
    while (runs && waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* ---- the thread ---- */

static void on_signal(int n)
{
    came[n] = 1;
}

static void take_signals(void)
{
    for (int n = 1; n < SIGNAL_COUNT; n++) {
        if (!came[n])
            continue;
        came[n] = 0;
        switch (n) {
        case SIGQUIT:
            print_processes();
            break;
        case SIGCHLD:
            reap();
            break;
        default:
            stop(n);
            break;
        }
    }
}

/* Ends us if the grace period is over; else how long to wait for that, as poll() wants it. */
static int grace_left(void)
{
    uint64_t now = now_ms(), end;
    int caught;

    pthread_mutex_lock(&stopper.lock);
    end = stopper.end_ms;
    caught = stopper.caught;
    pthread_mutex_unlock(&stopper.lock);
    if (end == 0)
        return -1;
    if (now >= end) {
        fprintf(stderr,
                "lunatic: the program has not ended within %llu ms of signal %d (--grace)\n",
                (unsigned long long)stopper.grace_ms, caught);
        leave(caught);
    }
    return end - now < 1000 ? (int)(end - now) + 1 : 1000;
}

/* The signals come while it waits, and only then. Not by a signalfd: the kernel wakes whoever waits
 * for one at each signal of any thread, the workers' ticks too. */
static void *take(void *unused)
{
    sigset_t waiting;

    (void)unused;
    pthread_sigmask(SIG_BLOCK, NULL, &waiting);
    for (int n = 1; n < SIGNAL_COUNT; n++)
        if (sigismember(&taken, n))
            sigdelset(&waiting, n);
    for (;;) {
        int timeout_ms = grace_left(), count;
        bool busy = inspect_is_busy();
        struct pollfd fd = {.fd = busy ? -1 : listening, .events = POLLIN};
        struct timespec timeout;

        if (busy && (timeout_ms < 0 || timeout_ms > BUSY_LOOK_MS))
            timeout_ms = BUSY_LOOK_MS;
        timeout = (struct timespec){timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
        count = ppoll(&fd, 1, timeout_ms < 0 ? NULL : &timeout, &waiting);
        take_signals();
        if (count > 0)
            inspect_serve(listening);
    }
    return NULL;
}

bool signals_start(const struct signals_options *options, struct error *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NOCLDSTOP}, old;
    struct error ignored;

    stopper.grace_ms = options->grace_ms;
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGQUIT);
    if (sigaction(SIGINT, NULL, &old) != 0 || old.sa_handler != SIG_IGN)
        sigaddset(&taken, SIGINT);
    if (getpid() == 1) /* ignored children would vanish by themselves, with the status of our own */
        sigaddset(&taken, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &taken, NULL);
    sigfillset(&action.sa_mask);
    for (int n = 1; n < SIGNAL_COUNT; n++)
        if (sigismember(&taken, n) && sigaction(n, &action, NULL) != 0)
            return fail_os(err, errno, "signal %d cannot be caught", n);
    /* Where no socket can be made (a read-only file system) the program runs without. */
    if (!options->no_inspect)
        listening = inspect_open(&ignored);
    if (!start_thread(take)) {
        inspect_remove();
        return fail(err, ERR_OS, "no thread for signals can be started");
    }
    return true;
}

bool signals_run(struct lunatic_runtime *rt, const char *path, bool (*start)(void *arg), void *arg,
                 struct lunatic_environment **e)
{
    bool ok;

    watch_begin(rt, path);
    pthread_mutex_lock(&stopper.lock);
    ok = start(arg);
    if (ok)
        stopper.running = *e;
    pthread_mutex_unlock(&stopper.lock);
    if (ok && getpid() == 1)
        reap(); /* those that ended before */
    return ok;
}

int signals_over(void)
{
    int caught;

    pthread_mutex_lock(&stopper.lock);
    stopper.running = NULL;
    caught = stopper.caught;
    pthread_mutex_unlock(&stopper.lock);
    return caught;
}

bool signals_end(void)
{
    inspect_remove();
    return watch_end();
}
