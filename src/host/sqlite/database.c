/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Connections: what they are allowed, opening and closing. */
#include "base/mem.h"
#include "host/sqlite/internal.h"
#include "host/sqlite/sqlite.h"
#include "plat/thread.h"
#include <stdio.h>
#include <strings.h>

static struct mutex start_lock = MUTEX_INITIALIZER;
static bool has_started GUARDED_BY(start_lock);
static bool can_be_used GUARDED_BY(start_lock);
/* Paths are not read as URIs, which could name other ways to files than ours. Written once. */
static bool has_no_uris;

bool sqlite_start(void)
{
    bool ok;

    mutex_lock(&start_lock);
    if (!has_started) {
        has_started = true;
        has_no_uris = sqlite_memory_install() && sqlite3_config(SQLITE_CONFIG_URI, 0) == SQLITE_OK;
        can_be_used = sqlite3_initialize() == SQLITE_OK && sqlite_vfs_install();
    }
    ok = can_be_used;
    mutex_unlock(&start_lock);
    return ok;
}

/* ---- what statements may do ---- */

/* Functions whose time grows with the product of what they are given, inside of which nothing can
 * be left. */
static bool is_slow_function(const char *name)
{
    static const char *const slow[] = {"like",    "glob",       "match", "regexp", "instr",
                                       "replace", "randomblob", "trim",  "ltrim",  "rtrim"};

    for (size_t i = 0; i < ARRAY_COUNT(slow); i++) {
        if (strcasecmp(name, slow[i]) == 0)
            return true;
    }
    return false;
}

/* Settings of the whole program, which are not for one guest to change. */
static bool is_global_pragma(const char *name)
{
    static const char *const global[] = {"temp_store_directory", "data_store_directory",
                                         "hard_heap_limit", "soft_heap_limit", "threads"};

    for (size_t i = 0; i < ARRAY_COUNT(global); i++) {
        if (strcasecmp(name, global[i]) == 0)
            return true;
    }
    return false;
}

static int authorize(void *arg, int action, const char *first, const char *second,
                     const char *schema, const char *trigger)
{
    struct database *db = arg;

    (void)schema;
    (void)trigger;
    switch (action) {
    case SQLITE_ATTACH: /* the path itself is checked when the file is opened */
        db->is_heavy = true;
        if (!has_no_uris && (!first || strncasecmp(first, "file:", 5) == 0))
            return SQLITE_DENY;
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        /* Both take addresses of code. */
        if (strcasecmp(second, "load_extension") == 0 || strcasecmp(second, "fts3_tokenizer") == 0)
            return SQLITE_DENY;
        db->is_heavy |= is_slow_function(second);
        return SQLITE_OK;
    case SQLITE_PRAGMA:
        db->is_heavy = true;
        return second && is_global_pragma(first) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_CREATE_INDEX:
    case SQLITE_REINDEX:
    case SQLITE_ANALYZE:
    case SQLITE_ALTER_TABLE:
    case SQLITE_DROP_TABLE:
    case SQLITE_CREATE_VTABLE:
        db->is_heavy = true;
        return SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

static int look(void *arg)
{
    struct sqlite_call *c = arg;

    if (atomic_load_explicit(&c->is_unwanted, memory_order_relaxed))
        return 1;
    if (!c->is_away)
        call_look_at_clock();
    else if (c->cpu_max_ns != UINT64_MAX && clock_thread_cpu_ns() - c->away_ns > c->cpu_max_ns)
        return 1;
    return 0;
}

static void set_limits(sqlite3 *db)
{
    static const struct {
        int which, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, SQLITE_VALUE_SIZE_MAX},
        {SQLITE_LIMIT_SQL_LENGTH, SQL_SIZE_MAX},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, SQLITE_PATTERN_MAX},
        {SQLITE_LIMIT_VARIABLE_NUMBER, SQLITE_VARIABLES_MAX},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(limits); i++)
        sqlite3_limit(db, limits[i].which, limits[i].value);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Programs of the original write "text" for 'text', however our library was built. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 1, NULL);
}

/* ---- opening and closing ---- */

void database_work_open(struct sqlite_call *c)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    struct database *db = CONTAINER_OF(c, struct database, call);
    const char *path = db->path;

    if (!has_no_uris && strncasecmp(path, "file:", 5) == 0) {
        db->is_refused = true;
        c->code = SQLITE_CANTOPEN;
        return;
    }
    c->code = sqlite3_open_v2(path, &db->db, flags, SQLITE_VFS_NAME);
    if (c->code != SQLITE_OK)
        return;
    set_limits(db->db);
    sqlite3_busy_timeout(db->db, SQLITE_BUSY_MS);
    sqlite3_set_authorizer(db->db, authorize, db);
    sqlite3_progress_handler(db->db, SQLITE_LOOK_STEPS, look, c);
}

void database_work_close(struct sqlite_call *c)
{
    struct database *db = CONTAINER_OF(c, struct database, call);
    sqlite3_stmt *stmt;

    /* What is being stepped through and has changed something must not be committed by its end. */
    while ((stmt = sqlite3_next_stmt(db->db, NULL)))
        sqlite3_finalize(stmt);
    c->code = sqlite3_close(db->db);
    ASSERT(c->code == SQLITE_OK);
    db->db = NULL;
}

static void release(struct resource *r)
{
    call_close_alone(CONTAINER_OF(r, struct database, resource));
}

void database_free(struct database *db)
{
    if (!db)
        return;
    ASSERT(!db->db && !db->files);
    for (size_t i = 0; i < db->places.count; i++) {
        file_close(db->places.items[i]->fd);
        sqlite_descriptor_give(db->account);
        mem_free(db->places.items[i]->folder);
        mem_free(db->places.items[i]);
    }
    vec_deinit(&db->places);
    sqlite_account_unref(db->account);
    config_unref(db->config);
    mem_free(db->call.text);
    mem_free(db->path);
    mem_free(db);
}

/* The account of the process, made with its first connection. */
static struct sqlite_account *account_of(const struct guest *g)
{
    uint64_t id = 0;
    struct resource *r = resource_next(g->process, RESOURCE_SQLITE_DB, &id);

    if (!r)
        return sqlite_account_new(g->process->config->memory_max,
                                  g->process->config->descriptor_count_max);
    sqlite_account_ref(((struct database *)r)->account);
    return ((struct database *)r)->account;
}

struct database *database_new(struct guest *g, struct slice path)
{
    struct database *db = mem_try(struct database);

    if (!db)
        return NULL;
    resource_init(&db->resource, RESOURCE_SQLITE_DB, release);
    db->host = g->host;
    for (int i = 0; i < SQLITE_PAUSE_KINDS; i++)
        db->took_ns[i] = UINT64_MAX;
    db->config = config_ref(g->process->config);
    db->account = account_of(g);
    db->path = mem_try_array(char, path.size + 1);
    if (!db->account || !db->path) {
        database_free(db);
        return NULL;
    }
    if (path.size)
        memcpy(db->path, path.data, path.size);
    return db;
}

uint64_t sqlite_open_count(const struct process *p)
{
    uint64_t id = 0;
    const struct resource *r = resource_next(p, RESOURCE_SQLITE_DB, &id);
    const struct database *db = (const struct database *)r;

    return db ? atomic_load_explicit(&db->account->descriptors, memory_order_relaxed) : 0;
}

const char *sqlite_wait_words(const struct wait *w, char *text, size_t size)
{
    struct sqlite_call *c = w->object;

    if (!c)
        return "memory for a result";
    snprintf(text, size, "%s%s", c->job.run ? "" : "lock of ",
             CONTAINER_OF(c, struct database, call)->path);
    return text;
}

struct database *database_get(const struct guest *g, uint64_t id)
{
    struct database *db = (struct database *)resource_get(g->process, RESOURCE_SQLITE_DB, id);

    return db && db->db ? db : NULL;
}

struct statement *statement_get(const struct guest *g, uint64_t id)
{
    struct statement *st =
        (struct statement *)resource_get(g->process, RESOURCE_SQLITE_STATEMENT, id);

    return st && st->database->db ? st : NULL;
}

struct outcome database_trap(struct guest *g, struct database *db, const char *function, int code)
{
    const char *words =
        db->db && sqlite3_errcode(db->db) == code ? sqlite3_errmsg(db->db) : sqlite3_errstr(code);

    snprintf(db->words, sizeof(db->words), "%s (code %d)", words, code & 0xff);
    return guest_trap_in(g, function, db->words);
}
