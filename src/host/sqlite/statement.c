/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::sqlite: statements, and results in memory that the guest gives. */
#include "host/sqlite/internal.h"
#include "vm/activation.h"
#include "vm/program.h"

#define UNKNOWN            "unknown statement id, or its connection is closed"
#define UNKNOWN_CONNECTION "unknown connection id"
#define NO_COLUMN          "there is no such column"

/* What has been stepped through to its end, or not begun, can be left without input or output. */
static bool is_at_rest(const struct statement *st)
{
    return !st->stmt || !sqlite3_stmt_busy(st->stmt);
}

/* ---- prepare ---- */

static void release(struct resource *r)
{
    struct statement *st = CONTAINER_OF(r, struct statement, resource);

    /* What SQLite keeps for it goes with the connection, on another thread. */
    resource_unref(&st->database->resource);
    mem_free(st);
}

static void work_prepare(struct sqlite_call *c)
{
    struct database *db = CONTAINER_OF(c, struct database, call);

    db->is_heavy = false;
    c->code = sqlite3_prepare_v2(db->db, c->text, -1, &c->prepared, NULL);
    c->is_heavy = db->is_heavy;
}

/* Puts what has been prepared into the table. */
static bool add_statement(struct guest *g, struct database *db, sqlite3_stmt *stmt, bool is_heavy,
                          uint64_t *id)
{
    struct statement *st = mem_try(struct statement);

    if (st) {
        resource_init(&st->resource, RESOURCE_SQLITE_STATEMENT, release);
        st->database = (struct database *)resource_ref(&db->resource);
        st->stmt = stmt;
        st->is_heavy = is_heavy;
        if (resource_add(g->process, &st->resource, id))
            return true;
        resource_unref(&st->resource);
    }
    sqlite3_finalize(stmt); /* it has not been stepped */
    return false;
}

/* OUTCOME_DONE with the code, the id in *id if that is SQLITE_OK; or a park or trap to return. */
static struct outcome prepare(struct guest *g, const char *function, uint64_t connection,
                              uint32_t sql, uint32_t sql_size, struct database **db, uint64_t *id)
{
    bool parked;
    struct sqlite_call *c = call_again(g, &parked);
    struct slice text;
    sqlite3_stmt *stmt;
    bool is_heavy;
    int code;

    if (parked)
        return guest_park();
    *db = database_get(g, connection);
    if (!*db)
        return guest_trap_in(g, function, UNKNOWN_CONNECTION);
    if (!c) {
        if (!guest_string(g, sql, sql_size, &text))
            return guest_trap_in(g, function,
                                 "a string leaves the memory, is not UTF-8, or exceeds 16 MiB");
        if (text.size && memchr(text.data, 0, text.size))
            return done(SQLITE_ERROR);
        c = &(*db)->call;
        if (!call_set_text(c, text))
            return done(SQLITE_NOMEM);
        if (!call_begin(g, *db, work_prepare, NULL, text.size > SQLITE_HERE_SQL_MAX))
            return guest_park();
    }
    code = c->code;
    stmt = c->prepared;
    is_heavy = c->is_heavy;
    call_end(g, c);
    if (code == SQLITE_OK && !add_statement(g, *db, stmt, is_heavy, id))
        code = SQLITE_NOMEM;
    return done((uint32_t)code & 0xff);
}

struct outcome host_sqlite_query_prepare(struct guest *g, uint64_t connection, uint32_t sql,
                                         uint32_t sql_size)
{
    struct database *db = NULL;
    uint64_t id = 0;
    struct outcome o = prepare(g, __func__, connection, sql, sql_size, &db, &id);

    if (o.kind != OUTCOME_DONE)
        return o;
    if (o.value != SQLITE_OK)
        return database_trap(g, db, __func__, (int)o.value);
    return done(id);
}

struct outcome host_sqlite_prepare(struct guest *g, uint64_t connection, uint32_t sql,
                                   uint32_t sql_size, uint32_t id_out)
{
    struct database *db;
    uint64_t id = 0;
    struct outcome o;

    if (!guest_range(g, id_out, sizeof(uint64_t)))
        return guest_trap_range(g);
    o = prepare(g, __func__, connection, sql, sql_size, &db, &id);
    if (o.kind == OUTCOME_DONE && o.value == SQLITE_OK)
        guest_write_u64(g, id_out, id);
    return o;
}

/* ---- binding ---- */

struct outcome host_sqlite_bind_value(struct guest *g, uint64_t statement, uint32_t data,
                                      uint32_t data_size)
{
    struct statement *st = statement_get(g, statement);
    struct database *before;
    const char *words = NULL;
    struct slice list;
    int code;
    bool ok;

    if (!st)
        return guest_trap(g, UNKNOWN);
    if (!guest_slice(g, data, data_size, &list))
        return guest_trap_range(g);
    before = sqlite_set_current(st->database);
    ok = sqlite_bind_list(st->stmt, list, &words, &code);
    sqlite_set_current(before);
    if (ok)
        return done(0);
    return words ? guest_trap(g, words) : database_trap(g, st->database, __func__, code);
}

struct outcome host_sqlite_clear_bindings(struct guest *g, uint64_t statement)
{
    struct statement *st = statement_get(g, statement);

    if (!st)
        return guest_trap(g, UNKNOWN);
    if (!is_at_rest(st))
        return guest_trap(g, "the statement is being stepped through: reset it first");
    if (st->stmt)
        sqlite3_clear_bindings(st->stmt);
    return done(0);
}

/* ---- stepping ---- */

static void work_step(struct sqlite_call *c)
{
    c->code = sqlite3_step(c->statement->stmt);
}

static void work_step_and_reset(struct sqlite_call *c)
{
    c->code = sqlite3_step(c->statement->stmt);
    if (c->code != SQLITE_ROW && c->code != SQLITE_DONE)
        sqlite3_reset(c->statement->stmt);
}

static struct outcome step(struct guest *g, const char *function, uint64_t statement,
                           void (*work)(struct sqlite_call *c), struct statement **st)
{
    bool parked;
    struct sqlite_call *c = call_again(g, &parked);
    int code;

    if (parked)
        return guest_park();
    *st = statement_get(g, statement);
    if (!*st)
        return guest_trap_in(g, function, UNKNOWN);
    if (!c) {
        if (!(*st)->stmt)
            return done(SQLITE_MISUSE);
        c = &(*st)->database->call;
        if (!call_begin(g, (*st)->database, work, *st, (*st)->is_heavy))
            return guest_park();
    }
    code = c->code;
    call_end(g, c);
    /* Sorting is one step of SQLite's machine, however much there is to sort. */
    if (!(*st)->is_heavy && sqlite3_stmt_status((*st)->stmt, SQLITE_STMTSTATUS_SORT, 0) > 0)
        (*st)->is_heavy = true;
    return done((uint32_t)code & 0xff);
}

struct outcome host_sqlite_sqlite3_step(struct guest *g, uint64_t statement)
{
    struct statement *st;
    struct outcome o = step(g, __func__, statement, work_step, &st);

    if (o.kind != OUTCOME_DONE || o.value == SQLITE_ROW || o.value == SQLITE_DONE)
        return o;
    return database_trap(g, st->database, __func__, (int)o.value);
}

struct outcome host_sqlite_step(struct guest *g, uint64_t statement)
{
    struct statement *st;

    return step(g, __func__, statement, work_step_and_reset, &st);
}

static void work_reset(struct sqlite_call *c)
{
    c->code = sqlite3_reset(c->statement->stmt);
}

static void work_finalize(struct sqlite_call *c)
{
    sqlite3_finalize(c->statement->stmt);
    c->statement->stmt = NULL;
}

/* Runs `work`, which ends what has been begun, where it may block if it may. */
static struct outcome end(struct guest *g, const char *function, uint64_t statement,
                          void (*work)(struct sqlite_call *c), struct statement **st)
{
    bool parked;
    struct sqlite_call *c = call_again(g, &parked);
    struct sqlite_call direct = {0};
    struct database *before;
    int code;

    if (parked)
        return guest_park();
    *st = statement_get(g, statement);
    if (!*st)
        return guest_trap_in(g, function, UNKNOWN);
    if (!c && is_at_rest(*st)) {
        direct.statement = *st;
        before = sqlite_set_current((*st)->database);
        work(&direct);
        sqlite_set_current(before);
        return done((uint32_t)direct.code & 0xff);
    }
    if (!c) {
        c = &(*st)->database->call;
        if (!call_begin(g, (*st)->database, work, *st, false))
            return guest_park();
    }
    code = c->code;
    call_end(g, c);
    return done((uint32_t)code & 0xff);
}

struct outcome host_sqlite_statement_reset(struct guest *g, uint64_t statement)
{
    struct statement *st;
    struct outcome o = end(g, __func__, statement, work_reset, &st);

    if (o.kind == OUTCOME_DONE && o.value != SQLITE_OK)
        return database_trap(g, st->database, __func__, (int)o.value);
    return o;
}

struct outcome host_sqlite_sqlite3_finalize(struct guest *g, uint64_t statement)
{
    struct statement *st;
    struct outcome o = end(g, __func__, statement, work_finalize, &st);

    if (o.kind != OUTCOME_DONE)
        return o;
    resource_unref(resource_take(g->process, RESOURCE_SQLITE_STATEMENT, statement));
    return done(0);
}

/* ---- results ---- */

/* What is given to the guest. */
struct gift {
    enum { GIFT_NAME, GIFT_NAMES, GIFT_VALUE, GIFT_ROW, GIFT_ERROR } kind;
    struct database *database;
    sqlite3_stmt *stmt;
    int column;
};

/* Its bytes, written to `at` unless that is NULL. Returns how many. */
static size_t put(const struct gift *gift, uint8_t *at)
{
    const char *name;
    size_t size;

    switch (gift->kind) {
    case GIFT_NAME:
        name = sqlite3_column_name(gift->stmt, gift->column);
        size = name ? strlen(name) : 0;
        if (at && size)
            memcpy(at, name, size);
        return size;
    case GIFT_NAMES:
        return sqlite_put_names(gift->stmt, at);
    case GIFT_VALUE:
        return sqlite_put_value(gift->stmt, gift->column, at);
    case GIFT_ROW:
        return sqlite_put_row(gift->stmt, at);
    case GIFT_ERROR:
        return sqlite_put_error(gift->database->db, at);
    }
    UNREACHABLE();
}

static size_t measure(const struct gift *gift, uint8_t *at)
{
    struct database *before = sqlite_set_current(gift->database);
    size_t size = put(gift, at);

    sqlite_set_current(before);
    return size;
}

/* Asks the guest for memory; called again with its address, fills it. The bytes are made twice
 * rather than kept. */
static struct outcome give(struct guest *g, const char *function, const struct gift *gift,
                           uint32_t size_out)
{
    struct fiber *f = g->instance->fiber;
    size_t size = measure(gift, NULL);
    const struct functype *type;
    const struct function *target;
    uint32_t address;
    uint8_t *at;

    if (f->answer.returned) {
        f->answer.returned = false;
        address = (uint32_t)f->answer.result;
        if (guest_wait(g)->value != size)
            return guest_trap_in(g, function, "lunatic_alloc changed what it gives memory for");
        wait_end(g->process);
        if (!guest_bytes(g, address, size, &at) || !guest_write_u32(g, size_out, (uint32_t)size))
            return guest_trap_in(g, function, "the memory from lunatic_alloc is none");
        measure(gift, at);
        return done(address);
    }
    if (!guest_range(g, size_out, sizeof(uint32_t)))
        return guest_trap_in(g, function, "a pointer leaves the memory");
    if (size > UINT32_MAX)
        return guest_trap_in(g, function, "the result exceeds 4 GiB");
    target = program_export(g->instance->program, slice_text("lunatic_alloc"));
    if (!target)
        return guest_trap_in(g, function, "the module has no export lunatic_alloc");
    type = program_function_type(g->instance->program, target);
    if (type->param_count != 1 || type->params[0] != VALTYPE_I32 || type->result_count != 1 ||
        type->results[0] != VALTYPE_I32)
        return guest_trap_in(g, function, "lunatic_alloc is not a function from i32 to i32");
    f->call.function = target;
    f->call.args[0] = size;
    f->call.arg_count = 1;
    f->call.catches = false;
    wait_begin(g->process, WAIT_SQLITE, DEADLINE_NEVER, NULL, NULL);
    guest_wait(g)->value = size;
    return (struct outcome){0, OUTCOME_CALL};
}

static struct outcome give_of_statement(struct guest *g, const char *function, uint64_t statement,
                                        struct gift gift, uint32_t column, bool has_column,
                                        uint32_t size_out)
{
    struct statement *st = statement_get(g, statement);

    if (!st)
        return guest_trap_in(g, function, UNKNOWN);
    if (has_column && column >= (uint32_t)sqlite3_column_count(st->stmt))
        return guest_trap_in(g, function, NO_COLUMN);
    gift.database = st->database;
    gift.stmt = st->stmt;
    gift.column = (int)column;
    return give(g, function, &gift, size_out);
}

struct outcome host_sqlite_column_count(struct guest *g, uint64_t statement)
{
    struct statement *st = statement_get(g, statement);

    return st ? done((uint32_t)sqlite3_column_count(st->stmt)) : guest_trap(g, UNKNOWN);
}

struct outcome host_sqlite_column_name(struct guest *g, uint64_t statement, uint32_t column,
                                       uint32_t size_out)
{
    return give_of_statement(g, __func__, statement, (struct gift){.kind = GIFT_NAME}, column, true,
                             size_out);
}

struct outcome host_sqlite_column_names(struct guest *g, uint64_t statement, uint32_t size_out)
{
    return give_of_statement(g, __func__, statement, (struct gift){.kind = GIFT_NAMES}, 0, false,
                             size_out);
}

struct outcome host_sqlite_read_column(struct guest *g, uint64_t statement, uint32_t column,
                                       uint32_t size_out)
{
    return give_of_statement(g, __func__, statement, (struct gift){.kind = GIFT_VALUE}, column,
                             true, size_out);
}

struct outcome host_sqlite_read_row(struct guest *g, uint64_t statement, uint32_t size_out)
{
    return give_of_statement(g, __func__, statement, (struct gift){.kind = GIFT_ROW}, 0, false,
                             size_out);
}

struct outcome host_sqlite_copy_row(struct guest *g, uint64_t statement, uint32_t out,
                                    uint32_t capacity)
{
    struct statement *st = statement_get(g, statement);
    struct gift gift = {.kind = GIFT_ROW};
    uint8_t *at;
    size_t size;

    if (!st)
        return guest_trap(g, UNKNOWN);
    if (!guest_bytes(g, out, capacity, &at))
        return guest_trap_range(g);
    gift.database = st->database;
    gift.stmt = st->stmt;
    size = measure(&gift, NULL);
    if (size > UINT32_MAX)
        return guest_trap(g, "the result exceeds 4 GiB");
    if (size <= capacity)
        measure(&gift, at);
    return done(size);
}

struct outcome host_sqlite_last_error(struct guest *g, uint64_t connection, uint32_t size_out)
{
    struct gift gift = {.kind = GIFT_ERROR, .database = database_get(g, connection)};

    if (!gift.database)
        return guest_trap(g, UNKNOWN_CONNECTION);
    if (sqlite3_errcode(gift.database->db) == SQLITE_OK)
        return guest_trap(g, "the last call on the connection has not failed");
    return give(g, __func__, &gift, size_out);
}
