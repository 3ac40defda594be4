/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::sqlite: connections. Statements are in statement.c. */
#include "base/printable.h"
#include "host/net/internal.h"
#include "host/sqlite/internal.h"
#include "host/sqlite/sqlite.h"
#include "proc/output.h"
#include <inttypes.h>
#include <stdio.h>

#define UNKNOWN "unknown connection id"

/* ---- open ---- */

static struct outcome open_failed(struct guest *g, uint32_t id_out, const char *words)
{
    uint64_t id;

    guest_count(g, COUNT_ERRORS_OF(sqlite), 1);
    if (!guest_add_error(g, words, &id))
        return guest_trap(g, "no memory for an error, or too many objects are held");
    if (!guest_write_u64(g, id_out, id))
        return guest_trap_range(g);
    return done(1);
}

/* The crate does not look at ids: it asks for none, and uses number 0 whatever it has opened. */
static void warn_of_second(struct guest *g, const struct database *db)
{
    struct environment *e = g->process->environment;
    uint64_t id = process_id(g->process);
    struct bytes path = {0};

    if (output_wants_reports(e) &&
        printable_append(&path, slice_text(db->path), PRINTABLE_ONE_LINE))
        output_report(
            e, id, "sqlite",
            "Process %" PRIu64
            " has opened '%.*s', but goes on using the database that it opened first: the "
            "library knows one connection",
            id, (int)path.size, (const char *)path.data);
    bytes_deinit(&path);
}

static struct outcome opened(struct guest *g, struct database *db, uint32_t id_out)
{
    struct sqlite_call *c = &db->call;
    char words[SQLITE_WORDS_MAX + 64];
    uint64_t id;

    if (c->code == SQLITE_OK) {
        call_end(g, c);
        if (!resource_add(g->process, &db->resource, &id)) {
            resource_unref(&db->resource);
            return open_failed(g, id_out, "no memory, or too many objects are held");
        }
        guest_write_u64(g, id_out, id);
        if (UNLIKELY(id_out == 0 && id > 0))
            warn_of_second(g, db);
        return done(0);
    }
    if (db->is_refused)
        snprintf(words, sizeof(words), "Failed to access '%.*s'", SQLITE_WORDS_MAX, db->path);
    else
        snprintf(words, sizeof(words), "%s (code %d)",
                 db->db ? sqlite3_errmsg(db->db) : sqlite3_errstr(c->code), c->code & 0xff);
    call_end(g, c);
    resource_unref(&db->resource);
    return open_failed(g, id_out, words);
}

struct outcome host_sqlite_open(struct guest *g, uint32_t path, uint32_t path_size, uint32_t id_out)
{
    bool parked;
    struct sqlite_call *c = call_again(g, &parked);
    struct database *db;
    struct slice text;
    struct error err;

    if (parked)
        return guest_park();
    if (c)
        return opened(g, CONTAINER_OF(c, struct database, call), id_out);
    if (!guest_string(g, path, path_size, &text))
        return guest_trap_string(g);
    if (!guest_range(g, id_out, sizeof(uint64_t)))
        return guest_trap_range(g);
    if (text.size && memchr(text.data, 0, text.size))
        return open_failed(g, id_out, "a path must not contain a byte 0");
    if (text.size >= SQLITE_PATH_SIZE_MAX)
        return open_failed(g, id_out, "the path is too long");
    if (!net_has_room(g, &err))
        return open_failed(g, id_out, err.text);
    if (!sqlite_start())
        return open_failed(g, id_out, "this program uses SQLite in a way that leaves us no place");
    db = database_new(g, text);
    if (!db)
        return open_failed(g, id_out, "out of memory");
    return call_begin(g, db, database_work_open, NULL, false) ? opened(g, db, id_out)
                                                              : guest_park();
}

/* ---- close ---- */

struct outcome host_sqlite_close(struct guest *g, uint64_t connection)
{
    bool parked;
    struct sqlite_call *c = call_again(g, &parked);
    struct database *db;

    if (parked)
        return guest_park();
    if (!c) {
        db = database_get(g, connection);
        if (!db)
            return guest_trap(g, UNKNOWN);
        c = &db->call;
        if (!call_begin(g, db, database_work_close, NULL, false))
            return guest_park();
    }
    call_end(g, c);
    resource_unref(resource_take(g->process, RESOURCE_SQLITE_DB, connection));
    return done(0);
}

/* ---- execute ---- */

static void work_execute(struct sqlite_call *c)
{
    struct database *db = CONTAINER_OF(c, struct database, call);
    const char *rest = c->text;

    while (c->code == SQLITE_OK && *rest) {
        sqlite3_stmt *stmt;

        db->is_heavy = false;
        c->code = sqlite3_prepare_v2(db->db, rest, -1, &stmt, &rest);
        if (c->code != SQLITE_OK || !stmt)
            continue;
        if (db->is_heavy)
            call_leave_worker();
        while (sqlite3_step(stmt) == SQLITE_ROW)
            call_look_at_clock();
        c->code = sqlite3_finalize(stmt);
    }
}

struct outcome host_sqlite_execute(struct guest *g, uint64_t connection, uint32_t sql,
                                   uint32_t sql_size)
{
    bool parked;
    struct sqlite_call *c = call_again(g, &parked);
    struct database *db;
    struct slice text;
    int code;

    if (parked)
        return guest_park();
    if (!c) {
        db = database_get(g, connection);
        if (!db)
            return guest_trap(g, UNKNOWN);
        if (!guest_string(g, sql, sql_size, &text))
            return guest_trap_string(g);
        if (text.size && memchr(text.data, 0, text.size))
            return done(SQLITE_ERROR);
        c = &db->call;
        if (!call_set_text(c, text))
            return done(SQLITE_NOMEM);
        if (!call_begin(g, db, work_execute, NULL, text.size > SQLITE_HERE_SQL_MAX))
            return guest_park();
    }
    code = c->code;
    call_end(g, c);
    return done((uint32_t)code & 0xff);
}

/* ---- what is known at once ---- */

struct outcome host_sqlite_sqlite3_changes(struct guest *g, uint64_t connection)
{
    struct database *db = database_get(g, connection);

    return db ? done((uint32_t)sqlite3_changes(db->db)) : guest_trap(g, UNKNOWN);
}

struct outcome host_sqlite_last_insert_rowid(struct guest *g, uint64_t connection)
{
    struct database *db = database_get(g, connection);

    return db ? done((uint64_t)sqlite3_last_insert_rowid(db->db)) : guest_trap(g, UNKNOWN);
}

struct outcome host_sqlite_error_text(struct guest *g, uint64_t connection, uint32_t out,
                                      uint32_t capacity)
{
    struct database *db = database_get(g, connection);
    const char *words;
    uint8_t *at;
    size_t size;

    if (!db)
        return guest_trap(g, UNKNOWN);
    if (!guest_bytes(g, out, capacity, &at))
        return guest_trap_range(g);
    words = sqlite3_errmsg(db->db);
    size = strlen(words);
    if (capacity)
        memcpy(at, words, size < capacity ? size : capacity);
    return done(size);
}
