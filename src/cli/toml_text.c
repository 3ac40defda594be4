/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/toml_text.h"
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  64   /* of values in values */
#define PATH_BYTES 1024 /* of the keys from the root, together */
#define DOT        TOML_DOT[0]

/* A place in the text while it is read. */
struct reading {
    struct toml_text *t;
    const char *p, *end;
    size_t line_at;
    unsigned line;
    char section[PATH_BYTES]; /* of the header above */
    struct error *err;
};

static bool wrong(struct reading *r, const char *what)
{
    return fail(r->err, ERR_MALFORMED, "line %u: %s", r->line, what);
}

static size_t offset(const struct reading *r)
{
    return (size_t)(r->p - (const char *)r->t->text.data);
}

static bool at(const struct reading *r, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(r->end - r->p) >= n && memcmp(r->p, word, n) == 0;
}

static void blanks(struct reading *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t'))
        r->p++;
}

static void newline(struct reading *r)
{
    r->p++;
    r->line++;
    r->line_at = offset(r);
}

/* Blanks, ends of lines and comments. */
static void space(struct reading *r)
{
    for (;;) {
        blanks(r);
        if (r->p == r->end)
            return;
        if (*r->p == '#') {
            while (r->p < r->end && *r->p != '\n')
                r->p++;
        } else if (*r->p == '\n') {
            newline(r);
        } else if (at(r, "\r\n")) {
            r->p++;
        } else {
            return;
        }
    }
}

/* Nothing but a comment may follow on this line. */
static bool rest_of_line(struct reading *r)
{
    unsigned line = r->line;

    space(r);
    if (r->p < r->end && r->line == line)
        return wrong(r, "something follows that does not belong there");
    return true;
}

/* Passes a string of any of the four kinds. */
static bool skip_string(struct reading *r)
{
    char quote = *r->p;
    bool is_long = at(r, "\"\"\"") || at(r, "'''");
    size_t n = is_long ? 3 : 1;
    const char *close = quote == '"' ? "\"\"\"" : "'''";

    r->p += n;
    for (;;) {
        if (r->p == r->end || (*r->p == '\n' && !is_long))
            return wrong(r, "a string does not end");
        if (*r->p == '\\' && quote == '"' && r->p + 1 < r->end && r->p[1] != '\n') {
            r->p += 2;
        } else if (*r->p == '\n') {
            newline(r);
        } else if (is_long && at(r, close)) {
            r->p += 3;
            /* Up to two quotes may stand before the closing ones. */
            while (r->p < r->end && *r->p == quote)
                r->p++;
            return true;
        } else if (!is_long && *r->p == quote) {
            r->p++;
            return true;
        } else {
            r->p++;
        }
    }
}

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Appends a dotted key to the path in `path`. */
static bool read_key(struct reading *r, char path[PATH_BYTES])
{
    const char *begin;
    size_t length = strlen(path), n;

    for (;;) {
        blanks(r);
        begin = r->p;
        if (r->p < r->end && (*r->p == '"' || *r->p == '\'')) {
            if (at(r, "\"\"\"") || at(r, "'''") || !skip_string(r))
                return wrong(r, "a key is no string of several lines");
            begin++;
            n = (size_t)(r->p - begin) - 1;
        } else {
            while (r->p < r->end && is_bare(*r->p))
                r->p++;
            n = (size_t)(r->p - begin);
            if (n == 0)
                return wrong(r, "a key is missing");
        }
        if (length + n + 2 > PATH_BYTES || memchr(begin, DOT, n))
            return wrong(r, "a key that is too long");
        if (length > 0)
            path[length++] = DOT;
        memcpy(path + length, begin, n);
        length += n;
        path[length] = '\0';
        blanks(r);
        if (r->p == r->end || *r->p != '.')
            return true;
        r->p++;
    }
}

/* Adds an entry whose value is still to be read; its index. */
static bool add_entry(struct reading *r, const char *path, enum toml_kind kind, bool is_inline,
                      size_t *index)
{
    struct toml_entry e = {.kind = kind,
                           .is_inline = is_inline,
                           .section = strlen(r->section),
                           .line_at = r->line_at,
                           .line = r->line,
                           .at = offset(r),
                           .end = offset(r)};

    e.path = strdup(path);
    if (!e.path || !vec_push(&r->t->entries, e)) {
        free(e.path);
        return fail(r->err, ERR_NO_MEMORY, "no memory");
    }
    *index = r->t->entries.count - 1;
    return true;
}

static bool read_pair(struct reading *r, const char *above, bool is_inline, unsigned depth);

/* Passes a value; `path` is that of its key, for what an inline table contains. */
static bool read_value(struct reading *r, const char *path, unsigned depth, enum toml_kind *kind)
{
    enum toml_kind inner;
    const char *begin;
    char close;

    if (depth > DEPTH_MAX)
        return wrong(r, "values too deep within values");
    if (r->p == r->end)
        return wrong(r, "a value is missing");
    if (*r->p == '"' || *r->p == '\'') {
        *kind = TOML_TEXT;
        return skip_string(r);
    }
    if (*r->p != '[' && *r->p != '{') {
        *kind = TOML_SCALAR;
        begin = r->p;
        while (r->p < r->end && !strchr(",]}#\r\n", *r->p))
            r->p++;
        while (r->p > begin && (r->p[-1] == ' ' || r->p[-1] == '\t'))
            r->p--;
        return r->p > begin || wrong(r, "a value is missing");
    }
    *kind = *r->p == '[' ? TOML_ARRAY : TOML_INLINE_TABLE;
    close = *r->p == '[' ? ']' : '}';
    r->p++;
    for (;;) {
        space(r);
        if (r->p < r->end && *r->p == close)
            break;
        if (*kind == TOML_ARRAY ? !read_value(r, path, depth + 1, &inner)
                                : !read_pair(r, path, true, depth + 1))
            return false;
        space(r);
        if (r->p < r->end && *r->p == ',')
            r->p++;
        else if (r->p == r->end || *r->p != close)
            return wrong(r, "a ',' or the closing bracket is missing");
    }
    r->p++;
    return true;
}

static bool read_pair(struct reading *r, const char *above, bool is_inline, unsigned depth)
{
    char path[PATH_BYTES];
    enum toml_kind kind = TOML_SCALAR;
    size_t index = 0;

    memcpy(path, above, strlen(above) + 1); /* both have that size */
    if (!read_key(r, path))
        return false;
    if (r->p == r->end || *r->p != '=')
        return wrong(r, "a '=' is missing");
    r->p++;
    blanks(r);
    if (!add_entry(r, path, TOML_SCALAR, is_inline, &index) || !read_value(r, path, depth, &kind))
        return false;
    r->t->entries.items[index].kind = kind;
    r->t->entries.items[index].end = offset(r);
    return true;
}

static bool read_header(struct reading *r)
{
    bool many = at(r, "[[");
    char path[PATH_BYTES] = "";
    size_t index;

    r->p += many ? 2 : 1;
    if (!read_key(r, path))
        return false;
    if (!at(r, many ? "]]" : "]"))
        return wrong(r, "a header does not end");
    r->p += many ? 2 : 1;
    memcpy(r->section, path, sizeof path);
    return add_entry(r, path, many ? TOML_TABLES : TOML_TABLE, false, &index);
}

bool toml_scan(struct slice text, struct toml_text *t, struct error *err)
{
    struct reading r = {.t = t, .line = 1, .err = err};

    memset(t, 0, sizeof *t);
    t->text = text;
    if (text.size == 0)
        return true;
    r.p = (const char *)text.data;
    r.end = r.p + text.size;
    if (at(&r, "\xef\xbb\xbf"))
        r.p += 3;
    if (memchr(text.data, '\0', text.size))
        return wrong(&r, "the file contains a zero byte");
    for (space(&r); r.p < r.end; space(&r)) {
        if (*r.p == '[' ? !read_header(&r) : !read_pair(&r, r.section, false, 0))
            return false;
        if (!rest_of_line(&r))
            return false;
    }
    return true;
}

void toml_deinit(struct toml_text *t)
{
    size_t i;

    for (i = 0; i < t->entries.count; i++)
        free(t->entries.items[i].path);
    vec_deinit(&t->entries);
}

const struct toml_entry *toml_find(const struct toml_text *t, const char *path)
{
    size_t i;

    for (i = 0; i < t->entries.count; i++) {
        const struct toml_entry *e = &t->entries.items[i];

        if (e->kind < TOML_TABLE && strcmp(e->path, path) == 0)
            return e;
    }
    return NULL;
}

bool toml_words(const struct toml_text *t, const struct toml_entry *e, char *out, size_t size)
{
    struct toml_text none = {.text = t->text};
    struct reading r = {.t = &none, .p = (const char *)t->text.data + e->at};
    const char *begin;
    size_t length = 0, n;

    r.end = (const char *)t->text.data + e->end;
    if (e->kind == TOML_ARRAY)
        r.p++;
    else if (e->kind != TOML_TEXT)
        return false;
    for (space(&r); r.p < r.end && *r.p != ']'; space(&r)) {
        if (*r.p == ',') {
            r.p++;
            continue;
        }
        begin = r.p;
        if ((*begin != '"' && *begin != '\'') || at(&r, "\"\"\"") || at(&r, "'''"))
            return false;
        if (!skip_string(&r))
            return false;
        n = (size_t)(r.p - begin) - 2;
        if (length + n + 2 > size || (*begin == '"' && memchr(begin, '\\', n)))
            return false;
        if (length > 0)
            out[length++] = ' ';
        memcpy(out + length, begin + 1, n);
        length += n;
    }
    out[length] = '\0';
    return true;
}

/* Whether `path` is `table` itself or something in it. */
static bool is_in(const char *path, const char *table)
{
    size_t n = strlen(table);

    return strncmp(path, table, n) == 0 && (path[n] == '\0' || path[n] == DOT);
}

/* The entry behind whose line a key of `table` can be added: the last one of the section with its
 * header, the header itself, or the last dotted key of that table. NULL: there is none. */
static const struct toml_entry *find_place(const struct toml_text *t, const char *table)
{
    const struct toml_entry *place = NULL, *dotted = NULL;
    bool inside = false;
    size_t i;

    for (i = 0; i < t->entries.count; i++) {
        const struct toml_entry *e = &t->entries.items[i];

        if (e->kind >= TOML_TABLE)
            inside = e->kind == TOML_TABLE && strcmp(e->path, table) == 0;
        if (inside && !e->is_inline)
            place = e;
        if (e->kind < TOML_TABLE && !e->is_inline && e->section < strlen(table) &&
            is_in(e->path, table) && e->path[strlen(table)] != '\0')
            dotted = e;
    }
    return place ? place : dotted;
}

/* The keys of a path as TOML writes them. */
static bool append_key(struct bytes *b, const char *path)
{
    const char *p;
    bool bare;

    for (;;) {
        size_t n = strcspn(path, TOML_DOT);

        for (p = path, bare = n > 0; p < path + n; p++)
            bare = bare && is_bare(*p);
        if (!bytes_printf(b, bare ? "%.*s" : "\"%.*s\"", (int)n, path))
            return false;
        path += n;
        if (*path == '\0')
            return true;
        path++;
        if (!bytes_append_u8(b, '.'))
            return false;
    }
}

static size_t end_of_line(struct slice text, size_t from)
{
    const uint8_t *end = from < text.size ? memchr(text.data + from, '\n', text.size - from) : NULL;

    return end ? (size_t)(end - text.data) + 1 : text.size;
}

bool toml_add(struct bytes *document, const char *table, const char *key, const char *value,
              struct error *err)
{
    struct slice text = slice_make(document->data, document->size);
    struct toml_text t;
    struct bytes out = {0};
    const struct toml_entry *place;
    const uint8_t *first;
    const char *end = "\n";
    size_t i, cut, indent = 0;
    bool ok = toml_scan(text, &t, err);

    for (i = 0; ok && i < t.entries.count; i++) {
        const struct toml_entry *e = &t.entries.items[i];

        if (e->kind != TOML_TABLE && is_in(table, e->path))
            ok = fail(err, ERR_INVALID,
                      "line %u: '%s' stands in a form to which nothing can be added; "
                      "make it a table with a header of its own",
                      e->line, strrchr(e->path, DOT) ? strrchr(e->path, DOT) + 1 : e->path);
    }
    if (!ok)
        goto out;
    first = text.size > 0 ? memchr(text.data, '\n', text.size) : NULL;
    if (first && first > text.data && first[-1] == '\r')
        end = "\r\n";
    place = find_place(&t, table);
    cut = place ? end_of_line(text, place->end) : text.size;
    ok = bytes_append(&out, text.data, cut);
    if (ok && cut > 0 && text.data[cut - 1] != '\n')
        ok = bytes_printf(&out, "%s", end);
    if (!place) {
        ok = ok && (cut == 0 || bytes_printf(&out, "%s", end)) && bytes_append_u8(&out, '[') &&
             append_key(&out, table) && bytes_printf(&out, "]%s%s", end, "");
    } else if (place->kind != TOML_TABLE) {
        /* In line with the key above, and with those keys that its header does not give. */
        while (text.data[place->line_at + indent] == ' ' ||
               text.data[place->line_at + indent] == '\t')
            indent++;
        ok = ok && bytes_append(&out, text.data + place->line_at, indent);
        if (place->section < strlen(table))
            ok = ok && append_key(&out, table + place->section + (place->section > 0)) &&
                 bytes_append_u8(&out, '.');
    }
    ok = ok && append_key(&out, key) && bytes_printf(&out, " = \"%s\"%s", value, end) &&
         (cut == text.size || bytes_append(&out, text.data + cut, text.size - cut));
    if (!ok) {
        fail(err, ERR_NO_MEMORY, "no memory");
        goto out;
    }
    bytes_deinit(document);
    *document = out;
    out = (struct bytes){0};
out:
    bytes_deinit(&out);
    toml_deinit(&t);
    return ok;
}
