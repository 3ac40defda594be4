/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/net/rights.h"
#include "host/net/names.h"
#include "proc/rules.h"

#define NAMES_MAX 16 /* of one address that are looked at */

struct net_address net_address_of(const struct socket_address *a)
{
    struct net_address out = {{0}};

    if (a->family == 6) {
        memcpy(out.bytes, a->bytes, 16);
        return out;
    }
    out.bytes[10] = out.bytes[11] = 0xff; /* IPv4 mapped into IPv6 */
    memcpy(out.bytes + 12, a->bytes, 4);
    return out;
}

/* What is sent to the unspecified address arrives on this machine. */
static struct socket_address destination(const struct socket_address *a)
{
    static const uint8_t zero[16], mapped_zero[16] = {[10] = 0xff, [11] = 0xff};
    struct socket_address out = *a;

    if (memcmp(a->bytes, zero, a->family == 4 ? 4 : 16) == 0)
        out.bytes[a->family == 4 ? 3 : 15] = 1;
    else if (a->family == 6 && memcmp(a->bytes, mapped_zero, 16) == 0)
        out.bytes[15] = 1;
    else
        return out;
    if (a->family == 4 || out.bytes[10])
        out.bytes[a->family == 4 ? 0 : 12] = 127;
    return out;
}

static bool refuse(const char *words, const struct socket_address *a, struct error *err)
{
    char text[SOCKET_ADDRESS_TEXT_MAX];

    return fail(err, ERR_DENIED, "%s %s is not permitted", words,
                socket_address_text(a, text, sizeof(text)));
}

bool net_permitted(struct guest *g, enum net_operation operation, const struct socket_address *a,
                   struct error *err)
{
    const struct rules *rules = g->process->config->rules;
    const struct socket_address to = operation == NET_DATAGRAM ? destination(a) : *a;
    struct slice names[NAMES_MAX];
    struct net_target target;

    if (LIKELY(!rules))
        return true;
    target = (struct net_target){
        .operation = operation, .address = net_address_of(&to), .port = a->port, .names = names};
    target.name_count = net_names_of(g, &target.address, names, NAMES_MAX);
    if (rules_allow_net(rules, &target))
        return true;
    return refuse(operation == NET_CONNECT  ? "connecting to"
                  : operation == NET_LISTEN ? "listening at"
                                            : "exchanging datagrams with",
                  a, err);
}

bool net_may_bind_datagrams(struct guest *g, const struct socket_address *a, struct error *err)
{
    const struct rules *rules = g->process->config->rules;

    if (!rules_allow_some(rules, NET_DATAGRAM))
        return fail(err, ERR_DENIED, "exchanging datagrams is not permitted");
    return a->port == 0 || net_permitted(g, NET_LISTEN, a, err);
}

bool net_may_look_up(struct guest *g, struct slice name, struct error *err)
{
    if (rules_allow_name(g->process->config->rules, name))
        return true;
    return fail(err, ERR_DENIED, "looking up %.*s is not permitted",
                (int)(name.size < NET_NAME_SIZE_MAX ? name.size : NET_NAME_SIZE_MAX),
                (const char *)name.data);
}
