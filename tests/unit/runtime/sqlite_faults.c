/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The system fails below SQLite: each call of each kind, once or from then on, and each allocation.
 *
 * A guest runs the same transaction twice while something fails. Whatever that is: the guest hears
 * of it or it does not matter; each transaction is in the file wholly or not at all, and it is
 * there if the guest was told so; the file is sound; and no descriptor, job or lock is left. */
#include "base/mem.h"
#include "plat/file.h"
#include "program.h"
#include "runtime/internal.h"
#include "tests/harness/harness.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_NS (60 * NS_PER_SEC)
#define CALLS_MAX   2000 /* of one kind, in one run */

/* ---- what fails ---- */

static struct {
    enum file_call call;
    int error;         /* 0: a short read or write */
    _Atomic int count; /* calls until it fails; 0: it fails, or has failed */
    bool for_ever;     /* and all that follow */
} order;

static int fail_as_ordered(enum file_call call, size_t *size)
{
    int count;

    if (call != order.call)
        return 0;
    count = atomic_load(&order.count);
    if (count > 0)
        count = atomic_fetch_sub(&order.count, 1);
    if (count > 1 || (count <= 0 && !order.for_ever))
        return 0;
    if (!order.error && size)
        *size = 7;
    return order.error;
}

/* ---- the guest ---- */

/* Opens, again if that fails; runs the transaction; goes on after its failure; runs it again. Its
 * status tells what has failed: a bit for each opening, then for each transaction. */
#define OPEN "(call $sqlite.open (i32.const 16) (i32.const 4) (i32.const 2048))"
#define EXECUTE(at, size)                                                                          \
    "(call $sqlite.execute (i64.load (i32.const 2048)) (i32.const " at ") (i32.const " size "))"

#define TRANSACTION                                                                                \
    "BEGIN IMMEDIATE; UPDATE t SET v = v - 1 WHERE k % 2 = 0; UPDATE t SET v = v + 1 WHERE k % 2 " \
    "= 1; INSERT INTO u (data) VALUES (zeroblob(9000)); DELETE FROM u WHERE id < (SELECT max(id) " \
    "FROM u); COMMIT"
#define SETUP(mode)                                                                                \
    "PRAGMA journal_mode = " mode                                                                  \
    "; CREATE TABLE t (k INTEGER PRIMARY KEY, v, pad); CREATE TABLE "                              \
    "u (id INTEGER PRIMARY KEY, data); INSERT INTO u VALUES (1, 1); WITH RECURSIVE c (i) AS "      \
    "(SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200) INSERT INTO t SELECT i, 0, "           \
    "zeroblob(100) FROM c"

static const char setup_body[] =
    "(data (i32.const 16) \"x.db\")"
    "(data (i32.const 4096) \"%s\")" START(
        "(call $equal (i64.const 0) " OPEN ")"
        "(call $equal32 (i32.const 0) (call $sqlite.execute (i64.load (i32.const 2048))"
        " (i32.const 4096) (i32.const %zu)))");

static const char body[] =
    "(data (i32.const 16) \"x.db\")"
    "(data (i32.const 64) \"ROLLBACK\")"
    "(data (i32.const 4096) \"%s\")"
    "(func $transaction (result i32) " EXECUTE("4096", "%zu") ")" START(
        "(drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const -1)))"
        "(if (i64.ne (i64.const 0) " OPEN ") (then"
        "  (local.set $i (i32.const 1))"
        "  (if (i64.ne (i64.const 0) " OPEN ") (then (call $wasi.proc_exit (i32.const 3))))))"
        "(if (call $transaction) (then"
        "  (local.set $i (i32.or (local.get $i) (i32.const 4)))"
        "  (drop " EXECUTE("64", "8") ")))"
                                      "(if (call $transaction) (then"
                                      "  (local.set $i (i32.or (local.get $i) (i32.const 8)))))"
                                      "(call $sqlite.close (i64.load (i32.const 2048)))"
                                      "(call $wasi.proc_exit (local.get $i))");

enum { OPENING_FAILED = 1, NOT_OPEN = 3, FIRST_FAILED = 4, SECOND_FAILED = 8 };

/* ---- the world ---- */

struct world {
    char folder[40], path[64];
    struct lunatic_dir dir;
    struct program_options options;
    struct lunatic_runtime *rt;
    struct lunatic_module *module;
    struct bytes template;
};

static uint32_t jobs(const struct world *w)
{
    struct scheduler_load load;

    scheduler_load(w->rt->scheduler, &load);
    return load.job_count + (uint32_t)load.queued_count;
}

static void setup(struct world *w, const char *mode)
{
    const char *sql = strcmp(mode, "WAL") == 0 ? SETUP("WAL") : SETUP("DELETE");
    struct lunatic_module *m = NULL;
    struct lunatic_exit how;
    struct lunatic_error err;
    struct error e;
    char text[2000];

    memset(w, 0, sizeof(*w));
    /* In memory, where that can be had: what is asked of a disk is asked thousands of times. */
    snprintf(w->folder, sizeof(w->folder), "/dev/shm/lunatic-faults-XXXXXX");
    if (!mkdtemp(w->folder)) {
        snprintf(w->folder, sizeof(w->folder), "/tmp/lunatic-faults-XXXXXX");
        CHECK(mkdtemp(w->folder));
    }
    snprintf(w->path, sizeof(w->path), "%s/x.db", w->folder);
    w->dir = (struct lunatic_dir){w->folder, ".", false};
    program_options_init(&w->options);
    w->options.runtime.workers = 2;
    w->options.environment.dirs = &w->dir;
    w->options.environment.dir_count = 1;
    CHECK(lunatic_runtime_new(&w->options.runtime, &w->rt, &err));
    snprintf(text, sizeof(text), setup_body, sql, strlen(sql));
    CHECK(program_build(w->rt, text, &m));
    snprintf(text, sizeof(text), body, TRANSACTION, sizeof(TRANSACTION) - 1);
    CHECK(program_build(w->rt, text, &w->module));
    CHECK(lunatic_runtime_run(w->rt, m, &w->options.environment, &how, &err));
    CHECK(how.kind == LUNATIC_EXIT_NORMAL && how.status == 0);
    lunatic_module_free(m);
    for (uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
         jobs(w) > 0 && clock_monotonic_ns() < end_ns;)
        thread_yield();
    CHECK(file_read_all(w->path, 1 << 20, &w->template, &e));
}

/* Removes the files beside the database; how many there were. */
static unsigned remove_rest(const struct world *w)
{
    DIR *dir = opendir(w->folder);
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(dir))) {
        char path[400];

        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "x.db") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", w->folder, entry->d_name);
        unlink(path);
        count++;
    }
    closedir(dir);
    return count;
}

static void teardown(struct world *w)
{
    lunatic_module_free(w->module);
    lunatic_runtime_free(w->rt);
    remove_rest(w);
    unlink(w->path);
    CHECK(rmdir(w->folder) == 0);
    bytes_deinit(&w->template);
}

/* ---- one run ---- */

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t result = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        result = sqlite3_column_int64(stmt, 0);
    else
        printf("%s: %s\n", sql, sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
    return result;
}

/* How often the transaction has been done; -1: not wholly, or the file is broken or locked. */
static int64_t times_done(const struct world *w)
{
    sqlite3 *db = NULL;
    int64_t n = -1;

    if (sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK &&
        sqlite3_exec(db, "PRAGMA synchronous = OFF; BEGIN EXCLUSIVE", NULL, NULL, NULL) ==
            SQLITE_OK &&
        number(db, "SELECT count(*) = 1 AND min(integrity_check) = 'ok' FROM "
                   "pragma_integrity_check()") == 1)
        n = number(db, "SELECT sum(v) / 100 FROM t WHERE k % 2 = 1");
    else
        printf("database: %s\n", sqlite3_errmsg(db));
    if (n >= 0 && (number(db, "SELECT count(*) FROM t WHERE v = (k % 2 * 2 - 1) * (SELECT v FROM t "
                              "WHERE k = 1)") != 200 ||
                   number(db, "SELECT max(id) - 1 FROM u") != n))
        n = -1;
    sqlite3_close(db);
    return n;
}

static bool is_as_told(const struct world *w, const struct lunatic_exit *how, int64_t done)
{
    bool told = how->kind == LUNATIC_EXIT_NORMAL && how->status != NOT_OPEN;
    int64_t least = told ? !(how->status & FIRST_FAILED) + !(how->status & SECOND_FAILED) : 0;

    (void)w;
    return done >= least && done <= 2;
}

/* Runs the guest with what is ordered, or with the `nth` allocation failing. False: nothing was
 * left to fail, or the test has failed. */
static bool run_once(struct world *w, const char *words, int nth, bool allocation,
                     unsigned *noticed)
{
    struct lunatic_environment *e = NULL;
    struct lunatic_error err;
    struct lunatic_exit how = {0};
    struct message *m;
    unsigned before;
    uint64_t end_ns;
    uint64_t nothing = 0;
    int64_t done;
    bool has_failed, ok;
    FILE *f;

    remove_rest(w);
    f = fopen(w->path, "w");
    if (!EXPECT(f && fwrite(w->template.data, 1, w->template.size, f) == w->template.size &&
                fclose(f) == 0))
        return false;
    before = descriptors();
    if (!EXPECT(lunatic_environment_start(w->rt, w->module, &w->options.environment, &e, &err)))
        return false;
    m = message_new_data(&w->rt->actors, 0, &nothing, sizeof(nothing));
    order.count = nth;
    if (allocation)
        mem_fail_after((size_t)nth);
    else
        file_set_fault(fail_as_ordered);
    ok = EXPECT(m && process_send(e->environment, PROCESS_MAIN, m)) &&
         EXPECT(lunatic_environment_wait(e, 60000, &how));
    end_ns = clock_monotonic_ns() + PATIENCE_NS;
    while (jobs(w) > 0 && clock_monotonic_ns() < end_ns)
        thread_yield();
    has_failed = allocation ? !mem_fail_is_due() : atomic_load(&order.count) == 0;
    mem_fail_after(0);
    file_set_fault(NULL);
    lunatic_environment_free(e);
    while (descriptors() > before && clock_monotonic_ns() < end_ns)
        thread_yield();
    done = times_done(w);
    ok = EXPECT(descriptors() == before) && EXPECT(jobs(w) == 0) &&
         EXPECT(is_as_told(w, &how, done)) && ok;
    /* One failure does not break both, and what has no failure left is done. */
    if (allocation ? how.kind == LUNATIC_EXIT_NORMAL : !order.for_ever)
        ok = EXPECT(how.kind == LUNATIC_EXIT_NORMAL) &&
             EXPECT(how.status == 0 || how.status == OPENING_FAILED || how.status == FIRST_FAILED ||
                    how.status == SECOND_FAILED) &&
             ok;
    else
        ok = EXPECT(how.kind == LUNATIC_EXIT_NORMAL || allocation) && ok;
    if (!has_failed)
        ok = EXPECT(how.status == 0) && ok;
    if (!ok)
        printf("%s, call %d: kind %d, status %d, %s; done %" PRId64 " times, %u descriptors (%u "
               "before), %u jobs\n",
               words, nth, (int)how.kind, how.status, how.text, done, descriptors(), before,
               jobs(w));
    *noticed += how.status != 0;
    return ok && has_failed;
}

/* `matters`: some of the failures are heard of by the guest; else none is. */
static void fail_each(struct world *w, const char *words, enum file_call call, int error,
                      bool for_ever, bool matters)
{
    unsigned noticed = 0;
    int n = 1;

    order.call = call;
    order.error = error;
    order.for_ever = for_ever;
    while (n < CALLS_MAX && run_once(w, words, n, false, &noticed))
        n++;
    if (!EXPECT(n > 1 && n < CALLS_MAX) || !EXPECT(matters == (noticed > 0)))
        printf("%s: %d calls, %u noticed\n", words, n - 1, noticed);
}

/* ---- the tests ---- */

static void fail_once(const char *mode)
{
    bool journal = strcmp(mode, "DELETE") == 0;
    struct world w;

    setup(&w, mode);
    fail_each(&w, "open, too many", FILE_CALL_OPEN, EMFILE, false, true);
    fail_each(&w, "read", FILE_CALL_READ, EIO, false, true);
    fail_each(&w, "read, short", FILE_CALL_READ, 0, false, false);
    fail_each(&w, "read, interrupted", FILE_CALL_READ, EINTR, false, false);
    fail_each(&w, "write", FILE_CALL_WRITE, EIO, false, true);
    fail_each(&w, "write, full", FILE_CALL_WRITE, ENOSPC, false, true);
    fail_each(&w, "write, short", FILE_CALL_WRITE, 0, false, false);
    fail_each(&w, "write, interrupted", FILE_CALL_WRITE, EINTR, false, false);
    fail_each(&w, "sync", FILE_CALL_SYNC, EIO, false, true);
    fail_each(&w, "sync, full", FILE_CALL_SYNC, ENOSPC, false, true);
    fail_each(&w, "unlink", FILE_CALL_UNLINK, EIO, false, journal);
    fail_each(&w, "lock", FILE_CALL_LOCK, EIO, false, true);
    fail_each(&w, "lock, none left", FILE_CALL_LOCK, ENOLCK, false, true);
    fail_each(&w, "lock, interrupted", FILE_CALL_LOCK, EINTR, false, false);
    fail_each(&w, "info", FILE_CALL_GET_INFO, EIO, false, true);
    teardown(&w);
}

static void fail_for_ever(const char *mode)
{
    bool journal = strcmp(mode, "DELETE") == 0;
    struct world w;

    setup(&w, mode);
    fail_each(&w, "open, too many for ever", FILE_CALL_OPEN, EMFILE, true, true);
    fail_each(&w, "read for ever", FILE_CALL_READ, EIO, true, true);
    fail_each(&w, "write for ever", FILE_CALL_WRITE, EIO, true, true);
    fail_each(&w, "write, full for ever", FILE_CALL_WRITE, ENOSPC, true, true);
    fail_each(&w, "sync for ever", FILE_CALL_SYNC, EIO, true, true);
    fail_each(&w, "unlink for ever", FILE_CALL_UNLINK, EIO, true, journal);
    fail_each(&w, "lock for ever", FILE_CALL_LOCK, EIO, true, true);
    fail_each(&w, "info for ever", FILE_CALL_GET_INFO, EIO, true, true);
    teardown(&w);
}

TEST(each_call_below_sqlite_fails_once_with_a_rollback_journal)
{
    fail_once("DELETE");
}

TEST(each_call_below_sqlite_fails_once_with_a_write_ahead_log)
{
    fail_once("WAL");
}

TEST(all_calls_below_sqlite_fail_from_some_time_on)
{
    fail_for_ever("DELETE");
    fail_for_ever("WAL");
}

TEST(each_allocation_fails_while_sqlite_works)
{
    static const char *const modes[] = {"DELETE", "WAL"};

    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        unsigned noticed = 0;
        struct world w;
        int n = 1;

        setup(&w, modes[i]);
        while (n < CALLS_MAX && run_once(&w, modes[i], n, true, &noticed))
            n++;
        CHECK(n > 100 && n < CALLS_MAX && noticed > 10);
        teardown(&w);
    }
}
