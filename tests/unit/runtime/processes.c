/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sections 3, 5.3 to 5.7 and 6 of the interface's reference, from a guest's point of view. */
#include "program.h"
#include "tests/harness/harness.h"

TEST(spawn_passes_parameters)
{
    CHECK(program_passes(
        "(func (export \"child\") (param $to i64) (param $a i32) (param $b i64)"
        "  (call $send (local.get $to) (i64.const 0) (i64.sub (local.get $b) (i64.extend_i32_s "
        "(local.get $a)))))"
        "(data (i32.const 16) \"child\")" START(
            "(i32.store8 (i32.const 1024) (i32.const 0x7e)) (i64.store (i32.const 1025) (call "
            "$process.process_id))"
            "(i32.store8 (i32.const 1041) (i32.const 0x7f)) (i64.store (i32.const 1042) (i64.const "
            "-2))"
            "(i32.store8 (i32.const 1058) (i32.const 0x7e)) (i64.store (i32.const 1059) (i64.const "
            "40))"
            "(call $equal32 (i32.const 0) (call $process.spawn (i64.const 0) (i64.const -1) "
            "(i64.const -1)"
            "  (i32.const 16) (i32.const 5) (i32.const 1024) (i32.const 51) (i32.const 2048)))"
            "(call $equal32 (call $receive) (i32.const 0)) (call $equal (call $read) (i64.const "
            "42))")));
}

TEST(the_failure_of_a_linked_child_becomes_a_message_with_the_links_tag)
{
    CHECK(program_passes(FUNC("child", "unreachable") "(data (i32.const 16) \"child\")" START(
        "(call $process.die_when_link_dies (i32.const 0))"
        "(local.set $p (call $spawn (i64.const 77) (i32.const 16) (i32.const 5)))"
        "(call $equal32 (call $receive) (i32.const 1))"
        "(call $equal (call $message.get_tag) (i64.const 77))"
        "(call $equal32 (call $process.exists (local.get $p)) (i32.const 0))")));
}

TEST(the_failure_of_a_linked_child_ends_the_parent)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    CHECK(program_run(FUNC("child", "unreachable") "(data (i32.const 16) \"child\")" START(
                          "(local.set $p (call $spawn (i64.const 1) (i32.const 16) (i32.const 5)))"
                          "(drop (call $receive))"),
                      &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_KILLED && how.status == 137);
}

TEST(a_linked_child_that_ends_well_is_not_heard_of)
{
    CHECK(program_passes(FUNC("child", "") "(data (i32.const 16) \"child\")" START(
        "(call $process.die_when_link_dies (i32.const 0))"
        "(local.set $p (call $spawn (i64.const 1) (i32.const 16) (i32.const 5)))"
        "(call $process.monitor (local.get $p))"
        "(call $equal32 (call $receive) (i32.const 2))"
        "(call $equal (call $message.get_process_id) (local.get $p))"
        "(call $equal32 (call $message.receive (i32.const 0) (i32.const 0) (i64.const 5)) "
        "(i32.const 9027))")));
}

TEST(monitoring_nobody_is_answered_at_once)
{
    CHECK(program_passes(START("(call $process.monitor (i64.const 123456))" /* A2 */
                               "(call $equal32 (call $receive) (i32.const 2))"
                               "(call $equal (call $message.get_process_id) (i64.const 123456))")));
}

TEST(a_wrong_entry_function_makes_the_child_fail_later)
{
    /* C2: missing, other parameters, results */
    CHECK(program_passes(
        FUNC1("takes", "") "(func (export \"gives\") (result i32) (i32.const 1))"
                           "(data (i32.const 16) \"none\") (data (i32.const 32) \"takes\") (data "
                           "(i32.const 48) \"gives\")" START(
                               "(call $process.die_when_link_dies (i32.const 0))"
                               "(drop (call $spawn (i64.const 1) (i32.const 16) (i32.const 4)))"
                               "(call $equal32 (call $receive) (i32.const 1))"
                               "(drop (call $spawn (i64.const 2) (i32.const 32) (i32.const 5)))"
                               "(call $equal32 (call $receive) (i32.const 1))"
                               "(drop (call $spawn (i64.const 3) (i32.const 48) (i32.const 5)))"
                               "(call $equal32 (call $receive) (i32.const 1)) (call $equal (call "
                               "$message.get_tag) (i64.const 3))")));
}

TEST(a_kill_ends_a_process_that_loops)
{
    CHECK(program_passes(FUNC("loops", "(loop $l (br $l))") "(data (i32.const 16) \"loops\")" START(
        "(local.set $p (call $spawn (i64.const 0) (i32.const 16) (i32.const 5)))"
        "(call $process.monitor (local.get $p))"
        "(call $process.sleep_ms (i64.const 10))"
        "(call $equal32 (call $process.exists (local.get $p)) (i32.const 1))"
        "(call $process.kill (local.get $p))"
        "(call $equal32 (call $receive) (i32.const 2))")));
}

TEST(a_process_that_kills_itself_ends)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    CHECK(program_run(
        START(
            "(call $process.kill (call $process.process_id)) (call $wasi.proc_exit (i32.const 3))"),
        &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_KILLED);
}

TEST(names_of_processes)
{
    CHECK(program_passes(
        FUNC("waits", "(drop (call $receive))") "(data (i32.const 16) \"waits\") (data (i32.const "
                                                "32) \"a name\")" START(
                                                    "(call $equal32 (call $registry.get (i32.const "
                                                    "32) (i32.const 6) (i32.const 2048) (i32.const "
                                                    "2056)) (i32.const 1))"
                                                    "(call $equal32 (call $process.get_or_spawn "
                                                    "(i32.const 32) (i32.const 6) (i64.const 0) "
                                                    "(i64.const -1) (i64.const -1)"
                                                    "  (i32.const 16) (i32.const 5) (i32.const 0) "
                                                    "(i32.const 0) (i32.const 2048) (i32.const "
                                                    "2056)) (i32.const 0))"
                                                    "(local.set $p (i64.load (i32.const 2056)))"
                                                    "(call $equal32 (call $process.get_or_spawn "
                                                    "(i32.const 32) (i32.const 6) (i64.const 0) "
                                                    "(i64.const -1) (i64.const -1)"
                                                    "  (i32.const 16) (i32.const 5) (i32.const 0) "
                                                    "(i32.const 0) (i32.const 2048) (i32.const "
                                                    "2064)) (i32.const 2))"
                                                    "(call $equal (i64.load (i32.const 2064)) "
                                                    "(local.get $p))"
                                                    "(call $process.monitor (local.get $p)) (call "
                                                    "$send (local.get $p) (i64.const 0) (i64.const "
                                                    "0))"
                                                    "(call $equal32 (call $receive) (i32.const 2))"
                                                    /* D1: the name of a dead process stands for
                                                       nothing */
                                                    "(call $equal32 (call $registry.get (i32.const "
                                                    "32) (i32.const 6) (i32.const 2048) (i32.const "
                                                    "2056)) (i32.const 1))"
                                                    "(call $registry.put (i32.const 32) (i32.const "
                                                    "6) (i64.const 9) (i64.const 4))"
                                                    "(call $equal32 (call $registry.get (i32.const "
                                                    "32) (i32.const 6) (i32.const 2048) (i32.const "
                                                    "2056)) (i32.const 0))"
                                                    "(call $equal (i64.load (i32.const 2048)) "
                                                    "(i64.const 9))"
                                                    "(call $registry.remove (i32.const 32) "
                                                    "(i32.const 6))"
                                                    "(call $equal32 (call $registry.get (i32.const "
                                                    "32) (i32.const 6) (i32.const 2048) (i32.const "
                                                    "2056)) (i32.const 1))")));
}

TEST(many_processes_ask_for_the_same_name_and_one_is_spawned)
{
    CHECK(program_passes(FUNC(
        "waits", "(drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const "
                 "-1)))") "(data (i32.const 16) \"waits\") (data (i32.const 32) \"a "
                          "name\") (data (i32.const 48) \"asks\")" FUNC1(
                              "asks", "(drop (call $process.get_or_spawn (i32.const 32) "
                                      "(i32.const 6) (i64.const 0) (i64.const -1) (i64.const -1)"
                                      "  (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) "
                                      "(i32.const 2048) (i32.const 2056)))"
                                      "(call $send (local.get $x) (i64.const 0) (i64.load "
                                      "(i32.const 2056)))")
                              START("(local.set $i (i32.const 50))"
                                    "(loop $l (drop (call $spawn1 (i64.const 0) (i32.const "
                                    "48) (i32.const 4) (call $process.process_id)))"
                                    "  (br_if $l (local.tee $i (i32.sub (local.get $i) "
                                    "(i32.const 1)))))"
                                    "(local.set $i (i32.const 50))"
                                    "(call $equal32 (call $receive) (i32.const 0)) "
                                    "(local.set $p (call $read))"
                                    "(loop $l (local.set $i (i32.sub (local.get $i) "
                                    "(i32.const 1)))"
                                    "  (if (local.get $i) (then (call $equal32 (call "
                                    "$receive) (i32.const 0))"
                                    "    (call $equal (call $read) (local.get $p)) (br "
                                    "$l))))")));
}

TEST(a_start_function_runs_as_the_child_and_its_trap_is_the_result_of_spawn)
{
    CHECK(program_passes(
        "(global $g (mut i64) (i64.const 0))"
        "(func $start (global.set $g (call $process.process_id)))"
        "(start $start)" FUNC1("child", "(call $equal (global.get $g) (call "
                                        "$process.process_id))"
                                        "(call $send (local.get $x) (i64.const 0) "
                                        "(global.get $g))") "(data (i32.const 16) "
                                                            "\"child\")" START("(local.set "
                                                                               "$p (call "
                                                                               "$spawn1 "
                                                                               "(i64.const "
                                                                               "5) "
                                                                               "(i32.const "
                                                                               "16) "
                                                                               "(i32.const "
                                                                               "5) (call "
                                                                               "$process."
                                                                               "process_id)))"
                                                                               "(call "
                                                                               "$equal32 "
                                                                               "(call "
                                                                               "$receive) "
                                                                               "(i32.const "
                                                                               "0)) (call "
                                                                               "$equal (call "
                                                                               "$read) "
                                                                               "(local.get "
                                                                               "$p))")));
    CHECK(program_passes(
        /* every process but the main one traps while it starts */
        "(func $start (if (i64.ne (call $process.process_id) (i64.const 1)) (then unreachable)))"
        "(start $start)" FUNC("child", "") "(data (i32.const 16) \"child\")" START(
            "(call $equal32 (i32.const 1) (call $process.spawn (i64.const 1) (i64.const -1) "
            "(i64.const -1)"
            "  (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 2048)))"
            "(call $equal32 (call $error.string_size (i64.load (i32.const 2048))) (i32.const 38))"
            "(call $error.to_string (i64.load (i32.const 2048)) (i32.const 100))"
            "(call $error.drop (i64.load (i32.const 2048)))"
            "(call $process.sleep_ms (i64.const 5))")));
}

TEST(configurations_are_what_children_get)
{
    CHECK(program_passes(FUNC1(
        "child",
        "(call $send (local.get $x) (i64.const 0) (call "
        "$process.create_config))") "(data (i32.const 16) \"child\")" START("(local.set $p (call "
                                                                            "$process.create_"
                                                                            "config))"
                                                                            "(call $equal "
                                                                            "(local.get $p) "
                                                                            "(i64.const 0))"
                                                                            "(call $equal (call "
                                                                            "$process.config_get_"
                                                                            "max_memory (local.get "
                                                                            "$p)) (i64.const "
                                                                            "4294967295))"
                                                                            "(call $equal (call "
                                                                            "$process.config_get_"
                                                                            "max_fuel (local.get "
                                                                            "$p)) (i64.const 0))"
                                                                            "(call $equal32 (call "
                                                                            "$process.config_can_"
                                                                            "spawn_processes "
                                                                            "(local.get $p)) "
                                                                            "(i32.const 0))"
                                                                            "(call "
                                                                            "$process.config_set_"
                                                                            "can_spawn_processes "
                                                                            "(local.get $p) "
                                                                            "(i32.const 4))"
                                                                            "(call $equal32 (call "
                                                                            "$process.config_can_"
                                                                            "spawn_processes "
                                                                            "(local.get $p)) "
                                                                            "(i32.const 1))"
                                                                            "(i32.store8 "
                                                                            "(i32.const 1024) "
                                                                            "(i32.const 0x7e)) "
                                                                            "(i64.store (i32.const "
                                                                            "1025) (call "
                                                                            "$process.process_id))"
                                                                            "(call $equal32 "
                                                                            "(i32.const 0) (call "
                                                                            "$process.spawn "
                                                                            "(i64.const 0) "
                                                                            "(local.get $p) "
                                                                            "(i64.const -1)"
                                                                            "  (i32.const 16) "
                                                                            "(i32.const 5) "
                                                                            "(i32.const 1024) "
                                                                            "(i32.const 17) "
                                                                            "(i32.const 2048)))"
                                                                            /* a change now is not
                                                                               the child's */
                                                                            "(call "
                                                                            "$process.config_set_"
                                                                            "can_create_configs "
                                                                            "(local.get $p) "
                                                                            "(i32.const 1))"
                                                                            "(call $equal32 (call "
                                                                            "$receive) (i32.const "
                                                                            "0)) (call $equal "
                                                                            "(call $read) "
                                                                            "(i64.const -1))"
                                                                            /* memory: 1 page needs
                                                                               65536 bytes */
                                                                            "(call "
                                                                            "$process.config_set_"
                                                                            "max_memory (local.get "
                                                                            "$p) (i64.const 65535))"
                                                                            "(call $equal32 "
                                                                            "(i32.const 1) (call "
                                                                            "$process.spawn "
                                                                            "(i64.const 0) "
                                                                            "(local.get $p) "
                                                                            "(i64.const -1)"
                                                                            "  (i32.const 16) "
                                                                            "(i32.const 5) "
                                                                            "(i32.const 1024) "
                                                                            "(i32.const 17) "
                                                                            "(i32.const 2048)))"
                                                                            "(call "
                                                                            "$process.drop_config "
                                                                            "(local.get $p))")));
}

TEST(fuel_ends_a_process_that_uses_it_up)
{
    CHECK(program_passes(FUNC("loops", "(loop $l (br $l))")
                             FUNC1("short", "(call $send (local.get $x) (i64.const 8) (i64.const "
                                            "0))") "(data (i32.const 16) \"loops\") (data "
                                                   "(i32.const 32) \"short\")" START(
                                                       "(call $process.die_when_link_dies "
                                                       "(i32.const 0))"
                                                       "(local.set $p (call "
                                                       "$process.create_config))"
                                                       "(call $process.config_set_max_fuel "
                                                       "(local.get $p) (i64.const 3))"
                                                       "(call $equal32 (i32.const 0) (call "
                                                       "$process.spawn (i64.const 6) (local.get "
                                                       "$p) (i64.const -1)"
                                                       "  (i32.const 16) (i32.const 5) (i32.const "
                                                       "0) (i32.const 0) (i32.const 2048)))"
                                                       "(call $equal32 (call $receive) (i32.const "
                                                       "1)) (call $equal (call $message.get_tag) "
                                                       "(i64.const 6))"
                                                       "(i32.store8 (i32.const 1024) (i32.const "
                                                       "0x7e)) (i64.store (i32.const 1025) (call "
                                                       "$process.process_id))"
                                                       "(call $equal32 (i32.const 0) (call "
                                                       "$process.spawn (i64.const 6) (local.get "
                                                       "$p) (i64.const -1)"
                                                       "  (i32.const 32) (i32.const 5) (i32.const "
                                                       "1024) (i32.const 17) (i32.const 2048)))"
                                                       "(call $equal32 (call $receive) (i32.const "
                                                       "0)) (call $equal (call $message.get_tag) "
                                                       "(i64.const 8))")));
}

TEST(modules_compile_travel_and_run)
{
    /* (module (func (export "f"))), and bytes that are none */
    CHECK(program_passes(
        "(data (i32.const 4096) "
        "\"\\00asm\\01\\00\\00\\00\\01\\04\\01\\60\\00\\00\\03\\02\\01\\00\\07\\05\\01\\01f\\00\\00"
        "\\0a\\04\\01\\02\\00\\0b\")"
        "(data (i32.const 16) \"f\")" START(
            "(call $equal32 (call $process.compile_module (i32.const 4096) (i32.const 31) "
            "(i32.const 2048)) (i32.const 0))"
            "(call $equal (i64.load (i32.const 2048)) (i64.const 0))"
            "(call $message.create_data (i64.const 0) (i64.const 0))"
            "(call $equal (call $message.push_module (i64.const 0)) (i64.const 0))"
            "(drop (call $message.send (call $process.process_id)))"
            "(call $process.drop_module (i64.const 0))"
            "(call $equal32 (call $receive) (i32.const 0))"
            "(call $equal (call $message.take_module (i64.const 0)) (i64.const 1))"
            "(call $equal32 (i32.const 0) (call $process.spawn (i64.const 0) (i64.const -1) "
            "(i64.const 1)"
            "  (i32.const 16) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 2048)))"
            "(call $process.monitor (i64.load (i32.const 2048)))"
            "(call $equal32 (call $receive) (i32.const 2))"
            "(call $equal32 (call $process.compile_module (i32.const 4096) (i32.const 20) "
            "(i32.const 2048)) (i32.const 1))"
            "(call $error.drop (i64.load (i32.const 2048)))")));
}

TEST(catch_survives_traps_and_nests)
{
    CHECK(program_passes(
        "(func (export \"_lunatic_catch_trap\") (param $n i32) (param $x i32) (result i32)"
        "  (if (i32.eqz (local.get $n)) (then unreachable))"
        "  (drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const 1)))"
        "  (i32.add (i32.const 1) (call $trap.catch (i32.sub (local.get $n) (i32.const 1)) "
        "(local.get $x))))" START(
            "(call $equal32 (call $trap.catch (i32.const 0) (i32.const 0)) (i32.const 0))"
            "(call $equal32 (call $trap.catch (i32.const 20) (i32.const 0)) (i32.const 20))")));
}

TEST(proc_exit_gives_the_status_even_inside_catch)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    CHECK(program_run("(func (export \"_lunatic_catch_trap\") (param i32 i32) (result i32)"
                      "  (call $wasi.proc_exit (local.get 0)) (i32.const 1))" START(
                          "(drop (call $trap.catch (i32.const 259) (i32.const 0)))"),
                      &o, &how)); /* F5 */
    CHECK(how.kind == LUNATIC_EXIT_NORMAL && how.status == 3);
    CHECK(program_run(START("(call $wasi.proc_exit (i32.const 512))"), &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_NORMAL && how.status == 1);
}

TEST(functions_of_later_modules_trap_with_their_name)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    CHECK(program_run(START("(drop (call $distributed.send (i64.const 1) (i64.const 1)))"), &o,
                      &how));
    CHECK(how.kind == LUNATIC_EXIT_FAILED && how.status == 134);
    CHECK_TEXT(how.text, "not available yet: lunatic::distributed::send");
}

TEST(spawn_needs_the_right_to)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    o.environment.deny_spawn = o.environment.deny_compile = o.environment.deny_configs = true;
    CHECK(program_run(START("(call $equal (call $process.create_config) (i64.const -1))"
                            "(call $equal32 (call $process.compile_module (i32.const 0) (i32.const "
                            "0) (i32.const 0)) (i32.const -1))"
                            "(drop (call $spawn (i64.const 0) (i32.const 0) (i32.const 0)))"),
                      &o, &how));
    CHECK_TEXT(how.text, "lunatic::process::spawn: this process may not spawn others");
}

TEST(small_answers_of_a_runtime_without_cluster)
{
    CHECK(
        program_passes(START("(call $equal32 (call $version.minor) (i32.const 13))"
                             "(call $equal32 (call $distributed.nodes_count) (i32.const 0))"
                             "(call $equal (call $distributed.node_id) (i64.const 0))"
                             "(call $equal (call $distributed.module_id) (i64.const 0))"
                             "(call $equal (call $process.environment_id) (i64.const 1))"
                             "(call $equal (call $process.process_id) (i64.const 1))"
                             "(call $metrics.gauge (i32.const 16) (i32.const 4) (f64.const 1))")));
}
