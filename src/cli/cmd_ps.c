/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* `lunatic ps`: the processes of a program that runs, or the programs that run. */
#include "base/bytes.h"
#include "base/mem.h"
#include "base/printable.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/inspect_socket.h"
#include "cli/process_table.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_ALL = 1, OPT_LIMIT, OPT_SORT, OPT_PROCESS, OPT_JSON, OPT_USERS, OPT_METRICS, OPT_HELP };

static const struct option options[] = {
    {"all", 'a', false, OPT_ALL},
    {"limit", 'n', true, OPT_LIMIT},
    {"sort", 0, true, OPT_SORT},
    {"process", 0, true, OPT_PROCESS},
    {"json", 0, false, OPT_JSON},
    {"users", 'u', false, OPT_USERS},
    {"metrics", 0, false, OPT_METRICS},
    {"help", 'h', false, OPT_HELP},
    {NULL, 0, false, 0},
};

struct request {
    uint64_t pid; /* 0: not said */
    struct table_options table;
    const char *sort;
    bool everybody, metrics, help;
};

static bool read_request(struct request *r, int count, char **words, struct error *err)
{
    enum table_sort sort;
    const char *value;
    struct args a;
    int id;

    table_options_init(&r->table);
    r->sort = "id";
    args_init(&a, options, count, words);
    while ((id = args_next(&a, &value, err)) != ARGS_END) {
        switch (id) {
        case ARGS_ERROR:
            return false;
        case ARGS_WORD:
            if (r->pid)
                return fail(err, ERR_USAGE, "one program at a time: '%s' is too much", value);
            if (!args_number(value, INT32_MAX, &r->pid) || r->pid == 0)
                return fail(err, ERR_USAGE, "'%s' is no process id of a program", value);
            break;
        case OPT_ALL:
            r->table.limit = UINT64_MAX;
            break;
        case OPT_LIMIT:
            if (!args_number(value, UINT64_MAX, &r->table.limit))
                return fail(err, ERR_USAGE, "option '--limit' wants a number, not '%s'", value);
            break;
        case OPT_SORT:
            if (!table_sort_parse(value, &sort))
                return fail(err, ERR_USAGE,
                            "option '--sort' wants id, cpu, memory or queue, not '%s'", value);
            r->sort = value;
            break;
        case OPT_PROCESS:
            if (!args_number(value, UINT64_MAX, &r->table.process_id) || !r->table.process_id)
                return fail(err, ERR_USAGE, "option '--process' wants a process id, not '%s'",
                            value);
            break;
        case OPT_USERS:
            r->everybody = true;
            break;
        case OPT_JSON:
            r->table.is_json = true;
            break;
        case OPT_METRICS:
            r->metrics = true;
            break;
        default:
            r->help = true;
            break;
        }
    }
    return true;
}

/* Writes what is complete of `text` to standard output. What the other program says is not trusted
 * more than a guest's name: root may ask anybody's. */
static bool show_complete(struct bytes *text, bool is_last, struct error *err)
{
    struct bytes out = {0};
    size_t size = text->size, left;
    bool ok = true;

    /* A character may go on in what is read next. */
    for (size_t i = 1; !is_last && i <= 3 && i <= text->size; i++) {
        if ((text->data[text->size - i] & 0xc0) == 0xc0) {
            size = text->size - i;
            break;
        }
    }
    if (size == 0)
        return true;
    if (!printable_append(&out, slice_make(text->data, size), PRINTABLE_LINES))
        ok = fail(err, ERR_NO_MEMORY, "no memory");
    else if (fwrite(out.data, 1, out.size, stdout) != out.size)
        ok = fail_os(err, errno, "standard output");
    bytes_deinit(&out);
    left = text->size - size;
    memmove(text->data, text->data + size, left);
    text->size = left;
    return ok;
}

/* Copies an answer to standard output. */
static bool show(int fd, struct error *err)
{
    char buffer[32 << 10];
    struct bytes text = {0};
    bool ok = true;
    ssize_t n;

    while (ok && (n = read(fd, buffer, sizeof(buffer))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = errno == EAGAIN ? fail(err, ERR_OS, "the program stopped in its answer")
                                 : fail_os(err, errno, "reading from the program");
        else if (!bytes_append(&text, buffer, (size_t)n))
            ok = fail(err, ERR_NO_MEMORY, "no memory");
        else
            ok = show_complete(&text, false, err);
    }
    ok = ok && show_complete(&text, true, err);
    bytes_deinit(&text);
    return ok;
}

/* The table of a program, or its metrics. */
static bool show_one(const struct request *r, const struct inspect_program *p, struct error *err)
{
    char line[200] = "metrics\n";
    bool ok;
    int fd;

    if (!r->metrics)
        snprintf(line, sizeof(line), "table json=%d limit=%" PRIu64 " id=%" PRIu64 " sort=%s\n",
                 r->table.is_json, r->table.limit, r->table.process_id, r->sort);
    fd = inspect_ask(p, line, err);
    if (fd < 0)
        return false;
    ok = show(fd, err);
    close(fd);
    return ok;
}

/* A line for each program. One that ends meanwhile is left out, and one that does not answer gets
 * its line on standard error. */
static bool show_programs(const struct request *r, const struct inspect_program *programs,
                          size_t count, struct error *err)
{
    const char *separator = "";

    fputs(r->table.is_json ? "[" : "     PID    SECONDS    PROCESSES  PROGRAM\n", stdout);
    for (size_t i = 0; i < count; i++) {
        struct error gone;
        int fd =
            inspect_ask(&programs[i], r->table.is_json ? "program json=1\n" : "program\n", &gone);
        bool ok;

        if (fd < 0) {
            if (gone.code != ERR_NOT_FOUND)
                report(&gone);
            continue;
        }
        if (r->table.is_json)
            fputs(separator, stdout);
        separator = ",\n";
        ok = show(fd, err);
        close(fd);
        if (!ok)
            return false;
    }
    if (r->table.is_json)
        fputs("]\n", stdout);
    return true;
}

static bool ps(const struct request *r, struct error *err)
{
    struct inspect_program *programs = NULL;
    const struct inspect_program *one = NULL;
    size_t count = 0, i;
    bool ok;

    if (!inspect_find(r->everybody || r->pid != 0, &programs, &count, err))
        return false;
    for (i = 0; i < count && r->pid; i++) {
        if ((uint64_t)programs[i].pid == r->pid)
            one = &programs[i];
    }
    if (count == 1 && !r->pid)
        one = &programs[0];
    if (one)
        ok = show_one(r, one, err);
    else if (r->pid)
        ok = fail(err, ERR_NOT_FOUND,
                  "no program %" PRIu64 " of yours can be asked ('lunatic ps' lists them)", r->pid);
    else if (count == 0)
        ok = fail(err, ERR_NOT_FOUND, "no program of yours runs");
    else if (r->table.process_id || r->metrics)
        ok = fail(err, ERR_USAGE, "%zu programs run: say which one is meant", count);
    else
        ok = show_programs(r, programs, count, err);
    mem_free(programs);
    if (fflush(stdout) != 0 && ok)
        ok = fail_os(err, errno, "standard output");
    return ok;
}

int cmd_ps(int count, char **words)
{
    struct request r = {0};
    struct error err = {0};

    if (!read_request(&r, count, words, &err))
        return report(&err);
    if (r.help)
        return help_print("ps");
    return ps(&r, &err) ? EXIT_OK : report(&err);
}
