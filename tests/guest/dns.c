/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* resolve and address iterators as the import functions give them, without any name server. */
// expect: 1.2.3.4:80, then 1
// expect: [::1]:443 flow 0 scope 0, then 1
// expect: [fe80::2]:9 flow 0 scope 3, then 1
// expect: [::ffff:10.0.0.1]:65535
// expect: 10.0.0.1:0
// expect: localhost: yes, port 77 everywhere
// expect: invalid socket address
// expect: invalid port value
// expect: invalid port value
// expect: invalid port value
// expect: failed to lookup address information: Name or service not known
// expect: failed to lookup address information: Name or service not known
// expect: failed to lookup address information: Name or service not known
// expect: 9027: operation timed out
// expect: ids: 1 after 0
// expect: traps: 111111111
#include <lunatic.h>
#include <lunatic/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t type;
    uint8_t bytes[16];
    uint16_t port;
    uint32_t flow_info, scope_id;
} raw_address;

static uint32_t resolve_for(const char *name, uint64_t timeout_ms, uint64_t *id)
{
    return lunatic_networking_resolve(LUN_ADDRESS(name), (uint32_t)strlen(name), timeout_ms,
                                      LUN_ADDRESS(id));
}

static uint32_t next(uint64_t iterator, raw_address *a)
{
    memset(a, 0xee, sizeof(*a));
    return lunatic_networking_resolve_next(iterator, LUN_ADDRESS(&a->type), LUN_ADDRESS(a->bytes),
                                           LUN_ADDRESS(&a->port), LUN_ADDRESS(&a->flow_info),
                                           LUN_ADDRESS(&a->scope_id));
}

static void print_error(uint32_t code, uint64_t id)
{
    char text[200] = "";

    if (lunatic_error_string_size(id) < sizeof(text))
        lunatic_error_to_string(id, LUN_ADDRESS(text));
    lunatic_error_drop(id);
    if (code != 1)
        printf("%u: ", code);
    puts(text);
}

static void fails(const char *name, uint64_t timeout_ms)
{
    uint64_t id = 99;
    uint32_t code = resolve_for(name, timeout_ms, &id);

    if (code == 0)
        puts("it is fine");
    else
        print_error(code, id);
}

/* Prints the first address, with a timeout that leaves no time. */
static uint64_t first(const char *name, raw_address *a)
{
    uint64_t id = 99;

    if (resolve_for(name, 0, &id) != 0 || next(id, a) != 0)
        exit(1);
    return id;
}

/* ---- what traps ---- */

enum { END = -1 };

static uint64_t valid(void)
{
    uint64_t id;

    resolve_for("1.2.3.4:80", 0, &id);
    return id;
}

static void trap(const int *which)
{
    const uint32_t far = 0xfffffff0;
    uint64_t id;
    raw_address a;

    switch (*which) {
    case 0:
        lunatic_networking_resolve(far, 100, 0, LUN_ADDRESS(&id));
        break;
    case 1:
        lunatic_networking_resolve(LUN_ADDRESS("1.2.3.4:80"), 10, 0, far + 9);
        break;
    case 2:
        lunatic_networking_resolve(LUN_ADDRESS("\xff\xfe:80"), 5, 0, LUN_ADDRESS(&id));
        break;
    case 3:
        next(1000, &a);
        break;
    case 4:
        lunatic_networking_drop_dns_iterator(1000);
        break;
    case 5:
        id = valid();
        lunatic_networking_drop_dns_iterator(id);
        lunatic_networking_drop_dns_iterator(id);
        break;
    case 6:
        lunatic_networking_resolve_next(valid(), far + 13, LUN_ADDRESS(a.bytes),
                                        LUN_ADDRESS(&a.port), 0, 0);
        break;
    case 7:
        lunatic_networking_resolve_next(valid(), LUN_ADDRESS(&a.type), LUN_ADDRESS(a.bytes),
                                        far + 15, 0, 0);
        break;
    default:
        resolve_for("[::1]:80", 0, &id);
        lunatic_networking_resolve_next(id, LUN_ADDRESS(&a.type), LUN_ADDRESS(a.bytes),
                                        LUN_ADDRESS(&a.port), LUN_ADDRESS(&a.flow_info), far + 13);
    }
}

static bool is_trap(int which)
{
    lun_message m;

    LUN_SPAWN_LINK(trap, 7, &which);
    return lun_receive_tag(&m, 7, 60000) == 0 && m.kind == LUN_LINK_DIED;
}

int main(void)
{
    uint64_t id, second;
    raw_address a;
    bool right = true;
    int count = 0;

    id = first("1.2.3.4:80", &a);
    printf("%u.%u.%u.%u:%u, then %u\n", a.bytes[0], a.bytes[1], a.bytes[2], a.bytes[3], a.port,
           next(id, &a));
    lunatic_networking_drop_dns_iterator(id);
    id = first("[::1]:443", &a);
    printf("[%s::%u]:%u flow %u scope %u, then ", a.bytes[0] ? "?" : "", a.bytes[15], a.port,
           a.flow_info, a.scope_id);
    printf("%u\n", next(id, &a));
    id = first("[fe80::2%3]:9", &a);
    printf("[%x%x::%u]:%u flow %u scope %u, then ", a.bytes[0], a.bytes[1], a.bytes[15], a.port,
           a.flow_info, a.scope_id);
    printf("%u\n", next(id, &a));
    first("[::ffff:10.0.0.1]:65535", &a);
    printf("[::%x%x:%u.%u.%u.%u]:%u\n", a.bytes[10], a.bytes[11], a.bytes[12], a.bytes[13],
           a.bytes[14], a.bytes[15], a.port);
    first("10.0.0.1:+000", &a);
    printf("%u.%u.%u.%u:%u\n", a.bytes[0], a.bytes[1], a.bytes[2], a.bytes[3], a.port);

    if (resolve_for("localhost:77", 60000, &id) != 0)
        return 2;
    while (next(id, &a) == 0) {
        count++;
        right = right && a.port == 77 &&
                ((a.type == 4 && a.bytes[0] == 127) || (a.type == 6 && a.bytes[15] == 1));
    }
    printf("localhost: %s, port 77 everywhere\n", count > 0 && right ? "yes" : "no");

    fails("example.com", LUN_FOREVER);
    fails("example.com:", LUN_FOREVER);
    fails("example.com:http", LUN_FOREVER);
    fails("example.com:65536", LUN_FOREVER);
    fails(":80", LUN_FOREVER);
    fails("not a name:80", LUN_FOREVER);
    fails("b\xc3\xbc"
          "cher.example:80",
          LUN_FOREVER);
    fails("nobody-knows.invalid:80", 0);

    id = valid();
    second = valid();
    printf("ids: %d after 0\n", (int)(second - id));

    printf("traps: ");
    lun_die_with_links(false);
    for (int i = 0; i < 9; i++)
        printf("%d", is_trap(i));
    puts("");
    return 0;
}
