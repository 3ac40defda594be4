/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The reader of requests, against good ones, bad ones, and noise: `lunatic test`. Everything lies
 * at the very end of memory, where reading a byte too many is a trap. */
#include "request.h"
#include <lunatic/test.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_SIZE 65536u
#define HOST      "Host: a\r\n"

/* A copy of `size` bytes that memory ends with. */
static char *at_the_end(const char *bytes, size_t size)
{
    static char *end;

    if (!end) {
        LUNATIC_CHECK(__builtin_wasm_memory_grow(0, 1) != SIZE_MAX);
        end = (char *)(__builtin_wasm_memory_size(0) * PAGE_SIZE);
    }
    LUNATIC_CHECK(size <= PAGE_SIZE);
    return memcpy(end - size, bytes, size);
}

static struct request r;

/* Reads the first `size` bytes at `bytes`, after having seen the first `first` of them. */
static enum progress read_split(const char *bytes, size_t first, size_t size, size_t *head_size)
{
    char *at = at_the_end(bytes, size);
    enum progress p;

    request_init(&r);
    p = request_read(&r, at, first, head_size);
    return p == PROGRESS_MORE ? request_read(&r, at, size, head_size) : p;
}

static enum progress read_all(const char *text)
{
    size_t head_size;

    return read_split(text, 0, strlen(text), &head_size);
}

static int status_of(const char *text)
{
    return read_all(text) == PROGRESS_BAD ? r.status : 0;
}

LUNATIC_TEST(a_request_is_read_into_its_parts)
{
    LUNATIC_CHECK(read_all("\r\nPOST /a/b?c HTTP/1.1\r\nhOST: example.org\r\nContent-Length: 12\r\n"
                           "X-Empty:\r\nX-Spaces: \t a b \t \r\n\r\nhello") == PROGRESS_DONE);
    LUNATIC_CHECK(text_is(r.method, "POST") && text_is(r.target, "/a/b?c"));
    LUNATIC_CHECK(r.minor_version == 1 && r.keep_alive && !r.chunked);
    LUNATIC_CHECK_EQUAL(r.content_length, 12);
    LUNATIC_CHECK_EQUAL(r.header_count, 4);
    LUNATIC_CHECK(text_is(*request_header(&r, "Host"), "example.org"));
    LUNATIC_CHECK(text_is(*request_header(&r, "x-empty"), ""));
    LUNATIC_CHECK(text_is(*request_header(&r, "X-SPACES"), "a b"));
    LUNATIC_CHECK(!request_header(&r, "X-Space"));
    LUNATIC_CHECK(read_all("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n") == PROGRESS_DONE);
    LUNATIC_CHECK(read_all("GET / HTTP/1.1\r\nHost:\r\n\r\n") == PROGRESS_DONE);
}

LUNATIC_TEST(connections_stay_open_as_version_and_header_say)
{
    LUNATIC_CHECK(read_all("GET / HTTP/1.0\r\n\r\n") == PROGRESS_DONE && !r.keep_alive);
    LUNATIC_CHECK(read_all("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") == PROGRESS_DONE &&
                  r.keep_alive);
    LUNATIC_CHECK(read_all("GET / HTTP/1.1\r\n" HOST "Connection: x , close\r\n\r\n") ==
                      PROGRESS_DONE &&
                  !r.keep_alive);
    LUNATIC_CHECK(
        read_all("GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n") ==
            PROGRESS_DONE &&
        !r.keep_alive);
    LUNATIC_CHECK(read_all("GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n") ==
                      PROGRESS_DONE &&
                  !r.keep_alive);
}

LUNATIC_TEST(what_is_malformed_is_refused)
{
    static const char *const heads[] = {
        "GET\r\n\r\n",
        " GET / HTTP/1.1\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/1.10\r\n",
        "GET / HTTP/1\r\n",
        "GET /\x80 HTTP/1.1\r\n",
        "G(T / HTTP/1.1\r\n",
        "GET / HTTP/1.1\n",
        "\n",
        "\x16\x03\x01\x02\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /#part HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\n" HOST HOST,
        "GET / HTTP/1.1\r\nHost: a b\r\n",
        "GET / HTTP/1.1\r\nHost: me@a\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n",
        "GET / HTTP/1.1\r\nHost: \xe4\r\n",
        "GET / HTTP/1.1\r\n" HOST " folded: x\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n",
        "GET / HTTP/1.1\r\nHost\r\n",
        "GET / HTTP/1.1\r\n: a\r\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n",
        "GET / HTTP/1.1\r\nA: b\x01\r\n",
        "GET / HTTP/1.1\r\nA: b\r\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +1\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    };
    size_t i;

    for (i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (status_of(heads[i]) != 400)
            LUNATIC_FAIL("%d for: %s", r.status, heads[i]);
    }
    LUNATIC_CHECK_EQUAL(status_of("GET / HTTP/2.0\r\n"), 505);
    LUNATIC_CHECK_EQUAL(status_of("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n"), 501);
    LUNATIC_CHECK_EQUAL(status_of("POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n"),
                        413);
    LUNATIC_CHECK_EQUAL(status_of("POST / HTTP/1.1\r\nExpect: a miracle\r\n"), 417);
    LUNATIC_CHECK(read_all("POST / HTTP/1.1\r\n" HOST
                           "Content-Length: 18446744073709551615\r\n\r\n") == PROGRESS_DONE);
    LUNATIC_CHECK(r.content_length == UINT64_MAX);
}

LUNATIC_TEST(heads_have_limits)
{
    static char head[HEAD_SIZE_MAX + 2];
    size_t i, size, head_size;

    size = (size_t)sprintf(head, "GET /");
    memset(head + size, 'a', sizeof head - size);
    LUNATIC_CHECK(read_split(head, 0, HEAD_SIZE_MAX - 1, &head_size) == PROGRESS_MORE);
    LUNATIC_CHECK(read_split(head, 0, sizeof head, &head_size) == PROGRESS_BAD);
    LUNATIC_CHECK_EQUAL(r.status, 414);
    memcpy(head + 5 + TARGET_SIZE_MAX, " HTTP/1.1\r\n", 11);
    LUNATIC_CHECK(read_split(head, 0, sizeof head, &head_size) == PROGRESS_BAD);
    LUNATIC_CHECK_EQUAL(r.status, 414);

    size = (size_t)sprintf(head, "GET / HTTP/1.1\r\n" HOST "A: ");
    memset(head + size, 'a', sizeof head - size);
    LUNATIC_CHECK(read_split(head, 0, sizeof head, &head_size) == PROGRESS_BAD);
    LUNATIC_CHECK_EQUAL(r.status, 431);
    memcpy(head + HEAD_SIZE_MAX - 4, "\r\n\r\n", 4);
    LUNATIC_CHECK(read_split(head, 0, sizeof head, &head_size) == PROGRESS_DONE);
    LUNATIC_CHECK_EQUAL(head_size, HEAD_SIZE_MAX);

    size = (size_t)sprintf(head, "GET / HTTP/1.1\r\n" HOST);
    for (i = 1; i < HEADER_COUNT_MAX; i++)
        size += (size_t)sprintf(head + size, "h%zu: x\r\n", i);
    size += (size_t)sprintf(head + size, "\r\n");
    LUNATIC_CHECK(read_split(head, 0, size, &head_size) == PROGRESS_DONE);
    LUNATIC_CHECK_EQUAL(r.header_count, HEADER_COUNT_MAX);
    sprintf(head + size - 2, "x: y\r\n");
    LUNATIC_CHECK(read_split(head, 0, size + 4, &head_size) == PROGRESS_BAD);
    LUNATIC_CHECK_EQUAL(r.status, 431);
}

/* Everything about `r` that must not depend on how the bytes came. */
static void describe(enum progress p, size_t head_size, const char *base, char *text, size_t size)
{
    size_t i, n = (size_t)snprintf(text, size, "%d %d ", (int)p, p == PROGRESS_BAD ? r.status : 0);

    if (p != PROGRESS_DONE)
        return;
    n += (size_t)snprintf(text + n, size - n, "%zu %d %d %d %d %llu|%.*s|%.*s|", head_size,
                          r.minor_version, r.keep_alive, r.chunked, r.expects_continue,
                          (unsigned long long)r.content_length, (int)r.method.size, r.method.at,
                          (int)r.target.size, r.target.at);
    for (i = 0; i < r.header_count && n < size; i++) {
        const struct header *h = &r.headers[i];

        LUNATIC_CHECK(h->name.at >= base && h->value.at + h->value.size <= base + head_size);
        n += (size_t)snprintf(text + n, size - n, "%.*s=%.*s|", (int)h->name.size, h->name.at,
                              (int)h->value.size, h->value.at);
    }
}

static const char *const samples[] = {
    "GET / HTTP/1.1\r\n" HOST "\r\n",
    "\r\n\r\nPOST /echo?x=y HTTP/1.1\r\nHost: example.org:80\r\nTransfer-Encoding: chunked\r\n"
    "Expect: 100-continue\r\nUser-Agent: test/1.0 (x; y)\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "PUT http://example.org/a HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive, "
    "x\r\n\r\nhello",
    "HEAD /headers HTTP/1.1\r\n" HOST "Accept: */*\r\nX: \xe4\r\nConnection: close\r\n\r\n",
};

#define SAMPLE_COUNT (sizeof samples / sizeof samples[0])

LUNATIC_TEST(it_does_not_matter_where_the_bytes_are_split)
{
    static char whole[4096], split[4096];
    size_t i, k, head_size = 0;

    for (i = 0; i < SAMPLE_COUNT; i++) {
        size_t size = strlen(samples[i]);
        const char *base = at_the_end(samples[i], size);

        describe(read_split(samples[i], 0, size, &head_size), head_size, base, whole, sizeof whole);
        for (k = 0; k <= size; k++) {
            describe(read_split(samples[i], k, size, &head_size), head_size, base, split,
                     sizeof split);
            LUNATIC_CHECK_TEXT(split, whole);
        }
        /* and byte by byte */
        request_init(&r);
        for (k = 0; k <= size; k++) {
            enum progress p = request_read(&r, base, k, &head_size);

            if (p != PROGRESS_MORE) {
                describe(p, head_size, base, split, sizeof split);
                break;
            }
        }
        LUNATIC_CHECK_TEXT(split, whole);
    }
}

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

/* Changes some bytes of `bytes`, with a liking for those that matter. */
static size_t spoil(char *bytes, size_t size, size_t size_max)
{
    static const char liked[] = "\r\n :;,\t\0019afHG/";
    uint32_t times = any(4);

    while (times-- > 0) {
        size_t at = any((uint32_t)size + 1), count = any(8);

        switch (any(4)) {
        case 0:
            if (at < size)
                bytes[at] = liked[any(sizeof liked)];
            break;
        case 1:
            if (at < size)
                bytes[at] = (char)any(256);
            break;
        case 2: /* some bytes less */
            if (at + count <= size) {
                memmove(bytes + at, bytes + at + count, size - at - count);
                size -= count;
            }
            break;
        default: /* some twice */
            if (at + count <= size && size + count <= size_max) {
                memmove(bytes + at + count, bytes + at, size - at);
                size += count;
            }
            break;
        }
    }
    return size;
}

LUNATIC_TEST(noise_is_read_the_same_however_it_comes)
{
    static char whole[4096], split[4096], bytes[1024];
    int round, done = 0, refused = 0;

    for (round = 0; round < 20000; round++) {
        const char *sample = samples[any(SAMPLE_COUNT)];
        size_t size = strlen(sample), head_size = 0;
        enum progress p;
        char *base;

        memcpy(bytes, sample, size);
        size = spoil(bytes, size, sizeof bytes);
        base = at_the_end(bytes, size);
        p = read_split(bytes, 0, size, &head_size);
        done += p == PROGRESS_DONE;
        refused += p == PROGRESS_BAD;
        LUNATIC_CHECK(p != PROGRESS_DONE || head_size <= size);
        describe(p, head_size, base, whole, sizeof whole);
        describe(read_split(bytes, any((uint32_t)size + 1), size, &head_size), head_size, base,
                 split, sizeof split);
        LUNATIC_CHECK_TEXT(split, whole);
    }
    LUNATIC_CHECK(done > 2000 && refused > 2000);
}

/* Reads a body in chunks of which `step` more bytes come each time; its data go to `data`. */
static enum progress read_chunks(const char *bytes, size_t size, size_t step, char *data,
                                 size_t *data_size, size_t *body_size)
{
    char *base = at_the_end(bytes, size);
    size_t begin = 0, end = 0, used;
    struct chunks c = {0};
    struct text piece;
    enum progress p;

    *data_size = 0;
    for (;;) {
        p = chunks_read(&c, base + begin, end - begin, &used, &piece);
        LUNATIC_CHECK(used <= end - begin && piece.size <= used);
        memcpy(data + *data_size, piece.at, piece.size);
        *data_size += piece.size;
        begin += used;
        if (p != PROGRESS_MORE || (used == 0 && end == size))
            break;
        if (used == 0)
            end = size - end < step ? size : end + step;
    }
    *body_size = begin;
    return p;
}

LUNATIC_TEST(chunks_are_read_however_they_come)
{
    static const char good[] = "5\r\nhello\r\n00A;name=\"value\"\r\n0123456789\r\n1 \r\n!\r\n0\r\n"
                               "Trailer: x\r\n\r\n";
    static const char *const wrong[] = {"\r\n",
                                        "g\r\n",
                                        "-1\r\n",
                                        "5\nhello",
                                        "5\r\nhelloo\r\n",
                                        "5x\r\nhello",
                                        "0x5\r\n",
                                        "5;\x01\r\n",
                                        "5\r\r\n",
                                        "10000000000000000\r\n",
                                        "0\r\nA: b\n\n",
                                        "5 5\r\nhello",
                                        "0\r\nno field\r\n\r\n",
                                        "0\r\nA: b\r\n folded\r\n\r\n",
                                        "0\r\nA: \x01\r\n\r\n"};
    char data[64], more[sizeof good + 8];
    size_t step, size, body_size, i;

    snprintf(more, sizeof more, "%sGET /", good);
    for (step = 1; step <= sizeof more; step++) {
        LUNATIC_CHECK(read_chunks(more, strlen(more), step, data, &size, &body_size) ==
                      PROGRESS_DONE);
        LUNATIC_CHECK(size == 16 && memcmp(data, "hello0123456789!", 16) == 0);
        LUNATIC_CHECK_EQUAL(body_size, sizeof good - 1);
    }
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (step = 1; step < 20; step++) {
            if (read_chunks(wrong[i], strlen(wrong[i]), step, data, &size, &body_size) !=
                PROGRESS_BAD)
                LUNATIC_FAIL("not refused: %s", wrong[i]);
        }
    }
}

LUNATIC_TEST(chunks_have_limits)
{
    static char bytes[TRAILER_SIZE_MAX + 600], data[16];
    size_t size, body_size, n;

    memset(bytes, '0', sizeof bytes); /* a size of many digits */
    LUNATIC_CHECK(read_chunks(bytes, CHUNK_LINE_MAX - 1, 1, data, &size, &body_size) ==
                  PROGRESS_MORE);
    LUNATIC_CHECK(read_chunks(bytes, sizeof bytes, 1000, data, &size, &body_size) == PROGRESS_BAD);
    for (n = (size_t)sprintf(bytes, "0\r\n"); n < TRAILER_SIZE_MAX + 200;)
        n += (size_t)sprintf(bytes + n, "A: b\r\n");
    LUNATIC_CHECK(read_chunks(bytes, n, 1000, data, &size, &body_size) == PROGRESS_BAD);
}

LUNATIC_TEST(noise_in_chunks_is_read_the_same_however_it_comes)
{
    static const char sample[] = "5\r\nhello\r\n0A;x\r\n0123456789\r\n0\r\nT: x\r\n\r\n";
    static char bytes[256], one[256], other[256];
    int round, done = 0;

    for (round = 0; round < 20000; round++) {
        size_t size, one_size, other_size, one_end, other_end;
        enum progress p, q;

        memcpy(bytes, sample, sizeof sample - 1);
        size = spoil(bytes, sizeof sample - 1, sizeof bytes);
        p = read_chunks(bytes, size, size + 1, one, &one_size, &one_end);
        q = read_chunks(bytes, size, 1 + any(9), other, &other_size, &other_end);
        LUNATIC_CHECK(p == q && one_size == other_size && memcmp(one, other, one_size) == 0);
        LUNATIC_CHECK(p != PROGRESS_DONE || one_end == other_end);
        done += p == PROGRESS_DONE;
    }
    LUNATIC_CHECK(done > 2000);
}
