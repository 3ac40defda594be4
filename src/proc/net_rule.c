/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/net_rule.h"
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static const struct {
    const char *name;
    enum net_operation operation;
} operations[] = {{"connect", NET_CONNECT}, {"listen", NET_LISTEN}, {"datagram", NET_DATAGRAM}};

static bool number(struct slice s, uint32_t max, uint32_t *out)
{
    uint32_t n = 0;

    if (s.size == 0 || s.size > 5)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        n = n * 10 + (uint32_t)(s.data[i] - '0');
    }
    *out = n;
    return n <= max;
}

/* The part before the first `c`, and what follows it in `*rest`; false: there is no `c`. */
static bool split(struct slice s, char c, struct slice *before, struct slice *rest)
{
    const uint8_t *at = s.size ? memchr(s.data, c, s.size) : NULL;

    if (!at)
        return false;
    *before = slice_make(s.data, (size_t)(at - s.data));
    *rest = slice_make(at + 1, s.size - before->size - 1);
    return true;
}

/* ---- addresses ---- */

/* Four numbers of at most three digits, in decimal, without zeros in front: other notations mean
 * different things to different programs. */
static bool parse_v4(struct slice s, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        struct slice part = s;
        uint32_t n;

        if (i < 3 && !split(s, '.', &part, &s))
            return false;
        if (part.size > 3 || (part.size > 1 && part.data[0] == '0') || !number(part, 255, &n))
            return false;
        out[i] = (uint8_t)n;
    }
    return true;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Groups of 16 bits; `gap`: where "::" was, or -1. The last two may be an IPv4 address. */
static bool parse_v6(struct slice s, uint8_t out[16])
{
    uint8_t groups[16] = {0};
    int count = 0, gap = -1;
    size_t i = 0;

    if (s.size >= 2 && s.data[0] == ':' && s.data[1] == ':') {
        gap = 0;
        i = 2;
    }
    while (i < s.size) {
        size_t start = i;
        unsigned value = 0;

        if (count >= 8)
            return false;
        while (i < s.size && hex_digit(s.data[i]) >= 0 && i - start < 5)
            value = value << 4 | (unsigned)hex_digit(s.data[i++]);
        if (i < s.size && s.data[i] == '.') {
            if (count > 6 ||
                !parse_v4(slice_make(s.data + start, s.size - start), groups + 2 * count))
                return false;
            count += 2;
            break;
        }
        if (i == start || i - start > 4)
            return false;
        groups[2 * count] = (uint8_t)(value >> 8);
        groups[2 * count + 1] = (uint8_t)value;
        count++;
        if (i == s.size)
            break;
        if (s.data[i++] != ':' || i == s.size)
            return false;
        if (s.data[i] == ':') {
            if (gap >= 0)
                return false;
            gap = count;
            i++;
        }
    }
    if (gap < 0 ? count != 8 : count > 7)
        return false;
    memset(out, 0, 16);
    if (gap < 0)
        gap = count;
    memcpy(out, groups, (size_t)gap * 2);
    memcpy(out + 16 - 2 * (count - gap), groups + 2 * gap, (size_t)(count - gap) * 2);
    return true;
}

static bool parse_address(struct slice s, struct net_address *out, bool *is_v4)
{
    *is_v4 = s.size == 0 || !memchr(s.data, ':', s.size);
    if (!*is_v4)
        return parse_v6(s, out->bytes);
    memcpy(out->bytes, mapped, sizeof(mapped));
    return parse_v4(s, out->bytes + 12);
}

bool net_address_parse(struct slice text, struct net_address *out)
{
    bool is_v4;

    return parse_address(text, out, &is_v4);
}

static bool is_mapped(const struct net_address *a)
{
    return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

/* 0.0.0.0 or ::. */
static bool is_unspecified(const struct net_address *a)
{
    static const uint8_t zero[16];

    return memcmp(a->bytes, zero, 16) == 0 || (is_mapped(a) && memcmp(a->bytes + 12, zero, 4) == 0);
}

static bool is_loopback(const struct net_address *a)
{
    static const uint8_t v6[16] = {[15] = 1};

    return memcmp(a->bytes, v6, 16) == 0 || (is_mapped(a) && a->bytes[12] == 127);
}

static bool in_range(const struct net_address *a, const struct net_address *range, unsigned prefix)
{
    size_t whole = prefix / 8;
    uint8_t mask = (uint8_t)(0xff00u >> (prefix % 8));

    return memcmp(a->bytes, range->bytes, whole) == 0 &&
           (prefix % 8 == 0 || ((a->bytes[whole] ^ range->bytes[whole]) & mask) == 0);
}

/* ---- parsing ---- */

#define WORDS(s) (int)((s).size < 200 ? (s).size : 200), (const char *)(s).data

static bool parse_operations(struct slice s, struct net_rule *out, struct error *err)
{
    for (;;) {
        struct slice word = s, rest;
        bool more = split(s, ',', &word, &rest);
        size_t i;

        for (i = 0; i < ARRAY_COUNT(operations); i++) {
            if (slice_equal(word, slice_text(operations[i].name)))
                break;
        }
        if (i == ARRAY_COUNT(operations))
            return fail(err, ERR_USAGE, "'%.*s' is none of connect, listen, datagram", WORDS(word));
        out->operations |= (uint8_t)operations[i].operation;
        if (!more)
            return true;
        s = rest;
    }
}

static bool parse_ports(struct slice s, struct net_rule *out, struct error *err)
{
    struct slice first = s, last = s;
    uint32_t low, high;

    split(s, '-', &first, &last);
    if (slice_equal(s, slice_text("*")))
        return true;
    if (!number(first, UINT16_MAX, &low) || !number(last, UINT16_MAX, &high) || low > high)
        return fail(err, ERR_USAGE, "'%.*s' is no port, nor a range of ports like 8000-8080",
                    WORDS(s));
    out->port_first = (uint16_t)low;
    out->port_last = (uint16_t)high;
    return true;
}

/* Lower case, without the dot at the end. */
static bool parse_name(struct slice s, char *out)
{
    if (s.size > 0 && s.data[s.size - 1] == '.')
        s.size--;
    if (s.size == 0 || s.size > NET_NAME_SIZE_MAX || s.data[0] == '.')
        return false;
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.' || c >= 0x80))
            return false;
        out[i] = (char)c;
    }
    out[s.size] = '\0';
    return true;
}

/* A last label that is a number, like in 127.1 or 0x7f000001: other spellings of addresses, which
 * would be taken for names that never match. */
static bool is_odd_address(const char *name)
{
    const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;

    if (last[0] == '0' && last[1] == 'x')
        return strspn(last + 2, "0123456789abcdef") == strlen(last + 2);
    return strspn(last, "0123456789") == strlen(last);
}

static bool parse_range(struct slice text, struct slice address, struct slice bits,
                        struct net_rule *out, struct error *err)
{
    uint32_t prefix;
    bool is_v4;

    if (!parse_address(address, &out->address, &is_v4))
        return fail(err, ERR_USAGE, "'%.*s' is no address", WORDS(address));
    prefix = is_v4 ? 32 : 128;
    if (bits.size && (bits.size > 3 || !number(bits, prefix, &prefix)))
        return fail(err, ERR_USAGE, "'%.*s' is no range of addresses like 10.0.0.0/8", WORDS(text));
    out->host = NET_RANGE;
    out->prefix = (uint8_t)(prefix + (is_v4 ? 96 : 0));
    for (unsigned i = out->prefix; i < 128; i++) {
        if (out->address.bytes[i / 8] & 0x80u >> i % 8)
            return fail(err, ERR_USAGE, "'%.*s' has bits of its address set beyond the first %u",
                        WORDS(text), prefix);
    }
    return true;
}

static bool parse_host(struct slice s, struct net_rule *out, struct error *err)
{
    struct slice before, bits = {0};
    struct net_address unused;

    if (slice_equal(s, slice_text("*"))) {
        out->host = NET_ANY;
        return true;
    }
    if (split(s, '/', &before, &bits)) {
        if (bits.size == 0)
            return fail(err, ERR_USAGE, "'%.*s' lacks the length of the range", WORDS(s));
        return parse_range(s, before, bits, out, err);
    }
    if (net_address_parse(s, &unused))
        return parse_range(s, s, bits, out, err);
    out->host = NET_NAME;
    if (s.size > 2 && s.data[0] == '*' && s.data[1] == '.') {
        out->host = NET_SUBDOMAIN;
        s = slice_make(s.data + 2, s.size - 2);
    }
    if (!parse_name(s, out->name) || is_odd_address(out->name))
        return fail(err, ERR_USAGE, "'%.*s' is no host: a name, *.name, an address, a range or *",
                    WORDS(s));
    return true;
}

bool net_rule_parse(struct slice text, struct net_rule *out, struct error *err)
{
    struct slice s = text, words, host;

    *out = (struct net_rule){.port_last = UINT16_MAX};
    if (split(s, '=', &words, &s)) {
        if (!parse_operations(words, out, err))
            return false;
    } else {
        out->operations = NET_ALL;
    }
    if (s.size && s.data[0] == '[') {
        struct slice rest, bits = {0};

        if (!split(slice_make(s.data + 1, s.size - 1), ']', &host, &rest))
            return fail(err, ERR_USAGE, "'%.*s' lacks a ']'", WORDS(text));
        if (host.size == 0 || !memchr(host.data, ':', host.size))
            return fail(err, ERR_USAGE, "'%.*s' is no IPv6 address", WORDS(host));
        if (rest.size && rest.data[0] == '/') {
            bits = rest = slice_make(rest.data + 1, rest.size - 1);
            while (rest.size && rest.data[0] != ':')
                rest = slice_make(rest.data + 1, rest.size - 1);
            bits.size -= rest.size;
            if (bits.size == 0)
                return fail(err, ERR_USAGE, "'%.*s' lacks the length of the range", WORDS(text));
        }
        if (rest.size && rest.data[0] != ':')
            return fail(err, ERR_USAGE, "'%.*s' has more than a port behind ']'", WORDS(text));
        return parse_range(text, host, bits, out, err) &&
               (rest.size == 0 || parse_ports(slice_make(rest.data + 1, rest.size - 1), out, err));
    }
    if (!split(s, ':', &host, &words))
        return parse_host(s, out, err);
    if (words.size && memchr(words.data, ':', words.size))
        return fail(err, ERR_USAGE, "write '%.*s' in brackets: [ADDRESS]:PORT", WORDS(s));
    return parse_host(host, out, err) && parse_ports(words, out, err);
}

const char *net_rule_text(const struct net_rule *r, char *text, size_t size)
{
    char ports[16] = "", host[NET_NAME_SIZE_MAX + 64], words[40] = "";
    const uint8_t *a = r->address.bytes;

    if (r->operations != NET_ALL) {
        for (size_t i = 0; i < ARRAY_COUNT(operations); i++) {
            size_t length = strlen(words);

            if (r->operations & operations[i].operation)
                snprintf(words + length, sizeof(words) - length, "%s%s", length ? "," : "",
                         operations[i].name);
        }
        snprintf(words + strlen(words), sizeof(words) - strlen(words), "=");
    }
    if (r->port_first == r->port_last)
        snprintf(ports, sizeof(ports), ":%u", r->port_first);
    else if (r->port_first != 0 || r->port_last != UINT16_MAX)
        snprintf(ports, sizeof(ports), ":%u-%u", r->port_first, r->port_last);
    if (r->host == NET_ANY)
        snprintf(host, sizeof(host), "*");
    else if (r->host != NET_RANGE)
        snprintf(host, sizeof(host), "%s%s", r->host == NET_SUBDOMAIN ? "*." : "", r->name);
    else if (is_mapped(&r->address) && r->prefix >= 96)
        snprintf(host, sizeof(host), "%u.%u.%u.%u/%u", a[12], a[13], a[14], a[15], r->prefix - 96u);
    else
        snprintf(host, sizeof(host), "[%x:%x:%x:%x:%x:%x:%x:%x]/%u", a[0] << 8 | a[1],
                 a[2] << 8 | a[3], a[4] << 8 | a[5], a[6] << 8 | a[7], a[8] << 8 | a[9],
                 a[10] << 8 | a[11], a[12] << 8 | a[13], a[14] << 8 | a[15], r->prefix);
    snprintf(text, size, "%s%s%s", words, host, ports);
    return text;
}

/* ---- matching ---- */

static bool is_name(const struct net_rule *r, struct slice name)
{
    char text[NET_NAME_SIZE_MAX + 1];
    size_t size, own = strlen(r->name);

    if (!parse_name(name, text))
        return false;
    size = strlen(text);
    if (r->host == NET_NAME)
        return strcmp(text, r->name) == 0;
    return size > own + 1 && text[size - own - 1] == '.' && strcmp(text + size - own, r->name) == 0;
}

bool net_rule_matches_name(const struct net_rule *r, struct slice name)
{
    return r->host == NET_ANY || (r->host != NET_RANGE && is_name(r, name));
}

static bool matches_host(const struct net_rule *r, const struct net_target *t, bool allows)
{
    struct net_address a = t->address;
    bool is_localhost = r->host == NET_NAME && strcmp(r->name, "localhost") == 0;

    if (is_unspecified(&a) && t->operation != NET_CONNECT) {
        /* All addresses of this machine. */
        if (!allows && (r->host == NET_RANGE || is_localhost))
            return true;
    } else if (is_unspecified(&a)) {
        if (is_mapped(&a))
            a.bytes[12] = 127;
        a.bytes[15] = 1;
    }
    switch ((enum net_host)r->host) {
    case NET_ANY:
        return true;
    case NET_RANGE:
        return in_range(&a, &r->address, r->prefix);
    case NET_NAME:
    case NET_SUBDOMAIN:
        if (is_localhost && is_loopback(&a))
            return true;
        for (size_t i = 0; i < t->name_count; i++) {
            if (is_name(r, t->names[i]))
                return true;
        }
        return false;
    }
    return false;
}

bool net_rule_matches(const struct net_rule *r, const struct net_target *t, bool allows)
{
    return (r->operations & t->operation) && t->port >= r->port_first && t->port <= r->port_last &&
           matches_host(r, t, allows);
}
