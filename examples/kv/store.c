/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The process that has the database. It takes all requests that have come, answers those that only
 * read, writes the others in one transaction, and answers them when that is safe on the disk: the
 * more clients, the more of them share the cost of being durable. */
#include "kv.h"
#include <lunatic/metrics.h>
#include <lunatic/sqlite.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 500

static lun_db db;
static lun_query get, set, delete, count, keys;

/* A request to write, until its batch is done. */
static struct write {
    struct request request;
    char *bytes; /* key and value */
    struct answer answer;
} batch[BATCH_MAX];

static size_t batch_size;

static void reply(const struct request *q, const struct answer *a, const void *bytes)
{
    static char message[sizeof *a + VALUE_MAX];

    memcpy(message, a, sizeof *a);
    if (a->size > 0)
        memcpy(message + sizeof *a, bytes, a->size);
    lun_send(q->from, q->tag, message, sizeof *a + a->size);
}

static void reply_failure(const struct request *q)
{
    struct answer a = {FAILED, (uint32_t)strlen(lun_error_text()), 0};

    reply(q, &a, lun_error_text());
}

static bool open_database(const char *path)
{
    return lun_db_open(&db, path) == 0 &&
           lun_db_execute(&db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                               "CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value BLOB)"
                               " WITHOUT ROWID") == 0 &&
           lun_db_prepare(&db, &get, "SELECT value FROM pairs WHERE key = ?1") == 0 &&
           lun_db_prepare(&db, &set, "INSERT OR REPLACE INTO pairs VALUES (?1, ?2)") == 0 &&
           lun_db_prepare(&db, &delete, "DELETE FROM pairs WHERE key = ?1") == 0 &&
           lun_db_prepare(&db, &count, "SELECT count(*) FROM pairs") == 0 &&
           lun_db_prepare(&db, &keys,
                          "SELECT key FROM pairs WHERE key > ?1 ORDER BY key LIMIT ?2") == 0;
}

/* ---- Reading ---- */

static void read_value(const struct request *q, const char *key)
{
    struct answer a = {NONE, 0, 0};
    const void *value = NULL;
    size_t size = 0;
    int row;

    lun_bind_text_n(&get, 1, key, q->key_size);
    row = lun_step(&get);
    if (row < 0) {
        reply_failure(q);
        return;
    }
    if (row == 1) {
        value = lun_column_blob(&get, 0, &size);
        a.status = DONE;
        a.size = (uint32_t)(size < VALUE_MAX ? size : VALUE_MAX);
    }
    reply(q, &a, value);
    lun_query_reset(&get);
}

static void read_count(const struct request *q)
{
    struct answer a = {DONE, 0, 0};

    if (lun_step(&count) != 1) {
        reply_failure(q);
        return;
    }
    a.number = lun_column_int(&count, 0);
    lun_query_reset(&count);
    reply(q, &a, NULL);
}

static void read_keys(const struct request *q, const char *after)
{
    static char lines[KEYS_MAX * (KEY_MAX + 10)];
    struct answer a = {DONE, 0, 0};
    int row;

    lun_bind_text_n(&keys, 1, after, q->key_size);
    lun_bind_int(&keys, 2, KEYS_MAX);
    while ((row = lun_step(&keys)) == 1) {
        size_t size;
        const char *key = lun_column_text(&keys, 0, &size);

        if (!key || size > KEY_MAX)
            continue; /* somebody else has put it there */
        memcpy(lines + a.size, "KEY ", 4);
        memcpy(lines + a.size + 4, key, size);
        memcpy(lines + a.size + 4 + size, "\r\n", 2);
        a.size += (uint32_t)size + 6;
    }
    if (row < 0)
        reply_failure(q);
    else
        reply(q, &a, lines);
}

/* ---- Writing ---- */

static int write_one(struct write *w)
{
    const struct request *q = &w->request;
    lun_query *query = q->operation == SET ? &set : &delete;

    lun_bind_text_n(query, 1, w->bytes, q->key_size);
    if (q->operation == SET)
        lun_bind_blob(query, 2, w->bytes + q->key_size, q->value_size);
    if (lun_step(query) != 0)
        return -1;
    if (q->operation == DELETE && lun_db_changes(&db) == 0)
        w->answer.status = NONE;
    return 0;
}

static void write_batch(void)
{
    int failed = lun_db_execute(&db, "BEGIN IMMEDIATE");
    size_t i;

    for (i = 0; i < batch_size && failed == 0; i++)
        failed = write_one(&batch[i]);
    if (failed == 0)
        failed = lun_db_execute(&db, "COMMIT");
    if (failed != 0) {
        char words[200];

        strncpy(words, lun_error_text(), sizeof words - 1);
        words[sizeof words - 1] = '\0';
        lun_db_execute(&db, "ROLLBACK"); /* which fails if SQLite has done so */
        for (i = 0; i < batch_size; i++) {
            batch[i].answer.status = FAILED;
            batch[i].answer.size = (uint32_t)strlen(words);
            reply(&batch[i].request, &batch[i].answer, words);
            free(batch[i].bytes);
        }
    } else {
        for (i = 0; i < batch_size; i++) {
            reply(&batch[i].request, &batch[i].answer, NULL);
            free(batch[i].bytes);
        }
        lun_histogram_record("kv_batch_writes", (double)batch_size);
    }
    batch_size = 0;
}

/* Answers the request in the current message, or puts it into the batch. */
static void take_request(void)
{
    static char key[KEY_MAX];
    struct request q;

    if (lun_read(&q, sizeof q) != sizeof q || q.key_size > KEY_MAX || q.value_size > VALUE_MAX)
        return;
    lun_counter_add("kv_requests", 1);
    if (q.operation == SET || q.operation == DELETE) {
        struct write *w = &batch[batch_size];

        w->request = q;
        memset(&w->answer, 0, sizeof w->answer);
        w->bytes = malloc(q.key_size + q.value_size + 1);
        if (!w->bytes)
            abort();
        if (lun_read(w->bytes, q.key_size + q.value_size) == q.key_size + q.value_size)
            batch_size++;
        else
            free(w->bytes);
        return;
    }
    if (lun_read(key, q.key_size) != q.key_size)
        return;
    if (q.operation == GET)
        read_value(&q, key);
    else if (q.operation == COUNT)
        read_count(&q);
    else
        read_keys(&q, key);
}

void run_store(const struct store *s)
{
    struct request ready = {.from = s->parent, .tag = READY};
    struct answer well = {DONE, 0, 0};
    lun_message message;

    if (!open_database(s->path)) {
        reply_failure(&ready);
        return;
    }
    reply(&ready, &well, NULL);
    for (;;) {
        if (lun_receive(&message, batch_size > 0 ? 0 : LUN_FOREVER) == 0 &&
            message.kind == LUN_DATA)
            take_request();
        else if (batch_size > 0)
            write_batch();
        if (batch_size == BATCH_MAX)
            write_batch();
    }
}
