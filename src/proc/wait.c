/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/wait.h"
#include "proc/environment.h"
#include "proc/process.h"
#include "sched/timer.h"

typedef uint64_t __attribute__((may_alias)) word;

static_assert(sizeof(struct wait) == 5 * sizeof(word), "stored word by word");

/* Senders may be reading: each word is stored at once. What they make of a mixture of old and new
 * does not matter, because a process that changes its wait looks at its queue again before it
 * parks. */
static void store(struct process *p, const struct wait *w)
{
    const word *from = (const word *)(const void *)w;
    word *to = (word *)(void *)&p->wait;

    for (size_t i = 0; i < sizeof(*w) / sizeof(word); i++)
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
}

static void clear(struct process *p)
{
    __atomic_store_n((word *)(void *)&p->wait, 0, __ATOMIC_RELAXED);
    if (p->has_timer) {
        timer_clear(&p->timer);
        p->has_timer = false;
    }
}

void wait_message(struct process *p, const int64_t *tags, size_t tag_count, uint64_t deadline_ns,
                  uint64_t since)
{
    struct wait w = {.kind = WAIT_MESSAGE, .deadline_ns = deadline_ns, .value = since};

    w.tag_count = tag_count <= WAIT_TAGS_INLINE ? (uint8_t)tag_count : WAIT_TAGS_MANY;
    for (size_t i = 0; i < tag_count && i < WAIT_TAGS_INLINE; i++)
        w.tags[i] = tags[i];
    store(p, &w);
}

void wait_begin(struct process *p, uint8_t kind, uint64_t deadline_ns,
                void (*cancel)(struct process *, struct wait *), void *object)
{
    struct wait w = {.kind = kind, .deadline_ns = deadline_ns};

    ASSERT(kind != WAIT_NONE && kind != WAIT_MESSAGE && (!cancel || kind >= WAIT_NAME));
    w.cancel = cancel;
    w.object = object;
    store(p, &w);
}

void wait_answer(struct process *p, uint64_t key, uint64_t deadline_ns)
{
    struct wait w = {.kind = WAIT_ANSWER, .deadline_ns = deadline_ns};

    w.key = key;
    store(p, &w);
}

void wait_end(struct process *p)
{
    clear(p);
}

void wait_cancel_saved(struct process *p, struct wait *w)
{
    if (w->kind >= WAIT_NAME && w->cancel)
        w->cancel(p, w);
    w->kind = WAIT_NONE;
}

void wait_cancel(struct process *p)
{
    struct wait w = p->wait;

    if (w.kind == WAIT_NONE)
        return;
    clear(p);
    wait_cancel_saved(p, &w);
}

void wait_save(struct process *p, struct wait *out)
{
    *out = p->wait;
    clear(p);
}

void wait_restore(struct process *p, const struct wait *w)
{
    store(p, w);
}

bool wait_expired(const struct process *p)
{
    return p->wait.deadline_ns != DEADLINE_NEVER &&
           actors_now_ns(p->environment->actors) >= p->wait.deadline_ns;
}
