/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library as an embedder sees it. */
#include "program.h"
#include "tests/harness/harness.h"

#include <string.h>

static struct lunatic_runtime *make(void)
{
    struct lunatic_runtime_options o;
    struct lunatic_runtime *rt = NULL;

    lunatic_runtime_options_init(&o);
    o.workers = 2;
    o.log_level = LUNATIC_LOG_OFF;
    EXPECT(lunatic_runtime_new(&o, &rt, NULL));
    return rt;
}

TEST(a_runtime_that_runs_nothing_is_freed)
{
    lunatic_runtime_free(make());
    lunatic_runtime_free(NULL);
}

TEST(a_program_that_loops_is_stopped_by_its_timeout)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    o.environment.timeout_ms = 30;
    CHECK(program_run(START("(loop $l (br $l))"), &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_TIMEOUT && how.status == 124);
}

/* Two that loop and one that has ended before its time, started one after the other. */
TEST(the_time_of_an_environment_is_limited_from_its_start)
{
    static const uint64_t timeouts[] = {60, 30, 3600000};
    struct lunatic_runtime *rt = make();
    struct lunatic_environment_options o;
    struct lunatic_environment *e[3];
    struct lunatic_module *loop, *ends;
    struct lunatic_exit how;

    CHECK(program_load(rt, "(module (func (export \"_start\") (loop $l (br $l))))", &loop, NULL));
    CHECK(program_load(rt, "(module (func (export \"_start\")))", &ends, NULL));
    for (size_t i = 0; i < 3; i++) {
        lunatic_environment_options_init(&o);
        o.timeout_ms = timeouts[i];
        CHECK(lunatic_environment_start(rt, i < 2 ? loop : ends, &o, &e[i], NULL));
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK(lunatic_environment_wait(e[i], UINT64_MAX, &how));
        CHECK(how.kind == (i < 2 ? LUNATIC_EXIT_TIMEOUT : LUNATIC_EXIT_NORMAL));
        CHECK(how.status == (i < 2 ? 124 : 0));
        lunatic_environment_free(e[i]);
    }
    lunatic_module_free(loop);
    lunatic_module_free(ends);
    lunatic_runtime_free(rt);
}

TEST(a_directory_that_cannot_be_opened_is_an_error_of_the_start)
{
    const struct lunatic_dir dirs[] = {{.host_path = "/"},
                                       {.host_path = "/no/such/directory", .guest_path = "/data"}};
    const struct lunatic_dir file[] = {{.host_path = "/proc/self/status"}};
    struct lunatic_runtime *rt = make();
    struct lunatic_environment_options o;
    struct lunatic_environment *e;
    struct lunatic_error err;
    struct lunatic_module *m;

    CHECK(program_load(rt, "(module (func (export \"_start\")))", &m, NULL));
    lunatic_environment_options_init(&o);
    o.dirs = dirs;
    o.dir_count = 2;
    CHECK(!lunatic_environment_start(rt, m, &o, &e, &err));
    CHECK(err.code == LUNATIC_ERROR_FILE);
    CHECK(strstr(err.text, "directory /no/such/directory: "));
    o.dirs = file;
    o.dir_count = 1;
    CHECK(!lunatic_environment_start(rt, m, &o, &e, &err));
    CHECK(strstr(err.text, "directory /proc/self/status: "));
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
}

TEST(a_memory_limit_refuses_to_start_a_larger_program)
{
    struct lunatic_runtime *rt = make();
    struct lunatic_environment_options o;
    struct lunatic_module *m;
    struct lunatic_exit how;
    struct lunatic_error err;

    CHECK(program_load(rt, "(module (memory 3) (func (export \"_start\")))", &m, &err));
    lunatic_environment_options_init(&o);
    o.memory_max = 2 * 65536;
    CHECK(!lunatic_runtime_run(rt, m, &o, &how, &err));
    CHECK_TEXT(err.text, "memory minimum size of 3 pages exceeds memory limits");
    CHECK(err.code == LUNATIC_ERROR_LIMIT);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
}

TEST(environments_run_side_by_side_and_do_not_see_each_other)
{
    struct lunatic_runtime *rt = make();
    struct lunatic_environment *e[20];
    struct lunatic_module *m;
    struct lunatic_exit how;

    CHECK(program_load(
        rt,
        "(module (import \"lunatic::process\" \"exists\" (func $exists (param i64) (result i32)))"
        "(import \"lunatic::process\" \"sleep_ms\" (func $sleep (param i64)))"
        "(func (export \"_start\") (call $sleep (i64.const 5))"
        " (if (call $exists (i64.const 2)) (then unreachable))))",
        &m, NULL));
    for (size_t i = 0; i < 20; i++)
        CHECK(lunatic_environment_start(rt, m, NULL, &e[i], NULL));
    lunatic_module_free(m);
    for (size_t i = 0; i < 20; i++) {
        CHECK(lunatic_environment_wait(e[i], 10000, &how));
        CHECK(how.kind == LUNATIC_EXIT_NORMAL);
        lunatic_environment_free(e[i]);
    }
    lunatic_runtime_free(rt);
}

TEST(an_environment_is_stopped_with_all_its_processes)
{
    struct lunatic_runtime *rt = make();
    struct lunatic_environment *e;
    struct lunatic_module *m;
    struct lunatic_exit how;

    CHECK(program_load(rt,
                       "(module (import \"lunatic::process\" \"spawn\" (func $spawn (param i64 i64 "
                       "i64 i32 i32 i32 i32 i32) (result i32)))"
                       "(memory (export \"memory\") 1) (data (i32.const 0) \"loops\")"
                       "(func (export \"loops\") (loop $l (br $l)))"
                       "(func (export \"_start\") (local $i i32) (local.set $i (i32.const 100))"
                       " (loop $l (drop (call $spawn (i64.const 0) (i64.const -1) (i64.const -1) "
                       "(i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 8)))"
                       "   (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))"
                       " (loop $l (br $l))))",
                       &m, NULL));
    CHECK(lunatic_environment_start(rt, m, NULL, &e, NULL));
    CHECK(!lunatic_environment_wait(e, 20, &how));
    lunatic_environment_stop(e);
    CHECK(lunatic_environment_wait(e, 10000, &how));
    CHECK(how.kind == LUNATIC_EXIT_STOPPED && how.status == 137);
    lunatic_environment_free(e);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
}

TEST(a_deterministic_run_in_which_everyone_waits_is_told_so)
{
    struct program_options o;
    struct lunatic_exit how;

    program_options_init(&o);
    o.runtime.deterministic = true;
    CHECK(program_run(
        START("(drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const -1)))"), &o,
        &how));
    CHECK(how.kind == LUNATIC_EXIT_STUCK && how.status == 1);
}

TEST(what_cannot_be_linked_is_listed_with_hints)
{
    struct lunatic_runtime *rt = make();
    struct lunatic_error err = {0};
    struct lunatic_module *m;

    CHECK(!program_load(rt,
                        "(module (import \"lunatic::message\" \"send\" (func (param i64)))"
                        "(import \"lunatic::process\" \"this\" (func (result i64)))"
                        "(import \"lunatic::registry\" \"putt\" (func (param i32)))"
                        "(import \"env\" \"foo\" (func)))",
                        &m, &err));
    CHECK(err.code == LUNATIC_ERROR_IMPORT);
    CHECK(strstr(err.text, "it is (i64) -> (i32) here"));
    CHECK(strstr(err.text, "did you mean lunatic::process::process_id?"));
    CHECK(strstr(err.text, "did you mean lunatic::registry::put?"));
    CHECK(strstr(err.text, "no definition was linked for it"));
    lunatic_runtime_free(rt);
}

TEST(options_that_were_not_initialised_are_refused)
{
    struct lunatic_runtime_options o = {0};
    struct lunatic_runtime *rt;
    struct lunatic_error err;

    CHECK(!lunatic_runtime_new(&o, &rt, &err));
    CHECK(err.code == LUNATIC_ERROR_USAGE);
}
