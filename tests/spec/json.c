/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/spec/json.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *pos;
    const char *begin;
};

NO_RETURN static void bad(const struct parser *p, const char *what)
{
    fprintf(stderr, "json: %s at byte %td\n", what, p->pos - p->begin);
    exit(2);
}

static void blank(struct parser *p)
{
    p->pos += strspn(p->pos, " \t\r\n");
}

static void expect(struct parser *p, char c)
{
    blank(p);
    if (*p->pos != c)
        bad(p, "unexpected character");
    p->pos++;
}

/* UTF-8 of a code point below 0x10000; returns the end. */
static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

static char *escape(struct parser *p, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char digits[5] = {0};

    if (*p->pos == 'u') {
        for (int i = 0; i < 4; i++) {
            digits[i] = p->pos[1 + i];
            if (!digits[i])
                bad(p, "end in an escape");
        }
        p->pos += 5;
        return put_utf8(out, (unsigned)strtoul(digits, NULL, 16));
    }
    found = *p->pos ? strchr(from, *p->pos) : NULL;
    if (!found)
        bad(p, "unknown escape");
    *out++ = to[found - from];
    p->pos++;
    return out;
}

/* A string's text; *size: its bytes, since it may hold zeros. */
static char *string(struct parser *p, size_t *size)
{
    const char *end;
    char *text, *out;

    expect(p, '"');
    for (end = p->pos; *end && *end != '"'; end++) {
        if (*end == '\\' && end[1])
            end++;
    }
    text = out = mem_new_array(char, (size_t)(end - p->pos) + 1); /* escapes only shrink */
    while (*p->pos && *p->pos != '"') {
        if (*p->pos != '\\') {
            *out++ = *p->pos++;
            continue;
        }
        p->pos++;
        out = escape(p, out);
    }
    expect(p, '"');
    *size = (size_t)(out - text);
    return text;
}

static struct json *value(struct parser *p);

/* Children up to the closing character. */
static void children(struct parser *p, struct json *parent, char close)
{
    struct json **link = &parent->first;

    p->pos++;
    blank(p);
    if (*p->pos == close) {
        p->pos++;
        return;
    }
    for (;;) {
        size_t size;
        char *key = NULL;

        if (parent->kind == JSON_OBJECT) {
            key = string(p, &size);
            expect(p, ':');
        }
        *link = value(p);
        (*link)->key = key;
        link = &(*link)->next;
        blank(p);
        if (*p->pos != ',')
            break;
        p->pos++;
        blank(p);
    }
    expect(p, close);
}

static struct json *value(struct parser *p)
{
    struct json *j = mem_new(struct json);
    size_t size;

    blank(p);
    switch (*p->pos) {
    case '{':
        j->kind = JSON_OBJECT;
        children(p, j, '}');
        break;
    case '[':
        j->kind = JSON_ARRAY;
        children(p, j, ']');
        break;
    case '"':
        j->kind = JSON_STRING;
        j->text = string(p, &j->size);
        break;
    default: /* a number or a word */
        size = strspn(p->pos, "+-.0123456789abcdefghijklmnopqrstuvwxyzE");
        if (!size)
            bad(p, "unexpected character");
        j->kind = *p->pos == 'n' ? JSON_NULL : *p->pos > '9' ? JSON_BOOL : JSON_NUMBER;
        j->text = mem_new_array(char, size + 1);
        memcpy(j->text, p->pos, size);
        p->pos += size;
    }
    return j;
}

struct json *json_parse(const char *text)
{
    struct parser p = {text, text};
    struct json *j = value(&p);

    blank(&p);
    if (*p.pos)
        bad(&p, "more after the end");
    return j;
}

void json_free(struct json *j)
{
    while (j) {
        struct json *next = j->next;

        json_free(j->first);
        mem_free(j->key);
        mem_free(j->text);
        mem_free(j);
        j = next;
    }
}

const struct json *json_get(const struct json *object, const char *key)
{
    for (const struct json *j = object ? object->first : NULL; j; j = j->next) {
        if (j->key && strcmp(j->key, key) == 0)
            return j;
    }
    return NULL;
}

const char *json_text(const struct json *object, const char *key)
{
    const struct json *j = json_get(object, key);

    return j && j->kind == JSON_STRING ? j->text : NULL;
}
