/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Messages and the mailbox: section 4 of the reference. */
#include "base/mem.h"
#include "plat/clock.h"
#include "plat/random.h"
#include "world.h"
#include <stdlib.h>

static int resources_released;

static void count_release(struct resource *r)
{
    resources_released++;
    mem_free(r);
}

static struct resource *new_resource(enum resource_kind kind)
{
    struct resource *r = mem_new(struct resource);

    resource_init(r, kind, count_release);
    return r;
}

/* 4.1: writes append at the end, reading goes on where it stopped; seeking beyond the end fails the
 * read. */
TEST(message_reads_and_writes_move_independently)
{
    struct world w;
    struct message *m;
    char text[64];
    size_t done;

    CHECK(world_open(&w, 1));
    m = message_new(&w.actors, 7, 1u << 31); /* B7: a hint is only a hint */
    CHECK(m && m->tag == 7 && m->size == 0);
    CHECK(message_write(m, "hello ", 6));
    CHECK(message_read(m, text, 2, &done) && done == 2);
    CHECK(message_write(m, "world", 5));
    CHECK(message_read(m, text + 2, 60, &done) && done == 9 &&
          memcmp(text, "hello world", 11) == 0);
    CHECK(message_read(m, text, 60, &done) && done == 0);
    m->position = 12;
    CHECK(!message_read(m, text, 1, &done));
    message_free(&w.actors, m);
    CHECK(world_close(&w));
}

/* Small data is in the node, larger data on the heap, and nothing is lost on the way. */
TEST(message_data_of_all_sizes)
{
    struct world w;

    CHECK(world_open(&w, 1));
    for (size_t size = 0; size < 3000; size += size < 200 ? 1 : 97) {
        struct message *m = message_new(&w.actors, 0, 0);

        CHECK(m);
        for (size_t i = 0; i < size; i++) {
            uint8_t byte = (uint8_t)(i * 7);

            CHECK(message_write(m, &byte, 1));
        }
        CHECK(m->size == size && m->is_inline == (size <= MESSAGE_INLINE_SIZE));
        for (size_t i = 0; i < size; i++)
            CHECK(m->data[i] == (uint8_t)(i * 7));
        message_free(&w.actors, m);
    }
    CHECK(world_close(&w));
}

/* A write that finds no memory changes nothing. */
TEST(message_write_without_memory_changes_nothing)
{
    struct world w;
    struct message *m;
    uint8_t block[200] = {0};

    CHECK(world_open(&w, 1));
    m = message_new_data(&w.actors, 0, block, 100);
    CHECK(m);
    mem_fail_after(1);
    CHECK(!message_write(m, block, 200));
    mem_fail_after(0);
    CHECK(m->size == 100 && m->is_inline);
    CHECK(message_write(m, block, 200) && m->size == 300);
    message_free(&w.actors, m);
    CHECK(world_close(&w));
}

/* 4.3: indexes do not shift, a second take finds nothing, what is never taken is dropped. */
TEST(message_resources_keep_their_index)
{
    struct world w;
    struct message *m;
    struct resource *r;
    uint64_t index;

    CHECK(world_open(&w, 1));
    resources_released = 0;
    m = message_new(&w.actors, 0, 0);
    for (uint64_t i = 0; i < 10; i++)
        CHECK(message_push(m, new_resource(RESOURCE_TCP_STREAM), &index) && index == i);
    r = message_take_resource(m, 3);
    CHECK(r && !message_take_resource(m, 3) && !message_resource(m, 10));
    CHECK(message_push(m, r, &index) && index == 10);
    message_free(&w.actors, m);
    CHECK(resources_released == 10);
    CHECK(world_close(&w));
}

/* 4.4: a receive for tag 7 steps over the older message tagged 3; without tags the oldest of any
 * kind; messages without a tag match no list, not even one with 0 (11 B2). */
TEST(receive_by_tag_leaves_other_messages_in_place)
{
    struct world w;
    struct mailbox mb = {0};
    const int64_t wanted[] = {9, 7, 0};
    struct message *m;

    CHECK(world_open(&w, 1));
    CHECK(mailbox_add(&mb, message_new_data(&w.actors, 0, "zero", 4)));
    CHECK(mailbox_add(&mb, message_new_data(&w.actors, 3, "three", 5)));
    CHECK(mailbox_add(&mb, message_new_data(&w.actors, 7, "seven", 5)));
    CHECK(mailbox_add(&mb, message_new_data(&w.actors, 9, "nine", 4)));
    m = mailbox_take(&mb, wanted, 3, 0);
    CHECK(m && m->tag == 7); /* the older of the two, whatever the order of the list */
    message_free(&w.actors, m);
    m = mailbox_take(&mb, wanted, 3, 0);
    CHECK(m && m->tag == 9);
    message_free(&w.actors, m);
    CHECK(!mailbox_take(&mb, wanted, 3, 0) && !mailbox_take(&mb, wanted + 2, 1, 0));
    m = mailbox_take(&mb, NULL, 0, 0);
    CHECK(m && m->tag == 0);
    message_free(&w.actors, m);
    mailbox_check(&mb);
    mailbox_deinit(&mb, &w.actors);
    CHECK(world_close(&w));
}

/* 4.5: messages that were there before the request are not looked at. */
TEST(receive_since_skips_what_was_there)
{
    struct world w;
    const int64_t wanted[] = {5};

    CHECK(world_open(&w, 1));
    for (int others = 0; others < 30; others += 10) {
        struct mailbox mb = {0};
        struct message *m;
        uint64_t since;

        CHECK(mailbox_add(&mb, message_new_data(&w.actors, 5, "old", 3)));
        for (int64_t i = 0; i < others; i++)
            CHECK(mailbox_add(&mb, message_new(&w.actors, 100 + i, 0)));
        since = mb.arrivals;
        CHECK(!mailbox_take(&mb, wanted, 1, since));
        CHECK(mailbox_add(&mb, message_new_data(&w.actors, 5, "new", 3)));
        m = mailbox_take(&mb, wanted, 1, since);
        CHECK(m && memcmp(m->data, "new", 3) == 0);
        message_free(&w.actors, m);
        mailbox_check(&mb);
        m = mailbox_take(&mb, wanted, 1, 0);
        CHECK(m && memcmp(m->data, "old", 3) == 0);
        message_free(&w.actors, m);
        mailbox_check(&mb);
        mailbox_deinit(&mb, &w.actors);
    }
    CHECK(world_close(&w));
}

/* The mailbox against an array that is searched from the front. */
TEST(mailbox_agrees_with_a_plain_array)
{
    struct world w;

    CHECK(world_open(&w, 1));
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct prng random = {seed};
        struct mailbox mb = {0};
        struct message *model[2000];
        size_t count = 0;
        int64_t tag_range = 1 + (int64_t)prng_below(&random, 40);

        for (int step = 0; step < 400; step++) {
            bool add = prng_below(&random, 100) < (seed % 2 ? 60u : 48u);

            if (add) {
                struct message *m =
                    message_new(&w.actors, (int64_t)prng_below(&random, (uint64_t)tag_range), 0);

                CHECK(mailbox_add(&mb, m));
                model[count++] = m;
            } else {
                int64_t tags[3];
                size_t tag_count = prng_below(&random, 4), found = count;
                uint64_t since = prng_below(&random, 3) ? 0 : prng_below(&random, mb.arrivals + 1);
                struct message *m;

                for (size_t i = 0; i < tag_count; i++)
                    tags[i] = (int64_t)prng_below(&random, (uint64_t)tag_range);
                for (size_t i = 0; i < count && found == count; i++) {
                    bool match = tag_count == 0;

                    for (size_t j = 0; j < tag_count; j++)
                        match = match || (tags[j] != 0 && tags[j] == model[i]->tag);
                    if (match && model[i]->arrival >= since)
                        found = i;
                }
                m = mailbox_take(&mb, tags, tag_count, since);
                CHECK(m == (found < count ? model[found] : NULL));
                if (m) {
                    count--;
                    memmove(&model[found], &model[found + 1], (count - found) * sizeof(model[0]));
                    message_free(&w.actors, m);
                }
            }
            if (step % 16 == 0)
                mailbox_check(&mb);
        }
        CHECK(mb.count == count);
        mailbox_deinit(&mb, &w.actors);
    }
    CHECK(world_close(&w));
}

/* 100,000 messages of other tags wait; a receive by a new tag costs the same. */
TEST(receive_by_new_tag_does_not_search_a_full_mailbox)
{
    struct world w;
    struct mailbox mb = {0};
    uint64_t begin, spent;

    CHECK(world_open(&w, 1));
    for (int64_t i = 1; i <= 100000; i++)
        CHECK(mailbox_add(&mb, message_new(&w.actors, i, 0)));
    begin = clock_thread_cpu_ns();
    for (int64_t i = 0; i < 100000; i++) {
        const int64_t wanted[] = {1000000 + i};
        struct message *m;

        CHECK(!mailbox_take(&mb, wanted, 1, 0));
        CHECK(mailbox_add(&mb, message_new(&w.actors, wanted[0], 0)));
        m = mailbox_take(&mb, wanted, 1, 0);
        CHECK(m && m->tag == wanted[0]);
        message_free(&w.actors, m);
    }
    spent = clock_thread_cpu_ns() - begin;
    CHECK(spent < 2 * NS_PER_SEC); /* searching would take minutes */
    mailbox_check(&mb);
    mailbox_deinit(&mb, &w.actors);
    CHECK(world_close(&w));
}

/* No memory for the index: the message stays the caller's and the mailbox as it was. */
TEST(mailbox_add_without_memory_changes_nothing)
{
    struct world w;

    CHECK(world_open(&w, 1));
    for (size_t n = 1; n < 5; n++) {
        struct mailbox mb = {0};

        for (int64_t i = 0; i < 100; i++) {
            struct message *m = message_new(&w.actors, 1 + i, 0);

            if (i == 8)
                mem_fail_after(n);
            if (!mailbox_add(&mb, m)) {
                mailbox_check(&mb);
                CHECK(mailbox_add(&mb, m));
            }
            mailbox_check(&mb);
        }
        mem_fail_after(0);
        CHECK(mb.count == 100);
        mailbox_deinit(&mb, &w.actors);
    }
    CHECK(world_close(&w));
}
