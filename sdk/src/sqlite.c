/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library behind <lunatic/sqlite.h>.
 *
 * Values to bind are collected, in the form that the host takes, and handed over with the next
 * step: one call for all of them. A row is fetched whole when its first column is read. */
#include "internal.h"
#include <lunatic/host.h>
#include <lunatic/sqlite.h>
#include <stdlib.h>
#include <string.h>

#define ID(x)          ((x)->id - 1) /* as the host knows it: no id if it holds nothing */
#define KEY_INDEX      1             /* in a list of values to bind */
#define COUNT_SIZE     8             /* at the beginning of such a list, and of a row */
#define KIND_SIZE      4
#define WORDS_MAX      256
#define BIND_INT64     5
#define BYTES_KINDS(k) ((k) == LUN_DB_BLOB || (k) == LUN_DB_TEXT)

enum { STATE_FRESH = 0, STATE_ROW, STATE_DONE };
enum { RESULT_ROW = 100, RESULT_DONE = 101 };

struct lun_db_value_ {
    enum lun_db_kind kind;
    size_t size; /* of a text or a blob */
    union {
        int64_t integer;
        double real;
        char *bytes;
    } is;
};

static int code;

int lun_db_code(void)
{
    return code;
}

/* What a function of the connection has answered. */
static int failure(uint64_t db, uint32_t result)
{
    char words[WORDS_MAX];
    uint32_t size;

    code = (int)result;
    if (result == 0)
        return 0;
    size = lunatic_sqlite_error_text(db, LUN_ADDRESS(words), sizeof words - 1);
    words[size < sizeof words ? size : sizeof words - 1] = '\0';
    lun_set_error_(words);
    return -LUN_EIO;
}

/* ---- Connections ---- */

int lun_db_open(lun_db *db, const char *path)
{
    uint64_t id;

    code = 0;
    db->id = 0;
    if (lunatic_sqlite_open(LUN_ADDRESS(path), strlen(path), LUN_ADDRESS(&id)) != 0) {
        lun_keep_error_(id);
        return -LUN_EIO;
    }
    db->id = id + 1;
    return 0;
}

void lun_db_close(lun_db *db)
{
    if (db->id != 0)
        lunatic_sqlite_close(ID(db));
    db->id = 0;
}

int lun_db_execute(const lun_db *db, const char *sql)
{
    return failure(ID(db), lunatic_sqlite_execute(ID(db), LUN_ADDRESS(sql), strlen(sql)));
}

long lun_db_changes(const lun_db *db)
{
    return (long)lunatic_sqlite_sqlite3_changes(ID(db));
}

int64_t lun_db_last_id(const lun_db *db)
{
    return (int64_t)lunatic_sqlite_last_insert_rowid(ID(db));
}

/* ---- Queries ---- */

int lun_db_prepare(const lun_db *db, lun_query *query, const char *sql)
{
    uint64_t id;
    int failed;

    memset(query, 0, sizeof *query);
    failed = failure(
        ID(db), lunatic_sqlite_prepare(ID(db), LUN_ADDRESS(sql), strlen(sql), LUN_ADDRESS(&id)));
    if (failed != 0)
        return failed;
    query->id = id + 1;
    query->db = ID(db);
    return 0;
}

void lun_query_close(lun_query *query)
{
    if (query->id != 0)
        lunatic_sqlite_sqlite3_finalize(ID(query));
    free(query->binds);
    free(query->row);
    free(query->values);
    memset(query, 0, sizeof *query);
}

void lun_query_reset(lun_query *query)
{
    if (query->state != STATE_FRESH)
        lunatic_sqlite_statement_reset(ID(query));
    query->state = STATE_FRESH;
    query->has_row = false;
}

/* Room for `size` more bytes in the list of values. */
static unsigned char *grow_binds(lun_query *query, size_t size)
{
    unsigned char *at;

    if (query->bind_space - query->bind_size < size) {
        size_t space = 2 * (query->bind_size + size);

        query->binds = realloc(query->binds, space);
        if (!query->binds)
            abort();
        query->bind_space = space;
    }
    at = query->binds + query->bind_size;
    query->bind_size += size;
    return at;
}

/* Appends the key and the kind of a value, and `size` bytes. */
static void bind(lun_query *query, int index, uint32_t kind, const void *data, size_t size)
{
    uint64_t count = 0, number = (uint64_t)index;
    uint32_t key = KEY_INDEX;
    unsigned char *at;

    lun_query_reset(query);
    if (query->bind_size == 0)
        memset(grow_binds(query, COUNT_SIZE), 0, COUNT_SIZE);
    memcpy(&count, query->binds, COUNT_SIZE);
    count++;
    memcpy(query->binds, &count, COUNT_SIZE);
    at = grow_binds(query, sizeof key + sizeof number + sizeof kind + size);
    memcpy(at, &key, sizeof key);
    memcpy(at + sizeof key, &number, sizeof number);
    memcpy(at + sizeof key + sizeof number, &kind, sizeof kind);
    if (size > 0)
        memcpy(at + sizeof key + sizeof number + sizeof kind, data, size);
}

static void bind_bytes(lun_query *query, int index, uint32_t kind, const void *data, size_t size)
{
    uint64_t size_64 = size;

    bind(query, index, kind, &size_64, sizeof size_64);
    if (size > 0)
        memcpy(grow_binds(query, size), data, size);
}

void lun_bind_null(lun_query *query, int index)
{
    bind(query, index, LUN_DB_NULL, NULL, 0);
}

void lun_bind_int(lun_query *query, int index, int64_t value)
{
    bind(query, index, BIND_INT64, &value, sizeof value);
}

void lun_bind_double(lun_query *query, int index, double value)
{
    bind(query, index, LUN_DB_DOUBLE, &value, sizeof value);
}

void lun_bind_text(lun_query *query, int index, const char *text)
{
    bind_bytes(query, index, LUN_DB_TEXT, text, strlen(text));
}

void lun_bind_text_n(lun_query *query, int index, const char *text, size_t size)
{
    bind_bytes(query, index, LUN_DB_TEXT, text, size);
}

void lun_bind_blob(lun_query *query, int index, const void *data, size_t size)
{
    bind_bytes(query, index, LUN_DB_BLOB, data, size);
}

int lun_step(lun_query *query)
{
    uint32_t result;

    query->has_row = false;
    if (query->bind_size > 0)
        lunatic_sqlite_bind_value(ID(query), LUN_ADDRESS(query->binds), query->bind_size);
    query->bind_size = 0;
    result = lunatic_sqlite_step(ID(query));
    if (result == RESULT_ROW) {
        query->state = STATE_ROW;
        return 1;
    }
    query->state = result == RESULT_DONE ? STATE_DONE : STATE_FRESH;
    return result == RESULT_DONE ? 0 : failure(query->db, result);
}

/* ---- Rows ---- */

static uint64_t read_u64(const unsigned char *at)
{
    uint64_t n;

    memcpy(&n, at, sizeof n);
    return n;
}

/* Takes the row that lies in `query->row` apart. What the host sends has the right form. */
static void read_values(lun_query *query)
{
    size_t count = (size_t)read_u64(query->row), i;
    unsigned char *at = query->row + COUNT_SIZE;

    if (query->value_space < count) {
        free(query->values);
        query->values = lun_new_buffer_(count * sizeof *query->values);
        query->value_space = count;
    }
    for (i = 0; i < count; i++) {
        struct lun_db_value_ *v = &query->values[i];
        uint32_t kind;

        memcpy(&kind, at, sizeof kind);
        if (i > 0 && BYTES_KINDS(v[-1].kind))
            *at = '\0'; /* behind the bytes of the value before */
        at += KIND_SIZE;
        memset(v, 0, sizeof *v);
        v->kind = (enum lun_db_kind)kind;
        switch (v->kind) {
        case LUN_DB_BLOB:
        case LUN_DB_TEXT:
            v->size = (size_t)read_u64(at);
            v->is.bytes = (char *)at + sizeof(uint64_t);
            at += sizeof(uint64_t) + v->size;
            break;
        case LUN_DB_INT:
        case LUN_DB_DOUBLE:
            memcpy(&v->is, at, sizeof v->is);
            at += sizeof v->is;
            break;
        default:
            break;
        }
    }
    *at = '\0';
    query->value_count = count;
}

/* What a row may take; a text at its end gets a 0. */
static size_t row_room(const lun_query *query)
{
    return query->row_space ? query->row_space - 1 : 0;
}

static const struct lun_db_value_ *value(lun_query *query, int column)
{
    if (query->state != STATE_ROW)
        __builtin_trap(); /* there is no row */
    if (!query->has_row) {
        uint32_t size =
            lunatic_sqlite_copy_row(ID(query), LUN_ADDRESS(query->row), (uint32_t)row_room(query));

        if (size > row_room(query)) {
            free(query->row);
            query->row_space = 0;
            query->row = lun_new_buffer_((size_t)size + 1);
            query->row_space = (size_t)size + 1;
            lunatic_sqlite_copy_row(ID(query), LUN_ADDRESS(query->row), size);
        }
        read_values(query);
        query->has_row = true;
    }
    if (column < 0 || (size_t)column >= query->value_count)
        __builtin_trap(); /* no such column */
    return &query->values[column];
}

int lun_column_count(const lun_query *query)
{
    return (int)lunatic_sqlite_column_count(ID(query));
}

enum lun_db_kind lun_column_kind(lun_query *query, int column)
{
    return value(query, column)->kind;
}

int64_t lun_column_int(lun_query *query, int column)
{
    const struct lun_db_value_ *v = value(query, column);

    if (v->kind == LUN_DB_DOUBLE) {
        if (v->is.real >= -0x1p63 && v->is.real < 0x1p63)
            return (int64_t)v->is.real;
        return v->is.real < 0 ? INT64_MIN : v->is.real > 0 ? INT64_MAX : 0;
    }
    return v->kind == LUN_DB_INT ? v->is.integer : 0;
}

double lun_column_double(lun_query *query, int column)
{
    const struct lun_db_value_ *v = value(query, column);

    if (v->kind == LUN_DB_INT)
        return (double)v->is.integer;
    return v->kind == LUN_DB_DOUBLE ? v->is.real : 0;
}

const char *lun_column_text(lun_query *query, int column, size_t *size)
{
    const struct lun_db_value_ *v = value(query, column);

    if (size)
        *size = v->kind == LUN_DB_TEXT ? v->size : 0;
    return v->kind == LUN_DB_TEXT ? v->is.bytes : NULL;
}

const void *lun_column_blob(lun_query *query, int column, size_t *size)
{
    const struct lun_db_value_ *v = value(query, column);

    if (size)
        *size = BYTES_KINDS(v->kind) ? v->size : 0;
    return BYTES_KINDS(v->kind) ? v->is.bytes : NULL;
}
