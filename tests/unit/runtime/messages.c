/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sections 4 and 5.2 of the interface's reference, from a guest's point of view. */
#include "program.h"
#include "tests/harness/harness.h"

TEST(a_module_that_imports_every_function_links_and_runs)
{
    CHECK(program_passes(START("")));
}

TEST(a_message_to_oneself_is_received_with_its_tag_and_data)
{
    CHECK(program_passes(START(
        "(call $send (call $process.process_id) (i64.const 7) (i64.const 42))"
        "(call $equal32 (call $receive) (i32.const 0))"
        "(call $equal (call $message.get_tag) (i64.const 7))"
        "(call $equal (call $message.data_size) (i64.const 8))"
        "(call $equal (call $message.get_process_id) (i64.const 0))"
        "(call $equal (call $read) (i64.const 42))"
        "(call $equal32 (call $message.read_data (i32.const 0) (i32.const 9)) (i32.const 0))")));
}

TEST(writes_append_and_seek_moves_only_the_read_position)
{
    CHECK(program_passes("(data (i32.const 16) \"abcdef\")" START(
        "(call $message.create_data (i64.const 0) (i64.const -1))" /* B7: a hint, whatever it is */
        "(call $equal32 (call $message.write_data (i32.const 16) (i32.const 3)) (i32.const 3))"
        "(call $message.seek_data (i64.const 2))"
        "(call $equal32 (call $message.write_data (i32.const 19) (i32.const 3)) (i32.const 3))"
        "(call $equal (call $message.data_size) (i64.const 6))"
        "(call $equal32 (call $message.read_data (i32.const 100) (i32.const 10)) (i32.const 4))"
        "(call $equal32 (i32.load (i32.const 100)) (i32.load (i32.const 18)))")));
}

TEST(receive_by_tag_leaves_others_in_their_order)
{
    CHECK(program_passes(START(
        "(call $send (call $process.process_id) (i64.const 1) (i64.const 10))"
        "(call $send (call $process.process_id) (i64.const 2) (i64.const 20))"
        "(call $send (call $process.process_id) (i64.const 0) (i64.const 30))"
        "(call $send (call $process.process_id) (i64.const 2) (i64.const 40))"
        "(call $equal32 (call $receive_tag (i64.const 2) (i64.const 1000)) (i32.const 0))"
        "(call $equal (call $read) (i64.const 20))"
        "(call $equal32 (call $receive_tag (i64.const 0) (i64.const 5)) (i32.const 9027))" /* B2 */
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const 10))"
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const 30))"
        "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const "
        "40))")));
}

TEST(receive_with_timeout_zero_looks_at_what_has_come)
{
    CHECK(
        program_passes(START("(call $equal32 (call $message.receive (i32.const 0) (i32.const 0) "
                             "(i64.const 0)) (i32.const 9027))"
                             "(call $send (call $process.process_id) (i64.const 1) (i64.const 10))"
                             "(call $equal32 (call $message.receive (i32.const 0) (i32.const 0) "
                             "(i64.const 0)) (i32.const 0))")));
}

TEST(many_tags_are_all_looked_for)
{
    CHECK(program_passes(FUNC1(
        "child",
        "(call $process.sleep_ms (i64.const 5))"
        "(call $send (local.get $x) (i64.const 99) (i64.const 1))"
        "(call $send (local.get $x) (i64.const 31) (i64.const 2))") "(data (i32.const 16) "
                                                                    "\"child\")" START("(loop $l "
                                                                                       "(i64.store "
                                                                                       "(i32.add "
                                                                                       "(i32.const "
                                                                                       "4096) "
                                                                                       "(i32.mul "
                                                                                       "(local.get "
                                                                                       "$i) "
                                                                                       "(i32.const "
                                                                                       "8)))"
                                                                                       "  "
                                                                                       "(i64."
                                                                                       "extend_i32_"
                                                                                       "u "
                                                                                       "(local.get "
                                                                                       "$i)))"
                                                                                       "  "
                                                                                       "(local.set "
                                                                                       "$i "
                                                                                       "(i32.add "
                                                                                       "(local.get "
                                                                                       "$i) "
                                                                                       "(i32.const "
                                                                                       "1)))"
                                                                                       "  (br_if "
                                                                                       "$l "
                                                                                       "(i32.lt_u "
                                                                                       "(local.get "
                                                                                       "$i) "
                                                                                       "(i32.const "
                                                                                       "32))))"
                                                                                       "(drop "
                                                                                       "(call "
                                                                                       "$spawn1 "
                                                                                       "(i64.const "
                                                                                       "0) "
                                                                                       "(i32.const "
                                                                                       "16) "
                                                                                       "(i32.const "
                                                                                       "5) (call "
                                                                                       "$process."
                                                                                       "process_id)"
                                                                                       "))"
                                                                                       "(call "
                                                                                       "$equal32 "
                                                                                       "(call "
                                                                                       "$message."
                                                                                       "receive "
                                                                                       "(i32.const "
                                                                                       "4096) "
                                                                                       "(i32.const "
                                                                                       "32) "
                                                                                       "(i64.const "
                                                                                       "5000)) "
                                                                                       "(i32.const "
                                                                                       "0))"
                                                                                       "(call "
                                                                                       "$equal "
                                                                                       "(call "
                                                                                       "$read) "
                                                                                       "(i64.const "
                                                                                       "2))")));
}

TEST(send_receive_skips_what_waits_already)
{
    CHECK(program_passes(FUNC1(
        "echo", "(call $equal32 (call $receive) (i32.const 0))"
                "(call $send (local.get $x) (i64.const 5) (i64.add (call $read) (i64.const "
                "1)))") "(data (i32.const 16) \"echo\")" START("(local.set $p (call $spawn1 "
                                                               "(i64.const 0) (i32.const 16) "
                                                               "(i32.const 4) (call "
                                                               "$process.process_id)))"
                                                               "(call $send (call "
                                                               "$process.process_id) "
                                                               "(i64.const 5) (i64.const 1000))"
                                                               "(call $equal32 (call "
                                                               "$receive_tag (i64.const 6) "
                                                               "(i64.const 1)) (i32.const "
                                                               "9027))"
                                                               "(call $message.create_data "
                                                               "(i64.const 0) (i64.const 0))"
                                                               "(i64.store (i32.const 3000) "
                                                               "(i64.const 8))"
                                                               "(drop (call "
                                                               "$message.write_data (i32.const "
                                                               "3000) (i32.const 8)))"
                                                               "(call $equal32 (call "
                                                               "$message.send_receive_skip_"
                                                               "search (local.get $p) "
                                                               "(i64.const 5) (i64.const "
                                                               "5000)) (i32.const 0))"
                                                               "(call $equal (call $read) "
                                                               "(i64.const 9))"
                                                               "(call $equal32 (call $receive) "
                                                               "(i32.const 0)) (call $equal "
                                                               "(call $read) (i64.const "
                                                               "1000))")));
}

TEST(send_receive_to_nobody_times_out_with_no_message)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    CHECK(program_run(START("(call $message.create_data (i64.const 0) (i64.const 0))"
                            "(call $equal32 (call $message.send_receive_skip_search (i64.const 99) "
                            "(i64.const 5) (i64.const 3)) (i32.const 9027))"
                            "(drop (call $message.get_tag))"),
                      &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_FAILED && how.status == 134);
    CHECK_TEXT(how.text, "lunatic::message::get_tag: there is no current message");
}

TEST(a_bad_pointer_traps_and_leaves_the_message)
{
    /* B6: everything is checked first */
    CHECK(program_passes(
        "(func (export \"_lunatic_catch_trap\") (param i32 i32) (result i32)"
        "  (drop (call $message.write_data (i32.const 65530) (i32.const 7))) (i32.const 1))" START(
            "(call $message.create_data (i64.const 3) (i64.const 0))"
            "(call $equal32 (call $message.write_data (i32.const 65530) (i32.const 6)) (i32.const "
            "6))"
            "(call $equal32 (call $message.write_data (i32.const 65536) (i32.const 0)) (i32.const "
            "0))"
            "(call $equal32 (call $trap.catch (i32.const 0) (i32.const 0)) (i32.const 0))"
            "(call $equal (call $message.data_size) (i64.const 6))"
            "(call $equal (call $message.get_tag) (i64.const 3))")));
}

TEST(a_received_message_can_be_forwarded_with_its_read_position)
{
    CHECK(program_passes(
        START("(call $send (call $process.process_id) (i64.const 7) (i64.const 42))"
              "(call $equal32 (call $receive) (i32.const 0))"
              "(call $equal (call $read) (i64.const 42))"
              "(drop (call $message.send (call $process.process_id)))"
              "(call $equal32 (call $receive) (i32.const 0))"
              "(call $equal (call $message.get_tag) (i64.const 7))"
              "(call $equal32 (call $message.read_data (i32.const 0) (i32.const 8)) (i32.const 0))"
              "(call $message.seek_data (i64.const 0))"
              "(call $equal (call $read) (i64.const 42))")));
}

TEST(timers_deliver_later_and_cancel_tells_the_truth)
{
    CHECK(program_passes(
        START("(call $message.create_data (i64.const 1) (i64.const 0))"
              "(call $equal (call $timer.send_after (call $process.process_id) (i64.const 60000)) "
              "(i64.const 0))"
              "(call $message.create_data (i64.const 2) (i64.const 0))"
              "(call $equal (call $timer.send_after (call $process.process_id) (i64.const 2)) "
              "(i64.const 1))"
              "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $message.get_tag) "
              "(i64.const 2))"
              "(call $equal32 (call $timer.cancel_timer (i64.const 1)) (i32.const 0))" /* E1: it has
                                                                                          fired */
              "(call $equal32 (call $timer.cancel_timer (i64.const 0)) (i32.const 1))"
              "(call $equal32 (call $timer.cancel_timer (i64.const 0)) (i32.const 0))"
              "(call $equal32 (call $message.receive (i32.const 0) (i32.const 0) (i64.const 40)) "
              "(i32.const 9027))")));
}
