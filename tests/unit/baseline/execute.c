/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the official suite does not look at: options, widened checks, fuel, and mistakes of the
 * past. */
#include "tests/harness/harness.h"
#include "tests/unit/baseline/support.h"

static const struct baseline_options plain = {.thread_count = 1};

#define BODY(text) slice_make("" text, sizeof(text) - 1)

/* (a, b) -> constant % b, where b is used for the last time and sits in the dividend's register. */
TEST(operand_used_for_the_last_time_survives_the_division)
{
    const uint64_t args[] = {1, 2, 7};
    struct run r;

    CHECK(support_run(support_module("\x7e\x7e\x7e", "\x7e", 0,
                                     BODY("\x42\xe4\x00" /* i64.const 100 */
                                          "\x20\x02\x81" /* local.get 2, i64.rem_s */
                                          "\x0b"),
                                     1),
                      &plain, 0, args, &r));
    CHECK(r.trap == TRAP_NONE && r.results[0] == 100 % 7);
}

/* i32.store at 0 and at 65536 off the same base: the second is outside. */
static const char two_stores[] = "\x20\x00\x41\x07\x36\x02\x00"         /* [p] = 7 */
                                 "\x20\x00\x41\x08\x36\x02\x80\x80\x04" /* [p + 65536] = 8 */
                                 "\x0b";

TEST(widened_check_traps_before_the_first_store)
{
    const uint64_t args[] = {0};
    struct run r;

    CHECK(support_run(
        support_module("\x7f", "", 0, slice_make(two_stores, sizeof(two_stores) - 1), 1), &plain, 0,
        args, &r));
    CHECK(r.trap == TRAP_MEMORY_OUT_OF_BOUNDS && r.memory[0] == 0);
}

TEST(exact_check_traps_between_the_stores)
{
    const struct baseline_options exact = {.exact = true, .thread_count = 1};
    const uint64_t args[] = {0};
    struct run r;

    CHECK(support_run(
        support_module("\x7f", "", 0, slice_make(two_stores, sizeof(two_stores) - 1), 1), &exact, 0,
        args, &r));
    CHECK(r.trap == TRAP_MEMORY_OUT_OF_BOUNDS && r.memory[0] == 7);
}

/* A branch out between the two accesses ends widening: the first store happens. */
TEST(check_is_not_widened_across_a_branch)
{
    const uint64_t args[] = {0};
    struct run r;

    CHECK(support_run(support_module("\x7f", "", 0,
                                     BODY("\x20\x00\x41\x07\x36\x02\x00"
                                          "\x20\x00\x0d\x00" /* br_if 0: not taken */
                                          "\x20\x00\x41\x08\x36\x02\x80\x80\x04\x0b"),
                                     1),
                      &plain, 0, args, &r));
    CHECK(r.trap == TRAP_MEMORY_OUT_OF_BOUNDS && r.memory[0] == 7);
}

/* Offset + size beyond 2^32, from a base that is i32 -1: no wrap-around. */
TEST(address_of_33_bits_is_out_of_bounds)
{
    const uint64_t args[] = {0xffffffff};
    struct run r;

    CHECK(support_run(
        support_module("\x7f", "\x7f", 0, BODY("\x20\x00\x28\x02\xff\xff\xff\xff\x0f\x0b"), 1),
        &plain, 0, args, &r));
    CHECK(r.trap == TRAP_MEMORY_OUT_OF_BOUNDS);
}

/* Each of the three instructions costs 1; entering, nop and end nothing. */
TEST(fuel_counts_each_instruction)
{
    const struct baseline_options metered = {.metered = true, .thread_count = 1};
    const uint64_t args[] = {41};
    struct run r;

    CHECK(support_run(support_module("\x7f", "\x7f", 0, BODY("\x20\x00\x01\x41\x01\x6a\x0b"), 1),
                      &metered, 3, args, &r));
    CHECK(r.trap == TRAP_NONE && r.results[0] == 42);
    CHECK(support_run(support_module("\x7f", "\x7f", 0, BODY("\x20\x00\x01\x41\x01\x6a\x0b"), 1),
                      &metered, 2, args, &r));
    CHECK(r.trap == TRAP_OUT_OF_FUEL);
}

/* for (;;) if (--n == 0) break; 5 per round: local.get, const, sub, tee, br_if. */
TEST(fuel_is_looked_at_in_each_round_of_a_loop)
{
    const struct baseline_options metered = {.metered = true, .thread_count = 1};
    const uint64_t args[] = {1000};
    struct slice body = BODY("\x03\x40\x20\x00\x41\x01\x6b\x22\x00\x0d\x00\x0b\x0b");
    struct run r;

    CHECK(support_run(support_module("\x7f", "", 0, body, 1), &metered, 5000, args, &r));
    CHECK(r.trap == TRAP_NONE);
    CHECK(support_run(support_module("\x7f", "", 0, body, 1), &metered, 4999, args, &r));
    CHECK(r.trap == TRAP_OUT_OF_FUEL);
}

/* Twelve i64 parameters, four of them on the stack, and three results, one in the instance's area.
 */
TEST(parameters_and_results_beyond_the_registers)
{
    const uint64_t args[] = {0, 1, 2, 3, 4, 5, 6, 7, 80, 90, 100, 110};
    struct run r;

    CHECK(support_run(support_module("\x7e\x7e\x7e\x7e\x7e\x7e\x7e\x7e\x7e\x7e\x7e\x7e",
                                     "\x7e\x7e\x7e", 0, BODY("\x20\x0b\x20\x07\x20\x08\x0b"), 1),
                      &plain, 0, args, &r));
    CHECK(r.trap == TRAP_NONE);
    CHECK(r.results[0] == 110 && r.results[1] == 7 && r.results[2] == 80);
}

/* x / d and x % d for constants that compile to shifts and products. */
TEST(division_by_constants_agrees_with_c)
{
    static const uint32_t numbers[] = {0,    1,          2,          6,          7,         9,
                                       1000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    static const uint8_t divisors[] = {1, 2, 3, 5, 7, 10, 16, 25, 60};

    for (size_t d = 0; d < sizeof(divisors); d++) {
        for (unsigned op = 0x6d; op <= 0x70; op++) {
            char body[] = {0x20, 0, 0x41, (char)divisors[d], (char)op, 0x0b};

            for (size_t n = 0; n < ARRAY_COUNT(numbers); n++) {
                const uint64_t args[] = {numbers[n]};
                uint32_t by = divisors[d], expected;
                struct run r;

                expected = op == 0x6d   ? (uint32_t)((int32_t)numbers[n] / (int32_t)by)
                           : op == 0x6e ? numbers[n] / by
                           : op == 0x6f ? (uint32_t)((int32_t)numbers[n] % (int32_t)by)
                                        : numbers[n] % by;
                CHECK(support_run(
                    support_module("\x7f", "\x7f", 0, slice_make(body, sizeof(body)), 1), &plain, 0,
                    args, &r));
                CHECK(r.trap == TRAP_NONE && r.results[0] == expected);
            }
        }
    }
}

/* A thousand parameters pass the thunks "enter" and "cross", each of which pushes most of them, and
 * then a call at every depth of the stack. */
TEST(a_thousand_parameters_reach_the_function_at_any_depth)
{
    struct bytes body = {0};
    char params[1001];
    uint64_t args[1000];
    struct run r;

    memset(params, 0x7e, 1000);
    params[1000] = 0;
    for (uint64_t i = 0; i < 1000; i++)
        args[i] = i;
    /* (n, ...) -> n ? f(n - 1, ...) : the last one + 5 times the 9th */
    CODE(&body, "\x20\0\x50\x04\x7e\x20\xe7\x07\x20\x08\x42\5\x7e\x7c\x05\x20\0\x42\1\x7d");
    for (uint32_t i = 1; i < 1000; i++) {
        CODE(&body, "\x20");
        leb(&body, i);
    }
    CODE(&body, "\x10\0\x0b\x0b");
    for (uint64_t n = 0; n < 100; n += 7) {
        args[0] = n;
        CHECK(support_run(support_module(params, "\x7e", 0, slice_make(body.data, body.size), 1),
                          &plain, 0, args, &r));
        CHECK(r.trap == TRAP_NONE && r.results[0] == 999 + 5 * 8);
    }
    bytes_deinit(&body);
}
