/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "request.h"
#include <string.h>

/* What a byte may be part of (RFC 9110, section 5.6.2). */
static bool is_token(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_target(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

static bool is_value(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* A host and a port, as far as the bytes tell (RFC 3986, section 3.2.2). */
static bool is_host(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~%!$&'()*+,;=:[]", c));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool text_is(struct text t, const char *word)
{
    return strlen(word) == t.size && memcmp(t.at, word, t.size) == 0;
}

bool text_is_any_case(struct text t, const char *word)
{
    size_t i;

    for (i = 0; i < t.size; i++) {
        if (word[i] == '\0' || lower(t.at[i]) != lower(word[i]))
            return false;
    }
    return word[i] == '\0';
}

static struct text trim(struct text t)
{
    while (t.size > 0 && is_blank(t.at[0])) {
        t.at++;
        t.size--;
    }
    while (t.size > 0 && is_blank(t.at[t.size - 1]))
        t.size--;
    return t;
}

/* Takes the next element of a list with commas. False: there is none. */
static bool next_element(struct text *list, struct text *element)
{
    const char *comma;

    if (list->size == 0)
        return false;
    comma = memchr(list->at, ',', list->size);
    element->at = list->at;
    element->size = comma ? (size_t)(comma - list->at) : list->size;
    list->at += element->size + (comma != NULL);
    list->size -= element->size + (comma != NULL);
    *element = trim(*element);
    return true;
}

void request_init(struct request *r)
{
    size_t texts = offsetof(struct request, headers),
           after = offsetof(struct request, header_count);

    memset(r, 0, texts); /* the headers are as many as `header_count` says */
    memset((char *)r + after, 0, sizeof *r - after);
}

static enum progress bad(struct request *r, int status)
{
    r->status = status;
    return PROGRESS_BAD;
}

/* "GET /path HTTP/1.1" */
static enum progress read_request_line(struct request *r, struct text line)
{
    const char *end = line.at + line.size, *at = line.at;

    while (at < end && is_token((unsigned char)*at))
        at++;
    r->method.at = line.at;
    r->method.size = (size_t)(at - line.at);
    if (r->method.size == 0 || at == end || *at++ != ' ')
        return bad(r, 400);
    r->target.at = at;
    while (at < end && is_target((unsigned char)*at))
        at++;
    r->target.size = (size_t)(at - r->target.at);
    if (r->target.size == 0 || at == end || *at++ != ' ')
        return bad(r, 400);
    if (r->target.size > TARGET_SIZE_MAX)
        return bad(r, 414);
    if (end - at != 8 || memcmp(at, "HTTP/", 5) != 0 || at[6] != '.' || at[5] < '0' ||
        at[5] > '9' || at[7] < '0' || at[7] > '9')
        return bad(r, 400);
    if (at[5] != '1')
        return bad(r, 505);
    r->minor_version = at[7] - '0';
    r->keep_alive = r->minor_version >= 1;
    return PROGRESS_MORE;
}

static enum progress read_length(struct request *r, struct text value)
{
    uint64_t n = 0;
    size_t i;

    if (r->has_length || value.size == 0)
        return bad(r, 400);
    for (i = 0; i < value.size; i++) {
        unsigned digit = (unsigned char)value.at[i] - (unsigned)'0';

        if (digit > 9)
            return bad(r, 400);
        if (n > (UINT64_MAX - digit) / 10)
            return bad(r, 413);
        n = n * 10 + digit;
    }
    r->has_length = true;
    r->content_length = n;
    return PROGRESS_MORE;
}

static enum progress read_host(struct request *r, struct text value)
{
    size_t i;

    if (r->has_host)
        return bad(r, 400);
    for (i = 0; i < value.size; i++) {
        if (!is_host((unsigned char)value.at[i]))
            return bad(r, 400);
    }
    r->has_host = true;
    return PROGRESS_MORE;
}

/* "close" counts, whatever else is said. */
static void read_connection(struct request *r, struct text value)
{
    struct text element;

    while (next_element(&value, &element)) {
        r->says_close |= text_is_any_case(element, "close");
        r->keep_alive |= text_is_any_case(element, "keep-alive");
    }
    r->keep_alive &= !r->says_close;
}

/* The headers that matter for where this request ends and what becomes of the connection. */
static enum progress read_meaning(struct request *r, struct text name, struct text value)
{
    switch (name.size) {
    case 4:
        if (text_is_any_case(name, "host"))
            return read_host(r, value);
        break;
    case 6:
        if (!text_is_any_case(name, "expect"))
            break;
        if (!text_is_any_case(value, "100-continue"))
            return bad(r, 417);
        r->expects_continue = r->minor_version >= 1;
        break;
    case 10:
        if (text_is_any_case(name, "connection"))
            read_connection(r, value);
        break;
    case 14:
        if (text_is_any_case(name, "content-length"))
            return read_length(r, value);
        break;
    case 17:
        if (!text_is_any_case(name, "transfer-encoding"))
            break;
        if (r->chunked || r->minor_version == 0)
            return bad(r, 400);
        if (!text_is_any_case(value, "chunked"))
            return bad(r, 501);
        r->chunked = true;
        break;
    default:
        break;
    }
    return PROGRESS_MORE;
}

/* "Name: value" */
static bool split_field(struct text line, struct header *h)
{
    const char *end = line.at + line.size, *at = line.at;

    while (at < end && is_token((unsigned char)*at))
        at++;
    h->name.at = line.at;
    h->name.size = (size_t)(at - line.at);
    if (h->name.size == 0 || at == end || *at++ != ':')
        return false;
    h->value.at = at;
    h->value.size = (size_t)(end - at);
    for (; at < end; at++) {
        if (!is_value((unsigned char)*at))
            return false;
    }
    h->value = trim(h->value);
    return true;
}

static enum progress read_header(struct request *r, struct text line)
{
    struct header *h = &r->headers[r->header_count];

    if (!split_field(line, h))
        return bad(r, 400);
    r->header_count++;
    return read_meaning(r, h->name, h->value);
}

/* Finds the line that begins at `from`, of which the bytes up to *scanned are known to have no end.
 * PROGRESS_DONE: *line is that line, without its CR and LF. */
static enum progress find_line(const char *bytes, size_t size, size_t from, size_t *scanned,
                               struct text *line)
{
    const char *end = memchr(bytes + *scanned, '\n', size - *scanned);

    if (!end) {
        *scanned = size;
        return PROGRESS_MORE;
    }
    if (end == bytes + from || end[-1] != '\r')
        return PROGRESS_BAD;
    line->at = bytes + from;
    line->size = (size_t)(end - 1 - line->at);
    return PROGRESS_DONE;
}

enum progress request_read(struct request *r, const char *head, size_t size, size_t *head_size)
{
    size_t seen = size < HEAD_SIZE_MAX ? size : HEAD_SIZE_MAX;
    struct text line;
    enum progress p;

    while ((p = find_line(head, seen, r->line, &r->scanned, &line)) == PROGRESS_DONE) {
        r->line += line.size + 2;
        r->scanned = r->line;
        if (line.size == 0 && r->has_line) {
            if ((r->minor_version >= 1 && !r->has_host) || (r->chunked && r->has_length))
                return bad(r, 400);
            *head_size = r->line;
            return PROGRESS_DONE;
        }
        if (line.size == 0)
            continue; /* some clients end a body with a line of their own */
        if (r->header_count == HEADER_COUNT_MAX)
            return bad(r, 431);
        p = r->has_line ? read_header(r, line) : read_request_line(r, line);
        if (p == PROGRESS_BAD)
            return p;
        r->has_line = true;
    }
    if (p == PROGRESS_BAD)
        return bad(r, 400);
    if (seen == HEAD_SIZE_MAX)
        return bad(r, r->has_line ? 431 : 414);
    return PROGRESS_MORE;
}

const struct text *request_header(const struct request *r, const char *name)
{
    size_t i;

    for (i = 0; i < r->header_count; i++) {
        if (text_is_any_case(r->headers[i].name, name))
            return &r->headers[i].value;
    }
    return NULL;
}

/* "1f", perhaps with ";extension" behind it. */
static bool read_chunk_size(struct text line, uint64_t *size)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < line.size; i++) {
        char c = lower(line.at[i]);
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else
            break;
        if (n >> 60 != 0)
            return false;
        n = n << 4 | digit;
    }
    *size = n;
    if (i == 0)
        return false;
    while (i < line.size && is_blank(line.at[i]))
        i++;
    if (i < line.size && line.at[i] != ';')
        return false;
    for (; i < line.size; i++) {
        if (!is_value((unsigned char)line.at[i]))
            return false;
    }
    return true;
}

/* A line of what is around the chunks. */
static enum progress read_chunk_line(struct chunks *c, const char *bytes, size_t size, size_t *used)
{
    struct header unused;
    struct text line;
    size_t scanned = 0;
    enum progress p =
        find_line(bytes, size < CHUNK_LINE_MAX ? size : CHUNK_LINE_MAX, 0, &scanned, &line);

    if (p != PROGRESS_DONE)
        return p == PROGRESS_MORE && size >= CHUNK_LINE_MAX ? PROGRESS_BAD : p;
    *used = line.size + 2;
    switch (c->state) {
    case CHUNK_SIZE:
        if (!read_chunk_size(line, &c->left))
            return PROGRESS_BAD;
        c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        return PROGRESS_MORE;
    case CHUNK_END:
        c->state = CHUNK_SIZE;
        return line.size == 0 ? PROGRESS_MORE : PROGRESS_BAD;
    default: /* the trailer: fields that mean nothing to us, then an empty line */
        c->trailer_size += *used;
        if (line.size == 0) {
            c->state = CHUNK_DONE;
            return PROGRESS_DONE;
        }
        if (c->trailer_size > TRAILER_SIZE_MAX || !split_field(line, &unused))
            return PROGRESS_BAD;
        return PROGRESS_MORE;
    }
}

enum progress chunks_read(struct chunks *c, const char *bytes, size_t size, size_t *used,
                          struct text *data)
{
    *used = 0;
    data->at = bytes;
    data->size = 0;
    if (c->state == CHUNK_DONE)
        return PROGRESS_DONE;
    if (size == 0)
        return PROGRESS_MORE;
    if (c->state != CHUNK_DATA)
        return read_chunk_line(c, bytes, size, used);
    data->size = size < c->left ? size : (size_t)c->left;
    c->left -= data->size;
    if (c->left == 0)
        c->state = CHUNK_END;
    *used = data->size;
    return PROGRESS_MORE;
}
