/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tells about the processes that live, beside them: see proc/look.h for how. An environment that is
 * being looked at is pinned; whoever frees it waits for the look, which ends at its next batch. */
#include "host/inspect.h"
#include "base/mem.h"
#include "plat/vmem.h"
#include "proc/look.h"
#include "runtime/internal.h"
#include <stdlib.h>

#define ANSWER_TIME_NS                                                                             \
    (300 * NS_PER_MS)             /* how long running processes have to tell about themselves */
#define NAMES_MAX      (1u << 18) /* names that are collected */
#define NAME_SHOWN_MAX 80u        /* bytes of each */
#define NAMES_PIECE    1024u      /* entries under the registry's lock at a time */
#define PRESENT_PIECE  4096u      /* pages that the kernel is asked about at a time */

/* Names by process id, each as an offset into `text`. */
struct name {
    uint64_t id;
    uint32_t begin, size;
};

struct names {
    VEC(struct name) list; /* ascending by id once sorted */
    struct bytes text;
};

struct inspection {
    struct lunatic_inspect_options options;
    lunatic_inspect_fn *each;
    void *context;
    uint64_t told; /* processes */
    struct names names;
    struct bytes line; /* the names of one process */
    struct look look;
    struct guest_view rows[LOOK_BATCH];
};

void lunatic_inspect_options_init(struct lunatic_inspect_options *o)
{
    *o = (struct lunatic_inspect_options){.size = sizeof(*o), .detail_max = UINT64_MAX};
}

/* ---- pins ---- */

/* Pins the environment behind `e` in the runtime's list (the first if NULL), and unpins `e`. */
static struct lunatic_environment *next_environment(struct lunatic_runtime *rt,
                                                    struct lunatic_environment *e)
{
    struct lunatic_environment *next = NULL;

    mutex_lock(&rt->lock);
    for (struct list *l = e ? e->link.next : rt->environments.next; l != &rt->environments;
         l = l->next) {
        struct lunatic_environment *x = CONTAINER_OF(l, struct lunatic_environment, link);

        mutex_lock(&x->lock);
        if (!x->is_closing) {
            x->pins++;
            next = x;
        }
        mutex_unlock(&x->lock);
        if (next)
            break;
    }
    mutex_unlock(&rt->lock);
    if (e) {
        mutex_lock(&e->lock);
        if (--e->pins == 0)
            condition_broadcast(&e->changed);
        mutex_unlock(&e->lock);
    }
    return next;
}

static bool is_closing(struct lunatic_environment *e)
{
    bool closing;

    mutex_lock(&e->lock);
    closing = e->is_closing;
    mutex_unlock(&e->lock);
    return closing;
}

void runtime_environment_unpinned(struct lunatic_environment *e)
{
    mutex_lock(&e->lock);
    e->is_closing = true;
    while (e->pins > 0)
        condition_wait(&e->changed, &e->lock);
    mutex_unlock(&e->lock);
}

/* ---- names ---- */

static void add_name(void *arg, uint64_t id, struct slice name)
{
    struct names *n = arg;
    struct name one = {.id = id, .begin = (uint32_t)n->text.size};

    if (n->list.count >= NAMES_MAX)
        return;
    one.size = (uint32_t)(name.size < NAME_SHOWN_MAX ? name.size : NAME_SHOWN_MAX);
    if (bytes_append(&n->text, name.data, one.size) && !vec_push(&n->list, one))
        n->text.size = one.begin;
}

static int compare(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static void collect_names(struct names *n, struct environment *e)
{
    size_t from = 0;

    n->list.count = 0;
    n->text.size = 0;
    do {
        from = registry_list(&e->registry, from, NAMES_PIECE, add_name, n);
    } while (from != 0 && n->list.count < NAMES_MAX);
    if (n->list.count > 1)
        qsort(n->list.items, n->list.count, sizeof(struct name), compare);
}

/* `"a" / "b"` */
static const char *names_of(struct inspection *in, uint64_t id)
{
    const struct names *n = &in->names;
    size_t low = 0, high = n->list.count;
    struct slice last = {0};

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (n->list.items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    in->line.size = 0;
    for (; low < n->list.count && n->list.items[low].id == id; low++) {
        const struct name *one = &n->list.items[low];
        struct slice text = slice_make(n->text.data + one->begin, one->size);

        if (slice_equal(text, last)) /* told twice, as the table grew */
            continue;
        if (!bytes_printf(&in->line, "%s\"%.*s\"", in->line.size ? " / " : "", (int)text.size,
                          (const char *)text.data))
            break;
        last = text;
    }
    if (!bytes_append_u8(&in->line, 0))
        return "";
    return (const char *)in->line.data;
}

/* ---- rows ---- */

static uint64_t present_bytes(const struct guest_view *row)
{
    uint64_t bits[PRESENT_PIECE / 64], count = 0;
    const uint8_t *memory = row->memory, *page;
    size_t pages;

    if (!memory)
        return LUNATIC_UNKNOWN;
    page = (const uint8_t *)((uintptr_t)memory & ~(uintptr_t)(VMEM_PAGE - 1));
    pages = ((size_t)(memory - page) + row->memory_size + VMEM_PAGE - 1) / VMEM_PAGE;
    for (size_t at = 0; at < pages; at += PRESENT_PIECE) {
        size_t n = pages - at < PRESENT_PIECE ? pages - at : PRESENT_PIECE;

        if (!vmem_present(page + at * VMEM_PAGE, n, bits))
            return LUNATIC_UNKNOWN;
        for (size_t i = 0; i < (n + 63) / 64; i++)
            count += (uint64_t)__builtin_popcountll(i == n / 64 ? bits[i] & ((1ull << n % 64) - 1)
                                                                : bits[i]);
    }
    return count * VMEM_PAGE;
}

static bool tell(struct inspection *in, struct environment *e, size_t index)
{
    static const enum lunatic_process_state states[] = {[PROCESS_RUNNING] = LUNATIC_PROCESS_RUNNING,
                                                        [PROCESS_READY] = LUNATIC_PROCESS_READY,
                                                        [PROCESS_WAITING] =
                                                            LUNATIC_PROCESS_WAITING};
    const struct process_view *v = &in->look.views[index];
    const struct guest_view *row = &in->rows[index];
    struct lunatic_process_info info = {
        .size = sizeof(info),
        .environment_id = e->id,
        .id = v->id,
        .state = states[v->activity],
        .wait = v->activity == PROCESS_WAITING && row->wait ? row->wait : "",
        .wait_details = v->activity == PROCESS_WAITING ? row->details : "",
        .function = row->function,
        .queue_count = v->queue_count,
        .queue_size = v->queue_size,
        .links = v->link_count,
        .monitors = v->monitor_count,
        .memory_size = in->look.has_body[index] ? row->memory_size : LUNATIC_UNKNOWN,
        .memory_present = LUNATIC_UNKNOWN,
        .cpu_ns = v->cpu_ns,
        .names = "",
    };

    info.names = names_of(in, v->id);
    if (in->told++ < in->options.detail_max)
        info.memory_present = present_bytes(row);
    return in->each(in->context, &info);
}

static bool tell_batch(struct inspection *in, struct environment *e)
{
    for (size_t i = 0; i < in->look.count; i++) {
        if (!tell(in, e, i))
            return false;
    }
    return true;
}

static bool inspect(struct inspection *in, struct lunatic_environment *le)
{
    struct environment *e = le->environment;
    uint64_t id = in->options.process_id;
    bool goes_on = true;

    collect_names(&in->names, e);
    mutex_lock(&le->look_lock);
    look_begin(&in->look, e, guest_look, in->rows, sizeof(in->rows[0]), ANSWER_TIME_NS);
    if (id != 0) {
        if (look_one(&in->look, id))
            goes_on = tell_batch(in, e);
    } else {
        while (goes_on && !is_closing(le) && look_next(&in->look))
            goes_on = tell_batch(in, e);
    }
    look_end(&in->look);
    mutex_unlock(&le->look_lock);
    return goes_on;
}

bool lunatic_runtime_inspect(struct lunatic_runtime *rt,
                             const struct lunatic_inspect_options *options,
                             lunatic_inspect_fn *each, void *context, struct lunatic_error *err)
{
    struct inspection *in = mem_try(struct inspection);
    struct lunatic_environment *e = NULL;
    struct error words;
    bool goes_on = true;

    if (!in) {
        fail(&words, ERR_NO_MEMORY, "no memory to look at processes");
        return runtime_fail(err, &words);
    }
    lunatic_inspect_options_init(&in->options);
    if (options && (options->size == 0 || options->size > sizeof(*options))) {
        mem_free(in);
        fail(&words, ERR_USAGE, "the options were not made by lunatic_inspect_options_init");
        return runtime_fail(err, &words);
    }
    if (options)
        memcpy(&in->options, options, options->size);
    in->each = each;
    in->context = context;
    while ((e = next_environment(rt, e))) {
        if (goes_on && (!in->options.environment || in->options.environment == e))
            goes_on = inspect(in, e);
    }
    vec_deinit(&in->names.list);
    bytes_deinit(&in->names.text);
    bytes_deinit(&in->line);
    mem_free(in);
    return true;
}

uint64_t lunatic_runtime_process_count(struct lunatic_runtime *rt)
{
    uint64_t count = 0;

    mutex_lock(&rt->lock);
    for (struct list *l = rt->environments.next; l != &rt->environments; l = l->next)
        count += environment_process_count(
            CONTAINER_OF(l, struct lunatic_environment, link)->environment);
    mutex_unlock(&rt->lock);
    return count;
}
