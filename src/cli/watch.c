/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/watch.h"
#include <pthread.h>
#include <time.h>

#define END_TIME_S 3 /* who has not noticed the end by then hangs */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct lunatic_runtime *runtime;
    const char *path;
    time_t start;
    unsigned holders;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .given = PTHREAD_COND_INITIALIZER};

void watch_begin(struct lunatic_runtime *rt, const char *path)
{
    pthread_mutex_lock(&watch.lock);
    watch.runtime = rt;
    watch.path = path;
    watch.start = time(NULL);
    pthread_mutex_unlock(&watch.lock);
}

bool watch_end(void)
{
    struct timespec deadline;
    bool ok = true;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += END_TIME_S;
    pthread_mutex_lock(&watch.lock);
    watch.runtime = NULL;
    while (watch.holders > 0 && ok)
        ok = pthread_cond_timedwait(&watch.given, &watch.lock, &deadline) == 0;
    ok = watch.holders == 0;
    pthread_mutex_unlock(&watch.lock);
    return ok;
}

struct lunatic_runtime *watch_take(void)
{
    struct lunatic_runtime *rt;

    pthread_mutex_lock(&watch.lock);
    rt = watch.runtime;
    if (rt)
        watch.holders++;
    pthread_mutex_unlock(&watch.lock);
    return rt;
}

void watch_give(void)
{
    pthread_mutex_lock(&watch.lock);
    if (--watch.holders == 0)
        pthread_cond_broadcast(&watch.given);
    pthread_mutex_unlock(&watch.lock);
}

bool watch_is_ending(void)
{
    bool ending;

    pthread_mutex_lock(&watch.lock);
    ending = !watch.runtime;
    pthread_mutex_unlock(&watch.lock);
    return ending;
}

const char *watch_program(void)
{
    return watch.path ? watch.path : "";
}

uint64_t watch_start_time(void)
{
    return (uint64_t)watch.start;
}
