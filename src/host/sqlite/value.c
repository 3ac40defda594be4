/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The bytes in which values go in and out: numbers little-endian and unaligned, a kind as u32,
 * sizes and counts as u64. */
#include "base/reader.h"
#include "host/sqlite/internal.h"

enum key_kind { KEY_NONE = 0, KEY_INDEX = 1, KEY_NAME = 2 };
enum value_kind { VALUE_NULL, VALUE_BLOB, VALUE_TEXT, VALUE_DOUBLE, VALUE_INT, VALUE_INT64 };

#define PARAMETER_SIZE_MAX 256u /* bytes of a parameter's name */

/* ---- in ---- */

struct pair {
    enum key_kind key;
    uint64_t index;
    struct slice name;
    enum value_kind kind;
    struct slice bytes;
    double number;
    int64_t integer;
};

/* A u64 size and so many bytes. */
static struct slice read_bytes(struct reader *r)
{
    uint64_t size = reader_u64_le(r);

    return reader_slice(r, size > SIZE_MAX ? SIZE_MAX : (size_t)size);
}

static bool read_pair(struct reader *r, struct pair *p)
{
    uint32_t key = reader_u32_le(r), kind;
    uint64_t bits;

    *p = (struct pair){.key = (enum key_kind)key};
    if (key > KEY_NAME)
        return false;
    if (key == KEY_INDEX)
        p->index = reader_u64_le(r);
    else if (key == KEY_NAME)
        p->name = read_bytes(r);
    kind = reader_u32_le(r);
    p->kind = (enum value_kind)kind;
    switch (kind) {
    case VALUE_NULL:
        break;
    case VALUE_BLOB:
    case VALUE_TEXT:
        p->bytes = read_bytes(r);
        break;
    case VALUE_DOUBLE:
        bits = reader_u64_le(r);
        memcpy(&p->number, &bits, sizeof(p->number));
        break;
    case VALUE_INT:
        p->integer = (int32_t)reader_u32_le(r);
        break;
    case VALUE_INT64:
        p->integer = (int64_t)reader_u64_le(r);
        break;
    default:
        return false;
    }
    return reader_ok(r) && slice_is_utf8(p->name) &&
           (kind != VALUE_TEXT || slice_is_utf8(p->bytes));
}

/* The number of the parameter with that name, with or without what SQL writes before it; 0: none.
 */
static int parameter_of(sqlite3_stmt *stmt, struct slice name)
{
    char text[PARAMETER_SIZE_MAX + 2];
    int index;

    if (name.size == 0 || name.size > PARAMETER_SIZE_MAX || memchr(name.data, 0, name.size))
        return 0;
    memcpy(text + 1, name.data, name.size);
    text[1 + name.size] = '\0';
    index = sqlite3_bind_parameter_index(stmt, text + 1);
    for (const char *sign = ":@$"; !index && *sign; sign++) {
        text[0] = *sign;
        index = sqlite3_bind_parameter_index(stmt, text);
    }
    return index;
}

static int bind(sqlite3_stmt *stmt, int index, const struct pair *p)
{
    /* A pointer even if there are no bytes: NULL would bind NULL. */
    const char *data = p->bytes.size ? (const char *)p->bytes.data : "";

    switch (p->kind) {
    case VALUE_NULL:
        return sqlite3_bind_null(stmt, index);
    case VALUE_BLOB:
        return sqlite3_bind_blob64(stmt, index, data, p->bytes.size, SQLITE_TRANSIENT);
    case VALUE_TEXT:
        return sqlite3_bind_text64(stmt, index, data, p->bytes.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    case VALUE_DOUBLE:
        return sqlite3_bind_double(stmt, index, p->number);
    case VALUE_INT:
    case VALUE_INT64:
        return sqlite3_bind_int64(stmt, index, p->integer);
    }
    UNREACHABLE();
}

bool sqlite_bind_list(sqlite3_stmt *stmt, struct slice list, const char **words, int *code)
{
    struct reader r;
    struct pair p;
    uint64_t count;

    /* All of it is looked at before anything is bound. */
    reader_init(&r, list);
    count = reader_u64_le(&r);
    *words = "the list of values is malformed";
    if (!reader_ok(&r))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!read_pair(&r, &p))
            return false;
    }
    reader_init(&r, list);
    count = reader_u64_le(&r);
    for (uint64_t i = 0; i < count; i++) {
        int index = 1;

        if (!read_pair(&r, &p))
            UNREACHABLE();
        if (p.key == KEY_INDEX)
            index = p.index <= SQLITE_VARIABLES_MAX ? (int)p.index : 0;
        else if (p.key == KEY_NAME)
            index = parameter_of(stmt, p.name);
        if (index == 0 || index > sqlite3_bind_parameter_count(stmt)) {
            *words = "the statement has no such parameter";
            return false;
        }
        *code = bind(stmt, index, &p);
        if (*code != SQLITE_OK) {
            *words = *code == SQLITE_MISUSE
                         ? "the statement is being stepped through: reset it first"
                         : NULL;
            return false;
        }
    }
    return true;
}

/* ---- out ---- */

/* Counts bytes, and writes them if there is somewhere to write to. */
struct writer {
    uint8_t *at;
    size_t size;
};

static void put_bytes(struct writer *w, const void *data, size_t size)
{
    if (w->at && size)
        memcpy(w->at + w->size, data, size);
    w->size += size;
}

static void put_u32(struct writer *w, uint32_t value)
{
    put_bytes(w, &value, sizeof(value));
}

static void put_u64(struct writer *w, uint64_t value)
{
    put_bytes(w, &value, sizeof(value));
}

/* How many bytes from `at` on, at least one, are one character, and whether it is well-formed;
 * else they are what is replaced by one U+FFFD: a beginning that some character has, or a byte. */
static size_t character(const uint8_t *at, const uint8_t *end, bool *is_good)
{
    uint8_t first = *at, low = 0x80, high = 0xbf;
    size_t more, n = 1;

    *is_good = first < 0x80;
    if (first < 0xc2 || first > 0xf4)
        return 1;
    more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    for (; n <= more; n++) {
        if (at + n == end || at[n] < low || at[n] > high)
            return n;
        low = 0x80;
        high = 0xbf;
    }
    *is_good = true;
    return n;
}

static void put_repaired(struct writer *w, struct slice text)
{
    const uint8_t *at = text.data, *end = text.data + text.size;

    while (at < end) {
        bool is_good;
        size_t size = character(at, end, &is_good);

        if (is_good)
            put_bytes(w, at, size);
        else
            put_bytes(w, "\xef\xbf\xbd", 3);
        at += size;
    }
}

/* A string: size and bytes. */
static void put_text(struct writer *w, struct slice text)
{
    struct writer counter = {0};

    if (slice_is_utf8(text)) {
        put_u64(w, text.size);
        put_bytes(w, text.data, text.size);
        return;
    }
    put_repaired(&counter, text);
    put_u64(w, counter.size);
    put_repaired(w, text);
}

static void put_value(struct writer *w, sqlite3_stmt *stmt, int column, bool has_row)
{
    double number;

    switch (has_row ? sqlite3_column_type(stmt, column) : SQLITE_NULL) {
    case SQLITE_BLOB: {
        const void *data = sqlite3_column_blob(stmt, column);
        int size = sqlite3_column_bytes(stmt, column);

        put_u32(w, VALUE_BLOB);
        put_u64(w, (uint64_t)size);
        put_bytes(w, data, (size_t)size);
        return;
    }
    case SQLITE_TEXT: {
        const unsigned char *data = sqlite3_column_text(stmt, column);
        size_t size = data ? (size_t)sqlite3_column_bytes(stmt, column) : 0;

        put_u32(w, VALUE_TEXT);
        put_text(w, slice_make(data, size));
        return;
    }
    case SQLITE_FLOAT:
        number = sqlite3_column_double(stmt, column);
        put_u32(w, VALUE_DOUBLE);
        put_bytes(w, &number, sizeof(number));
        return;
    case SQLITE_INTEGER:
        put_u32(w, VALUE_INT);
        put_u64(w, (uint64_t)sqlite3_column_int64(stmt, column));
        return;
    default:
        put_u32(w, VALUE_NULL);
        return;
    }
}

size_t sqlite_put_value(sqlite3_stmt *stmt, int column, uint8_t *at)
{
    struct writer w = {at, 0};

    put_value(&w, stmt, column, sqlite3_data_count(stmt) > 0);
    return w.size;
}

size_t sqlite_put_row(sqlite3_stmt *stmt, uint8_t *at)
{
    struct writer w = {at, 0};
    int count = sqlite3_column_count(stmt);
    bool has_row = sqlite3_data_count(stmt) > 0;

    put_u64(&w, (uint64_t)count);
    for (int i = 0; i < count; i++)
        put_value(&w, stmt, i, has_row);
    return w.size;
}

size_t sqlite_put_names(sqlite3_stmt *stmt, uint8_t *at)
{
    struct writer w = {at, 0};
    int count = sqlite3_column_count(stmt);

    put_u64(&w, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        const char *name = sqlite3_column_name(stmt, i);

        put_text(&w, slice_text(name ? name : ""));
    }
    return w.size;
}

/* Guests read the code as the number of a case: those of SQLite's codes are in their order. */
static uint32_t case_of(int code)
{
    code &= 0xff;
    return code == SQLITE_ROW ? 29 : code == SQLITE_DONE ? 30 : (uint32_t)code;
}

size_t sqlite_put_error(sqlite3 *db, uint8_t *at)
{
    struct writer w = {at, 0};
    const char *words = sqlite3_errmsg(db);

    put_bytes(&w, "\1", 1);
    put_u32(&w, case_of(sqlite3_errcode(db)));
    put_bytes(&w, "\1", 1);
    put_text(&w, slice_text(words ? words : ""));
    return w.size;
}
