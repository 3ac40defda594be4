/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The compiler as a function of its input: deterministic, bounded on hostile shapes, whole when
 * memory is short. */
#include "base/mem.h"
#include "plat/clock.h"
#include "tests/harness/harness.h"
#include "tests/unit/baseline/support.h"

static const struct baseline_options plain = {.thread_count = 1};

/* a = a * 31 + k, many times. */
static struct bytes long_body(uint32_t rounds)
{
    struct bytes b = {0};

    for (uint32_t i = 0; i < rounds; i++) {
        CODE(&b, "\x20\0\x41\x1f\x6c\x41");
        leb(&b, i & 0x3f);
        CODE(&b, "\x6a\x21\0");
    }
    CODE(&b, "\x20\0\x0b");
    return b;
}

TEST(code_does_not_depend_on_the_number_of_threads)
{
    struct bytes body = long_body(500);
    struct module *m = support_module("\x7f", "\x7f", 0, slice_make(body.data, body.size), 80);
    struct code *one, *other;
    struct error err;

    CHECK(m && baseline_compile(m, &plain, &one, &err));
    for (unsigned n = 2; n <= 7; n += 5) {
        const struct baseline_options options = {.thread_count = n};

        CHECK(baseline_compile(m, &options, &other, &err));
        CHECK(one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0);
        CHECK(one->site_count == other->site_count && one->range_count == other->range_count);
        CHECK(memcmp(one->ranges, other->ranges, one->range_count * sizeof(*one->ranges)) == 0);
        CHECK(memcmp(one->entries, other->entries, one->entry_count * sizeof(*one->entries)) == 0);
        code_free(other);
    }
    code_free(one);
    module_free(m);
    bytes_deinit(&body);
}

TEST(vectors_are_refused_by_name)
{
    struct module *m = support_module(
        "", "", 0, slice_make("\xfd\x0c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1a\x0b", 20), 1);
    struct code *c;
    struct error err;

    CHECK(m && !baseline_compile(m, &plain, &c, &err));
    CHECK(err.code == ERR_UNSUPPORTED);
    CHECK(strstr(err.text, "function 0 \"f\" uses v128.const") != NULL);
    module_free(m);
}

TEST(every_allocation_may_fail)
{
    struct bytes body = long_body(20);
    struct module *m;
    bool done = false;
    size_t n;

    CODE(&body, "");
    m = support_module("\x7f", "\x7f", 3, slice_make(body.data, body.size), 3);
    CHECK(m);
    for (n = 1; !done && n < 1000; n++) {
        struct code *c = NULL;
        struct error err;

        mem_fail_after(n);
        done = baseline_compile(m, &plain, &c, &err);
        mem_fail_after(0);
        CHECK(done || err.code == ERR_NO_MEMORY);
        if (n < 5)
            CHECK(!done);
        code_free(c);
    }
    CHECK(done && n > 10);
    module_free(m);
    bytes_deinit(&body);
}

/* Compiles and calls it with 1; checks the result and that it took less than the given time. */
static bool quick(const char *results, uint32_t locals, struct bytes *body, uint64_t expected)
{
    const uint64_t args[] = {1};
    uint64_t start = clock_thread_cpu_ns();
    struct run r = {0};
    bool ok = EXPECT(
        support_run(support_module("\x7f", results, locals, slice_make(body->data, body->size), 1),
                    &plain, 0, args, &r));

    ok = ok && EXPECT(r.trap == TRAP_NONE) && (!*results || EXPECT(r.results[0] == expected));
    bytes_deinit(body);
    *body = (struct bytes){0};
    return ok && EXPECT(clock_thread_cpu_ns() - start < UINT64_C(10000000000));
}

TEST(deep_nesting_costs_linear_time)
{
    struct bytes b = {0};

    for (int i = 0; i < 99000; i++)
        CODE(&b, "\x02\x40\x20\0\x0d\0"); /* block, br_if 0 */
    for (int i = 0; i < 99000; i++)
        CODE(&b, "\x0b");
    CODE(&b, "\x0b");
    CHECK(quick("", 0, &b, 0));
    for (int i = 0; i < 99000; i++)
        CODE(&b, "\x03\x40\x20\0\x21\0"); /* loop, a use of the local */
    for (int i = 0; i < 99000; i++)
        CODE(&b, "\x0b");
    CODE(&b, "\x0b");
    CHECK(quick("", 0, &b, 0));
    for (int i = 0; i < 99000; i++)
        CODE(&b, "\x20\0\x04\x40"); /* if */
    for (int i = 0; i < 99000; i++)
        CODE(&b, "\x05\x0b"); /* else end */
    CODE(&b, "\x0b");
    CHECK(quick("", 0, &b, 0));
}

TEST(many_locals_are_zero_and_cost_linear_time)
{
    struct bytes b = {0};

    CODE(&b, "\x42\x05"); /* 5 + all of them */
    for (uint32_t i = 1; i < 40000; i++) {
        CODE(&b, "\x20");
        leb(&b, i);
        CODE(&b, "\x7c");
    }
    for (uint32_t i = 1; i < 40000; i++) { /* each in a loop of its own */
        CODE(&b, "\x03\x40\x20");
        leb(&b, i);
        CODE(&b, "\x21");
        leb(&b, 40000 - i);
        CODE(&b, "\x0b");
    }
    CODE(&b, "\x0b");
    CHECK(quick("\x7e", 45000, &b, 5));
}

TEST(deep_operand_stack_is_spilled)
{
    struct bytes b = {0};

    for (uint32_t i = 0; i < 50000; i++)
        CODE(&b, "\x20\0\x41\1\x6a"); /* 2, each in a register of its own */
    for (uint32_t i = 1; i < 50000; i++)
        CODE(&b, "\x6a");
    CODE(&b, "\x0b");
    CHECK(quick("\x7f", 0, &b, 100000));
}

/* Tens of thousands of copies of a local wait on the stack; one instruction writes them all out. */
TEST(copies_of_a_local_are_written_out_at_once)
{
    struct bytes b = {0};

    for (int way = 0; way < 4; way++) {
        for (uint32_t i = 0; i < 60000; i++)
            CODE(&b, "\x20\0");
        switch (way) {
        case 0: /* the local is set */
            CODE(&b, "\x41\x07\x21\0");
            break;
        case 1: /* a block begins */
            CODE(&b, "\x02\x40\x0b");
            break;
        case 2: /* a loop begins, and the local is in memory */
            CODE(&b, "\x41\0\x40\0\x1a\x03\x40\x41\x07\x21\0\x0b");
            break;
        default: /* a condition is alive meanwhile */
            CODE(&b, "\x20\0\x41\x05\x48\x04\x40\x41\x07\x21\0\x0b");
            break;
        }
        for (uint32_t i = 1; i < 60000; i++)
            CODE(&b, "\x6a");
        CODE(&b, "\x0b");
        CHECK(quick("\x7f", 0, &b, 60000));
    }
}

TEST(wide_branch_tables_cost_linear_time)
{
    struct bytes b = {0};

    for (uint32_t i = 0; i < 60000; i++)
        CODE(&b, "\x02\x40");
    for (int n = 0; n < 5; n++) {
        CODE(&b, "\x02\x40\x20\0\x0e");
        leb(&b, 60000);
        for (uint32_t i = 0; i <= 60000; i++)
            leb(&b, i == 1 ? 0 : i);
        CODE(&b, "\x0b");
    }
    for (uint32_t i = 0; i < 60000; i++)
        CODE(&b, "\x0b");
    CODE(&b, "\x0b");
    CHECK(quick("", 0, &b, 0));
}

/* Types cost what the functions that have them cost, not what a module claims to need. */
TEST(a_million_types_make_no_stubs)
{
    enum { TYPES = 1000000 };
    struct bytes file = {0};
    struct module *m = NULL;
    struct code *c;
    struct error err;

    CODE(&file, "\0asm\1\0\0\0\1");
    leb(&file, 3 + 3 * TYPES);
    leb(&file, TYPES);
    for (int i = 0; i < TYPES; i++)
        CODE(&file, "\x60\0\0");
    /* Two functions, of the first type and of the last. */
    CODE(&file, "\3\5\2\0");
    leb(&file, TYPES - 1);
    CODE(&file, "\x0a\7\2\2\0\x0b\2\0\x0b");
    CHECK(module_decode(&file, &m, &err) && module_validate(m, &err));
    CHECK(baseline_compile(m, &plain, &c, &err));
    CHECK(c->size <= 2 * CODE_PAGE);
    CHECK(c->thunks[0].enter != 0 && c->thunks[0].enter == c->thunks[TYPES - 1].enter);
    CHECK(c->thunks[0].cross == c->thunks[TYPES / 2].cross && c->thunks[0].host == 0);
    code_free(c);
    module_free(m);
}
