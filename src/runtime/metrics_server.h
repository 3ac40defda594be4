/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The small HTTP server that shows the metrics to Prometheus, on a thread of its own.
 *
 * It answers GET and HEAD of /metrics, one request a connection. A few connections are served side
 * by side, each within a time, and the one that has been there longest goes when another comes: a
 * slow client delays nobody. */
#ifndef RUNTIME_METRICS_SERVER_H
#define RUNTIME_METRICS_SERVER_H

#include "base/error.h"
#include "plat/socket.h"

struct lunatic_runtime;
struct metrics_server;

/* Reads "HOST:PORT": a numeric address (IPv6 in brackets), `localhost`, or `*` or nothing for all
 * addresses. False: `err` says what is wrong. */
bool metrics_address_parse(const char *text, struct socket_address *out, struct error *err)
    MUST_USE;

/* Listens there. False: ERR_OS, `err` says why. */
bool metrics_server_start(struct lunatic_runtime *rt, const struct socket_address *at,
                          struct metrics_server **out, struct error *err) MUST_USE;

/* Where it listens: with the port it got if 0 was asked for. */
const struct socket_address *metrics_server_address(const struct metrics_server *s);

/* Ends it, and waits for that. NULL is harmless. */
void metrics_server_stop(struct metrics_server *s);

#endif
