/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/path.h"
#include "base/mem.h"
#include <string.h>

char *path_normal(struct slice path)
{
    char *out;
    size_t size = 0;

    if (path.size && memchr(path.data, 0, path.size))
        return NULL;
    out = mem_try_array(char, path.size + 2);
    if (!out)
        return NULL;
    if (path.size && path.data[0] == '/')
        out[size++] = '/';
    for (size_t i = 0; i < path.size;) {
        size_t start = i, length;

        while (i < path.size && path.data[i] != '/')
            i++;
        length = i++ - start;
        if (length == 0 || (length == 1 && path.data[start] == '.'))
            continue;
        if (length == 2 && path.data[start] == '.' && path.data[start + 1] == '.') {
            mem_free(out);
            return NULL;
        }
        if (size > 0 && out[size - 1] != '/')
            out[size++] = '/';
        memcpy(out + size, path.data + start, length);
        size += length;
    }
    if (size == 0)
        out[size++] = '.';
    out[size] = '\0';
    return out;
}

const char *path_below(const char *dir, const char *path)
{
    size_t size = strlen(dir);

    if (strcmp(dir, ".") == 0)
        return path[0] == '/' ? NULL : strcmp(path, ".") == 0 ? "" : path;
    if (strncmp(dir, path, size) != 0)
        return NULL;
    if (path[size] == '\0')
        return path + size;
    if (dir[size - 1] == '/') /* the root */
        return path + size;
    return path[size] == '/' ? path + size + 1 : NULL;
}
