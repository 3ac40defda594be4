/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the log says about processes that failed: who, why, and where it was. */
#include "host/internal.h"
#include "proc/registry.h"
#include "vm/backtrace.h"
#include <inttypes.h>
#include <stdio.h>

#define TARGET "lunatic_process"

static void print_who(struct process *p, struct bytes *out)
{
    registry_names(&p->environment->registry, process_id(p), out);
    if (out->size == 0 && !bytes_printf(out, "%" PRIu64, process_id(p)))
        out->size = 0;
}

/* Why the fiber trapped. */
static const char *words_of(const struct guest *g, char *text, size_t size)
{
    const struct fiber *f = g->instance->fiber;
    char name[128];

    if (f->trap_kind != TRAP_HOST || !f->trap_text)
        return trap_words((enum trap)f->trap_kind);
    if (!g->trap_function || !host_function_name(g->trap_function, name, sizeof(name)))
        return f->trap_text;
    snprintf(text, size, "%s: %s", name, f->trap_text);
    return text;
}

static void tell_main(struct guest *g, const char *words)
{
    struct process *p = g->process;

    if (process_id(p) == PROCESS_MAIN && g->host->main_failed)
        g->host->main_failed(p->environment, words);
}

void report_failure(struct guest *g, const char *words)
{
    struct process *p = g->process;
    struct bytes who = {0}, trace = {0};
    char text[256];
    bool has_trace = !words;

    if (!words)
        words = words_of(g, text, sizeof(text));
    tell_main(g, words);
    if (!output_wants_reports(p->environment))
        return;
    print_who(p, &who);
    if (has_trace && !backtrace_print(g->instance->fiber, &trace))
        trace.size = 0;
    while (trace.size && trace.data[trace.size - 1] == '\n')
        trace.size--;
    output_report(p->environment, process_id(p), TARGET,
                  "Process %.*s failed: %s, notifying: %u links%s%.*s", (int)who.size,
                  (const char *)who.data, words, p->bonds.link_count, trace.size ? "\n" : "",
                  (int)trace.size, trace.data ? (const char *)trace.data : "");
    bytes_deinit(&who);
    bytes_deinit(&trace);
}

/* A trap that may be caught. */
void report_trap(struct guest *g, enum log_level level)
{
    char text[256];

    log_line(level, TARGET, "Process %" PRIu64 " trapped: %s", process_id(g->process),
             words_of(g, text, sizeof(text)));
}

void report_exit(struct guest *g, uint32_t status)
{
    struct process *p = g->process;
    struct bytes who = {0};
    /* What the main process returns is the program's exit status, and nothing unusual. */
    if (process_id(p) == PROCESS_MAIN || !output_wants_reports(p->environment))
        return;
    print_who(p, &who);
    output_report(p->environment, process_id(p), TARGET,
                  "Process %.*s failed: it exited with status %u, notifying: %u links",
                  (int)who.size, (const char *)who.data, status, p->bonds.link_count);
    bytes_deinit(&who);
}
