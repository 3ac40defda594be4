/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Slots that change hands between workers. */
#include "base/mem.h"
#include "fake.h"
#include "plat/thread.h"
#include "tests/harness/harness.h"

#define ROUNDS 60
#define GUESTS 200

static struct outcome host_nothing(void *guest, uint64_t x)
{
    (void)guest;
    return done(x);
}

struct exchange {
    struct mutex lock;
    struct instance *waiting[2][GUESTS];
    unsigned counts[2];
    struct program *p;
    _Atomic unsigned bad;
};

struct side {
    struct exchange *x;
    unsigned index;
};

static bool is_zero(const struct instance *i)
{
    for (uint64_t at = 0; at < i->memory_length; at += 8)
        if (*(const uint64_t *)(const void *)(i->memory_base + at))
            return false;
    return true;
}

/* Makes instances, runs them, and frees what the other one made. */
static void run_side(void *arg)
{
    struct side *side = arg;
    struct exchange *x = side->x;
    struct vm_worker w;
    struct instance_limits limits = {0};
    enum instance_failure why;
    uint64_t value = side->index * 1000 + 1;

    vm_worker_init(&w, side->index);
    for (unsigned n = 0; n < ROUNDS * GUESTS; n++) {
        struct instance *i = instance_new(x->p, &w, &limits, &why), *other = NULL;
        uint64_t result = 0;

        if (!i || !is_zero(i) ||
            fiber_activate(i->fiber, program_function(x->p, FAKE_STORE), &value, 1, false) ||
            vm_run(&w, i->fiber) != STOP_RETURNED || fiber_return(i->fiber, &result, 1) || result) {
            x->bad++;
            break;
        }
        mutex_lock(&x->lock);
        if (x->counts[side->index] < GUESTS) {
            x->waiting[side->index][x->counts[side->index]++] = i;
            i = NULL;
        }
        if (x->counts[!side->index])
            other = x->waiting[!side->index][--x->counts[!side->index]];
        mutex_unlock(&x->lock);
        if (i)
            instance_free(i, &w);
        if (other)
            instance_free(other, &w);
    }
    mutex_lock(&x->lock);
    while (x->counts[side->index])
        instance_free(x->waiting[side->index][--x->counts[side->index]], &w);
    mutex_unlock(&x->lock);
    vm_worker_deinit(&w);
}

TEST(two_workers_exchange_instances)
{
    struct exchange x = {.lock = MUTEX_INITIALIZER};
    struct side sides[2] = {{&x, 0}, {&x, 1}};
    struct thread other;
    struct error err;

    x.p = fake_program(&(struct fake_options){.host = host_nothing, .memory_pages = 1});
    CHECK(x.p);
    CHECK(thread_create(&other, "other", run_side, &sides[1], &err));
    run_side(&sides[0]);
    thread_join(&other);
    CHECK(x.bad == 0);
    fake_program_free(x.p);
}

/* Every allocation of linking may fail, and then nothing is left behind. */
TEST(linking_survives_the_failure_of_any_allocation)
{
    struct fake_options o = {.host = host_nothing, .memory_pages = 1, .data = "x", .data_size = 1};
    unsigned failed = 0;

    for (size_t n = 1; n < 50; n++) {
        struct program *p = fake_program_torture(&o, n);

        if (p) {
            fake_program_free(p);
            break;
        }
        failed++;
    }
    CHECK(failed > 5 && failed < 49);
}
