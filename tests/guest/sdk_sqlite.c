// SPDX-License-Identifier: Apache-2.0 OR MIT
// <lunatic/sqlite.h>.
// expect: values come back as they went
// expect: queries begin anew
// expect: errors have words
// expect: two queries at once
#include <assert.h>
#include <lunatic/sqlite.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lun_db db;

static void values(void)
{
    static char large[100000];
    lun_query insert, select;
    size_t size;

    memset(large, 'l', sizeof large);
    assert(lun_db_execute(&db, "CREATE TABLE t (a, b, c, d, e, f)") == 0);
    assert(lun_db_prepare(&db, &insert, "INSERT INTO t VALUES (?1, ?, ?, ?, ?, ?1)") == 0);
    assert(lun_column_count(&insert) == 0);
    lun_bind_text(&insert, 1, "text");
    lun_bind_null(&insert, 2);
    lun_bind_int(&insert, 3, INT64_MIN);
    lun_bind_double(&insert, 4, -1.5);
    lun_bind_blob(&insert, 5, "\0\1", 2);
    assert(lun_step(&insert) == 0);
    assert(lun_db_last_id(&db) == 1 && lun_db_changes(&db) == 1);
    lun_bind_text_n(&insert, 1, "cut short", 3); /* the others stay */
    lun_bind_blob(&insert, 5, large, sizeof large);
    assert(lun_step(&insert) == 0 && lun_db_last_id(&db) == 2);
    lun_query_close(&insert);
    lun_query_close(&insert); /* harmless */

    assert(lun_db_prepare(&db, &select, "SELECT * FROM t ORDER BY rowid") == 0);
    assert(lun_column_count(&select) == 6);
    assert(lun_step(&select) == 1);
    assert(lun_column_kind(&select, 0) == LUN_DB_TEXT &&
           lun_column_kind(&select, 1) == LUN_DB_NULL);
    assert(lun_column_kind(&select, 2) == LUN_DB_INT &&
           lun_column_kind(&select, 3) == LUN_DB_DOUBLE);
    assert(lun_column_kind(&select, 4) == LUN_DB_BLOB);
    assert(strcmp(lun_column_text(&select, 0, &size), "text") == 0 && size == 4);
    assert(memcmp(lun_column_blob(&select, 0, &size), "text", 5) == 0 && size == 4);
    assert(!lun_column_text(&select, 1, &size) && size == 0 && lun_column_int(&select, 1) == 0);
    assert(lun_column_int(&select, 2) == INT64_MIN);
    assert(lun_column_double(&select, 2) == (double)INT64_MIN);
    assert(lun_column_double(&select, 3) == -1.5 && lun_column_int(&select, 3) == -1);
    assert(memcmp(lun_column_blob(&select, 4, &size), "\0\1", 2) == 0 && size == 2);
    assert(!lun_column_text(&select, 4, NULL) && !lun_column_blob(&select, 3, NULL));
    assert(strcmp(lun_column_text(&select, 5, NULL), "text") == 0);
    assert(lun_step(&select) == 1);
    assert(strcmp(lun_column_text(&select, 0, NULL), "cut") == 0);
    assert(lun_column_double(&select, 3) == -1.5);
    assert(memcmp(lun_column_blob(&select, 4, &size), large, sizeof large) == 0 &&
           size == sizeof large);
    assert(lun_step(&select) == 0);
    lun_query_close(&select);
    puts("values come back as they went");
}

static void anew(void)
{
    lun_query q;

    assert(lun_db_prepare(&db, &q, "SELECT ?1 UNION SELECT 2 ORDER BY 1") == 0);
    lun_bind_int(&q, 1, 1);
    assert(lun_step(&q) == 1 && lun_column_int(&q, 0) == 1);
    lun_bind_int(&q, 1, 3); /* in the middle */
    assert(lun_step(&q) == 1 && lun_column_int(&q, 0) == 2);
    assert(lun_step(&q) == 1 && lun_column_int(&q, 0) == 3);
    assert(lun_step(&q) == 0);
    assert(lun_step(&q) == 1 && lun_column_int(&q, 0) == 2); /* behind the end */
    lun_query_reset(&q);
    lun_query_reset(&q);
    assert(lun_step(&q) == 1 && lun_column_int(&q, 0) == 2);
    lun_query_close(&q);
    puts("queries begin anew");
}

static void failures(void)
{
    lun_query q;
    lun_db other;

    assert(lun_db_execute(&db, "CREATE TABLE u (k UNIQUE); INSERT INTO u VALUES (1); nonsense") ==
           -LUN_EIO);
    assert(lun_db_code() == 1 && strstr(lun_error_text(), "nonsense"));
    assert(lun_db_prepare(&db, &q, "SELECT * FROM missing") == -LUN_EIO && q.id == 0);
    assert(strstr(lun_error_text(), "no such table: missing"));
    assert(lun_db_prepare(&db, &q, "INSERT INTO u VALUES (?)") == 0 && lun_db_code() == 0);
    lun_bind_int(&q, 1, 1);
    assert(lun_step(&q) == -LUN_EIO && lun_db_code() == LUN_DB_CONSTRAINT);
    assert(strstr(lun_error_text(), "UNIQUE constraint failed: u.k"));
    lun_bind_int(&q, 1, 2);
    assert(lun_step(&q) == 0);
    lun_query_close(&q);
    assert(lun_db_open(&other, "/nowhere/x.db") == -LUN_EIO && other.id == 0);
    assert(lun_error_text()[0] != '\0');
    puts("errors have words");
}

static void two_queries(void)
{
    lun_query a, b;
    int n = 0;

    assert(lun_db_prepare(&db, &a, "VALUES ('a'), ('bb'), ('ccc')") == 0);
    assert(lun_db_prepare(&db, &b, "SELECT ?1 || 'x'") == 0);
    while (lun_step(&a) == 1) {
        const char *word = lun_column_text(&a, 0, NULL);

        lun_bind_text(&b, 1, word);
        assert(lun_step(&b) == 1 && strlen(lun_column_text(&b, 0, NULL)) == strlen(word) + 1);
        assert((int)strlen(lun_column_text(&a, 0, NULL)) == ++n);
    }
    assert(n == 3);
    lun_query_close(&a);
    lun_query_close(&b);
    puts("two queries at once");
}

int main(void)
{
    assert(lun_db_open(&db, ":memory:") == 0);
    values();
    anew();
    failures();
    two_queries();
    lun_db_close(&db);
    lun_db_close(&db); /* harmless */
    return 0;
}
