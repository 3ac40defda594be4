/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* SQLite from a guest: transactions of one durable insert
 * each, with a rollback journal and with a write-ahead log; many prepared inserts in one
 * transaction; one row by its key; a scan. Prints operations per second. bench/peers/sqlite.c does
 * the same in native code. sqlite [INSERTS [DURABLE]] */
#include <lunatic/sqlite.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILE_NAME "lunatic-bench.db"
#define TEXT      "a text of some forty bytes, as names have"

static lun_db db;

static void fail(const char *what)
{
    printf("%s: %s\n", what, lun_error_text());
    exit(1);
}

static void execute(const char *sql)
{
    if (lun_db_execute(&db, sql) != 0)
        fail(sql);
}

static lun_query prepare(const char *sql)
{
    lun_query q = {0};

    if (lun_db_prepare(&db, &q, sql) != 0)
        fail(sql);
    return q;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void tell(const char *name, uint64_t start, int count)
{
    printf("%s %.1f\n", name, count * 1e9 / (double)(now_ns() - start));
}

static void insert(const char *name, int count, bool is_one_transaction)
{
    lun_query q = prepare("INSERT INTO t VALUES (?1, ?2)");
    uint64_t start = now_ns();

    if (is_one_transaction)
        execute("BEGIN");
    for (int i = 0; i < count; i++) {
        lun_bind_int(&q, 1, i);
        lun_bind_text(&q, 2, TEXT);
        if (lun_step(&q) != 0)
            fail(name);
    }
    if (is_one_transaction)
        execute("COMMIT");
    tell(name, start, count);
    lun_query_close(&q);
    execute("DELETE FROM t");
}

static void select_one(int count)
{
    lun_query q = prepare("SELECT name FROM t WHERE id = ?1");
    uint64_t start = now_ns();

    for (int i = 0; i < count; i++) {
        lun_bind_int(&q, 1, i * INT64_C(7919) % count);
        if (lun_step(&q) != 1 || lun_column_text(&q, 0, NULL)[0] != TEXT[0])
            fail("select");
    }
    tell("one_row_by_key", start, count);
    lun_query_close(&q);
}

static void scan(int count)
{
    lun_query q = prepare("SELECT id, name FROM t");
    uint64_t start = now_ns();
    int rows = 0;

    while (lun_step(&q) == 1) {
        if (lun_column_int(&q, 0) != rows || lun_column_text(&q, 1, NULL)[0] != TEXT[0])
            fail("scan");
        rows++;
    }
    if (rows != count)
        fail("scan");
    tell("rows_of_a_scan", start, count);
    lun_query_close(&q);
}

int main(int argc, char **argv)
{
    char sql[256];
    int count = argc > 1 ? atoi(argv[1]) : 100000, durable = argc > 2 ? atoi(argv[2]) : 1000;

    remove(FILE_NAME);
    if (lun_db_open(&db, FILE_NAME) != 0)
        fail(FILE_NAME);
    execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    insert("durable_journal", durable, false);
    execute("PRAGMA journal_mode = WAL");
    insert("durable_wal", durable, false);
    execute("PRAGMA synchronous = NORMAL");
    insert("wal_unsynced", durable * 10, false);
    execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL");
    insert("in_one_transaction", count, true);
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT INTO t SELECT i, '" TEXT "' FROM n",
             count - 1);
    execute(sql);
    select_one(count);
    scan(count);
    return 0;
}
