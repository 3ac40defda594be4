/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Modules in text format, by way of the program wat2wasm. */
#include "plat/command.h"
#include "plat/file.h"
#include "runtime/internal.h"
#include <stdio.h>
#include <string.h>

bool wat_is_text(const char *path, const struct bytes *bytes)
{
    size_t length = strlen(path), at = 0;

    if (bytes->size >= 4 && memcmp(bytes->data, "\0asm", 4) == 0)
        return false;
    if (length > 4 && strcmp(path + length - 4, ".wat") == 0)
        return true;
    while (at < bytes->size && strchr(" \t\r\n", bytes->data[at]) && bytes->data[at])
        at++;
    return at < bytes->size && (bytes->data[at] == '(' || bytes->data[at] == ';');
}

bool wat_convert(const char *path, struct bytes *out, struct error *err)
{
    char temporary[256];
    const char *arguments[] = {"wat2wasm", "--debug-names", "-o", temporary, "--", path, NULL};
    struct bytes words = {.size_max = ERROR_TEXT_MAX};
    int status = 0;
    bool ok;

    if (!file_temporary(temporary, sizeof(temporary), err))
        return false;
    ok = command_run(arguments, &words, &status, err);
    if (!ok && err->code == ERR_NOT_FOUND)
        fail(err, ERR_NOT_FOUND,
             "%s is in text format, and the program wat2wasm is not installed (Debian: wabt)",
             path);
    if (ok && status != 0) {
        size_t end = 0;

        while (end < words.size && words.data[end] != '\n')
            end++;
        ok = fail(err, ERR_MALFORMED, "wat2wasm: %.*s", (int)end,
                  words.data ? (const char *)words.data : "");
    }
    ok = ok && file_read_all(temporary, MODULE_SIZE_MAX, out, err);
    file_remove(temporary);
    bytes_deinit(&words);
    return ok;
}
