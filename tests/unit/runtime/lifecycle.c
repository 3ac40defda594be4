/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Statements of sections 3, 4, 9.10 and 11 of the interface's reference that no other test is
 * about; tests/lifecycle.md says which test is about which. */
#include "base/assert.h"
#include "program.h"
#include "tests/harness/harness.h"
#include <stdio.h>

/* 3.5: what ends a process, and what links and monitors are told. $x counts what is left to try. */
TEST(every_way_to_end_tells_links_and_monitors)
{
    CHECK(program_passes(
        "(data (i32.const 16) \"ret_ex0_ex3_trapstckhostkilllinkfuelmissargs\")"
        "(func $deep (param i32) (result i32)"
        "  (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0)))"
        "(func (export \"ret_\"))"
        "(func (export \"ex0_\") (call $wasi.proc_exit (i32.const 0)))"
        "(func (export \"ex3_\") (call $wasi.proc_exit (i32.const 3)))"
        "(func (export \"trap\") unreachable)"
        "(func (export \"stck\") (drop (call $deep (i32.const 0))))"
        "(func (export \"host\") (call $error.drop (i64.const 12345)))"
        "(func (export \"kill\") (drop (call $receive_tag (i64.const 1) (i64.const -1))))"
        "(func (export \"link\") (drop (call $spawn (i64.const 1) (i32.const 28) (i32.const 4)))"
        "  (drop (call $receive_tag (i64.const 1) (i64.const -1))))"
        "(func (export \"fuel\") (loop $l (br $l)))"
        "(func (export \"args\") (param i32))"
        "(func $heard (param $p i64) (param $fails i32)"
        "  (if (local.get $fails) (then"
        "    (call $equal32 (call $receive) (i32.const 1))"
        "    (call $equal (call $message.get_tag) (i64.const 77))"
        "    (call $equal (call $message.get_process_id) (i64.const 0))))"
        "  (call $equal32 (call $receive) (i32.const 2))"
        "  (call $equal (call $message.get_process_id) (local.get $p))"
        "  (call $equal (call $message.get_tag) (i64.const 0))"
        "  (call $equal32 (call $process.exists (local.get $p)) (i32.const 0))"
        "  (call $equal32 (call $message.receive (i32.const 0) (i32.const 0) (i64.const 3)) "
        "(i32.const 9027)))"
        "(func $try (param $n i32) (param $fails i32) (param $kills i32) (local $p i64)"
        "  (local.set $p (call $spawn (i64.const 77) (i32.add (i32.const 16) (i32.mul (i32.const "
        "4) "
        "(local.get $n))) (i32.const 4)))"
        "  (call $process.monitor (local.get $p))"
        "  (if (local.get $kills) (then (call $process.kill (local.get $p))))"
        "  (call $heard (local.get $p) (local.get $fails)))" START(
            "(call $process.die_when_link_dies (i32.const 0))"
            "(call $try (i32.const 0) (i32.const 0) (i32.const 0))"
            "(call $try (i32.const 1) (i32.const 0) (i32.const 0))"
            "(call $try (i32.const 2) (i32.const 1) (i32.const 0))"
            "(call $try (i32.const 3) (i32.const 1) (i32.const 0))"
            "(call $try (i32.const 4) (i32.const 1) (i32.const 0))"
            "(call $try (i32.const 5) (i32.const 1) (i32.const 0))"
            "(call $try (i32.const 6) (i32.const 1) (i32.const 1))"
            "(call $try (i32.const 7) (i32.const 1) (i32.const 0))"
            "(call $try (i32.const 9) (i32.const 1) (i32.const 0))"
            "(call $try (i32.const 10) (i32.const 1) (i32.const 0))"
            /* out of fuel */
            "(local.set $p (call $process.create_config))"
            "(call $process.config_set_max_fuel (local.get $p) (i64.const 2))"
            "(call $equal32 (i32.const 0) (call $process.spawn (i64.const 77) (local.get $p) "
            "(i64.const -1)"
            "  (i32.const 48) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 2048)))"
            "(call $process.monitor (i64.load (i32.const 2048)))"
            "(call $heard (i64.load (i32.const 2048)) (i32.const 1))")));
}

/* 3.4: links and monitors of oneself have no effect; 3.3: UnLink and StopMonitoring of nobody, too.
 */
TEST(bonds_with_oneself_have_no_effect)
{
    CHECK(program_passes(
        "(data (i32.const 16) \"self\")"
        "(func (export \"self\")"
        "  (call $process.link (i64.const 5) (call $process.process_id))"
        "  (call $process.monitor (call $process.process_id))"
        "  (call $process.unlink (i64.const 4242)) (call $process.stop_monitoring (i64.const 4242))"
        "  (call $process.kill (i64.const 4242))"
        "  (call $equal32 (call $message.receive (i32.const 0) (i32.const 0) (i64.const 3)) "
        "(i32.const "
        "9027)))" START("(local.set $p (call $spawn (i64.const 0) (i32.const 16) (i32.const 4)))"
                        "(call $process.monitor (local.get $p))"
                        "(call $equal32 (call $receive) (i32.const 2))"
                        "(call $equal (call $message.get_process_id) (local.get $p))")));
}

/* 3.3: what a process asks about itself stays in order with what others send: a flag set before the
 * message about the link that dies counts. */
TEST(the_flag_for_links_acts_in_order)
{
    CHECK(program_passes("(data (i32.const 16) \"trap\")(func (export \"trap\") unreachable)" START(
        "(call $process.die_when_link_dies (i32.const 0))"
        "(call $process.die_when_link_dies (i32.const 1))"
        "(call $process.die_when_link_dies (i32.const 0))"
        "(drop (call $spawn (i64.const 6) (i32.const 16) (i32.const 4)))"
        "(call $equal32 (call $receive) (i32.const 1))"
        "(call $equal (call $message.get_tag) (i64.const 6))")));
}

/* 4.2: what empties the slot, what replaces what is in it, and what leaves it. */
TEST(the_current_message_is_kept_replaced_and_taken)
{
    static const char *const traps[] = {
        "(drop (call $message.send (i64.const 4242)))",
        "(drop (call $timer.send_after (i64.const 4242) (i64.const 0)))",
        ("(drop (call $message.send_receive_skip_search (i64.const 4242) (i64.const 9) "
         "(i64.const 2)))"),
    };
    struct program_options o;
    struct lunatic_exit how;
    char text[2000];

    /* a receive that times out, seeks and questions keep it; create_data replaces it */
    CHECK(program_passes(START("(call $message.create_data (i64.const 3) (i64.const 0))"
                               "(i64.store (i32.const 100) (i64.const 7))"
                               "(drop (call $message.write_data (i32.const 100) (i32.const 8)))"
                               "(call $equal32 (call $message.receive (i32.const 0) (i32.const 0) "
                               "(i64.const 2)) (i32.const "
                               "9027))"
                               "(call $equal (call $message.get_tag) (i64.const 3))"
                               "(call $equal (call $message.get_process_id) (i64.const 0))"
                               "(call $equal (call $message.data_size) (i64.const 8))"
                               "(call $message.seek_data (i64.const 0))"
                               "(call $equal (call $read) (i64.const 7))"
                               "(call $message.create_data (i64.const 4) (i64.const 0))"
                               "(call $equal (call $message.data_size) (i64.const 0))"
                               "(call $equal (call $message.get_tag) (i64.const 4))"
                               /* a receive replaces it */
                               "(drop (call $message.send (call $process.process_id)))"
                               "(call $message.create_data (i64.const 5) (i64.const 0))"
                               "(call $equal32 (call $receive) (i32.const 0))"
                               "(call $equal (call $message.get_tag) (i64.const 4))")));
    /* these empty it, even if nobody gets it: the next question traps */
    for (size_t i = 0; i < ARRAY_COUNT(traps); i++) {
        program_options_init(&o);
        snprintf(text, sizeof(text),
                 START("(call $message.create_data (i64.const 3) (i64.const 0)) %s"
                       "(call $error.drop (call $message.get_tag))"),
                 traps[i]);
        CHECK(program_run(text, &o, &how));
        CHECK(how.kind == LUNATIC_EXIT_FAILED && strstr(how.text, "get_tag"));
    }
}

/* 4.1: a tag of 0 is none; a message by a list of tags is never one without. 11 B2. */
TEST(messages_without_a_tag_match_no_list)
{
    CHECK(program_passes(
        START("(call $send (call $process.process_id) (i64.const 0) (i64.const 1))"
              "(call $process.monitor (i64.const 4242))"
              "(call $equal32 (call $receive_tag (i64.const 0) (i64.const 2)) (i32.const 9027))"
              "(call $equal32 (call $receive) (i32.const 0))"
              "(call $equal (call $message.get_tag) (i64.const 0))"
              "(call $equal32 (call $receive) (i32.const 2))")));
}

/* 11 B1: messages that come after a receive has timed out are received in their order. */
TEST(a_timeout_leaves_no_trace_in_the_mailbox)
{
    CHECK(program_passes(START(
        "(call $equal32 (call $receive_tag (i64.const 5) (i64.const 2)) (i32.const 9027))"
        "(call $send (call $process.process_id) (i64.const 5) (i64.const 1))"
        "(call $send (call $process.process_id) (i64.const 6) (i64.const 2))"
        "(call $send (call $process.process_id) (i64.const 5) (i64.const 3))"
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const 1))"
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const 2))"
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const 3))"
        /* the same after a request that timed out */
        "(call $message.create_data (i64.const 1) (i64.const 0))"
        "(call $equal32 (call $message.send_receive_skip_search (i64.const 4242) (i64.const 8)"
        "  (i64.const 2)) (i32.const 9027))"
        "(call $send (call $process.process_id) (i64.const 8) (i64.const 4))"
        "(call $send (call $process.process_id) (i64.const 9) (i64.const 5))"
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const 4))"
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const 5))")));
}

/* 11 B3: the death of a link with the tag that a request waits for ends the wait with 0. 11 B4: it
 * can be forwarded. */
TEST(deaths_of_links_answer_requests_and_can_be_forwarded)
{
    CHECK(program_passes(
        "(data (i32.const 16) \"deaf\")"
        "(func (export \"deaf\") (drop (call $receive)) unreachable)" START(
            "(call $process.die_when_link_dies (i32.const 0))"
            "(local.set $p (call $spawn (i64.const 8) (i32.const 16) (i32.const 4)))"
            "(call $message.create_data (i64.const 1) (i64.const 0))"
            "(call $equal32 (call $message.send_receive_skip_search (local.get $p) (i64.const 8)"
            "  (i64.const 20000)) (i32.const 0))"
            "(call $equal (call $message.get_tag) (i64.const 8))"
            "(drop (call $message.send (call $process.process_id)))"
            "(call $equal32 (call $receive) (i32.const 1))"
            "(call $equal (call $message.get_tag) (i64.const 8))"
            "(call $process.monitor (i64.const 4242))"
            "(call $equal32 (call $receive) (i32.const 2))"
            "(drop (call $message.send (call $process.process_id)))"
            "(call $equal32 (call $receive) (i32.const 2))"
            "(call $equal (call $message.get_process_id) (i64.const 4242))")));
}

/* 11 B3: reading it traps. */
TEST(a_death_has_no_data)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    CHECK(program_run(START("(call $process.monitor (i64.const 4242))"
                            "(call $equal32 (call $receive) (i32.const 2))"
                            "(drop (call $message.read_data (i32.const 0) (i32.const 1)))"),
                      &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_FAILED && strstr(how.text, "read_data"));
}

/* 11 B9, B12: nothing has happened when an argument is refused. */
TEST(arguments_are_checked_before_anything_happens)
{
    static const char *const bodies[] = {
        /* a list of tags whose size wraps in 32 bits */
        START("(drop (call $message.receive (i32.const 8) (i32.const 0x20000001) (i64.const 0)))"),
        /* an id that could not be stored: there is no child */
        "(data (i32.const 16) \"tell\")"
        "(func (export \"tell\") (call $send (i64.const 1) (i64.const 9) (i64.const 1)))" START(
            "(drop (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 16) "
            "(i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0x7ffffff0)))"),
        "(data (i32.const 16) \"tell\")"
        "(func (export \"tell\") (call $send (i64.const 1) (i64.const 9) (i64.const 1)))" START(
            "(drop (call $process.get_or_spawn (i32.const 16) (i32.const 4) (i64.const 0) "
            "(i64.const "
            "-1)"
            " (i64.const -1) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)"
            " (i32.const 0x7ffffff0)))"),
        START("(drop (call $process.compile_module (i32.const 0) (i32.const 8) (i32.const "
              "0x7ffffff0)))"),
    };

    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct program_options o;
        struct lunatic_exit how;

        program_options_init(&o);
        CHECK(program_run(bodies[i], &o, &how));
        CHECK(how.kind == LUNATIC_EXIT_FAILED);
    }
    /* The same inside trap::catch: the name is free, and no child has told anything. */
    CHECK(program_passes(
        "(data (i32.const 16) \"tell\")"
        "(func (export \"tell\") (call $send (i64.const 1) (i64.const 9) (i64.const 1)))"
        "(func (export \"_lunatic_catch_trap\") (param i32 i32) (result i32)"
        "  (call $process.get_or_spawn (i32.const 16) (i32.const 4) (i64.const 0) (i64.const -1)"
        "    (i64.const -1) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)"
        "    (i32.const 0x7ffffff0)))" START(
            "(call $equal32 (call $trap.catch (i32.const 0) (i32.const 0)) (i32.const 0))"
            "(call $equal32 (call $registry.get (i32.const 16) (i32.const 4) (i32.const 2048) "
            "(i32.const 2056)) (i32.const 1))"
            "(call $equal32 (call $receive_tag (i64.const 9) (i64.const 20)) (i32.const 9027))")));
}

/* 11 B11; 3.4: sends to the dead succeed, kills of them do nothing. */
TEST(sends_to_the_dead_succeed)
{
    CHECK(program_passes("(data (i32.const 16) \"none\")(func (export \"none\"))" START(
        "(local.set $p (call $spawn (i64.const 0) (i32.const 16) (i32.const 4)))"
        "(call $process.monitor (local.get $p))"
        "(call $equal32 (call $receive) (i32.const 2))"
        "(call $send (local.get $p) (i64.const 1) (i64.const 2))"
        "(call $process.unlink (local.get $p)) (call $process.kill (local.get $p))"
        "(call $equal32 (call $process.exists (local.get $p)) (i32.const 0))")));
}

/* 11 D2: a get_or_spawn that fails leaves the name free; D1: so does the death of who bore it. */
TEST(a_spawn_by_name_that_fails_registers_nothing)
{
    CHECK(program_passes(
        "(data (i32.const 16) \"nonename\")"
        "(global $first (mut i32) (i32.const 1))"
        "(func (export \"none\"))"
        "(func $begin (if (call $fails) (then unreachable)))"
        "(func $fails (result i32) (i32.and (i64.ne (call $process.process_id) (i64.const 1))"
        "  (i32.eqz (call $registry.get (i32.const 20) (i32.const 2) (i32.const 2048) (i32.const "
        "2056)))))"
        "(start $begin)"
        "(func $by_name (result i32) (call $process.get_or_spawn (i32.const 20) (i32.const 4) "
        "(i64.const 0)"
        "  (i64.const -1) (i64.const -1) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0)"
        "  (i32.const 2048) (i32.const 2056)))" START(
            "(call $registry.put (i32.const 20) (i32.const 2) (i64.const 0) (i64.const 1))"
            "(call $equal32 (call $by_name) (i32.const 1))"
            "(call $equal32 (call $registry.get (i32.const 20) (i32.const 4) (i32.const 2048) "
            "(i32.const 2056)) (i32.const 1))"
            "(call $registry.remove (i32.const 20) (i32.const 2))"
            "(call $equal32 (call $by_name) (i32.const 0))"
            "(local.set $p (i64.load (i32.const 2056)))"
            "(call $process.monitor (local.get $p)) (call $equal32 (call $receive) (i32.const 2))"
            "(call $equal32 (call $by_name) (i32.const 0))"
            "(call $equal32 (i32.const 1) (i64.ne (local.get $p) (i64.load (i32.const 2056))))")));
}

/* 11 H2: what was done before a trap that is caught stays done. H1: its value is 0. */
TEST(a_caught_trap_undoes_nothing)
{
    CHECK(program_passes(
        "(global $g (mut i32) (i32.const 0))"
        "(func (export \"_lunatic_catch_trap\") (param i32 i32) (result i32)"
        "  (global.set $g (i32.const 5)) (i32.store (i32.const 100) (i32.const 6))"
        "  (call $process.die_when_link_dies (i32.const 0))"
        "  (call $process.link (i64.const 3) (i64.const 4242))"
        "  (call $message.create_data (i64.const 8) (i64.const 0))"
        "  unreachable)" START(
            "(call $equal32 (call $trap.catch (i32.const 1) (i32.const 2)) (i32.const 0))"
            "(call $equal32 (global.get $g) (i32.const 5))"
            "(call $equal32 (i32.load (i32.const 100)) (i32.const 6))"
            "(call $equal (call $message.get_tag) (i64.const 8))"
            "(call $equal32 (call $receive) (i32.const 1))"
            "(call $equal (call $message.get_tag) (i64.const 3))")));
}

/* 11 H3: nesting has a limit, and then the innermost call traps. */
TEST(catch_nests_to_a_limit)
{
    CHECK(program_passes(
        "(global $depth (mut i32) (i32.const 0))"
        "(func (export \"_lunatic_catch_trap\") (param i32 i32) (result i32)"
        "  (global.set $depth (i32.add (global.get $depth) (i32.const 1)))"
        "  (call $trap.catch (i32.const 0) (i32.const 0)))" START(
            "(call $equal32 (call $trap.catch (i32.const 0) (i32.const 0)) (i32.const 0))"
            "(call $equal32 (i32.const 1) (i32.gt_u (global.get $depth) (i32.const 300)))"
            "(call $equal32 (i32.const 1) (i32.lt_u (global.get $depth) (i32.const 100000)))")));
}

/* 11 H4: an export whose result is no i32 gives 0. */
TEST(catch_of_an_export_with_another_result_gives_zero)
{
    CHECK(program_passes(
        "(func (export \"_lunatic_catch_trap\") (param i32 i32) (result i64) (i64.const 7))" START(
            "(call $equal32 (call $trap.catch (i32.const 0) (i32.const 0)) (i32.const 0))")));
}

/* 9.10: processes that each spawn the next, linked, and wait for it. */
TEST(a_thousand_nested_linked_spawns)
{
    CHECK(program_passes(
        "(data (i32.const 16) \"next\")"
        "(func $child_of (param $left i64) (param $config i64) (local $p i64)"
        "  (i64.store (i32.const 1040) (i64.const 0))"
        "  (i32.store8 (i32.const 1024) (i32.const 0x7e)) (i64.store (i32.const 1025) (local.get "
        "$left))"
        "  (call $equal32 (i32.const 0) (call $process.spawn (i64.const 3) (local.get $config) "
        "(i64.const -1)"
        "    (i32.const 16) (i32.const 4) (i32.const 1024) (i32.const 17) (i32.const 2048)))"
        "  (local.set $p (i64.load (i32.const 2048)))"
        "  (call $send (local.get $p) (i64.const 1) (call $process.process_id))"
        "  (call $equal32 (call $receive_tag (i64.const 2) (i64.const 60000)) (i32.const 0)))"
        "(func (export \"next\") (param $left i64) (local $p i64)"
        "  (call $equal32 (call $receive_tag (i64.const 1) (i64.const 60000)) (i32.const 0))"
        "  (local.set $p (call $read))"
        "  (if (i64.ne (local.get $left) (i64.const 0))"
        "    (then (call $child_of (i64.sub (local.get $left) (i64.const 1)) (i64.const -1))))"
        "  (call $send (local.get $p) (i64.const 2) (i64.const 0)))" START(
            "(local.set $p (call $process.create_config))"
            "(call $process.config_set_can_spawn_processes (local.get $p) (i32.const 1))"
            "(call $child_of (i64.const 999) (local.get $p))")));
}

/* 9.10: 5,000 requests while a third process floods the one who asks. */
TEST(requests_beside_a_flood)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    CHECK(program_run(
        "(data (i32.const 16) \"echofood\")"
        "(func (export \"echo\") (param $x i64) (loop $l"
        "  (call $equal32 (call $message.receive (i32.const 0) (i32.const 0) (i64.const -1)) "
        "(i32.const 0))"
        "  (call $send (i64.const 1) (call $read) (i64.const 1)) (br $l)))"
        /* a message and a turn for others: the flood never stops and never runs away */
        "(func (export \"food\") (param $x i64) (loop $l"
        "  (call $send (i64.const 1) (i64.const 3) (i64.const 1))"
        "  (drop (call $wasi.sched_yield)) (br $l)))" START(
            "(drop (call $spawn1 (i64.const 0) (i32.const 20) (i32.const 4) (i64.const 0)))"
            "(local.set $p (call $spawn1 (i64.const 0) (i32.const 16) (i32.const 4) (i64.const 0)))"
            "(loop $l"
            "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"
            "  (call $message.create_data (i64.const 1) (i64.const 8))"
            "  (i64.store (i32.const 3000) (i64.add (i64.const 100) (i64.extend_i32_u (local.get "
            "$i))))"
            "  (drop (call $message.write_data (i32.const 3000) (i32.const 8)))"
            "  (call $equal32 (i32.const 0) (call $message.send_receive_skip_search (local.get $p)"
            "    (i64.add (i64.const 100) (i64.extend_i32_u (local.get $i))) (i64.const 60000)))"
            "  (br_if $l (i32.lt_u (local.get $i) (i32.const 5000))))"),
        &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_NORMAL);
}

/* 9.10: special tags 64, 65, 66 in that order although they came as 66, 65, 64. */
TEST(tags_are_received_in_the_order_asked_for)
{
    CHECK(program_passes(
        START("(call $send (call $process.process_id) (i64.const 66) (i64.const 3))"
              "(call $send (call $process.process_id) (i64.const 65) (i64.const 2))"
              "(call $send (call $process.process_id) (i64.const 64) (i64.const 1))"
              "(call $equal32 (call $receive_tag (i64.const 64) (i64.const -1)) (i32.const 0))"
              "(call $equal (call $read) (i64.const 1))"
              "(call $equal32 (call $receive_tag (i64.const 65) (i64.const -1)) (i32.const 0))"
              "(call $equal (call $read) (i64.const 2))"
              "(call $equal32 (call $receive_tag (i64.const 66) (i64.const -1)) (i32.const 0))"
              "(call $equal (call $read) (i64.const 3))")));
}

/* 11 A13: link tag 0 means "not linked". */
TEST(a_spawn_with_link_tag_zero_is_not_linked)
{
    CHECK(program_passes("(data (i32.const 16) \"trap\")(func (export \"trap\") unreachable)" START(
        "(local.set $p (call $spawn (i64.const 0) (i32.const 16) (i32.const 4)))"
        "(call $process.monitor (local.get $p))"
        "(call $equal32 (call $receive) (i32.const 2))"
        "(call $equal32 (call $message.receive (i32.const 0) (i32.const 0) (i64.const 3)) "
        "(i32.const "
        "9027))")));
}

/* 11 C11: -1, one's own module, cannot be pushed; C10: nor used where an id of a table is wanted.
 */
TEST(the_own_module_cannot_be_pushed)
{
    static const char *const bodies[] = {
        START("(call $message.create_data (i64.const 1) (i64.const 0))"
              "(drop (call $message.push_module (i64.const -1)))"),
        START("(call $process.drop_module (i64.const -1))"),
        START("(call $process.drop_config (i64.const -1))"),
        START("(drop (call $process.config_get_max_memory (i64.const -1)))"),
        START(
            "(drop (call $process.spawn (i64.const 0) (i64.const -2) (i64.const -1) (i32.const 0) "
            "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2048)))"),
    };

    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct program_options o;
        struct lunatic_exit how;

        program_options_init(&o);
        CHECK(program_run(bodies[i], &o, &how));
        CHECK(how.kind == LUNATIC_EXIT_FAILED && strstr(how.text, "unknown"));
    }
}
