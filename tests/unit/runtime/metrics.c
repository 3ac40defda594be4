/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "runtime/lunatic_runtime.h"
#include "runtime/metrics_request.h"
#include "runtime/metrics_server.h"
#include "runtime/metrics_text.h"
#include "tests/harness/harness.h"
#include <math.h>
#include <string.h>

static enum metrics_answer parse(const char *request)
{
    bool is_head;

    return metrics_request_parse(request, strlen(request), &is_head);
}

TEST(metrics_requests_are_understood_or_refused)
{
    bool is_head;

    CHECK(parse("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n") == METRICS_OK);
    CHECK(parse("GET /metrics?x=1 HTTP/1.0\n\n") == METRICS_OK);
    CHECK(parse("GET / HTTP/1.1\r\n\r\n") == METRICS_INDEX);
    CHECK(metrics_request_parse("HEAD /metrics HTTP/1.1\r\n\r\n", 27, &is_head) == METRICS_OK);
    CHECK(is_head);
    CHECK(parse("GET /metric HTTP/1.1\r\n\r\n") == METRICS_NOT_FOUND);
    CHECK(parse("GET /metrics/ HTTP/1.1\r\n\r\n") == METRICS_NOT_FOUND);
    CHECK(parse("POST /metrics HTTP/1.1\r\n\r\n") == METRICS_BAD_METHOD);
    CHECK(parse("get /metrics HTTP/1.1\r\n\r\n") == METRICS_BAD_METHOD);
    CHECK(parse("GET  /metrics HTTP/1.1\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("GET /metrics\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("GET /metrics HTTP/2.0\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("GET metrics HTTP/1.1\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("G\x01T /metrics HTTP/1.1\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("GET /metrics HTTP/1.1\r\nno field\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("GET /metrics HTTP/1.1\r\na b: c\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("GET /metrics HTTP/1.1\r\na: \x01\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("\r\n\r\n") == METRICS_BAD_REQUEST);
    CHECK(parse("") == METRICS_BAD_REQUEST);
}

TEST(metrics_addresses_are_numbers_or_localhost)
{
    static const char *const bad[] = {"",          "1.2.3.4",
                                      "1.2.3.4:",  "1.2.3.4:70000",
                                      "::1:80",    "host.name:80",
                                      "[1.2.3]:1", "1.2.3.4:+8",
                                      "1.2.3:8",   ":",
                                      "[::1]80",   "1.2.3.4:8 "};
    char text[SOCKET_ADDRESS_TEXT_MAX];
    struct socket_address a;
    struct error err;

    CHECK(metrics_address_parse("127.0.0.1:9927", &a, NULL));
    CHECK(strcmp(socket_address_text(&a, text, sizeof(text)), "127.0.0.1:9927") == 0);
    CHECK(metrics_address_parse("[::1]:80", &a, NULL));
    CHECK(strcmp(socket_address_text(&a, text, sizeof(text)), "[::1]:80") == 0);
    CHECK(metrics_address_parse("localhost:0", &a, NULL));
    CHECK(strcmp(socket_address_text(&a, text, sizeof(text)), "127.0.0.1:0") == 0);
    CHECK(metrics_address_parse("*:1", &a, NULL));
    CHECK(strcmp(socket_address_text(&a, text, sizeof(text)), "0.0.0.0:1") == 0);
    CHECK(metrics_address_parse(":65535", &a, NULL));
    CHECK(strcmp(socket_address_text(&a, text, sizeof(text)), "0.0.0.0:65535") == 0);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK(!metrics_address_parse(bad[i], &a, &err));
        CHECK(err.code == ERR_USAGE);
    }
}

TEST(metrics_text_is_exact)
{
    static const char expected[] = "# HELP a What it is.\n"
                                   "# TYPE a gauge\n"
                                   "a{k=\"v\"} 0.1\n"
                                   "a 18446744073709551615\n"
                                   "a NaN\n"
                                   "a -Inf\n"
                                   "a 1e+300\n"
                                   "a 0.30000000000000004\n"
                                   "# TYPE h histogram\n"
                                   "h_bucket{le=\"2.5\"} 1\n"
                                   "h_bucket{le=\"+Inf\"} 2\n"
                                   "h_sum 3\n"
                                   "h_count 2\n";
    struct metrics_text t = {0};

    metrics_text_family(&t, "a", METRICS_GAUGE, "What it is.");
    metrics_text_number(&t, "k", "v", 0.1);
    metrics_text_count(&t, NULL, NULL, UINT64_MAX);
    metrics_text_number(&t, NULL, NULL, (double)NAN);
    metrics_text_number(&t, NULL, NULL, -(double)INFINITY);
    metrics_text_number(&t, NULL, NULL, 1e300);
    metrics_text_number(&t, NULL, NULL, 0.1 + 0.2);
    metrics_text_family(&t, "h", METRICS_HISTOGRAM, NULL);
    metrics_text_bucket(&t, 2.5, 1);
    metrics_text_sum(&t, 2, 3);
    CHECK(!t.has_failed);
    CHECK(t.out.size == sizeof(expected) - 1 && memcmp(t.out.data, expected, t.out.size) == 0);
    bytes_deinit(&t.out);
}

static bool keep(void *context, const char *text, size_t size)
{
    return bytes_append(context, text, size) && bytes_append_u8(context, 0);
}

static bool refuse(void *context, const char *text, size_t size)
{
    (void)context, (void)text, (void)size;
    return false;
}

/* A runtime without a program has metrics too. */
TEST(metrics_of_a_runtime_are_text_for_whoever_takes_it)
{
    struct lunatic_runtime *rt;
    struct lunatic_error err;
    struct bytes text = {0};

    CHECK(lunatic_runtime_new(NULL, &rt, &err));
    CHECK(lunatic_runtime_metrics(rt, keep, &text, &err));
    CHECK(strstr((const char *)text.data, "\nlunatic_process_environment_count 0\n"));
    CHECK(strstr((const char *)text.data, "\nlunatic_metrics_scrapes_total 1\n"));
    CHECK(!lunatic_runtime_metrics(rt, refuse, NULL, &err));
    CHECK(err.code == LUNATIC_ERROR_SYSTEM);
    lunatic_runtime_free(rt);
    bytes_deinit(&text);
}

static enum socket_call bad_call;

static int fail_always(enum socket_call call, int fd, size_t *size)
{
    (void)fd, (void)size;
    return call == bad_call ? ENOBUFS : 0;
}

/* Whatever the system refuses is said, with the address. */
TEST(metrics_that_cannot_be_served_are_an_error)
{
    static const enum socket_call calls[] = {SOCKET_CALL_OPEN, SOCKET_CALL_OPTION, SOCKET_CALL_BIND,
                                             SOCKET_CALL_LISTEN, SOCKET_CALL_NAME};
    struct lunatic_runtime *rt;
    struct lunatic_error err;
    bool ok;

    CHECK(lunatic_runtime_new(NULL, &rt, &err));
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        bad_call = calls[i];
        socket_set_fault(fail_always);
        ok = lunatic_runtime_serve_metrics(rt, "127.0.0.1:0", NULL, 0, &err);
        socket_set_fault(NULL);
        CHECK(!ok && err.code == LUNATIC_ERROR_SYSTEM);
        CHECK_TEXT(err.text, "metrics at 127.0.0.1:0: No buffer space available (os error 105)");
    }
    CHECK(lunatic_runtime_serve_metrics(rt, "127.0.0.1:0", NULL, 0, &err));
    lunatic_runtime_free(rt);
}

TEST(metrics_are_served_once_a_runtime)
{
    struct lunatic_runtime *rt, *other;
    struct lunatic_error err;
    char bound[64], text[64];

    CHECK(lunatic_runtime_new(NULL, &rt, &err));
    CHECK(lunatic_runtime_new(NULL, &other, &err));
    CHECK(!lunatic_runtime_serve_metrics(rt, "nowhere", bound, sizeof(bound), &err));
    CHECK(err.code == LUNATIC_ERROR_USAGE);
    CHECK(lunatic_runtime_serve_metrics(rt, "127.0.0.1:0", bound, sizeof(bound), &err));
    CHECK(strncmp(bound, "127.0.0.1:", 10) == 0 && strcmp(bound, "127.0.0.1:0") != 0);
    CHECK(!lunatic_runtime_serve_metrics(rt, "127.0.0.1:0", text, sizeof(text), &err));
    CHECK(err.code == LUNATIC_ERROR_USAGE);
    CHECK(!lunatic_runtime_serve_metrics(other, bound, NULL, 0, &err));
    CHECK(err.code == LUNATIC_ERROR_SYSTEM && strstr(err.text, bound));
    lunatic_runtime_free(rt);
    CHECK(lunatic_runtime_serve_metrics(other, bound, NULL, 0, &err)); /* it is free again */
    lunatic_runtime_free(other);
}
