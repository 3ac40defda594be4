/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Attempts to get more than was given, by guests; docs/permissions.md lists them. */
#include "base/assert.h"
#include "base/mem.h"
#include "program.h"
#include "tests/harness/harness.h"
#include <stdio.h>

/* $make: a configuration with all rights. $under: spawns the export (ptr, size) under one, linked,
 * and waits for its end: 0 well, 1 failed. $spawns: whether a spawn works. */
#define HELPERS                                                                                    \
    "(func $make (result i64) (local $c i64)"                                                      \
    "  (local.set $c (call $process.create_config))"                                               \
    "  (call $process.config_set_can_spawn_processes (local.get $c) (i32.const 1))"                \
    "  (call $process.config_set_can_create_configs (local.get $c) (i32.const 1))"                 \
    "  (call $process.config_set_can_compile_modules (local.get $c) (i32.const 1))"                \
    "  (local.get $c))"                                                                            \
    "(func $spawns (param $c i64) (param $ptr i32) (param $size i32) (result i32)"                 \
    "  (i32.eqz (call $process.spawn (i64.const 9) (local.get $c) (i64.const -1) (local.get $ptr)" \
    "    (local.get $size) (i32.const 0) (i32.const 0) (i32.const 2048))))"                        \
    "(func $under (param $c i64) (param $ptr i32) (param $size i32) (result i32)"                  \
    "  (call $process.die_when_link_dies (i32.const 0))"                                           \
    "  (call $equal32 (i32.const 1) (call $spawns (local.get $c) (local.get $ptr) (local.get "     \
    "$size)))"                                                                                     \
    "  (call $process.monitor (i64.load (i32.const 2048)))"                                        \
    "  (if (i32.eq (call $message.receive (i32.const 0) (i32.const 0) (i64.const 60000)) "         \
    "(i32.const 1))"                                                                               \
    "    (then (call $equal32 (i32.const 2) (call $receive)) (return (i32.const 1))))"             \
    "  (i32.const 0))"

static bool holds(const char *body, const struct lunatic_environment_options *limits)
{
    struct program_options o;
    struct lunatic_exit how;
    bool ok = true;

    for (int metered = 0; metered < 2; metered++) {
        program_options_init(&o);
        o.environment = *limits;
        o.runtime.metered = metered;
        if (!program_run(body, &o, &how))
            return false;
        if (how.kind != LUNATIC_EXIT_NORMAL || how.status != 0) {
            printf("metered %d: kind %d, status %d: %s\n", metered, (int)how.kind, how.status,
                   how.text);
            ok = false;
        }
    }
    return ok;
}

#define LIMITS(...)                                                                                \
    (&(struct lunatic_environment_options){.size = sizeof(struct lunatic_environment_options),     \
                                           __VA_ARGS__})

/* ---- memory ---- */

#define GROWS                                                                                      \
    FUNC("grows", "(call $equal32 (i32.const -1) (memory.grow (i32.const 4)))"                     \
                  "(call $equal32 (i32.const 1) (memory.grow (i32.const 3)))"                      \
                  "(call $equal32 (i32.const -1) (memory.grow (i32.const 1)))")                    \
    "(data (i32.const 16) \"grows\")"

TEST(escape_memory_by_a_wider_configuration)
{
    CHECK(holds(HELPERS GROWS START(
                    "(local.set $p (call $make))"
                    "(call $equal32 (i32.const 0) (call $under (local.get $p) (i32.const 16) "
                    "(i32.const 5)))"
                    "(call $process.config_set_max_memory (local.get $p) (i64.const 1000000))"
                    "(call $equal32 (i32.const 0) (call $under (local.get $p) (i32.const 16) "
                    "(i32.const 5)))"
                    "(call $process.config_set_max_memory (local.get $p) (i64.const -1))"
                    "(call $equal32 (i32.const 0) (call $under (local.get $p) (i32.const 16) "
                    "(i32.const 5)))"
                    "(call $equal (i64.const 262144) (call $process.config_get_max_memory "
                    "(local.get $p)))"),
                LIMITS(.memory_max = 4 * 65536)));
}

TEST(escape_memory_by_a_grandchild)
{
    CHECK(holds(
        HELPERS GROWS FUNC(
            "middle",
            "(call $equal32 (i32.const 0) (call $under (call $make) (i32.const "
            "16) (i32.const 5)))") "(data (i32.const 32) \"middle\")" START("(local.set $p (call "
                                                                            "$make))"
                                                                            "(call "
                                                                            "$process.config_set_"
                                                                            "max_memory (local.get "
                                                                            "$p) (i64.const "
                                                                            "262144))"
                                                                            "(call $equal32 "
                                                                            "(i32.const 0) (call "
                                                                            "$under (local.get $p) "
                                                                            "(i32.const 32) "
                                                                            "(i32.const 6)))"),
        LIMITS(.memory_max = 8 * 65536)));
}

TEST(escape_memory_by_a_module_that_begins_above_the_limit)
{
    CHECK(holds(HELPERS GROWS START(
                    "(local.set $p (call $make))"
                    "(call $process.config_set_max_memory (local.get $p) (i64.const 65535))"
                    "(call $equal32 (i32.const 0) (call $spawns (local.get $p) (i32.const 16) "
                    "(i32.const 5)))"),
                LIMITS(.memory_max = 4 * 65536)));
}

/* ---- fuel and CPU time ---- */

#define LOOPS                                                                                      \
    FUNC("loops", "(loop $l (br $l))")                                                             \
    FUNC("catches", "(loop $l (drop (call $trap.catch (i32.const 32) (i32.const 5) (i32.const 0) " \
                    "(i32.const 0))) (br $l))")                                                    \
    FUNC("sleeps", "(loop $l (local.set $i (i32.const 20000)) (loop $m (br_if $m (local.tee $i "   \
                   "(i32.sub (local.get $i) (i32.const 1)))))"                                     \
                   "(drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0)))"      \
                   "(call $process.sleep_ms (i64.const 0)) (br $l))")                              \
    "(func (export \"round\") (loop $l (br $l)))"                                                  \
    "(data (i32.const 16) \"loops\") (data (i32.const 32) \"round\")"                              \
    "(data (i32.const 48) \"catches\") (data (i32.const 64) \"sleeps\")"

#define ALL_FAIL                                                                                   \
    "(call $equal32 (i32.const 1) (call $under (local.get $p) (i32.const 16) (i32.const 5)))"      \
    "(call $equal32 (i32.const 1) (call $under (local.get $p) (i32.const 64) (i32.const 6)))"      \
    "(call $equal32 (i32.const 1) (call $under (i64.const -1) (i32.const 16) (i32.const 5)))"

TEST(escape_fuel_by_a_wider_configuration)
{
    CHECK(holds(HELPERS LOOPS START(
                    "(local.set $p (call $make))" ALL_FAIL /* 0: no limit */
                    "(call $process.config_set_max_fuel (local.get $p) (i64.const -1))" ALL_FAIL
                    "(call $process.config_set_max_fuel (local.get $p) (i64.const 4))" ALL_FAIL),
                LIMITS(.fuel_max = 3)));
}

/* A trap that is caught leaves nothing to go on with. */
TEST(escape_fuel_by_catching_the_trap)
{
    CHECK(holds(HELPERS LOOPS START("(call $equal32 (i32.const 1) (call $under (call $make) "
                                    "(i32.const 48) (i32.const 7)))"),
                LIMITS(.fuel_max = 3)));
}

TEST(escape_fuel_by_calls_instead_of_loops)
{
    CHECK(holds(HELPERS "(func $twice (export \"twice\") (param $n i32)"
                        " (if (local.get $n) (then"
                        "  (call $twice (i32.sub (local.get $n) (i32.const 1)))"
                        "  (call $twice (i32.sub (local.get $n) (i32.const 1))))))"
                        "(func (export \"calls\") (call $twice (i32.const 60)))"
                        "(data (i32.const 16) \"calls\")" START(
                            "(call $equal32 (i32.const 1) (call $under (call $make)"
                            " (i32.const 16) (i32.const 5)))"),
                LIMITS(.fuel_max = 3)));
}

TEST(escape_fuel_by_a_grandchild)
{
    CHECK(holds(HELPERS LOOPS FUNC("middle",
                                   "(call $equal32 (i32.const 1) (call $under (call $make)"
                                   " (i32.const 16) (i32.const 5)))") "(data (i32.const 80) "
                                                                      "\"middle\")" START(
                                                                          "(local.set $p "
                                                                          "(call $make))"
                                                                          "(call "
                                                                          "$process.config_"
                                                                          "set_max_fuel "
                                                                          "(local.get $p) "
                                                                          "(i64.const 3))"
                                                                          "(call $equal32 "
                                                                          "(i32.const 0) "
                                                                          "(call $under "
                                                                          "(local.get $p)"
                                                                          " (i32.const 80) "
                                                                          "(i32.const 6)))"),
                LIMITS(.memory_max = 0)));
}

/* A module whose start function loops: the spawn fails, with a limit that is the parent's. */
TEST(escape_fuel_by_a_start_function)
{
    CHECK(holds(HELPERS
                "(data (i32.const 100) \"\\00asm\\01\\00\\00\\00\\01\\04\\01\\60\\00\\00\\03\\02"
                "\\01\\00\\08\\01\\00\\0a\\09\\01\\07\\00\\03\\40\\0c\\00\\0b\\0b\")" START(
                    "(call $equal32 (i32.const 0) (call $process.compile_module (i32.const 100)"
                    " (i32.const 32) (i32.const 2048)))"
                    "(call $equal32 (i32.const 1) (call $process.spawn (i64.const 0) (call $make)"
                    " (i64.load (i32.const 2048)) (i32.const 100) (i32.const 1) (i32.const 0)"
                    " (i32.const 0) (i32.const 2056)))"),
                LIMITS(.fuel_max = 3)));
}

TEST(escape_cpu_time_by_a_wider_configuration)
{
    CHECK(holds(HELPERS LOOPS START(
                    "(local.set $p (call $make))" ALL_FAIL
                    "(call $process.config_set_max_cpu (local.get $p) (i64.const 100000))" ALL_FAIL
                    "(call $equal32 (i32.const 1) (call $under (local.get $p) (i32.const 48) "
                    "(i32.const 7)))"),
                LIMITS(.cpu_max_ms = 20)));
}

/* ---- processes ---- */

#define WAITS FUNC("waits", "(drop (call $receive))") "(data (i32.const 16) \"waits\")"

/* Spawns until it fails, under configurations made by `config`, 1000 times at most: how often. */
#define COUNT_SPAWNS(config)                                                                       \
    "(func $count (result i32) (local $i i32) (local $p i64)"                                      \
    "  (block $end (loop $l"                                                                       \
    "    (br_if $end (i32.eq (local.get $i) (i32.const 1000)))"                                    \
    "    (br_if $end (i32.eqz (call $spawns " config " (i32.const 16) (i32.const 5))))"            \
    "    (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)))"                          \
    "  (local.get $i))"

TEST(escape_processes_by_a_configuration_for_each)
{
    CHECK(holds(HELPERS WAITS COUNT_SPAWNS("(call $make)")
                    START("(call $equal32 (i32.const 29) (call $count))"),
                LIMITS(.process_count_max = 30)));
}

TEST(escape_processes_by_larger_numbers)
{
    CHECK(holds(HELPERS WAITS
                "(global $c (mut i64) (i64.const 0))"
                "(func $wide (result i64) (global.get $c))" COUNT_SPAWNS("(call $wide)")
                    START("(global.set $c (call $make))"
                          "(call $process.config_set_max_processes (global.get $c) "
                          "(i64.const 500))"
                          "(call $equal32 (i32.const 29) (call $count))"
                          "(call $equal (i64.const 30) (call "
                          "$process.config_get_max_processes (global.get $c)))"),
                LIMITS(.process_count_max = 30)));
}

/* A subtree of 5 within 30: the child, and what it spawns with its own or a new configuration. */
TEST(escape_processes_by_a_subtree)
{
    CHECK(holds(
        HELPERS WAITS COUNT_SPAWNS("(i64.const -1)") FUNC(
            "middle",
            "(call $equal32 (i32.const 4) (call $count))"
            "(call $equal32 (i32.const 0) (call $spawns (call $make) "
            "(i32.const 16) (i32.const 5)))") "(data (i32.const 32) "
                                              "\"middle\")" START(
                                                  "(local.set $p (call $make))"
                                                  "(call $process.config_set_max_processes "
                                                  "(local.get $p) (i64.const 5))"
                                                  "(call $equal32 (i32.const 0) (call $under "
                                                  "(local.get $p) (i32.const 32) "
                                                  "(i32.const 6)))"
                                                  /* those that wait still count, and the rest of
                                                     ours is there */
                                                  "(call $equal32 (i32.const 25) (call $count))"),
        LIMITS(.process_count_max = 30)));
}

TEST(escape_processes_by_name)
{
    CHECK(holds(
        HELPERS WAITS START(
            "(drop (call $spawns (i64.const -1) (i32.const 16) (i32.const 5)))"
            "(call $equal32 (i32.const 1) (call $process.get_or_spawn (i32.const 16) (i32.const 5)"
            "  (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 16) (i32.const 5) (i32.const "
            "0)"
            "  (i32.const 0) (i32.const 2048) (i32.const 2056)))"),
        LIMITS(.process_count_max = 2)));
}

TEST(a_fork_bomb_leaves_others_alone)
{
    CHECK(holds(
        HELPERS FUNC("bomb", "(loop $l (drop (call $spawns (i64.const -1) (i32.const 16) "
                             "(i32.const 4))) (br_if $l (i32.lt_u (local.tee $i (i32.add "
                             "(local.get $i) (i32.const 1))) (i32.const 50))))")
            FUNC("waits",
                 "(drop (call $receive))") "(data (i32.const 16) \"bomb\") (data "
                                           "(i32.const 32) \"waits\")" START(
                                               "(call $process.die_when_link_dies (i32.const 0))"
                                               "(local.set $p (call $make))"
                                               "(call $process.config_set_max_processes (local.get "
                                               "$p) (i64.const 50))"
                                               "(call $equal32 (i32.const 1) (call $spawns "
                                               "(local.get $p) (i32.const "
                                               "16) (i32.const 4)))"
                                               "(loop $l (call $process.sleep_ms (i64.const 1))"
                                               "  (call $equal32 (i32.const 1) (call $spawns "
                                               "(i64.const -1) (i32.const "
                                               "32) (i32.const 5)))"
                                               "  (br_if $l (i32.lt_u (local.tee $i (i32.add "
                                               "(local.get $i) (i32.const "
                                               "1))) (i32.const 40))))"),
        LIMITS(.process_count_max = 100)));
}

/* ---- mailbox ---- */

#define FLOODS(send)                                                                               \
    FUNC("floods",                                                                                 \
         "(loop $l (call $message.create_data (i64.const 5) (i64.const 0))"                        \
         "(drop (call $message.write_data (i32.const 0) (i32.const 1000)))" send "(br $l))")       \
    "(data (i32.const 16) \"floods\")"

TEST(escape_mailbox_by_a_wider_configuration)
{
    CHECK(holds(
        HELPERS FLOODS("(drop (call $message.send (call $process.process_id)))") START(
            "(local.set $p (call $make))"
            "(call $equal32 (i32.const 1) (call $under (local.get $p) (i32.const 16) (i32.const "
            "6)))"
            "(call $process.config_set_max_mailbox_size (local.get $p) (i64.const -1))"
            "(call $process.config_set_max_mailbox_messages (local.get $p) (i64.const 1000000000))"
            "(call $equal32 (i32.const 1) (call $under (local.get $p) (i32.const 16) (i32.const "
            "6)))"
            "(call $equal (i64.const 100000) (call $process.config_get_max_mailbox_size (local.get "
            "$p)))"),
        LIMITS(.mailbox_size_max = 100000, .mailbox_count_max = 10000)));
}

TEST(escape_mailbox_by_messages_that_come_later)
{
    CHECK(holds(HELPERS FLOODS("(drop (call $timer.send_after (call $process.process_id) "
                               "(i64.const 0)))")
                    START("(call $equal32 (i32.const 1) (call $under (call $make) (i32.const 16) "
                          "(i32.const 6)))"),
                LIMITS(.mailbox_size_max = 100000, .timer_count_max = 1000)));
}

/* $fed: under a limit of 10 messages, spawns the export (ptr, size), and when that says that it has
 * begun sends it messages without a pause until it has ended, but no more than a million, and hears
 * of the end. */
#define FED                                                                                        \
    "(func $begin (call $send (i64.const 1) (i64.const 9) (i64.const 9)))"                         \
    "(func $fed (param $ptr i32) (param $size i32) (local $c i64) (local $p i64) (local $n i32)"   \
    "  (call $process.die_when_link_dies (i32.const 0))"                                           \
    "  (local.set $c (call $make))"                                                                \
    "  (call $process.config_set_max_mailbox_messages (local.get $c) (i64.const 10))"              \
    "  (call $equal32 (i32.const 1)"                                                               \
    "    (call $spawns (local.get $c) (local.get $ptr) (local.get $size)))"                        \
    "  (local.set $p (i64.load (i32.const 2048)))"                                                 \
    "  (call $equal32 (i32.const 0) (call $receive))"                                              \
    "  (call $process.sleep_ms (i64.const 20))" /* it has gone on to what it waits for */          \
    "  (loop $l (call $send (local.get $p) (i64.const 5) (i64.const 5))"                           \
    "    (local.set $n (i32.add (local.get $n) (i32.const 1)))"                                    \
    "    (br_if $l (i32.and (call $process.exists (local.get $p))"                                 \
    "      (i32.lt_u (local.get $n) (i32.const 1000000)))))"                                       \
    "  (call $equal32 (i32.const 1) (call $receive))"                                              \
    "  (call $equal32 (i32.const 1) (i32.lt_u (i32.const 10) (local.get $n))))"                    \
    "(data (i32.const 16) \"fed\")"

#define FEED START("(call $fed (i32.const 16) (i32.const 3))")

/* Its messages are counted when its slice ends. */
TEST(escape_mailbox_by_never_receiving)
{
    CHECK(holds(HELPERS FED FUNC("fed", "(call $begin) (loop $l (br $l))") FEED,
                LIMITS(.memory_max = 0)));
}

/* No message wakes it, but for one in a thousand, so that they are counted. */
TEST(escape_mailbox_by_sleeping)
{
    CHECK(holds(HELPERS FED FUNC("fed", "(call $begin)"
                                        "(call $process.sleep_ms (i64.const 1000000000))") FEED,
                LIMITS(.memory_max = 0)));
}

TEST(escape_mailbox_by_waiting_for_another_tag)
{
    CHECK(holds(HELPERS FED FUNC("fed", "(call $begin)"
                                        "(drop (call $receive_tag (i64.const 7) (i64.const -1)))")
                    FEED,
                LIMITS(.memory_max = 0)));
}

TEST(escape_timers_by_a_wider_configuration)
{
    CHECK(holds(HELPERS FLOODS("(drop (call $timer.send_after (call $process.process_id) "
                               "(i64.const 1000000)))")
                    START("(local.set $p (call $make))"
                          "(call $process.config_set_max_timers (local.get $p) (i64.const -1))"
                          "(call $equal32 (i32.const 1) (call $under (local.get $p) (i32.const 16) "
                          "(i32.const 6)))"
                          "(call $equal (i64.const 1000) (call $process.config_get_max_timers "
                          "(local.get $p)))"),
                LIMITS(.timer_count_max = 1000)));
}

/* A program that ends does not wait for what it has sent for later. */
TEST(messages_under_way_do_not_hold_up_the_end)
{
    CHECK(holds(START("(loop $l (call $message.create_data (i64.const 0) (i64.const 0))"
                      "(drop (call $timer.send_after (call $process.process_id) (i64.const "
                      "1000000000)))"
                      "(br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) "
                      "(i32.const 1000))))"),
                LIMITS(.timer_count_max = 0)));
}

/* ---- rights ---- */

TEST(escape_rights_by_giving_what_one_lacks)
{
    CHECK(
        holds(HELPERS FUNC("low",
                           "(call $equal32 (i32.const -1) (call $process.compile_module (i32.const "
                           "0) (i32.const 8) (i32.const 2048)))")
                  FUNC("middle", "(local.set $p (call $make))"
                                 "(call $equal32 (i32.const 0) (call $under (local.get $p) "
                                 "(i32.const 48) (i32.const 3)))"
                                 "(call $equal32 (i32.const 0) (call "
                                 "$process.config_can_compile_modules (local.get $p)))"
                                 "(call $equal32 (i32.const 1) (call "
                                 "$process.config_can_create_configs (local.get $p)))")
                      FUNC("lonely", "(call $equal (i64.const -1) (call $process.create_config))"
                                     "(drop (call $spawns (i64.const -1) (i32.const 16) "
                                     "(i32.const 5)))") "(data (i32.const 32) \"middle\") (data "
                                                        "(i32.const 48) \"low\") (data (i32.const "
                                                        "64) \"lonely\")" START("(local.set $p "
                                                                                "(call $make))"
                                                                                "(call "
                                                                                "$process.config_"
                                                                                "set_can_compile_"
                                                                                "modules "
                                                                                "(local.get $p) "
                                                                                "(i32.const 0))"
                                                                                "(call $equal32 "
                                                                                "(i32.const 0) "
                                                                                "(call $under "
                                                                                "(local.get $p) "
                                                                                "(i32.const 32) "
                                                                                "(i32.const 6)))"
                                                                                "(local.set $p "
                                                                                "(call "
                                                                                "$process.create_"
                                                                                "config))"
                                                                                "(call $equal32 "
                                                                                "(i32.const 1) "
                                                                                "(call $under "
                                                                                "(local.get $p) "
                                                                                "(i32.const 64) "
                                                                                "(i32.const 6)))"),
              LIMITS(.deny_compile = false)));
}

/* The parent goes on, and the child is told when it first uses the directory. */
TEST(a_directory_of_a_child_that_cannot_be_opened_is_an_errno)
{
    static const struct lunatic_dir dir = {.host_path = "/", .guest_path = "/"};

    CHECK(
        holds(HELPERS "(data (i32.const 16) \"uses\") (data (i32.const 32) \"/none-such\")" FUNC(
                  "uses", "(call $equal32 (i32.const 0)"
                          " (call $wasi.fd_prestat_get (i32.const 3) (i32.const 2048)))"
                          "(call $equal32 (i32.const 44) (call $wasi.path_filestat_get" /* noent */
                          " (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4)"
                          " (i32.const 2048)))")
                  START("(local.set $p (call $make))"
                        "(call $wasi_config.config_preopen_dir (local.get $p) (i32.const 32)"
                        " (i32.const 10))"
                        "(call $equal32 (i32.const 0) (call $under (local.get $p) (i32.const 16)"
                        " (i32.const 4)))"),
              LIMITS(.dirs = &dir, .dir_count = 1)));
}

TEST(network_rules_are_checked_and_counted)
{
    CHECK(holds(
        HELPERS WAITS
        "(data (i32.const 100) \"connect=10.0.0.0/8:80\") (data (i32.const 200) \"nonsense=*\")"
        "(data (i32.const 300) \"a/../b\")" START(
            "(local.set $p (call $make))"
            "(call $equal32 (i32.const 0) (call $process.config_allow_network (local.get $p) "
            "(i32.const 100) (i32.const 21)))"
            "(call $equal32 (i32.const 0) (call $process.config_deny_network (local.get $p) "
            "(i32.const 100) (i32.const 21)))"
            "(call $equal32 (i32.const 1) (call $process.config_deny_network (local.get $p) "
            "(i32.const 200) (i32.const 10)))"
            "(call $equal32 (i32.const 0) (call $process.config_allow_database (local.get $p) "
            "(i32.const 300) (i32.const 1)))"
            "(call $equal32 (i32.const 1) (call $process.config_allow_database (local.get $p) "
            "(i32.const 300) (i32.const 6)))"
            "(call $equal32 (i32.const 1) (call $spawns (local.get $p) (i32.const 16) (i32.const "
            "5)))"),
        LIMITS(.memory_max = 0)));
}

/* ---- handles ---- */

/* A child that does `before` gets as far as `wrong`, which reaches for what is not its own, and
 * ends there by a trap. It has a module, id 0; its parent has configurations 0 and 1. */
static bool traps(const char *before, const char *wrong)
{
    static char body[8192];

    snprintf(body, sizeof(body),
             "%s(data (i32.const 16) \"wrong\")(data (i32.const 100) \"\\00asm\\01\\00\\00\\00\")"
             "(func $new (call $message.create_data (i64.const 0) (i64.const 0)))"
             "(func $push (drop (call $message.push_module (i64.const 0))))"
             "(func $take (param $i i64) (drop (call $message.take_module (local.get $i))))"
             "(func $through (drop (call $message.send (call $process.process_id)))"
             " (call $equal32 (i32.const 0) (call $receive)))"
             "(func (export \"wrong\") (call $equal32 (i32.const 0)"
             "  (call $process.compile_module (i32.const 100) (i32.const 8) (i32.const 2048))) %s"
             " (call $registry.put (i32.const 16) (i32.const 5) (i64.const 7) (i64.const 7)) %s)%s",
             HELPERS, before, wrong,
             START("(local.set $p (call $make)) (drop (call $make))"
                   "(call $equal32 (i32.const 1) (call $under (local.get $p) (i32.const 16)"
                   "  (i32.const 5)))"
                   "(call $equal32 (i32.const 0) (call $registry.get (i32.const 16) (i32.const 5)"
                   "  (i32.const 2048) (i32.const 2056)))"));
    return holds(body, LIMITS(.memory_max = 0));
}

#define TAKE(index) "(call $take (i64.const " index "))"

TEST(escape_handle_without_a_message)
{
    CHECK(traps("", TAKE("0")));
    CHECK(traps("", "(call $push)"));
}

TEST(escape_handle_by_an_index_that_is_none)
{
    CHECK(traps("(call $new)", TAKE("0")));
    CHECK(traps("(call $new) (call $push)", TAKE("1")));
    CHECK(traps("(call $new) (call $push)", TAKE("-1")));
    CHECK(traps("(call $new) (call $push)", TAKE("4294967296")));
}

TEST(escape_handle_by_an_id_that_is_none)
{
    CHECK(traps("(call $new)", "(drop (call $message.push_module (i64.const 1)))"));
    CHECK(traps("(call $new)", "(drop (call $message.push_module (i64.const -1)))"));
    CHECK(traps("(call $new)", "(drop (call $message.push_module (i64.const 4294967296)))"));
}

TEST(escape_handle_after_the_message_was_sent)
{
    CHECK(traps("(call $new) (call $push) (drop (call $message.send (call $process.process_id)))",
                TAKE("0")));
}

TEST(escape_handle_by_taking_it_twice)
{
    CHECK(traps("(call $new) (call $push) (call $through)" TAKE("0"), TAKE("0")));
}

/* What was taken is not there for the next reader of the same message either. */
TEST(escape_handle_by_forwarding_the_message)
{
    CHECK(traps("(call $new) (call $push) (call $through)" TAKE(
                    "0") "(call $push) (call $through)" TAKE("1"),
                TAKE("0")));
}

TEST(escape_handle_by_taking_another_kind)
{
    CHECK(
        traps("(call $new) (call $push)", "(drop (call $message.take_tcp_stream (i64.const 0)))"));
    CHECK(
        traps("(call $new) (call $push)", "(drop (call $message.take_tls_stream (i64.const 0)))"));
    CHECK(
        traps("(call $new) (call $push)", "(drop (call $message.take_udp_socket (i64.const 0)))"));
}

TEST(escape_handle_by_pushing_another_kind)
{
    CHECK(traps("(call $new)", "(drop (call $message.push_tcp_stream (i64.const 0)))"));
    CHECK(traps("(call $new)", "(drop (call $message.push_tls_stream (i64.const 0)))"));
    CHECK(traps("(call $new)", "(drop (call $message.push_udp_socket (i64.const 0)))"));
}

/* A link's death has no handles, whatever is made of it. */
TEST(escape_handle_in_the_death_of_a_link)
{
    CHECK(traps("(call $process.die_when_link_dies (i32.const 0))"
                "(call $process.link (i64.const 5) (i64.const 999))"
                "(call $equal32 (i32.const 1) (call $receive))",
                TAKE("0")));
}

/* The parent's ids mean nothing to the child. */
TEST(escape_ids_of_another_process)
{
    CHECK(traps("", "(call $process.drop_config (i64.const 0))"));
    CHECK(traps("", "(call $process.config_set_max_memory (i64.const 1) (i64.const -1))"));
    CHECK(traps("", "(drop (call $process.config_get_max_cpu (i64.const -1)))"));
    CHECK(traps("", "(drop (call $process.config_allow_network (i64.const 0) (i32.const 16)"
                    " (i32.const 1)))"));
    CHECK(traps("", "(drop (call $spawns (i64.const 1) (i32.const 16) (i32.const 5)))"));
    CHECK(traps("", "(call $process.drop_module (i64.const 1))"));
}
