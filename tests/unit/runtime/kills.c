/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Processes are killed at random times in all states there are: what they held is gone with them.
 *
 * The main process keeps 64 victims alive and kills them one by one, each after a random time. When
 * it has killed enough it waits for the last to be gone, and then for ever, so that nothing is
 * tidied up by the end of the environment: what is counted is what the kills have left.
 * LUNATIC_KILLS says how many (100000 by hand). */
#include "program.h"
#include "runtime/internal.h"
#include "tests/harness/harness.h"
#include "vm/slot.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KILLS       5000
#define STATES      16
#define ALIVE       64
#define PATIENCE_NS (120 * NS_PER_SEC)

/* Names of 4 bytes, at 16. Each victim is given a random number. */
#define NAMES "recvtagsnapsloopcatcfilepollnametimeconfmodulinkspawclaimsgccomp"

static const char body[] =
    "(data (i32.const 16) \"" NAMES "\")\n"
    "(data (i32.const 128) \"file\")\n"
    "(data (i32.const 136) \"none\")\n"
    "(data (i32.const 144) "
    "\"\\00asm\\01\\00\\00\\00\\01\\04\\01\\60\\00\\00\\03\\02\\01\\00\\0a\\04\\01\\02\\00"
    "\\0b\")\n"
    "(global $random (mut i64) (i64.const 88172645463325252))\n"
    "(func $next (result i64)\n"
    "  (global.set $random (i64.xor (global.get $random) (i64.shl (global.get $random) (i64.const "
    "13))))\n"
    "  (global.set $random (i64.xor (global.get $random) (i64.shr_u (global.get $random) "
    "(i64.const "
    "7))))\n"
    "  (global.set $random (i64.xor (global.get $random) (i64.shl (global.get $random) (i64.const "
    "17))))\n"
    "  (global.get $random))\n"
    "(func $below (param $n i64) (result i64) (i64.rem_u (call $next) (local.get $n)))\n"
    "(func $wait (drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const -1))))\n"
    "(func $sleep (param $ms i64) (call $process.sleep_ms (local.get $ms)))\n"
    "(func (export \"none\"))\n" FUNC1("recv", "(call $wait)")
        FUNC1("tags", "(drop (call $receive_tag (local.get $x) (i64.const 3600000)))")
            FUNC1("naps", "(call $sleep (i64.const 3600000))") FUNC1("loop", "(loop $l (br $l))")
    /* In the middle of nested calls of trap::catch, waiting or computing. */
    FUNC1(
        "catc",
        "(drop (call $trap.catch (i32.const 4) (i32.wrap_i64 (local.get $x))))") "(func (export "
                                                                                 "\"_lunatic_catch_"
                                                                                 "trap\") (param "
                                                                                 "i32 i32) (result "
                                                                                 "i32)\n"
                                                                                 "  (if (local.get "
                                                                                 "0) (then (drop "
                                                                                 "(call "
                                                                                 "$trap.catch "
                                                                                 "(i32.sub "
                                                                                 "(local.get 0) "
                                                                                 "(i32.const 1)) "
                                                                                 "(local.get "
                                                                                 "1)))))\n"
                                                                                 "  (if (i32.and "
                                                                                 "(local.get 1) "
                                                                                 "(i32.const 1)) "
                                                                                 "(then (loop $l "
                                                                                 "(br $l))))\n"
                                                                                 "  (call $wait) "
                                                                                 "(i32.const 1))\n"
    /* Opens, reads and closes a file for ever: descriptors and jobs. */
    FUNC1(
        "file",
        "(i32.store (i32.const 200) (i32.const 4096)) (i32.store (i32.const 204) (i32.const "
        "5000))"
        "(loop $l"
        "  (call $equal32 (i32.const 0) (call $wasi.path_open (i32.const 3) (i32.const 1)"
        "    (i32.const 128) (i32.const 4) (i32.const 0) (i64.const 6) (i64.const 6) (i32.const 0)"
        "    (i32.const 300)))"
        "  (local.set $i (i32.const 0))"
        "  (loop $r"
        "    (call $equal32 (i32.const 0) (call $wasi.fd_read (i32.load (i32.const 300))"
        "      (i32.const 200) (i32.const 1) (i32.const 304)))"
        "    (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        "    (br_if $r (i32.lt_u (local.get $i) (i32.const 3))))"
        "  (br_if $l (i32.eqz (call $wasi.fd_close (i32.load (i32.const 300))))))")
    /* poll_oneoff of a clock. */
    FUNC1("poll", "(i64.store (i32.const 224) (i64.const 3600000000000))"
                  "(i32.store (i32.const 216) (i32.const 1))"
                  "(drop (call $wasi.poll_oneoff (i32.const 200) (i32.const 300) (i32.const 1) "
                  "(i32.const 400)))")
    /* Holds a name. */
    FUNC1("name", "(i64.store (i32.const 200) (local.get $x))"
                  "(call $registry.put (i32.const 200) (i32.const 8) (i64.const 0) (call "
                  "$process.process_id))"
                  "(call $wait)")
    /* Holds timers that fire for it, dead or alive. */
    FUNC1("time",
          "(loop $l"
          "  (call $message.create_data (i64.const 5) (i64.const 8))"
          "  (drop (call $timer.send_after (call $process.process_id) (i64.rem_u (local.get "
          "$x) (i64.const 40))))"
          "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"
          "  (br_if $l (i32.lt_u (local.get $i) (i32.const 20))))"
          "(drop (call $receive_tag (i64.const 6) (i64.const -1)))")
    /* Holds configurations with strings. */
    FUNC1("conf",
          "(loop $l"
          "  (local.set $p (call $process.create_config))"
          "  (call $wasi_config.config_add_environment_variable (local.get $p) (i32.const 16)"
          "    (i32.const 8) (i32.const 0) (i32.const 2000))"
          "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"
          "  (br_if $l (i32.lt_u (local.get $i) (i32.const 5))))"
          "(call $wait)")
    /* Holds a module, and one in a message to itself. */
    FUNC1(
        "modu",
        "(call $equal32 (i32.const 0) (call $process.compile_module (i32.const 144) (i32.const 24)"
        "  (i32.const 300)))"
        "(call $message.create_data (i64.const 5) (i64.const 8))"
        "(drop (call $message.push_module (i64.load (i32.const 300))))"
        "(drop (call $message.send (call $process.process_id)))"
        "(drop (call $receive_tag (i64.const 6) (i64.const -1)))")
    /* Is linked to a child that loops: one kill ends both. */
    FUNC1("link", "(drop (call $spawn1 (i64.const 3) (i32.const 28) (i32.const 4) (local.get $x)))"
                  "(call $wait)")
    /* Spawns children one after the other, and waits for the end of each. */
    FUNC1("spaw", "(loop $l"
                  "  (call $process.monitor (call $spawn (i64.const 0) (i32.const 136) (i32.const "
                  "4)))"
                  "  (call $wait) (br $l))")
    /* Spawns under one of four names, linked with the child. */
    FUNC1("clai",
          "(loop $l"
          "  (i64.store (i32.const 200) (i64.and (local.get $x) (i64.const 3)))"
          "  (drop (call $process.get_or_spawn (i32.const 200) (i32.const 8) (i64.const 1) "
          "(i64.const "
          "-1)"
          "    (i64.const -1) (i32.const 136) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const "
          "300)"
          "    (i32.const 308)))"
          "  (local.set $x (i64.add (local.get $x) (i64.const 1)))"
          "  (br $l))")
    /* Has messages of all sizes in its mailbox, and in its hand. */
    FUNC1("msgc",
          "(loop $l"
          "  (call $message.create_data (i64.const 9) (i64.const 0))"
          "  (drop (call $message.write_data (i32.const 0) (i32.mul (local.get $i) (i32.const "
          "500))))"
          "  (drop (call $message.send (call $process.process_id)))"
          "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"
          "  (br_if $l (i32.lt_u (local.get $i) (i32.const 40))))"
          "(drop (call $receive_tag (i64.const 9) (i64.const -1)))"
          "(drop (call $receive_tag (i64.const 6) (i64.const -1)))")
    /* Compiles all the time: jobs. */
    FUNC1("comp",
          "(loop $l"
          "  (call $equal32 (i32.const 0) (call $process.compile_module (i32.const 144) (i32.const "
          "24)"
          "    (i32.const 300)))"
          "  (call $process.drop_module (i64.load (i32.const 300))) (br $l))")
    /* The ids of the victims are at 4096; $p kills are left. */
    "(func $victim (param $at i32)"
    "  (i64.store (local.get $at) (call $spawn1 (i64.const 0)"
    "    (i32.add (i32.const 16) (i32.mul (i32.const 4) (i32.wrap_i64 (call $below (i64.const "
    "16)))))"
    "    (i32.const 4) (call $next))))\n"
    "(func $gone (param $id i64)"
    "  (loop $l (if (call $process.exists (local.get $id)) (then (call $sleep (i64.const 1)) (br "
    "$l)))))\n" START(
        "(call $equal32 (call $message.receive (i32.const 0) (i32.const 0) (i64.const -1)) "
        "(i32.const "
        "0))"
        "(local.set $p (call $read)) (drop (call $message.send (i64.const 0)))"
        "(loop $fill (call $victim (i32.add (i32.const 4096) (local.get $i)))"
        "  (local.set $i (i32.add (local.get $i) (i32.const 8)))"
        "  (br_if $fill (i32.lt_u (local.get $i) (i32.const 512))))"
        "(loop $kill"
        "  (local.set $i (i32.add (i32.const 4096) (i32.mul (i32.const 8) (i32.wrap_i64 (call "
        "$below "
        "(i64.const 64))))))"
        /* mostly at once, sometimes after a sleep, in which many get to where they wait */
        "  (if (i64.eqz (call $below (i64.const 64))) (then (call $sleep (i64.const 1))))"
        "  (call $process.kill (i64.load (local.get $i)))"
        "  (if (i64.eqz (call $below (i64.const 32))) (then (call $gone (i64.load (local.get "
        "$i)))))"
        "  (call $victim (local.get $i))"
        "  (local.set $p (i64.sub (local.get $p) (i64.const 1)))"
        "  (br_if $kill (i64.ne (local.get $p) (i64.const 0))))"
        "(local.set $i (i32.const 0))"
        "(loop $end (call $process.kill (i64.load (i32.add (i32.const 4096) (local.get $i))))"
        "  (local.set $i (i32.add (local.get $i) (i32.const 8)))"
        "  (br_if $end (i32.lt_u (local.get $i) (i32.const 512))))"
        "(call $equal32 (i32.const 0) (call $message.receive (i32.const 0) (i32.const 0) "
        "(i64.const "
        "-1)))");

static void print_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        char path[300], target[200] = "";

        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, target, sizeof(target) - 1) > 0)
            printf("  %s: %s\n", entry->d_name, target);
    }
    closedir(dir);
}

static void tell(struct lunatic_runtime *rt, struct environment *e, uint64_t value)
{
    struct message *m = message_new_data(&rt->actors, 0, &value, sizeof(value));

    EXPECT(m && process_send(e, PROCESS_MAIN, m));
}

/* What there is besides the main process. */
struct rest {
    uint64_t processes, timers, messages, bonds, slots;
    unsigned descriptors;
};

static struct rest count_rest(struct lunatic_runtime *rt, struct environment *e)
{
    return (struct rest){.processes = environment_process_count(e),
                         .timers = environment_timer_count(e),
                         .messages = pool_live(&rt->actors.messages),
                         .bonds = pool_live(&rt->actors.bonds),
                         .slots = slots_live(),
                         .descriptors = descriptors()};
}

static bool is_same(const struct rest *a, const struct rest *b)
{
    return a->processes == b->processes && a->timers == b->timers && a->messages == b->messages &&
           a->bonds == b->bonds && a->slots == b->slots && a->descriptors == b->descriptors;
}

static void print_rest(const char *words, const struct rest *r)
{
    printf("%s: %" PRIu64 " processes, %" PRIu64 " timers, %" PRIu64 " messages, %" PRIu64
           " bonds, %" PRIu64 " slots, %u descriptors\n",
           words, r->processes, r->timers, r->messages, r->bonds, r->slots, r->descriptors);
}

static bool print_process(void *unused, const struct lunatic_process_info *p)
{
    (void)unused;
    printf("  %" PRIu64 " %d %s %s in %s, %" PRIu64 " messages\n", p->id, (int)p->state, p->wait,
           p->wait_details, p->function, p->queue_count);
    return true;
}

/* Whether `count` kills leave everything as it was before. */
static bool kills_leave_nothing(struct lunatic_runtime *rt, struct environment *e, uint64_t count)
{
    uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
    struct rest before, after;

    /* The main process waits for its orders. */
    do {
        thread_yield();
        before = count_rest(rt, e);
    } while (before.messages > 0 && clock_monotonic_ns() < end_ns);
    tell(rt, e, count);
    /* While it works it is not parked without messages and alone: all is as before only at the end.
     */
    do {
        struct timespec moment = {.tv_nsec = 20000000};

        nanosleep(&moment, NULL);
        after = count_rest(rt, e);
    } while ((!is_same(&before, &after) || environment_spawn_count(e) < count + ALIVE) &&
             clock_monotonic_ns() < end_ns);
    if (is_same(&before, &after) && EXPECT(environment_spawn_count(e) >= count + ALIVE))
        return true;
    print_rest("before", &before);
    print_rest("after", &after);
    print_descriptors();
    lunatic_runtime_inspect(rt, NULL, print_process, NULL, NULL);
    return false;
}

static void storm(bool metered)
{
    const char *many = getenv("LUNATIC_KILLS");
    uint64_t count = many ? strtoull(many, NULL, 10) : KILLS;
    struct lunatic_runtime *rt = NULL;
    struct lunatic_module *m = NULL;
    struct lunatic_environment *e = NULL;
    struct program_options o;
    struct lunatic_error err;
    struct lunatic_exit how;
    char folder[] = "/tmp/lunatic-kills-XXXXXX", path[64];
    struct lunatic_dir dir = {folder, ".", false};
    int fd;

    CHECK(sizeof(NAMES) - 1 == 4 * STATES);
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/file", folder);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 1 << 20) == 0 && close(fd) == 0);
    program_options_init(&o);
    o.runtime.workers = 3;
    o.runtime.metered = metered;
    o.environment.dirs = &dir;
    o.environment.dir_count = 1;
    if (TEST_SANITIZED && !many)
        count /= 5;
    CHECK(lunatic_runtime_new(&o.runtime, &rt, &err));
    CHECK(program_build(rt, body, &m));
    CHECK(lunatic_environment_start(rt, m, &o.environment, &e, &err));
    EXPECT(kills_leave_nothing(rt, e->environment, count));
    tell(rt, e->environment, 0);
    EXPECT(lunatic_environment_wait(e, 60000, &how) && how.kind == LUNATIC_EXIT_NORMAL);
    if (how.kind != LUNATIC_EXIT_NORMAL)
        printf("%s\n", how.text);
    lunatic_environment_free(e);
    lunatic_module_free(m);
    lunatic_runtime_free(rt);
    unlink(path);
    rmdir(folder);
}

TEST(kills_at_random_times_in_all_states_leave_nothing)
{
    storm(false);
}

TEST(kills_at_random_times_in_metered_code_leave_nothing)
{
    storm(true);
}
