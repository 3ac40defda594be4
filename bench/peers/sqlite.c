/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What bench/guests/sqlite.c does, in native code on the same library. */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_NAME "native-bench.db"
#define TEXT      "a text of some forty bytes, as names have"

static sqlite3 *db;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void execute(const char *sql)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

    if (code != 0) {
        printf("%s: code %d\n", sql, code);
        exit(1);
    }
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        abort();
    return stmt;
}

static void bind(sqlite3_stmt *stmt, int64_t number, const char *text)
{
    sqlite3_bind_int64(stmt, 1, number);
    if (text)
        sqlite3_bind_text(stmt, 2, text, (int)strlen(text), SQLITE_TRANSIENT);
}

static void tell(const char *name, uint64_t start, int count)
{
    printf("%s %.1f\n", name, count * 1e9 / (double)(now_ns() - start));
}

static void insert(const char *name, int count, bool is_one_transaction)
{
    sqlite3_stmt *stmt = prepare("INSERT INTO t VALUES (?1, ?2)");
    uint64_t start = now_ns();

    if (is_one_transaction)
        execute("BEGIN");
    for (int i = 0; i < count; i++) {
        bind(stmt, i, TEXT);
        if (sqlite3_step(stmt) != SQLITE_DONE)
            abort();
        sqlite3_reset(stmt);
    }
    if (is_one_transaction)
        execute("COMMIT");
    tell(name, start, count);
    sqlite3_finalize(stmt);
    execute("DELETE FROM t");
}

static char copy[65536];

static void select_one(int count)
{
    sqlite3_stmt *stmt = prepare("SELECT name FROM t WHERE id = ?1");
    uint64_t start = now_ns();

    for (int i = 0; i < count; i++) {
        bind(stmt, i * INT64_C(7919) % count, NULL);
        if (sqlite3_step(stmt) != SQLITE_ROW)
            abort();
        memcpy(copy, sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        if (copy[0] != TEXT[0])
            abort();
        sqlite3_reset(stmt);
    }
    tell("one_row_by_key", start, count);
    sqlite3_finalize(stmt);
}

static void scan(int count)
{
    sqlite3_stmt *stmt = prepare("SELECT id, name FROM t");
    uint64_t start = now_ns();
    int rows = 0;

    while (sqlite3_step(stmt) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(stmt, 0);

        memcpy(copy, sqlite3_column_text(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
        if (id < 0 || copy[0] != TEXT[0])
            abort();
        rows++;
    }
    if (rows != count)
        abort();
    tell("rows_of_a_scan", start, count);
    sqlite3_finalize(stmt);
}

int main(int argc, char **argv)
{
    char sql[256];
    int count = argc > 1 ? atoi(argv[1]) : 100000, durable = argc > 2 ? atoi(argv[2]) : 1000;

    remove(FILE_NAME);
    if (sqlite3_open(FILE_NAME, &db) != SQLITE_OK) {
        printf("cannot open %s\n", FILE_NAME);
        return 1;
    }
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
