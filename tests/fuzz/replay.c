/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* replay FOLDER: gives each file of a folder to the fuzz target that this is linked with, so that
 * what was found once is tried again in every build. An empty folder is an error: then nothing
 * would be tried. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    long size;
    bool ok = false;

    if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
        goto out;
    data = malloc((size_t)size + 1);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
        goto out;
    printf("%s\n", path);
    fflush(stdout); /* the last name printed is the one that failed */
    (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    ok = true;
out:
    if (!ok)
        perror(path);
    free(data);
    if (f)
        (void)fclose(f);
    return ok;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    char path[4096];
    int count = 0;
    bool ok = true;

    if (!folder) {
        fprintf(stderr, "usage: replay FOLDER\n");
        return 2;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        ok &= replay(path);
        count++;
    }
    closedir(folder);
    printf("%d inputs\n", count);
    return ok && count > 0 ? 0 : 1;
}
