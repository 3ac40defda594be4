/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Directories of children: below the parent's, and not out of them through links that somebody has
 * put there. */
// expect: inside: yes
// expect: not the parent's: no
// expect: link up: no
// expect: dots: no
// expect: absolute: no
// expect: read-only: read, rofs
// expect: swapped: no
// expect: done
#include <errno.h>
#include <fcntl.h>
#include <lunatic/host.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

static const char *at(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
    return path;
}

/* Told a directory, it answers: 0, it cannot read `secret` there, 1, it can, 2, and can change it,
 * 3, it is told that it cannot when it opens it. */
__attribute__((export_name("child"))) void child(int64_t parent)
{
    char dir[160] = "", path[200];
    uint8_t result = 0;
    int fd;

    lunatic_message_receive(0, 0, LUN_FOREVER);
    lunatic_message_read_data(LUN_ADDRESS(dir), sizeof(dir) - 1);
    snprintf(path, sizeof(path), "%s/secret", dir);
    if (open(path, O_RDONLY) >= 0)
        result = 1;
    fd = open(path, O_WRONLY | O_APPEND);
    if (fd >= 0 && write(fd, "x", 1) == 1)
        result = 2;
    else if (result == 1 && fd < 0 && errno == EROFS && open(path, O_RDWR) < 0 && errno == EROFS)
        result = 3; /* it is told when it opens it */
    lunatic_message_create_data(0, 1);
    lunatic_message_write_data(LUN_ADDRESS(&result), 1);
    lunatic_message_send((uint64_t)parent);
}

static int ask(const char *dir, bool read_only)
{
    uint64_t config = lunatic_process_create_config(), id;
    uint32_t size = (uint32_t)strlen(dir);
    uint8_t params[17] = {0x7e}, result;
    uint64_t self = lunatic_process_process_id();

    memcpy(params + 1, &self, sizeof(self));
    if (read_only)
        lunatic_wasi_config_config_preopen_dir_read_only(config, LUN_ADDRESS(dir), size);
    else
        lunatic_wasi_config_config_preopen_dir(config, LUN_ADDRESS(dir), size);
    if (lunatic_process_spawn(0, config, LUN_OWN, LUN_ADDRESS("child"), 5, LUN_ADDRESS(params),
                              sizeof(params), LUN_ADDRESS(&id)) != LUN_OK)
        abort();
    lunatic_message_create_data(0, size);
    lunatic_message_write_data(LUN_ADDRESS(dir), size);
    lunatic_message_send(id);
    lunatic_message_receive(0, 0, LUN_FOREVER);
    lunatic_message_read_data(LUN_ADDRESS(&result), 1);
    lunatic_process_drop_config(config);
    return result;
}

static void make(const char *dir, const char *text)
{
    FILE *f;
    char path[200];

    mkdir(dir, 0777);
    snprintf(path, sizeof(path), "%s/secret", dir);
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static const char *const answers[] = {"no", "read", "yes", "read, rofs"};

int main(void)
{
    unsigned seed;
    char command[64];

    if (getentropy(&seed, sizeof(seed)) != 0)
        abort();
    snprintf(top, sizeof(top), "permissions-%08x", seed);
    make(top, "top");
    make(at("in"), "in");
    make(at("in/deep"), "deep");
    make(at("out"), "out");
    /* A link is the guest's to make; that it leads out of what a child may have is not. */
    if (symlink("../out", at("in/link")) != 0 || symlink("..", at("in/up")) != 0)
        abort();

    printf("inside: %s\n", answers[ask(at("in/deep"), false)]);
    snprintf(command, sizeof(command), "../%s/../..", top);
    printf("not the parent's: %s\n", answers[ask("/permissions-none", false)]);
    printf("link up: %s\n", answers[ask(at("in/up/../.."), false)]);
    printf("dots: %s\n", answers[ask(command, false)]);
    printf("absolute: %s\n", answers[ask("/", false)]);
    printf("read-only: %s\n", answers[ask(at("in"), true)]);

    /* The directory that a child may have becomes a link before it opens anything. */
    rename(at("in/deep"), at("in/gone"));
    if (symlink("/", at("in/deep")) == 0 || symlink("../../../../../..", at("in/deep")) != 0)
        abort();
    printf("swapped: %s\n", answers[ask(at("in/deep"), false)]);

    unlink(at("in/deep"));
    unlink(at("in/link"));
    unlink(at("in/up"));
    unlink(at("in/gone/secret"));
    rmdir(at("in/gone"));
    unlink(at("in/secret"));
    rmdir(at("in"));
    unlink(at("out/secret"));
    rmdir(at("out"));
    unlink(at("secret"));
    puts(rmdir(top) == 0 ? "done" : strerror(errno));
    return 0;
}
