/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One network rule: operations, a host, ports.
 *
 *     [OPERATION[,OPERATION...]=]HOST[:PORT[-PORT]]
 *
 * OPERATION is connect, listen or datagram; without one a rule is about all three. HOST is `*`, a
 * name, `*.` and a name (whatever ends so, and not the name itself), an address, or a range like
 * 10.0.0.0/8 or [fd00::]/8; IPv6 is written in brackets. Without a port all ports are meant. The
 * name localhost stands for the loopback addresses as well.
 *
 * Addresses are 16 bytes, those of IPv4 mapped into IPv6, so that one machine has one spelling. */
#ifndef PROC_NET_RULE_H
#define PROC_NET_RULE_H

#include "base/bytes.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define NET_NAME_SIZE_MAX 253 /* bytes of a host name */

enum net_operation {
    NET_CONNECT = 1,
    NET_LISTEN = 2,
    NET_DATAGRAM = 4,
    NET_ALL = 7,
};

struct net_address {
    uint8_t bytes[16];
};

enum net_host {
    NET_ANY,       /* `*` */
    NET_NAME,      /* exactly `name` */
    NET_SUBDOMAIN, /* what ends in `.name` */
    NET_RANGE,     /* addresses whose first `prefix` bits are those of `address` */
};

struct net_rule {
    uint8_t operations; /* enum net_operation, at least one */
    uint8_t host;       /* enum net_host */
    uint8_t prefix;     /* 0 to 128; NET_RANGE */
    uint16_t port_first, port_last;
    struct net_address address;
    char name[NET_NAME_SIZE_MAX + 1]; /* lower case, no dot at the end; empty unless NAME, SUBDOMAIN
                                       */
};

/* What somebody wants to do. */
struct net_target {
    enum net_operation operation;
    struct net_address address;
    uint16_t port;             /* 0 (listen, datagram): any that is free */
    const struct slice *names; /* what this process has resolved the address from */
    size_t name_count;
};

/* Parses a rule. False: `err` says what is wrong with it. */
bool net_rule_parse(struct slice text, struct net_rule *out, struct error *err) MUST_USE;

/* The rule as text, for people: at most `size` bytes with the terminator. Returns `text`. */
const char *net_rule_text(const struct net_rule *r, char *text, size_t size);

/* An address in text, IPv4 or IPv6 without brackets, in the usual notation only. */
bool net_address_parse(struct slice text, struct net_address *out);

/* Whether a rule that allows (`allows`) or denies is about `t`. To connect to the unspecified
 * address is to connect to this machine. To listen there is to listen on all addresses: only `*` or
 * the address itself allows that, and whatever denies one address denies it. */
bool net_rule_matches(const struct net_rule *r, const struct net_target *t, bool allows);

/* Whether the rule is about looking up `name`: that of a name or of `*`, whatever its ports. */
bool net_rule_matches_name(const struct net_rule *r, struct slice name);

#endif
