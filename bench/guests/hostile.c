/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How long an unrelated process takes to answer beside one that is hostile: every millisecond a
 * client wakes and asks a server. hostile MODE [REQUESTS]; MODE is quiet, fork, flood, hog or leak.
 * What is hostile runs under limits, and is started again whenever they have ended it. Prints
 * percentiles in microseconds, from the moment at which the client wanted to wake to the answer. */
#include <fcntl.h>
#include <lunatic/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT(name) __attribute__((export_name(name), used))

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint64_t spawn(uint64_t config, uint64_t link, const char *name)
{
    uint64_t id = 0;

    return lunatic_process_spawn(link, config, LUN_OWN, LUN_ADDRESS(name), (uint32_t)strlen(name),
                                 0, 0, LUN_ADDRESS(&id)) == LUN_OK
               ? id
               : 0;
}

static void send_u64(uint64_t to, uint64_t value)
{
    lunatic_message_create_data(1, sizeof(value));
    lunatic_message_write_data(LUN_ADDRESS(&value), sizeof(value));
    lunatic_message_send(to);
}

static uint64_t receive_u64(void)
{
    uint64_t value = 0;

    lunatic_message_receive(0, 0, LUN_FOREVER);
    lunatic_message_read_data(LUN_ADDRESS(&value), sizeof(value));
    return value;
}

EXPORT("server") void server(void)
{
    for (;;) {
        uint64_t client = receive_u64();

        send_u64(client, client);
    }
}

EXPORT("fork") void fork_bomb(void)
{
    for (;;) {
        if (!spawn(LUN_OWN, 0, "fork"))
            lunatic_process_sleep_ms(1); /* full: it tries again, with all the others */
    }
}

EXPORT("victim") void victim(void)
{
    for (;;)
        lunatic_process_sleep_ms(1000000);
}

EXPORT("flood") void flood(void)
{
    static char data[1000];
    uint64_t to = spawn(LUN_OWN, 0, "victim");

    while (lunatic_process_exists(to)) {
        lunatic_message_create_data(1, sizeof(data));
        lunatic_message_write_data(LUN_ADDRESS(data), sizeof(data));
        lunatic_message_send(to);
    }
}

EXPORT("hog") void hog(void)
{
    for (;;) {
        char *p = malloc(1 << 20);

        if (!p)
            __builtin_trap();
        memset(p, 1, 1 << 20);
    }
}

EXPORT("leak") void leak(void)
{
    while (open(".", O_RDONLY | O_DIRECTORY) >= 0)
        ;
    __builtin_trap();
}

/* Starts it again and again. */
EXPORT("supervisor") void supervisor(void)
{
    static char mode[16];
    uint64_t config = lunatic_process_create_config();

    lunatic_message_receive(0, 0, LUN_FOREVER);
    lunatic_message_read_data(LUN_ADDRESS(mode), sizeof(mode) - 1);
    lunatic_process_die_when_link_dies(0);
    lunatic_process_config_set_can_spawn_processes(config, 1);
    lunatic_process_config_set_max_processes(config, 1000);
    lunatic_process_config_set_max_memory(config, 64 << 20);
    lunatic_process_config_set_max_mailbox_size(config, 16 << 20);
    lunatic_process_config_set_max_descriptors(config, 256);
    lunatic_wasi_config_config_preopen_dir(config, LUN_ADDRESS("."), 1);
    for (;;) {
        uint64_t id = spawn(config, 1, mode);

        if (id) {
            lunatic_process_monitor(id);
            while (lunatic_message_receive(0, 0, LUN_FOREVER) != LUN_MESSAGE_PROCESS_DIED)
                ;
        } else {
            lunatic_process_sleep_ms(1);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "quiet";
    int requests = argc > 2 ? atoi(argv[2]) : 3000;
    uint64_t *took = malloc((size_t)requests * sizeof(*took)), peer = spawn(LUN_OWN, 0, "server");

    if (strcmp(mode, "quiet") != 0) {
        uint64_t id = spawn(LUN_OWN, 0, "supervisor");

        lunatic_message_create_data(1, 0);
        lunatic_message_write_data(LUN_ADDRESS(mode), (uint32_t)strlen(mode));
        lunatic_message_send(id);
        lunatic_process_sleep_ms(200);
    }
    for (int i = 0; i < requests; i++) {
        uint64_t start = now_ns();

        lunatic_process_sleep_ms(1);
        send_u64(peer, lunatic_process_process_id());
        receive_u64();
        took[i] = now_ns() - start - 1000000;
    }
    qsort(took, (size_t)requests, sizeof(*took), compare);
    printf("%s_p50_us %.1f\n%s_p99_us %.1f\n", mode, (double)took[requests / 2] / 1e3, mode,
           (double)took[requests * 99 / 100] / 1e3);
    return 0;
}
