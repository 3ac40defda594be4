/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Name resolution against a name server of our own: what is asked, what is remembered, and what a
 * bad server can do. */
#include "net/dns.h"
#include "base/mem.h"
#include "dns_server.h"
#include "plat/clock.h"
#include "tests/harness/harness.h"
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_NS (60 * NS_PER_SEC)

struct world {
    struct dns_server server;
    struct scheduler *scheduler;
    struct dns *dns;
    struct task task; /* of who looks up: it never runs, wakes do nothing */
};

static const struct task_class no_class;

static bool begin(struct world *w, bool deterministic)
{
    struct scheduler_options o = {.worker_count = 1, .deterministic = deterministic};

    memset(w, 0, sizeof(*w));
    task_init(&w->task, &no_class);
    return EXPECT(dns_server_start(&w->server)) && EXPECT(scheduler_new(&o, &w->scheduler, NULL)) &&
           EXPECT(dns_new(w->scheduler, w->server.address, &w->dns, NULL));
}

static void end(struct world *w)
{
    dns_free(w->dns);
    scheduler_free(w->scheduler);
    dns_server_stop(&w->server);
}

static enum net_result finish(struct world *w, struct dns_lookup *l, const char *name,
                              struct dns_answer **out, struct error *err)
{
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;
    enum net_result r;

    while ((r = dns_lookup(w->dns, l, &w->task, slice_text(name), true, out, err)) == NET_WAIT &&
           clock_monotonic_ns() < until_ns)
        usleep(500);
    return r;
}

/* Looks a name up; how many addresses it has, or -1. */
static int look(struct world *w, const char *name, struct error *err)
{
    struct dns_lookup l = {0};
    struct dns_answer *a = NULL;
    int count = -1;

    switch (finish(w, &l, name, &a, err)) {
    case NET_DONE:
        count = (int)a->count;
        dns_answer_unref(a);
        break;
    case NET_FAILED:
        break;
    case NET_WAIT:
        (void)EXPECT(false && "no answer in a minute");
        dns_leave(w->dns, &l);
    }
    EXPECT(l.task == NULL && l.entry == NULL);
    return count;
}

static bool fails(struct world *w, const char *name, const char *words)
{
    struct error err = {0};
    char text[200];

    snprintf(text, sizeof(text), "failed to lookup address information: %s", words);
    if (!EXPECT(look(w, name, &err) == -1) || !EXPECT(strcmp(err.text, text) == 0)) {
        printf("%s: %s\n", name, err.text);
        return false;
    }
    return true;
}

TEST(dns_a_name_has_addresses_of_both_kinds)
{
    struct world w;
    struct dns_lookup l = {0};
    struct dns_answer *a = NULL;
    bool v4 = false, v6 = false;

    CHECK(begin(&w, false));
    CHECK(finish(&w, &l, "Both.test", &a, NULL) == NET_DONE && a->count == 2);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct socket_address *at = &a->addresses[i];

        CHECK(at->port == 0);
        v4 = v4 || (at->family == 4 && memcmp(at->bytes, "\12\1\0\1", 4) == 0);
        v6 = v6 || (at->family == 6 && at->bytes[0] == 0xfd && at->bytes[15] == 1);
    }
    CHECK(v4 && v6);
    dns_answer_unref(a);
    CHECK(look(&w, "v4.test", NULL) == 2 && look(&w, "v6.test", NULL) == 2);
    CHECK(look(&w, "alias.test", NULL) == 4);
    end(&w);
}

TEST(dns_answers_are_kept_as_long_as_they_say)
{
    struct world w;
    struct dns_stats stats;

    CHECK(begin(&w, false));
    CHECK(look(&w, "kept.test", NULL) == 2 && look(&w, "KEPT.test", NULL) == 2);
    CHECK(atomic_load(&w.server.asked) == 1);
    CHECK(look(&w, "never.test", NULL) == 2 && look(&w, "never.test", NULL) == 2);
    CHECK(atomic_load(&w.server.asked) == 3);
    CHECK(look(&w, "short.test", NULL) == 2);
    usleep(1100000);
    CHECK(look(&w, "short.test", NULL) == 2);
    CHECK(atomic_load(&w.server.asked) == 5);
    dns_stats(w.dns, &stats);
    CHECK(stats.lookups == 6 && stats.known == 1 && stats.questions == 5 && stats.answers == 2);
    end(&w);
}

TEST(dns_failures_have_words_and_absence_is_remembered)
{
    struct world w;
    unsigned before;

    CHECK(begin(&w, false));
    CHECK(fails(&w, "missing.test", "Name or service not known"));
    before = atomic_load(&w.server.asked);
    CHECK(fails(&w, "missing.test", "Name or service not known"));
    CHECK(atomic_load(&w.server.asked) == before);
    CHECK(fails(&w, "empty.test", "No address associated with hostname"));
    CHECK(fails(&w, "broken.test", "Temporary failure in name resolution"));
    before = atomic_load(&w.server.asked);
    CHECK(fails(&w, "broken.test", "Temporary failure in name resolution"));
    CHECK(atomic_load(&w.server.asked) > before); /* that may be over any moment */
    end(&w);
}

/* Nothing is asked for what can be no name, or what two readers would read differently. */
TEST(dns_names_are_names)
{
    static const char *const bad[] = {
        "",           ".",          ".test",    "..",          "a b.test",
        "a\\.b.test", "\\097.test", "a/b",      "\xc3\xa4.de", "a\tb",
        "[::1]",      "x@test",     "a%b.test", "1::x",        "fe80::1%lo"};
    char text[300];
    struct world w;

    CHECK(begin(&w, false));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK(fails(&w, bad[i], "Name or service not known"));
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CHECK(fails(&w, text, "Name or service not known"));
    memcpy(text + 60, ".test", 6);
    CHECK(look(&w, text, NULL) == 2); /* 60 letters in a label are right, */
    memset(text, 'a', 64);
    memcpy(text + 64, ".test", 6);
    CHECK(fails(&w, text, "Name or service not known")); /* 64 are not */
    CHECK(look(&w, "127.0.0.1", NULL) == 1 && look(&w, "::1", NULL) == 1);
    CHECK(look(&w, "fe80::1%3", NULL) == 1);
    CHECK(look(&w, "localhost", NULL) >= 1);
    CHECK(atomic_load(&w.server.asked) == 1);
    end(&w);
}

TEST(dns_long_answers_come_by_tcp)
{
    struct world w;

    CHECK(begin(&w, false));
    CHECK(look(&w, "many.test", NULL) == 120);
    CHECK(atomic_load(&w.server.asked_tcp) == 1);
    end(&w);
}

TEST(dns_garbage_is_ignored)
{
    struct world w;

    CHECK(begin(&w, false));
    CHECK(look(&w, "garbage.test", NULL) == 2);
    CHECK(look(&w, "garbage-cut.test", NULL) == -1);
    CHECK(look(&w, "fine.test", NULL) == 2);
    end(&w);
}

TEST(dns_one_question_for_all_who_ask_at_a_time)
{
    enum { ALL = 1000 }; /* more than are told in one go */
    struct world w;
    struct dns_lookup *l = mem_new_array(struct dns_lookup, ALL);
    struct dns_stats stats;
    struct dns_answer *a = NULL;

    CHECK(begin(&w, false));
    atomic_store(&w.server.holds, true);
    for (size_t i = 0; i < ALL; i++)
        CHECK(dns_lookup(w.dns, &l[i], &w.task, slice_text("slow.test"), true, &a, NULL) ==
              NET_WAIT);
    atomic_store(&w.server.holds, false);
    for (size_t i = 0; i < ALL; i++) {
        CHECK(finish(&w, &l[i], "slow.test", &a, NULL) == NET_DONE);
        dns_answer_unref(a);
    }
    dns_stats(w.dns, &stats);
    CHECK(stats.questions == 1 && stats.lookups == ALL);
    end(&w);
    mem_free(l);
}

/* Who gives up is forgotten, others still get the answer, and it is kept for later. */
TEST(dns_who_gives_up_is_forgotten)
{
    struct world w;
    struct dns_lookup a = {0}, b = {0}, c = {0};
    struct dns_answer *answer = NULL;

    CHECK(begin(&w, false));
    atomic_store(&w.server.holds, true);
    CHECK(dns_lookup(w.dns, &a, &w.task, slice_text("slow.test"), true, &answer, NULL) == NET_WAIT);
    CHECK(dns_lookup(w.dns, &b, &w.task, slice_text("slow.test"), true, &answer, NULL) == NET_WAIT);
    CHECK(dns_lookup(w.dns, &c, &w.task, slice_text("slow-2.test"), true, &answer, NULL) ==
          NET_WAIT);
    dns_leave(w.dns, &a);
    dns_leave(w.dns, &a);
    dns_leave(w.dns, &c);
    CHECK(a.task == NULL);
    atomic_store(&w.server.holds, false);
    CHECK(finish(&w, &b, "slow.test", &answer, NULL) == NET_DONE);
    dns_leave(w.dns, &b);
    dns_answer_unref(answer);
    CHECK(look(&w, "slow-2.test", NULL) == 2);
    CHECK(dns_lookup(w.dns, &a, &w.task, slice_text("silent.test"), true, &answer, NULL) ==
          NET_WAIT);
    /* and the end comes while somebody's question is open, and one has been answered unseen */
    CHECK(dns_lookup(w.dns, &b, &w.task, slice_text("last.test"), true, &answer, NULL) == NET_WAIT);
    usleep(50000);
    dns_leave(w.dns, &a);
    dns_leave(w.dns, &b);
    end(&w);
}

TEST(dns_only_what_is_known_without_asking)
{
    struct world w;
    struct dns_lookup l = {0};
    struct dns_answer *a = NULL;

    CHECK(begin(&w, false));
    CHECK(dns_lookup(w.dns, &l, &w.task, slice_text("known.test"), false, &a, NULL) == NET_WAIT);
    CHECK(l.task == NULL);
    CHECK(look(&w, "known.test", NULL) == 2);
    CHECK(dns_lookup(w.dns, &l, &w.task, slice_text("known.test"), false, &a, NULL) == NET_DONE);
    dns_answer_unref(a);
    CHECK(atomic_load(&w.server.asked) == 1);
    end(&w);
}

/* Questions that nobody waits for any more do not keep others from being asked. */
TEST(dns_a_flood_of_abandoned_questions_is_cleared)
{
    enum { FLOOD = DNS_QUESTIONS_MAX + 200 };
    struct world w;
    struct dns_answer *a = NULL;
    uint64_t began_ns = clock_monotonic_ns();
    struct dns_stats stats;

    CHECK(begin(&w, false));
    for (int i = 0; i < FLOOD; i++) {
        struct dns_lookup l = {0};
        char name[40];

        snprintf(name, sizeof(name), "silent-%d.test", i);
        CHECK(dns_lookup(w.dns, &l, &w.task, slice_text(name), true, &a, NULL) == NET_WAIT);
        /* so that it is asked, if there is room */
        for (int k = 0; k < 2000 && i < DNS_QUESTIONS_MAX; k++) {
            dns_stats(w.dns, &stats);
            if (stats.questions > (uint64_t)i)
                break;
            usleep(20);
        }
        dns_leave(w.dns, &l);
    }
    CHECK(look(&w, "after.test", NULL) == 2);
    /* The first abandoned question ends by itself after 14 s: it was not waited for. */
    dns_stats(w.dns, &stats);
    CHECK(stats.failures == 0 || clock_monotonic_ns() - began_ns > 14 * NS_PER_SEC);
    end(&w);
}

TEST(dns_what_is_kept_is_bounded)
{
    struct world w;
    struct dns_stats stats;

    CHECK(begin(&w, false));
    for (int i = 0; i < DNS_ANSWERS_MAX + 50; i++) {
        char name[40];

        snprintf(name, sizeof(name), "n%d.test", i);
        CHECK(look(&w, name, NULL) == 2);
    }
    dns_stats(w.dns, &stats);
    CHECK(stats.answers == DNS_ANSWERS_MAX);
    CHECK(look(&w, "n0.test", NULL) == 2); /* the oldest was dropped, the newest was not */
    CHECK(atomic_load(&w.server.asked) == DNS_ANSWERS_MAX + 51);
    CHECK(look(&w, "n4100.test", NULL) == 2);
    CHECK(atomic_load(&w.server.asked) == DNS_ANSWERS_MAX + 51);
    end(&w);
}

TEST(dns_deterministic_runs_wait_in_place)
{
    struct world w;
    struct dns_lookup l = {0};
    struct dns_answer *a = NULL;

    CHECK(begin(&w, true));
    CHECK(dns_lookup(w.dns, &l, &w.task, slice_text("a.test"), true, &a, NULL) == NET_DONE);
    dns_answer_unref(a);
    end(&w);
}

TEST(dns_servers_are_checked_at_once)
{
    struct scheduler_options o = {.worker_count = 1};
    static const char *const bad[] = {"",
                                      "x",
                                      "1.2.3.4.5",
                                      "127.0.0.1:99999999999",
                                      "host.name:53",
                                      "127.0.0.1,",
                                      "::1:x",
                                      "[127.0.0.1]:53",
                                      "127.0.0.1:0"};
    struct scheduler *s;
    struct dns *d = NULL;

    CHECK(scheduler_new(&o, &s, NULL));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct error err = {0};

        if (!EXPECT(!dns_new(s, bad[i], &d, &err)) || !EXPECT(err.code == ERR_USAGE))
            printf("'%s': %s\n", bad[i], err.text);
    }
    CHECK(dns_new(s, "127.0.0.1,[::1]:5353", &d, NULL));
    dns_free(d);
    scheduler_free(s);
}

TEST(dns_memory_that_is_gone_is_an_error)
{
    struct world w;

    CHECK(begin(&w, false));
    CHECK(look(&w, "first.test", NULL) == 2);
    for (size_t n = 1; n <= 3; n++) {
        struct error err = {0};
        char name[40];
        int count;

        snprintf(name, sizeof(name), "memory-%zu.test", n);
        mem_fail_after(n);
        count = look(&w, name, &err);
        mem_fail_after(0);
        CHECK(count == 2 || strstr(err.text, "emory"));
        CHECK(look(&w, name, NULL) == 2);
    }
    end(&w);
}

/* ---- tasks that park ---- */

struct asker {
    struct task task; /* first */
    struct world *world;
    struct dns_lookup lookup;
    char name[32];
    int left;
    atomic_int *running;
};

static enum task_result asker_run(struct task *t, struct worker *w)
{
    struct asker *k = (struct asker *)t;
    struct dns_answer *a = NULL;

    (void)w;
    while (k->left > 0) {
        switch (dns_lookup(k->world->dns, &k->lookup, t, slice_text(k->name), true, &a, NULL)) {
        case NET_WAIT:
            return TASK_PARK;
        case NET_FAILED:
            (void)EXPECT(false && "failed");
            break;
        case NET_DONE:
            EXPECT(a->count == 2);
            dns_answer_unref(a);
        }
        k->left--;
    }
    return TASK_DONE;
}

static void asker_done(struct task *t, struct worker *w)
{
    struct asker *k = (struct asker *)t;

    (void)w;
    if (atomic_fetch_sub(k->running, 1) == 1)
        scheduler_stop(k->world->scheduler);
}

static const struct task_class asker_class = {asker_run, asker_done, NULL};

TEST(dns_tasks_park_and_are_woken)
{
    enum { TASKS = 100, ROUNDS = 20 };
    struct scheduler_options o = {.worker_count = 3};
    struct asker *all = mem_new_array(struct asker, TASKS);
    atomic_int running = TASKS;
    struct world w = {0};

    CHECK(dns_server_start(&w.server));
    CHECK(scheduler_new(&o, &w.scheduler, NULL));
    CHECK(dns_new(w.scheduler, w.server.address, &w.dns, NULL));
    for (int i = 0; i < TASKS; i++) {
        all[i].world = &w;
        all[i].left = ROUNDS;
        all[i].running = &running;
        snprintf(all[i].name, sizeof(all[i].name), i % 2 ? "never-%d.test" : "n%d.test", i % 7);
        task_init(&all[i].task, &asker_class);
        task_start(w.scheduler, NULL, &all[i].task);
    }
    CHECK(scheduler_run(w.scheduler, NULL));
    end(&w);
    mem_free(all);
}
