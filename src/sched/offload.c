/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "sched/offload.h"
#include "sched/internal.h"

void offload_init(struct offload_pool *p, uint32_t thread_max)
{
    mutex_init(&p->lock);
    condition_init(&p->work);
    condition_init(&p->ended);
    list_init(&p->queue);
    p->thread_max = thread_max ? thread_max : OFFLOAD_THREADS_MAX;
}

void offload_deinit(struct offload_pool *p)
{
    struct list left, *node;

    list_init(&left);
    mutex_lock(&p->lock);
    p->is_stopping = true;
    while ((node = list_pop_front(&p->queue)))
        list_push_back(&left, node);
    condition_broadcast(&p->work);
    while (p->thread_count > 0)
        condition_wait(&p->ended, &p->lock);
    mutex_unlock(&p->lock);
    while ((node = list_pop_front(&left))) {
        struct offload_job *job = CONTAINER_OF(node, struct offload_job, link);

        if (!offload_is_wanted(job)) /* submitted alone */
            job->run(job);
        job->discard(job);
    }
    condition_deinit(&p->ended);
    condition_deinit(&p->work);
    mutex_deinit(&p->lock);
}

/* Runs the job and hands it back, or discards it if nobody wants it any more. */
static void execute(struct scheduler *s, struct worker *w, struct offload_job *job)
{
    struct task *waiter = job->waiter; /* the job may be gone as soon as it is finished */
    uint32_t expected = OFFLOAD_RUNNING;

    job->run(job);
    if (!atomic_compare_exchange_strong_explicit(&job->state, &expected, OFFLOAD_FINISHED,
                                                 memory_order_acq_rel, memory_order_acquire))
        job->discard(job);
    else if (waiter)
        task_wake(s, w, waiter);
}

/* Out of the queue. A job that is detached from the start stays so. */
static void begin(struct offload_job *job)
{
    if (offload_is_wanted(job))
        atomic_store_explicit(&job->state, OFFLOAD_RUNNING, memory_order_relaxed);
}

static void helper_main(void *arg)
{
    struct scheduler *s = arg;
    struct offload_pool *p = &s->offload;
    bool timed_out = false;

    mutex_lock(&p->lock);
    for (;;) {
        struct list *node = list_pop_front(&p->queue);

        if (node) {
            struct offload_job *job = CONTAINER_OF(node, struct offload_job, link);

            begin(job);
            p->queue_size--;
            p->begun++;
            p->running_count++;
            mutex_unlock(&p->lock);
            execute(s, NULL, job);
            mutex_lock(&p->lock);
            p->running_count--;
            timed_out = false;
            continue;
        }
        if (p->is_stopping || timed_out)
            break;
        p->idle_count++;
        timed_out = !condition_wait_for(&p->work, &p->lock, OFFLOAD_IDLE_NS);
        p->idle_count--;
    }
    p->thread_count--;
    if (p->thread_count == 0)
        condition_broadcast(&p->ended);
    mutex_unlock(&p->lock);
}

/* One more helper if none is idle. If there can be no thread at all the caller must do the work. */
static bool has_helper(struct scheduler *s, struct offload_pool *p) REQUIRES(p->lock)
{
    size_t queued = 0;

    for (struct list *node = p->queue.next; node != &p->queue && queued <= p->idle_count;
         node = node->next)
        queued++;
    if (p->idle_count >= queued || p->thread_count >= p->thread_max)
        return true;
    p->thread_count++;
    if (thread_create_detached("lun-offload", helper_main, s, NULL))
        return true;
    p->thread_count--;
    return p->thread_count > 0;
}

static void submit(struct scheduler *s, struct worker *w, struct offload_job *job,
                   enum offload_state state)
{
    struct offload_pool *p = &s->offload;
    bool here = s->options.deterministic;

    atomic_store_explicit(&job->state, state, memory_order_relaxed);
    if (!here) {
        mutex_lock(&p->lock);
        list_push_back(&p->queue, &job->link);
        p->queue_size++;
        if (p->is_stopping || !has_helper(s, p)) {
            list_remove(&job->link);
            p->queue_size--;
            here = true;
        }
        mutex_unlock(&p->lock);
        /* Who is woken may run at once, on this core: it would only find the lock taken. */
        if (!here)
            condition_signal(&p->work);
    }
    if (here) {
        begin(job);
        execute(s, w, job);
    }
}

void offload_submit(struct scheduler *s, struct worker *w, struct offload_job *job)
{
    submit(s, w, job, OFFLOAD_QUEUED);
}

void offload_submit_alone(struct scheduler *s, struct worker *w, struct offload_job *job)
{
    submit(s, w, job, OFFLOAD_DETACHED);
}

void offload_detach(struct scheduler *s, struct offload_job *job)
{
    struct offload_pool *p = &s->offload;
    uint32_t expected = OFFLOAD_RUNNING;
    bool is_ours = false;

    mutex_lock(&p->lock);
    if (atomic_load_explicit(&job->state, memory_order_relaxed) == OFFLOAD_QUEUED) {
        list_remove(&job->link);
        p->queue_size--;
        is_ours = true;
    }
    mutex_unlock(&p->lock);
    /* acq_rel: pairs with the exchange in execute(); failing, it has finished */
    if (is_ours ||
        !atomic_compare_exchange_strong_explicit(&job->state, &expected, OFFLOAD_DETACHED,
                                                 memory_order_acq_rel, memory_order_acquire))
        job->discard(job);
}
