/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Network rules and SQLite paths: what they say, and ways around them that must not work. */
#include "proc/rules.h"
#include "proc/path.h"
#include "tests/harness/harness.h"
#include <stdio.h>

static bool parses(const char *text)
{
    struct net_rule r;
    struct error err = {0};

    return net_rule_parse(slice_text(text), &r, &err) || err.code == ERR_NONE;
}

static struct rules *layer(struct rules *under, const char *const *allow, const char *const *deny)
{
    struct rules *own = rules_new(), *r;
    struct net_rule rule;

    for (; allow && *allow; allow++) {
        if (!EXPECT(net_rule_parse(slice_text(*allow), &rule, NULL)) ||
            !EXPECT(rules_add_net(own, true, &rule)))
            printf("%s\n", *allow);
    }
    for (; deny && *deny; deny++) {
        if (!EXPECT(net_rule_parse(slice_text(*deny), &rule, NULL)) ||
            !EXPECT(rules_add_net(own, false, &rule)))
            printf("%s\n", *deny);
    }
    r = rules_copy(own, under);
    rules_unref(own);
    rules_unref(under);
    return r;
}
#define TEXTS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static bool may(const struct rules *r, enum net_operation op, const char *address, uint16_t port,
                const char *name)
{
    const struct slice names[] = {slice_text(name)};
    struct net_target t = {
        .operation = op, .port = port, .names = names, .name_count = *name ? 1 : 0};

    if (!EXPECT(net_address_parse(slice_text(address), &t.address)))
        return false;
    return rules_allow_net(r, &t);
}

TEST(net_rules_are_parsed)
{
    static const char *const good[] = {"*",
                                       "*:80",
                                       "example.com",
                                       "EXAMPLE.com.:443",
                                       "*.example.com:1-1024",
                                       "10.0.0.0/8",
                                       "10.1.2.3:0",
                                       "[::1]:80",
                                       "[fd00::]/8",
                                       "[::]/0:53",
                                       "connect=10.0.0.1",
                                       "listen,datagram=*:8000-8080",
                                       "[::ffff:10.0.0.1]:80",
                                       "localhost",
                                       "x-1.y_z",
                                       "a:*"};
    static const char *const bad[] = {"",
                                      ":80",
                                      "example.com:",
                                      "example.com:80-",
                                      "a:80-70",
                                      "a:65536",
                                      "a:-1",
                                      "a b",
                                      "10.0.0.0/33",
                                      "10.0.0.1/8",
                                      "[::1",
                                      "[::1]x",
                                      "fd00::1",
                                      "[fd00::]/129",
                                      "[10.0.0.1]",
                                      "send=*",
                                      "=*",
                                      "connect=",
                                      "connect,=a",
                                      "127.1",
                                      "0x7f.1",
                                      "0177.0.0.1",
                                      "256.1.1.1",
                                      "1.2.3.4.5",
                                      "*.",
                                      ".",
                                      "..a",
                                      "*.*",
                                      "a*",
                                      "[::]/",
                                      "10.0.0.0/",
                                      "[1:2]",
                                      "[1::2::3]",
                                      "[:1]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[12345::]",
                                      "a:80:90",
                                      "2130706433",
                                      "0x7f000001",
                                      "[::1%lo]"};

    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        if (!EXPECT(parses(good[i])))
            printf("%s\n", good[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct net_rule r;
        struct error err = {0};

        if (!EXPECT(!net_rule_parse(slice_text(bad[i]), &r, &err) && err.text[0]))
            printf("%s\n", bad[i]);
    }
}

TEST(net_rules_can_be_read_again)
{
    static const char *const texts[] = {"*", "connect=*:80", "listen,datagram=*.example.com:1-1024",
                                        "10.0.0.0/8", "localhost:0"};
    char text[512];

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct net_rule r;

        CHECK(net_rule_parse(slice_text(texts[i]), &r, NULL));
        CHECK_TEXT(net_rule_text(&r, text, sizeof(text)), texts[i]);
    }
}

TEST(addresses_are_parsed)
{
    struct net_address a, b;

    CHECK(net_address_parse(slice_text("::ffff:1.2.3.4"), &a));
    CHECK(net_address_parse(slice_text("1.2.3.4"), &b));
    CHECK(memcmp(&a, &b, sizeof(a)) == 0);
    CHECK(net_address_parse(slice_text("2001:db8::1:0:0:2"), &a));
    CHECK(net_address_parse(slice_text("2001:0DB8:0:0:1:0:0:2"), &b));
    CHECK(memcmp(&a, &b, sizeof(a)) == 0);
    CHECK(net_address_parse(slice_text("::"), &a) && net_address_parse(slice_text("1::"), &b));
    CHECK(a.bytes[0] == 0 && b.bytes[1] == 1 && b.bytes[15] == 0);
}

TEST(without_rules_everything_is_allowed)
{
    struct rules *r = rules_new();

    CHECK(may(NULL, NET_CONNECT, "1.2.3.4", 80, "") && may(r, NET_LISTEN, "::", 80, ""));
    CHECK(rules_allow_name(r, slice_text("example.com")) &&
          rules_allow_database(r, slice_text("x.db")));
    rules_unref(r);
}

TEST(only_what_is_allowed_and_never_what_is_denied)
{
    struct rules *r = layer(NULL, TEXTS("connect=10.0.0.0/8:80-90", "connect=example.com:443"),
                            TEXTS("10.9.0.0/16"));

    CHECK(may(r, NET_CONNECT, "10.0.0.1", 80, "") && may(r, NET_CONNECT, "10.255.255.255", 90, ""));
    CHECK(!may(r, NET_CONNECT, "10.0.0.1", 79, "") && !may(r, NET_CONNECT, "10.0.0.1", 91, ""));
    CHECK(!may(r, NET_CONNECT, "11.0.0.0", 80, "") &&
          !may(r, NET_CONNECT, "9.255.255.255", 80, ""));
    CHECK(!may(r, NET_CONNECT, "10.9.0.1", 80, ""));
    CHECK(may(r, NET_CONNECT, "1.2.3.4", 443, "Example.COM."));
    CHECK(!may(r, NET_CONNECT, "1.2.3.4", 443, "") &&
          !may(r, NET_CONNECT, "1.2.3.4", 80, "example.com"));
    CHECK(may(r, NET_LISTEN, "127.0.0.1", 80, "")); /* nothing says anything about listening */
    CHECK(!may(r, NET_LISTEN, "10.9.0.1", 80, ""));
    rules_unref(r);
}

/* Escapes: other spellings of an address that is denied. */
TEST(an_address_has_one_spelling)
{
    struct rules *r = layer(NULL, NULL, TEXTS("127.0.0.0/8", "[::1]", "10.0.0.0/8"));

    CHECK(!may(r, NET_CONNECT, "::ffff:10.0.0.1", 80, ""));
    CHECK(!may(r, NET_CONNECT, "0:0:0:0:0:FFFF:0A00:0001", 80, ""));
    CHECK(!may(r, NET_CONNECT, "0.0.0.0", 80, "")); /* this machine */
    CHECK(!may(r, NET_CONNECT, "::", 80, ""));
    CHECK(!may(r, NET_CONNECT, "::ffff:0.0.0.0", 80, ""));
    CHECK(!may(r, NET_CONNECT, "127.255.0.3", 80, "innocent.example"));
    CHECK(may(r, NET_CONNECT, "8.8.8.8", 80, ""));
    rules_unref(r);
}

/* Escapes: listening on all addresses where one is denied, or where only one is allowed. */
TEST(all_addresses_include_each)
{
    struct rules *deny = layer(NULL, NULL, TEXTS("listen,datagram=10.0.0.0/8:80"));
    struct rules *allow = layer(NULL, TEXTS("listen=127.0.0.1"), NULL);
    struct rules *local = layer(NULL, NULL, TEXTS("listen=localhost"));

    CHECK(!may(deny, NET_LISTEN, "0.0.0.0", 80, "") && !may(deny, NET_LISTEN, "::", 80, ""));
    CHECK(!may(deny, NET_DATAGRAM, "0.0.0.0", 80, "") && may(deny, NET_LISTEN, "0.0.0.0", 81, ""));
    CHECK(!may(allow, NET_LISTEN, "0.0.0.0", 80, "") && !may(allow, NET_LISTEN, "::", 80, ""));
    CHECK(may(allow, NET_LISTEN, "127.0.0.1", 0, ""));
    CHECK(!may(local, NET_LISTEN, "0.0.0.0", 80, "") && !may(local, NET_LISTEN, "::1", 80, ""));
    rules_unref(deny);
    rules_unref(allow);
    rules_unref(local);
}

/* Escapes: names that look like an allowed one. */
TEST(names_match_whole_labels)
{
    struct rules *r = layer(NULL, TEXTS("*.example.com", "exact.org"), NULL);

    CHECK(may(r, NET_CONNECT, "1.1.1.1", 80, "a.example.com") &&
          may(r, NET_CONNECT, "1.1.1.1", 80, "a.b.EXAMPLE.com"));
    CHECK(!may(r, NET_CONNECT, "1.1.1.1", 80, "example.com"));
    CHECK(!may(r, NET_CONNECT, "1.1.1.1", 80, "evilexample.com"));
    CHECK(!may(r, NET_CONNECT, "1.1.1.1", 80, ".example.com"));
    CHECK(!may(r, NET_CONNECT, "1.1.1.1", 80, "a.example.com.evil.org"));
    CHECK(!may(r, NET_CONNECT, "1.1.1.1", 80, "notexact.org"));
    CHECK(!may(r, NET_CONNECT, "1.1.1.1", 80, "exact.org.uk"));
    CHECK(!rules_allow_name(r, slice_text("evil.org")) &&
          rules_allow_name(r, slice_text("exact.org")));
    CHECK(!rules_allow_name(r, slice_make("exact.org\0.evil.org", 19)));
    rules_unref(r);
}

/* Escapes: a child that allows itself what its parent has not. */
TEST(a_layer_never_widens_what_is_under_it)
{
    struct rules *parent = layer(NULL, TEXTS("connect=10.0.0.0/8"), TEXTS("*:25"));
    struct rules *child = layer(rules_ref(parent), TEXTS("*", "*:25", "connect=11.0.0.0/8"), NULL);
    struct rules *narrow = layer(rules_ref(child), TEXTS("connect=10.1.0.0/16"), NULL);
    struct rules *empty = layer(rules_ref(parent), NULL, NULL);

    CHECK(may(child, NET_CONNECT, "10.0.0.1", 80, "") &&
          !may(child, NET_CONNECT, "11.0.0.1", 80, ""));
    CHECK(!may(child, NET_CONNECT, "10.0.0.1", 25, "") && !may(child, NET_LISTEN, "::", 25, ""));
    CHECK(may(narrow, NET_CONNECT, "10.1.0.1", 80, "") &&
          !may(narrow, NET_CONNECT, "10.0.0.1", 80, ""));
    CHECK(!may(empty, NET_CONNECT, "11.0.0.1", 80, ""));
    CHECK(narrow->depth == 3);
    rules_unref(parent);
    rules_unref(child);
    rules_unref(narrow);
    rules_unref(empty);
}

/* An address may have been got from several names. */
TEST(every_name_of_an_address_counts)
{
    struct rules *r = layer(NULL, TEXTS("good.org", "*.good.net"), TEXTS("connect=evil.org:443"));
    const struct slice names[] = {slice_text("other.org"), slice_text("a.good.net"),
                                  slice_text("evil.org")};
    struct net_target t = {.operation = NET_CONNECT, .port = 443, .names = names, .name_count = 1};

    CHECK(net_address_parse(slice_text("1.2.3.4"), &t.address));
    CHECK(!rules_allow_net(r, &t));
    t.name_count = 2;
    CHECK(rules_allow_net(r, &t));
    t.name_count = 3;
    CHECK(!rules_allow_net(r, &t));
    t.port = 80;
    CHECK(rules_allow_net(r, &t));
    rules_unref(r);
}

TEST(an_operation_may_be_denied_altogether)
{
    struct rules *r = layer(NULL, NULL, TEXTS("datagram=*", "connect=*:80", "listen=10.0.0.0/8"));
    struct rules *child = layer(rules_ref(r), TEXTS("*"), NULL);

    CHECK(!rules_allow_some(r, NET_DATAGRAM) && !rules_allow_some(child, NET_DATAGRAM));
    CHECK(rules_allow_some(r, NET_CONNECT) && rules_allow_some(child, NET_LISTEN));
    CHECK(rules_allow_some(NULL, NET_DATAGRAM));
    rules_unref(r);
    rules_unref(child);
}

TEST(denied_names_are_not_looked_up)
{
    struct rules *r = layer(NULL, NULL, TEXTS("evil.org", "*.evil.org", "half.org:80"));

    CHECK(!rules_allow_name(r, slice_text("EVIL.org.")) &&
          !rules_allow_name(r, slice_text("www.evil.org")));
    CHECK(rules_allow_name(r, slice_text("half.org")) && rules_allow_name(r, slice_text("a.org")));
    CHECK(!may(r, NET_CONNECT, "1.1.1.1", 80, "half.org"));
    rules_unref(r);
}

TEST(databases_below_the_paths_that_are_named)
{
    struct rules *own = rules_new(), *r, *child;

    CHECK(rules_add_database(own, slice_text("./data//db")));
    CHECK(!rules_add_database(own, slice_text("data/../..")));
    CHECK(!rules_add_database(own, slice_make("a\0b", 3)));
    r = rules_copy(own, NULL);
    CHECK(rules_allow_database(r, slice_text("data/db")) &&
          rules_allow_database(r, slice_text("data/db/x")) &&
          rules_allow_database(r, slice_text("./data/./db//x")));
    CHECK(!rules_allow_database(r, slice_text("data/db2")) &&
          !rules_allow_database(r, slice_text("data/db/../x")) &&
          !rules_allow_database(r, slice_text("/data/db")) &&
          !rules_allow_database(r, slice_text("data")) &&
          !rules_allow_database(r, slice_make("data/db\0x", 9)));
    rules_unref(own);
    own = rules_new();
    CHECK(rules_add_database(own, slice_text(".")));
    child = rules_copy(own, r);
    CHECK(rules_allow_database(child, slice_text("data/db")) &&
          !rules_allow_database(child, slice_text("x")));
    rules_unref(own);
    rules_unref(child);
    rules_unref(r);
}

TEST(paths_as_text)
{
    static const struct {
        const char *dir, *path, *left;
    } cases[] = {{"/a", "/a", ""},     {"/a", "/a/b/c", "b/c"}, {"/a", "/ab", NULL},
                 {"/", "/a/b", "a/b"}, {"/", "/", ""},          {".", "x/y", "x/y"},
                 {".", ".", ""},       {".", "/x", NULL},       {"a/b", "a", NULL},
                 {"a", "a/b", "b"},    {"/a", "a", NULL}};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *left = path_below(cases[i].dir, cases[i].path);

        CHECK(cases[i].left ? left && strcmp(left, cases[i].left) == 0 : !left);
    }
}

TEST(a_layer_has_a_limit_of_rules)
{
    struct rules *r = rules_new();
    struct net_rule rule;

    CHECK(net_rule_parse(slice_text("*"), &rule, NULL));
    for (int i = 0; i < RULES_COUNT_MAX; i++)
        CHECK(rules_add_net(r, i % 2 == 0, &rule));
    CHECK(!rules_add_net(r, true, &rule) && !rules_add_net(r, false, &rule));
    rules_unref(r);
}
