/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How results of the network functions reach the guest. */
#include "host/net/internal.h"
#include "host/sqlite/sqlite.h"
#include "host/wasi/wasi.h"
#include <inttypes.h>
#include <stdio.h>

struct outcome net_failed(struct guest *g, uint32_t id_out, const char *words)
{
    uint64_t id;

    guest_count_error(g, ABI_NUMBER_networking);
    if (!guest_add_error(g, words, &id))
        return guest_trap_in(g, NULL, "this process holds too many errors and other things");
    if (!guest_write_u64(g, id_out, id))
        return guest_trap_range(g);
    return done(NET_ERROR);
}

struct outcome net_timed_out(struct guest *g, uint32_t id_out)
{
    struct outcome o = net_failed(g, id_out, "operation timed out");

    if (o.kind == OUTCOME_DONE)
        o.value = LUN_TIMEOUT;
    return o;
}

struct outcome net_ended(struct guest *g, enum net_result r, uint32_t out, uint64_t count,
                         const struct error *err)
{
    if (g->process->wait.kind != WAIT_NONE)
        wait_end(g->process);
    if (UNLIKELY(r == NET_FAILED))
        return net_failed(g, out, err->text);
    ASSERT(guest_write_u64(g, out, count));
    return done(NET_OK);
}

bool net_address_argument(struct guest *g, const char *function, uint32_t type, uint32_t ptr,
                          uint32_t port, uint32_t flow_info, uint32_t scope_id,
                          struct socket_address *out, struct outcome *out_trap)
{
    size_t size = type == 4 ? 4 : 16;
    uint8_t *bytes;

    if (type != 4 && type != 6) {
        *out_trap = guest_trap_in(g, function, "an address is of type 4 or 6");
        return false;
    }
    if (!guest_bytes(g, ptr, size, &bytes)) {
        *out_trap = guest_trap_range_in(g, function);
        return false;
    }
    *out = (struct socket_address){.family = (uint8_t)type, .port = (uint16_t)port};
    memcpy(out->bytes, bytes, size);
    if (type == 6) {
        out->flow_info = flow_info;
        out->scope_id = scope_id;
    }
    return true;
}

uint64_t net_held_count(const struct guest *g)
{
    static const enum resource_kind kinds[] = {RESOURCE_TCP_LISTENER, RESOURCE_TCP_STREAM,
                                               RESOURCE_TLS_LISTENER, RESOURCE_TLS_STREAM,
                                               RESOURCE_UDP_SOCKET};
    uint64_t count = net_sent_count(g);

    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        count += resource_count(g->process, kinds[i]);
    return count;
}

bool net_has_room(const struct guest *g, struct error *err)
{
    uint64_t max = g->process->config->descriptor_count_max;
    uint64_t files = g->wasi ? wasi_open_count(g->wasi) : 0;

    if (LIKELY(max == CONFIG_UNLIMITED) ||
        files + net_held_count(g) + sqlite_open_count(g->process) < max)
        return true;
    return fail(err, ERR_LIMIT,
                "Too many open files (os error 24): this process may have %" PRIu64
                " files and sockets open",
                max);
}

bool net_hold(struct guest *g, struct resource *r, enum resource_kind kind,
              void (*release)(struct resource *), uint64_t *id, struct error *err)
{
    resource_init(r, kind, release);
    if (resource_add(g->process, r, id))
        return true;
    resource_unref(r);
    return fail(err, ERR_LIMIT, NET_TOO_MUCH);
}
