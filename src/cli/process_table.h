/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The processes that live, as a table for people or as JSON for programs: what SIGQUIT prints and
 * `lunatic ps` shows. However many there are the output is bounded, and ends with a summary: how
 * many processes do the same at the same place. */
#ifndef CLI_PROCESS_TABLE_H
#define CLI_PROCESS_TABLE_H

#include "base/error.h"
#include "runtime/lunatic_runtime.h"

#define TABLE_LIMIT_DEFAULT 1000u

enum table_sort { SORT_ID, SORT_CPU, SORT_MEMORY, SORT_QUEUE };

struct table_options {
    bool is_json;
    uint64_t limit;       /* rows at most; UINT64_MAX: all */
    uint64_t process_id;  /* only this one; 0: all */
    enum table_sort sort; /* by anything but the id: greatest first */
};

void table_options_init(struct table_options *o);
bool table_sort_parse(const char *text, enum table_sort *out);

/* Where the output goes; false: nobody reads it any more. */
typedef bool table_write_fn(void *context, const char *data, size_t size);

/* Writes the table of the runtime that this program runs (watch.h). False: there is none (any
 * more), or the writing failed. */
bool table_write(struct lunatic_runtime *rt, const struct table_options *options,
                 table_write_fn *write, void *context);

#endif
