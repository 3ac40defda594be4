/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Where databases may be, what SQL cannot reach, and that a killed process leaves nothing behind.
 */
// options: --dir /tmp
// expect: inside: opened opened opened
// expect: outside: refused refused refused refused
// expect: words: Failed to access '/etc/x.db'
// expect: attached: 0 0 14 14 14
// expect: vacuumed: 0 14
// expect: links: opened refused refused
// expect: journal: 0 14, victim 7 bytes
// expect: pragmas: 0 23 23 23
// expect: code: 1 1
// expect: no database: 26
// expect: large: 18
// expect: deep: no
// expect: many views: survived
// expect: full: 13
// expect: killed in a transaction: 0 rows
// expect: killed in a query: 0
// expect: killed while it waits: 1 rows
// expect: two writers: 200
// expect: log: 400
// expect: done
#include <errno.h>
#include <fcntl.h>
#include <lunatic/sqlite.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READY = 1, OVER = 2 };

static char top[32]; /* below /tmp */

struct work {
    char path[64];
    lun_process parent;
};

static const char *at(const char *name)
{
    static char paths[8][96];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
    return path;
}

static void die(const char *what)
{
    printf("%s: %s\n", what, lun_error_text());
    exit(1);
}

static const char *opens(const char *path)
{
    lun_db db = {0};
    int result = lun_db_open(&db, path);

    if (result == 0 && lun_db_execute(&db, "CREATE TABLE IF NOT EXISTS t (a)") != 0)
        return "broken";
    lun_db_close(&db);
    return result == 0 ? "opened" : "refused";
}

/* SQLite's code of a statement. */
static int code(lun_db *db, const char *sql)
{
    return lun_db_execute(db, sql) == 0 ? 0 : lun_db_code();
}

static int codef(lun_db *db, const char *format, const char *argument)
{
    char sql[256];

    snprintf(sql, sizeof(sql), format, argument);
    return code(db, sql);
}

static int64_t count(lun_db *db, const char *sql)
{
    lun_query q = {0};
    int64_t result;

    if (lun_db_prepare(db, &q, sql) != 0 || lun_step(&q) != 1)
        die(sql);
    result = lun_column_int(&q, 0);
    lun_query_close(&q);
    return result;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        die(path);
}

static void escapes(void)
{
    lun_db db = {0};
    struct stat st;

    mkdir(at("sub"), 0700);
    printf("inside: %s", opens(at("a.db")));
    printf(" %s", opens(at("sub/../sub/./b.db")));
    printf(" %s\n", opens(""));
    printf("outside: %s", opens("/etc/x.db"));
    printf(" %s", opens("/tmp/../etc/x.db"));
    printf(" %s", opens("/proc/self/fd/0"));
    printf(" %s\n", opens(at("sub"))); /* a folder */
    lun_db_open(&db, "/etc/x.db");
    printf("words: %s\n", lun_error_text());

    if (lun_db_open(&db, at("a.db")) != 0)
        die("open");
    printf("attached: %d", codef(&db, "ATTACH '%s' AS b", at("sub/b.db")));
    printf(" %d", code(&db, "ATTACH ':memory:' AS m"));
    printf(" %d", code(&db, "ATTACH '/etc/passwd' AS p"));
    printf(" %d", code(&db, "ATTACH '/etc/' || 'passwd' AS p"));
    printf(" %d\n", code(&db, "ATTACH 'file:/etc/passwd?vfs=unix&mode=ro' AS p"));
    printf("vacuumed: %d", codef(&db, "VACUUM INTO '%s'", at("copy.db")));
    printf(" %d\n", code(&db, "VACUUM INTO '/etc/copy.db'"));

    symlink("a.db", at("good"));
    symlink("../../../../../../etc/x.db", at("up"));
    symlink("loop", at("loop"));
    printf("links: %s", opens(at("good")));
    printf(" %s", opens(at("up")));
    printf(" %s\n", opens(at("loop")));

    /* The name of the journal is a link to what is not to be touched. */
    write_file(at("victim"), "victim\n");
    lun_db_close(&db);
    if (lun_db_open(&db, at("j.db")) != 0)
        die("open");
    printf("journal: %d", code(&db, "CREATE TABLE t (a)"));
    symlink("victim", at("j.db-journal"));
    printf(" %d", code(&db, "INSERT INTO t VALUES (1)"));
    stat(at("victim"), &st);
    printf(", victim %d bytes\n", (int)st.st_size);
    unlink(at("j.db-journal"));

    printf("pragmas: %d", code(&db, "PRAGMA temp_store_directory; PRAGMA user_version = 1"));
    printf(" %d", code(&db, "PRAGMA temp_store_directory = '/etc'"));
    printf(" %d", code(&db, "PRAGMA hard_heap_limit = 1000"));
    printf(" %d\n", code(&db, "PRAGMA threads = 8"));
    printf("code: %d", code(&db, "SELECT load_extension('/lib/x86_64-linux-gnu/libm.so.6')") != 0);
    printf(" %d\n", code(&db, "SELECT fts3_tokenizer('simple', x'4141414141414141')") != 0);
    lun_db_close(&db);
}

static void hostile(void)
{
    size_t size = 3 << 20;
    char *sql = malloc(size), *end = sql;
    lun_db db = {0};

    write_file(at("bad.db"),
               "SQLite format 3 it is not, though it is longer than a header has to be, "
               "which has one hundred bytes.....................................");
    if (lun_db_open(&db, at("bad.db")) != 0)
        die("open");
    printf("no database: %d\n", code(&db, "SELECT * FROM sqlite_master"));
    lun_db_close(&db);

    if (lun_db_open(&db, ":memory:") != 0)
        die("open");
    memset(sql, ' ', size);
    memcpy(sql, "SELECT 1", 8);
    memcpy(sql + size - 4, "+ 1", 4);
    printf("large: %d\n", code(&db, sql));
    end = sql + sprintf(sql, "SELECT ");
    for (int i = 0; i < 100000; i++)
        *end++ = '(';
    *end++ = '1';
    for (int i = 0; i < 100000; i++)
        *end++ = ')';
    *end = 0;
    printf("deep: %s\n", code(&db, sql) == 0 ? "yes" : "no");
    code(&db, "CREATE VIEW v0 AS SELECT 1 AS a");
    code(&db, "BEGIN");
    for (int i = 1; i <= 500; i++) {
        char view[128];

        snprintf(view, sizeof(view), "CREATE VIEW v%d AS SELECT a + 1 AS a FROM v%d", i, i - 1);
        code(&db, view);
    }
    code(&db, "COMMIT");
    code(&db, "SELECT * FROM v500"); /* how deep is deep enough, is SQLite's affair */
    printf("many views: survived\n");
    lun_db_close(&db);
    if (lun_db_open(&db, ":memory:") != 0)
        die("open");
    code(&db, "PRAGMA max_page_count = 20; CREATE TABLE f (a)");
    printf("full: %d\n", code(&db, "INSERT INTO f SELECT zeroblob(1000000)"));
    lun_db_close(&db);
    free(sql);
}

/* ---- processes ---- */

static void tell(lun_process to, int64_t tag)
{
    lun_send(to, tag, NULL, 0);
}

static void wait_for(int64_t tag)
{
    lun_message m;

    if (lun_receive_tag(&m, tag, 60000) != 0)
        die("no answer");
}

static void open_there(lun_db *db, const struct work *w)
{
    if (lun_db_open(db, w->path) != 0)
        die(w->path);
}

static void in_transaction(const struct work *w)
{
    lun_db db = {0};

    open_there(&db, w);
    if (lun_db_execute(&db, "BEGIN IMMEDIATE; INSERT INTO k VALUES (1)") != 0)
        die("begin");
    tell(w->parent, READY);
    lun_sleep(60000);
}

static void in_query(const struct work *w)
{
    lun_db db = {0};

    open_there(&db, w);
    tell(w->parent, READY);
    lun_db_execute(&db, "BEGIN IMMEDIATE; INSERT INTO k WITH RECURSIVE n(i) AS "
                        "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
}

static void in_wait(const struct work *w)
{
    lun_db db = {0};

    open_there(&db, w);
    tell(w->parent, READY);
    lun_db_execute(&db, "INSERT INTO k VALUES (2)");
}

static void writer(const struct work *w)
{
    lun_db db = {0};

    open_there(&db, w);
    lun_db_execute(&db, "PRAGMA synchronous = OFF");
    for (int i = 0; i < 100; i++) {
        if (lun_db_execute(&db, "INSERT INTO k VALUES (3)") != 0)
            die("insert");
    }
    tell(w->parent, OVER);
}

static void kills(void)
{
    struct work w = {.parent = lun_self()};
    lun_process child;
    lun_db db = {0};

    snprintf(w.path, sizeof(w.path), "%s", at("k.db"));
    open_there(&db, &w);
    if (lun_db_execute(&db, "CREATE TABLE k (a)") != 0)
        die("create");
    child = LUN_SPAWN(in_transaction, &w);
    wait_for(READY);
    lun_kill(child);
    printf("killed in a transaction: ");
    code(&db, "BEGIN IMMEDIATE"); /* waits until the lock is gone */
    printf("%d rows\n", (int)count(&db, "SELECT count(*) FROM k"));
    code(&db, "COMMIT");

    child = LUN_SPAWN(in_query, &w);
    wait_for(READY);
    lun_sleep(50);
    lun_kill(child);
    printf("killed in a query: %d\n", code(&db, "INSERT INTO k VALUES (1)"));

    code(&db, "BEGIN IMMEDIATE");
    child = LUN_SPAWN(in_wait, &w);
    wait_for(READY);
    lun_sleep(50);
    lun_kill(child);
    lun_sleep(50);
    code(&db, "COMMIT");
    printf("killed while it waits: %d rows\n", (int)count(&db, "SELECT count(*) FROM k"));

    code(&db, "DELETE FROM k");
    LUN_SPAWN(writer, &w);
    LUN_SPAWN(writer, &w);
    wait_for(OVER);
    wait_for(OVER);
    printf("two writers: %d\n", (int)count(&db, "SELECT count(*) FROM k"));
    count(&db, "PRAGMA journal_mode = WAL");
    LUN_SPAWN(writer, &w);
    LUN_SPAWN(writer, &w);
    wait_for(OVER);
    wait_for(OVER);
    printf("log: %d\n", (int)count(&db, "SELECT count(*) FROM k"));
    lun_db_close(&db);
}

int main(void)
{
    static const char *const names[] = {"a.db",   "sub/b.db", "copy.db", "good", "up",  "loop",
                                        "victim", "j.db",     "bad.db",  "k.db", "sub", "sub/b.db"};
    uint32_t salt;

    getentropy(&salt, sizeof(salt));
    snprintf(top, sizeof(top), "/tmp/lunatic-sqlite-%08x", (unsigned)salt);
    if (mkdir(top, 0700) != 0)
        die(top);
    escapes();
    hostile();
    kills();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(at(names[i]));
        rmdir(at(names[i]));
    }
    printf("%s\n", rmdir(top) == 0 ? "done" : "something is left");
    return 0;
}
