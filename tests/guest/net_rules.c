/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Network rules of a child: below its parent's, whatever it says itself, and asked for each call.
 */
// options: --deny-net 127.0.0.3 --deny-net listen=*:45671
// expect: parent: 1 0 1 1 0
// expect: nothing: 0 0 0 0 0
// expect: only 127.0.0.1: 1 0 0 1 0
// expect: only 127.0.0.1 with :: in front: 1 0 0 1 0
// expect: allows itself everything: 1 0 1 1 0
// expect: no listening: 1 0 1 0 0
// expect: no datagrams: 0 0 1 1 0
// expect: only a name: 0 0 0 0 0
// expect: localhost: 1 0 1 1 0
// expect: grandchild allows itself: 1 0 0 1 0
// expect: connecting to 127.0.0.1:9 is not permitted
// expect: listening at 127.0.0.1:45671 is not permitted
// expect: exchanging datagrams with [::1]:9 is not permitted
// expect: exchanging datagrams is not permitted
// expect: looking up example.com is not permitted
// expect: a socket that was handed over sends: no, receives what it may not: no
#include <lunatic.h>
#include <lunatic/host.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <string.h>

/* Whether the error of the call that failed is about permissions. */
static bool is_refused(int e)
{
    return e < 0 && strstr(lun_error_text(), "is not permitted") != NULL;
}

static bool may_send(const char *to)
{
    lun_address a;
    lun_udp u;
    int e;

    lun_address_parse(&a, to);
    e = lun_udp_bind(&u, a.family == 4 ? "0.0.0.0:0" : "[::]:0");
    if (e == 0) {
        e = lun_udp_send_to(&u, "x", 1, &a);
        lun_udp_close(&u);
    }
    return !is_refused(e);
}

static bool may_connect(const char *to)
{
    lun_stream s = {0};
    int e = lun_tcp_connect(&s, to, 20000); /* nobody is there: it fails in any case */

    lun_stream_close(&s);
    return !is_refused(e);
}

static bool may_listen(const char *at)
{
    lun_listener l = {0};
    int e = lun_tcp_listen(&l, at);

    if (e == 0)
        lun_listener_close(&l);
    return !is_refused(e);
}

/* What a process may: five answers. */
static void look(char *out)
{
    sprintf(out, "%d %d %d %d %d", may_send("127.0.0.1:9"), may_send("127.0.0.3:9"),
            may_connect("127.0.0.2:9"), may_listen("127.0.0.1:0"), may_listen("127.0.0.1:45671"));
}

__attribute__((export_name("child"))) void child(int64_t parent)
{
    char text[32];

    look(text);
    lun_send((lun_process)parent, 1, text, sizeof(text));
}

static uint64_t config_of(const char *allow, const char *deny)
{
    uint64_t id = lunatic_process_create_config();

    lunatic_process_config_set_can_spawn_processes(id, 1);
    lunatic_process_config_set_can_create_configs(id, 1);
    if (allow)
        lunatic_process_config_allow_network(id, LUN_ADDRESS(allow), (uint32_t)strlen(allow));
    if (deny)
        lunatic_process_config_deny_network(id, LUN_ADDRESS(deny), (uint32_t)strlen(deny));
    return id;
}

static void run(const char *entry, uint64_t config)
{
    uint64_t self = lun_self(), id;
    uint8_t params[17] = {0x7e};

    memcpy(params + 1, &self, 8);
    if (lunatic_process_spawn(0, config, LUN_OWN, LUN_ADDRESS(entry), (uint32_t)strlen(entry),
                              LUN_ADDRESS(params), 17, LUN_ADDRESS(&id)) != 0)
        puts("cannot spawn");
}

static void try_child(const char *what, const char *entry, uint64_t config)
{
    char text[32] = "nothing came";
    lun_message m;

    run(entry, config);
    lun_receive_tag(&m, 1, 60000);
    lun_read(text, sizeof(text));
    printf("%s: %s\n", what, text);
}

/* Has less than its parent, and gives its child everything. */
__attribute__((export_name("middle"))) void middle(int64_t parent)
{
    lun_message m;
    char text[32] = "";

    run("child", config_of("*", NULL));
    lun_receive_tag(&m, 1, 60000);
    lun_read(text, sizeof(text));
    lun_send((lun_process)parent, 1, text, sizeof(text));
}

/* Prints what is said about calls that are refused. */
__attribute__((export_name("words"))) void words(int64_t parent)
{
    lun_stream s = {0};
    lun_listener l = {0};
    lun_address a;
    lun_udp u = {0};

    lun_tcp_connect(&s, "127.0.0.1:9", 1000);
    puts(lun_error_text());
    lun_tcp_listen(&l, "127.0.0.1:45671");
    puts(lun_error_text());
    lun_address_parse(&a, "[::1]:9");
    lun_udp_bind(&u, "[::]:0");
    lun_udp_send_to(&u, "x", 1, &a);
    puts(lun_error_text());
    lun_send((lun_process)parent, 1, "", 0);
}

__attribute__((export_name("more_words"))) void more_words(int64_t parent)
{
    lun_address a;
    lun_udp u = {0};

    lun_udp_bind(&u, "127.0.0.1:0");
    puts(lun_error_text());
    lun_resolve("example.com:80", &a, 1, 1000);
    puts(lun_error_text());
    lun_send((lun_process)parent, 1, "", 0);
}

/* Was handed a socket that its parent may use and it may not. */
__attribute__((export_name("heir"))) void heir(int64_t parent)
{
    char data[16] = "untouched", answer[3] = {0};
    lun_address self;
    lun_message m;
    lun_udp u;

    lun_receive_tag(&m, 3, 60000);
    u = lun_take_udp();
    lun_udp_address(&u, &self);
    answer[0] = is_refused(lun_udp_send_to(&u, "x", 1, &self)) ? 'n' : 'y';
    lun_send((lun_process)parent, 1, answer, sizeof(answer));
    lun_udp_receive(&u, data, sizeof(data), &self); /* never ends */
    lun_send((lun_process)parent, 1, data, sizeof(data));
}

static void test_heir(void)
{
    lun_message m;
    lun_address self;
    lun_udp u, clone;
    uint64_t config = config_of(NULL, "datagram=127.0.0.1"), id;
    uint64_t me = lun_self();
    uint8_t params[17] = {0x7e};
    char answer[3] = "";

    lun_udp_bind(&u, "127.0.0.1:0");
    lun_udp_address(&u, &self);
    clone = lun_udp_clone(&u);
    memcpy(params + 1, &me, 8);
    lunatic_process_spawn(0, config, LUN_OWN, LUN_ADDRESS("heir"), 4, LUN_ADDRESS(params), 17,
                          LUN_ADDRESS(&id));
    lun_send_udp((lun_process)id, 3, &clone, NULL, 0);
    lun_receive_tag(&m, 1, 60000);
    lun_read(answer, sizeof(answer));
    for (int i = 0; i < 100; i++)
        lun_udp_send_to(&u, "secret", 6, &self);
    printf("a socket that was handed over sends: %s, receives what it may not: %s\n",
           answer[0] == 'n' ? "no" : "yes", lun_receive_tag(&m, 1, 100) == 0 ? "yes" : "no");
}

int main(void)
{
    char text[32];
    lun_message m;

    look(text);
    printf("parent: %s\n", text);
    try_child("nothing", "child", config_of(NULL, "*"));
    try_child("only 127.0.0.1", "child", config_of("127.0.0.1", NULL));
    try_child("only 127.0.0.1 with :: in front", "child", config_of("[::ffff:127.0.0.1]", NULL));
    try_child("allows itself everything", "child", config_of("*", NULL));
    try_child("no listening", "child", config_of(NULL, "listen=*"));
    try_child("no datagrams", "child", config_of(NULL, "datagram=*"));
    try_child("only a name", "child", config_of("example.com", NULL));
    try_child("localhost", "child", config_of("localhost", NULL));
    try_child("grandchild allows itself", "middle", config_of("127.0.0.1", NULL));
    fflush(stdout);
    run("words", config_of(NULL, "connect,datagram=*:9"));
    lun_receive_tag(&m, 1, 60000);
    run("more_words", config_of("connect=example.org", "datagram=*"));
    lun_receive_tag(&m, 1, 60000);
    test_heir();
    return 0;
}
