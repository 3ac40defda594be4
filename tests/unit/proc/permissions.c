/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a child gets of what its parent has (6 of the reference, made to shrink only), and what
 * happens at the limits. */
#include "base/mem.h"
#include "proc/budget.h"
#include "proc/net_rule.h"
#include "proc/rules.h"
#include "proc/tag_index.h"
#include "world.h"

static struct config *granted(void)
{
    struct config *c = config_new();

    if (c && !EXPECT(config_restrict(c, NULL, NULL, NULL)))
        return NULL;
    return c;
}

TEST(each_number_of_a_child_is_at_most_its_parents)
{
    struct config *parent = config_new(), *child = config_new();

    parent->memory_max = 1000;
    parent->fuel_max = 10;
    parent->cpu_max_ms = 20;
    parent->process_count_max = 30;
    parent->mailbox_count_max = 40;
    parent->mailbox_size_max = 50;
    parent->descriptor_count_max = 60;
    parent->timer_count_max = 70;
    parent->resource_count_max = 80;
    CHECK(config_restrict(parent, NULL, NULL, NULL));
    CHECK(config_restrict(child, parent, NULL, NULL)); /* as create_config makes it */
    CHECK(child->memory_max == 1000 && child->fuel_max == 10 && child->cpu_max_ms == 20 &&
          child->process_count_max == 30 && child->mailbox_count_max == 40 &&
          child->mailbox_size_max == 50 && child->descriptor_count_max == 60 &&
          child->timer_count_max == 70 && child->resource_count_max == 80);
    CHECK(child->budget == parent->budget);
    child->fuel_max = 11; /* and asked for again, after the first spawn */
    child->memory_max = child->cpu_max_ms = child->mailbox_size_max = UINT64_MAX;
    config_changed(child);
    CHECK(config_restrict(child, parent, NULL, NULL));
    CHECK(child->fuel_max == 10 && child->memory_max == 1000 && child->cpu_max_ms == 20 &&
          child->mailbox_size_max == 50);
    child->fuel_max = 3;
    child->memory_max = 7;
    CHECK(config_restrict(child, parent, NULL, NULL));
    CHECK(child->fuel_max == 3 && child->memory_max == 7);
    config_unref(child);
    config_unref(parent);
}

TEST(a_child_has_no_right_that_its_parent_lacks)
{
    struct config *parent = config_new(), *child = config_new();
    struct bytes lost = {0};

    parent->rights = RIGHT_SPAWN_PROCESSES;
    child->rights = RIGHT_SPAWN_PROCESSES | RIGHT_COMPILE_MODULES | RIGHT_CREATE_CONFIGS;
    CHECK(config_restrict(child, parent, &lost, NULL));
    CHECK(child->rights == RIGHT_SPAWN_PROCESSES);
    CHECK(bytes_append_u8(&lost, 0));
    CHECK_TEXT((char *)lost.data,
               "the right to compile modules, the right to create configurations");
    bytes_deinit(&lost);
    config_unref(child);
    config_unref(parent);
}

/* Grandchildren: what was cut once stays cut. */
TEST(what_a_child_has_not_its_child_cannot_get)
{
    struct config *top = granted(), *middle = config_new(), *low = config_new();

    middle->memory_max = 100;
    CHECK(config_restrict(middle, top, NULL, NULL) && config_restrict(low, middle, NULL, NULL));
    CHECK(low->memory_max == 100 && low->rights == 0);
    config_unref(top);
    config_unref(middle);
    config_unref(low);
}

static bool add_dir(struct config *c, const char *host, const char *guest, bool read_only)
{
    return EXPECT(config_add_dir(c, slice_text(host), slice_text(guest), read_only));
}

/* What a wish for `path` becomes: the host's path and the names below, or "-". */
static const char *wish(const struct config *parent, const char *path, bool read_only,
                        bool *is_read_only)
{
    static char text[256];
    struct config *child = config_new();
    const struct config_dir *d;

    add_dir(child, path, path, read_only);
    EXPECT(config_restrict(child, parent, NULL, NULL));
    strcpy(text, "-");
    if (child->dirs.count == 1) {
        d = &child->dirs.items[0];
        strcpy(text, d->host_path);
        for (const char *name = d->below; name && *name; name += strlen(name) + 1)
            strcat(strcat(text, " + "), name);
        EXPECT(d->is_granted && strcmp(d->guest_path, path) == 0);
        if (is_read_only)
            *is_read_only = d->is_read_only;
    }
    config_unref(child);
    return text;
}

TEST(directories_of_a_child_are_below_its_parents)
{
    struct config *parent = config_new();
    bool read_only = true;

    add_dir(parent, ".", ".", false);
    add_dir(parent, "/srv/data", "/data", false);
    add_dir(parent, "/srv/data/pictures", "/data/p", true);
    CHECK(config_restrict(parent, NULL, NULL, NULL));
    CHECK_TEXT(wish(parent, ".", false, &read_only), ".");
    CHECK(!read_only);
    CHECK_TEXT(wish(parent, "sub/./dir/", false, NULL), ". + sub/dir");
    CHECK_TEXT(wish(parent, "/data", false, NULL), "/srv/data");
    CHECK_TEXT(wish(parent, "/data/x", true, &read_only), "/srv/data + x");
    CHECK(read_only);
    /* By the host's name, when the parent has none. */
    CHECK_TEXT(wish(parent, "/srv/data/y", false, NULL), "/srv/data + y");
    /* The deepest one counts, and what is read-only stays so. */
    CHECK_TEXT(wish(parent, "/data/p/q", false, &read_only), "/srv/data/pictures + q");
    CHECK(read_only);
    config_unref(parent);
}

/* Escapes: directories that the parent has not. */
TEST(directories_that_the_parent_lacks_are_left_out)
{
    struct config *parent = config_new(), *child = config_new();
    struct bytes lost = {0};

    add_dir(parent, "/srv/data", "/data", false);
    CHECK(config_restrict(parent, NULL, NULL, NULL));
    CHECK_TEXT(wish(parent, "/", false, NULL), "-");
    CHECK_TEXT(wish(parent, "/data2", false, NULL), "-");
    CHECK_TEXT(wish(parent, "/data/..", false, NULL), "-");
    CHECK_TEXT(wish(parent, "/data/x/../../../etc", false, NULL), "-");
    CHECK_TEXT(wish(parent, "/srv", false, NULL), "-");
    CHECK_TEXT(wish(parent, "../data", false, NULL), "-");
    CHECK_TEXT(wish(parent, "~", false, NULL), "-");
    CHECK_TEXT(wish(parent, "", false, NULL), "-");
    CHECK_TEXT(wish(parent, "data", false, NULL), "-");
    add_dir(child, "/etc", "/etc", false);
    add_dir(child, "/data", "/data", false);
    CHECK(config_restrict(child, parent, &lost, NULL));
    CHECK(child->dirs.count == 1 && bytes_append_u8(&lost, 0));
    CHECK_TEXT((char *)lost.data, "directory /etc");
    bytes_deinit(&lost);
    config_unref(child);
    config_unref(parent);
}

/* Each step down is confined on its own, so that a link in one cannot lead to another. */
TEST(directories_of_grandchildren_go_name_by_name)
{
    struct config *top = config_new(), *middle = config_new(), *copy;

    add_dir(top, "/srv", "/", false);
    CHECK(config_restrict(top, NULL, NULL, NULL));
    add_dir(middle, "/a/b", "/a/b", false);
    CHECK(config_restrict(middle, top, NULL, NULL));
    CHECK_TEXT(wish(middle, "/a/b/c", false, NULL), "/srv + a/b + c");
    CHECK_TEXT(wish(middle, "/a", false, NULL), "-");
    CHECK_TEXT(wish(middle, "/srv/x", false, NULL), "-"); /* the host's name is not its own */
    copy = config_copy(middle);
    CHECK_TEXT(wish(copy, "/a/b", false, NULL), "/srv + a/b");
    /* What has been granted once is no wish any more. */
    config_changed(copy);
    CHECK(config_restrict(copy, top, NULL, NULL) && copy->dirs.count == 1);
    CHECK_TEXT(copy->dirs.items[0].below, "a/b");
    config_unref(copy);
    config_unref(top);
    config_unref(middle);
}

static bool add_rule(struct config *c, const char *text)
{
    struct net_rule rule;

    return EXPECT(net_rule_parse(slice_text(text), &rule, NULL)) &&
           EXPECT(rules_change(&c->own_rules)) && EXPECT(rules_add_net(c->own_rules, true, &rule));
}

TEST(rules_of_a_child_lie_over_its_parents)
{
    struct config *parent = config_new(), *child = config_new();
    struct net_target t = {.operation = NET_CONNECT, .port = 80};

    CHECK(add_rule(parent, "10.0.0.0/8") && config_restrict(parent, NULL, NULL, NULL));
    CHECK(config_restrict(child, parent, NULL, NULL) && child->rules == parent->rules);
    CHECK(add_rule(child, "*"));
    config_changed(child);
    CHECK(config_restrict(child, parent, NULL, NULL) && child->rules->depth == 2);
    CHECK(net_address_parse(slice_text("11.0.0.1"), &t.address));
    CHECK(!rules_allow_net(child->rules, &t));
    CHECK(net_address_parse(slice_text("10.0.0.1"), &t.address));
    CHECK(rules_allow_net(child->rules, &t));
    /* More rules in the same layer, after a spawn. */
    CHECK(add_rule(child, "10.0.0.0/8") && config_restrict(child, parent, NULL, NULL));
    CHECK(child->rules->depth == 2);
    config_unref(parent);
    config_unref(child);
}

TEST(layers_of_rules_have_a_limit)
{
    struct config *c = granted();
    struct error err = {0};

    for (unsigned i = 0; i < RULES_DEPTH_MAX; i++) {
        struct config *child = config_new();

        CHECK(add_rule(child, "*") && config_restrict(child, c, NULL, &err));
        config_unref(c);
        c = child;
    }
    {
        struct config *child = config_new();

        CHECK(config_restrict(child, c, NULL, &err)); /* without rules of its own */
        CHECK(add_rule(child, "*") && !config_restrict(child, c, NULL, &err));
        CHECK(err.code == ERR_LIMIT);
        config_unref(child);
    }
    config_unref(c);
}

/* Then there is no child, or it has less. */
TEST(every_allocation_of_a_restriction_may_fail)
{
    size_t failures = 0;

    for (size_t n = 1; n < 30; n++) {
        struct config *parent = config_new(), *child = config_new();

        CHECK(add_dir(parent, "/srv", "/x", false));
        CHECK(add_rule(parent, "*") && config_restrict(parent, NULL, NULL, NULL));
        CHECK(add_dir(child, "/x/y", "/x/y", false));
        child->process_count_max = 5;
        CHECK(add_rule(child, "*"));
        mem_fail_after(n);
        if (config_restrict(child, parent, NULL, NULL)) {
            CHECK(child->within == parent && child->budget && child->rules->depth == 2);
            CHECK(child->dirs.count == 0 || strcmp(child->dirs.items[0].below, "y") == 0);
        } else {
            CHECK(!child->within);
            failures++;
        }
        mem_fail_after(0);
        config_unref(child);
        config_unref(parent);
    }
    CHECK(failures > 3);
}

/* ---- processes ---- */

TEST(a_budget_counts_in_all_above_it)
{
    struct budget *top = budget_new(NULL, 5), *low = budget_new(top, 3);
    uint64_t limit = 0;

    for (int i = 0; i < 3; i++)
        CHECK(budget_take(low, &limit));
    CHECK(!budget_take(low, &limit) && limit == 3);
    CHECK(budget_take(top, &limit) && budget_take(top, &limit));
    budget_give(low);
    CHECK(budget_take(low, &limit));
    CHECK(!budget_take(top, &limit) && limit == 5);
    budget_give(top);
    budget_give(top);
    for (int i = 0; i < 3; i++)
        budget_give(low);
    CHECK(atomic_load(&top->count) == 0 && atomic_load(&low->count) == 0);
    budget_unref(top);
    budget_unref(low);
}

/* Escapes: new configurations, with numbers of their own, do not make room for more processes. */
TEST(children_cannot_be_more_by_having_configurations_of_their_own)
{
    struct world w;
    struct process *p[10];
    struct spawn_options spawn = {0};
    struct error err = {0};

    CHECK(world_open(&w, 5));
    w.config->process_count_max = 10;
    CHECK(config_restrict(w.config, NULL, NULL, NULL));
    for (int i = 0; i < 10; i++) {
        struct config *c = config_new();

        c->process_count_max = i % 2 ? 1000 : 4;
        CHECK(config_restrict(c, w.config, NULL, NULL));
        spawn.config = c;
        p[i] = process_prepare(w.environment, &spawn, &err);
        CHECK(p[i]);
        config_unref(c);
    }
    spawn.config = w.config;
    CHECK(!process_prepare(w.environment, &spawn, &err) && err.code == ERR_LIMIT);
    CHECK_TEXT(err.text, "no more than 10 processes allowed");
    process_discard(p[0]);
    CHECK((p[0] = process_prepare(w.environment, &spawn, &err)));
    for (int i = 0; i < 10; i++)
        process_discard(p[i]);
    CHECK(world_close(&w));
}

static enum task_result fork_bomb(struct process *p, struct actor *self)
{
    struct world *w = self->world;

    if (self->step++ == 0) {
        for (int i = 0; i < 4; i++)
            w->events[0] += actor_spawn(p, fork_bomb, 0, 0, false, 0) == 0;
    }
    return self->step < 3 ? TASK_YIELD : TASK_DONE;
}

TEST(a_fork_bomb_has_its_budget_back_when_it_is_over)
{
    struct world w;

    CHECK(world_open(&w, 5));
    w.config->process_count_max = 100;
    CHECK(config_restrict(w.config, NULL, NULL, NULL));
    CHECK(world_spawn(&w, role_end_later, 0, 0) == PROCESS_MAIN);
    CHECK(world_spawn(&w, fork_bomb, 0, 0));
    CHECK(world_run(&w));
    CHECK(w.events[0] > 0); /* some were refused */
    CHECK(atomic_load(&w.config->budget->count) == 0);
    CHECK(world_close(&w));
}

/* ---- CPU time ---- */

static enum task_result loops(struct process *p, struct actor *self)
{
    (void)p;
    (void)self;
    return TASK_USED_UP;
}

TEST(a_process_that_uses_up_its_cpu_time_ends)
{
    struct world w;

    CHECK(world_open(&w, 5));
    w.config->cpu_max_ms = 2;
    world_spawn(&w, loops, 0, 0);
    CHECK(world_run(&w));
    CHECK(w.exits == 1 && w.exit.reason == EXIT_LIMIT);
    CHECK_TEXT(w.exit_words, "CPU time of 2 ms used up");
    CHECK(world_close(&w));
}

/* Escapes: giving way before each tick, or sleeping, does not hide what was used. */
static enum task_result yields(struct process *p, struct actor *self)
{
    (void)p;
    (void)self;
    return TASK_YIELD;
}

static enum task_result sleeps(struct process *p, struct actor *self)
{
    (void)self;
    if (actor_slept(p, MS / 100))
        self->count++;
    return p->wait.kind == WAIT_NONE ? TASK_YIELD : TASK_PARK;
}

TEST(short_slices_count_against_the_limit_of_cpu_time)
{
    role_fn *const roles[] = {yields, sleeps};

    for (size_t i = 0; i < ARRAY_COUNT(roles); i++) {
        struct world w;

        CHECK(world_open(&w, 5));
        w.config->cpu_max_ms = 1;
        world_spawn(&w, roles[i], 0, 0);
        CHECK(world_run(&w));
        CHECK(w.exits == 1 && w.exit.reason == EXIT_LIMIT);
        CHECK(world_close(&w));
    }
}

/* ---- mailbox ---- */

static enum task_result note_ends(struct process *p, struct actor *self)
{
    struct message *m;

    if (self->step++ == 0) {
        process_die_when_link_dies(p, false);
        process_link(p, self->other, 7);
        process_monitor(p, self->other);
    }
    for (;;) {
        if (actor_receive(p, NULL, 0, DEADLINE_NEVER, &m) != GOT_MESSAGE)
            return TASK_PARK;
        note(self->world, m->kind);
        message_free(&self->world->actors, m);
    }
}

/* Sends until the receiver is gone. */
static enum task_result floods(struct process *p, struct actor *self)
{
    static const char data[1000];

    for (int i = 0; i < 1000 && self->count < (uint64_t)self->tag; i++) {
        actor_send(p, self->other, 1, data, sizeof(data));
        self->count++;
    }
    return self->count < (uint64_t)self->tag && process_exists(p->environment, self->other)
               ? TASK_YIELD
               : TASK_DONE;
}

static enum task_result takes_nothing(struct process *p, struct actor *self)
{
    struct message *m;
    const int64_t tag = 99;

    (void)self;
    return actor_receive(p, &tag, 1, DEADLINE_NEVER, &m) == GOT_MESSAGE ? TASK_DONE : TASK_PARK;
}

TEST(a_flooded_process_ends_and_links_and_monitors_hear_of_it)
{
    for (int by_count = 0; by_count < 2; by_count++) {
        struct world w;
        uint64_t victim;

        CHECK(world_open(&w, 5));
        if (by_count)
            w.config->mailbox_count_max = 5000;
        else
            w.config->mailbox_size_max = 5000 * 1200;
        world_spawn(&w, note_ends, 2, 0);
        victim = world_spawn(&w, takes_nothing, 0, 0);
        CHECK(victim == 2);
        world_spawn(&w, floods, victim, 1 << 20);
        CHECK(world_run(&w));
        CHECK(!process_exists(w.environment, victim) && w.exits == 0);
        CHECK_NOTED(&w, MESSAGE_LINK_DIED, MESSAGE_PROCESS_DIED);
        CHECK(pool_live(&w.actors.messages) < 10);
        CHECK(world_close(&w));
    }
}

/* A receiver that never gets to run: the senders find that there is no room, and what they send
 * then costs nothing. */
TEST(a_flood_ends_at_the_senders)
{
    struct world w;
    struct spawn_options options = {0};
    struct process *p;
    uint64_t victim, live;

    CHECK(world_open(&w, 5));
    w.config->mailbox_size_max = 1 << 20;
    victim = world_spawn(&w, takes_nothing, 0, 0);
    options.config = w.config;
    p = process_prepare(w.environment, &options, NULL); /* somebody to ask */
    CHECK(p);
    for (int i = 0; i < 200000; i++) {
        struct message *m = message_new_data(&w.actors, 1, "x", 1);

        process_send(w.environment, victim, m);
    }
    live = pool_live(&w.actors.messages);
    CHECK(live <= (INBOX_SLACK + (1 << 20)) / sizeof(struct message) + 10);
    /* Neither can it be filled with what is no message. */
    for (int i = 0; i < 1000; i++)
        CHECK(!signal_send(w.environment, victim,
                           signal_new(&w.actors, SIGNAL_LINK, process_id(p), 0, 0)));
    CHECK(pool_live(&w.actors.messages) == live);
    process_discard(p);
    CHECK(world_run(&w));
    CHECK(w.exits == 1 && w.exit.reason == EXIT_LIMIT);
    CHECK_TEXT(w.exit_words, "mailbox of 1048576 bytes exceeded");
    CHECK(world_close(&w));
}

/* What is drained makes room again, to the byte. */
TEST(room_comes_back_when_signals_are_handled)
{
    struct world w;
    struct process *p;
    uint64_t id;

    CHECK(world_open(&w, 5));
    w.config->mailbox_size_max = 1 << 20;
    id = world_spawn(&w, takes_nothing, 0, 0);
    p = environment_block(w.environment, id);
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < i; k++)
            process_send(w.environment, id, message_new_data(&w.actors, 1, "0123456789", 10));
        do
            CHECK(process_handle_signals(p));
        while (process_is_behind(p));
        CHECK(atomic_load(&p->room) == inbox_room(1 << 20));
        while (p->mailbox.count)
            message_free(&w.actors, mailbox_take(&p->mailbox, NULL, 0, 0));
    }
    CHECK(world_close(&w));
}

/* 100,000 messages of other tags queued before do not make a receive by tag dearer: counted in
 * messages and slots looked at. */
TEST(a_receive_by_tag_looks_at_few_others)
{
    struct world w;
    struct mailbox mb = {0};
    uint64_t work;

    CHECK(world_open(&w, 5));
    for (int64_t i = 0; i < 100000; i++)
        CHECK(mailbox_add(&mb, message_new(&w.actors, 1 + i % 1000, 0)));
    work = mb.index->steps;
    for (int64_t i = 0; i < 10000; i++) {
        const int64_t tag = 1000000 + i;
        struct message *m;

        CHECK(mailbox_add(&mb, message_new(&w.actors, tag, 0)));
        m = mailbox_take(&mb, &tag, 1, 0);
        CHECK(m && m->tag == tag);
        message_free(&w.actors, m);
    }
    work = mb.index->steps - work;
    CHECK(work < 10000 * 12); /* add, find, remove: a few slots each */
    mailbox_deinit(&mb, &w.actors);
    CHECK(world_close(&w));
}

/* ---- memory of messages ---- */

static _Atomic uint64_t charged;

static bool take_charge(uint64_t bytes)
{
    if (atomic_load(&charged) + bytes > 8 << 20)
        return false;
    atomic_fetch_add(&charged, bytes);
    return true;
}

static void give_charge(uint64_t bytes)
{
    atomic_fetch_sub(&charged, bytes);
}

/* What messages weigh is asked for before it is taken, and given back to the byte. */
TEST(messages_count_against_the_memory_of_the_machine)
{
    static char data[100000];
    struct message *kept[200] = {0};
    struct world w;
    size_t count = 0;

    mem_set_charge(take_charge, give_charge);
    CHECK(world_open(&w, 5));
    while (count < ARRAY_COUNT(kept) &&
           (kept[count] = message_new_data(&w.actors, 1, data, sizeof(data))))
        count++;
    CHECK(count > 50 && count < 100);
    CHECK(atomic_load(&charged) > 50 * sizeof(data));
    for (size_t i = 0; i < count; i++)
        message_free(&w.actors, kept[i]);
    CHECK(atomic_load(&charged) < 1 << 20); /* the nodes stay */
    CHECK(world_close(&w));
    mem_set_charge(NULL, NULL);
    CHECK(atomic_load(&charged) == 0);
}

/* ---- memory of everything else that a guest makes us keep ---- */

static uint64_t charge_before;

static void plain_release(struct resource *r)
{
    mem_free(r);
}

static bool charge_begin(struct world *w)
{
    mem_set_charge(take_charge, give_charge);
    if (!world_open(w, 5))
        return false;
    charge_before = atomic_load(&charged);
    return true;
}

/* Everything has been given back, to the byte. */
static bool charge_end(struct world *w)
{
    bool ok = EXPECT(atomic_load(&charged) == charge_before);

    ok = world_close(w) && ok;
    mem_set_charge(NULL, NULL);
    return EXPECT(atomic_load(&charged) == 0) && ok;
}

TEST(names_count_against_the_memory_of_the_machine)
{
    static uint8_t name[REGISTRY_NAME_SIZE_MAX];
    const struct slice all = slice_make(name, sizeof(name));
    struct registry r;
    uint64_t node, id, ticket = 0;
    struct world w;
    uint8_t count;

    CHECK(charge_begin(&w));
    registry_init(&r, w.environment);
    for (count = 0; count < 50; count++) {
        name[0] = count;
        if (!registry_put(&r, all, 7, 1))
            break;
    }
    CHECK(count == 7);
    CHECK(registry_claim(&r, all, 1, &ticket, &node, &id) == REGISTRY_FULL);
    name[0] = 0;
    CHECK(registry_put(&r, all, 7, 2)); /* there already */
    registry_remove(&r, all);
    name[0] = count;
    CHECK(registry_put(&r, all, 7, 1));
    registry_deinit(&r);
    CHECK(charge_end(&w));
}

/* A handle costs its share of the table and of what is behind it. */
TEST(handles_count_against_the_memory_of_the_machine)
{
    struct config *c = config_new();
    struct process p = {.config = c};
    struct resource *r = NULL;
    struct world w;
    uint64_t id, count = 0;

    CHECK(charge_begin(&w));
    while (count < 1 << 20) {
        r = mem_new(struct resource);
        resource_init(r, RESOURCE_ERROR, plain_release);
        if (!resource_add(&p, r, &id))
            break;
        count++;
    }
    CHECK(count > 1000 && count * 512 <= 8 << 20);
    resource_unref(r);
    CHECK(resources_sweep(&p, SIZE_MAX));
    CHECK(charge_end(&w));
    config_unref(c);
}

/* In a message they count as its weight, too. */
TEST(handles_in_a_message_count_against_the_memory_of_the_machine)
{
    struct resource *r = mem_new(struct resource);
    struct message *m[2];
    struct world w;
    uint64_t index;

    resource_init(r, RESOURCE_ERROR, plain_release);
    CHECK(charge_begin(&w));
    for (int i = 0; i < 2; i++)
        CHECK((m[i] = message_new(&w.actors, 0, 0)));
    charge_before = atomic_load(&charged);
    for (int i = 0; i < 1 << 18; i++)
        CHECK(message_push(m[0], resource_ref(r), &index));
    CHECK(message_weight(m[0]) >= 8 << 18);
    CHECK(atomic_load(&charged) - charge_before >= 8 << 18);
    for (int i = 0; i < 1 << 18; i++)
        CHECK(message_push(m[1], resource_ref(r), &index));
    resource_ref(r);
    CHECK(!message_push(m[1], r, &index)); /* 6 MiB when it grows, of 8 with the other's 2 */
    resource_unref(r);
    CHECK(message_resource(m[1], (1 << 18) - 1) == r);
    message_free(&w.actors, m[0]);
    message_free(&w.actors, m[1]);
    resource_unref(r);
    CHECK(charge_end(&w));
}

TEST(configurations_count_against_the_memory_of_the_machine)
{
    static char text[1 << 20];
    struct config *kept[100] = {0};
    struct config *c;
    size_t count = 0;
    struct world w;

    memset(text, 'a', sizeof(text));
    CHECK(charge_begin(&w));
    c = config_new();
    for (count = 0; count < 50; count++) {
        if (!config_add_variable(c, slice_text("A"), slice_make(text, sizeof(text))))
            break;
    }
    CHECK(count == 7 && !config_add_arg(c, slice_make(text, sizeof(text))));
    CHECK(!config_copy(c));
    config_unref(c);
    for (count = 0; count < ARRAY_COUNT(kept) && (kept[count] = config_new()); count++) {
        if (!config_add_dir(kept[count], slice_text("."), slice_make(text, 200000), false))
            break;
    }
    CHECK(count > 30 && count < 50);
    for (size_t i = 0; i <= count; i++)
        config_unref(kept[i]);
    CHECK(charge_end(&w));
}

/* Many small strings are not free, nor is what is left of paths from level to level. */
TEST(strings_of_a_configuration_have_a_limit_however_small_they_are)
{
    static char path[64 << 10];
    struct config *c = config_new(), *child, *grandchild;
    struct error err;
    size_t count = 0;

    while (count < CONFIG_STRINGS_SIZE_MAX && config_add_arg(c, slice_text("")))
        count++;
    CHECK(count == CONFIG_STRINGS_SIZE_MAX / CONFIG_STRING_COST);
    config_unref(c);

    c = config_new();
    child = config_new();
    grandchild = config_new();
    memset(path, 'a', sizeof(path));
    memcpy(path, "d/", 2);
    CHECK(config_add_dir(c, slice_text("/"), slice_text("d"), false));
    CHECK(config_restrict(c, NULL, NULL, &err));
    CHECK(config_add_dir(child, slice_text("x"), slice_make(path, sizeof(path)), false));
    CHECK(config_restrict(child, c, NULL, &err));
    CHECK(child->string_size > 2 * (sizeof(path) - 2));
    for (int i = 0; i < 130; i++)
        CHECK(config_add_dir(grandchild, slice_text("x"), slice_make(path, sizeof(path)), false));
    CHECK(!config_restrict(grandchild, child, NULL, &err)); /* twice 130 paths */
    CHECK(grandchild->string_size <= CONFIG_STRINGS_SIZE_MAX);
    config_unref(grandchild);
    config_unref(child);
    config_unref(c);
}

TEST(rules_count_against_the_memory_of_the_machine)
{
    static char path[RULES_PATH_MAX + 1];
    struct rules *kept[100] = {0};
    struct net_rule rule;
    size_t count = 0, full;
    struct error err;
    struct world w;

    memset(path, 'a', sizeof(path));
    CHECK(charge_begin(&w));
    CHECK(net_rule_parse(slice_text("connect=*:80"), &rule, &err));
    for (full = 0; full < ARRAY_COUNT(kept); full++) {
        CHECK((kept[full] = rules_new()));
        CHECK(!rules_add_database(kept[full], slice_make(path, sizeof(path))));
        CHECK(rules_add_database(kept[full], slice_make(path, sizeof(path) - 1)));
        for (count = 0; count < RULES_COUNT_MAX && rules_add_net(kept[full], true, &rule);)
            count++;
        if (count < RULES_COUNT_MAX)
            break;
    }
    CHECK(full > 5 && full < ARRAY_COUNT(kept));
    for (size_t i = 0; i <= full; i++)
        rules_unref(kept[i]);
    CHECK(charge_end(&w));
}
