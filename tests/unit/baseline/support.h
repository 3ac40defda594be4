/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Makes modules of one memory and equal functions from the bytes of a body, and runs them. */
#ifndef UNIT_BASELINE_SUPPORT_H
#define UNIT_BASELINE_SUPPORT_H

#include "base/bytes.h"
#include "baseline/baseline.h"
#include "vm/code.h"
#include "vm/store.h"
#include "wasm/module.h"

/* A module whose `count` functions have this type and body; function 0 is exported as "f". `params`
 * and `results` are bytes of enum valtype, as text. Each function declares `local_count` i64
 * locals. The memory has one page. NULL (and words on stdout) if it is not valid. The caller frees
 * it. */
struct module *support_module(const char *params, const char *results, uint32_t local_count,
                              struct slice body, uint32_t count);

void leb(struct bytes *b, uint32_t value);
void code(struct bytes *b, const char *bytes, size_t size);
#define CODE(b, text) code((b), "" text, sizeof(text) - 1)

struct run {
    enum trap trap;
    uint64_t results[8];
    uint8_t memory[16]; /* the first bytes of the memory afterwards */
};

/* Compiles with these options, calls "f" and frees everything, the module as well. `fuel` counts
 * for metered code. False: something before the call failed (words on stdout). */
bool support_run(struct module *m, const struct baseline_options *options, uint64_t fuel,
                 const uint64_t *args, struct run *out);

#endif
