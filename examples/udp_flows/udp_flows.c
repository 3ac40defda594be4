/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A table of UDP flows: a process for each address and port that sends something. It answers with
 * what came, counts, and tells its counts if it is sent a "?". A flow that is silent for a while
 * ends. `udp_flows.wasm [ADDRESS:PORT [SECONDS]]` */
#include <lunatic/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATAGRAM_MAX 1472   /* bytes, as many as an Ethernet frame has room for; more are cut */
#define FLOWS_MAX    500000 /* who comes then is not answered */
#define FIRST_SLOTS  1024   /* of the table; a power of two */
#define IDLE_S       120    /* unless the command line says otherwise */
#define DATAGRAM     1      /* tags of messages: to a flow */
#define SOCKET       2
#define EXPIRED      3 /* from a flow: its address */
#define MULTIPLIER   0x9e3779b97f4a7c15ull

/* ---- A flow ---- */

struct beginning {
    lun_address address; /* whose flow it is */
    lun_process table;
    uint64_t idle_ms;
};

/* Not inlined, as what it has on the stack would count for flows that are never asked. */
__attribute__((noinline)) static size_t tell_counts(char *text, const lun_address *address,
                                                    unsigned long long count,
                                                    unsigned long long bytes)
{
    char where[LUN_ADDRESS_TEXT_SIZE];

    return (size_t)snprintf(text, DATAGRAM_MAX, "%s: %llu datagrams, %llu bytes\n",
                            lun_address_text(address, where), count, bytes);
}

static void run_flow(const struct beginning *b)
{
    unsigned long long count = 0, bytes = 0;
    lun_message message;
    lun_udp udp;

    if (lun_receive_tag(&message, SOCKET, b->idle_ms) != 0)
        return;
    udp = lun_take_udp();
    for (;;) {
        char data[DATAGRAM_MAX];
        size_t size;

        if (lun_receive(&message, b->idle_ms) != 0) {
            LUN_SEND(b->table, EXPIRED, &b->address);
            return;
        }
        if (message.tag != DATAGRAM)
            continue;
        size = lun_read(data, sizeof data);
        count++;
        bytes += size;
        if (size == 1 && data[0] == '?')
            size = tell_counts(data, &b->address, count, bytes);
        lun_udp_send_to(&udp, data, size, &b->address); /* a lost answer is like a lost datagram */
    }
}

/* ---- The table ---- */

struct slot {
    lun_address address;
    lun_process flow; /* 0: the slot is free */
};

static struct slot *slots;
static size_t slot_count, flow_count;
static uint64_t seed; /* so that nobody can choose addresses that collide */

static size_t slot_of(const lun_address *a)
{
    uint64_t high, low, h = seed;

    memcpy(&high, a->bytes, sizeof high);
    memcpy(&low, a->bytes + sizeof high, sizeof low);
    h = (h ^ high) * MULTIPLIER;
    h = (h ^ h >> 32 ^ low) * MULTIPLIER;
    h = (h ^ h >> 32 ^ ((uint64_t)a->port << 32 | a->scope_id)) * MULTIPLIER;
    return (size_t)(h >> 32) & (slot_count - 1);
}

/* Where this address is, or where it is to be put. */
static struct slot *find(const lun_address *a)
{
    size_t i = slot_of(a);

    while (slots[i].flow != 0 && !lun_address_equal(&slots[i].address, a))
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

static void grow(void)
{
    struct slot *old = slots;
    size_t old_count = slot_count, i;

    slot_count = old_count > 0 ? 2 * old_count : FIRST_SLOTS;
    slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        abort();
    for (i = 0; i < old_count; i++) {
        if (old[i].flow != 0)
            *find(&old[i].address) = old[i];
    }
    free(old);
}

/* Frees a slot, and moves those behind it that are not where they would be found. */
static void forget(struct slot *s)
{
    size_t hole = (size_t)(s - slots), i = hole;

    for (;;) {
        i = (i + 1) & (slot_count - 1);
        if (slots[i].flow == 0)
            break;
        if (((i - slot_of(&slots[i].address)) & (slot_count - 1)) >=
            ((i - hole) & (slot_count - 1))) {
            slots[hole] = slots[i];
            hole = i;
        }
    }
    memset(&slots[hole], 0, sizeof slots[hole]);
    flow_count--;
}

/* Forgets the flows that have ended: a datagram that comes afterwards begins a new one. */
static void forget_silent(void)
{
    lun_message message;
    lun_address address;

    while (lun_receive_tag(&message, EXPIRED, 0) == 0 && LUN_READ(&address) == 0) {
        struct slot *s = find(&address);

        if (s->flow != 0)
            forget(s);
    }
}

static struct slot *new_flow(const lun_udp *udp, const lun_address *from, uint64_t idle_ms)
{
    struct beginning b = {*from, lun_self(), idle_ms};
    lun_process flow;
    lun_udp clone;
    struct slot *s;

    if (flow_count == FLOWS_MAX)
        return NULL;
    if (4 * flow_count >= 3 * slot_count)
        grow();
    flow = LUN_SPAWN(run_flow, &b);
    if (flow == 0)
        return NULL;
    clone = lun_udp_clone(udp);
    lun_send_udp(flow, SOCKET, &clone, NULL, 0);
    s = find(from);
    s->address = *from;
    s->flow = flow;
    flow_count++;
    return s;
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:7001";
    uint64_t idle_ms = 1000 * (argc > 2 ? strtoull(argv[2], NULL, 10) : IDLE_S);
    static char data[DATAGRAM_MAX];
    char text[LUN_ADDRESS_TEXT_SIZE];
    lun_address address;
    lun_udp udp;

    getentropy(&seed, sizeof seed);
    if (lun_udp_bind(&udp, where) != 0 || lun_udp_address(&udp, &address) != 0) {
        fprintf(stderr, "udp_flows: %s: %s\n", where, lun_error_text());
        return 1;
    }
    printf("listening on %s\n", lun_address_text(&address, text));
    fflush(stdout);
    grow();
    for (;;) {
        lun_address from;
        long size = lun_udp_receive(&udp, data, sizeof data, &from);
        struct slot *s;

        forget_silent();
        if (size < 0)
            continue; /* somebody has refused an answer */
        s = find(&from);
        if (s->flow == 0)
            s = new_flow(&udp, &from, idle_ms);
        if (s)
            lun_send(s->flow, DATAGRAM, data, (size_t)size);
    }
}
