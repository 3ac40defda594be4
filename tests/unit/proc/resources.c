/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tables of resources (1.7), configurations (6), and nodes. */
#include "base/mem.h"
#include "plat/random.h"
#include "world.h"

static int released;

static void count_release(struct resource *r)
{
    released++;
    mem_free(r);
}

static struct resource *new_resource(enum resource_kind kind)
{
    struct resource *r = mem_new(struct resource);

    resource_init(r, kind, count_release);
    return r;
}

/* 1.7: ids per kind, from 0, never reused; swept at the end. */
TEST(resource_ids_start_at_0_per_kind_and_are_never_reused)
{
    struct config *config = config_new();
    struct process p = {.config = config};
    uint64_t id, expected = 0;
    struct prng random = {7};
    int before;

    released = 0;
    CHECK(resource_count(&p, RESOURCE_ERROR) == 0 && !resource_get(&p, RESOURCE_ERROR, 0));
    for (int i = 0; i < 1000; i++) {
        CHECK(resource_add(&p, new_resource(RESOURCE_ERROR), &id) && id == expected++);
        if (i % 100 == 0)
            CHECK(resource_add(&p, new_resource(RESOURCE_MODULE), &id) && id == (uint64_t)i / 100);
        if (prng_below(&random, 3) > 0) {
            struct resource *r = resource_take(&p, RESOURCE_ERROR, expected - 1);

            CHECK(r && !resource_get(&p, RESOURCE_ERROR, expected - 1));
            CHECK(!resource_take(&p, RESOURCE_ERROR, expected - 1));
            resource_unref(r);
        } else {
            CHECK(resource_get(&p, RESOURCE_ERROR, expected - 1));
        }
    }
    id = 0;
    CHECK(resource_next(&p, RESOURCE_MODULE, &id) && id == 0);
    id = 1;
    CHECK(resource_next(&p, RESOURCE_MODULE, &id) && id == 1);
    id = 10;
    CHECK(!resource_next(&p, RESOURCE_MODULE, &id));
    before = released;
    CHECK(!resources_sweep(&p, 5) && released == before + 5);
    CHECK(!resources_sweep(&p, 3) && released == before + 8);
    CHECK(resources_sweep(&p, 2000));
    CHECK(released == 1010 && !p.resources);
    config_unref(config);
}

static uint64_t charged, charge_max;

static bool take_charge(uint64_t bytes)
{
    if (charged + bytes > charge_max)
        return false;
    charged += bytes;
    return true;
}

static void give_charge(uint64_t bytes)
{
    charged -= bytes;
}

/* Who collects errors without end is refused at some time, before the machine's memory is gone. */
TEST(long_tables_count_against_the_memory_of_the_machine)
{
    struct config *config = config_new();
    struct process p = {.config = config};
    struct resource *r;
    uint64_t id, count = 0;

    charged = 0;
    charge_max = 1 << 20;
    mem_set_charge(take_charge, give_charge);
    for (; count < 64; count++)
        CHECK(resource_add(&p, new_resource(RESOURCE_ERROR), &id));
    CHECK(charged == 0); /* a few are free */
    while (resource_add(&p, r = new_resource(RESOURCE_ERROR), &id))
        count++;
    resource_unref(r);
    CHECK(count == 2048 && charged == charge_max);
    CHECK(resource_count(&p, RESOURCE_ERROR) == count); /* what is there stays usable */
    r = resource_take(&p, RESOURCE_ERROR, 0);
    CHECK(r);
    resource_unref(r);
    CHECK(resources_sweep(&p, SIZE_MAX) && charged == 0);
    mem_set_charge(NULL, NULL);
    config_unref(config);
}

TEST(resources_have_a_limit)
{
    struct config *config = config_new();
    struct process p = {.config = config};
    struct resource *extra = new_resource(RESOURCE_ERROR);
    uint64_t id;

    config->resource_count_max = 5;
    for (int i = 0; i < 5; i++)
        CHECK(resource_add(&p, new_resource(RESOURCE_ERROR), &id));
    CHECK(!resource_add(&p, extra, &id));
    resource_unref(resource_take(&p, RESOURCE_ERROR, 2));
    CHECK(resource_add(&p, extra, &id) && id == 5);
    CHECK(resources_sweep(&p, SIZE_MAX));
    config_unref(config);
}

TEST(every_allocation_of_a_resource_table_may_fail)
{
    for (size_t n = 1; n <= 2; n++) {
        struct config *config = config_new();
        struct process p = {.config = config};
        struct resource *r = new_resource(RESOURCE_ERROR);
        uint64_t id;

        mem_fail_after(n);
        CHECK(!resource_add(&p, r, &id));
        mem_fail_after(0);
        CHECK(resource_add(&p, r, &id) && id == 0);
        CHECK(resources_sweep(&p, SIZE_MAX));
        config_unref(config);
    }
}

/* 6.1: defaults. */
TEST(a_new_config_allows_nothing)
{
    struct config *c = config_new();

    CHECK(c && c->memory_max == 4294967295u && c->fuel_max == 0 && c->rights == 0);
    CHECK(!config_allows(c, RIGHT_SPAWN_PROCESSES) && c->dirs.count == 0 && c->args.count == 0);
    config_unref(c);
}

/* 6.2: fixed when shared: changing makes a copy; 11 F8: duplicates stay, in order. */
TEST(a_shared_config_is_copied_when_changed)
{
    struct config *c = config_new(), *mine;

    CHECK(config_add_variable(c, slice_text("A"), slice_text("1")));
    CHECK(config_add_variable(c, slice_text("A"), slice_text("2")));
    CHECK(config_add_arg(c, slice_text("arg")) &&
          config_add_dir(c, slice_text("/"), slice_text("x"), false));
    CHECK(!config_add_arg(c, slice_make("a\0b", 3)));
    mine = c;
    CHECK(config_change(&mine) && mine == c);
    mine = config_ref(c);
    CHECK(config_change(&mine) && mine != c);
    mine->rights = RIGHT_SPAWN_PROCESSES;
    CHECK(config_add_arg(mine, slice_text("more")));
    CHECK(c->rights == 0 && c->args.count == 1 && mine->args.count == 2);
    CHECK_TEXT(mine->variables.items[1].value, "2");
    CHECK_TEXT(mine->dirs.items[0].guest_path, "x");
    config_unref(mine);
    config_unref(c);
}

TEST(every_allocation_of_a_config_copy_may_fail)
{
    struct config *c = config_new(), *copy = NULL;
    size_t n = 0;

    CHECK(config_add_variable(c, slice_text("A"), slice_text("1")));
    CHECK(config_add_arg(c, slice_text("arg")) &&
          config_add_dir(c, slice_text("/"), slice_text("x"), false));
    while (!copy) {
        CHECK(++n < 100);
        mem_fail_after(n);
        copy = config_copy(c);
    }
    mem_fail_after(0);
    CHECK(n > 8 && copy->string_size == c->string_size);
    config_unref(copy);
    config_unref(c);
}

/* Nodes: each is used by one holder at a time; the reserve is for those who may not fail. */
TEST(pool_gives_every_node_once)
{
    struct pool pool;
    struct error err;
    void *nodes[5000];
    size_t count = 0, reserved;

    CHECK(pool_init(&pool, 64, 0, 4001, 400, 2, &err));
    while ((nodes[count] = pool_take(&pool, (uint32_t)(count % 3 == 2 ? POOL_OUTSIDE : count % 3))))
        *(size_t *)nodes[count] = count, count++;
    CHECK(count >= 3600 - 2 * POOL_BATCH && count <= 3600);
    for (size_t i = 0; i < count; i++)
        CHECK(*(size_t *)nodes[i] == i && pool_at(&pool, pool_number(&pool, nodes[i])) == nodes[i]);
    reserved = count;
    while ((nodes[reserved] = pool_take_reserved(&pool, 0)))
        reserved++;
    CHECK(reserved - count >= 400 && pool_live(&pool) == reserved);
    for (size_t i = 0; i < reserved; i++)
        pool_give(&pool, (uint32_t)(i % 2), nodes[i]);
    CHECK(pool_live(&pool) == 0);
    pool_deinit(&pool);
}
