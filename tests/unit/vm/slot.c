/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Instances in slots: images, wiping, growth. */
#include "base/mem.h"
#include "fake.h"
#include "plat/vmem.h"
#include "tests/harness/harness.h"
#include "vm/memory.h"

static struct outcome host_nothing(void *guest, uint64_t x)
{
    (void)guest;
    return done(x);
}

static struct instance *make(struct program *p, struct vm_worker *w)
{
    struct instance_limits limits = {0};
    enum instance_failure why;

    return instance_new(p, w, &limits, &why);
}

static bool is_zero(const uint8_t *at, uint64_t size)
{
    for (uint64_t n = 0; n < size; n++)
        if (at[n])
            return false;
    return true;
}

/* Whether the memory is image where the image is, and zero elsewhere. */
static bool is_fresh(const struct instance *i, const char *data, uint32_t at)
{
    size_t size = strlen(data);

    return is_zero(i->memory_base, at) && memcmp(i->memory_base + at, data, size) == 0 &&
           is_zero(i->memory_base + at + size, i->memory_length - at - size);
}

/* Many instances one after the other, each scribbling somewhere else: none sees another's. */
static void reuse(bool fallbacks)
{
    static const char data[] = "this is the image";
    struct vm_worker w;
    struct program *p, *q;
    uint32_t seed = 1;

    vmem_set_fallbacks(fallbacks);
    vm_worker_init(&w, 3);
    p = fake_program(&(struct fake_options){.host = host_nothing,
                                            .memory_pages = 2,
                                            .data = data,
                                            .data_size = sizeof(data) - 1,
                                            .data_at = 1024,
                                            .extra_size = 200});
    q = fake_program(&(struct fake_options){.host = host_nothing,
                                            .memory_pages = 2,
                                            .data = "other",
                                            .data_size = 5,
                                            .data_at = 70000,
                                            .extra_size = 8});
    CHECK(p && q);
    for (int n = 0; n < 400; n++) {
        bool other = n % 5 == 4;
        struct instance *i = make(other ? q : p, &w);

        CHECK(i && i->memory_length == 131072);
        CHECK(is_fresh(i, other ? "other" : data, other ? 70000 : 1024));
        CHECK(i->globals[0] == 65536);
        CHECK(is_zero(instance_extra(i), other ? 8 : 200));
        memset(instance_extra(i), 0xee, other ? 8 : 200);
        i->globals[0] = 1;
        for (int k = 0; k < (n % 7 == 0 ? 0 : 4); k++) {
            seed = seed * 1103515245 + 12345;
            i->memory_base[(seed >> 8) % 131072] = 0xaa;
        }
        if (n % 50 == 49)
            memset(i->memory_base, 0xbb, 131072);
        if (n % 20 == 19) { /* grows, within the slot or out of it */
            CHECK(memory_grow(i, 1 + (uint64_t)n / 4) == 2);
            CHECK(i->memory_length == (3 + (uint64_t)n / 4) * 65536);
            CHECK(is_zero(i->memory_base + 131072, i->memory_length - 131072));
            memset(i->memory_base, 0xcc, i->memory_length);
        }
        instance_free(i, &w);
    }
    fake_program_free(p);
    fake_program_free(q);
    vm_worker_deinit(&w);
    vmem_set_fallbacks(false);
}

TEST(a_reused_slot_shows_nothing_of_its_past)
{
    reuse(false);
}

TEST(the_same_with_an_older_kernel)
{
    reuse(true);
}

/* A slot that another worker ran is scanned, whatever the fault counter of this one says. */
TEST(a_slot_freed_by_another_worker_is_clean)
{
    struct vm_worker a, b;
    struct program *p;

    vm_worker_init(&a, 1);
    vm_worker_init(&b, 2);
    p = fake_program(&(struct fake_options){.host = host_nothing, .memory_pages = 2});
    CHECK(p);
    for (int n = 0; n < 200; n++) {
        struct instance *i = make(p, &a);

        CHECK(i && is_zero(i->memory_base, i->memory_length));
        i->memory_base[(unsigned)n * 577 % 131072] = 1;
        instance_free(i, &b);
        i = make(p, &b);
        CHECK(i && is_zero(i->memory_base, i->memory_length));
        i->memory_base[(unsigned)n * 917 % 131072] = 1;
        instance_free(i, &a);
    }
    fake_program_free(p);
    vm_worker_deinit(&a);
    vm_worker_deinit(&b);
}

TEST(growing_keeps_contents_and_moves_only_the_memory)
{
    struct vm_worker w;
    struct program *p;
    struct instance *i;
    uint64_t pages = 2;

    vm_worker_init(&w, 1);
    p = fake_program(&(struct fake_options){.host = host_nothing, .memory_pages = 2});
    i = make(p, &w);
    CHECK(i);
    for (uint64_t n = 0; n < 131072; n += 4096)
        i->memory_base[n + 5] = (uint8_t)(n >> 12) | 0x80;
    while (pages < 3000) {
        uint64_t more = pages / 2 + 1;

        CHECK(memory_grow(i, more) == pages);
        pages += more;
        i->memory_base[i->memory_length - 1] = 9;
        for (uint64_t n = 0; n < 131072; n += 4096)
            CHECK(i->memory_base[n + 5] == ((uint8_t)(n >> 12) | 0x80));
    }
    CHECK(memory_grow(i, 65537) == UINT32_MAX);
    CHECK(memory_grow(i, 0) == pages);
    instance_free(i, &w);
    fake_program_free(p);
    vm_worker_deinit(&w);
}

TEST(limits_refuse_memory)
{
    struct vm_worker w;
    struct program *p;
    struct instance *i;
    struct instance_limits limits = {.memory_max = 65536};
    enum instance_failure why;

    vm_worker_init(&w, 1);
    p = fake_program(&(struct fake_options){.host = host_nothing, .memory_pages = 2});
    CHECK(!instance_new(p, &w, &limits, &why) && why == INSTANCE_OVER_LIMIT);
    limits.memory_max = 3 * 65536;
    i = instance_new(p, &w, &limits, &why);
    CHECK(i);
    CHECK(memory_grow(i, 2) == UINT32_MAX);
    CHECK(memory_grow(i, 1) == 2);
    instance_free(i, &w);
    fake_program_free(p);
    vm_worker_deinit(&w);
}

/* The warm path neither allocates nor asks the kernel: at most a call per 32 ends. */
TEST(warm_births_and_ends_allocate_nothing)
{
    struct vm_worker w;
    struct program *p;
    size_t before;
    uint64_t faults, calls;

    vm_worker_init(&w, 1);
    p = fake_program(&(struct fake_options){
        .host = host_nothing, .memory_pages = 2, .data = "image", .data_size = 5, .data_at = 1024});
    CHECK(p);
    for (int n = 0; n < 200; n++)
        instance_free(make(p, &w), &w);
    before = mem_allocation_count();
    faults = vmem_fault_count();
    calls = vmem_call_count();
    for (int n = 0; n < 10000; n++)
        instance_free(make(p, &w), &w);
    CHECK(mem_allocation_count() == before);
    CHECK(TEST_SANITIZED || vmem_call_count() - calls <= 10000 / 32);
    /* A few may be the kernel's own doing (reclaim, compaction). */
    CHECK(TEST_SANITIZED || vmem_fault_count() - faults < 10);
    fake_program_free(p);
    vm_worker_deinit(&w);
}
