/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A module with hand-written machine code, so that the vm is tested without a compiler. */
#ifndef TEST_VM_FAKE_H
#define TEST_VM_FAKE_H

#include "base/error.h"
#include "vm/activation.h"
#include "vm/program.h"
#include "vm/worker.h"

/* All functions are (i64) -> (i64). */
enum fake_function {
    FAKE_HOST,      /* import: the C function given to fake_program */
    FAKE_CALL_HOST, /* host(x + 1) * 2 */
    FAKE_COUNT,     /* counts to x in registers, flags and xmm live */
    FAKE_SUM,       /* x + sum(x - 1), recursively, with a prologue check */
    FAKE_TRAP,      /* unreachable, called from a frame of 32 bytes */
    FAKE_STORE, /* stores x at memory[x] (bounds not checked); returns the byte at memory[65536 - x]
                 */
    FAKE_FUEL,  /* x * 3, with a stop for fuel in between, all registers live */
    FAKE_FUNCTION_COUNT
};

typedef struct outcome fake_host(void *guest, uint64_t x);

struct fake_options {
    fake_host *host;
    uint32_t memory_pages;
    const void *data; /* active segment at `data_at` */
    size_t data_size;
    uint32_t data_at;
    size_t extra_size;
};

/* A published program of the module; it owns code and module. NULL: failed. */
struct program *fake_program(const struct fake_options *options);

/* The same, with the nth allocation of program_new that may fail failing: then NULL. */
struct program *fake_program_torture(const struct fake_options *options, size_t n);
void fake_program_free(struct program *p);

#endif
