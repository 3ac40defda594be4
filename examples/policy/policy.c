/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A program with plug-ins that it does not trust: each runs in a process with limits of its own,
 * which are never wider than those of the program (policy.toml). */
#include <errno.h>
#include <lunatic.h>
#include <lunatic/host.h>
#include <stdio.h>
#include <string.h>

#define PLUGIN(name) __attribute__((export_name(name)))

PLUGIN("behaves") void behaves(void)
{
    char line[64] = "";
    FILE *f = fopen("data/greeting.txt", "r");

    if (f && fgets(line, sizeof(line), f))
        printf("    it reads: %s", line);
}

PLUGIN("writes") void writes(void)
{
    FILE *f = fopen("data/greeting.txt", "w");

    printf("    it writes: %s\n", f ? "done" : strerror(errno));
}

PLUGIN("looks_around") void looks_around(void)
{
    FILE *f = fopen("policy.toml", "r");

    printf("    it opens policy.toml: %s\n", f ? "done" : strerror(errno));
}

PLUGIN("loops") void loops(void)
{
    for (volatile unsigned x = 0;; x++)
        ;
}

PLUGIN("hoards") void hoards(void)
{
    static char data[1000];

    for (;;) {
        lunatic_message_create_data(1, sizeof(data));
        lunatic_message_write_data(LUN_ADDRESS(data), sizeof(data));
        lunatic_message_send(lunatic_process_process_id());
    }
}

PLUGIN("multiplies") void multiplies(void)
{
    uint64_t id;

    lunatic_process_spawn(0, LUN_OWN, LUN_OWN, LUN_ADDRESS("multiplies"), 10, 0, 0,
                          LUN_ADDRESS(&id));
}

/* What a plug-in may do. */
static uint64_t plugin_config(void)
{
    static const char data[] = "data", rule[] = "connect=api.example.com:443";
    uint64_t c = lunatic_process_create_config();

    lunatic_process_config_set_max_memory(c, 8 << 20);
    lunatic_process_config_set_max_cpu(c, 200);
    lunatic_process_config_set_max_mailbox_size(c, 1 << 20);
    lunatic_process_config_set_max_descriptors(c, 16);
    lunatic_process_config_allow_network(c, LUN_ADDRESS(rule), sizeof(rule) - 1);
    lunatic_wasi_config_config_preopen_dir_read_only(c, LUN_ADDRESS(data), sizeof(data) - 1);
    return c;
}

int main(void)
{
    static const char *const plugins[] = {"behaves", "writes", "looks_around",
                                          "loops",   "hoards", "multiplies"};
    uint64_t config = plugin_config(), id;
    lun_message message;

    lun_die_with_links(false);
    for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++) {
        printf("%s\n", plugins[i]);
        fflush(stdout);
        if (lunatic_process_spawn(i + 1, config, LUN_OWN, LUN_ADDRESS(plugins[i]),
                                  (uint32_t)strlen(plugins[i]), 0, 0, LUN_ADDRESS(&id)) != LUN_OK)
            return 1;
        lun_monitor(id);
        if (lun_receive(&message, LUN_FOREVER) != 0)
            return 1;
        if (message.kind == LUN_LINK_DIED) {
            printf("    it failed\n");
            lun_receive(&message, LUN_FOREVER);
        }
    }
    return 0;
}
