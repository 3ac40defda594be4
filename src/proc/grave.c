/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/grave.h"
#include "proc/actors.h"
#include "proc/mailbox.h"
#include "proc/tag_index.h"
#include "sched/scheduler.h"

/* Takes up to `max` messages out of the grave. */
static struct message *take(struct grave *g, size_t max, bool *has_more)
{
    struct message *first, *last = NULL;

    spinlock_lock(&g->lock);
    first = g->first;
    for (size_t i = 0; i < max && g->first; i++) {
        last = g->first;
        g->first = last->next;
    }
    *has_more = g->first != NULL;
    spinlock_unlock(&g->lock);
    if (last)
        last->next = NULL;
    return first;
}

static void free_all(struct actors *a, struct message *first)
{
    struct message *next;

    for (struct message *m = first; m; m = next) {
        next = m->next;
        message_free(a, m);
    }
}

static enum task_result run(struct task *t, struct worker *w)
{
    struct grave *g = CONTAINER_OF(t, struct grave, task);
    bool has_more;

    (void)w;
    free_all(g->actors, take(g, GRAVE_BATCH, &has_more));
    return has_more ? TASK_YIELD : TASK_PARK;
}

/* Never: it parks for the next. */
static void done(struct task *t, struct worker *w)
{
    (void)t;
    (void)w;
}

static const struct task_class grave_task = {run, done, NULL};

void grave_init(struct grave *g, struct actors *a)
{
    *g = (struct grave){.actors = a};
    task_init(&g->task, &grave_task);
}

void grave_bury(struct actors *a, struct worker *w, struct mailbox *mb)
{
    struct grave *g;
    bool was_started;

    if (LIKELY(mb->count < GRAVE_COUNT_MIN) || !w || scheduler_stopping(a->scheduler)) {
        mailbox_deinit(mb, a);
        return;
    }
    g = &a->graves[w->index];
    spinlock_lock(&g->lock);
    mb->last->next = g->first;
    g->first = mb->first;
    was_started = g->is_started;
    g->is_started = true;
    spinlock_unlock(&g->lock);
    mb->first = mb->last = NULL;
    mailbox_deinit(mb, a);
    if (was_started)
        task_wake(a->scheduler, w, &g->task);
    else
        task_start(a->scheduler, w, &g->task);
}

void graves_empty(struct actors *a)
{
    for (uint32_t i = 0; i < a->worker_count; i++) {
        struct grave *g = &a->graves[i];
        struct message *first;

        spinlock_lock(&g->lock);
        first = g->first;
        g->first = NULL;
        spinlock_unlock(&g->lock);
        free_all(a, first);
    }
}
