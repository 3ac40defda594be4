/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "cli/process_table.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/printable.h"
#include "base/vec.h"
#include "cli/watch.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_SIZE   (32u << 10)
#define GROUPS_MAX   4096u /* kinds of doings that are told apart; a power of two */
#define GROUPS_SHOWN 30u
#define CHECK_EVERY  64u /* rows between two looks at whether the program is ending */

/* Processes that do the same. */
struct group {
    char *text; /* NULL: free */
    uint64_t hash, count;
};

/* A formatted line that may be among the first. */
struct line {
    uint64_t key, number; /* of the sort; of arrival */
    char *text;
};

struct table {
    struct table_options options;
    table_write_fn *write;
    void *context;
    bool has_failed;
    struct bytes out;
    uint64_t total, shown, by_state[3];
    uint64_t queue_count, queue_size, memory_size;
    struct group *groups;
    uint32_t group_count;
    uint64_t others; /* processes in none of the groups */
    VEC(struct line) lines;
};

void table_options_init(struct table_options *o)
{
    *o = (struct table_options){.limit = TABLE_LIMIT_DEFAULT};
}

bool table_sort_parse(const char *text, enum table_sort *out)
{
    static const char *const words[] = {"id", "cpu", "memory", "queue"};

    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (enum table_sort)i;
            return true;
        }
    }
    return false;
}

/* ---- pieces of text ---- */

static void flush(struct table *t, size_t above)
{
    if (t->out.size <= above)
        return;
    if (!t->has_failed)
        t->has_failed = !t->write(t->context, (const char *)t->out.data, t->out.size);
    t->out.size = 0;
}

static void PRINTF_LIKE(2, 3) put(struct table *t, const char *format, ...)
{
    char text[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0 ||
        !bytes_append(&t->out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1))
        t->has_failed = true;
}

static void put_json(struct table *t, const char *name, const char *text)
{
    if (!bytes_printf(&t->out, ",\"%s\":", name) || !json_string(&t->out, slice_text(text)))
        t->has_failed = true;
}

static void put_json_number(struct table *t, const char *name, uint64_t n)
{
    if (n == LUNATIC_UNKNOWN)
        put(t, ",\"%s\":null", name);
    else
        put(t, ",\"%s\":%" PRIu64, name, n);
}

/* Names come from guests. */
static void put_printable(struct table *t, const char *text)
{
    if (!printable_append(&t->out, slice_text(text), PRINTABLE_ONE_LINE))
        t->has_failed = true;
}

/* "8K"; numbers below `plain` as they are. */
static const char *scaled(uint64_t n, uint64_t plain, uint64_t step, char *text, size_t size)
{
    static const char units[] = "KMGT";
    int unit = -1;

    if (n == LUNATIC_UNKNOWN)
        return "-";
    while (n >= plain && unit < 3) {
        n = (n + step / 2) / step;
        unit++;
    }
    if (unit < 0)
        snprintf(text, size, "%" PRIu64, n);
    else
        snprintf(text, size, "%" PRIu64 "%c", n, units[unit]);
    return text;
}

static const char *size_words(uint64_t n, char *text, size_t size)
{
    return scaled(n, 1024, 1024, text, size);
}

static const char *time_words(uint64_t ns, char *text, size_t size)
{
    const uint64_t ms = ns / 1000000, s = ms / 1000;

    if (ns == LUNATIC_UNKNOWN)
        return "-";
    if (s < 100)
        snprintf(text, size, "%" PRIu64 ".%02" PRIu64 "s", s, ms / 10 % 100);
    else
        snprintf(text, size, "%" PRIu64 "m%02" PRIu64, s / 60, s % 60);
    return text;
}

static const char *state_word(enum lunatic_process_state s)
{
    return s == LUNATIC_PROCESS_RUNNING ? "running"
           : s == LUNATIC_PROCESS_READY ? "ready"
                                        : "waiting";
}

/* "waits for message", "sleeps": what it does, without what is its own. */
static const char *doing(const struct lunatic_process_info *p, char *text, size_t size)
{
    if (p->state != LUNATIC_PROCESS_WAITING)
        return state_word(p->state);
    if (strcmp(p->wait, "sleep") == 0)
        return "sleeps";
    if (!p->wait[0])
        return "waits";
    snprintf(text, size, "waits for %s", p->wait);
    return text;
}

/* ---- the summary ---- */

static void count_group(struct table *t, const struct lunatic_process_info *p)
{
    char words[64], text[400];
    uint64_t hash = 0xcbf29ce484222325ull;

    snprintf(text, sizeof(text), "%s%s%s", doing(p, words, sizeof(words)),
             p->function[0] ? " in " : "", p->function);
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3ull;
    for (uint32_t i = 0; i < GROUPS_MAX; i++) {
        struct group *g = &t->groups[(hash + i) % GROUPS_MAX];

        if (!g->text && t->group_count < GROUPS_MAX / 2 && (g->text = strdup(text))) {
            g->hash = hash;
            t->group_count++;
        }
        if (!g->text)
            break;
        if (g->hash == hash && strcmp(g->text, text) == 0) {
            g->count++;
            return;
        }
    }
    t->others++;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    if (!x->text || !y->text)
        return (x->text == NULL) - (y->text == NULL);
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

static void put_summary(struct table *t)
{
    uint64_t others = t->others;
    char size[32], queued[32];
    const char *separator = "";

    qsort(t->groups, GROUPS_MAX, sizeof(struct group), compare_groups);
    for (uint32_t i = GROUPS_SHOWN; i < t->group_count; i++)
        others += t->groups[i].count;
    if (t->options.is_json) {
        put(t,
            "],\"total\":%" PRIu64 ",\"shown\":%" PRIu64 ",\"running\":%" PRIu64
            ",\"ready\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"queue_count\":%" PRIu64
            ",\"queue_size\":%" PRIu64 ",\"memory_size\":%" PRIu64 ",\"groups\":[",
            t->total, t->shown, t->by_state[LUNATIC_PROCESS_RUNNING],
            t->by_state[LUNATIC_PROCESS_READY], t->by_state[LUNATIC_PROCESS_WAITING],
            t->queue_count, t->queue_size, t->memory_size);
        for (uint32_t i = 0; i < t->group_count && i < GROUPS_SHOWN; i++) {
            put(t, "%s{\"count\":%" PRIu64, separator, t->groups[i].count);
            put_json(t, "what", t->groups[i].text);
            put(t, "}");
            separator = ",";
        }
        put(t, "],\"others\":%" PRIu64 "}\n", others);
        return;
    }
    if (t->shown < t->total && t->options.process_id == 0)
        put(t, "%20s  and %" PRIu64 " more that are not shown\n", "...", t->total - t->shown);
    put(t,
        "%" PRIu64 " process%s: %" PRIu64 " running, %" PRIu64 " ready, %" PRIu64
        " waiting; %" PRIu64 " messages of %s bytes wait; memory %s\n",
        t->total, t->total == 1 ? "" : "es", t->by_state[LUNATIC_PROCESS_RUNNING],
        t->by_state[LUNATIC_PROCESS_READY], t->by_state[LUNATIC_PROCESS_WAITING], t->queue_count,
        size_words(t->queue_size, queued, sizeof(queued)),
        size_words(t->memory_size, size, sizeof(size)));
    for (uint32_t i = 0; i < t->group_count && i < GROUPS_SHOWN; i++) {
        put(t, "%12" PRIu64 "  ", t->groups[i].count);
        put_printable(t, t->groups[i].text);
        put(t, "\n");
    }
    if (others)
        put(t, "%12" PRIu64 "  do something else\n", others);
}

/* ---- rows ---- */

static void put_head(struct table *t)
{
    uint64_t age = (uint64_t)time(NULL) - watch_start_time();

    if (t->options.is_json) {
        put(t, "{\"pid\":%d", (int)getpid());
        put_json(t, "program", watch_program());
        put(t, ",\"version\":\"%s\",\"age_s\":%" PRIu64 ",\"processes\":[", lunatic_version(), age);
        return;
    }
    put(t, "lunatic %s, pid %d, runs ", lunatic_version(), (int)getpid());
    put_printable(t, watch_program());
    put(t, " since %" PRIu64 " s\n", age);
    put(t, "%20s %6s %7s %7s %7s %8s  %s\n", "ID", "QUEUE", "BYTES", "MEMORY", "PRESENT", "CPU",
        "WHAT IT DOES");
}

static void put_row(struct table *t, const struct lunatic_process_info *p, bool is_first)
{
    char queue[32], bytes[32], memory[32], present[32], cpu[32], words[64];

    if (t->options.is_json) {
        put(t, "%s\n{\"environment\":%" PRIu64 ",\"id\":%" PRIu64, is_first ? "" : ",",
            p->environment_id, p->id);
        put_json(t, "state", state_word(p->state));
        put_json(t, "wait", p->wait);
        put_json(t, "wait_details", p->wait_details);
        put_json(t, "function", p->function);
        put_json(t, "names", p->names);
        put_json_number(t, "queue_count", p->queue_count);
        put_json_number(t, "queue_size", p->queue_size);
        put_json_number(t, "links", p->links);
        put_json_number(t, "monitors", p->monitors);
        put_json_number(t, "memory_size", p->memory_size);
        put_json_number(t, "memory_present", p->memory_present);
        put_json_number(t, "cpu_ns", p->cpu_ns);
        put(t, "}");
        return;
    }
    put(t, "%20" PRIu64 " %6s %7s %7s %7s %8s  %s", p->id,
        scaled(p->queue_count, 100000, 1000, queue, sizeof(queue)),
        size_words(p->queue_size, bytes, sizeof(bytes)),
        size_words(p->memory_size, memory, sizeof(memory)),
        size_words(p->memory_present, present, sizeof(present)),
        time_words(p->cpu_ns, cpu, sizeof(cpu)), doing(p, words, sizeof(words)));
    if (p->wait_details[0]) {
        put(t, " ");
        put_printable(t, p->wait_details);
    }
    if (p->function[0]) {
        put(t, " in ");
        put_printable(t, p->function);
    }
    if (p->names[0]) {
        put(t, ", named ");
        put_printable(t, p->names);
    }
    if (p->environment_id > 1)
        put(t, ", environment %" PRIu64, p->environment_id);
    put(t, "\n");
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Forgets all lines but the first `limit`. */
static void cut_lines(struct table *t)
{
    size_t keep = t->options.limit < t->lines.count ? (size_t)t->options.limit : t->lines.count;

    if (t->lines.count == 0)
        return;
    qsort(t->lines.items, t->lines.count, sizeof(struct line), compare_lines);
    while (t->lines.count > keep)
        free(t->lines.items[--t->lines.count].text);
}

/* Keeps the line, for a table that is sorted by something else than the id. */
static void keep_row(struct table *t, const struct lunatic_process_info *p)
{
    struct line l = {.number = t->total};
    struct bytes before = t->out;

    switch (t->options.sort) {
    case SORT_CPU:
        l.key = p->cpu_ns == LUNATIC_UNKNOWN ? 0 : p->cpu_ns;
        break;
    case SORT_MEMORY:
        l.key = p->memory_present != LUNATIC_UNKNOWN ? p->memory_present
                : p->memory_size != LUNATIC_UNKNOWN  ? p->memory_size
                                                     : 0;
        break;
    case SORT_QUEUE:
        l.key = p->queue_count;
        break;
    case SORT_ID:
        break;
    }
    t->out = (struct bytes){0};
    put_row(t, p, true);
    l.text = strndup((const char *)t->out.data, t->out.size);
    bytes_deinit(&t->out);
    t->out = before;
    if (!l.text || !vec_push(&t->lines, l)) {
        free(l.text);
        return;
    }
    if (t->options.limit < UINT64_MAX / 2 && t->lines.count >= t->options.limit * 2 + 64)
        cut_lines(t);
}

static void put_kept(struct table *t)
{
    cut_lines(t);
    for (size_t i = 0; i < t->lines.count; i++) {
        const char *text = t->lines.items[i].text;

        if (t->options.is_json && i > 0)
            put(t, ",");
        if (!bytes_append(&t->out, text, strlen(text)))
            t->has_failed = true;
        t->shown++;
        flush(t, FLUSH_SIZE);
    }
}

static bool take(void *context, const struct lunatic_process_info *p)
{
    struct table *t = context;

    t->by_state[p->state]++;
    t->queue_count += p->queue_count;
    t->queue_size += p->queue_size;
    if (p->memory_size != LUNATIC_UNKNOWN)
        t->memory_size += p->memory_size;
    count_group(t, p);
    if (t->options.sort != SORT_ID)
        keep_row(t, p);
    else if (t->shown < t->options.limit)
        put_row(t, p, t->shown++ == 0);
    t->total++;
    flush(t, FLUSH_SIZE);
    if (t->total % CHECK_EVERY == 0 && watch_is_ending())
        t->has_failed = true;
    return !t->has_failed;
}

bool table_write(struct lunatic_runtime *rt, const struct table_options *options,
                 table_write_fn *write, void *context)
{
    struct table t = {.options = *options, .write = write, .context = context};
    struct lunatic_inspect_options io;
    struct lunatic_error err;
    bool ok;

    t.groups = mem_new_array(struct group, GROUPS_MAX);
    lunatic_inspect_options_init(&io);
    io.process_id = options->process_id;
    if (options->sort == SORT_ID)
        io.detail_max = options->limit;
    put_head(&t);
    ok = lunatic_runtime_inspect(rt, &io, take, &t, &err) && !t.has_failed;
    if (ok) {
        put_kept(&t);
        put_summary(&t);
        flush(&t, 0);
        ok = !t.has_failed;
    }
    for (size_t i = 0; i < t.lines.count; i++)
        free(t.lines.items[i].text);
    vec_deinit(&t.lines);
    for (uint32_t i = 0; i < GROUPS_MAX; i++)
        free(t.groups[i].text);
    mem_free(t.groups);
    bytes_deinit(&t.out);
    return ok;
}
