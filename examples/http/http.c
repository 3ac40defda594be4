/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* An HTTP/1.1 server: a process for each connection. `http.wasm [ADDRESS:PORT]`
 *
 *     GET  /          a greeting
 *     GET  /headers   the request's headers
 *     POST /echo      the request's body
 *     POST /length    how many bytes the body has
 *
 * Answers are collected and written together when the client's next request is not there yet, so
 * that one request costs one read and one write, and pipelined ones share them. */
#include "request.h"
#include <lunatic/net.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define IN_SIZE    (2 * HEAD_SIZE_MAX + 4096) /* a head that begins anywhere, and some of its body */
#define OUT_SIZE   8192
#define IDLE_MS    60000 /* a client that says nothing for so long is left */
#define HEAD_S     20    /* from the first byte of a head to its last */
#define SKIP_MAX   65536 /* bytes of a body that nobody asked for which are read to go on */
#define LINGER_MAX 65536 /* bytes read at most before a connection is closed after an error */
#define LINGER_MS  1000

/* A connection. Each has a process, so there is one of these in each process. */
static struct {
    lun_stream *stream;
    char in[IN_SIZE]; /* `begin` .. `end` came and is not used yet; before it is the request's head
                       */
    size_t begin, end, floor; /* the head ends at `floor`: what follows may be moved there */
    char out[OUT_SIZE];
    size_t out_size;
    bool broken; /* nothing more can be read or written */
} c;

static struct request request;

static struct {
    bool has;      /* a body, that has not been read to its end */
    uint64_t left; /* of a body that is not chunked */
    struct chunks chunks;
    int status; /* what to answer if it is wrong, 0: so far nothing is */
} body;

static struct {
    time_t second;
    char text[40]; /* "Date: ...\r\n" */
    size_t size;
} date;

/* ---- Bytes in and out ---- */

static void flush(void)
{
    if (c.out_size > 0 && !c.broken && lun_stream_write(c.stream, c.out, c.out_size) != 0)
        c.broken = true;
    c.out_size = 0;
}

static void put(const char *data, size_t size)
{
    if (size > OUT_SIZE - c.out_size) {
        lun_piece pieces[] = {{c.out, c.out_size}, {data, size}};

        if (!c.broken && lun_stream_write_pieces(c.stream, pieces, 2) != 0)
            c.broken = true;
        c.out_size = 0;
        return;
    }
    memcpy(c.out + c.out_size, data, size);
    c.out_size += size;
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

static void put_number(uint64_t n, unsigned base)
{
    char digits[24], *at = digits + sizeof digits;

    do {
        *--at = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    put(at, (size_t)(digits + sizeof digits - at));
}

/* Reads more behind `end`. What is unused is moved down to `floor` if the room is small. False:
 * there will be no more. */
static bool fill(void)
{
    long n;

    flush();
    if (c.begin == c.end) {
        c.begin = c.end = c.floor;
    } else if (IN_SIZE - c.end < CHUNK_LINE_MAX && c.begin > c.floor) {
        memmove(c.in + c.floor, c.in + c.begin, c.end - c.begin);
        c.end -= c.begin - c.floor;
        c.begin = c.floor;
    }
    if (c.broken || c.end == IN_SIZE)
        return false;
    n = lun_stream_read(c.stream, c.in + c.end, IN_SIZE - c.end);
    if (n <= 0)
        return false;
    c.end += (size_t)n;
    return true;
}

/* ---- Answers ---- */

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "200 OK";
    case 400:
        return "400 Bad Request";
    case 404:
        return "404 Not Found";
    case 405:
        return "405 Method Not Allowed";
    case 408:
        return "408 Request Timeout";
    case 413:
        return "413 Content Too Large";
    case 414:
        return "414 URI Too Long";
    case 417:
        return "417 Expectation Failed";
    case 431:
        return "431 Request Header Fields Too Large";
    case 501:
        return "501 Not Implemented";
    case 505:
        return "505 HTTP Version Not Supported";
    default:
        return "500 Internal Server Error";
    }
}

static void put_date(void)
{
    time_t now = time(NULL);

    if (now != date.second) {
        struct tm t;

        gmtime_r(&now, &t);
        date.size =
            strftime(date.text, sizeof date.text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &t);
        date.second = now;
    }
    put(date.text, date.size);
}

/* The status line, and the headers that every answer has. */
static void begin_answer(int status)
{
    put_text("HTTP/1.1 ");
    put_text(reason(status));
    put_text("\r\n");
    put_date();
    if (!request.keep_alive)
        put_text("Connection: close\r\n");
    else if (request.minor_version == 0)
        put_text("Connection: keep-alive\r\n");
}

static void answer(int status, const char *headers, const char *text, size_t size)
{
    begin_answer(status);
    put_text(headers);
    put_text("Content-Type: text/plain\r\nContent-Length: ");
    put_number(size, 10);
    put_text("\r\n\r\n");
    if (!text_is(request.method, "HEAD"))
        put(text, size);
}

static void answer_error(int status, const char *headers)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%s\n", reason(status));

    answer(status, headers, text, (size_t)size);
}

/* Says what is wrong, and closes. The client may be sending still: what it sends is read for a
 * moment, as closing before would take the answer from it. */
static void refuse(int status)
{
    size_t skipped = 0;
    long n;

    request.keep_alive = false;
    answer_error(status, "");
    flush();
    lun_stream_set_read_timeout(c.stream, LINGER_MS);
    while (!c.broken && skipped < LINGER_MAX &&
           (n = lun_stream_read(c.stream, c.in, sizeof c.in)) > 0)
        skipped += (size_t)n;
    c.broken = true;
}

/* ---- Bodies of requests ---- */

/* Tells a client that waits for it that the body is welcome. */
static void ask_for_body(void)
{
    if (request.expects_continue && body.has && c.begin == c.end)
        put_text("HTTP/1.1 100 Continue\r\n\r\n");
    request.expects_continue = false;
}

/* The next bytes of the body, where they lie until the next call. False: that was all, or
 * `body.status` says what is wrong with it. */
static bool next_piece(struct text *piece)
{
    while (body.has) {
        size_t used = 0;
        enum progress p = PROGRESS_MORE;

        if (request.chunked) {
            p = chunks_read(&body.chunks, c.in + c.begin, c.end - c.begin, &used, piece);
        } else {
            used = c.end - c.begin < body.left ? c.end - c.begin : (size_t)body.left;
            piece->at = c.in + c.begin;
            piece->size = used;
            body.left -= used;
            if (body.left == 0)
                p = PROGRESS_DONE;
        }
        c.begin += used;
        body.has = p == PROGRESS_MORE;
        if (p == PROGRESS_BAD) {
            body.status = 400;
            return false;
        }
        if (piece->size > 0)
            return true;
        if (body.has && used == 0 && !fill()) {
            c.broken = true; /* it ended in the middle */
            return false;
        }
    }
    return false;
}

/* Reads what is left of the body, so that the next request can begin. */
static void skip_body(void)
{
    struct text piece;
    size_t skipped = 0;

    if (request.expects_continue && body.has) {
        request.keep_alive =
            false; /* the client may send it or not: nobody knows what comes next */
        return;
    }
    while (next_piece(&piece)) {
        skipped += piece.size;
        if (skipped > SKIP_MAX) {
            request.keep_alive = false;
            return;
        }
    }
    if (body.status != 0)
        request.keep_alive = false;
}

/* ---- What there is to ask for ---- */

static void get_greeting(void)
{
    static const char words[] = "Hello, world!";

    answer(200, "", words, sizeof words - 1);
}

static void get_headers(void)
{
    char length[24];
    size_t i, size = 0;

    for (i = 0; i < request.header_count; i++)
        size += request.headers[i].name.size + request.headers[i].value.size + 3;
    begin_answer(200);
    snprintf(length, sizeof length, "%zu", size);
    put_text("Content-Type: text/plain\r\nContent-Length: ");
    put_text(length);
    put_text("\r\n\r\n");
    if (text_is(request.method, "HEAD"))
        return;
    for (i = 0; i < request.header_count; i++) {
        put(request.headers[i].name.at, request.headers[i].name.size);
        put_text(": ");
        put(request.headers[i].value.at, request.headers[i].value.size);
        put_text("\n");
    }
}

/* The body goes back piece by piece as it comes, whatever its size: with its length if that is
 * known, else in chunks, else up to the end of the connection. */
static void post_echo(void)
{
    bool in_chunks = request.chunked && request.minor_version >= 1;
    struct text piece;
    bool has_piece = next_piece(&piece); /* before anything is promised */

    if (body.status != 0) {
        refuse(body.status);
        return;
    }
    if (c.broken)
        return;
    begin_answer(200);
    put_text("Content-Type: application/octet-stream\r\n");
    if (in_chunks) {
        put_text("Transfer-Encoding: chunked\r\n\r\n");
    } else {
        put_text("Content-Length: ");
        put_number(request.content_length, 10);
        put_text("\r\n\r\n");
    }
    for (; has_piece; has_piece = next_piece(&piece)) {
        if (in_chunks) {
            put_number(piece.size, 16);
            put_text("\r\n");
        }
        put(piece.at, piece.size);
        if (in_chunks)
            put_text("\r\n");
    }
    if (body.status != 0 || c.broken) {
        flush(); /* the answer is on its way: that it has no end is all that can be told */
        c.broken = true;
        return;
    }
    if (in_chunks)
        put_text("0\r\n\r\n");
}

static void post_length(void)
{
    struct text piece;
    uint64_t size = 0;
    char text[32];
    int length;

    while (next_piece(&piece))
        size += piece.size;
    if (body.status != 0) {
        refuse(body.status);
        return;
    }
    if (c.broken)
        return;
    length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)size);
    answer(200, "", text, (size_t)length);
}

static const struct route {
    const char *path;
    bool post; /* POST, else GET and HEAD */
    void (*respond)(void);
} routes[] = {
    {"/", false, get_greeting},
    {"/headers", false, get_headers},
    {"/echo", true, post_echo},
    {"/length", true, post_length},
};

/* The path of a target: what precedes '?', and behind the host if it is a whole URL. */
static struct text path_of(struct text target)
{
    static const char scheme[] = "http://";
    const char *at;

    if (target.size >= sizeof scheme - 1 && memcmp(target.at, scheme, sizeof scheme - 1) == 0) {
        const char *end = target.at + target.size;

        at = memchr(target.at + sizeof scheme - 1, '/', target.size - (sizeof scheme - 1));
        if (!at)
            return (struct text){"/", 1};
        target.at = at;
        target.size = (size_t)(end - at);
    }
    at = memchr(target.at, '?', target.size);
    if (at)
        target.size = (size_t)(at - target.at);
    return target;
}

static void respond(void)
{
    struct text path = path_of(request.target);
    bool get = text_is(request.method, "GET") || text_is(request.method, "HEAD");
    bool post = text_is(request.method, "POST");
    size_t i;

    for (i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!text_is(path, routes[i].path))
            continue;
        if (routes[i].post && post)
            ask_for_body();
        if (routes[i].post ? post : get)
            routes[i].respond();
        else
            answer_error(405, routes[i].post ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n");
        return;
    }
    answer_error(get || post ? 404 : 501, "");
}

/* ---- A connection ---- */

/* Reads the next head. False: there is none; why has been answered. */
static bool read_head(void)
{
    time_t begin = 0;
    size_t head_size;
    enum progress p;

    c.floor = 0;
    if (c.begin == c.end) {
        c.begin = c.end = 0;
    } else if (c.begin > HEAD_SIZE_MAX) {
        memmove(c.in, c.in + c.begin, c.end - c.begin);
        c.end -= c.begin;
        c.begin = 0;
    }
    request_init(&request);
    while ((p = request_read(&request, c.in + c.begin, c.end - c.begin, &head_size)) ==
           PROGRESS_MORE) {
        bool idle = c.begin == c.end;

        c.floor = c.begin; /* the head stays where it is */
        if (!idle && begin == 0) {
            begin = time(NULL);
            lun_stream_set_read_timeout(c.stream, HEAD_S * 1000);
        }
        if (!idle && time(NULL) - begin >= HEAD_S) {
            refuse(408);
            return false;
        }
        if (!fill()) {
            if (!idle && !c.broken)
                refuse(408);
            return false;
        }
    }
    if (begin != 0)
        lun_stream_set_read_timeout(c.stream, IDLE_MS);
    if (p == PROGRESS_BAD) {
        refuse(request.status);
        return false;
    }
    c.begin += head_size;
    c.floor = c.begin;
    return true;
}

static void serve(lun_stream *stream, const void *data, size_t size)
{
    (void)data;
    (void)size;
    c.stream = stream;
    lun_stream_set_read_timeout(stream, IDLE_MS);
    lun_stream_set_write_timeout(stream, IDLE_MS);
    while (!c.broken && read_head()) {
        memset(&body, 0, sizeof body);
        body.has = request.chunked || request.content_length > 0;
        body.left = request.content_length;
        respond();
        skip_body();
        if (!request.keep_alive)
            break;
    }
    flush();
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:8080";
    char text[LUN_ADDRESS_TEXT_SIZE];
    lun_listener listener;
    lun_address address;

    if (lun_tcp_listen(&listener, where) != 0 || lun_listener_address(&listener, &address) != 0) {
        fprintf(stderr, "http: %s: %s\n", where, lun_error_text());
        return 1;
    }
    printf("listening on %s\n", lun_address_text(&address, text));
    fflush(stdout);
    lun_serve(&listener, serve, NULL, 0);
}
