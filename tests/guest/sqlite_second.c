// SPDX-License-Identifier: Apache-2.0 OR MIT
// What the Rust library does: it wants no id, and uses connection 0.
// expect: first
// expect: still the first
// error: has opened '', but goes on
#include <lunatic/host.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static uint32_t execute(const char *sql)
{
    return lunatic_sqlite_execute(0, LUN_ADDRESS(sql), (uint32_t)strlen(sql));
}

static bool open_without_id(const char *path)
{
    return lunatic_sqlite_open(LUN_ADDRESS(path), (uint32_t)strlen(path), 0) == 0;
}

int main(void)
{
    if (open_without_id(":memory:") && execute("CREATE TABLE t (a)") == 0)
        puts("first");
    if (open_without_id("") && execute("INSERT INTO t VALUES (\"text\")") == 0)
        puts("still the first");
    return 0;
}
