/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Blocking work of WASI functions on helper threads. A process that dies leaves its job to finish
 * alone. */
#include "host/wasi/internal.h"

struct wasi_job *wasi_job_new(void (*work)(struct wasi_job *j), struct wasi_handle *h)
{
    struct wasi_job *j = mem_try(struct wasi_job);

    if (!j)
        return NULL;
    j->work = work;
    j->handle = wasi_handle_ref(h);
    j->fd = -1;
    return j;
}

void wasi_job_free(struct wasi_job *j)
{
    if (!j)
        return;
    file_close(j->fd);
    wasi_handle_unref(j->handle);
    wasi_handle_unref(j->other);
    mem_free(j->path);
    mem_free(j->other_path);
    mem_free(j->buffer);
    mem_free(j);
}

static void job_run(struct offload_job *job)
{
    struct wasi_job *j = CONTAINER_OF(job, struct wasi_job, job);

    j->work(j);
    j->has_run = true;
}

static void job_discard(struct offload_job *job)
{
    struct wasi_job *j = CONTAINER_OF(job, struct wasi_job, job);

    if (j->reads_input && j->has_run && !j->error)
        wasi_input_put_back(j->handle->shared, j->buffer, j->size);
    wasi_job_free(j);
}

bool wasi_job_is_wanted(const struct wasi_job *j)
{
    return offload_is_wanted(&j->job);
}

static void job_cancel(struct process *p, struct wait *w)
{
    struct wasi_job *j = w->object;

    offload_detach(p->environment->actors->scheduler, &j->job);
}

struct wasi_job *wasi_job_resume(struct guest *g, bool *running)
{
    struct process *p = g->process;
    struct wasi_job *j;

    *running = false;
    if (p->wait.kind != WAIT_WASI_JOB)
        return NULL;
    j = p->wait.object;
    if (!offload_finished(&j->job)) {
        *running = true;
        return NULL;
    }
    wait_end(p);
    return j;
}

bool wasi_job_start(struct guest *g, struct wasi_job *j)
{
    struct process *p = g->process;

    j->has_run = false;
    j->job.run = job_run;
    j->job.discard = job_discard;
    j->job.waiter = &p->task;
    wait_begin(p, WAIT_WASI_JOB, DEADLINE_NEVER, job_cancel, j);
    offload_submit(p->environment->actors->scheduler, worker_current(), &j->job);
    if (!offload_finished(&j->job))
        return false;
    wait_end(p);
    return true;
}
