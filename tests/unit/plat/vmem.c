/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/vmem.h"
#include "tests/harness/harness.h"

#define PAGES 600u

static void presence(bool fallbacks)
{
    uint8_t *at = vmem_map(PAGES * VMEM_PAGE, 2u << 20);
    uint64_t words[(PAGES + 63) / 64];

    vmem_set_fallbacks(fallbacks);
    CHECK(at && ((uintptr_t)at & ((2u << 20) - 1)) == 0);
    at[0] = 1;
    at[70 * VMEM_PAGE + 5] = 1;
    memset(at + 500 * VMEM_PAGE, 7, 100 * VMEM_PAGE);
    CHECK(vmem_present(at, PAGES, words));
    for (unsigned p = 0; p < PAGES; p++)
        CHECK((words[p / 64] >> (p % 64) & 1) == (p == 0 || p == 70 || p >= 500));
    {
        struct vmem_range ranges[70];

        for (unsigned r = 0; r < 70; r++)
            ranges[r] = (struct vmem_range){at + (500 + r) * VMEM_PAGE, VMEM_PAGE};
        CHECK(vmem_discard(ranges, 70));
    }
    CHECK(vmem_present(at, PAGES, words));
    for (unsigned p = 500; p < PAGES; p++)
        CHECK((words[p / 64] >> (p % 64) & 1) == (p >= 570));
    CHECK(at[569 * VMEM_PAGE] == 0 && at[570 * VMEM_PAGE] == 7);
    vmem_unmap(at, PAGES * VMEM_PAGE);
    vmem_set_fallbacks(false);
}

TEST(present_pages_are_those_written)
{
    presence(false);
}

TEST(present_pages_without_help_of_newer_kernels)
{
    presence(true);
}

/* What the verification of slots rests on: no first touch goes uncounted. */
TEST(every_first_touch_is_counted)
{
    uint8_t *at = vmem_map(256 * VMEM_PAGE, VMEM_PAGE);

    CHECK(at);
    for (unsigned p = 0; p < 256; p++) {
        uint64_t before = vmem_fault_count();

        ((volatile uint8_t *)at)[p * VMEM_PAGE] = 1;
        CHECK(vmem_fault_count() > before);
    }
    vmem_unmap(at, 256 * VMEM_PAGE);
}

TEST(reserved_pages_open_and_close)
{
    uint8_t *at = vmem_reserve(64 * VMEM_PAGE, VMEM_PAGE);

    CHECK(at && vmem_open(at + VMEM_PAGE, 2 * VMEM_PAGE));
    at[VMEM_PAGE] = 3;
    vmem_close(at, 64 * VMEM_PAGE);
    CHECK(vmem_open(at, 4 * VMEM_PAGE));
    CHECK(at[VMEM_PAGE] == 0);
    vmem_unmap(at, 64 * VMEM_PAGE);
}

TEST(published_code_runs)
{
    static const uint8_t bytes[] = {0x8d, 0x47, 0x01, 0xc3}; /* lea eax, [rdi + 1]; ret */
    uint8_t *at = vmem_reserve(2 * VMEM_PAGE, VMEM_PAGE);
    int (*run)(int);

    CHECK(at && vmem_code_publish(at, bytes, sizeof(bytes)));
    run = (int (*)(int))(uintptr_t)at;
    CHECK(run(41) == 42);
    vmem_code_discard(at, sizeof(bytes));
    vmem_unmap(at, 2 * VMEM_PAGE);
}

TEST(limits_are_sane)
{
    struct vmem_limits limits;

    vmem_limits_get(&limits);
    CHECK(limits.memory > (16u << 20) && vmem_available() <= UINT64_MAX);
    CHECK(limits.address_space > (16u << 20));
}
