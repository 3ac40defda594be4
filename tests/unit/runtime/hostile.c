/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sizes that only a guest that means harm would choose: refused before a worker is kept busy with
 * them. */
#include "base/mem.h"
#include "program.h"
#include "tests/harness/harness.h"
#include <stdatomic.h>
#include <stdio.h>

/* Runs a module as it is. */
static bool run(const char *text, struct lunatic_exit *how)
{
    struct program_options o;
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct lunatic_error err = {0};
    bool ok;

    program_options_init(&o);
    ok = EXPECT(lunatic_runtime_new(&o.runtime, &rt, &err)) &&
         EXPECT(program_load(rt, text, &m, &err)) &&
         EXPECT(lunatic_runtime_run(rt, m, &o.environment, how, &err));
    if (!ok)
        printf("%s\n", err.text);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
    return ok;
}

TEST(a_receive_looks_for_a_limited_number_of_tags)
{
    struct lunatic_exit how;

    /* 65,536 tags are fine, one more is not */
    CHECK(run("(module (import \"lunatic::message\" \"receive\""
              " (func $receive (param i32 i32 i64) (result i32)))"
              "(memory (export \"memory\") 9)"
              "(func (export \"_start\")"
              " (if (i32.ne (i32.const 9027)"
              "   (call $receive (i32.const 0) (i32.const 65536) (i64.const 0)))"
              "  (then unreachable))"
              " (drop (call $receive (i32.const 0) (i32.const 65537) (i64.const 0)))))",
              &how));
    CHECK(how.kind == LUNATIC_EXIT_FAILED && how.status == 134);
    CHECK_TEXT(how.text, "lunatic::message::receive: more than 65,536 tags");
}

TEST(a_string_has_a_limited_size)
{
    struct lunatic_exit how;

    CHECK(run("(module (import \"lunatic::registry\" \"remove\" (func $remove (param i32 i32)))"
              "(memory (export \"memory\") 257)"
              "(func (export \"_start\")"
              " (call $remove (i32.const 0) (i32.const 16777216))"
              " (call $remove (i32.const 0) (i32.const 16777217))))",
              &how));
    CHECK(how.kind == LUNATIC_EXIT_FAILED && how.status == 134);
    CHECK_TEXT(how.text, "lunatic::registry::remove: a string leaves the memory, is not UTF-8, or "
                         "exceeds 16 MiB");
}

TEST(a_module_that_is_too_large_is_refused_before_it_is_copied)
{
    struct lunatic_exit how;

    /* 31 is the length of the words; nothing of the memory is touched */
    CHECK(run("(module (import \"lunatic::process\" \"compile_module\""
              " (func $compile (param i32 i32 i32) (result i32)))"
              "(import \"lunatic::error\" \"string_size\""
              " (func $size (param i64) (result i32)))"
              "(memory (export \"memory\") 1)"
              "(func (export \"_start\")"
              " (if (i32.ne (i32.const -1) (memory.grow (i32.const 16384))) (then"
              "  (if (i32.ne (i32.const 1) (call $compile (i32.const 0) (i32.const 1073741825)"
              "    (i32.const 0))) (then unreachable))"
              "  (if (i32.ne (i32.const 31) (call $size (i64.load (i32.const 0))))"
              "   (then unreachable))))))",
              &how));
    CHECK(how.kind == LUNATIC_EXIT_NORMAL && how.status == 0);
}

TEST(a_spawn_reads_a_limited_number_of_parameters)
{
    struct lunatic_exit how;

    CHECK(run("(module (import \"lunatic::process\" \"spawn\" (func $spawn"
              " (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))"
              "(memory (export \"memory\") 1)"
              "(func (export \"_start\")"
              " (drop (call $spawn (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 0)"
              "  (i32.const 0) (i32.const 0) (i32.const 17017) (i32.const 0)))))",
              &how));
    CHECK(how.kind == LUNATIC_EXIT_FAILED && how.status == 134);
    CHECK_TEXT(how.text, "lunatic::process::spawn: more than 1,000 parameters");
}

/* 20 MiB and 3 bytes are written and read in pieces; the bytes around the edges of the pieces are
 * where they were, a second read gets what is left, and one beyond the end traps. */
TEST(much_data_is_copied_in_pieces)
{
    struct lunatic_exit how;

    CHECK(run("(module"
              "(import \"lunatic::message\" \"create_data\" (func $create (param i64 i64)))"
              "(import \"lunatic::message\" \"write_data\""
              " (func $write (param i32 i32) (result i32)))"
              "(import \"lunatic::message\" \"read_data\""
              " (func $read (param i32 i32) (result i32)))"
              "(import \"lunatic::message\" \"seek_data\" (func $seek (param i64)))"
              "(memory (export \"memory\") 1024)"
              "(func $equal (param i32 i32)"
              " (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))"
              "(func (export \"_start\") (local $i i32)"
              " (loop $l (i32.store (local.get $i) (local.get $i))"
              "  (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4096)))"
              "   (i32.const 20971520))))"
              " (i32.store (i32.const 20971520) (i32.const 0xcba))"
              " (call $create (i64.const 1) (i64.const 0))"
              " (call $equal (i32.const 20971523)"
              "  (call $write (i32.const 0) (i32.const 20971523)))"
              " (call $equal (i32.const 9000001)"
              "  (call $read (i32.const 33554432) (i32.const 9000001)))"
              " (call $equal (i32.const 11971522)"
              "  (call $read (i32.const 42554433) (i32.const 20971523)))"
              " (local.set $i (i32.const 0))"
              " (loop $l (call $equal (local.get $i)"
              "   (i32.load (i32.add (local.get $i) (i32.const 33554432))))"
              "  (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4096)))"
              "   (i32.const 20971520))))"
              " (call $equal (i32.const 0xcba) (i32.load (i32.const 54525952)))"
              " (call $equal (i32.const 0) (call $read (i32.const 0) (i32.const 20971523)))"
              " (call $seek (i64.const 20971524))"
              " (drop (call $read (i32.const 0) (i32.const 20971523)))))",
              &how));
    CHECK(how.kind == LUNATIC_EXIT_FAILED && how.status == 134);
    CHECK_TEXT(how.text, "lunatic::message::read_data: the read position is beyond the end");
}

/* ---- what a guest makes us keep, where memory runs short ---- */

#define QUOTA (16 << 20)

static _Atomic int64_t kept;

static bool keep(uint64_t bytes)
{
    if (atomic_fetch_add(&kept, (int64_t)bytes) + (int64_t)bytes <= QUOTA)
        return true;
    atomic_fetch_sub(&kept, (int64_t)bytes);
    return false;
}

static void keep_no_more(uint64_t bytes)
{
    atomic_fetch_sub(&kept, (int64_t)bytes);
}

/* Runs a guest that would go on for ever unless it is refused: it must end with `words` ("": with
 * status 0), and all that it had must be given back when it is gone. */
static void refused(const char *body, const char *words)
{
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct program_options o;
    struct lunatic_exit how;
    struct lunatic_error err;
    int64_t before;

    program_options_init(&o);
    o.runtime.workers = 1;
    CHECK(lunatic_runtime_new(&o.runtime, &rt, &err));
    mem_set_charge(keep, keep_no_more);
    CHECK(program_build(rt, body, &m));
    for (int i = 0; i < 2; i++) { /* again, so that what stays for good is there */
        before = atomic_load(&kept);
        CHECK(lunatic_runtime_run(rt, m, &o.environment, &how, &err));
        CHECK_TEXT(how.text, words);
        EXPECT(how.kind == (words[0] ? LUNATIC_EXIT_FAILED : LUNATIC_EXIT_NORMAL));
    }
    EXPECT(atomic_load(&kept) <= before);
    lunatic_module_free(m);
    mem_set_charge(NULL, NULL);
    lunatic_runtime_free(rt);
}

TEST(names_are_refused_when_memory_runs_short)
{
    refused(START("(loop $l (i32.store8 (i32.const 0) (i32.and (local.get $i) (i32.const 127)))"
                  " (i32.store8 (i32.const 1) (i32.and (i32.const 127)"
                  "  (i32.shr_u (local.get $i) (i32.const 7))))"
                  " (local.set $i (i32.add (local.get $i) (i32.const 1)))"
                  " (call $registry.put (i32.const 0) (i32.const 60000)"
                  "  (i64.const 9) (i64.const 9)) (br_if $l (i32.lt_u (local.get $i)"
                  "  (i32.const 16384))))"),
            "lunatic::registry::put: the registry is full, the name is too long, or memory runs "
            "short");
}

TEST(strings_of_configurations_are_refused_when_memory_runs_short)
{
    refused(START("(loop $l (local.set $p (call $process.create_config))"
                  " (local.set $i (i32.const 0))"
                  " (loop $m (call $wasi_config.config_add_command_line_argument (local.get $p)"
                  "   (i32.const 16) (i32.const 0))"
                  "  (br_if $m (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))"
                  "   (i32.const 1000)))) (br $l))"),
            "lunatic::wasi::config_add_command_line_argument: too many strings in a "
            "configuration, a byte 0 inside, or memory runs short");
}

TEST(configurations_are_refused_when_memory_runs_short)
{
    refused(START("(loop $l (drop (call $process.create_config)) (br $l))"),
            "lunatic::process::create_config: this process holds too much");
}

TEST(rules_are_refused_when_memory_runs_short)
{
    refused("(data (i32.const 16) \"connect=*:80\")" START(
                "(loop $l (local.set $p (call $process.create_config))"
                " (local.set $i (i32.const 0))"
                " (loop $m (drop (call $process.config_allow_network (local.get $p)"
                "   (i32.const 16) (i32.const 12)))"
                "  (br_if $m (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))"
                "   (i32.const 1000)))) (br $l))"),
            "lunatic::process::config_allow_network: too many rules in a configuration, or memory "
            "runs short");
}

TEST(modules_are_refused_when_memory_runs_short)
{
    /* "\0asm", version 1, and a section of 50,000 bytes that means nothing */
    refused("(data (i32.const 4096) \"\\00asm\\01\\00\\00\\00\\00\\d0\\86\\03\\01a\")" START(
                "(loop $l (br_if $l (i32.eqz (call $process.compile_module (i32.const 4096)"
                "  (i32.const 50012) (i32.const 2048)))))"
                "(call $equal32 (i32.const 0x6d206f6e) (block (result i32)"
                "  (call $error.to_string (i64.load (i32.const 2048)) (i32.const 3000))"
                "  (i32.load (i32.const 3000))))"), /* "no m..." */
            "");
}

TEST(handles_in_messages_are_refused_when_memory_runs_short)
{
    refused("(data (i32.const 4096) \"\\00asm\\01\\00\\00\\00\")" START(
                "(call $equal32 (i32.const 0) (call $process.compile_module (i32.const 4096)"
                "  (i32.const 8) (i32.const 2048)))"
                "(loop $l (call $message.create_data (i64.const 5) (i64.const 0))"
                " (local.set $i (i32.const 0))"
                " (loop $m (drop (call $message.push_module (i64.load (i32.const 2048))))"
                "  (br_if $m (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))"
                "   (i32.const 10000))))"
                " (drop (call $message.send (call $process.process_id))) (br $l))"),
            "lunatic::message::push_module: too many attachments, or memory runs short");
}
