/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* SQLite databases for programs in C and C++ on the lunatic runtime. Compile with `lunatic cc`.
 *
 *     lun_db db;
 *     lun_query insert;
 *
 *     if (lun_db_open(&db, "app.db") != 0 ||
 *         lun_db_execute(&db, "CREATE TABLE IF NOT EXISTS t (name TEXT, size INTEGER)") != 0 ||
 *         lun_db_prepare(&db, &insert, "INSERT INTO t VALUES (?1, ?2)") != 0)
 *         die(lun_error_text());
 *     lun_bind_text(&insert, 1, "door");
 *     lun_bind_int(&insert, 2, 2);
 *     if (lun_step(&insert) != 0)
 *         die(lun_error_text());
 *
 * The SQLite library is part of the runtime, and works while other processes run. Connections and
 * queries belong to the process that opened them; several processes may open the same file, and
 * one that finds it locked waits for a while. What a process leaves open is closed when it ends,
 * and a transaction that it has not committed is rolled back.
 *
 * Functions that can fail return 0, or a number, or -LUN_EIO; lun_error_text() says then what
 * SQLite says, and lun_db_code() has its code. Using a connection or a query that is not open, or a
 * parameter or column that does not exist, ends the process with a trap. */
#ifndef LUNATIC_SQLITE_H
#define LUNATIC_SQLITE_H

#include <lunatic.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Connections ----------------------------------------------------------------------------- */

/* A connection. Zeroed, it holds nothing. */
typedef struct lun_db {
    uint64_t id; /* the runtime's plus 1; 0: holds nothing */
} lun_db;

/* Opens the database in the file `path`, which is made if it is missing and must lie in one of the
 * process's directories; ":memory:": one in memory; "": one in a temporary file. -LUN_EIO. */
int lun_db_open(lun_db *db, const char *path);

/* Closes it, unless it holds nothing, and zeroes it. Its queries are to be closed before. */
void lun_db_close(lun_db *db);

/* Executes all statements in `sql`, without their rows, up to the first that fails. -LUN_EIO. */
int lun_db_execute(const lun_db *db, const char *sql);

/* Rows that the last INSERT, UPDATE or DELETE changed, and the rowid of the last one inserted, 0 if
 * there was none. */
long lun_db_changes(const lun_db *db);
int64_t lun_db_last_id(const lun_db *db);

/* SQLite's result code of what failed last in this process with -LUN_EIO; these matter most. 0: it
 * was not SQLite that failed. */
int lun_db_code(void);

enum {
    LUN_DB_BUSY = 5,        /* locked by others for too long; try the transaction again */
    LUN_DB_READONLY = 8,    /* the directory is to be read only */
    LUN_DB_FULL = 13,       /* the disk, or what the process may use of it, is full */
    LUN_DB_CONSTRAINT = 19, /* a key that exists already, and the like */
};

/* ---- Queries --------------------------------------------------------------------------------- */

enum lun_db_kind {
    LUN_DB_NULL = 0,
    LUN_DB_BLOB = 1,
    LUN_DB_TEXT = 2,
    LUN_DB_DOUBLE = 3,
    LUN_DB_INT = 4,
};

struct lun_db_value_;

/* A statement of SQL that is compiled once and run as often as one likes. Do not copy the struct.
 * Zeroed, it holds nothing. */
typedef struct lun_query {
    uint64_t id; /* as of lun_db */
    uint64_t db;
    int state;
    bool has_row;                 /* `row` is the current one */
    unsigned char *binds;         /* values that are not handed over yet */
    size_t bind_size, bind_space; /* bytes in use, and in all */
    unsigned char *row;
    size_t row_space;
    struct lun_db_value_ *values; /* of the row */
    size_t value_count, value_space;
} lun_query;

/* Compiles the first statement in `sql`. -LUN_EIO. */
int lun_db_prepare(const lun_db *db, lun_query *query, const char *sql);

/* Closes it, unless it holds nothing, frees its memory, and zeroes it. */
void lun_query_close(lun_query *query);

/* Give a value to a parameter: `index` is n for ?n, and counts from 1 for ?, or for :name in order
 * of appearance. What is bound is copied, and stays bound until it is bound anew. If the query was
 * running, it begins anew. A text of which the size is not given ends at its 0. A text is UTF-8:
 * what is not ends the process in lun_step, so check what strangers send, or bind it as a blob. */
void lun_bind_null(lun_query *query, int index);
void lun_bind_int(lun_query *query, int index, int64_t value);
void lun_bind_double(lun_query *query, int index, double value);
void lun_bind_text(lun_query *query, int index, const char *text);
void lun_bind_text_n(lun_query *query, int index, const char *text, size_t size);
void lun_bind_blob(lun_query *query, int index, const void *data, size_t size);

/* Runs the query up to its next row. 1: there is one, to be read by the functions below; 0: that
 * was all, and another step begins anew; -LUN_EIO: it failed, and another step begins anew. */
int lun_step(lun_query *query);

/* Ends the query before its last row, so that it holds no lock, and the next step begins anew. */
void lun_query_reset(lun_query *query);

/* The columns of the current row, counted from 0. What they return stays valid until the next call
 * of lun_step, lun_bind, lun_query_reset or lun_query_close. Numbers are converted into each other,
 * and 0 is what a NULL, a text or a blob is as a number. The text of what is no text is NULL, and
 * so are the bytes of a number; the text of a text ends with a 0, which is not part of *size.
 * `size` may be NULL. */
int lun_column_count(const lun_query *query);
enum lun_db_kind lun_column_kind(lun_query *query, int column);
int64_t lun_column_int(lun_query *query, int column);
double lun_column_double(lun_query *query, int column);
const char *lun_column_text(lun_query *query, int column, size_t *size);
const void *lun_column_blob(lun_query *query, int column, size_t *size); /* of a text, too */

#ifdef __cplusplus
}
#endif

#endif
