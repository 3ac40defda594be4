/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual memory by the page: huge arenas, what of them is present, giving pages back, machine
 * code.
 *
 * An arena is one mapping whatever it is cut into. Arenas are never dumped, never inherited by fork
 * and never backed by huge pages. Everything here may be called by any thread. */
#ifndef PLAT_VMEM_H
#define PLAT_VMEM_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMEM_PAGE 4096u

/* How much the kernel lets us reserve; asked once at start. */
struct vmem_limits {
    bool is_strict; /* memory must be committed before use: arenas start closed (vmem_reserve) */
    uint64_t address_space; /* bytes we may map in all (RLIMIT_AS), UINT64_MAX if unlimited */
    uint64_t memory; /* bytes of RAM that we may use: the least of machine and cgroup limits */
};
void vmem_limits_get(struct vmem_limits *out);

/* Bytes of the machine's memory, or of our cgroup's limit, that are not in use now. A few system
 * calls. */
uint64_t vmem_available(void);

/* A stretch of address space that nothing can touch yet, or NULL. `align` is a power of two >= a
 * page. */
void *vmem_reserve(size_t size, size_t align) MUST_USE;

/* An arena: readable and writable zeroes, committed page by page as they are touched; NULL if the
 * kernel refuses to promise so much (then reserve, and open pieces). */
void *vmem_map(size_t size, size_t align) MUST_USE;

/* Makes pages of a reserved stretch usable (readable, writable, zero). False: the kernel refuses.
 */
bool vmem_open(void *at, size_t size) MUST_USE;

/* Closes them again; what was in them is gone. */
void vmem_close(void *at, size_t size);

/* Gives the stretch back to the system. */
void vmem_unmap(void *at, size_t size);

/* Touches all pages of the stretch for writing, cheaper than faults. Only a hint. */
void vmem_populate(void *at, size_t size);

struct vmem_range {
    void *at;
    size_t size;
};

/* Gives back the memory under the pages of all ranges; they read as zeroes afterwards. One system
 * call where the kernel has process_madvise for it. False: some could not be given back (their
 * contents are then untouched or zero). */
bool vmem_discard(const struct vmem_range *ranges, size_t count);

/* Sets bit p of `present` for each page p of the `pages` from `at` that holds memory (zero pages
 * that were only read may or may not count). `present` has room for (pages + 63) / 64 words. False:
 * the kernel cannot say. */
bool vmem_present(const void *at, size_t pages, uint64_t *present) MUST_USE;

/* Page faults that the calling thread has taken so far, of all kinds. Any change between two calls
 * means that some page may have become present. */
uint64_t vmem_fault_count(void);

/* Lazy arenas: a touch of an absent page calls `missing` with its address, on the thread that
 * touched it, in a signal handler (SIGBUS) during which no tick comes; it must make the page
 * present with vmem_lazy_fill and return true. False ends the program: there is no memory. Threads
 * that run on small stacks need an alternate one. System calls do not call it, they fail with
 * EFAULT: see vmem_prepare. Signals of other origin go to whoever handled them before. The first
 * start decides; later ones with the same function are harmless. False: the kernel does not allow
 * it. */
typedef bool vmem_missing_fn(uint8_t *page);
bool vmem_lazy_start(vmem_missing_fn *missing) MUST_USE;

/* Makes an arena lazy. */
bool vmem_lazy_register(void *at, size_t size) MUST_USE;

/* Makes an absent page of a lazy arena present; contents NULL: zeroes. Present ones stay as they
 * are. False: no memory. In signal handlers too. */
bool vmem_lazy_fill(void *page, const void *contents) MUST_USE;

/* The same for up to so many pages of zeroes in a row (at most VMEM_LAZY_ROW), the first at least:
 * it ends where one is present. */
#define VMEM_LAZY_ROW 16u
bool vmem_lazy_fill_row(void *first, size_t pages) MUST_USE;

/* Whoever hands memory of a guest to a system call, to be read or written, calls this before:
 * makes all of it present where it is lazy, and costs next to nothing where not. */
void vmem_prepare(const void *at, size_t size);

/* Whether that costs anything: whoever cannot say how much will be written may then try less. */
bool vmem_may_be_lazy(const void *at);

/* Turns off what newer kernels give (PAGEMAP_SCAN, process_madvise, populate), so that tests walk
 * the fallbacks. Startup only. */
void vmem_set_fallbacks(bool on);

/* Opens the descriptors that the functions here keep, so that their number does not change later;
 * who does not call it has them opened when they are first needed. */
void vmem_start(void);

/* How many system calls the functions here have made that warm processes could need: for tests.
 * Those that make arenas and publish code are not counted. */
uint64_t vmem_call_count(void);
void vmem_count_call(void); /* for the files behind this header */

/* Machine code. `vmem_code_publish` copies `size` bytes to `at`, in a stretch reserved by
 * vmem_reserve, and makes the pages readable and executable; they were never reachable while
 * writable. */
bool vmem_code_publish(void *at, const void *bytes, size_t size) MUST_USE;
void vmem_code_discard(void *at, size_t size);

#endif
