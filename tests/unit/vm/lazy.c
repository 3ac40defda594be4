/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Large images, of which instances have only the pages that they touch. */
#include "base/mem.h"
#include "fake.h"
#include "plat/file.h"
#include "plat/random.h"
#include "plat/thread.h"
#include "plat/vmem.h"
#include "tests/harness/harness.h"
#include "vm/memory.h"
#include "vm/program_internal.h"
#include "vm/slot.h"

#include <string.h>
#include <unistd.h>

#define IMAGE_AT   (1u << 20)
#define IMAGE_SIZE 14000u
#define LENGTH     (memory_pages << 16)
#define LENGTH_MAX (40u << 16)

static struct outcome host_nothing(void *guest, uint64_t x)
{
    (void)guest;
    return done(x);
}

static uint8_t image[IMAGE_SIZE];

static uint32_t memory_pages; /* 17: in a slot of the small lazy region; 40: of the large one */

static struct program *program_make(void)
{
    for (uint32_t n = 0; n < IMAGE_SIZE; n++)
        image[n] = (uint8_t)(n % 251 + 1);
    return fake_program(&(struct fake_options){.host = host_nothing,
                                               .memory_pages = memory_pages,
                                               .data = (const char *)image,
                                               .data_size = IMAGE_SIZE,
                                               .data_at = IMAGE_AT,
                                               .extra_size = 8});
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

static bool is_fresh(const struct instance *i)
{
    return is_zero(i->memory_base, IMAGE_AT) &&
           memcmp(i->memory_base + IMAGE_AT, image, IMAGE_SIZE) == 0 &&
           is_zero(i->memory_base + IMAGE_AT + IMAGE_SIZE,
                   i->memory_length - IMAGE_AT - IMAGE_SIZE);
}

static uint32_t present_pages(const struct instance *i)
{
    uint64_t words[LENGTH_MAX / VMEM_PAGE / 64 + 2];
    uint32_t count = 0;

    if (!EXPECT(vmem_present((void *)((uintptr_t)i->memory_base & ~(uintptr_t)(VMEM_PAGE - 1)),
                             LENGTH / VMEM_PAGE, words)))
        return UINT32_MAX;
    for (uint32_t p = 0; p < LENGTH / VMEM_PAGE; p++)
        count += words[p / 64] >> (p % 64) & 1;
    return count;
}

static void check_an_image_comes_page_by_page(void)
{
    struct vm_worker w;
    struct program *p;
    struct instance *i;
    uint32_t before;

    vm_make_lazy();
    if (!slots_are_lazy())
        return; /* this kernel, or this container, forbids it: nothing is lazy */
    vm_worker_init(&w, 3);
    p = program_make();
    CHECK(p);
    i = make(p, &w);
    CHECK(i);
    before = present_pages(i);
    CHECK(before <= 1); /* the hot page, if memory begins in it */
    CHECK(i->memory_base[IMAGE_AT + 5000] == image[5000]);
    CHECK(present_pages(i) == before + 1);
    CHECK(is_fresh(i));
    instance_free(i, &w);
    fake_program_free(p);
    vm_worker_deinit(&w);
}

/* Each scribbles elsewhere, many at a time; some grow, in place and out of the slot. */
static void check_lazy_slots_show_nothing_of_their_past(void)
{
    struct vm_worker w;
    struct program *p, *q;
    struct instance *live[20] = {0};
    uint32_t seed = 1;

    vm_make_lazy();
    vm_worker_init(&w, 3);
    p = program_make();
    q = program_make(); /* another image id: slots change between them */
    CHECK(p && q);
    for (int n = 0; n < 600; n++) {
        struct instance **at = &live[n % 20], *i;

        if (*at)
            instance_free(*at, &w);
        *at = i = make(n % 7 == 6 ? q : p, &w);
        CHECK(i && i->memory_length == LENGTH);
        if (n % 3 == 0)
            CHECK(is_fresh(i));
        for (int k = 0; k < (n % 5 == 0 ? 0 : 6); k++) {
            seed = seed * 1103515245 + 12345;
            i->memory_base[IMAGE_AT - 2000 + (seed >> 8) % (IMAGE_SIZE + 4000)] = 0;
            i->memory_base[(seed >> 10) % LENGTH] = 0xaa;
        }
        if (n % 40 == 39) {
            instance_free(i, &w);
            *at = i = make(p, &w);
            CHECK(i);
            i->memory_base[IMAGE_AT] = image[0];
            CHECK(memory_grow(i, 1 + (uint64_t)n / 40) == memory_pages);
            CHECK(is_fresh(i)); /* also where nobody had looked before the move */
            memset(i->memory_base, 0xcc, i->memory_length);
        }
    }
    for (int n = 0; n < 20; n++)
        instance_free(live[n], &w);
    fake_program_free(p);
    fake_program_free(q);
    vm_worker_deinit(&w);
}

/* The kernel does not fill pages itself: what system calls get is touched before. */
static void check_system_calls_reach_lazy_memory_that_was_touched(void)
{
    struct vm_worker w;
    struct program *p;
    struct instance *i;
    uint8_t copy[16];
    int ends[2];

    vm_make_lazy();
    vm_worker_init(&w, 3);
    p = program_make();
    CHECK(p);
    i = make(p, &w);
    CHECK(i && pipe(ends) == 0);
    random_bytes(i->memory_base + 300000, 10000);
    CHECK(!is_zero(i->memory_base + 300000, 10000));
    {
        struct file_piece out = {i->memory_base + IMAGE_AT + 8192, sizeof(copy)};
        struct file_piece in = {i->memory_base + 500000, sizeof(copy)};
        size_t size;

        CHECK(file_write(ends[1], &out, 1, -1, &size) == FERR_OK && size == sizeof(copy));
        CHECK(file_read(ends[0], &in, 1, -1, false, &size) == FERR_OK && size == sizeof(copy));
        CHECK(memcmp(i->memory_base + 500000, image + 8192, sizeof(copy)) == 0);
    }
    close(ends[0]);
    close(ends[1]);
    instance_free(i, &w);
    fake_program_free(p);
    vm_worker_deinit(&w);
}

/* What the samples touched is there at birth in later slots; what few of them touched is not. */
static void check_usual_pages_are_there_at_birth(void)
{
    static struct instance *live[USUAL_SAMPLES + 64];
    struct vm_worker w;
    struct program *p;
    uint32_t least = UINT32_MAX;

    vm_make_lazy();
    if (!slots_are_lazy())
        return;
    vm_worker_init(&w, 3);
    p = program_make();
    CHECK(p);
    for (size_t n = 0; n < ARRAY_COUNT(live); n++) {
        struct instance *i = live[n] = make(p, &w);
        uint32_t before;

        CHECK(i);
        before = present_pages(i);
        if (before < least)
            least = before;
        if (n < USUAL_SAMPLES) {
            CHECK(before == least); /* samples have nothing before they touch it */
        } else {
            CHECK(before == least + 2);
        }
        CHECK(i->memory_base[IMAGE_AT + 9000] == image[9000]); /* image */
        i->memory_base[IMAGE_AT - 70000] = 1;                  /* zero */
        if (n % 10 == 0)
            i->memory_base[IMAGE_AT - 20000 - n] = 1;
        if (n >= USUAL_SAMPLES)
            CHECK(present_pages(i) == before + (n % 10 == 0));
        i->memory_base[IMAGE_AT - 70000] = 0;
        if (n % 10 == 0)
            i->memory_base[IMAGE_AT - 20000 - n] = 0;
        CHECK(n % 50 || is_fresh(i));
    }
    for (size_t n = 0; n < ARRAY_COUNT(live); n++)
        instance_free(live[n], &w);
    fake_program_free(p);
    vm_worker_deinit(&w);
}

/* Warm, lazy slots cost what others do: the pages that were touched once are there. */
static void check_warm_lazy_births_ask_the_kernel_once_in_32(void)
{
    struct vm_worker w;
    struct program *p;
    uint64_t calls = 0;
    size_t allocations = 0;

    vm_make_lazy();
    vm_worker_init(&w, 3);
    p = program_make();
    CHECK(p);
    for (int n = 0; n < 10400; n++) {
        struct instance *i = make(p, &w);

        if (n == 400) {
            calls = vmem_call_count();
            allocations = mem_allocation_count();
        }
        CHECK(i && i->memory_base[IMAGE_AT + 5000] == image[5000]);
        i->memory_base[IMAGE_AT + 5000] = 0;
        i->memory_base[IMAGE_AT - 100] = 1;
        i->memory_base[IMAGE_AT + 50000] = 1;
        instance_free(i, &w);
    }
    CHECK(mem_allocation_count() == allocations);
    CHECK(TEST_SANITIZED || vmem_call_count() - calls <= 10000 / 32);
    fake_program_free(p);
    vm_worker_deinit(&w);
}

/* A slot that was born here, touched there, and freed here again. */
static void touch_elsewhere(void *arg)
{
    struct instance *i = arg;

    for (uint32_t at = 0; at < LENGTH; at += VMEM_PAGE)
        i->memory_base[at] = 0xbb;
}

static void check_lazy_slots_that_another_thread_touched_are_clean(void)
{
    struct vm_worker w;
    struct program *p;
    struct error err;

    vm_make_lazy();
    vm_worker_init(&w, 3);
    p = program_make();
    CHECK(p);
    for (int n = 0; n < 80; n++) {
        struct instance *i = make(p, &w);
        struct thread t;

        CHECK(i && is_fresh(i));
        CHECK(thread_create(&t, "elsewhere", touch_elsewhere, i, &err));
        thread_join(&t);
        instance_slot(i)->is_foreign = true; /* as a fiber that changes workers says */
        instance_free(i, &w);
    }
    fake_program_free(p);
    vm_worker_deinit(&w);
}

/* Who touches page after page gets more than one at a time, but none that is not the instance's. */
static void check_rows_end_with_the_memory(void)
{
    struct vm_worker w;
    struct program *p;
    struct instance *i;
    uint64_t calls, page, tail = memory_pages == 17 ? 11 : 60; /* pages behind the image */

    vm_make_lazy();
    if (!slots_are_lazy())
        return;
    vm_worker_init(&w, 3);
    p = program_make();
    CHECK(p);
    for (int n = 0; n < 100; n++) {
        i = make(p, &w);
        CHECK(i && (n % 10 || is_fresh(i)));
        CHECK(n % 10 == 0 || is_zero(i->memory_base + LENGTH - tail * VMEM_PAGE, tail * VMEM_PAGE));
        memset(i->memory_base + LENGTH - tail * VMEM_PAGE, 0xee, tail * VMEM_PAGE);
        instance_free(i, &w);
    }
    vm_worker_deinit(&w); /* so that what follows is cut anew */
    vm_worker_init(&w, 3);
    i = make(p, &w);
    CHECK(i);
    calls = vmem_call_count();
    for (page = memory_pages * 16 - tail; page < memory_pages * 16; page++)
        i->memory_base[page * VMEM_PAGE] = 1;
    CHECK(vmem_call_count() - calls <= 9 + tail / 16 + 2);
    if (memory_pages == 40) { /* what lies behind the memory was left alone */
        uint64_t words[4] = {0};
        uint8_t *end = i->memory_base + LENGTH;

        end += (VMEM_PAGE - (uintptr_t)end % VMEM_PAGE) % VMEM_PAGE;
        CHECK(vmem_present(end, 64, words) && words[0] == 0);
    }
    instance_free(i, &w);
    fake_program_free(p);
    vm_worker_deinit(&w);
}

TEST(an_image_comes_page_by_page)
{
    memory_pages = 17;
    check_an_image_comes_page_by_page();
    memory_pages = 40;
    check_an_image_comes_page_by_page();
}

TEST(lazy_slots_show_nothing_of_their_past)
{
    memory_pages = 17;
    check_lazy_slots_show_nothing_of_their_past();
    memory_pages = 40;
    check_lazy_slots_show_nothing_of_their_past();
}

TEST(system_calls_reach_lazy_memory_that_was_touched)
{
    memory_pages = 17;
    check_system_calls_reach_lazy_memory_that_was_touched();
    memory_pages = 40;
    check_system_calls_reach_lazy_memory_that_was_touched();
}

TEST(usual_pages_are_there_at_birth)
{
    memory_pages = 17;
    check_usual_pages_are_there_at_birth();
    memory_pages = 40;
    check_usual_pages_are_there_at_birth();
}

TEST(warm_lazy_births_ask_the_kernel_once_in_32)
{
    memory_pages = 17;
    check_warm_lazy_births_ask_the_kernel_once_in_32();
    memory_pages = 40;
    check_warm_lazy_births_ask_the_kernel_once_in_32();
}

TEST(lazy_slots_that_another_thread_touched_are_clean)
{
    memory_pages = 17;
    check_lazy_slots_that_another_thread_touched_are_clean();
    memory_pages = 40;
    check_lazy_slots_that_another_thread_touched_are_clean();
}

TEST(rows_end_with_the_memory)
{
    memory_pages = 17;
    check_rows_end_with_the_memory();
    memory_pages = 40;
    check_rows_end_with_the_memory();
}
