/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::sqlite byte for byte: lists of values in, values, rows, names and errors out. */
// expect: ids: 0 0 1
// expect: codes: 0 1 1 19
// expect: value: 02000000050000000000000048656c6c6f
// expect: row: 0500000000000000000000000100000002000000000000000102020000000500
// expect: more: 00000000000048656c6c6f03000000000000000000f83f040000000500000000000000
// expect: names: 020000000000000001000000000000006102000000000000006263
// expect: name: 6162
// expect: no row: 010000000000000000000000
// expect: error: 010100000001080000000000000062616420776f7264
// expect: bound: 00000000 010000000200000000000000 0102 ffffffff -1 1.5 x
// expect: nul: 020000000300000000000000610062
// expect: repaired: 02000000050000000000000061efbfbd62
// expect: tail: aa
// expect: empty: 0 columns
// expect: changes: 2, rowid 2
// expect: closed: trap
// expect: unknown: trap trap trap trap
// expect: lists: trap trap trap trap trap trap trap trap
// expect: column: trap trap
// expect: step: 19, then 101
// expect: done
#include <lunatic/host.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t given[256];

__attribute__((export_name("lunatic_alloc"))) uint8_t *lunatic_alloc(uint32_t size)
{
    if (size > sizeof(given))
        abort();
    return given;
}

/* ---- what traps ---- */

static void (*attempt)(uint64_t);

__attribute__((export_name("_lunatic_catch_trap"))) uint32_t catch_trap(uint32_t function,
                                                                        uint32_t pointer)
{
    (void)function;
    attempt(*(uint64_t *)(uintptr_t)pointer);
    return 1;
}

static const char *traps(void (*what)(uint64_t), uint64_t argument)
{
    attempt = what;
    return lunatic_trap_catch(0, LUN_ADDRESS(&argument)) == 1 ? "fine" : "trap";
}

/* ---- */

static uint64_t db;

static uint32_t run(const char *sql)
{
    return lunatic_sqlite_execute(db, LUN_ADDRESS(sql), (uint32_t)strlen(sql));
}

static uint64_t prepare(const char *sql)
{
    return lunatic_sqlite_query_prepare(db, LUN_ADDRESS(sql), (uint32_t)strlen(sql));
}

static void hex(const char *name, const uint8_t *bytes, uint32_t size)
{
    printf("%s: ", name);
    for (uint32_t i = 0; i < size; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static const uint8_t five[] = {
    5, 0, 0, 0, 0, 0,  0, 0, /* count */
    0, 0, 0, 0, 0, 0,  0, 0, /* none: NULL */
    2, 0, 0, 0, 2, 0,  0, 0, 0, 0, 0,    0,    ':', 'a', 1, 0, 0,    0,    2,    0,
    0, 0, 0, 0, 0, 0,  1, 2, 1, 0, 0,    0,    3,   0,   0, 0, 0,    0,    0,    0,
    3, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0xf8, 0x3f,                                         /* 1.5 */
    1, 0, 0, 0, 4, 0,  0, 0, 0, 0, 0,    0,    4,   0,   0, 0, 0xff, 0xff, 0xff, 0xff, /* i32 -1 */
    2, 0, 0, 0, 1, 0,  0, 0, 0, 0, 0,    0,    'b', 2,   0, 0, 0,    1,    0,    0,
    0, 0, 0, 0, 0, 'x'};

static void bind_cut(uint64_t size)
{
    uint64_t stmt = prepare("SELECT ?1, :a, ?3, ?4, @b");

    lunatic_sqlite_bind_value(stmt, LUN_ADDRESS(five), (uint32_t)size);
}

static void bind_bad(uint64_t which)
{
    uint8_t list[64] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};
    uint64_t stmt = prepare("SELECT ?1");

    if (which == 0)
        list[12] = 2; /* no such parameter */
    else if (which == 1)
        list[8] = 3; /* no such kind of key */
    else if (which == 2)
        list[20] = 6; /* no such kind of value */
    else if (which == 3) {
        list[20] = 2; /* text that is no text */
        list[24] = 1;
        list[32] = 0xff;
    } else if (which == 4) {
        lunatic_sqlite_sqlite3_step(stmt); /* being stepped through */
    }
    lunatic_sqlite_bind_value(stmt, LUN_ADDRESS(list), 33);
}

static void no_column(uint64_t name)
{
    uint64_t stmt = prepare("SELECT 1");
    uint32_t size;

    lunatic_sqlite_sqlite3_step(stmt);
    if (name)
        lunatic_sqlite_column_name(stmt, 1, LUN_ADDRESS(&size));
    else
        lunatic_sqlite_read_column(stmt, UINT32_MAX, LUN_ADDRESS(&size));
}

static void unknown(uint64_t which)
{
    if (which == 0)
        lunatic_sqlite_execute(77, 0, 0);
    else if (which == 1)
        lunatic_sqlite_sqlite3_step(1000);
    else if (which == 2)
        lunatic_sqlite_sqlite3_finalize(1000);
    else
        prepare("SELECT nothing FROM nowhere");
}

static void use(uint64_t id)
{
    lunatic_sqlite_execute(id, 0, 0);
}

int main(void)
{
    uint64_t stmt, second, text;
    uint8_t tail[8];
    uint32_t size, *cut = (uint32_t *)(void *)tail;

    lunatic_sqlite_open(LUN_ADDRESS(":memory:"), 8, LUN_ADDRESS(&db));
    printf("ids: %llu", (unsigned long long)db);
    stmt = prepare("SELECT 'Hello'");
    second = prepare("SELECT NULL, x'0102', 'Hello', 1.5, 5");
    printf(" %llu %llu\n", (unsigned long long)stmt, (unsigned long long)second);
    printf("codes: %u", run("CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE); SELECT * FROM t"));
    printf(" %u %u", run("SELECT a FROM nowhere"),
           lunatic_sqlite_execute(db, LUN_ADDRESS("a\0b"), 3));
    run("INSERT INTO t (b) VALUES (1), (2)");
    printf(" %u\n", run("INSERT INTO t (b) VALUES (1)"));

    /* Four bytes are written for a size, and no more. */
    memset(tail, 0xaa, sizeof(tail));
    lunatic_sqlite_sqlite3_step(stmt);
    lunatic_sqlite_read_column(stmt, 0, LUN_ADDRESS(cut));
    hex("value", given, *cut);
    lunatic_sqlite_sqlite3_step(second);
    lunatic_sqlite_read_row(second, LUN_ADDRESS(&size));
    hex("row", given, 32);
    hex("more", given + 32, size - 32);
    text = prepare("SELECT 1 AS a, 2 AS bc");
    lunatic_sqlite_column_names(text, LUN_ADDRESS(&size));
    hex("names", given, size);
    lunatic_sqlite_sqlite3_finalize(text);
    text = prepare("SELECT 1 AS ab");
    lunatic_sqlite_column_name(text, 0, LUN_ADDRESS(&size));
    hex("name", given, size);
    lunatic_sqlite_read_row(text, LUN_ADDRESS(&size));
    hex("no row", given, size);

    run("CREATE TRIGGER no BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'bad word'); END");
    run("DELETE FROM t");
    lunatic_sqlite_last_error(db, LUN_ADDRESS(&size));
    given[1] = given[1] == 19 ? 1 : 0; /* a constraint, by SQLite's count */
    hex("error", given, size);

    text = prepare("SELECT ?1, :a, ?3, ?4, @b");
    lunatic_sqlite_bind_value(text, LUN_ADDRESS(five), sizeof(five));
    lunatic_sqlite_sqlite3_step(text);
    {
        uint64_t integer;
        double number;

        lunatic_sqlite_read_column(text, 0, LUN_ADDRESS(&size));
        printf("bound: %02x%02x%02x%02x ", given[0], given[1], given[2], given[3]);
        lunatic_sqlite_read_column(text, 1, LUN_ADDRESS(&size));
        for (uint32_t i = 0; i < 12; i++)
            printf("%02x", given[i]);
        printf(" %02x%02x", given[12], given[13]);
        lunatic_sqlite_read_column(text, 3, LUN_ADDRESS(&size));
        memcpy(&integer, given + 4, 8);
        printf(" %x %lld", (unsigned)integer, (long long)integer);
        lunatic_sqlite_read_column(text, 2, LUN_ADDRESS(&size));
        memcpy(&number, given + 4, 8);
        printf(" %g", number);
        lunatic_sqlite_read_column(text, 4, LUN_ADDRESS(&size));
        printf(" %c\n", given[12]);
    }
    text = prepare("SELECT 'a' || char(0) || 'b', CAST(x'61ff62' AS TEXT)");
    lunatic_sqlite_sqlite3_step(text);
    lunatic_sqlite_read_column(text, 0, LUN_ADDRESS(&size));
    hex("nul", given, size);
    lunatic_sqlite_read_column(text, 1, LUN_ADDRESS(&size));
    hex("repaired", given, size);
    printf("tail: %02x\n", tail[4]);
    text = prepare(" -- nothing\n");
    printf("empty: %u columns\n", lunatic_sqlite_column_count(text));
    lunatic_sqlite_sqlite3_finalize(text);
    run("CREATE TABLE c (a); INSERT INTO c VALUES (1), (2)");
    printf("changes: %u, rowid %llu\n", lunatic_sqlite_sqlite3_changes(db),
           (unsigned long long)lunatic_sqlite_last_insert_rowid(db));
    {
        uint64_t other;

        lunatic_sqlite_open(LUN_ADDRESS(""), 0, LUN_ADDRESS(&other));
        lunatic_sqlite_execute(other, LUN_ADDRESS("CREATE TABLE t (a)"), 18);
        lunatic_sqlite_close(other);
        printf("closed: %s\n", traps(use, other));
    }
    printf("unknown:");
    for (uint64_t i = 0; i < 4; i++)
        printf(" %s", traps(unknown, i));
    printf("\nlists: %s %s %s", traps(bind_cut, 7), traps(bind_cut, 9),
           traps(bind_cut, sizeof(five) - 1));
    for (uint64_t i = 0; i < 5; i++)
        printf(" %s", traps(bind_bad, i));
    printf("\ncolumn: %s %s\n", traps(no_column, 0), traps(no_column, 1));
    lunatic_sqlite_prepare(db, LUN_ADDRESS("INSERT INTO t VALUES (?1, 9)"), 28, LUN_ADDRESS(&text));
    {
        uint8_t list[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0};

        lunatic_sqlite_bind_value(text, LUN_ADDRESS(list), sizeof(list));
        printf("step: %u", lunatic_sqlite_step(text));
        list[16] = 50;
        lunatic_sqlite_bind_value(text, LUN_ADDRESS(list), sizeof(list));
        printf(", then %u\n", lunatic_sqlite_step(text));
    }
    printf("done\n");
    return 0;
}
