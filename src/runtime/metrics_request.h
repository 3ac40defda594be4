/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Requests of HTTP/1.x, as far as the server of metrics has to understand them. Pure. */
#ifndef RUNTIME_METRICS_REQUEST_H
#define RUNTIME_METRICS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum metrics_answer {
    METRICS_OK,
    METRICS_INDEX,       /* the page at / */
    METRICS_BAD_REQUEST, /* 400 */
    METRICS_NOT_FOUND,   /* 404 */
    METRICS_BAD_METHOD,  /* 405 */
};

/* Whether the empty line that ends a request's head is there. */
bool metrics_request_is_complete(const char *request, size_t size);

/* What to answer to a request; any bytes. `*is_head`: without a body. */
enum metrics_answer metrics_request_parse(const char *request, size_t size, bool *is_head);

#endif
