/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Output of an environment that goes to a function, and the exports of a module. */
#include "base/bytes.h"
#include "plat/thread.h"
#include "program.h"
#include "tests/harness/harness.h"
#include <stdlib.h>
#include <string.h>

struct seen {
    struct mutex lock;
    char text[4][16384]; /* by stream */
    size_t size[4];
    size_t count;
    uint64_t processes[4]; /* the first id by stream */
};

static void take(void *context, uint64_t process, enum lunatic_output stream, const void *data,
                 size_t size)
{
    struct seen *s = context;

    mutex_lock(&s->lock);
    if (s->size[stream] + size < sizeof(s->text[0])) {
        memcpy(s->text[stream] + s->size[stream], data, size);
        s->size[stream] += size;
    }
    s->count++;
    if (s->processes[stream] == 0)
        s->processes[stream] = process;
    mutex_unlock(&s->lock);
}

static struct seen *seen_new(struct program_options *o)
{
    struct seen *s = calloc(1, sizeof(*s));

    program_options_init(o);
    o->environment.output = take;
    o->environment.output_context = s;
    mutex_init(&s->lock);
    return s;
}

static void seen_free(struct seen *s)
{
    mutex_deinit(&s->lock);
    free(s);
}

/* Writes the `size` bytes at `at` to descriptor `fd`. */
#define WRITE(fd, at, size)                                                                        \
    "(i32.store (i32.const 3100) (i32.const " at ")) (i32.store (i32.const 3104) (i32.const " size \
    "))(call $equal32 (i32.const 0) (call $wasi.fd_write (i32.const " fd                           \
    ") (i32.const 3100) (i32.const 1) (i32.const 3096)))"                                          \
    "(call $equal32 (i32.const " size ") (i32.load (i32.const 3096)))"

/* A parent whose child fails, after that has spawned a child of its own, which outlives it. */
#define CHILD                                                                                      \
    WRITE("2", "36", "4")                                                                          \
    "(drop (call $spawn (i64.const 0) (i32.const 24) (i32.const 10))) unreachable"
#define GRANDCHILD                                                                                 \
    WRITE("1", "40", "6")                                                                          \
    "(call $send (i64.const 1) (i64.const 0) (i64.const 0))"
#define PARENT                                                                                     \
    WRITE("1", "48", "5")                                                                          \
    "(call $process.die_when_link_dies (i32.const 0))"                                             \
    "(drop (call $spawn (i64.const 7) (i32.const 16) (i32.const 5)))"                              \
    "(drop (call $receive)) (drop (call $receive))"
#define FAMILY                                                                                     \
    FUNC("child", CHILD)                                                                           \
    FUNC("grandchild", GRANDCHILD)                                                                 \
    START(PARENT)                                                                                  \
    "(data (i32.const 16) \"child\") (data (i32.const 24) \"grandchild\")"                         \
    "(data (i32.const 36) \"bad\\0alower\\0a\") (data (i32.const 48) \"root\\0a\")"

TEST(descendants_write_to_the_environments_function_and_failures_are_reported_to_it)
{
    struct program_options o;
    struct seen *s = seen_new(&o);
    struct lunatic_exit how;

    CHECK(program_run(FAMILY, &o, &how));
    CHECK(how.kind == LUNATIC_EXIT_NORMAL);
    CHECK_TEXT(s->text[LUNATIC_OUTPUT_STDOUT], "root\nlower\n");
    CHECK_TEXT(s->text[LUNATIC_OUTPUT_STDERR], "bad\n");
    CHECK(strstr(s->text[LUNATIC_OUTPUT_REPORT], "failed: unreachable"));
    CHECK(strstr(s->text[LUNATIC_OUTPUT_REPORT], "child"));
    CHECK(s->text[LUNATIC_OUTPUT_REPORT][s->size[LUNATIC_OUTPUT_REPORT] - 1] == '\n');
    CHECK(s->processes[LUNATIC_OUTPUT_STDOUT] == 1);
    CHECK(s->processes[LUNATIC_OUTPUT_STDERR] != 1);
    CHECK(s->processes[LUNATIC_OUTPUT_REPORT] == s->processes[LUNATIC_OUTPUT_STDERR]);
    seen_free(s);
}

TEST(a_captured_stream_takes_everything_and_is_no_terminal_nor_file)
{
    struct program_options o;
    struct seen *s = seen_new(&o);
    struct lunatic_exit how;

    CHECK(program_run(
        START(/* fdstat: unknown, may write, may not read or seek; also when moved */
              "(call $equal32 (i32.const 0) (call $wasi.fd_fdstat_get (i32.const 1) (i32.const "
              "3200)))"
              "(call $equal32 (i32.const 0) (i32.load8_u (i32.const 3200)))"
              "(call $equal (i64.const 64) (i64.and (i64.load (i32.const 3208)) (i64.const 102)))"
              "(call $equal32 (i32.const 8) (call $wasi.fd_read (i32.const 2) (i32.const 3100) "
              "(i32.const 0) (i32.const 3096)))"
              "(call $equal32 (i32.const 70) (call $wasi.fd_seek (i32.const 1) (i64.const 0) "
              "(i32.const 0) (i32.const 3096)))"
              "(call $equal32 (i32.const 0) (call $wasi.fd_renumber (i32.const 2) (i32.const 1)))"
              /* 5,000 bytes in two pieces, the second being the longer, and one of no bytes */
              "(memory.fill (i32.const 4096) (i32.const 97) (i32.const 5000))"
              "(i32.store (i32.const 3100) (i32.const 4096)) (i32.store (i32.const 3104) "
              "(i32.const 10))"
              "(i32.store (i32.const 3108) (i32.const 4106)) (i32.store (i32.const 3112) "
              "(i32.const 4990))"
              "(call $equal32 (i32.const 0) (call $wasi.fd_write (i32.const 1) (i32.const 3100) "
              "(i32.const 3) (i32.const 3096)))"
              "(call $equal32 (i32.const 5000) (i32.load (i32.const 3096)))"
              /* a subscription for writing is due at once */
              "(i32.store8 (i32.const 3308) (i32.const 2)) (i32.store (i32.const 3316) (i32.const "
              "1))"
              "(call $equal32 (i32.const 0) (call $wasi.poll_oneoff (i32.const 3300) (i32.const "
              "3400) (i32.const 1) (i32.const 3096)))"
              "(call $equal32 (i32.const 1) (i32.load (i32.const 3096)))"),
        &o, &how));
    CHECK_TEXT(how.text, "");
    CHECK(how.kind == LUNATIC_EXIT_NORMAL);
    CHECK(s->size[LUNATIC_OUTPUT_STDOUT] == 0);
    CHECK(s->size[LUNATIC_OUTPUT_STDERR] == 5000);
    CHECK(strspn(s->text[LUNATIC_OUTPUT_STDERR], "a") == 5000);
    CHECK(s->count == 2); /* 4,096 and the rest */
    seen_free(s);
}

TEST(exports_are_listed_in_order_with_their_kinds)
{
    static const struct {
        const char *name;
        enum lunatic_export_kind kind;
    } expected[] = {{"zoo", LUNATIC_EXPORT_FUNCTION},
                    {"", LUNATIC_EXPORT_MEMORY},
                    {"alpha", LUNATIC_EXPORT_GLOBAL},
                    {"a b", LUNATIC_EXPORT_TABLE},
                    {"same", LUNATIC_EXPORT_FUNCTION}};
    struct lunatic_runtime_options ro;
    struct lunatic_runtime *rt;
    struct lunatic_module *m;
    struct lunatic_export e;
    size_t i;

    lunatic_runtime_options_init(&ro);
    ro.workers = 1;
    CHECK(lunatic_runtime_new(&ro, &rt, NULL));
    CHECK(program_load(rt,
                       "(module (func (export \"zoo\")) (memory (export \"\") 1)"
                       "(global (export \"alpha\") i32 (i32.const 1)) (table (export \"a b\") 1 "
                       "funcref) (export \"same\" (func 0)))",
                       &m, NULL));
    for (i = 0; lunatic_module_export(m, i, &e); i++) {
        CHECK(i < sizeof(expected) / sizeof(expected[0]));
        CHECK(e.name_size == strlen(expected[i].name));
        CHECK(memcmp(e.name, expected[i].name, e.name_size) == 0);
        CHECK(e.kind == expected[i].kind);
    }
    CHECK(i == sizeof(expected) / sizeof(expected[0]));
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
}
