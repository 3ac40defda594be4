/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Just enough JSON (RFC 8259) to read what wast2json writes. */
#ifndef TEST_JSON_H
#define TEST_JSON_H

#include <stddef.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    char *key;          /* of a member of an object; else NULL */
    char *text;         /* STRING: its bytes, terminated; NUMBER: as written */
    size_t size;        /* STRING: bytes in `text` */
    struct json *first; /* ARRAY, OBJECT: children */
    struct json *next;  /* sibling */
};

/* Parses a terminated text; aborts the program, with a message, at what is no JSON. */
struct json *json_parse(const char *text);
void json_free(struct json *j);

/* A member, or NULL. Of NULL: NULL. */
const struct json *json_get(const struct json *object, const char *key);

/* A string member's text, or NULL. */
const char *json_text(const struct json *object, const char *key);

#endif
