/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/test_output.h"
#include "base/mem.h"
#include "base/vec.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAIN_PROCESS     1u
#define SEGMENT_SIZE_MAX (64u << 10) /* so that the tail loses little at a time */

/* What one process has written in one go. */
struct segment {
    struct list link;
    uint64_t process;
    enum test_output_kind kind;
    struct bytes text;
};

static size_t segment_size(const struct segment *s)
{
    return sizeof(*s) + s->text.size;
}

static void segment_free(struct segment *s)
{
    bytes_deinit(&s->text);
    mem_free(s);
}

static struct segment *segment_of(struct list *link)
{
    return CONTAINER_OF(link, struct segment, link);
}

void test_output_init(struct test_output *o)
{
    *o = (struct test_output){.lock = PTHREAD_MUTEX_INITIALIZER};
    list_init(&o->head);
    list_init(&o->tail);
}

void test_output_deinit(struct test_output *o)
{
    struct list *node;

    while ((node = list_pop_front(&o->head)) != NULL || (node = list_pop_front(&o->tail)) != NULL)
        segment_free(segment_of(node));
    pthread_mutex_destroy(&o->lock);
}

/* The last segment of the list, if these bytes may go on it. */
static struct segment *last_segment(struct list *list, uint64_t process, enum test_output_kind kind,
                                    size_t size)
{
    struct segment *s;

    if (list_empty(list))
        return NULL;
    s = segment_of(list->prev);
    if (s->process != process || s->kind != kind || s->text.size > SEGMENT_SIZE_MAX ||
        size > SEGMENT_SIZE_MAX - s->text.size)
        return NULL;
    return s;
}

/* Appends to one of the two lists; the bytes that this took, 0: no memory. */
static size_t add_to(struct list *list, uint64_t process, enum test_output_kind kind,
                     const void *data, size_t size)
{
    struct segment *s = last_segment(list, process, kind, size);
    size_t added = size;

    if (!s) {
        s = mem_try(struct segment);
        if (!s)
            return 0;
        s->process = process;
        s->kind = kind;
        list_push_back(list, &s->link);
        added += sizeof(*s);
    }
    return bytes_append(&s->text, data, size) ? added : 0;
}

void test_output_add(struct test_output *o, uint64_t process, enum test_output_kind kind,
                     const void *data, size_t size)
{
    size_t added;

    if (size == 0)
        return;
    pthread_mutex_lock(&o->lock);
    if (o->head_size < TEST_OUTPUT_HEAD_MAX) {
        added = add_to(&o->head, process, kind, data, size);
        o->head_size += added;
    } else {
        added = add_to(&o->tail, process, kind, data, size);
        o->tail_size += added;
    }
    if (added == 0)
        o->lost += size;
    while (o->tail_size > TEST_OUTPUT_TAIL_MAX && o->tail.next->next != &o->tail) {
        struct segment *s = segment_of(list_pop_front(&o->tail));

        o->tail_size -= segment_size(s);
        o->lost += s->text.size;
        segment_free(s);
    }
    pthread_mutex_unlock(&o->lock);
}

void test_output_note(struct test_output *o, const char *format, ...)
{
    struct bytes text = {0};
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size >= 0 && bytes_reserve(&text, (size_t)size + 2)) {
        va_start(args, format);
        vsnprintf((char *)text.data, (size_t)size + 1, format, args);
        va_end(args);
        text.data[size] = '\n';
        test_output_add(o, MAIN_PROCESS, TEST_OUTPUT_NOTE, text.data, (size_t)size + 1);
    }
    bytes_deinit(&text);
}

/* ---- showing it ---- */

/* A process that has written, and the how-manieth segment was its first. */
struct writer {
    uint64_t process;
    size_t order;
};

struct writers {
    VEC(struct writer) list; /* by process */
};

static int by_process(const void *a, const void *b)
{
    const struct writer *x = a, *y = b;

    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b)
{
    const struct writer *x = a, *y = b;

    return x->order < y->order ? -1 : x->order > y->order;
}

static void sort(struct writers *w, int (*compare)(const void *a, const void *b))
{
    if (w->list.count)
        qsort(w->list.items, w->list.count, sizeof(w->list.items[0]), compare);
}

static bool collect_from(const struct list *segments, struct writers *w)
{
    for (struct list *l = segments->next; l != segments; l = l->next) {
        if (!vec_push(&w->list, (struct writer){segment_of(l)->process, w->list.count}))
            return false;
    }
    return true;
}

/* All writers, each once, `order` being their numbers: 0 is the test's own process, the others in
 * the order in which they first wrote. */
static bool writers_collect(const struct test_output *o, struct writers *w)
{
    size_t kept = 1;

    if (!vec_push(&w->list, (struct writer){MAIN_PROCESS, 0}) || !collect_from(&o->head, w) ||
        !collect_from(&o->tail, w))
        return false;
    sort(w, by_process);
    for (size_t i = 1; i < w->list.count; i++) {
        if (w->list.items[i].process != w->list.items[kept - 1].process)
            w->list.items[kept++] = w->list.items[i];
    }
    w->list.count = kept;
    sort(w, by_order);
    for (size_t i = 0; i < kept; i++)
        w->list.items[i].order = i;
    sort(w, by_process);
    return true;
}

static size_t writer_number(const struct writers *w, uint64_t process)
{
    const struct writer key = {process, 0};
    size_t low = 0, high = w->list.count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (w->list.items[middle].process <= key.process)
            low = middle;
        else
            high = middle;
    }
    return w->list.items[low].order;
}

static bool end_line(struct bytes *out, size_t start)
{
    return out->size == start || out->data[out->size - 1] == '\n' || bytes_append_u8(out, '\n');
}

static bool show_segments(const struct list *segments, const struct writers *w, uint64_t *process,
                          struct bytes *out, size_t start)
{
    for (struct list *l = segments->next; l != segments; l = l->next) {
        const struct segment *s = segment_of(l);

        if (w->list.count > 1 && s->process != *process) {
            if (!end_line(out, start) ||
                !bytes_printf(out, " --- process %zu stdout ---\n", writer_number(w, s->process)))
                return false;
            *process = s->process;
        } else if (s->kind != TEST_OUTPUT_TEXT && !end_line(out, start)) {
            return false;
        }
        if (!bytes_append(out, s->text.data, s->text.size))
            return false;
    }
    return true;
}

static bool show_notes(const struct list *segments, struct bytes *out)
{
    for (struct list *l = segments->next; l != segments; l = l->next) {
        const struct segment *s = segment_of(l);

        if (s->kind == TEST_OUTPUT_NOTE && !bytes_append(out, s->text.data, s->text.size))
            return false;
    }
    return true;
}

bool test_output_show(const struct test_output *o, bool only_notes, struct bytes *out)
{
    struct writers w = {0};
    uint64_t process = 0; /* no process has this id */
    size_t start = out->size;
    bool ok;

    if (only_notes)
        return show_notes(&o->head, out) && show_notes(&o->tail, out);
    if (list_empty(&o->head))
        return true;
    ok = writers_collect(o, &w) && show_segments(&o->head, &w, &process, out, start);
    if (ok && o->lost)
        ok = end_line(out, start) &&
             bytes_printf(out, "note: %" PRIu64 " bytes of output are left out here\n", o->lost);
    ok = ok && show_segments(&o->tail, &w, &process, out, start) && end_line(out, start);
    vec_deinit(&w.list);
    return ok;
}

static bool own_from(const struct list *segments, struct bytes *out)
{
    for (struct list *l = segments->next; l != segments; l = l->next) {
        const struct segment *s = segment_of(l);

        if (s->process == MAIN_PROCESS && s->kind == TEST_OUTPUT_TEXT &&
            !bytes_append(out, s->text.data, s->text.size))
            return false;
    }
    return true;
}

bool test_output_own(const struct test_output *o, struct bytes *out)
{
    return own_from(&o->head, out) && own_from(&o->tail, out);
}
