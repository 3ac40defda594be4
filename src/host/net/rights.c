/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the rules of a process say about the network. */
#include "host/net/internal.h"
#include "proc/rules.h"

static struct net_address address_of(const struct socket_address *a)
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

bool net_permitted(struct guest *g, enum net_operation operation, const struct socket_address *a,
                   struct error *err)
{
    const struct rules *rules = g->process->config->rules;
    const struct net_target target = {
        .operation = operation, .address = address_of(a), .port = a->port};
    char text[SOCKET_ADDRESS_TEXT_MAX];

    if (LIKELY(!rules) || rules_allow_net(rules, &target))
        return true;
    return fail(err, ERR_DENIED, "%s %s is not permitted",
                operation == NET_CONNECT  ? "connecting to"
                : operation == NET_LISTEN ? "listening at"
                                          : "datagrams with",
                socket_address_text(a, text, sizeof(text)));
}
