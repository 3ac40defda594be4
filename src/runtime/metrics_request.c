/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "runtime/metrics_request.h"
#include "base/bytes.h"
#include <string.h>

static bool is_token(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Takes the bytes up to `end` (which is skipped) from the slice. False: it is not there. */
static bool take_until(struct slice *from, uint8_t end, struct slice *out)
{
    const uint8_t *at = from->size ? memchr(from->data, end, from->size) : NULL;

    if (!at)
        return false;
    *out = slice_make(from->data, (size_t)(at - from->data));
    from->size -= out->size + 1;
    from->data = at + 1;
    return true;
}

static bool is_version(struct slice s)
{
    return s.size == 8 && memcmp(s.data, "HTTP/1.", 7) == 0 && s.data[7] >= '0' && s.data[7] <= '9';
}

/* Whether the lines are header fields: a token, a colon, and no control characters. */
static bool are_fields(struct slice rest)
{
    struct slice line, name;

    while (take_until(&rest, '\n', &line)) {
        if (line.size && line.data[line.size - 1] == '\r')
            line.size--;
        if (line.size == 0)
            return true;
        if (!take_until(&line, ':', &name) || name.size == 0)
            return false;
        for (size_t i = 0; i < name.size; i++) {
            if (!is_token(name.data[i]))
                return false;
        }
        for (size_t i = 0; i < line.size; i++) {
            if (line.data[i] < ' ' && line.data[i] != '\t')
                return false;
        }
    }
    return false;
}

enum metrics_answer metrics_request_parse(const char *request, size_t size, bool *is_head)
{
    struct slice rest = slice_make(request, size), line, method, path, query;

    *is_head = false;
    if (!take_until(&rest, '\n', &line))
        return METRICS_BAD_REQUEST;
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    if (!take_until(&line, ' ', &method) || !take_until(&line, ' ', &path) || !is_version(line) ||
        method.size == 0 || path.size == 0 || !are_fields(rest))
        return METRICS_BAD_REQUEST;
    for (size_t i = 0; i < method.size; i++) {
        if (!is_token(method.data[i]))
            return METRICS_BAD_REQUEST;
    }
    if (take_until(&path, '?', &query))
        path = query; /* what is before it */
    if (path.size == 0 || path.data[0] != '/')
        return METRICS_BAD_REQUEST;
    *is_head = slice_equal(method, slice_text("HEAD"));
    if (!*is_head && !slice_equal(method, slice_text("GET")))
        return METRICS_BAD_METHOD;
    if (slice_equal(path, slice_text("/metrics")))
        return METRICS_OK;
    return slice_equal(path, slice_text("/")) ? METRICS_INDEX : METRICS_NOT_FOUND;
}

bool metrics_request_is_complete(const char *request, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (request[i] != '\n')
            continue;
        if (request[i + 1] == '\n' ||
            (i + 2 < size && request[i + 1] == '\r' && request[i + 2] == '\n'))
            return true;
    }
    return false;
}
