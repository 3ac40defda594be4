// SPDX-License-Identifier: Apache-2.0 OR MIT
// Files, directories and links through the C library, in a directory of its own below the current
// one.
//
// expect: created
// expect: 26 bytes, read back: abcdefghijklmnopqrstuvwxyz
// expect: at 10: klm
// expect: appended: abcdefghijklmnopqrstuvwxyz!
// expect: truncated to 3: abc
// expect: entries: 3
// expect: link -> file
// expect: errors: ok
// expect: outside: ok
// expect: large: ok
// expect: times: 1000000000
// expect: gone
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[32], path[64], other[64];

static const char *at(char *buffer, const char *name)
{
    snprintf(buffer, 64, "%s/%s", dir, name);
    return buffer;
}

static void die(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
}

static void check_large(void)
{
    static uint32_t words[1 << 18], back[1 << 18];
    FILE *f = fopen(at(path, "large"), "w+");

    for (uint32_t i = 0; i < 1 << 18; i++)
        words[i] = i * 2654435761u;
    if (!f)
        die("large");
    for (int i = 0; i < 3; i++)
        if (fwrite(words, sizeof(words), 1, f) != 1)
            die("fwrite");
    rewind(f);
    for (int i = 0; i < 3; i++)
        if (fread(back, sizeof(back), 1, f) != 1 || memcmp(words, back, sizeof(back)) != 0)
            die("fread");
    fclose(f);
    unlink(at(path, "large"));
    puts("large: ok");
}

int main(void)
{
    char text[100];
    struct stat st;
    struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    unsigned random;
    int fd, count = 0;
    ssize_t n;
    DIR *d;

    getentropy(&random, sizeof(random));
    snprintf(dir, sizeof(dir), "wasi-files-%08x", random);
    if (mkdir(dir, 0777) != 0)
        die("mkdir");
    puts("created");

    fd = open(at(path, "file"), O_RDWR | O_CREAT | O_EXCL, 0666);
    if (fd < 0 || write(fd, "abcdefghijklmnopqrstuvwxyz", 26) != 26 || lseek(fd, 0, SEEK_SET) != 0)
        die("file");
    n = read(fd, text, sizeof(text));
    printf("%zd bytes, read back: %.*s\n", n, (int)n, text);
    n = pread(fd, text, 3, 10);
    printf("at 10: %.*s\n", (int)n, text);
    close(fd);

    fd = open(path, O_WRONLY | O_APPEND);
    if (write(fd, "!", 1) != 1)
        die("append");
    close(fd);
    fd = open(path, O_RDWR);
    n = read(fd, text, sizeof(text));
    printf("appended: %.*s\n", (int)n, text);
    if (ftruncate(fd, 3) != 0)
        die("ftruncate");
    n = pread(fd, text, sizeof(text), 0);
    printf("truncated to 3: %.*s\n", (int)n, text);
    close(fd);

    mkdir(at(path, "sub"), 0777);
    if (symlink("file", at(path, "link")) != 0)
        die("symlink");
    d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    printf("entries: %d\n", count);
    n = readlink(at(path, "link"), text, sizeof(text));
    printf("link -> %.*s\n", (int)n, text);

    puts(open(at(path, "none"), O_RDONLY) < 0 && errno == ENOENT &&
                 open(at(path, "file"), O_RDWR | O_CREAT | O_EXCL, 0666) < 0 && errno == EEXIST &&
                 rmdir(dir) < 0 && errno == ENOTEMPTY && open(at(path, "file/x"), O_RDONLY) < 0 &&
                 errno == ENOTDIR && stat(at(path, "link"), &st) == 0 && S_ISREG(st.st_mode) &&
                 lstat(path, &st) == 0 && S_ISLNK(st.st_mode)
             ? "errors: ok"
             : "errors: wrong");
    symlink("../..", at(path, "up"));
    puts(open(at(path, "up/x"), O_RDONLY) < 0 && errno == EPERM && open("../x", O_RDONLY) < 0 &&
                 open("/etc/passwd", O_RDONLY) < 0 && symlink("/etc", at(other, "etc")) < 0
             ? "outside: ok"
             : "outside: wrong");
    check_large();

    if (utimensat(AT_FDCWD, at(path, "file"), times, 0) != 0 || stat(path, &st) != 0)
        die("utimensat");
    printf("times: %lld\n", (long long)st.st_mtim.tv_sec);

    if (rename(at(path, "file"), at(other, "sub/moved")) != 0 || unlink(other) != 0 ||
        unlink(at(path, "link")) != 0 || unlink(at(path, "up")) != 0 ||
        rmdir(at(path, "sub")) != 0 || rmdir(dir) != 0)
        die("removal");
    puts(stat(dir, &st) < 0 && errno == ENOENT ? "gone" : "still there");
    return 0;
}
